"""Who is on the suppression list is in no audience, whatever comes before, after or at the same time."""

from collections.abc import Callable
from typing import Any

import pytest

from local.emulator.server import EmulatorServer
from test.support.builders import any_hashes, as_file, members_digest, notification_of, slots_digest
from test.support.crashes import Tripwire
from test.support.pipeline import Pipeline

PEOPLE = any_hashes(40, seed="suppression")
BANNED, REST = PEOPLE[:10], PEOPLE[10:]
LIST = "suppression/email_sha256/{}.csv"
OTHER_ADVERTISER = "7000000000000000078"


@pytest.fixture
def small(new_pipeline: Callable[..., Pipeline], tiktok: EmulatorServer) -> Pipeline:
    """A pipeline where a few people are enough for an audience."""
    tiktok.tell("settings", {"minimum_audience_size": 0})
    return new_pipeline(minimum_size=0)


def emails(people: list[str]) -> bytes:
    return b"email_sha256\n" + as_file(people)


def reasons(pipeline: Pipeline) -> list[str]:
    return [letter.reason for letter in pipeline.queue.dead_letters]


def found(pipeline: Pipeline) -> dict[str, str]:
    return {audience["name"]: audience["members_sha256"] for audience in pipeline.audiences()}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("tiktok/Foodies/email_sha256/1.csv", members_digest(REST)),
        ("tiktok/Foodies/email_sha256/replace/1.csv", members_digest(REST)),
        ("tiktok/Foodies/multiple_types/1.csv", members_digest(REST)),
        ("tiktok/Foodies/streaming/1.csv", slots_digest(EMAIL_SHA256=REST)),
    ],
)
def test_who_is_suppressed_is_left_out_of_everything_that_comes_later(small: Pipeline, key: str, expected: str) -> None:
    small.upload(LIST.format(1), as_file(BANNED))
    small.run()

    version = small.upload(key, emails(PEOPLE))
    small.run()

    assert found(small) == {"Foodies": expected}
    receipt = small.receipt(version)
    assert receipt is not None
    assert (receipt["rows"]["suppressed"], receipt["rows"]["sent"]) == (10, 30)


def test_a_remove_still_names_who_is_suppressed(small: Pipeline) -> None:
    small.upload(LIST.format(1), as_file(BANNED))
    small.upload("tiktok/Foodies/email_sha256/1.csv", as_file(PEOPLE))
    version = small.upload("tiktok/Foodies/email_sha256/remove/2.csv", as_file(PEOPLE[5:15]))

    small.run()

    assert found(small) == {"Foodies": members_digest(PEOPLE[15:])}
    receipt = small.receipt(version)
    assert receipt is not None
    assert (receipt["rows"]["suppressed"], receipt["rows"]["sent"]) == (0, 10)


def test_a_list_takes_people_out_of_every_audience_of_its_content_at_all_advertisers(
    small: Pipeline, tiktok: EmulatorServer
) -> None:
    both = [small.emulator.advertiser_id, OTHER_ADVERTISER]
    tiktok.tell("tokens", {"token": small.emulator.access_token, "state": "active", "advertiser_ids": both})
    small.put_credentials(small.emulator.access_token, both[0], advertisers={"abroad": OTHER_ADVERTISER})
    small.put_audience_settings("Abroad", advertiser="abroad")
    small.upload("tiktok/Single/email_sha256/1.csv", as_file(PEOPLE))
    small.upload("tiktok/Abroad/email_sha256/1.csv", as_file(PEOPLE))
    small.upload("tiktok/Columns/multiple_types/1.csv", emails(PEOPLE))
    small.upload("tiktok/Streamed/streaming/1.csv", emails(PEOPLE))
    # The same digests in another space are other people.
    small.upload("tiktok/Phones/phone_sha256/1.csv", as_file(PEOPLE))
    small.upload("tiktok/Phones streamed/streaming/1.csv", b"phone_sha256\n" + as_file(PEOPLE))
    small.run()

    version = small.upload(LIST.format(1), as_file(BANNED))
    small.run()

    assert not reasons(small), small.queue.dead_letters
    assert found(small) == {
        "Single": members_digest(REST),
        "Abroad": members_digest(REST),
        "Columns": members_digest(REST),
        "Streamed": slots_digest(EMAIL_SHA256=REST),
        "Phones": members_digest(PEOPLE),
        "Phones streamed": slots_digest(PHONE_SHA256=PEOPLE),
    }
    receipt = small.receipt(version)
    assert receipt is not None
    assert {each["audience"]: each["advertiser_id"] for each in receipt["applied"]}["Abroad"] == OTHER_ADVERTISER


@pytest.mark.parametrize(
    ("format_name", "audience", "slot"),
    [
        ("idfa_sha256", "gaid_sha256", "AAID_SHA256"),
        ("maid_sha256", "first_sha256", "IDFA_SHA256"),
        ("gaid_md5", "idfa_md5", "AAID_MD5"),
    ],
)
def test_a_device_is_suppressed_whatever_it_is_called(
    small: Pipeline, format_name: str, audience: str, slot: str
) -> None:
    people = [one[: 32 if "md5" in format_name else 64] for one in PEOPLE]
    small.upload(f"tiktok/Filed/{audience}/1.csv", as_file(people))
    small.upload("tiktok/Streamed/streaming/1.csv", f"{slot.lower()}\n".encode() + as_file(people))
    small.run()

    small.upload(f"suppression/{format_name}/1.csv", as_file(people[:10]))
    small.run()

    assert not reasons(small), small.queue.dead_letters
    assert found(small) == {"Filed": members_digest(people[10:]), "Streamed": slots_digest(**{slot: people[10:]})}


class Interruption(Tripwire):
    """Does something just before the first call of a name."""

    def __init__(self, ending: str, what: Callable[[], None]) -> None:
        super().__init__()
        self._ending = ending
        self._what: Callable[[], None] | None = what

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        """Make a call."""
        if self._what and name.endswith(self._ending):
            what, self._what = self._what, None
            what()
        return super().around(name, call)


@pytest.mark.parametrize("call", ["file/upload/", "custom_audience/list/", "custom_audience/update/"])
@pytest.mark.parametrize("action", ["append", "replace"])
def test_a_list_that_comes_while_a_file_is_under_way_holds_for_it(small: Pipeline, action: str, call: str) -> None:
    small.upload("tiktok/Foodies/email_sha256/1.csv", as_file(PEOPLE[15:]))
    small.run()
    version = small.upload(f"tiktok/Foodies/email_sha256/{action}/2.csv", as_file(PEOPLE))
    [message] = small.queue.messages.values()

    def suppress() -> None:
        small.upload(LIST.format(1), as_file(BANNED))
        [other] = [each for each in small.queue.messages.values() if each is not message]
        small.arm(Tripwire())  # another function
        small.deliver(other)

    small.arm(Interruption(call, suppress))
    small.deliver(message)
    small.run()

    assert not reasons(small), small.queue.dead_letters
    assert found(small) == {"Foodies": members_digest(REST)}
    assert (small.receipt(version) or {})["status"] == "delivered"


@pytest.mark.parametrize("call", ["segment/audience/", "segment/mapping/"])
def test_a_list_that_comes_while_a_file_is_streamed_holds_for_it(small: Pipeline, call: str) -> None:
    version = small.upload("tiktok/Foodies/streaming/2.csv", emails(PEOPLE))
    [message] = small.queue.messages.values()

    def suppress() -> None:
        small.upload(LIST.format(1), as_file(BANNED))
        [other] = [each for each in small.queue.messages.values() if each is not message]
        small.arm(Tripwire())
        small.deliver(other)

    small.arm(Interruption(call, suppress))
    small.deliver(message)
    small.run()

    assert not reasons(small), small.queue.dead_letters
    assert found(small) == {"Foodies": slots_digest(EMAIL_SHA256=REST)}
    assert (small.receipt(version) or {})["status"] == "delivered"


def test_two_lists_at_once_both_hold(small: Pipeline) -> None:
    small.upload("tiktok/Foodies/email_sha256/1.csv", as_file(PEOPLE))
    small.run()
    first = small.upload(LIST.format(1), as_file(BANNED[:5]))
    second = small.upload(LIST.format(2), as_file(BANNED[5:]))
    one, other = small.queue.messages.values()

    def overtake() -> None:
        small.arm(Tripwire())
        small.deliver(other)

    # Between reading the manifest and writing it.
    small.arm(Interruption("upload_fileobj", overtake))
    small.deliver(one)
    small.run()

    assert not reasons(small), small.queue.dead_letters
    assert found(small) == {"Foodies": members_digest(REST)}
    assert {(small.receipt(each) or {})["status"] for each in (first, second)} == {"delivered"}
    small.upload("tiktok/Foodies/email_sha256/9.csv", as_file(PEOPLE))
    small.run()
    assert found(small) == {"Foodies": members_digest(REST)}


def test_a_replay_of_a_list_changes_nothing(small: Pipeline) -> None:
    small.upload("tiktok/Foodies/email_sha256/1.csv", as_file(PEOPLE))
    version = small.upload(LIST.format(1), as_file(BANNED))
    small.run()
    calls, receipt = len(small.calls()), small.receipt(version)

    small.send(notification_of(version))
    small.run()

    assert len(small.calls()) == calls
    assert small.receipt(version) == receipt


def test_a_list_is_kept_although_there_is_no_audience_yet(small: Pipeline) -> None:
    version = small.upload(LIST.format(1), as_file(BANNED))

    small.run()

    assert not reasons(small)
    receipt = small.receipt(version)
    assert receipt is not None
    assert (receipt["status"], receipt["applied"]) == ("delivered", [])


@pytest.mark.parametrize(
    ("key", "content", "reason"),
    [
        (LIST.format(1), b"jane.doe@example.com\n", "plain_personal_data"),
        (LIST.format(1), as_file(BANNED) + b"jane.doe@example.com\n", "plain_personal_data"),
        ("suppression/email/1.csv", b"jane.doe@example.com\n", "raw_identifiers_not_allowed"),
        ("suppression/multiple_types/1.csv", emails(BANNED), "unsupported_format"),
        ("suppression/streaming/1.csv", emails(BANNED), "unsupported_format"),
        ("suppression/email_sha256/remove/1.csv", as_file(BANNED), "bad_key"),
        ("suppression/email_sha256/1.csv", b"\n", "no_valid_rows"),
    ],
)
def test_a_list_that_cannot_be_one_is_refused_and_suppresses_nobody(
    small: Pipeline, key: str, content: bytes, reason: str
) -> None:
    small.upload(key, content)
    small.upload("tiktok/Foodies/email_sha256/1.csv", as_file(PEOPLE))

    small.run()

    assert reasons(small) == [reason]
    assert found(small) == {"Foodies": members_digest(PEOPLE)}


def test_a_raw_list_is_hashed_where_that_is_allowed(
    new_pipeline: Callable[..., Pipeline], tiktok: EmulatorServer
) -> None:
    tiktok.tell("settings", {"minimum_audience_size": 0})
    pipeline = new_pipeline(minimum_size=0, allow_raw_identifiers=True)
    alice = "848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f"
    pipeline.upload("tiktok/Foodies/email_sha256/1.csv", as_file([alice, *REST]))
    pipeline.upload("suppression/email/1.csv", b"Alice_ABC@gmail.com\n")
    pipeline.run()
    assert found(pipeline) == {"Foodies": members_digest(REST)}

    pipeline.upload("tiktok/Foodies/email/2.csv", b"alice_abc@gmail.com\nbob@example.com\n")
    pipeline.run()

    assert not reasons(pipeline)
    [audience] = pipeline.audiences()
    assert audience["members"] == len(REST) + 1


def test_a_file_of_nobody_but_suppressed_people_is_refused(small: Pipeline) -> None:
    small.upload(LIST.format(1), as_file(BANNED))
    small.upload("tiktok/Foodies/email_sha256/1.csv", as_file(BANNED[:3]))

    small.run()

    assert reasons(small) == ["all_rows_suppressed"]
    assert not small.audiences()


def test_a_list_that_would_leave_too_few_people_is_no_quiet_success(pipeline: Pipeline, tiktok: EmulatorServer) -> None:
    tiktok.tell("settings", {"valid_after_seconds": 0})
    people = any_hashes(1_200, seed="many")
    pipeline.upload("tiktok/Foodies/email_sha256/1.csv", as_file(people))
    pipeline.run()
    version = pipeline.upload(LIST.format(1), as_file(people[:500]))

    pipeline.run()

    assert reasons(pipeline) == ["not_carried_out"]
    assert (pipeline.receipt(version) or {})["reason"] == "not_carried_out"
    # Once the audience has grown, the replay takes them out.
    pipeline.upload("tiktok/Foodies/email_sha256/2.csv", as_file(any_hashes(800, seed="more")))
    pipeline.run()
    pipeline.replay()
    pipeline.run()
    assert not reasons(pipeline)
    assert found(pipeline) == {"Foodies": members_digest(people[500:] + any_hashes(800, seed="more"))}


def test_a_repeated_older_file_leaves_out_who_is_suppressed_since(small: Pipeline) -> None:
    late = small.store("tiktok/Foodies/email_sha256/remove/2.csv", as_file(PEOPLE[30:]), second=2)
    small.upload("tiktok/Foodies/email_sha256/1.csv", as_file(PEOPLE), second=1)
    small.upload("tiktok/Foodies/email_sha256/3.csv", as_file(PEOPLE[:35]), second=3)
    small.run()
    small.upload(LIST.format(4), as_file(BANNED), second=4)
    small.run()

    # Undoes a part of the newer append, which is repeated.
    small.send(notification_of(late))
    small.run()

    assert not reasons(small)
    assert found(small) == {"Foodies": members_digest(PEOPLE[10:35])}
