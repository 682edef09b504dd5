"""The alarms: each rings at the right time, reaches someone, and says where the way out is written down."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from lambdas.contracts import METRIC_NAMESPACE, STACK_NAME
from test.infrastructure.synthesis import PROJECT, Template, attribute, ref

SERVICE = [{"Name": "service", "Value": STACK_NAME}]
ANCHORS = [
    "dead-letter-queue-not-empty",
    "objects-given-up",
    "changes-not-carried-out",
    "oldest-message-too-old",
    "function-errors",
    "unexpected-errors",
    "token-rejected",
    "connector-misconfigured",
    "audience-failed",
    "audience-shrank",
    "audience-too-small",
    "audience-expires-soon",
    "audience-watch-failed",
]


def alarm_about(template: Template, anchor: str) -> Any:
    (alarm,) = (
        alarm["Properties"]
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values()
        if alarm["Properties"]["AlarmDescription"].endswith(f"docs/runbook.md#{anchor}")
    )
    return alarm


def watched(alarm: Any) -> tuple[Any, ...]:
    return alarm["Namespace"], alarm["MetricName"], alarm["Statistic"], alarm["Threshold"], alarm["Dimensions"]


def test_an_alarm_rings_for_the_first_dead_letter(template: Template) -> None:
    queue = [{"Name": "QueueName", "Value": attribute(template.dead_letters, "QueueName")}]
    expected = ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", 0, queue)
    assert watched(alarm_about(template, "dead-letter-queue-not-empty")) == expected


def test_an_alarm_rings_for_each_object_that_is_given_up(template: Template) -> None:
    expected = (METRIC_NAMESPACE, "ObjectsGivenUp", "Sum", 0, SERVICE)
    assert watched(alarm_about(template, "objects-given-up")) == expected


def test_an_alarm_rings_for_each_change_that_tiktok_accepts_and_does_not_carry_out(template: Template) -> None:
    expected = (METRIC_NAMESPACE, "ChangesNotCarriedOut", "Sum", 0, SERVICE)
    assert watched(alarm_about(template, "changes-not-carried-out")) == expected


def test_an_alarm_rings_when_an_object_waits_for_more_than_an_hour(template: Template) -> None:
    queue = [{"Name": "QueueName", "Value": attribute(template.queue, "QueueName")}]
    expected = ("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", 3600, queue)
    assert watched(alarm_about(template, "oldest-message-too-old")) == expected


def test_an_alarm_rings_when_the_function_fails(template: Template) -> None:
    function = [{"Name": "FunctionName", "Value": ref(template.activation)}]
    assert watched(alarm_about(template, "function-errors")) == ("AWS/Lambda", "Errors", "Sum", 0, function)


def test_an_alarm_rings_when_the_function_meets_a_defect(template: Template) -> None:
    expected = (METRIC_NAMESPACE, "UnexpectedErrors", "Sum", 0, SERVICE)
    assert watched(alarm_about(template, "unexpected-errors")) == expected


def test_an_alarm_rings_when_tiktok_rejects_the_token(template: Template) -> None:
    expected = (METRIC_NAMESPACE, "TokenRejected", "Sum", 0, SERVICE)
    assert watched(alarm_about(template, "token-rejected")) == expected


def test_an_alarm_rings_when_the_connector_is_misconfigured(template: Template) -> None:
    expected = (METRIC_NAMESPACE, "Misconfigured", "Sum", 0, SERVICE)
    assert watched(alarm_about(template, "connector-misconfigured")) == expected


def test_there_are_no_other_alarms(template: Template) -> None:
    assert len(template.of_type("AWS::CloudWatch::Alarm")) == len(ANCHORS)


@pytest.mark.parametrize("anchor", ANCHORS)
def test_every_alarm_notifies_the_topic_and_takes_silence_for_peace(template: Template, anchor: str) -> None:
    alarm = alarm_about(template, anchor)
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
