"""What an application sends for one event: by itself, or in an event of EventBridge. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambdas.contracts import EVENT_DETAIL_TYPE
from lambdas.events.domain import Destination, parse_destination
from lambdas.events.rows.file_rows import parse_json
from lambdas.files.blocks import LONGEST_LINE
from lambdas.tiktok.errors import InvalidInput

_FORM = '{"source": "web", "event_source": "<id or name>", "fields": {…}}'


@dataclass(frozen=True)
class LiveEvent:
    """One event on its way: where to, and its fields as a row of a file has them."""

    destination: Destination
    fields: Mapping[str, Any]


def parse_message(body: str) -> LiveEvent:
    """Read the body of a queue's message. docs/event-files.md has its form.

    Raises:
        InvalidInput: ``not_an_event``, ``bad_event_source`` or ``invalid_event`` (it is too long).
    """
    if len(body) > LONGEST_LINE:
        raise InvalidInput(
            f"The message has more than {LONGEST_LINE >> 10} KiB, as no event has.", reason="invalid_event"
        )
    try:
        document = parse_json(body)
        if document.get("detail-type") == EVENT_DETAIL_TYPE:
            document = document["detail"]
        source, name, fields = document["source"], document["event_source"], document["fields"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _no_event() from None
    if not (isinstance(source, str) and isinstance(name, str) and isinstance(fields, dict)):
        raise _no_event()
    return LiveEvent(parse_destination(source, name), fields)


def _no_event() -> InvalidInput:
    return InvalidInput(
        f"The message is not {_FORM}, nor an event of EventBridge with the detail-type {EVENT_DETAIL_TYPE!r} and that "
        "as its detail.",
        reason="not_an_event",
    )
