"""The deployed stack: what TikTok made of a file is looked at, kept and announced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lambdas.contracts import ANNOUNCEMENT_SOURCE, Output
from test.e2e.connector import Connector
from test.support.aws_resources import a_name, allow, policy
from test.support.builders import any_hashes, as_file
from test.support.waiting import wait_until


class Subscription:
    """A queue behind a rule for everything that the connector announces, as a user would make it."""

    def __init__(self, deployed: Connector) -> None:
        self._sqs, self._events = deployed.sqs, deployed.deployed.client("events")
        self._name = a_name("announcements")
        self._url = self._sqs.create_queue(QueueName=self._name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        for_rules = allow("sqs:SendMessage", arn, Principal={"Service": "events.amazonaws.com"})
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy(for_rules)})
        self._events.put_rule(Name=self._name, EventPattern=json.dumps({"source": [ANNOUNCEMENT_SOURCE]}))
        self._events.put_targets(Rule=self._name, Targets=[{"Id": "queue", "Arn": arn}])
        self._taken: list[dict[str, Any]] = []

    def wait_for(self, kind: str, **told: Any) -> dict[str, Any]:
        """The detail of an announcement of this kind that says this."""

        def found() -> dict[str, Any] | None:
            answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                self._taken.append(json.loads(message["Body"]))
            for event in self._taken:
                if event["detail-type"] == kind and told.items() <= event["detail"].items():
                    detail: dict[str, Any] = event["detail"]
                    return detail
            return None

        return wait_until(found, timeout=60, what=f"{kind} with {told}")

    def end(self) -> None:
        self._events.remove_targets(Rule=self._name, Ids=["queue"])
        self._events.delete_rule(Name=self._name)
        self._sqs.delete_queue(QueueUrl=self._url)


@pytest.fixture
def subscription(deployed: Connector) -> Iterator[Subscription]:
    made = Subscription(deployed)
    yield made
    made.end()


def look(deployed: Connector) -> None:
    """What the schedule does."""
    function = deployed.deployed.outputs[Output.WATCH_FUNCTION]
    answer = deployed.deployed.client("lambda").invoke(FunctionName=function, Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()


def status_lines(deployed: Connector, name: str) -> list[dict[str, Any]]:
    body = deployed.s3.get_object(Bucket=deployed.bucket, Key=f"receipts/tiktok/{name}/audience-status.jsonl")["Body"]
    return [json.loads(line) for line in body.read().splitlines()]


def test_what_tiktok_made_of_a_file_is_kept_and_announced(deployed: Connector, subscription: Subscription) -> None:
    name = "Watched"
    receipt_key = deployed.upload(f"tiktok/{name}/email_sha256/1.csv", as_file(any_hashes(1_500)))
    deployed.wait_for_receipt(receipt_key)
    look(deployed)
    deployed.control("clock", {"advance_seconds": 3_600})
    look(deployed)

    first, valid = status_lines(deployed, name)
    assert (first["is_valid"], first["rows"]) == (False, 1_500)
    assert (valid["is_valid"], valid["cover_num"], valid["matched_share"]) == (True, 1_500, 1.0)
    activated = subscription.wait_for("TikTok Audience Activated", receipt_key=receipt_key)
    assert (activated["rows"]["sent"], activated["action"]) == (1_500, "CREATE")
    told = subscription.wait_for("TikTok Audience Status", audience=name, number=2)
    assert told == {**valid, "history_key": f"receipts/tiktok/{name}/audience-status.jsonl"}


def test_a_refused_file_is_announced_with_its_reason(deployed: Connector, subscription: Subscription) -> None:
    receipt_key = deployed.upload("tiktok/Refused and told/email_sha256/1.csv", b"jane@example.com\n")

    told = subscription.wait_for("TikTok Audience Rejected", receipt_key=receipt_key)

    assert told["reason"] == "plain_personal_data"


def test_the_schedule_is_on_and_invokes_the_watch(deployed: Connector) -> None:
    scheduler = deployed.deployed.client("scheduler")
    function = deployed.deployed.outputs[Output.WATCH_FUNCTION]
    schedules = [scheduler.get_schedule(Name=each["Name"]) for each in scheduler.list_schedules()["Schedules"]]

    [schedule] = [each for each in schedules if each["Target"]["Arn"].endswith(f":{function}")]

    assert (schedule["State"], schedule["ScheduleExpression"]) == ("ENABLED", "rate(1 hour)")
