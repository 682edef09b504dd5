"""The deployed stack: what TikTok made of a file is looked at, kept and announced."""

from __future__ import annotations

import json
from typing import Any

from lambdas.contracts import Output
from test.e2e.announcements import Subscription
from test.e2e.connector import Connector
from test.support.builders import any_hashes, as_file


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
