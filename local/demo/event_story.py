"""What the demo shows of events, step by step. A step's docstring is its promise; it returns what was seen."""

from __future__ import annotations

import functools
import gzip
import json
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from lambdas.contracts import Output
from local.demo.stage import Stage, expect
from local.demo.story import EMAILS
from local.demo.telling import Step
from local.emulator.event_sources import (
    DEFAULT_CRM_EVENT_SET_ID,
    DEFAULT_OFFLINE_EVENT_SET_ID,
    DEFAULT_PIXEL_CODE,
    DEFAULT_TIKTOK_APP_ID,
)

PIXEL = "Emulated pixel"  # what the emulator calls the one that it begins with
ORDERS = f"events/web/{PIXEL}/orders.csv"
ORDERS_AGAIN = f"events/web/{PIXEL}/orders, once more.csv"
ORDERS_ACCOUNT = {
    "sent": 59,
    "denied": 1,
    "suppressed": 1,
    "bad_value": 1,
    "event_time_without_zone": 1,
    "misspelt_event": 1,
}
INSTALLS = f"events/app/{DEFAULT_TIKTOK_APP_ID}/installs.jsonl"
TILLS = f"events/offline/{DEFAULT_OFFLINE_EVENT_SET_ID}/tills.csv.gz"
LEADS = f"events/crm/{DEFAULT_CRM_EVENT_SET_ID}/leads.jsonl"
LEADS_SETTINGS = f"events/crm/{DEFAULT_CRM_EVENT_SET_ID}/source.json"
LEADS_MAPPING = {
    "columns": {"Stage": "event", "Changed": "event_time", "Lead": "lead_id"},
    "events": {"won": "Purchase"},
}
SUBSCRIPTIONS = f"events/web/{PIXEL}/subscriptions.jsonl"
POISONED = "subscription-7"

Row = dict[str, Any]


def _rows(count: int, *, event: str = "Purchase", **fields: Any) -> list[Row]:
    """So many rows, of people of their own, in the last hours."""
    now = int(time.time())
    return [
        {"event": event, "event_time": now - 60 * number, "email": f"{event}-{number}@example.com".lower()} | fields
        for number in range(count)
    ]


@functools.cache
def _orders() -> bytes:
    """The same content whenever it is uploaded."""
    rows = _rows(64, page_url="https://shop.example/thanks", value="12.50", currency="EUR", consent="granted")
    rows = [{"email_sha256": ""} | row for row in rows]
    rows[10] |= {"event": "purchase"}
    rows[20] |= {"value": "EUR 12,50"}
    rows[30] |= {"event_time": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")}
    rows[40] |= {"consent": "denied"}
    rows[50] |= {"email": "", "email_sha256": EMAILS[0]}  # of the suppression list
    return _table(rows)


def send_orders(stage: Stage) -> str:
    """A shop's orders are uploaded under the name of its pixel, and its application sends single events."""
    stage.upload(ORDERS, _orders())
    for fields in _rows(2, event="AddToCart", page_url="https://shop.example/cart"):
        stage.publish_event("web", DEFAULT_PIXEL_CODE, fields)
    (fields,) = _rows(1, event="Contact")
    stage.send_event("offline", DEFAULT_OFFLINE_EVENT_SET_ID, fields)
    stage.send_event("offline", DEFAULT_OFFLINE_EVENT_SET_ID, fields | {"event_time": "yesterday"})
    return "64 rows; 2 events over the event bus, 2 over the queue"


def deliver_app(stage: Stage) -> str:
    """App: JSON lines with times in milliseconds, one row that is no JSON, and a content id that is a number."""
    rows = _rows(40, event="InstallApp", app_id="com.example.shop", content_ids=["0017"])
    rows = [row | {"event_time": row["event_time"] * 1000} for row in rows]
    rows[5] |= {"content_ids": [17]}
    stage.upload(INSTALLS, _json_lines(rows) + b"not JSON\n")
    receipt = stage.delivered(INSTALLS)
    _expect_account(receipt, sent=39, content_id_not_text=1, not_json=1)
    expect(receipt["events"]["in_milliseconds"] == 39, "other counts of milliseconds")
    _expect_counted(stage, "app", DEFAULT_TIKTOK_APP_ID, InstallApp=39)
    return _account(receipt)


def deliver_offline(stage: Stage) -> str:
    """Offline: a compressed CSV. A bad phone number is left out, and the event is sent by its e-mail address."""
    rows = _rows(30, value="20", currency="eur", phone="+1 213 373 4253")
    rows[3] |= {"event": "Till closed"}
    rows[4] |= {"email": "", "phone": ""}
    rows[5] |= {"phone": "the one of last time"}
    stage.upload(TILLS, gzip.compress(_table(rows)))
    receipt = stage.delivered(TILLS)
    _expect_account(receipt, sent=28, unknown_event=1, no_identifier=1)
    expect(receipt["events"]["partial_by_reason"] == {"malformed_phone": {"count": 1, "lines": [7]}}, "other counts")
    _expect_counted(stage, "offline", DEFAULT_OFFLINE_EVENT_SET_ID, Purchase=28)
    return f"{_account(receipt)}; 1 without its phone number"


def refuse_wrong_settings(stage: Stage) -> str:
    """CRM: a file waits while the source.json beside it is wrong, and says what is wrong with it."""
    rows = [
        {"Stage": "won", "Changed": row["event_time"], "Lead": str(7_300_000_000_000_000_000 + number)}
        for number, row in enumerate(_rows(20))
    ]
    del rows[8]["Lead"]
    stage.upload(LEADS_SETTINGS, json.dumps({"mappings": LEADS_MAPPING}).encode())
    stage.upload(LEADS, _json_lines(rows))
    said = stage.refused(LEADS, "bad_source_settings", Output.EVENT_DEAD_LETTER_QUEUE_URL)
    return f"dead-letter queue: {said.split(';')[0]}"


def mend_settings_and_replay(stage: Stage) -> str:
    """With the settings mended, a replay delivers it: they map the system's own columns and events."""
    stage.upload(LEADS_SETTINGS, json.dumps({"mapping": LEADS_MAPPING}).encode())
    stage.command("replay", "--yes", "--queue", "events", "--reason", "bad_source_settings")
    receipt = stage.delivered(LEADS)
    _expect_account(receipt, sent=19, missing_lead_id=1)
    _expect_counted(stage, "crm", DEFAULT_CRM_EVENT_SET_ID, Purchase=19)
    return _account(receipt)


def deliver_live_events(stage: Stage) -> str:
    """The single events are at TikTok, and the one that is not valid is a dead letter."""
    stage.wait_for("the events of the bus", lambda: stage.counted("web", DEFAULT_PIXEL_CODE, "AddToCart") == 2)
    stage.wait_for("that of the queue", lambda: stage.counted("offline", DEFAULT_OFFLINE_EVENT_SET_ID, "Contact") == 1)
    said = stage.wait_for("the dead letter", lambda: stage.live_event_refused("invalid_event"))
    return f"3 events; dead-letter queue: {said}"


def deliver_web(stage: Stage) -> str:
    """Web: who denied consent or is suppressed is left out of the orders, and bad rows are written back."""
    receipt = stage.delivered(ORDERS)
    expect(receipt["event_source"] == {"name": PIXEL, "id": DEFAULT_PIXEL_CODE}, "another pixel was found")
    _expect_account(receipt, **ORDERS_ACCOUNT)
    _expect_counted(stage, "web", DEFAULT_PIXEL_CODE, Purchase=59)
    rejected = stage.rejected(receipt)
    expect([line["line"] for line in rejected] == [12, 22, 32], "other lines were written back")
    return f"{_account(receipt)}\n{_written_back(receipt, rejected[1])}"


def find_what_tiktok_refuses(stage: Stage) -> str:
    """When TikTok refuses a request, the one event that it does not take is found, and the others are delivered."""
    stage.control("poison", {"event_ids": [POISONED]})
    rows = _rows(50, event="Subscribe", page_url="https://shop.example/thanks")
    rows = [row | {"event_id": f"subscription-{number}"} for number, row in enumerate(rows)]
    stage.upload(SUBSCRIPTIONS, _json_lines(rows))
    stage.upload(ORDERS_AGAIN, _orders())
    receipt = stage.delivered(SUBSCRIPTIONS)
    _expect_account(receipt, sent=49, refused=1)
    _expect_counted(stage, "web", DEFAULT_PIXEL_CODE, Subscribe=49)
    (line,) = stage.rejected(receipt)
    expect((line["line"], line["reason"]) == (8, "tiktok_refused"), "another line was written back")
    return f"{_account(receipt)}\n{_written_back(receipt, line)}"


def count_nothing_twice(stage: Stage) -> str:
    """The same content under another name changes no count at TikTok: every event carries the id that it had."""
    receipt = stage.delivered(ORDERS_AGAIN)
    _expect_account(receipt, **ORDERS_ACCOUNT)
    _expect_counted(stage, "web", DEFAULT_PIXEL_CODE, Purchase=59)
    merged = stage.received("web", DEFAULT_PIXEL_CODE)["by_event"]["Purchase"].get("merged")
    expect(merged == 59, f"TikTok merged {merged} events")
    return f"{receipt['events']['sent']} events sent again, {merged} recognised; counted: 59, as before"


STEPS: tuple[Step, ...] = (
    send_orders,
    deliver_app,
    deliver_offline,
    refuse_wrong_settings,
    mend_settings_and_replay,
    deliver_live_events,
    deliver_web,
    find_what_tiktok_refuses,
    count_nothing_twice,
)


def summarise(stage: Stage, console: Console) -> None:
    """What TikTok has of each event source, and where it can be looked at. Raises NotSeenError."""
    table = Table(title="Events, as TikTok has them", title_justify="left")
    for column in ("source", "event source", "id", "counted", "merged"):
        table.add_column(column, justify="right" if column in ("counted", "merged") else "left")
    for source in stage.control("event_sources")["event_sources"]:
        counts = (f"{source['counts'][name]:,}" for name in ("counted", "merged"))
        table.add_row(source["event_source"], source["name"], source["event_source_id"], *counts)
    console.print(table)
    page = stage.page("events")
    expect(PIXEL in page.text, "the page of events does not show the pixel")
    console.print(f"The emulator's events manager: {page.url} (`make local-up` leaves one running)\n", highlight=False)


def _table(rows: list[Row]) -> bytes:
    """A CSV file; no value has a delimiter or a quote in it."""
    lines = [";".join(rows[0]), *(";".join(str(row[name]) for name in rows[0]) for row in rows)]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _json_lines(rows: Iterable[Row]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def _summary(events: Mapping[str, Any]) -> dict[str, int]:
    """What a receipt says of events, by reason; nothing where nothing is."""
    counts = {name: events[name] for name in ("sent", "denied", "suppressed", "withheld")}
    counts["refused"] = events["refused_by_tiktok"]["count"]
    counts |= {reason: found["count"] for reason, found in events["invalid_by_reason"].items()}
    return {name: count for name, count in counts.items() if count}


def _expect_account(receipt: dict[str, Any], **expected: int) -> None:
    found = _summary(receipt["events"])
    expect(found == expected, f"the receipt says {found}")


def _expect_counted(stage: Stage, source: str, event_source_id: str, **expected: int) -> None:
    for event, count in expected.items():
        found = stage.counted(source, event_source_id, event)
        expect(found == count, f"TikTok counts {found} events {event} of {source}")


def _account(receipt: dict[str, Any]) -> str:
    told = ", ".join(f"{name} {count}" for name, count in _summary(receipt["events"]).items())
    return f"receipt: {receipt['events']['read']} rows read: {told}"


def _written_back(receipt: dict[str, Any], line: dict[str, Any]) -> str:
    """A line of the file, but for the row itself."""
    told = {name: value for name, value in line.items() if name != "row"}
    return f"{receipt['rejected_key'].rpartition('/')[0]}/…: {json.dumps(told, ensure_ascii=False)}"
