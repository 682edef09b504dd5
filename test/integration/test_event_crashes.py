"""Events through kills, faults and poison: TikTok counts each event once, and each is accounted for."""

from collections.abc import Callable, Iterable

import pytest

from local.emulator.server import EmulatorServer
from test.support.crashes import Tripwire
from test.support.event_receipts import account
from test.support.events import SOURCE_IDS, EventsPipeline, LiveEvents, any_fields, json_lines
from test.support.memory_ledger import Table
from test.support.scenes import use_memory_ledger

WEB = f"events/web/{SOURCE_IDS['web']}/{{}}.jsonl"
NAMED = "events/web/Our shop/{}.jsonl"
FOR_EVER = 10_000
REFUSED = 20001  # of a single event: it is written back
# More than a delivery has, so that none is left out.
MOMENTS = range(1, 121)
FAULTS: dict[str, dict[str, object]] = {
    "code 40100": {"kind": "code", "code": 40100},
    "code 50000": {"kind": "code", "code": 50000},
    "code 40105": {"kind": "code", "code": 40105},
    "code 20001": {"kind": "code", "code": REFUSED},
    "HTTP 502": {"kind": "http", "status": 502},
    "timeout": {"kind": "timeout"},
    "drop before commit": {"kind": "drop_before_commit"},
    "drop after commit": {"kind": "drop_after_commit"},
}


@pytest.fixture
def _small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    use_memory_ledger(monkeypatch)
    monkeypatch.setattr("lambdas.events.batches.MOST_EVENTS", 3)


def rows(first: int, count: int) -> Iterable[dict[str, object] | str]:
    """Valid events, and one that is not, in their midst."""
    valid = [any_fields("web", number) for number in range(first, first + count)]
    return [*valid[: count // 2], "{", *valid[count // 2 :]]


@pytest.mark.usefixtures("_small_requests")
@pytest.mark.parametrize("key", [WEB, NAMED], ids=["by its code", "by a name that is new"])
def test_a_kill_between_any_two_calls_changes_nothing_in_the_end(
    new_events: Callable[..., EventsPipeline], key: str
) -> None:
    events = new_events(dynamodb=Table(), thread_count=2, create_missing_event_sources=True)
    events.emulator.tell("poison", {"events": ["Poison"]})
    sent = 0
    for moment in MOMENTS:
        name = key.replace("Our shop", f"Shop {moment}")
        wire = Tripwire(kill_at=moment)
        events.arm(wire)
        content = json_lines(*rows(sent + 1, 14), any_fields("web", sent + 15, event="Poison"))
        sent += 15
        version = events.upload(name.format(f"killed at {moment}"), content)

        events.run()

        receipt = events.receipt(version)
        told = f"killed at {moment}, after {wire.calls[-2:]}"
        assert account(receipt) == {"read": 16, "sent": 14, "invalid": 1, "refused": 1}, told
        assert receipt is not None
        counts = events.counts("web", receipt["event_source"]["id"])
        assert counts["counted"] == (14 if key == NAMED else 14 * moment), told
        assert [line["reason"] for line in events.rejected(version) or []] == ["not_json", "tiktok_refused"], told
        assert not events.queue.dead_letters, told
        if not wire.dead:
            pixels = [pixel["pixel_name"] for pixel in _pixels(events)]
            assert len(pixels) == len(set(pixels))
            return
    raise AssertionError("there are more moments than this test tried")


def _pixels(events: EventsPipeline) -> list[dict[str, str]]:
    found = events.emulator.ask("event_sources")["event_sources"]
    return [{"pixel_name": each["name"]} for each in found if each["event_source"] == "web"]


@pytest.mark.usefixtures("_small_requests")
@pytest.mark.parametrize("times", [1, FOR_EVER], ids=["once", "until the dead-letter queue"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("call", ["event/track", "pixel/list", "pixel/create"])
def test_a_fault_loses_nothing_and_doubles_nothing(
    new_events: Callable[..., EventsPipeline], tiktok: EmulatorServer, call: str, fault: dict[str, object], times: int
) -> None:
    events = new_events(
        dynamodb=Table(),
        thread_count=2,
        create_missing_event_sources=True,
        read_seconds=0.2,
        max_receive_count=2 if times > 1 else 5,
    )
    tiktok.tell("faults", [{"path": call, "times": times, **fault}])
    version = events.upload(NAMED.format("a"), json_lines(*rows(1, 20)))

    events.run(most_deliveries=60)

    receipt = events.receipt(version)
    is_rejected = fault.get("code") == REFUSED and (times > 1 or call != "event/track")
    if times == 1 and not is_rejected:
        assert receipt is not None, "one fault is survived without anybody's help"
    assert bool(events.queue.dead_letters) == (receipt is None or is_rejected)
    tiktok.tell("faults", [])
    events.replay()
    events.run()

    receipt = events.receipt(version)
    assert account(receipt) == {"read": 21, "sent": 20, "invalid": 1}
    assert receipt is not None
    assert events.counts("web", receipt["event_source"]["id"])["counted"] == 20
    assert [pixel["pixel_name"] for pixel in _pixels(events)].count("Our shop") == 1
    assert not events.queue.dead_letters


@pytest.mark.usefixtures("_small_requests")
@pytest.mark.parametrize("fault", [fault for fault in FAULTS.values() if fault.get("code") != REFUSED])
def test_a_fault_in_the_middle_of_a_file_is_gone_on_from_there(
    new_events: Callable[..., EventsPipeline], tiktok: EmulatorServer, fault: dict[str, object]
) -> None:
    events = new_events(dynamodb=Table(), thread_count=2, read_seconds=0.2, max_receive_count=2)
    wire = _FaultsAfter(3, lambda: tiktok.tell("faults", [{"path": "event/track", "times": FOR_EVER, **fault}]))
    events.arm(wire)
    version = events.upload(WEB.format("a"), json_lines(*rows(1, 40)))
    events.run()
    assert events.queue.dead_letters
    before = events.counts("web")["counted"]
    assert 0 < before < 40
    tiktok.tell("faults", [])
    tiktok.tell("clock", {"advance_seconds": 49 * 3_600})

    events.replay()
    events.run()

    # Beyond TikTok's 48 hours only the ledger knows what it has; at most the last round is sent once more.
    counts = events.counts("web")
    assert 40 <= counts["counted"] <= 40 + 6
    assert account(events.receipt(version)) == {"read": 41, "sent": 40, "invalid": 1}


class _FaultsAfter(Tripwire):
    """Something happens once so many calls to a path were made."""

    def __init__(self, calls: int, happens: Callable[[], object]) -> None:
        super().__init__()
        self._left = calls
        self._happens = happens

    def around(self, name: str, call: Callable[[], object]) -> object:
        """Make a call."""
        result = super().around(name, call)
        if name.startswith("event/track"):
            self._left -= 1
            if self._left == 0:
                self._happens()
        return result


def test_three_poisoned_events_are_named_and_all_others_delivered(
    events: EventsPipeline, tiktok: EmulatorServer
) -> None:
    poisoned = [7, 1_500, 1_501]
    tiktok.tell("poison", {"event_ids": [f"order {number}" for number in poisoned]})
    content = json_lines(*(any_fields("web", number, event_id=f"order {number}") for number in range(1, 3_001)))
    version = events.upload(WEB.format("a"), content)

    events.run()

    assert events.counts("web")["counted"] == 2_997
    receipt = events.receipt(version)
    assert account(receipt) == {"read": 3_000, "sent": 2_997, "refused": 3}
    assert receipt is not None
    [(answer, told)] = receipt["events"]["refused_by_tiktok"]["by_answer"].items()
    assert "40002" in answer
    assert told == {"count": 3, "lines": poisoned}
    assert [line["line"] for line in events.rejected(version) or []] == poisoned
    # Ten halvings for each of them, not two thousand requests.
    assert len(events.calls("event/track/")) < 70
    assert not events.queue.dead_letters


def test_a_file_that_tiktok_refuses_as_a_whole_ends_soon_as_a_dead_letter(
    events: EventsPipeline, tiktok: EmulatorServer
) -> None:
    tiktok.tell("poison", {"events": ["Purchase"]})
    version = events.upload(WEB.format("a"), json_lines(*rows(1, 4_000)))

    events.run()

    assert [letter.reason for letter in events.queue.dead_letters] == ["tiktok_rejected"]
    assert len(events.calls("event/track/")) < 400
    assert account(events.receipt(version)) == {"read": 4_001, "withheld": 4_000, "invalid": 1}
    tiktok.tell("poison", {"events": []})
    events.replay()
    events.run()
    assert events.counts("web")["counted"] == 4_000


@pytest.mark.parametrize("bad", [range(1, 61), range(2, 201), range(1, 200), range(1, 301)])
def test_however_many_events_are_refused_the_rest_is_delivered(
    events: EventsPipeline, tiktok: EmulatorServer, monkeypatch: pytest.MonkeyPatch, bad: Iterable[int]
) -> None:
    monkeypatch.setattr("lambdas.events.batches.MOST_EVENTS", 200)
    tiktok.tell("poison", {"events": ["Poison"]})
    poisoned = set(bad)
    content = json_lines(
        *(any_fields("web", n, event="Poison" if n in poisoned else "Purchase") for n in range(1, 401))
    )
    version = events.upload(WEB.format("a"), content)

    events.run()

    assert events.counts("web")["counted"] == 400 - len(poisoned)
    assert account(events.receipt(version)) == {
        "read": 400,
        "sent": 400 - len(poisoned),
        "refused": len(poisoned),
    }
    assert {line["line"] for line in events.rejected(version) or []} == poisoned


def test_a_file_with_more_refused_events_than_can_be_remembered_is_a_dead_letter_that_accounts_for_all(
    events: EventsPipeline, tiktok: EmulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.events.batches.MOST_EVENTS", 10)
    monkeypatch.setattr("lambdas.events.service._MOST_REFUSED", 20)
    tiktok.tell("poison", {"events": ["Poison"]})
    rows = [any_fields("web", n, event="Poison" if n % 2 else "Purchase") for n in range(1, 201)]
    version = events.upload(WEB.format("a"), json_lines(*rows))

    for _ in range(2):
        events.run()

        [letter] = events.queue.dead_letters
        assert letter.reason == "tiktok_rejected"
        assert account(events.receipt(version)) == {"read": 200, "sent": 25, "refused": 25, "withheld": 150}
        assert len(events.rejected(version) or []) == 25
        assert events.counts("web")["counted"] == 25
        events.replay()


def test_a_few_events_of_which_tiktok_takes_none_are_a_dead_letter(
    events: EventsPipeline, tiktok: EmulatorServer
) -> None:
    tiktok.tell("poison", {"events": ["Purchase"]})
    version = events.upload(WEB.format("a"), json_lines(*rows(1, 3)))

    events.run()

    assert [letter.reason for letter in events.queue.dead_letters] == ["tiktok_rejected"]
    assert account(events.receipt(version)) == {"read": 4, "invalid": 1, "refused": 3}
    assert [line["reason"] for line in events.rejected(version) or []].count("tiktok_refused") == 3


def test_a_pixel_that_the_token_may_not_use_wakes_someone(events: EventsPipeline) -> None:
    version = events.upload("events/web/SOMEBODYELSESPIXEL00/a.jsonl", json_lines(*rows(1, 300)))

    events.run()

    assert [letter.reason for letter in events.queue.dead_letters] == ["permission_missing"]
    assert "Measurement" in events.queue.dead_letters[0].detail
    assert events.receipt(version) is None
    # No halving: it is no matter of single events.
    assert len(events.calls("event/track/")) <= 5


def test_a_partial_success_is_never_plain_success(
    new_events: Callable[..., EventsPipeline], tiktok: EmulatorServer
) -> None:
    events = new_events()
    tiktok.tell("settings", {"accept_the_rest_of_a_bad_request": True})
    tiktok.tell("poison", {"events": ["Poison"]})
    content = json_lines(*rows(1, 40), any_fields("web", 41, event="Poison"))
    version = events.upload(WEB.format("a"), content)

    events.run()

    assert events.counts("web")["counted"] == 40
    assert account(events.receipt(version)) == {"read": 42, "sent": 40, "invalid": 1, "refused": 1}


def test_what_one_invocation_cannot_send_the_next_goes_on_with(
    new_events: Callable[..., EventsPipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.events.batches.MOST_EVENTS", 10)
    events = new_events(thread_count=1)
    wire = _Slow(events, seconds_a_call=100)
    events.arm(wire)
    version = events.upload(WEB.format("a"), json_lines(*rows(1, 200)))

    events.run()

    assert account(events.receipt(version)) == {"read": 201, "sent": 200, "invalid": 1}
    assert events.counts("web") | {"counted": 200, "dropped": 0, "merged": 0} == events.counts("web")
    assert events.invocations > 2
    receipt = events.receipt(version)
    assert receipt is not None
    assert receipt["attempts"] == 1, "waiting is no attempt"


class _Slow(Tripwire):
    """Each call to TikTok takes its time."""

    def __init__(self, events: EventsPipeline, *, seconds_a_call: float) -> None:
        super().__init__()
        self._clock = events.clock
        self._seconds = seconds_a_call

    def around(self, name: str, call: Callable[[], object]) -> object:
        """Make a call."""
        if name.startswith("event/track"):
            self._clock.sleep(self._seconds)
        return super().around(name, call)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_loses_no_live_event_and_doubles_none(
    new_live: Callable[..., LiveEvents], tiktok: EmulatorServer, fault: dict[str, object]
) -> None:
    live = new_live()
    tiktok.tell("faults", [{"path": "event/track", "times": 1, **fault}])
    for number in range(1, 31):
        live.put_event("web", any_fields("web", number))

    live.run()

    assert live.counts("web")["counted"] == 30
    assert not live.queue.dead_letters


def test_a_kill_between_any_two_calls_loses_no_live_event(
    new_live: Callable[..., LiveEvents], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_memory_ledger(monkeypatch)
    live = new_live(dynamodb=Table())
    for moment in MOMENTS:
        wire = Tripwire(kill_at=moment)
        live.arm(wire)
        for number in range(3):
            live.put_event("web", any_fields("web", 3 * moment + number))
            live.put_event("crm", any_fields("crm", 3 * moment + number))

        live.run()

        assert (live.counts("web")["counted"], live.counts("crm")["counted"]) == (3 * moment, 3 * moment)
        assert not live.queue.dead_letters
        if not wire.dead:
            return
    raise AssertionError("there are more moments than this test tried")
