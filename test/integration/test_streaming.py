"""The streaming route, from the file to who is in which slot of the audience."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from lambdas.attempts import STEP_SECONDS
from lambdas.tiktok import segments
from lambdas.tiktok.protocol import Answer, Request
from lambdas.tiktok.segments import SegmentApi
from lambdas.tiktok.transport import HttpTransport
from local.emulator.server import EmulatorServer
from test.support.builders import any_hashes, as_file, members_digest, notification_of, slots_digest
from test.support.crashes import Tripwire
from test.support.pipeline import Pipeline

PEOPLE = any_hashes(2_500, seed="streaming")
ADD, DELETE = (f"tiktok/Foodies/streaming/{action}/{{}}.csv" for action in ("add", "delete"))
# An interrupted function holds its audience for 900 seconds, and its message for a little longer.
HELD_SECONDS = 910
EMAIL, PHONE, IDFA, AAID = (any_hashes(9, seed=slot) for slot in ("email", "phone", "idfa", "aaid"))


def emails(people: list[str]) -> bytes:
    return b"email_sha256\n" + as_file(people)


def reasons(pipeline: Pipeline) -> list[str]:
    return [letter.reason for letter in pipeline.queue.dead_letters]


def found(pipeline: Pipeline) -> dict[str, str]:
    return {audience["name"]: audience["members_sha256"] for audience in pipeline.audiences()}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The body of every mapping that leaves, in the order in which they leave."""
    bodies: list[dict[str, Any]] = []
    send = HttpTransport.send

    def noting(self: HttpTransport, request: Request, access_token: str) -> Answer:
        if request.path.endswith("segment/mapping/") and isinstance(request.body, dict):
            bodies.append(json.loads(json.dumps(request.body)))
        return send(self, request, access_token)

    monkeypatch.setattr(HttpTransport, "send", noting)
    return bodies


def test_a_file_is_streamed_in_batches_of_at_most_a_thousand(pipeline: Pipeline, sent: list[dict[str, Any]]) -> None:
    version = pipeline.upload(ADD.format(1), emails(PEOPLE))

    pipeline.run()

    assert sorted(len(body["batch_data"]) for body in sent) == [500, 1_000, 1_000]
    assert all(len(json.dumps(body)) <= 1_000_000 for body in sent)
    assert found(pipeline) == {"Foodies": slots_digest(EMAIL_SHA256=PEOPLE)}
    assert (pipeline.receipt(version) or {})["rows"]["sent"] == 2_500


def test_single_bad_entries_are_named_by_line_and_the_others_delivered(
    pipeline: Pipeline, tiktok: EmulatorServer
) -> None:
    bad = [7, 1_234, 2_499]
    tiktok.tell("poison", {"ids": [PEOPLE[number] for number in bad]})
    version = pipeline.upload(ADD.format(1), emails(PEOPLE))

    pipeline.run()

    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["status"] == "delivered"
    assert receipt["rows"]["sent"] == 2_497
    assert receipt["rows"]["refused_by_tiktok"] == {"count": 3, "lines": [number + 2 for number in bad]}
    good = [one for number, one in enumerate(PEOPLE) if number not in bad]
    assert found(pipeline) == {"Foodies": slots_digest(EMAIL_SHA256=good)}


def test_a_bad_entry_that_concerns_two_audiences_is_one_bad_row(pipeline: Pipeline, tiktok: EmulatorServer) -> None:
    tiktok.tell("poison", {"ids": PEOPLE[:2]})
    rows = "".join(f"{one},{'More' if number < 3 else ''}\n" for number, one in enumerate(PEOPLE[:9]))
    version = pipeline.upload(ADD.format(1), f"email_sha256,audiences\n{rows}".encode())

    pipeline.run()

    assert not reasons(pipeline), pipeline.queue.dead_letters
    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["rows"]["refused_by_tiktok"] == {"count": 2, "lines": [2, 3]}
    assert receipt["rows"]["sent"] == 7
    assert found(pipeline) == {
        "Foodies": slots_digest(EMAIL_SHA256=PEOPLE[2:9]),
        "More": slots_digest(EMAIL_SHA256=PEOPLE[2:3]),
    }


def test_bad_entries_are_counted_once_although_the_file_is_begun_again(
    new_pipeline: Callable[..., Pipeline], tiktok: EmulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.tiktok.segments.MOST_ENTRIES", 10)
    pipeline = new_pipeline(thread_count=1)
    tiktok.tell("poison", {"ids": PEOPLE[:1]})
    version = pipeline.upload(ADD.format(1), emails(PEOPLE[:30]))
    pipeline.arm(_KilledAtMapping(8))  # the first batch took seven, to find the bad entry
    [message] = pipeline.queue.messages.values()
    pipeline.deliver(message)
    assert found(pipeline)["Foodies"] != slots_digest(), "it was begun"
    # A change of the list has the file checked and sent from its first row.
    pipeline.clock.sleep(HELD_SECONDS)
    pipeline.upload("suppression/email_sha256/1.csv", as_file(PEOPLE[5:6]))

    pipeline.run()

    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["rows"]["refused_by_tiktok"] == {"count": 1, "lines": [2]}
    assert receipt["rows"]["suppressed"] == 1
    assert receipt["rows"]["sent"] == 28
    assert found(pipeline) == {"Foodies": slots_digest(EMAIL_SHA256=[*PEOPLE[1:5], *PEOPLE[6:30]])}


class _KilledAtMapping(Tripwire):
    """Kills before a mapping is sent."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        """Make a call."""
        if name.endswith("segment/mapping/") and sum(each.endswith("mapping/") for each in self.calls) == self._number:
            self.kill_at = self.moments + 1
        return super().around(name, call)


def test_when_all_entries_are_refused_the_file_goes_to_the_dead_letters_and_can_be_replayed(
    pipeline: Pipeline, tiktok: EmulatorServer
) -> None:
    tiktok.tell("poison", {"ids": PEOPLE[:20]})
    version = pipeline.upload(ADD.format(1), emails(PEOPLE[:20]))
    pipeline.run()
    assert reasons(pipeline) == ["tiktok_rejected"]
    assert (pipeline.receipt(version) or {})["rows"]["sent"] == 0

    tiktok.tell("poison", {"ids": []})
    pipeline.replay()
    pipeline.run()

    assert not reasons(pipeline)
    assert found(pipeline) == {"Foodies": slots_digest(EMAIL_SHA256=PEOPLE[:20])}
    assert (pipeline.receipt(version) or {})["rows"]["refused_by_tiktok"] == {"count": 0, "lines": []}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_adds_and_deletes_of_one_person_end_as_they_arrived(pipeline: Pipeline, order: tuple[int, ...]) -> None:
    versions = [
        pipeline.store(ADD.format(1), emails(PEOPLE[:6]), second=1),
        pipeline.store(DELETE.format(2), emails(PEOPLE[:4]), second=2),
        pipeline.store(ADD.format(3), emails(PEOPLE[:2]), second=3),
    ]
    for number in order:
        pipeline.send(notification_of(versions[number]))
        pipeline.run()
    # A delete before there was an audience waits for its replay.
    pipeline.replay()
    pipeline.run()

    assert not reasons(pipeline)
    assert found(pipeline) == {"Foodies": slots_digest(EMAIL_SHA256=[*PEOPLE[:2], *PEOPLE[4:6]])}


def test_every_identifier_stays_in_its_own_slot_and_what_is_missing_stays_empty(
    pipeline: Pipeline, sent: list[dict[str, Any]]
) -> None:
    # Columns in another order than TikTok lists them, one that is not known, and people who lack some of them.
    rows = [f"{AAID[n] if n % 2 else ''},x,{EMAIL[n]},{PHONE[n] if n % 3 else ''},{IDFA[n]}" for n in range(9)]
    rows.append(",x,,,")
    content = "aaid_sha256,note,email_sha256,phone_sha256,idfa_sha256\n" + "\n".join(rows) + "\n"
    pipeline.change_settings(max_invalid_ratio=0.5)
    version = pipeline.upload(ADD.format(1), content.encode())

    pipeline.run()

    assert not reasons(pipeline), pipeline.queue.dead_letters
    own = {"EMAIL_SHA256": EMAIL, "PHONE_SHA256": PHONE, "IDFA_SHA256": IDFA, "AAID_SHA256": AAID}
    [body] = sent
    for entry in body["batch_data"]:
        for slot, element in zip(body["id_schema"], entry, strict=True):
            assert element == {} or element["id"] in own[slot]
    assert {"EMAIL_SHA256", "PHONE_SHA256", "IDFA_SHA256", "AAID_SHA256"} == set(body["id_schema"])
    assert found(pipeline) == {
        "Foodies": slots_digest(
            EMAIL_SHA256=EMAIL,
            PHONE_SHA256=[PHONE[n] for n in range(9) if n % 3],
            IDFA_SHA256=IDFA,
            AAID_SHA256=[AAID[n] for n in range(9) if n % 2],
        )
    }
    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert (receipt["rows"]["sent"], receipt["rows"]["invalid"]) == (9, 1), "nobody is sent without an identifier"


def test_rows_are_added_to_further_audiences_both_old_and_new(pipeline: Pipeline) -> None:
    pipeline.upload("tiktok/Old/streaming/1.csv", emails(PEOPLE[20:25]))
    rows = [f"{PEOPLE[0]},Old;New", f"{PEOPLE[1]},", f"{PEOPLE[2]},New", f"{PEOPLE[3]},Foodies"]
    version = pipeline.upload(ADD.format(2), ("email_sha256,audiences\n" + "\n".join(rows) + "\n").encode())

    pipeline.run()

    assert not reasons(pipeline)
    assert found(pipeline) == {
        "Old": slots_digest(EMAIL_SHA256=[*PEOPLE[20:25], PEOPLE[0]]),
        "New": slots_digest(EMAIL_SHA256=[PEOPLE[0], PEOPLE[2]]),
        "Foodies": slots_digest(EMAIL_SHA256=PEOPLE[:4]),
    }
    assert [each["audience"] for each in (pipeline.receipt(version) or {})["applied"]] == ["Foodies", "Old", "New"]


@pytest.mark.parametrize("allowed", [True, False])
def test_raw_columns_are_hashed_where_that_is_allowed(new_pipeline: Callable[..., Pipeline], allowed: bool) -> None:
    pipeline = new_pipeline(allow_raw_identifiers=allowed)
    pipeline.upload(ADD.format(1), b"email,phone\n Alice_ABC@gmail.com ,+1 213 373 4253\n")

    pipeline.run()

    if not allowed:
        assert reasons(pipeline) == ["raw_identifiers_not_allowed"]
        assert not pipeline.calls()
        return
    assert found(pipeline) == {
        "Foodies": slots_digest(
            EMAIL_SHA256=["848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f"],
            PHONE_SHA256=["9f7ec22d72092cd3c0b58726ed9c2d91b92e51a3f29837508fb2948bb22dd2fd"],
        )
    }


@pytest.mark.parametrize("thread_count", [1, 3])
def test_after_a_crash_at_any_batch_the_batches_before_it_are_not_sent_again(
    new_pipeline: Callable[..., Pipeline],
    tiktok: EmulatorServer,
    monkeypatch: pytest.MonkeyPatch,
    sent: list[dict[str, Any]],
    thread_count: int,
) -> None:
    monkeypatch.setattr("lambdas.tiktok.segments.MOST_ENTRIES", 10)
    pipeline = new_pipeline(thread_count=thread_count)
    batches = 7
    for killed_at in range(batches):
        sent.clear()
        people = any_hashes(10 * batches - 3, seed=f"{thread_count} {killed_at}")
        pipeline.arm(_KilledAtMapping(killed_at))
        version = pipeline.upload(f"tiktok/at {killed_at}/streaming/1.csv", emails(people))

        pipeline.run()

        assert (pipeline.receipt(version) or {})["rows"]["sent"] == len(people)
        assert found(pipeline)[f"at {killed_at}"] == slots_digest(EMAIL_SHA256=people)
        # Only the round that was under way may be sent twice.
        times = [
            sum(entry[0]["id"] == people[10 * n] for body in sent for entry in body["batch_data"]) for n in range(7)
        ]
        finished = killed_at // thread_count * thread_count
        assert times[:finished] == [1] * finished
        assert max(times) <= 2
        assert sum(times) < batches + thread_count


def test_a_file_that_another_one_has_finished_is_told_as_sent_whole(
    new_pipeline: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.tiktok.segments.MOST_ENTRIES", 10)
    pipeline = new_pipeline(thread_count=1)
    first = pipeline.upload(ADD.format(1), emails(PEOPLE[:30]))
    pipeline.arm(_KilledAtMapping(1))
    [message] = pipeline.queue.messages.values()
    pipeline.deliver(message)
    pipeline.clock.sleep(HELD_SECONDS)
    pipeline.upload(ADD.format(2), emails(PEOPLE[30:40]))

    pipeline.run()

    assert found(pipeline) == {"Foodies": slots_digest(EMAIL_SHA256=PEOPLE[:40])}
    assert (pipeline.receipt(first) or {})["rows"]["sent"] == 30


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("tiktok/Foodies/email_sha256/1.csv", "tiktok/Foodies/streaming/add/2.csv", "not_a_streaming_audience"),
        ("tiktok/Foodies/email_sha256/1.csv", "tiktok/Foodies/streaming/delete/2.csv", "not_a_streaming_audience"),
        ("tiktok/Foodies/streaming/1.csv", "tiktok/Foodies/email_sha256/2.csv", "not_a_customer_file"),
        ("tiktok/Foodies/streaming/1.csv", "tiktok/Foodies/email_sha256/replace/2.csv", "not_a_customer_file"),
    ],
)
def test_an_audience_takes_one_route_only(pipeline: Pipeline, first: str, second: str, reason: str) -> None:
    pipeline.upload(first, emails(PEOPLE[:9]))
    pipeline.run()
    before = found(pipeline)
    pipeline.upload(second, emails(PEOPLE[5:15]))

    pipeline.run()

    assert reasons(pipeline) == [reason]
    assert found(pipeline) == before
    assert before["Foodies"] in (members_digest(PEOPLE[:9]), slots_digest(EMAIL_SHA256=PEOPLE[:9]))


def test_a_name_that_tiktok_would_cut_is_refused(pipeline: Pipeline) -> None:
    pipeline.upload(f"tiktok/{'x' * 71}/streaming/1.csv", emails(PEOPLE[:3]))
    pipeline.upload(f"tiktok/{'y' * 70}/streaming/1.csv", emails(PEOPLE[:3]))

    pipeline.run()

    assert reasons(pipeline) == ["bad_key"]
    assert list(found(pipeline)) == ["y" * 70]


def test_what_was_sent_for_one_plan_does_not_count_for_the_next(
    new_pipeline: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delete is interrupted; a late add finishes it, adds, and is interrupted before the delete is repeated."""
    pipeline = new_pipeline(thread_count=1)
    monkeypatch.setattr(segments, "MOST_ENTRIES", 1)
    at_once = SegmentApi.map

    def slowly(api: SegmentApi, *given: Any) -> str:
        pipeline.clock.sleep(10)
        return at_once(api, *given)

    monkeypatch.setattr(SegmentApi, "map", slowly)
    everybody, opted_out = PEOPLE[:10], PEOPLE[:5]
    pipeline.upload(ADD.format("all"), emails(everybody), second=1)
    pipeline.run()
    late = pipeline.store(ADD.format("late"), emails(opted_out), second=2)
    pipeline.upload(DELETE.format("opted out"), emails(opted_out), second=3)
    pipeline.function_seconds = STEP_SECONDS + 5
    pipeline.deliver_next()
    [copy] = pipeline.queue.messages.values()
    pipeline.queue.messages = {}
    pipeline.send(notification_of(late))
    while found(pipeline)["Foodies"] != slots_digest(EMAIL_SHA256=everybody):
        pipeline.deliver_next()
    pipeline.queue.messages[copy.id] = copy
    pipeline.function_seconds = 900

    pipeline.deliver(copy)
    pipeline.run()

    assert found(pipeline) == {"Foodies": slots_digest(EMAIL_SHA256=everybody[5:])}
    assert not pipeline.queue.dead_letters
