import json
from collections.abc import Callable
from typing import Any

import pytest

from local.emulator.server import EmulatorServer
from test.support.events import SOURCE_IDS, LiveEvents, any_fields


def as_announced(detail: Any, kind: str = "TikTok Event") -> str:
    """An event of EventBridge, as it reaches the queue."""
    return json.dumps({"version": "0", "id": "1", "detail-type": kind, "source": "tiktok.events", "detail": detail})


def test_many_messages_of_one_source_are_sent_together(live: LiveEvents) -> None:
    for number in range(1, 61):
        live.put_event("web", any_fields("web", number))
        live.put_event("crm", any_fields("crm", number))

    live.deliver_next()

    assert not live.queue.messages
    assert (live.counts("web")["counted"], live.counts("crm")["counted"]) == (60, 60)
    assert len(live.calls("event/track/")) == 2


def test_an_event_comes_over_the_event_bus_as_well(live: LiveEvents) -> None:
    live.send(as_announced({"source": "web", "event_source": SOURCE_IDS["web"], "fields": any_fields("web")}))

    live.run()

    assert live.counts("web")["counted"] == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "not_an_event"),
        ("{", "not_an_event"),
        ("[]", "not_an_event"),
        ('"web"', "not_an_event"),
        ("[" * 50_000, "not_an_event"),
        (f'"{"x" * 70_000}"', "invalid_event"),
        ('{"source": "web", "source": "crm", "event_source": "x", "fields": {}}', "not_an_event"),
        ('{"source": "web", "event_source": "x", "fields": NaN}', "not_an_event"),
        ('{"source": "web", "event_source": "x"}', "not_an_event"),
        ('{"source": "web", "event_source": 5, "fields": {}}', "not_an_event"),
        ('{"source": "web", "event_source": "x", "fields": []}', "not_an_event"),
        (as_announced("web"), "not_an_event"),
        (as_announced({}, kind="Another"), "not_an_event"),
        ('{"source": "shop", "event_source": "x", "fields": {}}', "bad_event_source"),
        ('{"source": "app", "event_source": "x", "fields": {}}', "bad_event_source"),
        ('{"source": "web", "event_source": " ", "fields": {}}', "bad_event_source"),
        ('{"source": "web", "event_source": "\\ud800", "fields": {}}', "bad_event_source"),
        (json.dumps({"source": "web", "event_source": SOURCE_IDS["web"], "fields": {}}), "invalid_event"),
        (
            json.dumps({"source": "web", "event_source": "No such pixel", "fields": any_fields("web")}),
            "event_source_missing",
        ),
    ],
)
def test_a_message_that_cannot_be_sent_is_a_dead_letter_and_holds_up_no_other(
    live: LiveEvents, body: str, reason: str
) -> None:
    live.put_event("web", any_fields("web"))
    live.send(body)

    live.run()

    assert [(letter.reason, letter.body) for letter in live.queue.dead_letters] == [(reason, body)]
    assert live.counts("web")["counted"] == 1


def test_a_dead_letter_tells_what_is_wrong_with_an_event_and_nothing_of_its_content(live: LiveEvents) -> None:
    live.put_event("web", any_fields("web", currency="jo@example.com"))

    live.run()

    [letter] = live.queue.dead_letters
    assert "bad_currency" in letter.detail
    assert "example.com" not in letter.detail


def test_a_poisoned_event_is_the_only_dead_letter(live: LiveEvents, tiktok: EmulatorServer) -> None:
    tiktok.tell("poison", {"event_ids": ["order 7"]})
    for number in range(1, 41):
        live.put_event("offline", any_fields("offline", number, event_id=f"order {number}"))

    live.run()

    assert live.counts("offline")["counted"] == 39
    [letter] = live.queue.dead_letters
    assert letter.reason == "tiktok_refused"
    assert "order 7" in letter.body


def test_consent_and_limited_data_use_hold_for_live_events(new_live: Callable[..., LiveEvents]) -> None:
    live = new_live(limited_data_use=True)
    live.put_event("web", any_fields("web", 1, consent="denied"))
    live.put_event("web", any_fields("web", 2, consent="granted"))

    live.run()

    [body] = live.bodies("web")
    assert body["limited_data_use"] is True
    assert not live.queue.dead_letters


def test_the_settings_of_the_event_source_hold_for_live_events(live: LiveEvents) -> None:
    live.put_source_settings("web", SOURCE_IDS["web"], test_event_code="TEST1", mapping={"events": {"buy": "Purchase"}})
    live.put_event("web", any_fields("web", event="buy"))

    live.run()

    assert live.counts("web")["test"] == 1


def test_wrong_settings_are_told_of_every_event_of_that_source_alone(live: LiveEvents) -> None:
    live.put_source_settings("web", SOURCE_IDS["web"], test_event_code=5)
    live.put_event("web", any_fields("web"))
    live.put_event("crm", any_fields("crm"))

    live.run()

    assert [letter.reason for letter in live.queue.dead_letters] == ["bad_source_settings"]
    assert live.counts("crm")["counted"] == 1

    live.put_source_settings("web", SOURCE_IDS["web"])
    live.replay()
    live.run()
    assert live.counts("web")["counted"] == 1


def test_the_same_message_twice_is_one_event(live: LiveEvents) -> None:
    for _ in range(2):
        live.put_event("app", any_fields("app"))

    live.run()

    assert live.counts("app")["counted"] == 1


def test_while_tiktok_is_down_events_wait_and_are_tried_again(
    new_live: Callable[..., LiveEvents], tiktok: EmulatorServer
) -> None:
    live = new_live(max_receive_count=2)
    tiktok.tell("faults", [{"path": "event/track", "times": 1_000, "kind": "http", "status": 502}])
    for number in range(1, 4):
        live.put_event("web", any_fields("web", number))

    live.run()

    assert [letter.reason for letter in live.queue.dead_letters] == ["tiktok_unavailable"] * 3
    tiktok.tell("faults", [])
    live.replay()
    live.run()
    assert live.counts("web")["counted"] == 3


def test_one_defect_spares_all_other_events(live: LiveEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    from lambdas.events.rows.check import EventChecker

    check = EventChecker.check

    def defective(self: EventChecker, fields: Any) -> Any:
        if fields.get("event_id") == "defect":
            raise KeyError("jo@example.com")
        return check(self, fields)

    monkeypatch.setattr(EventChecker, "check", defective)
    live.put_event("web", any_fields("web", 1, event_id="defect"))
    live.put_event("web", any_fields("web", 2))

    live.run()

    assert live.counts("web")["counted"] == 1
    [letter] = live.queue.dead_letters
    assert letter.reason == "unexpected_error"
    assert "example.com" not in letter.detail


def test_an_event_that_was_tried_too_often_is_not_sent_once_more(live: LiveEvents) -> None:
    live.put_event("web", any_fields("web"))
    [message] = live.queue.messages.values()
    message.receives = live.settings.max_receive_count

    live.run()

    assert [letter.reason for letter in live.queue.dead_letters] == ["interrupted"]
    assert live.counts("web")["received"] == 0
