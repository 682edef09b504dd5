"""The activation function, from the message in the queue to what TikTok has."""

import json
from collections.abc import Callable

import pytest

from local.emulator.server import EmulatorServer
from test.support.builders import (
    any_advertiser_id,
    any_audience_file,
    any_hashes,
    any_version,
    as_file,
    members_digest,
    notification_of,
)
from test.support.pipeline import Pipeline
from test.support.stage import BUCKET

KEY = "tiktok/Foodies & Friends + 100%/email_sha256/{}.csv"


def test_activation_creates_an_audience_of_exactly_the_rows(pipeline: Pipeline) -> None:
    hashes = any_hashes(1200)
    version = pipeline.upload(KEY.format("file"), as_file(hashes))

    pipeline.run()

    [audience] = pipeline.audiences()
    assert audience["name"] == "Foodies & Friends + 100%"
    assert audience["members_sha256"] == members_digest(hashes)
    assert [call["path"].split("audience/")[1] for call in pipeline.calls()] == ["file/upload/", "list/", "create/"]
    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["status"] == "delivered"
    assert receipt["action"] == "CREATE"
    assert receipt["audience"] == {"name": "Foodies & Friends + 100%", "id": audience["audience_id"]}
    assert receipt["rows"]["read"] == receipt["rows"]["sent"] == 1200
    [part] = receipt["parts"]
    assert part["bytes"] == 1200 * 65
    assert len(part["file_path"]) == 16
    assert not pipeline.queue.dead_letters


def test_activation_appends_when_the_audience_exists(pipeline: Pipeline) -> None:
    first, second = any_hashes(1000), any_hashes(500)
    pipeline.upload(KEY.format("first"), as_file(first))
    pipeline.run()
    version = pipeline.upload(KEY.format("second"), as_file(second))

    pipeline.run()

    [audience] = pipeline.audiences()
    assert audience["members_sha256"] == members_digest(first + second)
    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["action"] == "APPEND"


@pytest.mark.parametrize("count", [0, 1, 10, 100, 101, 250, 400])
def test_an_existing_audience_is_found_at_every_position(
    pipeline: Pipeline, tiktok: EmulatorServer, count: int
) -> None:
    tiktok.tell("seed", {"audiences": count, "prefix": "seeded "})
    positions = sorted({1, 2, count // 2, count - 1, count} & set(range(1, count + 1)))
    for position in positions:
        pipeline.upload(f"tiktok/seeded {position}/email_sha256/file.csv", as_file(any_hashes(7)))

    pipeline.run()

    grown = {audience["name"] for audience in pipeline.audiences() if audience["members"] == 1007}
    assert grown == {f"seeded {position}" for position in positions}
    assert len(pipeline.audiences()) == count
    assert not pipeline.calls("create/")
    assert not pipeline.queue.dead_letters


def test_a_401st_audience_is_rejected_with_tiktoks_reason(pipeline: Pipeline, tiktok: EmulatorServer) -> None:
    tiktok.tell("seed", {"audiences": 400})
    version = pipeline.upload(KEY.format("file"), any_audience_file())

    pipeline.run()

    [letter] = pipeline.queue.dead_letters
    assert letter.reason == "tiktok_rejected"
    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert (receipt["status"], receipt["reason"]) == ("rejected", "tiktok_rejected")
    assert receipt["rows"]["sent"] == 0


def test_a_duplicate_notification_and_a_replay_of_a_finished_object_change_nothing(pipeline: Pipeline) -> None:
    version = pipeline.upload(KEY.format("file"), any_audience_file())
    pipeline.send(notification_of(version))
    pipeline.run()
    before = len(pipeline.calls())
    receipt = pipeline.receipt(version)

    pipeline.send(notification_of(version))
    pipeline.run()

    assert len(pipeline.calls()) == before == 3
    assert pipeline.receipt(version) == receipt


def test_two_versions_of_one_key_are_two_deliveries(pipeline: Pipeline) -> None:
    first, second = any_hashes(5), any_hashes(5)
    pipeline.upload(KEY.format("file"), as_file(first))
    pipeline.upload(KEY.format("file"), as_file(second))

    pipeline.run()

    [audience] = pipeline.audiences()
    assert audience["members_sha256"] == members_digest(first + second)


def test_files_for_one_new_name_make_one_audience_although_it_shows_up_late(
    pipeline: Pipeline, tiktok: EmulatorServer
) -> None:
    tiktok.tell("settings", {"list_lag_seconds": 30})
    files = [any_hashes(100) for _ in range(10)]
    for number, hashes in enumerate(files):
        pipeline.upload(KEY.format(number), as_file(hashes))

    pipeline.run()

    [audience] = pipeline.audiences()
    assert audience["members_sha256"] == members_digest(value for hashes in files for value in hashes)


def test_an_unanswered_create_that_shows_up_late_is_not_repeated(pipeline: Pipeline, tiktok: EmulatorServer) -> None:
    hashes = any_hashes(20)
    tiktok.tell("settings", {"list_lag_seconds": 30})
    tiktok.tell("faults", [{"path": "create", "kind": "drop_after_commit"}])
    version = pipeline.upload(KEY.format("file"), as_file(hashes))
    [message] = pipeline.queue.messages.values()
    pipeline.deliver(message)
    assert message.visible_at - pipeline.clock.now() > 30, "the audience gets time to show up"
    tiktok.tell("clock", {"advance_seconds": 31})

    pipeline.run()

    [audience] = pipeline.audiences()
    assert audience["members_sha256"] == members_digest(hashes)
    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["action"] == "CREATE"


def test_the_receipt_of_the_file_that_created_the_audience_says_so_whatever_happened_after(
    pipeline: Pipeline, tiktok: EmulatorServer
) -> None:
    tiktok.tell(
        "faults",
        [
            {"path": "create", "kind": "drop_after_commit"},
            {"path": "update", "times": 100, "kind": "code", "code": 50000},
        ],
    )
    version = pipeline.upload(KEY.format("file"), any_audience_file())
    pipeline.run()
    tiktok.tell("faults", [])

    pipeline.replay()
    pipeline.run()

    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["action"] == "CREATE"
    assert len(pipeline.audiences()) == 1


def test_placeholders_in_the_secret_are_named_with_their_remedy_and_a_replay_delivers(pipeline: Pipeline) -> None:
    pipeline.put_credentials("REPLACE_ME", "REPLACE_ME")
    version = pipeline.upload(KEY.format("file"), any_audience_file())
    pipeline.run()
    [letter] = pipeline.queue.dead_letters
    assert letter.reason == "credentials_not_set"
    assert "ACCESS_TOKEN" in letter.detail
    assert not pipeline.calls()

    pipeline.put_credentials(pipeline.emulator.access_token, pipeline.emulator.advertiser_id)
    pipeline.replay()
    pipeline.run()

    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["status"] == "delivered"


def test_a_new_token_is_taken_up_at_once_by_a_warm_function(pipeline: Pipeline, tiktok: EmulatorServer) -> None:
    pipeline.upload(KEY.format("first"), any_audience_file())
    pipeline.run()
    advertiser_id = pipeline.emulator.advertiser_id
    tiktok.tell("tokens", {"token": pipeline.emulator.access_token, "state": "revoked"})
    tiktok.tell("tokens", {"token": "another-token", "state": "active", "advertiser_ids": [advertiser_id]})
    pipeline.put_credentials("another-token", advertiser_id)
    version = pipeline.upload(KEY.format("second"), any_audience_file())
    [message] = pipeline.queue.messages.values()

    pipeline.deliver(message)

    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["status"] == "delivered"


def test_a_mended_advertiser_id_is_taken_up_by_a_warm_function(pipeline: Pipeline) -> None:
    pipeline.put_credentials(pipeline.emulator.access_token, any_advertiser_id())
    version = pipeline.upload(KEY.format("file"), any_audience_file())
    pipeline.run()
    assert len(pipeline.queue.dead_letters) == 1

    pipeline.put_credentials(pipeline.emulator.access_token, pipeline.emulator.advertiser_id)
    pipeline.replay()
    pipeline.run()

    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["status"] == "delivered"


def test_parts_uploaded_for_another_advertiser_are_uploaded_again(pipeline: Pipeline, tiktok: EmulatorServer) -> None:
    other = any_advertiser_id()
    tiktok.tell(
        "tokens",
        {
            "token": pipeline.emulator.access_token,
            "state": "active",
            "advertiser_ids": [pipeline.emulator.advertiser_id, other],
        },
    )
    tiktok.tell("faults", [{"path": "list", "times": 100, "kind": "code", "code": 50000}])
    version = pipeline.upload(KEY.format("file"), any_audience_file())
    pipeline.run()
    tiktok.tell("faults", [])
    pipeline.put_credentials(pipeline.emulator.access_token, other)
    pipeline.change_settings()

    pipeline.replay()
    pipeline.run()

    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert (receipt["status"], receipt["advertiser_id"]) == ("delivered", other)
    assert len(pipeline.calls("file/upload/")) == 2


def test_a_replay_of_what_was_delivered_leaves_its_receipt_alone(pipeline: Pipeline) -> None:
    version = pipeline.upload(KEY.format("file"), any_audience_file())
    pipeline.run()
    pipeline.change_settings(supported_calculate_types=frozenset({"PHONE_SHA256"}))

    pipeline.send(notification_of(version))
    pipeline.run()

    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["status"] == "delivered"
    assert not pipeline.queue.dead_letters


def test_a_rejected_file_forgets_its_parts_with_its_plan(pipeline: Pipeline, tiktok: EmulatorServer) -> None:
    tiktok.tell("faults", [{"path": "create", "kind": "code", "code": 40002}])
    version = pipeline.upload(KEY.format("file"), any_audience_file())
    pipeline.run()

    [item] = [item for item in pipeline.dynamodb.scan(TableName="ledger")["Items"] if version.id in str(item["pk"])]
    document = json.loads(item["document"]["S"])
    assert (document["state"], document["check"], document["uploads"]) == ("rejected", None, [])


def test_a_missing_scope_goes_back_to_the_queue_and_then_says_what_is_missing(
    pipeline: Pipeline, tiktok: EmulatorServer
) -> None:
    tiktok.tell("faults", [{"path": "create", "times": 100, "kind": "code", "code": 40001}])
    pipeline.upload(KEY.format("file"), any_audience_file())

    pipeline.run()

    [letter] = pipeline.queue.dead_letters
    assert letter.reason == "permission_missing"
    assert "Audience Management" in letter.detail
    assert len(pipeline.calls("create/")) == 5


def test_an_audience_of_another_type_is_not_broken(pipeline: Pipeline) -> None:
    hashes = any_hashes(10)
    pipeline.upload("tiktok/Foodies/email_sha256/file.csv", as_file(hashes))
    pipeline.run()
    pipeline.upload("tiktok/Foodies/phone_sha256/file.csv", any_audience_file())

    pipeline.run()

    [letter] = pipeline.queue.dead_letters
    assert letter.reason == "calculate_type_mismatch"
    [audience] = pipeline.audiences()
    assert audience["members_sha256"] == members_digest(hashes)


def test_two_audiences_of_one_name_are_named_instead_of_guessing(pipeline: Pipeline, tiktok: EmulatorServer) -> None:
    for _ in range(2):
        tiktok.tell("seed", {"audiences": 1, "prefix": "twice "})
    pipeline.upload("tiktok/twice 1/email_sha256/file.csv", any_audience_file())

    pipeline.run()

    [letter] = pipeline.queue.dead_letters
    assert letter.reason == "ambiguous_audience"
    assert all(audience["audience_id"] in letter.detail for audience in pipeline.audiences())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"jane@example.com\n", "plain_personal_data"),
        (as_file(any_hashes(1000)) + b"+44 20 7183 8750\n", "plain_personal_data"),
        (as_file(any_hashes(1000)) + b"5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25\n", "plain_personal_data"),
        (as_file(any_hashes(98)) + b"nonsense\nnonsense\n", "too_many_invalid_rows"),
        (b"email_sha256\n\n", "no_valid_rows"),
        (b"", "empty_object"),
    ],
)
def test_a_refused_file_sends_nothing_and_says_why(pipeline: Pipeline, content: bytes, reason: str) -> None:
    version = pipeline.upload(KEY.format("file"), content)

    pipeline.run()

    assert not pipeline.calls()
    [letter] = pipeline.queue.dead_letters
    assert letter.reason == reason
    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert (receipt["status"], receipt["reason"], receipt["rows"]["sent"]) == ("rejected", reason, 0)


def test_a_file_refused_for_its_ratio_is_delivered_by_a_replay_under_a_wider_one(
    new_pipeline: Callable[..., Pipeline],
) -> None:
    pipeline = new_pipeline(max_invalid_ratio=0.01)
    hashes = any_hashes(50)
    version = pipeline.upload(KEY.format("file"), as_file(hashes) + b"nonsense\n")
    pipeline.run()
    assert pipeline.queue.dead_letters

    pipeline.change_settings(max_invalid_ratio=0.05)
    pipeline.replay()
    pipeline.run()

    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["rows"]["invalid_by_reason"] == {"not_hex": {"count": 1, "lines": [51]}}
    [audience] = pipeline.audiences()
    assert audience["members_sha256"] == members_digest(hashes)


@pytest.mark.parametrize(
    ("key", "reason", "expected"),
    [
        ("tiktok/Foodies/file.csv", "bad_key", "tiktok/<audience>/<format>/[<action>/]<file>"),
        ("tiktok/Foodies/email_sha256/merge/file.csv", "bad_key", "append, remove, replace"),
        ("tiktok/Foodies/email_sha256/file.xlsx", "bad_key", ".csv, .txt, .tsv, .jsonl, .ndjson"),
        ("tiktok//email_sha256/file.csv", "bad_key", "tiktok/<audience>"),
        (f"tiktok/{'x' * 129}/email_sha256/file.csv", "bad_key", "128"),
        ("tiktok/Foodies/idfa/file.csv", "unsupported_format", "email_sha256, gaid, gaid_sha256, phone, phone_sha256"),
        ("tiktok/Foodies/email/file.csv", "raw_identifiers_not_allowed", "allow_raw_identifiers"),
    ],
)
def test_a_key_outside_the_grammar_says_what_was_expected(
    new_pipeline: Callable[..., Pipeline], key: str, reason: str, expected: str
) -> None:
    pipeline = new_pipeline(supported_calculate_types=frozenset({"EMAIL_SHA256", "PHONE_SHA256", "GAID_SHA256"}))
    pipeline.upload(key, any_audience_file())

    pipeline.run()

    [letter] = pipeline.queue.dead_letters
    assert letter.reason == reason
    assert expected in letter.detail
    assert not pipeline.calls()


@pytest.mark.parametrize("key", ["tiktok/", "tiktok/Foodies/", "tiktok/Foodies/email_sha256/", "tiktok/a_$folder$"])
def test_a_folder_marker_is_ignored(pipeline: Pipeline, key: str) -> None:
    version = pipeline.upload(key, b"")

    pipeline.run()

    assert not pipeline.queue.dead_letters
    assert not pipeline.calls()
    assert pipeline.receipt(version) is None


@pytest.mark.parametrize(
    "body",
    [
        '{"time": "", "detail": {"bucket": {"name": "data"}, "object": {"key": "tiktok/a", "size": 1e999}}}',
        '{"time": "", "detail": {"bucket": {"name": "data"}, "object": {"key": "tiktok/\\ud800", "size": 1}}}',
        "",
        "nonsense",
        "[]",
        "{}",
        '{"detail": 1}',
        '{"detail": {"bucket": {"name": "data"}}}',
        "[" * 100_000,
    ],
)
def test_a_message_that_is_no_notification_goes_to_the_dead_letters_unchanged(pipeline: Pipeline, body: str) -> None:
    pipeline.send(body)

    pipeline.run()

    [letter] = pipeline.queue.dead_letters
    assert (letter.reason, letter.body) == ("not_a_notification", body)


def test_a_message_about_another_bucket_is_not_followed(pipeline: Pipeline) -> None:
    pipeline.send(notification_of(any_version(bucket="somebody-elses")))

    pipeline.run()

    [letter] = pipeline.queue.dead_letters
    assert letter.reason == "not_a_notification"


def test_an_object_that_is_gone_is_rejected(pipeline: Pipeline) -> None:
    version = pipeline.upload(KEY.format("file"), any_audience_file())
    pipeline.s3.delete_object(Bucket=BUCKET, Key=version.key, VersionId=version.version_id)

    pipeline.run()

    [letter] = pipeline.queue.dead_letters
    assert letter.reason == "object_missing"


def test_the_longest_key_with_a_receipt_is_accepted_and_a_longer_one_named(pipeline: Pipeline) -> None:
    start = "tiktok/" + "\N{FACE WITH TEARS OF JOY}" * 128 + "/email_sha256/"
    version = pipeline.upload(start + "f" * 400 + ".csv", any_audience_file())
    pipeline.upload(start + "f" * (1024 - len(start.encode()) - 4) + ".csv", any_audience_file())

    pipeline.run()

    assert pipeline.receipt(version)
    [letter] = pipeline.queue.dead_letters
    assert letter.reason == "bad_key"
    assert "too long" in letter.detail


def test_the_ledgers_memory_of_an_object_ends_after_the_settings_days(pipeline: Pipeline) -> None:
    version = pipeline.upload(KEY.format("file"), any_audience_file())
    pipeline.run()

    items = pipeline.dynamodb.scan(TableName="ledger")["Items"]

    expiry = {item["pk"]["S"].split("#")[0]: item.get("expires_at") for item in items}
    assert expiry["audience"] is None, "what is known of a name is kept"
    assert expiry["object"] is not None
    assert int(expiry["object"]["N"]) == pytest.approx(pipeline.clock.now() + 60 * 86_400, abs=60)
    [document] = [item["document"]["S"] for item in items if item["pk"]["S"] == f"object#{version.id}"]
    assert json.loads(document)["state"] == "finished"
