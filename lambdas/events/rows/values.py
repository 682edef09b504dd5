"""Reads what is no identifier: texts, numbers, lists, words. Pure.

Every reader takes what a CSV field or a JSON value gives, returns what TikTok takes, or None for nothing at all, and
raises InvalidEvent for what has not the field's form.
"""

from __future__ import annotations

import datetime
import functools
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from lambdas.events.rows.fields import REQUIRED, Field, Form
from lambdas.events.rows.reasons import EventReason, InvalidEvent
from lambdas.identifiers.reading import NULL_WORDS

LONGEST_TEXT = 2_000
LONGEST_URL = 4_000
LONGEST_TTCLID = 1_000  # section 6.1
FARTHEST_AHEAD_SECONDS = 600
MILLISECONDS_FROM = 1e11  # as seconds, it would be the year 5138
_LARGEST_NUMBER = 1e15
_LARGEST_WHOLE_TEXT = 10**40
_DAY_SECONDS = 86_400

Read = Callable[[Any], Any]

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]").search
_IS_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?").fullmatch
# One that urlsplit has nothing to say against; it takes as long as all else that is done with a row's texts.
_IS_USUAL_URL = re.compile(r"https?://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?:[/?#][!-~]*)?").fullmatch
_YES_NO = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_CONTENT_MEMBERS = ("price", "content_id", "content_category", "content_name", "brand", "quantity")


def as_text(value: Any) -> str | None:
    """The text of a value: a JSON text or a whole number; None for anything else."""
    if isinstance(value, str):
        return value
    if type(value) is int and -_LARGEST_WHOLE_TEXT < value < _LARGEST_WHOLE_TEXT:
        return str(value)
    return None


def has_controls(text: str) -> bool:
    """Whether a text holds control characters, or halves of characters."""
    return not text.isprintable() and _CONTROLS(text) is not None


def read_text(value: Any, name: str, *, longest: int = LONGEST_TEXT) -> str | None:
    """A trimmed text."""
    text = value if isinstance(value, str) else as_text(value)
    if text is None:
        raise InvalidEvent(EventReason.NOT_TEXT, f"{name} is to be a text.")
    return _check_text(text.strip(), name, longest)


def read_event_id(value: Any) -> str | None:
    """An event id as the user gave it: it has to be the very one that the pixel or the app sent."""
    text = as_text(value)
    if text is None:
        raise InvalidEvent(EventReason.NOT_TEXT, "event_id is to be a text.")
    # Or all events of an export that writes NULL would be one.
    if text.strip().lower() in NULL_WORDS or text.isspace():
        return None
    return _check_text(text, "event_id", LONGEST_TEXT)


def _check_text(text: str, name: str, longest: int) -> str | None:
    if len(text) > longest:
        raise InvalidEvent(EventReason.TOO_LONG_VALUE, f"{name} is longer than {longest:,} characters.")
    if has_controls(text):
        raise InvalidEvent(EventReason.BAD_TEXT, f"{name} holds control characters: leave them out.")
    return text or None


def read_time(value: Any) -> tuple[int, bool]:
    """The seconds of a time since the epoch, and whether they were given in milliseconds.

    Takes ISO 8601 with a zone, or the seconds as a number or a text.

    Raises:
        InvalidEvent: ``bad_event_time`` or ``event_time_without_zone``.
    """
    if isinstance(value, str):
        text = value.strip()
        if not _IS_PLAIN_NUMBER(text):
            return _read_iso_time(text), False
        number: float | int = float(text)
    elif type(value) is int or (type(value) is float and math.isfinite(value)):
        number = value
    else:
        raise _bad_time()
    if number < MILLISECONDS_FROM:
        return math.floor(number), False
    return int(number // 1000), True


def _read_iso_time(text: str) -> int:
    try:
        moment = datetime.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise InvalidEvent(
                EventReason.EVENT_TIME_WITHOUT_ZONE,
                "event_time has no zone: end it with Z or an offset, as in 2026-11-22T08:30:00+01:00.",
            )
        return math.floor(moment.timestamp())
    except InvalidEvent:
        raise
    except (ValueError, OverflowError):
        raise _bad_time() from None


def _bad_time() -> InvalidEvent:
    return InvalidEvent(
        EventReason.BAD_EVENT_TIME, "event_time is to be ISO 8601 with a zone, or the seconds since 1970."
    )


def check_age(moment: int, *, now: float, max_age_days: int) -> None:
    """Raises InvalidEvent ``too_old`` or ``in_future`` for a time outside the window in which events are sent."""
    if moment < now - max_age_days * _DAY_SECONDS:
        raise InvalidEvent(EventReason.TOO_OLD, f"event_time lies more than {max_age_days} days back.")
    if moment > now + FARTHEST_AHEAD_SECONDS:
        minutes = FARTHEST_AHEAD_SECONDS // 60
        raise InvalidEvent(
            EventReason.IN_FUTURE, f"event_time lies more than {minutes} minutes ahead: check its zone and its unit."
        )


def as_number(value: Any) -> int | float | None:
    """A finite number, of a JSON number or a plain text ("12.50", "-3"); None for anything else.

    One that is whole is an int, however it was written, so that CSV and JSON give the same event.
    """
    if isinstance(value, str):
        text = value.strip()
        if not _IS_PLAIN_NUMBER(text):
            return None
        value = float(text) if "." in text else int(text)
    elif type(value) is not int and type(value) is not float:
        return None
    if not -_LARGEST_NUMBER < value < _LARGEST_NUMBER:
        return None  # also what is not finite
    return int(value) if value == int(value) else value


def as_whole(value: Any) -> int | None:
    """A whole number from 0 on; None for anything else."""
    number = as_number(value)
    return number if isinstance(number, int) and number >= 0 else None


def as_yes_no(value: Any) -> bool | None:
    """A JSON boolean, or a word for one; None for anything else."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _YES_NO.get(value.strip().lower())
    return bool(value) if type(value) is int and value in (0, 1) else None


def as_share(value: Any) -> int | float | None:
    """A number from 0 to 1; None for anything else."""
    number = as_number(value)
    return number if number is not None and 0 <= number <= 1 else None


def as_currency(value: Any) -> str | None:
    """A code of ISO 4217 in upper case; None for anything else."""
    code = value.strip().upper() if isinstance(value, str) and value.isascii() else None
    return code if code in _currencies() else None


@functools.cache
def _currencies() -> frozenset[str]:
    # Imported when the first currency comes: it parses the standard's table, which takes longer than most imports.
    from iso4217 import Currency

    return frozenset(currency.code for currency in Currency)


def _as_url(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _IS_USUAL_URL(text):
        return text
    if has_controls(text):  # which urlsplit would drop
        return None
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return None
    return text if parts.scheme in ("http", "https") and host and not any(map(str.isspace, host)) else None


def _read_url(value: Any, field: Field) -> str | None:
    if isinstance(value, str):
        if not value.strip():
            return None
        if len(value) > LONGEST_URL:
            raise InvalidEvent(EventReason.TOO_LONG_VALUE, f"{field.name} is longer than {LONGEST_URL:,} characters.")
    url = _as_url(value)
    if url is None:
        assert field.bad is not None
        raise InvalidEvent(field.bad, f"{field.name} is to be an absolute URL that begins with https:// or http://.")
    return url


def _as_word(words: frozenset[str], value: Any) -> str | None:
    word = value.strip().lower() if isinstance(value, str) else None
    return word if word in words else None


def _as_content_ids(value: Any) -> list[str] | None:
    if isinstance(value, str):
        text = value.strip()
        given = _parse(text) if text.startswith("[") else [each for each in text.split("|") if each.strip()]
    else:
        given = value
    if type(given) in (int, float):
        raise _content_id_not_text("content_ids")
    return [_content_id(each, "content_ids") for each in given] if isinstance(given, list) else None


def _content_id(value: Any, name: str) -> str:
    if type(value) in (int, float):
        raise _content_id_not_text(name)
    text = read_text(value, name) if isinstance(value, str) else None
    if text is None:
        reason = EventReason.BAD_CONTENTS if name == "contents" else EventReason.BAD_CONTENT_IDS
        raise InvalidEvent(reason, f"A content id in {name} is to be a text that is not empty.")
    return text


def _content_id_not_text(name: str) -> InvalidEvent:
    return InvalidEvent(
        EventReason.CONTENT_ID_NOT_TEXT,
        f"A content id in {name} is a number, which may have lost leading zeros: write it as a text, in quotes.",
    )


def _as_contents(value: Any) -> list[dict[str, Any]] | None:
    given = _parse(value) if isinstance(value, str) else value
    if not isinstance(given, list):
        return None
    contents = [_as_content(each) for each in given]
    return None if None in contents else [each for each in contents if each is not None]


def _as_content(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict) or not value.keys() <= _CONTENT_READERS.keys():
        return None
    content: dict[str, Any] = {}
    for member, read in _CONTENT_READERS.items():
        given = value.get(member)
        if given is None or (isinstance(given, str) and (not given or given.isspace())):
            continue
        content[member] = sent = read(given)
        if sent is None:
            return None
    return content or None


_CONTENT_READERS: Mapping[str, Read] = {
    "price": as_number,
    "content_id": lambda value: _content_id(value, "contents"),
    "content_category": lambda value: read_text(value, "content_category"),
    "content_name": lambda value: read_text(value, "content_name"),
    "brand": lambda value: read_text(value, "brand"),
    "quantity": as_whole,
}


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


# What a value of each form becomes, None for one that has not the form; and what the form is, for a message.
_FORMS: Mapping[Form, tuple[Read, str]] = {
    Form.YES_NO: (as_yes_no, "true or false"),
    Form.NUMBER: (as_number, "a plain number as 12.50, without symbols and thousands marks"),
    Form.SHARE: (as_share, "a number from 0 to 1"),
    Form.WHOLE: (as_whole, "a whole number from 0 on"),
    Form.CURRENCY: (as_currency, "a currency code of ISO 4217 as EUR"),
    Form.CONTENT_IDS: (_as_content_ids, "a list of texts, in CSV separated by |"),
    Form.CONTENTS: (_as_contents, f"a list of objects that have {', '.join(_CONTENT_MEMBERS)} and nothing else"),
    Form.CONTENT_TYPE: (
        functools.partial(_as_word, frozenset({"product", "product_group"})),
        "product or product_group",
    ),
    Form.CUSTOMER_TYPE: (functools.partial(_as_word, frozenset({"new", "returning"})), "new or returning"),
}


def reader_of(field: Field) -> Read:
    """How the values of a field outside the user are read."""
    if field.form is Form.TEXT:
        read = functools.partial(read_text, name=field.name)
        return _something(read) if field.name in REQUIRED else read
    if field.form is Form.URL:
        return functools.partial(_read_url, field=field)
    return _checked(field, *_FORMS[field.form])


def _something(read: Read) -> Read:
    """Of a field that every event needs, a word for nothing is none."""

    def read_something(value: Any) -> Any:
        return None if isinstance(value, str) and value.strip().lower() in NULL_WORDS else read(value)

    return read_something


def _checked(field: Field, convert: Read, form: str) -> Read:
    reason = field.bad
    assert reason is not None

    def read(value: Any) -> Any:
        found = convert(value)
        if found is None:
            if isinstance(value, str) and not value.strip():
                return None
            raise InvalidEvent(reason, f"{field.name} is to be {form}.")
        return found if found != [] else None

    return read
