"""Objects that one function cannot handle: many prepare them, one delivers them."""

from collections.abc import Callable

import pytest

from lambdas.contracts import PLANS_PREFIX
from lambdas.objects import ObjectVersion
from lambdas.tiktok.errors import UnderWay
from local.emulator.server import EmulatorServer
from test.support.builders import any_hashes, as_file, members_digest, notification_of
from test.support.crashes import Tripwire
from test.support.memory_ledger import Table
from test.support.pipeline import Pipeline
from test.support.scenes import use_memory_ledger
from test.support.stage import BUCKET

KEY = "tiktok/Foodies/email_sha256/{}.csv"
RANGE_ROWS = 100
RANGE_BYTES = RANGE_ROWS * 65
UPLOAD = "file/upload/"
UPLOADS = "dmp/custom_audience/file/upload/"
# More than a delivery has, so that none is left out; the moment after a call is the moment before the next one.
MOMENTS = range(1, 401, 2)


@pytest.fixture
def pipeline(new_pipeline: Callable[..., Pipeline]) -> Pipeline:
    return new_pipeline(large_object_bytes=RANGE_BYTES, part_bytes=RANGE_BYTES)


def members(pipeline: Pipeline, name: str = "Foodies") -> str:
    [audience] = [each for each in pipeline.audiences() if each["name"] == name]
    digest: str = audience["members_sha256"]
    return digest


def status(pipeline: Pipeline, version: ObjectVersion) -> str:
    receipt = pipeline.receipt(version)
    assert receipt is not None
    found: str = receipt["status"]
    return found


def test_every_range_becomes_a_part_and_all_parts_one_audience(pipeline: Pipeline) -> None:
    hashes = any_hashes(5 * RANGE_ROWS + 1)
    version = pipeline.upload(KEY.format("large"), as_file(hashes))

    pipeline.run()

    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert (receipt["status"], receipt["action"]) == ("delivered", "CREATE")
    assert receipt["rows"]["sent"] == receipt["rows"]["read"] == len(hashes)
    assert [(part["number"], part["rows"]) for part in receipt["parts"]] == [
        *((number, RANGE_ROWS) for number in range(1, 6)),
        (6, 1),
    ]
    assert all(len(part["file_path"]) == 16 and part["request_id"] for part in receipt["parts"])
    assert members(pipeline) == members_digest(hashes)
    assert [len(pipeline.calls(call)) for call in (UPLOAD, "list/", "create/", "update/")] == [6, 1, 1, 0]
    assert len(pipeline.state_machine.executions) == 1


def test_a_smaller_object_needs_nobody_else(pipeline: Pipeline) -> None:
    pipeline.upload(KEY.format("small"), as_file(any_hashes(RANGE_ROWS)))

    pipeline.run()

    assert not pipeline.state_machine.executions
    assert len(pipeline.audiences()) == 1


def test_waiting_for_the_parts_uses_up_no_attempt(pipeline: Pipeline) -> None:
    version = pipeline.upload(KEY.format("large"), as_file(any_hashes(3 * RANGE_ROWS)))

    for _ in range(20):  # the execution takes its time
        pipeline.deliver_next()

    [message] = pipeline.queue.messages.values()
    assert message.attributes["waiting_for"]["StringValue"] == UnderWay.reason
    pipeline.run()
    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["attempts"] == 1


@pytest.mark.parametrize("action", ["append", "replace"])
def test_more_files_than_one_call_takes_are_applied_by_several(pipeline: Pipeline, action: str) -> None:
    if action == "replace":
        pipeline.upload(KEY.format("before"), as_file(any_hashes(10)))
        pipeline.run()
    hashes = any_hashes(120 * RANGE_ROWS)
    version = pipeline.upload(KEY.format(f"{action}/large"), as_file(hashes))

    pipeline.run(most_deliveries=400)

    assert status(pipeline, version) == "delivered"
    assert members(pipeline) == members_digest(hashes)
    assert len(pipeline.calls(UPLOAD)) == 120 + (action == "replace")
    # An audience takes 500 files: none is given to it twice.
    assert len(pipeline.calls("create/")) == 1
    assert len(pipeline.calls("update/")) == (3 if action == "replace" else 2)


def test_a_second_notification_and_a_second_start_change_nothing(pipeline: Pipeline) -> None:
    hashes = any_hashes(3 * RANGE_ROWS)
    version = pipeline.upload(KEY.format("large"), as_file(hashes))
    pipeline.send(notification_of(version))
    pipeline.deliver_next()
    [(name, execution)] = pipeline.state_machine.executions.items()
    pipeline.deliver_next()
    assert list(pipeline.state_machine.executions) == [name]

    pipeline.run()
    pipeline.send(notification_of(version))
    pipeline.run()

    assert members(pipeline) == members_digest(hashes)
    assert len(pipeline.calls(UPLOAD)) == 3
    assert len(pipeline.calls("create/")) == 1
    assert list(pipeline.state_machine.executions) == [name]
    assert execution.status == "SUCCEEDED"
    assert not pipeline.queue.dead_letters


def test_a_large_object_waits_for_another(pipeline: Pipeline) -> None:
    first, second = any_hashes(3 * RANGE_ROWS), any_hashes(4 * RANGE_ROWS)
    pipeline.upload(KEY.format("first"), as_file(first))
    pipeline.upload("tiktok/Others/email_sha256/second.csv", as_file(second))
    for _ in range(6):
        pipeline.deliver_next()
    assert len(pipeline.state_machine.executions) == 1

    pipeline.run()

    assert len(pipeline.state_machine.executions) == 2
    assert members(pipeline) == members_digest(first)
    assert members(pipeline, "Others") == members_digest(second)


def test_the_rows_of_all_ranges_are_judged_together_before_any_is_uploaded(pipeline: Pipeline) -> None:
    rows = as_file(any_hashes(4 * RANGE_ROWS)).splitlines(keepends=True)
    for line in (3, 150, 151, 350, 399):
        rows[line] = b"-" * 64 + b"\n"
    version = pipeline.upload(KEY.format("bad"), b"".join(rows))

    pipeline.run()

    [letter] = pipeline.queue.dead_letters
    assert letter.reason == "too_many_invalid_rows"
    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["rows"]["invalid_by_reason"] == {"not_hex": {"count": 5, "lines": [4, 151, 152, 351, 400]}}
    assert not pipeline.calls(UPLOAD)

    pipeline.change_settings(max_invalid_ratio=0.1)
    pipeline.replay()
    pipeline.run()

    assert status(pipeline, version) == "delivered"
    assert len(pipeline.calls(UPLOAD)) == 4


def test_plain_personal_data_in_the_last_range_keeps_all_of_them_here(pipeline: Pipeline) -> None:
    pipeline.upload(KEY.format("plain"), as_file([*any_hashes(500), "jane.doe@example.com"]))

    pipeline.run()

    assert [letter.reason for letter in pipeline.queue.dead_letters] == ["plain_personal_data"]
    assert not pipeline.calls(UPLOAD)


@pytest.mark.parametrize("large_object_bytes", [RANGE_BYTES, 2 << 30])
def test_a_binary_file_is_not_taken_for_plain_personal_data(pipeline: Pipeline, large_object_bytes: int) -> None:
    pipeline.change_settings(large_object_bytes=large_object_bytes)
    pipeline.upload(KEY.format("parquet"), b"PAR1\x15\x04" + b"\x00\xff\x01a@b\xfe\n" * 2000)

    pipeline.run()

    assert [letter.reason for letter in pipeline.queue.dead_letters] == ["no_valid_rows"]
    assert not pipeline.state_machine.executions


def test_a_file_without_a_header_where_one_is_due_is_refused_before_anything_is_started(pipeline: Pipeline) -> None:
    rows = [f"{value},{value}" for value in any_hashes(300)]
    pipeline.upload("tiktok/Foodies/multiple_types/large.csv", as_file(rows))

    pipeline.run()

    assert [letter.reason for letter in pipeline.queue.dead_letters] == ["no_header"]
    assert not pipeline.state_machine.executions


def test_columns_are_known_in_every_range(pipeline: Pipeline) -> None:
    emails, phones = any_hashes(1000), any_hashes(1000)
    rows = [f"{email},x,{phone}" for email, phone in zip(emails, phones, strict=True)]
    version = pipeline.upload(
        "tiktok/Foodies/multiple_types/large.csv", as_file(["email_sha256,city,phone_sha256", *rows])
    )

    pipeline.run()

    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["rows"]["sent"] == 1000
    assert len(receipt["parts"]) > 10
    [audience] = pipeline.audiences()
    assert audience["members_sha256"] == members_digest(emails + phones)


def fail_one_upload_for_good(pipeline: Pipeline, tiktok: EmulatorServer, hashes: list[str]) -> None:
    """The first upload passes, and every later one fails."""
    passes = {"path": "upload", "kind": "slow", "seconds": 0}
    tiktok.tell("faults", [passes, {"path": "upload", "times": 10_000, "kind": "code", "code": 50000}])


def test_a_part_that_fails_for_good_is_a_dead_letter_and_a_replay_uploads_only_what_is_missing(
    pipeline: Pipeline, tiktok: EmulatorServer
) -> None:
    hashes = any_hashes(4 * RANGE_ROWS)
    fail_one_upload_for_good(pipeline, tiktok, hashes)
    version = pipeline.upload(KEY.format("large"), as_file(hashes))

    pipeline.run()

    [letter] = pipeline.queue.dead_letters
    assert letter.reason == "preparation_failed"
    assert "range 2" in letter.detail
    assert "1 of 4 ranges are uploaded" in letter.detail
    assert letter.body == notification_of(version) or version.key in letter.body
    assert not pipeline.audiences()

    tiktok.tell("faults", [])
    succeeded = len([call for call in pipeline.calls(UPLOAD) if call["code"] == 0])
    assert succeeded == 1
    pipeline.replay()
    pipeline.run()

    assert status(pipeline, version) == "delivered"
    assert members(pipeline) == members_digest(hashes)
    assert len([call for call in pipeline.calls(UPLOAD) if call["code"] == 0]) == 4
    assert len(pipeline.state_machine.executions) == 2


def test_a_part_that_tiktok_refuses_is_a_dead_letter_with_tiktoks_reason(
    pipeline: Pipeline, tiktok: EmulatorServer
) -> None:
    tiktok.tell("faults", [{"path": "upload", "times": 10_000, "kind": "code", "code": 40002}])
    pipeline.upload(KEY.format("large"), as_file(any_hashes(3 * RANGE_ROWS)))

    pipeline.run()

    assert [letter.reason for letter in pipeline.queue.dead_letters] == ["tiktok_rejected"]
    assert len(pipeline.calls(UPLOAD)) == 1


def test_an_execution_that_somebody_stops_is_a_dead_letter_and_can_be_replayed(pipeline: Pipeline) -> None:
    hashes = any_hashes(3 * RANGE_ROWS)
    version = pipeline.upload(KEY.format("large"), as_file(hashes))
    pipeline.deliver_next()
    [execution] = pipeline.state_machine.executions.values()
    execution.status = "ABORTED"
    pipeline.deliver_next()

    [letter] = pipeline.queue.dead_letters
    assert (letter.reason, "ended as ABORTED" in letter.detail) == ("preparation_failed", True)
    pipeline.replay()
    pipeline.run()

    assert status(pipeline, version) == "delivered"
    assert members(pipeline) == members_digest(hashes)


def test_files_that_tiktok_has_lost_are_uploaded_again(pipeline: Pipeline, tiktok: EmulatorServer) -> None:
    hashes = any_hashes(3 * RANGE_ROWS)
    tiktok.tell("faults", [{"path": "create", "kind": "code", "code": 40905}])
    version = pipeline.upload(KEY.format("large"), as_file(hashes))

    pipeline.run()

    assert status(pipeline, version) == "delivered"
    assert members(pipeline) == members_digest(hashes)
    assert len(pipeline.calls(UPLOAD)) == 6


def test_files_that_grew_old_in_the_dead_letter_queue_are_uploaded_again(
    pipeline: Pipeline, tiktok: EmulatorServer
) -> None:
    hashes = any_hashes(3 * RANGE_ROWS)
    fail_one_upload_for_good(pipeline, tiktok, hashes)
    version = pipeline.upload(KEY.format("large"), as_file(hashes))
    pipeline.run()
    tiktok.tell("faults", [])
    pipeline.clock.sleep(13 * 3600)
    before = len(pipeline.calls(UPLOAD))

    pipeline.replay()
    pipeline.run()

    assert status(pipeline, version) == "delivered"
    assert len(pipeline.calls(UPLOAD)) - before == 3


def test_who_is_suppressed_while_a_large_object_is_prepared_is_not_sent(pipeline: Pipeline) -> None:
    hashes = any_hashes(3 * RANGE_ROWS)
    version = pipeline.upload(KEY.format("large"), as_file(hashes), second=1)
    pipeline.deliver_next()
    pipeline.upload("suppression/email_sha256/list.csv", as_file(hashes[150:160]), second=2)

    pipeline.run()

    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert (receipt["status"], receipt["rows"]["suppressed"]) == ("delivered", 10)
    assert members(pipeline) == members_digest(hashes[:150] + hashes[160:])


def test_a_large_object_is_applied_again_after_an_older_one_that_would_undo_it(
    pipeline: Pipeline, tiktok: EmulatorServer
) -> None:
    tiktok.tell("settings", {"valid_after_seconds": 0})
    kept, removed = any_hashes(12 * RANGE_ROWS), any_hashes(3 * RANGE_ROWS)
    pipeline.upload(KEY.format("base"), as_file(kept + removed), second=1)
    pipeline.run()
    pipeline.upload(KEY.format("remove/large"), as_file(removed), second=9)
    pipeline.run()
    assert members(pipeline) == members_digest(kept)
    pipeline.clock.sleep(13 * 3600)
    late = pipeline.upload(KEY.format("late"), as_file(removed[:10]), second=5)

    pipeline.run(most_deliveries=1000)

    assert status(pipeline, late) == "delivered"
    assert members(pipeline) == members_digest(kept)


def test_a_large_stream_is_delivered_by_one_function(pipeline: Pipeline) -> None:
    hashes = any_hashes(3 * RANGE_ROWS)
    pipeline.upload("tiktok/Streamed/streaming/large.csv", as_file(["email_sha256", *hashes]))

    pipeline.run()

    assert not pipeline.state_machine.executions
    assert len(pipeline.audiences()) == 1


def test_the_plan_is_kept_apart_from_what_users_upload(pipeline: Pipeline) -> None:
    pipeline.upload(KEY.format("large"), as_file(any_hashes(3 * RANGE_ROWS)))
    pipeline.run()

    listing = pipeline.s3.list_objects_v2(Bucket=BUCKET, Prefix=PLANS_PREFIX)

    [plan] = listing["Contents"]
    assert "Foodies" not in plan["Key"]


@pytest.mark.parametrize("exists", [False, True], ids=["new audience", "existing audience"])
def test_a_kill_before_any_call_changes_nothing_in_the_end(
    new_pipeline: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    use_memory_ledger(monkeypatch)
    pipeline = new_pipeline(large_object_bytes=RANGE_BYTES, part_bytes=RANGE_BYTES, dynamodb=Table())
    for moment in MOMENTS:
        name = f"killed at {moment}"
        key = f"tiktok/{name}/email_sha256/{{}}.csv"
        expected = any_hashes(10) if exists else []
        if exists:
            pipeline.upload(key.format("base"), as_file(expected))
            pipeline.run()
        added = any_hashes(2 * RANGE_ROWS + 1)
        wire = Tripwire(kill_at=moment)
        pipeline.arm(wire)
        version = pipeline.upload(key.format("killed"), as_file(added))

        pipeline.run()

        assert status(pipeline, version) == "delivered", name
        assert not pipeline.queue.dead_letters, name
        assert members(pipeline, name) == members_digest(expected + added), name
        if not wire.dead:
            return
    raise AssertionError("there are more moments than this test tried")


def test_a_plan_that_has_expired_is_written_again_for_a_replay(pipeline: Pipeline, tiktok: EmulatorServer) -> None:
    hashes = any_hashes(3 * RANGE_ROWS)
    fail_one_upload_for_good(pipeline, tiktok, hashes)
    version = pipeline.upload(KEY.format("large"), as_file(hashes))
    pipeline.run()
    tiktok.tell("faults", [])
    [plan] = pipeline.s3.list_objects_v2(Bucket=BUCKET, Prefix=PLANS_PREFIX)["Contents"]
    pipeline.s3.delete_object(Bucket=BUCKET, Key=plan["Key"])

    pipeline.replay()
    pipeline.run()

    assert status(pipeline, version) == "delivered"
    assert members(pipeline) == members_digest(hashes)
