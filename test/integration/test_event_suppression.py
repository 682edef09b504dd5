"""Who is on the suppression list is not told of to TikTok, by whichever identifier the list knows them."""

import hashlib
from typing import Any

import pytest

from lambdas.identifiers.models import IdentifierSpace
from lambdas.objects import ObjectVersion
from test.support.crashes import Tripwire
from test.support.event_receipts import account
from test.support.events import SOURCE_IDS, EventsPipeline, LiveEvents, any_fields, json_lines
from test.support.suppressions import suppress

EMAIL, PHONE, DEVICE = "jo@example.com", "+442071838750", "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"


def upload(events: EventsPipeline, source: str, *rows: dict[str, Any]) -> ObjectVersion:
    return events.upload(f"events/{source}/{SOURCE_IDS[source]}/a.jsonl", json_lines(*rows))


@pytest.mark.parametrize(
    ("space", "suppressed", "source", "fields"),
    [
        (IdentifierSpace.EMAIL_SHA256, EMAIL, "offline", {"email": "  JO@Example.com "}),
        (IdentifierSpace.EMAIL_SHA256, EMAIL, "offline", {"email": ["other@example.com", EMAIL]}),
        (IdentifierSpace.EMAIL_SHA256, "jodoe@example.com", "offline", {"email": "jo.doe+shop@example.com"}),
        (
            IdentifierSpace.EMAIL_SHA256,
            EMAIL,
            "offline",
            {"email": None, "email_sha256": hashlib.sha256(EMAIL.encode()).hexdigest().upper()},
        ),
        (IdentifierSpace.PHONE_SHA256, PHONE, "offline", {"email": None, "phone": "+44 20 7183 8750"}),
        (IdentifierSpace.PHONE_SHA256, PHONE[1:], "offline", {"email": None, "phone": "+44 20 7183 8750"}),
        (IdentifierSpace.DEVICE_SHA256, DEVICE, "app", {"email": None, "idfa": DEVICE.upper()}),
        (IdentifierSpace.DEVICE_MD5, DEVICE, "app", {"email": None, "gaid": DEVICE}),
    ],
)
def test_an_event_whose_only_identifier_is_suppressed_is_dropped(
    events: EventsPipeline, space: IdentifierSpace, suppressed: str, source: str, fields: dict[str, Any]
) -> None:
    suppress(events, space, suppressed)
    version = upload(events, source, any_fields(source, 1, **fields), any_fields(source, 2))

    events.run()

    assert events.counts(source)["received"] == 1
    assert account(events.receipt(version)) == {"read": 2, "sent": 1, "suppressed": 1}
    assert events.rejected(version) is None


def test_what_else_identifies_an_event_is_still_sent(events: EventsPipeline) -> None:
    suppress(events, IdentifierSpace.EMAIL_SHA256, EMAIL)
    version = upload(events, "web", any_fields("web", email=EMAIL, phone=PHONE, external_id="7", city="Wien"))

    events.run()

    [body] = events.bodies("web")
    assert set(body["user"]) == {"phone", "external_id", "city"}
    assert account(events.receipt(version)) == {"read": 1, "sent": 1}


def test_the_id_of_an_event_does_not_depend_on_who_is_suppressed(events: EventsPipeline) -> None:
    row = any_fields("web", email=EMAIL, external_id="7")
    upload(events, "web", row)
    events.run()
    suppress(events, IdentifierSpace.EMAIL_SHA256, EMAIL)
    upload(events, "web", row)

    events.run()

    assert len({body["event_id"] for body in events.bodies("web")}) == 1
    assert events.counts("web")["counted"] == 1


def test_a_list_that_comes_before_a_retry_holds_for_it(events: EventsPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambdas.events.batches.MOST_EVENTS", 1)
    events.change_settings(thread_count=1)
    version = upload(events, "crm", any_fields("crm", 1), any_fields("crm", 2, email=EMAIL), any_fields("crm", 3))
    events.arm(_KilledAtRequest(2))
    events.deliver_next()
    suppress(events, IdentifierSpace.EMAIL_SHA256, EMAIL)

    events.run()

    assert ["email" in body.get("user", {}) for body in events.bodies("crm")] == [True, False, True]
    assert account(events.receipt(version)) == {"read": 3, "sent": 3}


class _KilledAtRequest(Tripwire):
    """Kills before a request with events is made."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._left = number

    def around(self, name: str, call: Any) -> Any:
        """Make a call."""
        if name.startswith("event/track"):
            self._left -= 1
            if self._left == 0:
                self.kill_at = self.moments + 1
        return super().around(name, call)


def test_live_events_of_suppressed_people_are_dropped(live: LiveEvents) -> None:
    suppress(live, IdentifierSpace.EMAIL_SHA256, EMAIL)
    live.put_event("web", any_fields("web", 1, email=EMAIL))
    live.put_event("web", any_fields("web", 2))

    live.run()

    assert live.counts("web")["received"] == 1
    assert not live.queue.dead_letters
