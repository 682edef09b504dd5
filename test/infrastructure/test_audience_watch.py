"""The audience watch: when it looks, who lets it, and what rings."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lambdas.contracts import METRIC_NAMESPACE, STACK_NAME, AudienceMetric, Env, Output
from stacks.settings import Settings
from test.infrastructure.synthesis import Template, attribute, ref
from test.infrastructure.test_alarms import SERVICE, alarm_about, watched
from test.infrastructure.test_audiences import dashboard
from test.infrastructure.test_permissions import allow, rights, role_statements


def test_the_watch_looks_every_hour(template: Template) -> None:
    schedule = template.properties(template.only("AWS::Scheduler::Schedule"))
    assert schedule["ScheduleExpression"] == "rate(1 hour)"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule.get("State", "ENABLED") == "ENABLED"
    assert schedule["Target"]["Arn"] == attribute(template.watch)


def test_what_fails_is_tried_again_before_the_next_look_and_not_after_it(template: Template) -> None:
    retries = template.properties(template.only("AWS::Scheduler::Schedule"))["Target"]["RetryPolicy"]
    assert retries == {"MaximumEventAgeInSeconds": 1_800, "MaximumRetryAttempts": 3}
    invocations = template.properties(template.only("AWS::Lambda::EventInvokeConfig"))
    assert invocations["FunctionName"] == ref(template.watch)
    assert (invocations["MaximumEventAgeInSeconds"], invocations["MaximumRetryAttempts"]) == (1_800, 1)


def test_the_schedules_role_may_invoke_this_one_function_for_this_account(template: Template) -> None:
    schedule = template.properties(template.only("AWS::Scheduler::Schedule"))
    role = schedule["Target"]["RoleArn"]["Fn::GetAtt"][0]
    assert rights(role_statements(template, role)) == rights(
        [allow("lambda:InvokeFunction", on=attribute(template.watch))]
    )
    (trust,) = template.properties(role)["AssumeRolePolicyDocument"]["Statement"]
    assert trust == {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "scheduler.amazonaws.com"},
        "Condition": {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}},
    }


def test_the_function_runs_on_the_declared_machine(template: Template) -> None:
    function = template.properties(template.watch)
    assert function["Runtime"] == "python3.14"
    assert function["Architectures"] == ["arm64"]
    assert (function["MemorySize"], function["Timeout"]) == (512, 900)
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert template.properties(template.logs_of(template.watch))["RetentionInDays"] == 30


def test_the_function_reads_what_the_deployer_chose(template_with: Callable[..., Template]) -> None:
    template = template_with(expiry_warning_days=30, tiktok_requests_per_second=4)
    variables = template.properties(template.watch)["Environment"]["Variables"]
    assert variables[Env.EXPIRY_WARNING_DAYS] == "30"
    assert float(variables[Env.REQUEST_INTERVAL_SECONDS]) == pytest.approx(
        Settings(tiktok_requests_per_second=4).watch_interval_seconds
    )
    assert variables[Env.BUCKET] == ref(template.only("AWS::S3::Bucket"))
    assert variables[Env.LEDGER_TABLE] == ref(template.only("AWS::DynamoDB::Table"))


@pytest.mark.parametrize(
    ("anchor", "metric"),
    [
        ("audience-failed", "AudiencesFailed"),
        ("audience-shrank", "AudiencesShrunk"),
        ("audience-too-small", "AudiencesTooSmall"),
        ("audience-expires-soon", "AudiencesExpiring"),
    ],
)
def test_an_alarm_rings_for_each_condition_of_an_audience(template: Template, anchor: str, metric: str) -> None:
    assert watched(alarm_about(template, anchor)) == (METRIC_NAMESPACE, metric, "Sum", 0, SERVICE)


def test_an_alarm_rings_when_the_watch_fails(template: Template) -> None:
    function = [{"Name": "FunctionName", "Value": ref(template.watch)}]
    expected = ("AWS/Lambda", "Errors", "Sum", 0, function)
    assert watched(alarm_about(template, "audience-watch-failed")) == expected


def test_the_alarm_of_the_watch_sees_late_errors_and_does_not_end_between_two_looks(template: Template) -> None:
    period = alarm_about(template, "audience-watch-failed")["Period"]
    longest_run = template.properties(template.watch)["Timeout"]
    assert period > longest_run + 300
    assert period >= 2 * 3_600


@pytest.mark.parametrize("metric", list(AudienceMetric))
def test_the_dashboard_shows_each_audience(template: Template, metric: AudienceMetric) -> None:
    shown = dashboard(template).replace("\\", "")
    dimensions = f"{{{METRIC_NAMESPACE},advertiser,audience,service}}"
    assert f'SEARCH(\'{dimensions} MetricName="{metric}" service="{STACK_NAME}"\'' in shown


def test_switched_off_there_is_no_schedule_no_function_and_no_alarm_and_all_else_stays(
    template: Template, template_with: Callable[..., Template]
) -> None:
    off = template_with(audience_watch_enabled=False)

    gone = template.resources.keys() - off.resources.keys()
    assert not off.resources.keys() - template.resources.keys()
    assert template.watch in gone
    assert not off.of_type("AWS::Scheduler::Schedule")
    assert all(name.startswith("AudienceWatch") for name in gone)
    assert template.document["Outputs"].keys() - off.document["Outputs"].keys() == {Output.WATCH_FUNCTION.value}
