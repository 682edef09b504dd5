"""docs/event-files.md says of columns and reasons what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from lambdas.events.rows.fields import FIELDS, HASHED, REQUIRED, Field, Form
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
