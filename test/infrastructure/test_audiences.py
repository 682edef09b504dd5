"""The audiences pipeline: how a notification gets to the function, and where it goes when it fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lambdas.attempts import STEP_SECONDS
from lambdas.contracts import METRIC_NAMESPACE, STACK_NAME, Env, Metric, Output
from lambdas.settings import ActivationSettings
from test.infrastructure.synthesis import Template, ref, walk
from test.infrastructure.test_functions import environment_of


def function_of(template: Template) -> Any:
    return template.properties(template.activation)


def test_objects_are_taken_one_at_a_time(template: Template) -> None:
    assert template.mapping_of(template.activation)["BatchSize"] == 1


def test_the_queue_feeds_the_function_with_the_chosen_concurrency(template_with: Callable[..., Template]) -> None:
    template = template_with(max_concurrency=7)
    assert template.mapping_of(template.activation)["ScalingConfig"] == {"MaximumConcurrency": 7}


def test_the_function_has_time_for_several_steps(template: Template) -> None:
    assert function_of(template)["Timeout"] >= 4 * STEP_SECONDS


def test_the_queues_own_redrive_comes_after_the_functions(template_with: Callable[..., Template]) -> None:
    template = template_with(max_receive_count=9)
    assert template.properties(template.queue)["RedrivePolicy"]["maxReceiveCount"] == 11
    assert function_of(template)["Environment"]["Variables"][Env.MAX_RECEIVE_COUNT] == "9"


def test_the_rule_matches_new_audience_and_suppression_files_of_this_bucket_and_nothing_else(
    template: Template,
) -> None:
    assert template.properties(template.rule_of(template.queue))["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": [ref(template.only("AWS::S3::Bucket"))]},
            "object": {"key": [{"prefix": "tiktok/"}, {"prefix": "suppression/"}]},
        },
    }


def test_the_function_runs_on_the_declared_machine(template: Template) -> None:
    function = function_of(template)
    assert function["Runtime"] == "python3.14"
    assert function["Architectures"] == ["arm64"]
    assert (function["MemorySize"], function["Timeout"]) == (1024, 900)
    assert function["TracingConfig"] == {"Mode": "Active"}


def test_the_function_reads_what_the_deployer_chose(template_with: Callable[..., Template]) -> None:
    template = template_with(
        supported_calculate_types=("EMAIL_SHA256",),
        max_invalid_ratio=0.125,
        tiktok_requests_per_second=2.5,
        retry_delay_seconds=60,
        data_retention_days=100,
        allow_raw_identifiers=True,
        default_country="GB",
        email_rule="both",
        phone_rule="no_plus",
        thread_count=9,
        allow_audience_deletion=True,
        large_object_bytes=2**30,
    )
    environment = environment_of(template, template.activation)
    settings = ActivationSettings.from_environment(environment)
    assert settings.supported_calculate_types == frozenset({"EMAIL_SHA256"})
    assert settings.max_invalid_ratio == 0.125
    assert 4 / settings.request_interval_seconds == pytest.approx(0.6 * 2.5)
    assert settings.retry_delay_seconds == 60
    assert settings.ledger_retention_days == 130
    assert settings.tiktok_api_url == "https://business-api.tiktok.com"
    assert settings.allow_raw_identifiers
    assert settings.default_country == "GB"
    assert (settings.email_rule, settings.phone_rule) == ("both", "no_plus")
    assert settings.thread_count == 9
    assert settings.allow_audience_deletion
    assert settings.large_object_bytes == 2**30


def test_the_variables_name_the_resources_of_this_stack(template: Template) -> None:
    variables = function_of(template)["Environment"]["Variables"]
    assert variables[Env.BUCKET] == ref(template.only("AWS::S3::Bucket"))
    assert variables[Env.LEDGER_TABLE] == ref(template.only("AWS::DynamoDB::Table"))
    # For a secret, Ref is the ARN.
    assert variables[Env.SECRET_ID] == ref(template.only("AWS::SecretsManager::Secret"))
    assert variables[Env.QUEUE_URL] == ref(template.queue)
    assert variables[Env.DEAD_LETTER_QUEUE_URL] == ref(template.dead_letters)
    assert variables[Env.TIKTOK_API_URL] == ref("TikTokApiUrl")


def test_every_output_of_the_contract_is_there(template: Template) -> None:
    assert set(template.document["Outputs"]) == {output.value for output in Output}


def test_with_both_pipelines_off_there_is_no_function_no_queue_and_no_rule(
    template_with: Callable[..., Template],
) -> None:
    template = template_with(audiences_enabled=False, events_enabled=False)
    for resource_type in (
        "AWS::Lambda::Function",
        "AWS::SQS::Queue",
        "AWS::Events::Rule",
        "AWS::Scheduler::Schedule",
        "AWS::IAM::Role",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
    ):
        assert not template.of_type(resource_type)


def test_switched_off_the_data_the_token_and_the_ledger_stay(
    template: Template, template_with: Callable[..., Template]
) -> None:
    switched_off = template_with(audiences_enabled=False, events_enabled=False)
    for resource_type in ("AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::DynamoDB::Table"):
        assert switched_off.only(resource_type) == template.only(resource_type)


@pytest.mark.parametrize("metric", [metric for metric in Metric if not metric.name.startswith("EVENTS_")])
def test_the_dashboard_shows_every_metric_of_the_functions(template: Template, metric: Metric) -> None:
    assert f'"{METRIC_NAMESPACE}","{metric}","service","{STACK_NAME}"' in dashboard(template)


@pytest.mark.parametrize(
    "metric",
    ["ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage", "Errors", "Duration"],
)
def test_the_dashboard_shows_the_queues_and_the_function(template: Template, metric: str) -> None:
    assert f'"{metric}"' in dashboard(template)


def test_the_dashboard_is_valid_json(template: Template) -> None:
    body = template.properties(template.only("AWS::CloudWatch::Dashboard"))["DashboardBody"]
    _, parts = body["Fn::Join"]
    assert json.loads("".join(part if isinstance(part, str) else "x" for part in parts))["widgets"]


def dashboard(template: Template) -> str:
    body = template.properties(template.only("AWS::CloudWatch::Dashboard"))["DashboardBody"]
    return "".join(part for part in walk(body) if isinstance(part, str))
