"""A delivery of events goes on as it was begun, whatever has changed, and forgets nothing that TikTok has taken."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lambdas.events import handler
from lambdas.identifiers.models import IdentifierSpace
from lambdas.tiktok.protocol import Answer, Request
from lambdas.tiktok.transport import HttpTransport
from local.emulator.server import EmulatorServer
from test.support.crashes import Killed, Tripwire
from test.support.event_receipts import account
from test.support.events import NOW, SOURCE_IDS, EventsPipeline, LiveEvents, any_fields, json_lines
from test.support.stage import Stage
from test.support.suppressions import suppress

WEB = f"events/web/{SOURCE_IDS['web']}/a.jsonl"
DAY = 86_400
FAILURE = Answer(200, b'{"code": 50000, "message": "System error", "request_id": "1", "data": {}}')
ALWAYS = 10_000


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> set[bytes]:
    """TikTok fails at every request that holds one of these."""
    marks: set[bytes] = set()
    send = HttpTransport.send

    def send_or_fail(self: HttpTransport, request: Request, access_token: str) -> Answer:
        if request.json is not None and any(mark in request.json for mark in marks):
            return FAILURE
        return send(self, request, access_token)

    monkeypatch.setattr(HttpTransport, "send", send_or_fail)
    return marks


@pytest.mark.parametrize(
    ("before", "after", "row"),
    [
        ({"max_event_age_days": 28}, {"max_event_age_days": 1}, {"event_time": NOW - 10 * DAY}),
        ({"max_event_age_days": 1}, {"max_event_age_days": 28}, {"event_time": NOW - 10 * DAY}),
        ({"default_country": "GB"}, {"default_country": None}, {"email": None, "phone": "020 7183 8750"}),
    ],
)
@pytest.mark.parametrize("is_mended_first", [True, False])
def test_a_deployment_between_two_attempts_makes_no_event_vanish(
    new_events: Callable[..., EventsPipeline],
    tiktok: EmulatorServer,
    before: dict[str, Any],
    after: dict[str, Any],
    row: dict[str, Any],
    is_mended_first: bool,
) -> None:
    def of_all_sources(changes: dict[str, Any]) -> dict[str, Any]:
        days = changes.get("max_event_age_days")
        return changes if days is None else {"max_event_age_days": dict.fromkeys(SOURCE_IDS, days)}

    events = new_events(**of_all_sources(before), max_receive_count=2)
    path = "event/track" if is_mended_first else "nothing"
    tiktok.tell("faults", [{"path": path, "times": ALWAYS, "kind": "http", "status": 502}])
    version = events.upload(WEB, json_lines(any_fields("web", 1), any_fields("web", 2, **row)))
    events.run()
    tiktok.tell("faults", [])
    events.change_settings(**of_all_sources(after))
    events.replay()

    events.run()

    counts = account(events.receipt(version))
    assert counts["sent"] == events.counts("web")["counted"]
    assert counts["sent"] + counts.get("invalid", 0) == 2
    assert len(events.rejected(version) or []) == counts.get("invalid", 0)


def test_what_a_failed_round_has_delivered_is_written_down(
    new_events: Callable[..., EventsPipeline], tiktok: EmulatorServer, failing: set[bytes]
) -> None:
    events = new_events(max_receive_count=2)
    failing.add(b"order 1500")
    rows = [any_fields("web", number, event_id=f"order {number:04}") for number in range(1, 5_001)]
    version = events.upload(WEB, json_lines(*rows))
    events.deliver_next()
    assert 0 < events.counts("web")["counted"] <= 4_000
    tiktok.tell("clock", {"advance_seconds": 49 * 3_600})
    failing.clear()

    events.run()

    # Beyond TikTok's 48 hours only the ledger knows what it has.
    assert events.counts("web")["counted"] == 5_000
    assert account(events.receipt(version)) == {"read": 5_000, "sent": 5_000}


def test_settings_that_change_after_a_delivery_has_begun_do_not_send_its_events_under_other_ids(
    new_events: Callable[..., EventsPipeline], failing: set[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.events.batches.MOST_EVENTS", 1)
    events = new_events(max_receive_count=1)
    failing.add(b"shop 3")
    rows = [any_fields("web", number, Filiale=f"shop {number}") for number in range(1, 5)]
    events.put_source_settings("web", SOURCE_IDS["web"], mapping={"columns": {"Filiale": "shop_id"}})
    version = events.upload(WEB, json_lines(*rows))
    events.deliver_next()
    events.put_source_settings(
        "web", SOURCE_IDS["web"], mapping={"columns": {"Filiale": "description"}}, on_invalid_row="refuse"
    )
    failing.clear()

    events.run()

    assert events.counts("web") | {"received": 4, "counted": 4} == events.counts("web")
    assert account(events.receipt(version)) == {"read": 4, "sent": 4}


def test_an_attempt_that_gets_on_uses_up_none(
    new_events: Callable[..., EventsPipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.events.batches.MOST_EVENTS", 2)
    send, answers = HttpTransport.send, _a_few_then_failures()

    def send_or_fail(self: HttpTransport, request: Request, access_token: str) -> Answer:
        return send(self, request, access_token) if request.json is None or next(answers) else FAILURE

    monkeypatch.setattr(HttpTransport, "send", send_or_fail)
    events = new_events(thread_count=1, max_receive_count=3)
    version = events.upload(WEB, json_lines(*(any_fields("web", number) for number in range(1, 61))))

    events.run()

    assert not events.queue.dead_letters
    assert account(events.receipt(version)) == {"read": 60, "sent": 60}


def _a_few_then_failures() -> Iterator[bool]:
    while True:
        yield from (True, True, True, False, False, False, False)


class _Deadline(Tripwire):
    """Each call to TikTok takes its time, and Lambda kills what is not over by its end."""

    def __init__(self, stage: Stage, seconds_a_call: float) -> None:
        super().__init__()
        self.stage, self.seconds = stage, seconds_a_call
        self.ends = stage.clock.now() + stage.function_seconds
        self._invocation = 0

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        """Make a call."""
        if self._invocation != self.stage.invocations:
            self._invocation = self.stage.invocations
            self.ends = self.stage.clock.now() + self.stage.function_seconds
        if name.startswith("event/track"):
            self.stage.clock.sleep(self.seconds)
        if self.stage.clock.now() > self.ends:
            raise Killed
        return call()


def test_however_long_bad_events_take_no_function_is_stopped_over_them(
    new_events: Callable[..., EventsPipeline], tiktok: EmulatorServer
) -> None:
    events = new_events(thread_count=1)
    tiktok.tell("poison", {"events": ["Poison"]})
    wire = _Deadline(events, seconds_a_call=2)
    events.arm(wire)
    names = ["Poison" if number * 7 % 10 < 4 else "Purchase" for number in range(1, 1_001)]
    rows = [any_fields("web", number, event=name) for number, name in enumerate(names, start=1)]
    version = events.upload(WEB, json_lines(*rows))

    events.run()

    assert account(events.receipt(version)) == {"read": 1_000, "sent": 600, "refused": 400}
    assert events.counts("web") | {"received": 600, "counted": 600} == events.counts("web")
    assert events.wire is wire, "nothing was killed"
    assert events.invocations > 2


def test_however_long_bad_live_events_take_the_good_ones_arrive(
    new_live: Callable[..., LiveEvents], tiktok: EmulatorServer
) -> None:
    live = new_live()
    tiktok.tell("poison", {"events": ["Poison"]})
    wire = _Deadline(live, seconds_a_call=1)
    live.arm(wire)
    for number in range(1, 401):
        live.put_event("web", any_fields("web", number, event="Poison" if number % 5 == 1 else "Purchase"))

    live.run()

    assert live.counts("web") | {"received": 320, "counted": 320} == live.counts("web")
    assert {letter.reason for letter in live.queue.dead_letters} == {"tiktok_refused"}
    assert len(live.queue.dead_letters) == 80
    assert live.wire is wire, "nothing was killed"


def test_a_live_event_keeps_its_id_when_the_token_is_mended_on_the_way(
    new_live: Callable[..., LiveEvents], tiktok: EmulatorServer
) -> None:
    live = new_live()
    row = any_fields("web", email="jo@example.com", external_id="7")
    live.put_event("web", row)
    live.run()
    suppress(live, IdentifierSpace.EMAIL_SHA256, "jo@example.com")
    live.put_credentials("an old token", tiktok.advertiser_id)
    live.cold_start()
    live.put_event("crm", any_fields("crm"))
    live.deliver_next()
    live.put_credentials(tiktok.access_token, tiktok.advertiser_id)
    live.put_event("web", row)

    live.run()

    assert len({body["event_id"] for body in live.bodies("web")}) == 1
    assert live.counts("web")["counted"] == 1


def test_a_check_that_takes_too_long_is_told_as_such(events: EventsPipeline) -> None:
    class Slow(Tripwire):
        def around(self, name: str, call: Callable[[], Any]) -> Any:
            if name == "get_object":
                events.clock.sleep(events.function_seconds - 100)
            return super().around(name, call)

    events.arm(Slow())
    events.upload(WEB, json_lines(any_fields("web")))

    events.run()

    [letter] = events.queue.dead_letters
    assert letter.reason == "file_too_large"
    assert "Split" in letter.detail


@pytest.mark.parametrize("word", ["NULL", "null", "None", "nan", " ", ""])
def test_a_word_for_nothing_is_no_event_id(events: EventsPipeline, word: str) -> None:
    version = events.upload(WEB, json_lines(*(any_fields("web", number, event_id=word) for number in range(1, 4))))

    events.run()

    assert events.counts("web")["counted"] == 3
    assert account(events.receipt(version)) == {"read": 3, "sent": 3}


def test_a_row_that_says_nothing_of_consent_is_not_sent_beside_rows_that_do(events: EventsPipeline) -> None:
    version = events.upload(
        WEB, json_lines(any_fields("web", 1), any_fields("web", 2, consent="granted"), any_fields("web", 3))
    )

    events.run()

    assert events.counts("web")["received"] == 1
    assert account(events.receipt(version)) == {"read": 3, "sent": 1, "invalid": 2}
    assert [line["reason"] for line in events.rejected(version) or []] == ["bad_consent"] * 2


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("a.csv", b"event,event_time,email,page_url,optin2\n", "missing_columns"),
        ("a.jsonl", json_lines(any_fields("web", optin2="denied")), "no_valid_event"),
    ],
)
def test_where_the_settings_name_the_column_of_consent_a_file_without_it_is_refused(
    events: EventsPipeline, file: str, content: bytes, reason: str
) -> None:
    events.put_source_settings("web", SOURCE_IDS["web"], mapping={"columns": {"opt_in": "consent"}})
    events.upload(f"events/web/{SOURCE_IDS['web']}/{file}", content)

    events.run()

    assert [letter.reason for letter in events.queue.dead_letters] == [reason]
    assert events.counts("web")["received"] == 0


def test_the_code_of_a_test_ends_with_the_settings_that_named_it(events: EventsPipeline) -> None:
    events.put_source_settings(
        "web", SOURCE_IDS["web"], test_event_code="TEST1", mapping={"events": {"buy": "Purchase"}}
    )
    events.upload(WEB, json_lines(any_fields("web", 1, event="buy")))
    events.run()
    events.s3.delete_object(Bucket="data", Key=f"events/web/{SOURCE_IDS['web']}/source.json")
    events.upload(WEB, json_lines(any_fields("web", 2, event="buy")))

    events.run()

    assert events.counts("web") | {"test": 1, "counted": 1} == events.counts("web")


def test_nothing_that_tiktok_quotes_of_an_event_is_kept(events: EventsPipeline, tiktok: EmulatorServer) -> None:
    row = any_fields(
        "web", 1, ttclid="E.C.P.abc", ip="10.1.2.3", page_url="https://shop.example/jo", city="Wien", value=4711
    )
    quoting = "data.0.user.ttclid: E.C.P.abc of 10.1.2.3 in wien at https://shop.example/jo for 4711 is wrong"
    tiktok.tell("faults", [{"path": "event/track", "times": 2, "kind": "code", "code": 40002, "message": quoting}])
    version = events.upload(WEB, json_lines(row))

    events.run()

    receipt = events.receipt(version)
    told = json.dumps(receipt) + repr(events.queue.dead_letters[0].detail)
    assert "data.0.user.ttclid" in told
    assert not [trace for trace in ("E.C.P", "10.1.2", "wien", "shop.example", "4711") if trace in told]


@pytest.mark.parametrize("name", ["emulatedpixel0000001", "c4a1b2c3d4e5f6a7b8c9", "7000000000000"])
def test_nothing_is_created_under_a_name_that_looks_like_an_id(
    new_events: Callable[..., EventsPipeline], name: str
) -> None:
    events = new_events(create_missing_event_sources=True)
    events.upload(f"events/offline/{name}/a.jsonl", json_lines(any_fields("offline")))

    events.run()

    [letter] = events.queue.dead_letters
    assert letter.reason == "event_source_missing"
    assert "looks like an id" in letter.detail
    assert not events.calls("create/")


def test_what_tiktok_says_of_the_request_is_no_matter_of_its_events(
    new_events: Callable[..., EventsPipeline], tiktok: EmulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.events.batches.MOST_EVENTS", 10)
    events = new_events(thread_count=1)
    version = events.upload(WEB, json_lines(*(any_fields("web", number) for number in range(1, 101))))

    class PartnerBlocked(Tripwire):
        """After some requests TikTok does not know the partner any more."""

        def around(self, name: str, call: Callable[[], Any]) -> Any:
            if sum(each.startswith("event/track") for each in self.calls) == 4:
                tiktok.tell("faults", [{"path": "event/track", "times": ALWAYS, "kind": "code", "code": 40063}])
            return super().around(name, call)

    events.arm(PartnerBlocked())
    events.run()
    [letter] = events.queue.dead_letters
    assert letter.reason == "tiktok_rejected"
    assert account(events.receipt(version)) == {"read": 100, "sent": 40, "withheld": 60}
    tiktok.tell("faults", [])

    events.arm(Tripwire())
    events.replay()
    events.run()

    assert account(events.receipt(version)) == {"read": 100, "sent": 100}
    assert events.counts("web") | {"received": 100, "counted": 100} == events.counts("web")


def test_a_file_of_which_tiktok_has_nothing_is_sent_with_what_the_settings_say_now(events: EventsPipeline) -> None:
    events.change_settings(max_receive_count=2)
    token = events.emulator.access_token
    events.put_credentials("a token that was revoked", events.emulator.advertiser_id)
    version = events.upload(WEB, json_lines(any_fields("web")))
    events.run()
    assert [letter.reason for letter in events.queue.dead_letters] == ["token_rejected"]
    events.put_source_settings("web", SOURCE_IDS["web"], limited_data_use=True)
    events.put_credentials(token, events.emulator.advertiser_id)

    events.replay()
    events.run()

    assert account(events.receipt(version)) == {"read": 1, "sent": 1}
    assert [body["limited_data_use"] for body in events.bodies("web")] == [True]


def test_a_code_that_no_table_lists_is_counted(
    events: EventsPipeline, tiktok: EmulatorServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiktok.tell("faults", [{"path": "event/track", "times": 2, "kind": "code", "code": 40777}])
    events.upload(WEB, json_lines(any_fields("web", 1)))
    [message] = events.queue.messages.values()
    monkeypatch.setattr(handler, "_application", lambda: events.application)

    handler.handle({"Records": [message.as_record()]}, events.new_context())

    printed = capsys.readouterr().out
    assert '"UnlistedCodes"' in printed
    # Also of a file that is rejected.
    assert re.search(r'"EventsRefusedByTikTok": ?\[[^]]*1\.0\]', printed)


def test_the_settings_that_were_last_read_are_remembered_whoever_read_them(
    new_events: Callable[..., EventsPipeline],
) -> None:
    events = new_events()
    first = events.application
    for number, limited in enumerate((True, False, True)):
        events.put_source_settings("web", SOURCE_IDS["web"], limited_data_use=limited)
        events.cold_start()
        events.application = events.application if number == 1 else first
        events.upload(f"events/web/{SOURCE_IDS['web']}/{number}.jsonl", json_lines(any_fields("web", number + 1)))
        events.run()
    events.s3.delete_object(Bucket="data", Key=f"events/web/{SOURCE_IDS['web']}/source.json")
    events.upload(WEB, json_lines(any_fields("web", 4)))

    events.run()

    assert [body["limited_data_use"] for body in events.bodies("web")] == [True, False, True, True]
