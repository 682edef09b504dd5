"""What is announced on the event bus of each object, and what a bus that fails does to a delivery."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdas.audiences.announcement import announced
from lambdas.audiences.delivery import Applied, Delivery, Status, receipt
from test.support.builders import any_hashes, any_version, as_file, members_digest, notification_of
from test.support.crashes import Tripwire
from test.support.pipeline import Pipeline

KEY = "tiktok/Foodies/email_sha256/{}.csv"
ACTIVATED, SUPERSEDED, REJECTED = (f"TikTok Audience {word}" for word in ("Activated", "Superseded", "Rejected"))


def without_lines(document: dict[str, Any]) -> dict[str, Any]:
    """A receipt as it is announced."""
    rows = document["rows"]
    for counts in (*rows["invalid_by_reason"].values(), *rows["partial_by_reason"].values(), rows["refused_by_tiktok"]):
        del counts["lines"]
    for each in document["applied"]:
        each["repeated_count"] = len(each.pop("repeated"))
    parts = document.pop("parts")
    return {**document, "part_count": len(parts), "applied_count": len(document["applied"])}


def test_a_delivery_is_announced_with_its_receipt_but_for_what_grows_with_the_file(pipeline: Pipeline) -> None:
    pipeline.change_settings(max_invalid_ratio=0.5)
    version = pipeline.upload(KEY.format(1), as_file([*any_hashes(5), "nonsense"]))

    pipeline.run()

    [entry] = pipeline.bus.entries
    assert (entry["Source"], entry["DetailType"]) == ("tiktok.ads.connector", ACTIVATED)
    detail = json.loads(entry["Detail"])
    assert detail.pop("receipt_key") == version.receipt_key
    stored = pipeline.receipt(version)
    assert stored is not None
    assert stored["rows"]["invalid_by_reason"] == {"not_hex": {"count": 1, "lines": [6]}}
    assert detail == without_lines(stored)


def test_a_superseded_file_is_announced_as_no_activation(pipeline: Pipeline) -> None:
    pipeline.upload(KEY.format("replace/2"), as_file(any_hashes(5)), second=20)
    pipeline.run()
    late = pipeline.upload(KEY.format(1), as_file(any_hashes(5)), second=10)
    pipeline.run()

    assert [detail["receipt_key"] for detail in pipeline.bus.details(SUPERSEDED)] == [late.receipt_key]
    assert len(pipeline.bus.details(ACTIVATED)) == 1


def test_a_rejected_file_is_announced_with_its_reason_also_when_it_can_have_no_receipt(pipeline: Pipeline) -> None:
    bad = pipeline.upload("tiktok/bad key", as_file(any_hashes(5)))
    longest = pipeline.upload("tiktok/" + "x" * 1_010, as_file(any_hashes(5)))

    pipeline.run()

    told = {detail["object"]["key"]: detail for detail in pipeline.bus.details(REJECTED)}
    assert told[bad.key]["receipt_key"] == bad.receipt_key
    assert told[longest.key]["receipt_key"] is None
    assert {detail["reason"] for detail in told.values()} == {"bad_key"}
    assert len(pipeline.queue.dead_letters) == 2


def test_what_is_ignored_or_delivered_already_is_not_announced(pipeline: Pipeline) -> None:
    version = pipeline.upload(KEY.format(1), as_file(any_hashes(5)))
    pipeline.run()
    pipeline.upload("tiktok/Foodies/audience.json", b"{}")
    pipeline.send(notification_of(version))
    pipeline.run()

    assert [detail["receipt_key"] for detail in pipeline.bus.details(ACTIVATED)] == [version.receipt_key]
    assert len(pipeline.bus.entries) == 1


def test_a_bus_that_fails_neither_loses_nor_doubles_a_delivery(pipeline: Pipeline) -> None:
    pipeline.bus.failures = ["InternalFailure", "ThrottlingException"]
    hashes = any_hashes(5)
    version = pipeline.upload(KEY.format(1), as_file(hashes))

    pipeline.run()

    assert not pipeline.queue.dead_letters
    stored = pipeline.receipt(version)
    assert stored is not None
    assert (stored["status"], stored["attempts"]) == ("delivered", 3)
    assert len(pipeline.calls("create/")) == len(pipeline.calls("upload/")) == 1
    assert [audience["members_sha256"] for audience in pipeline.audiences()] == [members_digest(hashes)]
    assert len(pipeline.bus.details(ACTIVATED)) == 1


def test_a_bus_that_fails_for_good_ends_in_a_dead_letter_that_does_not_quote_the_announcement(
    pipeline: Pipeline,
) -> None:
    pipeline.bus.failures = ["InternalFailure"] * 5
    version = pipeline.upload(KEY.format(1), as_file(any_hashes(5)))

    pipeline.run()

    [letter] = pipeline.queue.dead_letters
    assert (letter.reason, letter.detail) == (
        "aws_unavailable",
        "AWS did not take what was published on the event bus: InternalFailure.",
    )
    pipeline.replay()
    pipeline.run()
    assert not pipeline.queue.dead_letters
    assert [detail["receipt_key"] for detail in pipeline.bus.details(ACTIVATED)] == [version.receipt_key]
    assert len(pipeline.calls("create/")) == 1


@pytest.mark.parametrize("content", [as_file(any_hashes(20)), b"nonsense\n"], ids=["delivered", "rejected"])
def test_a_kill_between_any_two_calls_leaves_no_object_unannounced(pipeline: Pipeline, content: bytes) -> None:
    for moment in range(1, 80):
        wire = Tripwire(kill_at=moment)
        pipeline.arm(wire)
        version = pipeline.upload(f"tiktok/killed at {moment}/email_sha256/1.csv", content)

        pipeline.run()

        keys = [json.loads(entry["Detail"])["receipt_key"] for entry in pipeline.bus.entries]
        assert version.receipt_key in keys, f"killed at {moment}, after {wire.calls[-2:]}"
        if not wire.dead:
            return
    raise AssertionError("there are more moments than this test tried")


@pytest.mark.parametrize("audiences", [3, 4_000])
def test_an_announcement_of_very_many_audiences_fits_into_eventbridge(audiences: int) -> None:
    applied = tuple(
        Applied(f"{'ü' * 120}{number}", "7" * 19, "APPEND", "r" * 40, tuple("x" * 1_100 for _ in range(300)))
        for number in range(audiences)
    )
    document = receipt(any_version(), None, Delivery(applied=applied), Status.DELIVERED, finished_at="now")

    detail = announced(document, receipt_key="receipts/x.json")

    assert len(json.dumps(detail).encode()) < 200_000
    assert detail["applied_count"] == audiences
    assert len(detail["applied"]) == min(audiences, 100)
    assert detail["applied"][0]["repeated_count"] == 300
