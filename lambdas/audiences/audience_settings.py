"""The settings of one audience: what ``tiktok/<audience>/audience.json`` may say. Pure.

`docs/audience.schema.json` says the same to editors and validators, and `docs/audience-settings.md` to people.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from lambdas.contracts import ADVERTISER_ALIAS, AUDIENCES_PREFIX
from lambdas.identifiers.phones import is_known_country
from lambdas.objects import LARGEST_DOCUMENT
from lambdas.tiktok.errors import InvalidInput
from lambdas.tiktok.models import AudienceSubType

_FILE = "audience.json"
_LONGEST_RETENTION_DAYS = 365  # API reference section 3.4
_MOST_ROWS = 1_000_000_000
_MOST_UNKNOWN = 10  # unknown keys in a message
_LONGEST_DIGITS = 20
_COUNTRY = re.compile(r"[A-Za-z]{2}")
# Other keys could hold anything, an identifier too.
_NAME = re.compile(r"[A-Za-z_$][A-Za-z_-]{0,29}")


class OnInvalidRow(StrEnum):
    """What becomes of a file with an invalid row: the row is left out, or the file refused."""

    SKIP = "skip"
    REFUSE = "refuse"


@dataclass(frozen=True)
class AudienceSettings:
    """What holds for one audience. None: what the deployment says, or TikTok, or nothing.

    ``advertiser`` is an alias of the secret. ``min_rows`` and ``max_shrink_ratio`` guard a replace. ``default_country``
    is in upper case.
    """

    retention_in_days: int | None = None
    max_invalid_ratio: float | None = None
    on_invalid_row: OnInvalidRow = OnInvalidRow.SKIP
    default_country: str | None = None
    advertiser: str | None = None
    audience_sub_type: AudienceSubType | None = None
    min_rows: int | None = None
    max_shrink_ratio: float | None = None


def settings_key(audience: str) -> str:
    """Where the settings of an audience lie."""
    return f"{AUDIENCES_PREFIX}{audience}/{_FILE}"


def is_settings_key(key: str) -> bool:
    """Whether an object holds the settings of an audience, and so no rows."""
    prefix, _, rest = key.partition("/")
    audience, _, file = rest.partition("/")
    return f"{prefix}/" == AUDIENCES_PREFIX and audience != "" and file == _FILE


def parse(content: bytes, key: str) -> AudienceSettings:
    """Read the settings that lie under a key.

    Raises:
        InvalidInput: ``bad_audience_settings``, with the key and every problem. No value is repeated.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    try:
        pairs = _read_object(content)
    except _Unfit as unfit:
        problems.append(f"the file {unfit}")
        pairs = _Pairs()
    times = Counter(name for name, _ in pairs)
    problems += _unknown(times)
    for name, value in pairs:
        if name not in _READERS or name in values:
            continue
        if times[name] > 1:
            problems.append(f"{name} is there {times[name]} times")
        try:
            values[name] = _READERS[name](value)
        except _Unfit as unfit:
            values[name] = None
            problems.append(f"{name} has to be {unfit}")
    if problems:
        raise InvalidInput(
            f"The settings {key} are wrong: {'; '.join(problems)}. Nothing was sent. Mend them "
            "(docs/audience-settings.md), then replay.",
            reason="bad_audience_settings",
        )
    return AudienceSettings(**values)


class _Unfit(Exception):
    """A file or a value that cannot be read; the message says what is wrong with the one, or due of the other."""


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with all its pairs, also those whose key is there twice."""


def _read_object(content: bytes) -> _Pairs:
    if len(content) > LARGEST_DOCUMENT:
        raise _Unfit(f"has more than {LARGEST_DOCUMENT >> 10} KiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Unfit("is not UTF-8") from None
    try:
        document = json.loads(text, object_pairs_hook=_Pairs, parse_int=_integer, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise _Unfit("is not JSON") from None
    if not isinstance(document, _Pairs):
        raise _Unfit("is not a JSON object, { … }")
    return document


def _integer(digits: str) -> int | float:
    # Python refuses to read thousands of digits, and nothing here is as large as this.
    return int(digits) if len(digits) <= _LONGEST_DIGITS else float(digits)


def _refuse_constant(word: str) -> None:
    raise ValueError(word)  # NaN and Infinity, which JSON does not have


def _unknown(times: Counter[str]) -> list[str]:
    known = [field.name for field in fields(AudienceSettings)]
    unknown = [name for name in times if name not in known]
    if not unknown:
        return []
    # Imported only where something is misspelled: it is a part of the cold start.
    from difflib import get_close_matches

    told = []
    for name in unknown[:_MOST_UNKNOWN]:
        close = get_close_matches(name.lower().replace("-", "_"), known, n=1) if _NAME.fullmatch(name) else []
        shown = repr(name) if _NAME.fullmatch(name) else "a key that is not shown here"
        told.append(f"{shown} is unknown" + (f" (is it {close[0]!r}?)" if close else ""))
    if len(unknown) > _MOST_UNKNOWN:
        told.append(f"{len(unknown) - _MOST_UNKNOWN} more keys are unknown")
    told.append(f"known are {', '.join(known)}")
    return told


def _is_number(value: object) -> bool:
    # bool is an int to Python.
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole_number(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        # 30.0 is an integer to JSON Schema, too.
        if not _is_number(value) or not least <= value <= most or value != int(value):
            raise _Unfit(f"a whole number from {least} to {most}")
        return int(value)

    return read


def _ratio(value: Any) -> float:
    if not _is_number(value) or not 0 <= value <= 1:
        raise _Unfit("a number from 0 to 1")
    return float(value)


def _one_of(words: type[StrEnum]) -> Callable[[Any], StrEnum]:
    def read(value: Any) -> StrEnum:
        if not isinstance(value, str) or value not in list(words):
            raise _Unfit(f"one of {', '.join(map(repr, map(str, words)))}")
        return words(value)

    return read


def _country(value: Any) -> str:
    if not isinstance(value, str) or not _COUNTRY.fullmatch(value) or not is_known_country(value):
        raise _Unfit("the two letters of a country (ISO 3166), such as 'US'")
    return value.upper()


def _alias(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(ADVERTISER_ALIAS, value):
        raise _Unfit("an alias of the secret's ADVERTISERS: 1 to 64 letters of ASCII, digits or any of _ . -")
    return value


_READERS: dict[str, Callable[[Any], object]] = {
    "retention_in_days": _whole_number(1, _LONGEST_RETENTION_DAYS),
    "max_invalid_ratio": _ratio,
    "on_invalid_row": _one_of(OnInvalidRow),
    "default_country": _country,
    "advertiser": _alias,
    "audience_sub_type": _one_of(AudienceSubType),
    "min_rows": _whole_number(1, _MOST_ROWS),
    "max_shrink_ratio": _ratio,
}
