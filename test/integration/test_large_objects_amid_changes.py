"""Large objects, while something else happens: other files come, a token changes, a release is deployed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import pytest

from lambdas.audiences.large_objects import handler as part_handler
from lambdas.settings import PartSettings
from lambdas.tiktok.transport import HttpTransport
from local.emulator.server import EmulatorServer
from test.integration.test_large_objects import KEY, RANGE_BYTES, RANGE_ROWS, UPLOAD, members, status
from test.support.builders import any_hashes, as_file, members_digest
from test.support.pipeline import Pipeline


@pytest.fixture
def pipeline(new_pipeline: Callable[..., Pipeline], tiktok: EmulatorServer) -> Pipeline:
    tiktok.tell("settings", {"minimum_audience_size": 0})
    return new_pipeline(large_object_bytes=RANGE_BYTES, part_bytes=RANGE_BYTES, minimum_size=0)


def deliver(pipeline: Pipeline, times: int) -> None:
    for _ in range(times):
        pipeline.deliver_next()


def test_what_is_uploaded_once_more_counts_though_other_files_come_meanwhile(pipeline: Pipeline) -> None:
    kept, removed = any_hashes(2 * RANGE_ROWS), any_hashes(3 * RANGE_ROWS)
    pipeline.upload(KEY.format("base"), as_file(kept + removed), second=1)
    pipeline.run()
    pipeline.upload(KEY.format("remove/large"), as_file(removed), second=9)
    pipeline.run()
    pipeline.clock.sleep(13 * 3600)
    executions, uploads = len(pipeline.state_machine.executions), len(pipeline.calls(UPLOAD))
    late = pipeline.upload(KEY.format("late"), as_file(removed[:10]), second=5)
    deliver(pipeline, 1)
    others = any_hashes(10)
    for number in range(5):
        pipeline.upload(KEY.format(f"other {number}"), as_file(others[2 * number : 2 * number + 2]), second=20 + number)
        deliver(pipeline, 3)

    pipeline.run()

    assert status(pipeline, late) == "delivered"
    assert members(pipeline) == members_digest(kept + others)
    assert len(pipeline.state_machine.executions) - executions == 1
    assert len(pipeline.calls(UPLOAD)) - uploads == 3 + 1 + 5


def test_a_new_token_is_taken_up_at_once_by_a_warm_function_for_parts(
    pipeline: Pipeline, tiktok: EmulatorServer
) -> None:
    pipeline.upload(KEY.format("first"), as_file(any_hashes(2 * RANGE_ROWS)))
    pipeline.run()
    advertiser_id = pipeline.emulator.advertiser_id
    tiktok.tell("tokens", {"token": pipeline.emulator.access_token, "state": "revoked"})
    tiktok.tell("tokens", {"token": "another-token", "state": "active", "advertiser_ids": [advertiser_id]})
    pipeline.put_credentials("another-token", advertiser_id)

    version = pipeline.upload(KEY.format("second"), as_file(any_hashes(3 * RANGE_ROWS)))
    pipeline.run()

    assert not pipeline.queue.dead_letters
    assert status(pipeline, version) == "delivered"
    assert len(pipeline.calls(UPLOAD)) == 2 + 1 + 3


@pytest.mark.parametrize(("before", "after"), [(RANGE_BYTES, 2 << 30), (2 << 30, RANGE_BYTES)])
@pytest.mark.parametrize("format_name", ["email_sha256", "multiple_types"])
def test_an_object_can_be_replayed_after_what_counts_as_large_has_changed(
    pipeline: Pipeline, tiktok: EmulatorServer, format_name: str, before: int, after: int
) -> None:
    pipeline.change_settings(large_object_bytes=before)
    hashes = any_hashes(3 * RANGE_ROWS)
    tiktok.tell("faults", [{"path": "create", "times": 10_000, "kind": "code", "code": 50000}])
    rows = ["email_sha256,city", *(f"{value},x" for value in hashes)]
    version = pipeline.upload(f"tiktok/Foodies/{format_name}/large.csv", as_file(rows))
    pipeline.run()
    assert [letter.reason for letter in pipeline.queue.dead_letters] == ["create_unsettled"]
    tiktok.tell("faults", [])
    pipeline.clock.sleep(13 * 3600)

    pipeline.change_settings(large_object_bytes=after)
    pipeline.replay()
    pipeline.run()

    assert not pipeline.queue.dead_letters
    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["rows"]["sent"] == len(hashes) == sum(part["rows"] for part in receipt["parts"])
    assert all(part["file_path"] for part in receipt["parts"])
    assert members(pipeline) == members_digest(hashes)


def deploy_parts(pipeline: Pipeline, **changes: object) -> None:
    """Only the function for parts is deployed yet: CloudFormation updates it before the one that depends on it."""
    shared = {each.name: getattr(pipeline.settings, each.name) for each in fields(PartSettings)}
    clients = {"s3": pipeline.s3, "dynamodb": pipeline.dynamodb, "events": pipeline.bus}
    clients["secretsmanager"] = pipeline.secrets
    pipeline.part_function = part_handler.compose(
        PartSettings(**{**shared, **changes}),
        HttpTransport(pipeline.settings.tiktok_api_url),
        clock=pipeline.clock,
        aws_client=clients.__getitem__,
    )


def test_a_deployment_of_other_rules_in_the_middle_is_no_dead_letter(pipeline: Pipeline) -> None:
    hashes = any_hashes(3 * RANGE_ROWS)
    version = pipeline.upload(KEY.format("large"), as_file(hashes))
    deliver(pipeline, 1)
    deploy_parts(pipeline, default_country="DE")
    for _ in range(3):
        pipeline.state_machine.run()
        deliver(pipeline, 1)
    pipeline.change_settings(default_country="DE")

    pipeline.run()

    assert not pipeline.queue.dead_letters
    assert status(pipeline, version) == "delivered"
    assert members(pipeline) == members_digest(hashes)
    assert len(pipeline.calls(UPLOAD)) == 3


def test_what_tiktok_refused_in_an_earlier_execution_is_not_told_of_one_that_was_stopped(
    pipeline: Pipeline, tiktok: EmulatorServer
) -> None:
    tiktok.tell("faults", [{"path": "upload", "times": 10_000, "kind": "code", "code": 40002}])
    pipeline.upload(KEY.format("large"), as_file(any_hashes(3 * RANGE_ROWS)))
    pipeline.run()
    assert [letter.reason for letter in pipeline.queue.dead_letters] == ["tiktok_rejected"]

    pipeline.replay()
    deliver(pipeline, 1)
    list(pipeline.state_machine.executions.values())[-1].status = "ABORTED"
    deliver(pipeline, 1)

    assert [letter.reason for letter in pipeline.queue.dead_letters] == ["preparation_failed"]


def test_a_late_file_that_cannot_be_followed_by_a_large_one_names_that(
    pipeline: Pipeline, tiktok: EmulatorServer
) -> None:
    removed = any_hashes(3 * RANGE_ROWS)
    pipeline.upload(KEY.format("base"), as_file(any_hashes(2 * RANGE_ROWS) + removed), second=1)
    pipeline.run()
    pipeline.upload(KEY.format("remove/large"), as_file(removed), second=9)
    pipeline.run()
    pipeline.clock.sleep(13 * 3600)
    passes = {"path": "upload", "kind": "slow", "seconds": 0}
    tiktok.tell("faults", [passes, {"path": "upload", "times": 10_000, "kind": "code", "code": 50000}])
    pipeline.upload(KEY.format("late"), as_file(removed[:10]), second=5)

    pipeline.run()

    [letter] = pipeline.queue.dead_letters
    assert letter.reason == "preparation_failed"
    assert "The newer file tiktok/Foodies/email_sha256/remove/large.csv" in letter.detail
