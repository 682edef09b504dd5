"""The alarms: each rings at the right time, reaches someone, and says where the way out is written down."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from lambdas.contracts import (
    ACTIVATION_HANDLER,
    EVENT_FILES_HANDLER,
    LIVE_EVENTS_HANDLER,
    METRIC_NAMESPACE,
    STACK_NAME,
)
from test.infrastructure.synthesis import PROJECT, Template, attribute, ref

SERVICE = [{"Name": "service", "Value": STACK_NAME}]
# Of a queue and the function behind it: its handler, and what its metrics are called.
PIPELINES = {
    "audiences": (ACTIVATION_HANDLER, STACK_NAME),
    "events": (EVENT_FILES_HANDLER, f"{STACK_NAME}-events"),
    "live events": (LIVE_EVENTS_HANDLER, f"{STACK_NAME}-live-events"),
}
OF_EVERY_PIPELINE = [
    "dead-letter-queue-not-empty",
    "objects-given-up",
    "oldest-message-too-old",
    "function-errors",
    "unexpected-errors",
    "token-rejected",
    "connector-misconfigured",
]
OF_AUDIENCES = [
    "changes-not-carried-out",
    "audience-failed",
    "audience-shrank",
    "audience-too-small",
    "audience-expires-soon",
    "audience-watch-failed",
]
OF_EVENTS = ["events-refused"]
ANCHORS = [*OF_EVERY_PIPELINE, *OF_AUDIENCES, *OF_EVENTS]


def alarms_about(template: Template, anchor: str) -> list[Any]:
    return [
        alarm["Properties"]
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values()
        if alarm["Properties"]["AlarmDescription"].endswith(f"docs/runbook.md#{anchor}")
    ]


def alarm_about(template: Template, anchor: str) -> Any:
    (alarm,) = alarms_about(template, anchor)
    return alarm


def watched(alarm: Any) -> tuple[Any, ...]:
    return alarm["Namespace"], alarm["MetricName"], alarm["Statistic"], alarm["Threshold"], alarm["Dimensions"]


def watched_for(template: Template, anchor: str) -> list[tuple[Any, ...]]:
    """What all alarms watch that lead to this heading."""
    return [watched(alarm) for alarm in alarms_about(template, anchor)]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_an_alarm_rings_for_the_first_dead_letter(template: Template, pipeline: str) -> None:
    dead_letters = template.dead_letters_of(queue_of(template, pipeline))
    queue = [{"Name": "QueueName", "Value": attribute(dead_letters, "QueueName")}]
    expected = ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", 0, queue)
    assert expected in watched_for(template, "dead-letter-queue-not-empty")


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_an_alarm_rings_when_something_waits_for_more_than_an_hour(template: Template, pipeline: str) -> None:
    queue = [{"Name": "QueueName", "Value": attribute(queue_of(template, pipeline), "QueueName")}]
    expected = ("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", 3600, queue)
    assert expected in watched_for(template, "oldest-message-too-old")


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_an_alarm_rings_when_the_function_fails(template: Template, pipeline: str) -> None:
    function = [{"Name": "FunctionName", "Value": ref(template.function(PIPELINES[pipeline][0]))}]
    assert ("AWS/Lambda", "Errors", "Sum", 0, function) in watched_for(template, "function-errors")


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize(
    ("anchor", "metric"),
    [
        ("objects-given-up", "ObjectsGivenUp"),
        ("unexpected-errors", "UnexpectedErrors"),
        ("token-rejected", "TokenRejected"),
        ("connector-misconfigured", "Misconfigured"),
    ],
)
def test_an_alarm_rings_for_what_the_functions_of_this_pipeline_count(
    template: Template, pipeline: str, anchor: str, metric: str
) -> None:
    service = [{"Name": "service", "Value": PIPELINES[pipeline][1]}]
    assert (METRIC_NAMESPACE, metric, "Sum", 0, service) in watched_for(template, anchor)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_what_the_alarms_watch_is_what_the_function_of_this_pipeline_writes(template: Template, pipeline: str) -> None:
    handler, service = PIPELINES[pipeline]
    variables = template.properties(template.function(handler))["Environment"]["Variables"]
    assert variables["POWERTOOLS_SERVICE_NAME"] == service


def test_an_alarm_rings_for_each_change_that_tiktok_accepts_and_does_not_carry_out(template: Template) -> None:
    expected = (METRIC_NAMESPACE, "ChangesNotCarriedOut", "Sum", 0, SERVICE)
    assert watched(alarm_about(template, "changes-not-carried-out")) == expected


def test_an_alarm_rings_when_tiktok_refuses_events(template: Template) -> None:
    assert sorted(watched_for(template, "events-refused"), key=str) == [
        (METRIC_NAMESPACE, "EventsRefusedByTikTok", "Sum", 0, [{"Name": "service", "Value": f"{STACK_NAME}-{name}"}])
        for name in ("events", "live-events")
    ]


def test_there_are_no_other_alarms(template: Template) -> None:
    expected = [*OF_EVERY_PIPELINE * 3, *OF_AUDIENCES, *OF_EVENTS * 2]
    assert sorted(anchors_of(template)) == sorted(expected)


@pytest.mark.parametrize(
    ("switched_off", "expected"),
    [
        ("audiences_enabled", [*OF_EVERY_PIPELINE * 2, *OF_EVENTS * 2]),
        ("events_enabled", [*OF_EVERY_PIPELINE, *OF_AUDIENCES]),
    ],
)
def test_a_pipeline_that_is_switched_off_has_no_alarms_and_the_other_keeps_its_own(
    template_with: Callable[..., Template], switched_off: str, expected: list[str]
) -> None:
    assert sorted(anchors_of(template_with(**{switched_off: False}))) == sorted(expected)


@pytest.mark.parametrize("anchor", ANCHORS)
def test_every_alarm_notifies_the_topic_and_takes_silence_for_peace(template: Template, anchor: str) -> None:
    for alarm in alarms_about(template, anchor):
        assert alarm["AlarmActions"] == [ref(template.only("AWS::SNS::Topic"))]
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["EvaluationPeriods"] == 1


@pytest.mark.parametrize("anchor", ANCHORS)
def test_every_alarm_leads_to_a_heading_of_the_runbook(anchor: str) -> None:
    headings = re.findall(r"^#+ (.+)$", (PROJECT / "docs" / "runbook.md").read_text(), flags=re.MULTILINE)
    # As GitHub makes anchors: lower case, punctuation dropped, spaces to hyphens.
    assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_nobody_is_subscribed_unless_asked_for(template: Template) -> None:
    assert not template.of_type("AWS::SNS::Subscription")


def test_the_given_address_is_subscribed_to_the_alarms(template_with: Callable[..., Template]) -> None:
    template = template_with(alarm_email="ops@example.com")
    subscription = template.properties(template.only("AWS::SNS::Subscription"))
    assert subscription["TopicArn"] == ref(template.only("AWS::SNS::Topic"))
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")


def queue_of(template: Template, pipeline: str) -> str:
    return template.queue_of(template.function(PIPELINES[pipeline][0]))


def anchors_of(template: Template) -> list[str]:
    return [
        alarm["Properties"]["AlarmDescription"].rpartition("#")[2]
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values()
    ]
