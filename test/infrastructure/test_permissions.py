"""Who may do what. Locally nothing enforces most of it: only these tests stand between us and a bad surprise."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from lambdas.contracts import ACTIVATION_HANDLER, EVENT_FILES_HANDLER, LIVE_EVENTS_HANDLER
from test.infrastructure.synthesis import Template, as_list, attribute, joined, ref

STATE_MACHINE = "AWS::StepFunctions::StateMachine"
CONSUMERS = (ACTIVATION_HANDLER, EVENT_FILES_HANDLER, LIVE_EVENTS_HANDLER)
Right = tuple[str, str, str]


def rights(statements: Iterable[Mapping[str, Any]]) -> set[Right]:
    """Statements as (action, resource, condition), however they are grouped."""
    assert all(statement["Effect"] == "Allow" for statement in statements)
    return {
        (action, json.dumps(resource, sort_keys=True), json.dumps(statement.get("Condition", {}), sort_keys=True))
        for statement in statements
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def allow(*actions: str, on: object, where: object = None) -> Mapping[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, "Condition": where or {}}


def role_statements(template: Template, role: str) -> list[Any]:
    return [
        statement
        for policy in template.of_type("AWS::IAM::Policy").values()
        if ref(role) in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


def default_bus() -> object:
    here = (":events:", ref("AWS::Region"), ":", ref("AWS::AccountId"), ":event-bus/default")
    return joined("arn:", ref("AWS::Partition"), *here)


def executions(template: Template) -> object:
    here = (":states:", ref("AWS::Region"), ":", ref("AWS::AccountId"), ":execution:")
    machine = attribute(template.only(STATE_MACHINE), "Name")
    return joined("arn:", ref("AWS::Partition"), *here, machine, ":*")


def what_every_consumer_may(template: Template, function: str, queue: str) -> list[Mapping[str, Any]]:
    return [
        allow("kms:Decrypt", "kms:GenerateDataKey", on=attribute(template.only("AWS::KMS::Key"))),
        allow("dynamodb:GetItem", "dynamodb:UpdateItem", on=attribute(template.only("AWS::DynamoDB::Table"))),
        allow("secretsmanager:GetSecretValue", on=ref(template.only("AWS::SecretsManager::Secret"))),
        allow(
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ChangeMessageVisibility",
            "sqs:SendMessage",
            on=attribute(queue),
        ),
        allow("sqs:SendMessage", on=attribute(template.dead_letters_of(queue))),
        allow("logs:CreateLogStream", "logs:PutLogEvents", on=attribute(template.logs_of(function))),
        allow("xray:PutTraceSegments", "xray:PutTelemetryRecords", on="*"),
    ]


def test_the_function_may_do_exactly_this(template: Template) -> None:
    bucket = attribute(template.only("AWS::S3::Bucket"))
    expected = [
        allow("s3:GetObject", "s3:GetObjectVersion", on=joined(bucket, "/tiktok/*")),
        allow("s3:GetObject", "s3:GetObjectVersion", on=joined(bucket, "/suppression/*")),
        # For good, so not DeleteObject, which leaves what it deletes behind a marker.
        allow(
            "s3:GetObject",
            "s3:PutObject",
            "s3:DeleteObjectVersion",
            "s3:AbortMultipartUpload",
            on=joined(bucket, "/suppression-list/*"),
        ),
        allow("s3:ListBucket", "s3:ListBucketVersions", on=bucket),
        allow("s3:PutObject", on=joined(bucket, "/receipts/*")),
        *what_every_consumer_may(template, template.activation, template.queue),
        allow("s3:PutObject", on=joined(bucket, "/plans/*")),
        allow("states:StartExecution", on=attribute(template.only(STATE_MACHINE))),
        allow("states:DescribeExecution", on=executions(template)),
        allow("events:PutEvents", on=default_bus()),
    ]
    assert rights(role_statements(template, template.role_of(template.activation))) == rights(expected)


def test_who_works_on_parts_may_write_nothing_but_the_ledger_and_reach_no_queue(template: Template) -> None:
    bucket = attribute(template.only("AWS::S3::Bucket"))
    expected = [
        allow("s3:GetObject", "s3:GetObjectVersion", on=joined(bucket, "/tiktok/*")),
        allow("s3:GetObject", on=joined(bucket, "/suppression-list/*")),
        allow("s3:ListBucket", on=bucket),
        allow("kms:Decrypt", "kms:GenerateDataKey", on=attribute(template.only("AWS::KMS::Key"))),
        allow("dynamodb:GetItem", "dynamodb:UpdateItem", on=attribute(template.only("AWS::DynamoDB::Table"))),
        allow("secretsmanager:GetSecretValue", on=ref(template.only("AWS::SecretsManager::Secret"))),
        allow("logs:CreateLogStream", "logs:PutLogEvents", on=attribute(template.logs_of(template.parts))),
        allow("xray:PutTraceSegments", "xray:PutTelemetryRecords", on="*"),
    ]
    assert rights(role_statements(template, template.role_of(template.parts))) == rights(expected)


def test_the_state_machine_may_call_one_function_and_run_itself(template: Template) -> None:
    machine = template.only(STATE_MACHINE)
    (role,) = template.properties(machine)["RoleArn"]["Fn::GetAtt"][:1]
    expected = [
        allow("lambda:InvokeFunction", on=attribute(template.parts)),
        allow("s3:GetObject", on=joined(attribute(template.only("AWS::S3::Bucket")), "/plans/*")),
        allow("kms:Decrypt", "kms:GenerateDataKey", on=attribute(template.only("AWS::KMS::Key"))),
        allow("states:StartExecution", on=attribute(machine)),
        allow("states:DescribeExecution", "states:StopExecution", on=executions(template)),
        allow(
            "xray:PutTraceSegments",
            "xray:PutTelemetryRecords",
            "xray:GetSamplingRules",
            "xray:GetSamplingTargets",
            on="*",
        ),
    ]
    assert rights(role_statements(template, role)) == rights(expected)
    (trust,) = template.properties(role)["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "states.amazonaws.com"}


def test_the_watch_may_read_no_upload_write_no_receipt_and_reach_no_queue(template: Template) -> None:
    bucket = attribute(template.only("AWS::S3::Bucket"))
    expected = [
        allow(
            "s3:GetObject",
            "s3:PutObject",
            "s3:PutObjectTagging",
            on=joined(bucket, "/receipts/tiktok/*/audience-status.jsonl"),
        ),
        allow("s3:ListBucket", on=bucket),
        allow("kms:Decrypt", "kms:GenerateDataKey", on=attribute(template.only("AWS::KMS::Key"))),
        allow("dynamodb:GetItem", "dynamodb:UpdateItem", on=attribute(template.only("AWS::DynamoDB::Table"))),
        allow("secretsmanager:GetSecretValue", on=ref(template.only("AWS::SecretsManager::Secret"))),
        allow("events:PutEvents", on=default_bus()),
        allow("logs:CreateLogStream", "logs:PutLogEvents", on=attribute(template.logs_of(template.watch))),
        allow("xray:PutTraceSegments", "xray:PutTelemetryRecords", on="*"),
    ]
    assert rights(role_statements(template, template.role_of(template.watch))) == rights(expected)


def test_who_delivers_files_of_events_may_do_exactly_this(template: Template) -> None:
    bucket = attribute(template.only("AWS::S3::Bucket"))
    expected = [
        allow("s3:GetObject", "s3:GetObjectVersion", on=joined(bucket, "/events/*")),
        allow("s3:GetObject", on=joined(bucket, "/suppression-list/*")),
        allow("s3:ListBucket", on=bucket),
        allow("s3:PutObject", on=joined(bucket, "/receipts/*")),
        allow("s3:PutObject", "s3:AbortMultipartUpload", on=joined(bucket, "/rejected/*")),
        *what_every_consumer_may(template, template.event_files, template.queue_of(template.event_files)),
        allow("events:PutEvents", on=default_bus()),
    ]
    assert rights(role_statements(template, template.role_of(template.event_files))) == rights(expected)


def test_who_delivers_live_events_may_read_no_upload_and_write_no_object(template: Template) -> None:
    bucket = attribute(template.only("AWS::S3::Bucket"))
    expected = [
        allow("s3:GetObject", on=joined(bucket, "/events/*/source.json")),
        allow("s3:GetObject", on=joined(bucket, "/suppression-list/*")),
        allow("s3:ListBucket", on=bucket),
        *what_every_consumer_may(template, template.live_events, template.queue_of(template.live_events)),
    ]
    assert rights(role_statements(template, template.role_of(template.live_events))) == rights(expected)


def test_each_function_has_a_role_of_its_own_without_a_managed_policy(template: Template) -> None:
    roles = [template.role_of(function) for function in template.of_type("AWS::Lambda::Function")]
    assert len(set(roles)) == len(roles)
    for name in roles:
        role = template.properties(name)
        assert set(role) == {"AssumeRolePolicyDocument"}
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust == {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "lambda.amazonaws.com"},
        }


def test_no_statement_allows_a_wildcard_of_actions_but_the_accounts_own_on_the_key(template: Template) -> None:
    wildcards = [
        (resource["Type"], action)
        for resource in template.resources.values()
        for name in ("PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument")
        for statement in resource["Properties"].get(name, {}).get("Statement", ())
        for action in as_list(statement["Action"])
        if statement["Effect"] == "Allow" and "*" in action
    ]
    assert wildcards == [("AWS::KMS::Key", "kms:*")]


@pytest.mark.parametrize("handler", CONSUMERS)
def test_only_its_own_rule_may_write_to_a_queue_and_to_its_dead_letter_queue(template: Template, handler: str) -> None:
    filled = template.queue_of(template.function(handler))
    rule = attribute(template.rule_of(filled))
    for queue in (filled, template.dead_letters_of(filled)):
        allowed = [s for s in template.policy_of("AWS::SQS::QueuePolicy", queue) if s["Effect"] == "Allow"]
        assert rights(allowed) == rights(
            [allow("sqs:SendMessage", on=attribute(queue), where={"ArnEquals": {"aws:SourceArn": rule}})]
        )
        assert [statement["Principal"] for statement in allowed] == [{"Service": "events.amazonaws.com"}]


def test_only_alarms_of_this_account_may_publish_to_the_topic(template: Template) -> None:
    topic = template.only("AWS::SNS::Topic")
    (allowed,) = (s for s in template.policy_of("AWS::SNS::TopicPolicy", topic) if s["Effect"] == "Allow")
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Action"] == "sns:Publish"
    assert allowed["Resource"] == ref(topic)
    assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": ref("AWS::AccountId")}


PHYSICAL_NAME = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::KMS::Key": None,
    "AWS::Lambda::EventSourceMapping": None,
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SecretsManager::Secret": "Name",
    STATE_MACHINE: "StateMachineName",
    # These belong to another resource, and their names only have to differ within it.
    "AWS::IAM::Policy": None,
    "AWS::Lambda::EventInvokeConfig": None,
    "AWS::S3::BucketPolicy": None,
    "AWS::SNS::TopicPolicy": None,
    "AWS::SQS::QueuePolicy": None,
}


def test_two_installations_fit_into_one_account_because_only_the_secret_has_a_fixed_name(template: Template) -> None:
    fixed = [
        resource["Properties"][name]
        for resource in template.resources.values()
        if (name := PHYSICAL_NAME[resource["Type"]]) and name in resource["Properties"]
    ]
    assert fixed == ["tiktok_activation_credentials"]


def test_a_second_installation_keeps_its_metrics_and_alarms_to_itself(template_with: Callable[..., Template]) -> None:
    second = template_with(stack_name="SecondConnector", cred_secret_name="second")  # noqa: S106 - its name
    variables = second.properties(second.activation)["Environment"]["Variables"]
    assert variables["POWERTOOLS_SERVICE_NAME"] == "SecondConnector"
    alarms = json.dumps(second.of_type("AWS::CloudWatch::Alarm"))
    services = re.findall(r'{"Name": "service", "Value": "([\w-]+)"}', alarms)
    assert set(services) == {"SecondConnector", "SecondConnector-events", "SecondConnector-live-events"}


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("https://business-api.tiktok.com", True),
        ("https://127.0.0.1:8443", True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080", True),
        ("http://business-api.tiktok.com", False),
        ("http://127.0.0.1:8080.attacker.example", False),
        ("http://127.0.0.1", False),
        ("https://user@attacker.example", False),
        ("https://business-api.tiktok.com/", False),
        ("", False),
    ],
)
def test_tokens_are_sent_over_tls_or_stay_on_this_machine(template: Template, url: str, is_allowed: bool) -> None:
    parameter = template.document["Parameters"]["TikTokApiUrl"]
    assert bool(re.search(parameter["AllowedPattern"], url)) is is_allowed
