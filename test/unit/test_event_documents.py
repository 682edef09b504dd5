"""docs/event-files.md says of columns and reasons what the code does."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from lambdas.contracts import EVENT_DETAIL_TYPE
from lambdas.events.batches import Packing
from lambdas.events.domain import Destination
from lambdas.events.file_check import Rejected, rejected_line
from lambdas.events.live.messages import parse_message
from lambdas.events.rows.check import EventChecker, EventRules
from lambdas.events.rows.event import CheckedEvent
from lambdas.events.rows.fields import FIELDS, HASHED, REQUIRED, Field, Form
from lambdas.events.rows.file_rows import Row
from lambdas.events.rows.reasons import EventReason
from lambdas.identifiers.models import Reason
from lambdas.tiktok.models import EventSource

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "event-files.md").read_text(encoding="utf-8")
NOT_A_FAULT = {Reason.EMPTY, Reason.NULL_WORD}
# Forms whose own name says all.
SELF_EXPLAINING = {Form.CONSENT, Form.CONTENT_TYPE, Form.CUSTOMER_TYPE}


def table(first_column: str) -> list[list[str]]:
    """The cells of the table that begins with a column of this name, without its head."""
    lines = DOCUMENT.partition(f"\n| {first_column} | ")[2].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("| "):
            break
        rows.append(re.split(r" \| ", line.removeprefix("| ").removesuffix(" |")))
    return rows


def row_of(field: Field) -> list[str]:
    everyone = field.sources == frozenset(EventSource)
    return [
        f"`{field.name}`",
        ", ".join(f"`{alias}`" for alias in field.aliases) or "\u2013",
        f"`{field.name}{HASHED}`" if field.has_twin else "\u2013",
        f"`{field.path}`" if field.path else "\u2013",
        "all" if everyone else ", ".join(source for source in EventSource if source in field.sources),
        field.form,
    ]


def test_the_table_of_columns_is_the_one_in_the_code() -> None:
    assert table("column") == [row_of(field) for field in FIELDS.values()]


def test_every_reason_has_a_remedy() -> None:
    told = [reason for row in table("reason") for reason in re.findall(r"`(\w+)`", row[0])]

    assert sorted(told) == sorted({*EventReason, *Reason} - NOT_A_FAULT)
    assert {row[1] for row in table("reason")} == {"row", "value", "either"}
    assert all(len(row) == 4 for row in table("reason"))


def test_every_form_is_explained() -> None:
    explained = DOCUMENT.partition("### Forms")[2]
    for form in set(Form) - SELF_EXPLAINING:
        assert re.search(rf"(?m)^\|[^|]*\b{re.escape(form.partition(', in')[0])}", explained), form


def test_what_every_event_needs_is_named() -> None:
    sentence = DOCUMENT.partition("Needed in every event: ")[2].partition(". ")[0]

    assert re.findall(r"`(\w+)`", sentence) == list(REQUIRED)


def live_event() -> str:
    """The example of a message."""
    return DOCUMENT.partition("\n## Live events\n")[2].partition("```json\n")[2].partition("```")[0]


def checked_example() -> CheckedEvent:
    event = EventChecker(EventRules(EventSource.WEB, 28), now=1_795_000_060).check(parse_message(live_event()).fields)
    assert isinstance(event, CheckedEvent)
    return event


def test_the_live_event_of_the_page_is_one_by_itself_and_on_the_bus() -> None:
    on_the_bus = json.dumps({"detail-type": EVENT_DETAIL_TYPE, "detail": json.loads(live_event())})

    assert parse_message(live_event()) == parse_message(on_the_bus)
    assert parse_message(live_event()).destination == Destination(EventSource.WEB, "EMULATEDPIXEL0000001")
    assert checked_example().event_id == "order-1017"
    assert f'DetailType: "{EVENT_DETAIL_TYPE}"' in DOCUMENT


def test_an_id_is_made_of_the_content_as_the_page_says() -> None:
    event = checked_example()
    event.event_id = None
    content = json.dumps(event.payload, separators=(",", ":"))

    (group,) = Packing(EventSource.WEB, "EMULATEDPIXEL0000001", {}, True).groups([(1, event)])

    origin = '["1","web","EMULATEDPIXEL0000001"]'
    sent = json.loads(group.requests[0][0].body)
    assert sent["event_id"] == hashlib.sha256((origin + content).encode()).hexdigest()[:40]
    assert sent["limited_data_use"] is True


def test_a_line_of_the_rejected_events_has_the_members_of_the_table() -> None:
    line = rejected_line(Row(3, b"\xff,1", None, EventReason.NOT_UTF8), Rejected("not_utf8", "Export as UTF-8."))

    assert [row[0] for row in table("member")] == [f"`{name}`" for name in json.loads(line)]
    assert json.loads(line)["row"] == "\\xff,1"
