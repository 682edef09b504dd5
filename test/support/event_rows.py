"""Rows of events of each source, with what each of their fields becomes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from lambdas.events.rows.check import EventChecker, EventRules
from lambdas.events.rows.event import CheckedEvent
from lambdas.tiktok.models import EventSource

NOW = 1_795_000_000.0  # 2026-11-18T11:06:40Z
ALICE_SHA256 = "848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f"
PHONE_SHA256 = "9f7ec22d72092cd3c0b58726ed9c2d91b92e51a3f29837508fb2948bb22dd2fd"
USER_123_SHA256 = "80fba0ae1c48e3978e43e4efc365e14e12ea0c830ba8ba5b9a2dafc7e3f2ab8b"
DEVICE_ID = "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Case:
    """A field's value as JSON and as CSV give it, and what TikTok is sent."""

    given: Any
    sent: Any
    in_csv: str | None = None

    @property
    def csv(self) -> str:
        return self.in_csv if self.in_csv is not None else str(self.given)


_CONTENTS = [
    {
        "price": 12.5,
        "content_id": "0017",
        "content_category": "Shoes",
        "content_name": "Trail runner",
        "brand": "Acme",
        "quantity": 2,
    }
]

# For every field of the table that is sent below `event` and `event_time`.
CASES: dict[str, Case] = {
    "event": Case("AddToCart", "AddToCart"),
    "event_time": Case(1_794_900_000, 1_794_900_000),
    "email": Case("Alice_ABC@gmail.com ", ALICE_SHA256),
    "phone": Case("+1 (213) 373-4253", PHONE_SHA256),
    "external_id": Case("user_123", USER_123_SHA256),
    "ttclid": Case("E.C.P.CrkB", "E.C.P.CrkB"),
    "ttp": Case("94e2a4j9-h3ss", "94e2a4j9-h3ss"),
    "ip": Case("203.0.113.7", "203.0.113.7"),
    "user_agent": Case("Mozilla/5.0 (X11; Linux)", "Mozilla/5.0 (X11; Linux)"),
    "idfa": Case(DEVICE_ID, DEVICE_ID.upper()),
    "idfv": Case(DEVICE_ID, DEVICE_ID.upper()),
    "gaid": Case(DEVICE_ID.upper(), DEVICE_ID),
    "locale": Case("de-AT", "de-AT"),
    "att_status": Case("authorized", "AUTHORIZED"),
    "first_name": Case(" Zo\u00eb Ann", sha256("zo\u00ebann")),
    "last_name": Case("O'Neil", sha256("o'neil")),
    "zip_code": Case("SW1A-1 aa", sha256("sw1a1aa")),
    "city": Case("S\u00e3o Paulo", "s\u00e3opaulo"),
    "state": Case("N.Y.", "ny"),
    "country": Case("US", "us"),
    "content_ids": Case(["0017", "b"], ["0017", "b"], in_csv="0017| b"),
    "contents": Case(_CONTENTS, _CONTENTS, in_csv=json.dumps(_CONTENTS)),
    "content_type": Case("product", "product"),
    "currency": Case("eur", "EUR"),
    "value": Case(12.5, 12.5, in_csv="12.50"),
    "num_items": Case(3, 3),
    "search_string": Case("red shoes", "red shoes"),
    "description": Case("Spring sale", "Spring sale"),
    "order_id": Case("A-17", "A-17"),
    "shop_id": Case("shop 4", "shop 4"),
    "customer_type": Case("New", "new"),
    "query": Case("shoes", "shoes"),
    "page_url": Case("https://shop.example/p?id=1", "https://shop.example/p?id=1"),
    "referrer": Case("http://blog.example/", "http://blog.example/"),
    "app_id": Case("id389801252", "id389801252"),
    "app_name": Case("Shop", "Shop"),
    "app_version": Case("1.10", "1.10"),
    "ad_callback": Case("cb-1", "cb-1"),
    "ad_campaign_id": Case("1741", "1741"),
    "ad_id": Case("1742", "1742"),
    "ad_creative_id": Case("1743", "1743"),
    "ad_is_retargeting": Case(False, False),
    "ad_attributed": Case(True, True, in_csv="YES"),
    "ad_attribution_type": Case("click", "click"),
    "ad_attribution_provider": Case("Someone", "Someone"),
    "ad_attribution_share": Case(0.25, 0.25),
    "ad_attribution_value": Case(7, 7),
    "lead_id": Case("7100", "7100"),
    "lead_event_source": Case("Some CRM", "Some CRM"),
}

# A row of each source with no more than it needs, and what becomes of it.
LEAST_ROWS: dict[EventSource, dict[str, Any]] = {
    EventSource.WEB: {
        "event": "Purchase",
        "event_time": 1_794_990_000,
        "ttp": "a-cookie",
        "page_url": "https://shop.example/",
    },
    EventSource.APP: {"event": "Login", "event_time": 1_794_990_000, "gaid": DEVICE_ID, "app_id": "com.example.shop"},
    EventSource.OFFLINE: {"event": "Purchase", "event_time": 1_794_990_000, "email": "alice_abc@gmail.com"},
    EventSource.CRM: {"event": "Qualified", "event_time": 1_794_990_000, "lead_id": "7099"},
}
LEAST_PAYLOADS: dict[EventSource, dict[str, Any]] = {
    EventSource.WEB: {
        "event": "Purchase",
        "event_time": 1_794_990_000,
        "user": {"ttp": "a-cookie"},
        "page": {"url": "https://shop.example/"},
    },
    EventSource.APP: {
        "event": "Login",
        "event_time": 1_794_990_000,
        "user": {"gaid": DEVICE_ID},
        "app": {"app_id": "com.example.shop"},
    },
    EventSource.OFFLINE: {"event": "Purchase", "event_time": 1_794_990_000, "user": {"email": ALICE_SHA256}},
    EventSource.CRM: {"event": "Qualified", "event_time": 1_794_990_000, "lead": {"lead_id": "7099"}},
}


def any_rules(source: EventSource = EventSource.WEB, **others: Any) -> EventRules:
    """Rules with a window of 28 days."""
    return EventRules(**{"source": source, "max_age_days": 28, **others})


def check(source: EventSource, row: dict[str, Any], **rules: Any) -> CheckedEvent:
    """The event of a row, where consent is not denied."""
    event = EventChecker(any_rules(source, **rules), now=NOW).check(row)
    assert isinstance(event, CheckedEvent)
    return event


def web_row(**others: Any) -> dict[str, Any]:
    """A good row of a website, but for what is given; None takes a field out."""
    row = {**LEAST_ROWS[EventSource.WEB], **others}
    return {name: value for name, value in row.items() if value is not None}
