"""The events pipeline: how files and single events get to its functions, and what these are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lambdas.attempts import STEP_SECONDS
from lambdas.contracts import (
    EVENT_FILES_HANDLER,
    LIVE_EVENTS_HANDLER,
    METRIC_NAMESPACE,
    STACK_NAME,
    Env,
    Metric,
    Output,
)
from lambdas.settings import EventSettings
from test.infrastructure.synthesis import Template, attribute, ref
from test.infrastructure.test_audiences import dashboard
from test.infrastructure.test_functions import environment_of

FUNCTIONS = {EVENT_FILES_HANDLER: f"{STACK_NAME}-events", LIVE_EVENTS_HANDLER: f"{STACK_NAME}-live-events"}
# What the functions share with those of the audiences pipeline, and count.
SHARED = [
    Metric.OBJECTS_DELIVERED,
    Metric.OBJECTS_REJECTED,
    Metric.OBJECTS_RETRIED,
    Metric.OBJECTS_EXHAUSTED,
    Metric.OBJECTS_GIVEN_UP,
    Metric.OBJECTS_POSTPONED,
    Metric.OBJECTS_ALREADY_DELIVERED,
    Metric.OBJECTS_IGNORED,
    Metric.TIKTOK_RETRIES,
    Metric.TOKEN_REJECTED,
    Metric.MISCONFIGURED,
    Metric.UNEXPECTED_ERRORS,
    Metric.UNLISTED_CODES,
]
OF_EVENTS = [metric for metric in Metric if metric.name.startswith("EVENTS_")]


def pattern_of(template: Template, function: str) -> Any:
    return template.properties(template.rule_of(template.queue_of(function)))["EventPattern"]


def test_files_below_events_are_taken_one_at_a_time(template: Template) -> None:
    assert pattern_of(template, template.event_files) == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": [ref(template.only("AWS::S3::Bucket"))]},
            "object": {"key": [{"prefix": "events/"}]},
        },
    }
    mapping = template.mapping_of(template.event_files)
    assert mapping["BatchSize"] == 1
    assert "MaximumBatchingWindowInSeconds" not in mapping


def test_live_events_are_gathered_for_a_few_seconds_into_one_request(template: Template) -> None:
    mapping = template.mapping_of(template.live_events)
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (1000, 5)


def test_live_events_come_from_the_chosen_source_on_the_bus(template_with: Callable[..., Template]) -> None:
    template = template_with(events_bus_source="shop/checkout")
    assert pattern_of(template, template.live_events) == {"source": ["shop/checkout"], "detail-type": ["TikTok Event"]}
    assert "EventBusName" not in template.properties(template.rule_of(template.queue_of(template.live_events)))


def test_without_a_source_no_rule_fills_the_queue_of_live_events_and_applications_still_may(
    template: Template, template_with: Callable[..., Template]
) -> None:
    without = template_with(events_bus_source="")
    queue = without.queue_of(without.live_events)
    gone = template.resources.keys() - without.resources.keys()
    assert gone == {template.rule_of(queue)}
    # Who may do so by their own rights: the policy lets nobody else in, and keeps nobody of this account out.
    for target in (queue, without.dead_letters_of(queue)):
        (statement,) = without.policy_of("AWS::SQS::QueuePolicy", target)
        assert statement["Effect"] == "Deny"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert without.document["Outputs"][Output.LIVE_EVENT_QUEUE_URL]["Value"] == ref(queue)


def test_the_functions_run_on_the_declared_machines(template: Template) -> None:
    for function, machine in ((template.event_files, (1769, 900)), (template.live_events, (1024, 300))):
        properties = template.properties(function)
        assert properties["Runtime"] == "python3.14"
        assert properties["Architectures"] == ["arm64"]
        assert (properties["MemorySize"], properties["Timeout"]) == machine
        assert properties["TracingConfig"] == {"Mode": "Active"}


def test_the_function_for_files_has_time_for_several_steps(template: Template) -> None:
    assert template.properties(template.event_files)["Timeout"] >= 4 * STEP_SECONDS


@pytest.mark.parametrize("handler", FUNCTIONS)
def test_both_functions_read_what_the_deployer_chose(template_with: Callable[..., Template], handler: str) -> None:
    template = template_with(
        max_concurrency=3,
        tiktok_requests_per_second=2.5,
        max_receive_count=9,
        retry_delay_seconds=60,
        data_retention_days=100,
        default_country="GB",
        thread_count=9,
        create_missing_event_sources=True,
        max_event_age_days={"web": 7, "app": 14, "offline": 28, "crm": 90},
        limited_data_use=True,
        partner_name="Example Agency",
    )
    function = template.function(handler)
    settings = EventSettings.from_environment(environment_of(template, function))

    # Three of each function, together a tenth of the rate.
    assert 2 * 3 / settings.request_interval_seconds == pytest.approx(0.1 * 2.5)
    assert (settings.max_receive_count, settings.retry_delay_seconds) == (9, 60)
    assert settings.ledger_retention_days == 130
    assert settings.default_country == "GB"
    assert settings.thread_count == 9
    assert settings.create_missing_event_sources
    assert settings.max_event_age_days == {"web": 7, "app": 14, "offline": 28, "crm": 90}
    assert settings.limited_data_use
    assert settings.partner_name == "Example Agency"
    assert template.mapping_of(function)["ScalingConfig"] == {"MaximumConcurrency": 3}
    queue = template.properties(template.queue_of(function))
    # The function itself buries a message before SQS does.
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 11


@pytest.mark.parametrize("handler", FUNCTIONS)
def test_the_variables_name_the_resources_of_this_stack(template: Template, handler: str) -> None:
    function = template.function(handler)
    queue = template.queue_of(function)
    variables = template.properties(function)["Environment"]["Variables"]
    assert variables[Env.BUCKET] == ref(template.only("AWS::S3::Bucket"))
    assert variables[Env.LEDGER_TABLE] == ref(template.only("AWS::DynamoDB::Table"))
    assert variables[Env.SECRET_ID] == ref(template.only("AWS::SecretsManager::Secret"))
    assert variables[Env.QUEUE_URL] == ref(queue)
    assert variables[Env.DEAD_LETTER_QUEUE_URL] == ref(template.dead_letters_of(queue))
    assert variables[Env.TIKTOK_API_URL] == ref("TikTokApiUrl")


@pytest.mark.parametrize(
    ("handler", "outputs"),
    [
        (
            EVENT_FILES_HANDLER,
            (Output.EVENT_QUEUE_URL, Output.EVENT_DEAD_LETTER_QUEUE_URL, Output.EVENT_FUNCTION),
        ),
        (
            LIVE_EVENTS_HANDLER,
            (Output.LIVE_EVENT_QUEUE_URL, Output.LIVE_EVENT_DEAD_LETTER_QUEUE_URL, Output.LIVE_EVENT_FUNCTION),
        ),
    ],
)
def test_the_outputs_name_each_queue_its_dead_letters_and_its_function(
    template: Template, handler: str, outputs: tuple[Output, ...]
) -> None:
    function = template.function(handler)
    queue = template.queue_of(function)
    expected = [ref(queue), ref(template.dead_letters_of(queue)), ref(function)]
    assert [template.document["Outputs"][output]["Value"] for output in outputs] == expected


@pytest.mark.parametrize("service", FUNCTIONS.values())
@pytest.mark.parametrize("metric", [*SHARED, *OF_EVENTS])
def test_the_dashboard_shows_every_metric_of_both_functions(template: Template, service: str, metric: Metric) -> None:
    assert f'"{METRIC_NAMESPACE}","{metric}","service","{service}"' in dashboard(template)


def test_switched_off_nothing_of_it_is_left_and_all_else_stays(
    template: Template, template_with: Callable[..., Template]
) -> None:
    off = template_with(events_enabled=False)

    gone = template.resources.keys() - off.resources.keys()
    assert not off.resources.keys() - template.resources.keys()
    assert {template.event_files, template.live_events} <= gone
    assert all(name.startswith("Events") for name in gone)
    assert {name for name in template.document["Outputs"] if "Event" in name} == (
        template.document["Outputs"].keys() - off.document["Outputs"].keys()
    )
    assert f"{STACK_NAME}-events" not in dashboard(off)


def test_it_works_alone(template: Template, template_with: Callable[..., Template]) -> None:
    alone = template_with(audiences_enabled=False)

    gone = template.resources.keys() - alone.resources.keys()
    assert not alone.resources.keys() - template.resources.keys()
    assert all(name.startswith("Audience") for name in gone)
    assert set(alone.of_type("AWS::Lambda::Function")) == {template.event_files, template.live_events}
    assert attribute(alone.queue_of(alone.event_files)) != attribute(alone.queue_of(alone.live_events))
    policy = alone.properties(alone.only("AWS::KMS::Key"))["KeyPolicy"]["Statement"]
    assert [s for s in policy if s["Principal"] == {"Service": "events.amazonaws.com"}]
    assert '"service","' + STACK_NAME + '"' not in dashboard(alone)
