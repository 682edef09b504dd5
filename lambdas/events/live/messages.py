"""What an application sends for one event: by itself, or in an event of EventBridge. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from lambdas.contracts import EVENT_DETAIL_TYPE
from lambdas.events.domain import Destination, parse_destination
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
        InvalidInput: ``not_an_event`` or ``bad_event_source``.
    """
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
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


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(word)  # NaN and Infinity, which JSON does not have
