"""The audiences pipeline: how a notification gets to the function, and where it goes when it fails."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from lambdas.attempts import STEP_SECONDS
from lambdas.contracts import (
    ACTIVATION_HANDLER,
    METRIC_NAMESPACE,
    PART_HANDLER,
    STACK_NAME,
    WATCH_HANDLER,
    Env,
    Metric,
    Output,
)
from lambdas.settings import ActivationSettings, FunctionSettings, PartSettings, WatchSettings
from test.infrastructure.synthesis import Template, attribute, ref, walk

READS_ITS_ENVIRONMENT_AS: dict[str, type[FunctionSettings]] = {
    ACTIVATION_HANDLER: ActivationSettings,
    PART_HANDLER: PartSettings,
    WATCH_HANDLER: WatchSettings,
}


def function_of(template: Template) -> Any:
    return template.properties(template.activation)


def environment_of(template: Template, function: str) -> dict[str, str]:
    """The variables as the function will see them, with dummies for what only the deployment knows."""
    parameters = template.document["Parameters"]

    def resolve(value: Any) -> str:
        if isinstance(value, str):
            return value
        return str(parameters.get(value.get("Ref"), {}).get("Default", "made-up-by-aws"))

    variables = template.properties(function)["Environment"]["Variables"]
    return {name: resolve(value) for name, value in variables.items()}


def test_only_the_failed_messages_of_a_batch_are_tried_again(template: Template) -> None:
    mapping = template.properties(template.only("AWS::Lambda::EventSourceMapping"))
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == 1


def test_the_queue_feeds_the_function_with_the_chosen_concurrency(template_with: Callable[..., Template]) -> None:
    template = template_with(max_concurrency=7)
    mapping = template.properties(template.only("AWS::Lambda::EventSourceMapping"))
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 7}
    assert mapping["EventSourceArn"] == attribute(template.queue)
    assert mapping["FunctionName"] == ref(template.activation)


def test_the_function_has_time_for_several_steps(template: Template) -> None:
    assert function_of(template)["Timeout"] >= 4 * STEP_SECONDS


def test_a_message_stays_hidden_for_six_times_the_functions_timeout(template: Template) -> None:
    assert template.properties(template.queue)["VisibilityTimeout"] >= 6 * function_of(template)["Timeout"]


def test_dead_letters_are_kept_for_two_weeks_and_what_sqs_moves_there_for_some_days(template: Template) -> None:
    day = 24 * 60 * 60
    assert template.properties(template.dead_letters)["MessageRetentionPeriod"] == 14 * day
    # A message that SQS moves keeps its age.
    assert template.properties(template.queue)["MessageRetentionPeriod"] <= 10 * day


def test_every_queue_but_the_last_has_a_dead_letter_queue(template: Template) -> None:
    assert len(template.of_type("AWS::SQS::Queue")) == 2
    redrive = template.properties(template.queue)["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == attribute(template.dead_letters)


def test_the_queues_own_redrive_comes_after_the_functions(template_with: Callable[..., Template]) -> None:
    template = template_with(max_receive_count=9)
    assert template.properties(template.queue)["RedrivePolicy"]["maxReceiveCount"] == 11
    assert function_of(template)["Environment"]["Variables"][Env.MAX_RECEIVE_COUNT] == "9"


def test_the_rule_matches_new_audience_and_suppression_files_of_this_bucket_and_nothing_else(
    template: Template,
) -> None:
    assert template.properties(template.only("AWS::Events::Rule"))["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": [ref(template.only("AWS::S3::Bucket"))]},
            "object": {"key": [{"prefix": "tiktok/"}, {"prefix": "suppression/"}]},
        },
    }


def test_every_rule_target_has_a_dead_letter_queue_and_is_tried_for_a_day(template: Template) -> None:
    (target,) = template.properties(template.only("AWS::Events::Rule"))["Targets"]
    assert target["Arn"] == attribute(template.queue)
    assert target["DeadLetterConfig"] == {"Arn": attribute(template.dead_letters)}
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}


def test_the_rule_is_on(template: Template) -> None:
    assert template.properties(template.only("AWS::Events::Rule")).get("State", "ENABLED") == "ENABLED"


def test_the_function_runs_on_the_declared_machine(template: Template) -> None:
    function = function_of(template)
    assert function["Runtime"] == "python3.14"
    assert function["Architectures"] == ["arm64"]
    assert (function["MemorySize"], function["Timeout"]) == (1024, 900)
    assert function["TracingConfig"] == {"Mode": "Active"}


def test_the_function_writes_to_its_own_log_group_which_goes_after_a_month(template: Template) -> None:
    logs = template.logs_of(template.activation)
    assert function_of(template)["LoggingConfig"]["LogGroup"] == ref(logs)
    assert template.properties(logs)["RetentionInDays"] == 30
    assert template.resources[logs]["DeletionPolicy"] == "Delete"


def test_every_handler_can_be_imported(template: Template) -> None:
    for function in template.of_type("AWS::Lambda::Function").values():
        module, _, name = function["Properties"]["Handler"].rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))


def test_every_functions_environment_satisfies_the_settings_that_it_reads(template: Template) -> None:
    functions = template.of_type("AWS::Lambda::Function")
    assert functions
    for logical_id, function in functions.items():
        settings = READS_ITS_ENVIRONMENT_AS[function["Properties"]["Handler"]]
        settings.from_environment(environment_of(template, logical_id))


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
    assert 4 / settings.request_interval_seconds == pytest.approx(0.7 * 2.5)
    assert settings.retry_delay_seconds == 60
    assert settings.ledger_retention_days == 130
    assert settings.tiktok_api_url == "https://business-api.tiktok.com"
    assert settings.allow_raw_identifiers
    assert settings.default_country == "GB"
    assert (settings.email_rule, settings.phone_rule) == ("both", "no_plus")
    assert settings.thread_count == 9
    assert settings.allow_audience_deletion
    assert settings.large_object_bytes == 2**30


def test_each_function_has_the_variables_that_it_reads_and_the_names_of_logs_and_metrics(template: Template) -> None:
    given = set()
    for function in template.of_type("AWS::Lambda::Function").values():
        variables = function["Properties"]["Environment"]["Variables"]
        settings = READS_ITS_ENVIRONMENT_AS[function["Properties"]["Handler"]]
        read = {each.metadata["name"].value for each in fields(settings)}
        assert set(variables) == {*read, "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "LOG_LEVEL"}
        assert variables["POWERTOOLS_SERVICE_NAME"] == STACK_NAME
        assert variables["POWERTOOLS_METRICS_NAMESPACE"] == METRIC_NAMESPACE
        assert variables["LOG_LEVEL"] == "INFO"
        given |= read
    assert given == {variable.value for variable in Env}


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


def test_switched_off_there_is_no_function_no_queue_and_no_rule(template_with: Callable[..., Template]) -> None:
    template = template_with(audiences_enabled=False)
    for resource_type in (
        "AWS::Lambda::Function",
        "AWS::SQS::Queue",
        "AWS::Events::Rule",
        "AWS::Scheduler::Schedule",
        "AWS::IAM::Role",
    ):
        assert not template.of_type(resource_type)


def test_switched_off_the_data_the_token_and_the_ledger_stay(
    template: Template, template_with: Callable[..., Template]
) -> None:
    switched_off = template_with(audiences_enabled=False)
    for resource_type in ("AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::DynamoDB::Table"):
        assert switched_off.only(resource_type) == template.only(resource_type)


@pytest.mark.parametrize("metric", list(Metric))
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
