"""Actions, formats and the order of arrival, from the object to who is in the audience."""

import gzip
import hashlib
import json
from collections.abc import Callable

import pytest

from local.emulator.server import EmulatorServer
from test.support.builders import any_hashes, as_file, members_digest, notification_of, slots_digest
from test.support.crashes import Killed, Tripwire
from test.support.pipeline import Pipeline
from test.support.stage import BUCKET

zstd = pytest.importorskip("backports.zstd")
PEOPLE = any_hashes(2_000, seed="actions")
FILE, REMOVE, REPLACE = (f"tiktok/Foodies/email_sha256/{action}{{}}.csv" for action in ("", "remove/", "replace/"))
ADDED, DELETED = (f"tiktok/Foodies/streaming/{action}/{{}}.csv" for action in ("add", "delete"))


@pytest.fixture
def small(new_pipeline: Callable[..., Pipeline], tiktok: EmulatorServer) -> Pipeline:
    """A pipeline where a few people are enough for an audience."""
    tiktok.tell("settings", {"minimum_audience_size": 0})
    return new_pipeline(minimum_size=0, allow_audience_deletion=True, allow_raw_identifiers=True)


def reasons(pipeline: Pipeline) -> list[str]:
    return [letter.reason for letter in pipeline.queue.dead_letters]


def members(pipeline: Pipeline, name: str = "Foodies") -> str:
    [audience] = [each for each in pipeline.audiences() if each["name"] == name]
    found: str = audience["members_sha256"]
    return found


def streaming(people: list[str]) -> bytes:
    return b"email_sha256\n" + as_file(people)


# Actions and their order -----------------------------------------------------------------------------------------


def test_a_remove_from_an_audience_that_is_missing_creates_none(small: Pipeline) -> None:
    version = small.upload(REMOVE.format(1), as_file(PEOPLE[:5]))

    small.run()

    assert reasons(small) == ["audience_missing"]
    assert not small.calls("create/")
    assert (small.receipt(version) or {})["status"] == "rejected"


def test_a_remove_that_was_refused_for_want_of_an_audience_holds_for_an_older_file_that_comes_late(
    small: Pipeline,
) -> None:
    older = small.store(FILE.format(1), as_file(PEOPLE[:9]), second=1)
    small.upload(REMOVE.format(2), as_file(PEOPLE[:4]), second=2)
    small.run()

    small.send(notification_of(older))
    small.run()

    assert members(small) == members_digest(PEOPLE[4:9])


def test_a_replace_creates_an_audience_that_is_missing(small: Pipeline) -> None:
    version = small.upload(REPLACE.format(1), as_file(PEOPLE[:5]))

    small.run()

    assert members(small) == members_digest(PEOPLE[:5])
    assert (small.receipt(version) or {})["action"] == "CREATE"


@pytest.mark.parametrize("late", [FILE, REMOVE, REPLACE])
def test_what_is_older_than_the_last_replace_is_superseded(small: Pipeline, late: str) -> None:
    older = small.store(late.format("late"), as_file(PEOPLE[:5]), second=1)
    small.upload(REPLACE.format(2), as_file(PEOPLE[3:9]), second=2)
    small.run()

    small.send(notification_of(older))
    small.run()

    receipt = small.receipt(older)
    assert receipt is not None
    assert (receipt["status"], receipt["rows"]["sent"]) == ("superseded", 0)
    assert members(small) == members_digest(PEOPLE[3:9])
    assert not reasons(small)


def test_within_one_second_a_replace_comes_first_and_a_remove_last(small: Pipeline) -> None:
    small.upload(FILE.format("base"), as_file(PEOPLE[:3]), second=1)
    small.run()
    given = [(REMOVE, PEOPLE[4:6]), (FILE, PEOPLE[5:8]), (REPLACE, PEOPLE[3:5])]
    for key, people in given:
        small.upload(key.format(2), as_file(people), second=2)

    small.run()

    assert members(small) == members_digest([PEOPLE[3], *PEOPLE[6:8]])


def test_a_file_that_would_undo_what_is_no_longer_remembered_is_too_late(
    small: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.audiences.history._LARGEST_MEMORY", 1_000)
    older = small.store(FILE.format("late"), as_file(PEOPLE[:9]), second=1)
    small.upload(FILE.format("base"), as_file(PEOPLE[10:20]), second=2)
    for number in range(3, 8):
        small.upload(REMOVE.format(number), as_file(PEOPLE[:4]), second=number)
    small.run()

    small.send(notification_of(older))
    small.run()

    assert reasons(small) == ["too_late"]
    assert members(small) == members_digest(PEOPLE[10:20])


def test_a_remove_that_would_leave_too_few_is_no_quiet_success_and_can_be_replayed_after_growth(
    pipeline: Pipeline, tiktok: EmulatorServer, capsys: pytest.CaptureFixture[str]
) -> None:
    tiktok.tell("settings", {"valid_after_seconds": 0})
    pipeline.upload(FILE.format(1), as_file(PEOPLE[:1_200]))
    pipeline.run()
    removed = pipeline.upload(REMOVE.format(2), as_file(PEOPLE[:300]))
    pipeline.run()
    assert reasons(pipeline) == ["not_carried_out"]
    assert members(pipeline) == members_digest(PEOPLE[:1_200])
    assert (pipeline.receipt(removed) or {})["reason"] == "not_carried_out"

    pipeline.upload(FILE.format(3), as_file(PEOPLE[1_200:]))
    pipeline.run()
    pipeline.replay()
    pipeline.run()

    assert members(pipeline) == members_digest(PEOPLE[300:])
    assert (pipeline.receipt(removed) or {})["status"] == "delivered"


@pytest.mark.parametrize(
    ("newer", "older", "way_out"),
    [
        ((REMOVE, as_file(PEOPLE[:4])), (FILE, as_file(PEOPLE[:9])), (REPLACE, as_file(PEOPLE[4:9]))),
        ((DELETED, streaming(PEOPLE[:4])), (ADDED, streaming(PEOPLE[:9])), None),
    ],
    ids=["files", "streaming"],
)
def test_a_late_file_changes_nothing_when_what_would_have_to_follow_it_is_gone(
    small: Pipeline, newer: tuple[str, bytes], older: tuple[str, bytes], way_out: tuple[str, bytes] | None
) -> None:
    small.upload(older[0].format("base"), streaming(PEOPLE[:6]) if older[0] == ADDED else as_file(PEOPLE[:6]), second=1)
    small.run()
    late = small.store(older[0].format("late"), older[1], second=2)
    gone = small.upload(newer[0].format(3), newer[1], second=3)
    small.run()
    before = members(small)
    small.s3.delete_object(Bucket=BUCKET, Key=gone.key, VersionId=gone.version_id)
    small.change_settings()
    # The files that TikTok has do not last for ever.
    small.clock.sleep(13 * 3600)
    small.send(notification_of(late))

    small.run()

    assert reasons(small) == ["repeat_impossible"]
    assert members(small) == before, "nobody who was removed is back"
    if way_out:
        small.upload(way_out[0].format("way out"), way_out[1], second=4)
        small.run()
        small.replay()
        small.run()
        assert not reasons(small)
        assert members(small) == members_digest(PEOPLE[4:9])
        assert (small.receipt(late) or {})["status"] == "superseded"


@pytest.mark.parametrize("interrupted", [False, True])
def test_files_that_tiktok_no_longer_has_are_uploaded_again_when_they_are_repeated(
    small: Pipeline, tiktok: EmulatorServer, interrupted: bool
) -> None:
    tiktok.tell("settings", {"file_path_lifetime_seconds": 3_600})
    late = small.store(FILE.format("late"), as_file(PEOPLE[5:12]), second=2)
    small.upload(FILE.format("base"), as_file(PEOPLE[:9]), second=1)
    small.upload(REMOVE.format(3), as_file(PEOPLE[:7]), second=3)
    small.run()
    tiktok.tell("clock", {"advance_seconds": 3_700})
    small.send(notification_of(late))
    if interrupted:
        # The remove is uploaded again, and has become old once more by the time that it is applied.
        small.arm(_KilledAtUpdate(2))
        [message] = small.queue.messages.values()
        small.deliver(message)
        tiktok.tell("clock", {"advance_seconds": 3_700})

    small.run()

    assert not reasons(small)
    assert members(small) == members_digest(PEOPLE[7:12])


class _KilledAtUpdate(Tripwire):
    """Kills before the second update with files that TikTok has: the first refused one is not counted."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._left = number + 1

    def around(self, name: str, call: Callable[[], object]) -> object:
        """Make a call."""
        if name.endswith("update/"):
            self._left -= 1
            if not self._left:
                self.dead = True
                raise Killed
        return super().around(name, call)


@pytest.mark.parametrize("stream_is_newer", [True, False])
def test_a_remove_over_the_other_route_does_not_keep_a_late_file_from_its_audience(
    small: Pipeline, stream_is_newer: bool
) -> None:
    # Both name an audience that does not exist yet, one of them by mistake over the wrong route.
    wrong, right = (REMOVE, as_file(PEOPLE[:3])), (ADDED, streaming(PEOPLE[:9]))
    expected = slots_digest(EMAIL_SHA256=PEOPLE[:9])
    if stream_is_newer:
        wrong, right = (DELETED, streaming(PEOPLE[:3])), (FILE, as_file(PEOPLE[:9]))
        expected = members_digest(PEOPLE[:9])
    late = small.store(right[0].format("late"), right[1], second=1)
    small.upload(wrong[0].format(2), wrong[1], second=2)
    small.run()
    assert reasons(small) == ["audience_missing"]

    small.send(notification_of(late))
    small.run()

    assert reasons(small) == ["audience_missing"]
    assert members(small) == expected


def test_what_is_older_than_a_deletion_stays_deleted_although_the_deletion_was_interrupted(small: Pipeline) -> None:
    late = small.store(FILE.format("late"), as_file(PEOPLE[:3]), second=2)
    small.upload(FILE.format(1), as_file(PEOPLE[:9]), second=1)
    small.run()
    small.arm(_KilledAfter("custom_audience/delete/"))
    small.upload("tiktok/Foodies/streaming/delete_audience/3.txt", b"", second=3)
    small.run()

    small.send(notification_of(late))
    small.run()

    assert not small.audiences()
    assert (small.receipt(late) or {})["status"] == "superseded"


class _KilledAfter(Tripwire):
    """Kills when the first call of this name has reached TikTok, and nothing is written down yet."""

    def __init__(self, ending: str) -> None:
        super().__init__()
        self._ending = ending

    def around(self, name: str, call: Callable[[], object]) -> object:
        """Make a call."""
        if name.endswith(self._ending) and not self.dead:
            self.kill_at = self.moments + 2
        return super().around(name, call)


def test_a_late_deletion_is_followed_by_the_newer_file(small: Pipeline) -> None:
    deletion = small.store("tiktok/Foodies/streaming/delete_audience/2.txt", b"", second=2)
    small.upload(FILE.format(1), as_file(PEOPLE[:9]), second=1)
    small.upload(FILE.format(3), as_file(PEOPLE[7:12]), second=3)
    small.run()

    small.send(notification_of(deletion))
    small.run()

    assert not reasons(small)
    [audience] = small.audiences()
    assert audience["audience_type"] == "Customer File Audience"
    assert audience["members_sha256"] == members_digest(PEOPLE[7:12])


@pytest.mark.parametrize("name", ["Foodies", "Another"])
def test_after_a_deletion_a_newer_file_makes_a_new_audience(small: Pipeline, name: str) -> None:
    small.upload(FILE.format(1), as_file(PEOPLE[:9]))
    small.upload("tiktok/Foodies/streaming/delete_audience/2.txt", b"")
    small.upload(f"tiktok/{name}/email_sha256/3.csv", as_file(PEOPLE[9:12]))

    small.run()

    assert {each["name"]: each["members_sha256"] for each in small.audiences()} == {name: members_digest(PEOPLE[9:12])}


# Formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"), [("maid_sha256", "first_sha256"), ("first_md5", "maid_md5")], ids=["SHA-256", "MD5"]
)
def test_maid_and_first_fill_one_audience(small: Pipeline, first: str, second: str) -> None:
    people = [each[: 32 if "md5" in first else 64] for each in PEOPLE[:9]]
    small.upload(f"tiktok/Foodies/{first}/1.csv", as_file(people[:5]))
    small.upload(f"tiktok/Foodies/{second}/append/2.csv", as_file(people[5:]))
    small.upload(f"tiktok/Foodies/{second}/remove/3.csv", as_file(people[:2]))

    small.run()

    assert not reasons(small)
    [audience] = small.audiences()
    assert audience["calculate_type"] == ("FIRST_MD5" if "md5" in first else "FIRST_SHA256")
    assert audience["members_sha256"] == members_digest(people[2:])


@pytest.mark.parametrize("action", ["append", "remove", "replace"])
def test_an_audience_of_another_type_is_refused_whatever_the_action(small: Pipeline, action: str) -> None:
    small.upload(FILE.format(1), as_file(PEOPLE[:9]))
    small.upload(f"tiktok/Foodies/phone_sha256/{action}/2.csv", as_file(PEOPLE[:5]))

    small.run()

    assert reasons(small) == ["calculate_type_mismatch"]
    assert members(small) == members_digest(PEOPLE[:9])


def _lines(people: list[str]) -> bytes:
    return as_file(people)


FILE_TYPES: dict[str, Callable[[list[str]], bytes]] = {
    "lines.csv": _lines,
    "columns.csv": lambda people: b"id,email_sha256\n" + b"".join(f"7,{each}\n".encode() for each in people),
    "columns.tsv": lambda people: b"email_sha256\tid\n" + b"".join(f"{each}\t7\n".encode() for each in people),
    "objects.jsonl": lambda people: b"".join(json.dumps({"email_sha256": each}).encode() + b"\n" for each in people),
    "lines.csv.gz": lambda people: gzip.compress(_lines(people)),
    "lines.txt.zst": lambda people: bytes(zstd.compress(_lines(people))),
    "objects.ndjson.zst": lambda people: bytes(
        zstd.compress(b"".join(json.dumps({"email": each}).encode() + b"\n" for each in people))
    ),
}


@pytest.mark.parametrize("name", FILE_TYPES)
def test_every_type_of_file_ends_in_the_same_membership(small: Pipeline, name: str) -> None:
    make = FILE_TYPES[name]
    for action, people in (("append", PEOPLE[:9]), ("remove", PEOPLE[:4])):
        small.upload(f"tiktok/Foodies/email_sha256/{action}/{name}", make(people))

    small.run()

    assert not reasons(small), small.queue.dead_letters
    assert members(small) == members_digest(PEOPLE[4:9])


# API reference section 5.1.
PUBLISHED = {
    "email": ("Alice_ABC@gmail.com", "848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f"),
    "phone": ("+1 213-373-4253", "9f7ec22d72092cd3c0b58726ed9c2d91b92e51a3f29837508fb2948bb22dd2fd"),
    "gaid": (
        "5F3A2B18-9C4D-4E7F-B8E2-17D3A1E69B25",
        "83dc3f5f32b9472613b0f038d36f22585a609d018af6f6067f50da318bf354bd",
    ),
}


@pytest.mark.parametrize("format_name", PUBLISHED)
def test_what_is_sent_of_a_raw_identifier_is_the_hash_that_tiktok_publishes(small: Pipeline, format_name: str) -> None:
    raw, published = PUBLISHED[format_name]
    small.upload(f"tiktok/Foodies/{format_name}/1.csv", as_file([raw]))

    small.run()

    assert not reasons(small), small.queue.dead_letters
    assert members(small) == members_digest([published])


@pytest.mark.parametrize(
    ("format_name", "given", "meant"),
    [
        ("email", [" Jane.Doe@Example.COM ", "john@example.org"], ["jane.doe@example.com", "john@example.org"]),
        ("phone", ["+1 (202) 555-0143", "+44 20 7183 8750"], ["+12025550143", "+442071838750"]),
        ("idfa", ["5F3A2B18-9C4D-4E7F-B8E2-17D3A1E69B25"], ["5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"]),
        ("gaid", ["5F3A2B18-9C4D-4E7F-B8E2-17D3A1E69B25"], ["5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"]),
    ],
)
def test_raw_identifiers_are_hashed_before_they_leave(
    small: Pipeline, format_name: str, given: list[str], meant: list[str]
) -> None:
    already = PEOPLE[0]
    version = small.upload(f"tiktok/Foodies/{format_name}/1.csv", as_file([*given, already, "null", "nan", "None", ""]))

    small.change_settings(max_invalid_ratio=0.9)
    small.run()

    assert not reasons(small), small.queue.dead_letters
    receipt = small.receipt(version)
    assert receipt is not None
    assert receipt["rows"]["sent"] == len(given) + 1
    assert members(small) == members_digest([already, *(hashlib.sha256(each.encode()).hexdigest() for each in meant)])


def test_the_receipt_of_a_deletion_says_when_there_was_nothing_to_delete(new_pipeline: Callable[..., Pipeline]) -> None:
    pipeline = new_pipeline(allow_audience_deletion=True)
    version = pipeline.upload("tiktok/Misspelt/streaming/delete_audience/now.txt", b"")

    pipeline.run()

    assert (pipeline.receipt(version) or {})["action"] == "NOT_THERE"
