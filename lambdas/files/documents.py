"""The settings that people write as JSON, beside the files that they are for. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from lambdas.contracts import ADVERTISER_ALIAS
from lambdas.identifiers.phones import is_known_country
from lambdas.objects import LARGEST_DOCUMENT

if TYPE_CHECKING:
    from lambdas.ports import KeptSettings, ObjectStore

T = TypeVar("T")
Reader = Callable[[Any], Any]  # of a value; raises Unfit

_MOST_UNKNOWN = 10  # unknown keys in a message
_LONGEST_DIGITS = 20
_COUNTRY = re.compile(r"[A-Za-z]{2}")
# Other keys could hold anything, an identifier too.
_NAME = re.compile(r"[A-Za-z_$][A-Za-z_-]{0,29}")


class OnInvalidRow(StrEnum):
    """What becomes of a file with an invalid row: the row is left out, or the file refused."""

    SKIP = "skip"
    REFUSE = "refuse"


class Unfit(Exception):
    """A file or a value that cannot be read; the message says what is wrong with the one, or due of the other."""


class Pairs(list[tuple[str, Any]]):
    """A JSON object with all its pairs, also those whose key is there twice."""


def load(
    objects: ObjectStore,
    kept: KeptSettings,
    key: str,
    name: str,
    parse: Callable[[bytes, str], T],
    *,
    recall: Callable[[T], T] = lambda settings: settings,
) -> T | None:
    """What the settings below a key say, or last said: they expire like an upload. None when there were never any.

    ``parse`` takes their content and the key; ``recall`` makes of what they last said what holds without them. Raises
    what ``parse`` does, and ConnectorError.
    """
    content = objects.read_current(key)
    if content is None:
        content = kept.kept_settings(name)
        return None if content is None else recall(parse(content, key))
    settings = parse(content, key)
    kept.keep_settings(name, content)
    return settings


def read_document(content: bytes, readers: Mapping[str, Reader]) -> tuple[dict[str, Any], list[str]]:
    """The values of a JSON object by key, each as its reader gives it, and every problem. No value is repeated."""
    problems: list[str] = []
    values: dict[str, Any] = {}
    try:
        pairs = _read_object(content)
    except Unfit as unfit:
        problems.append(f"the file {unfit}")
        pairs = Pairs()
    times = Counter(name for name, _ in pairs)
    problems += _unknown(times, readers)
    for name, value in pairs:
        if name not in readers or name in values:
            continue
        if times[name] > 1:
            problems.append(f"{name} is there {times[name]} times")
        try:
            values[name] = readers[name](value)
        except Unfit as unfit:
            values[name] = None
            problems.append(f"{name} has to be {unfit}")
    return values, problems


def _read_object(content: bytes) -> Pairs:
    if len(content) > LARGEST_DOCUMENT:
        raise Unfit(f"has more than {LARGEST_DOCUMENT >> 10} KiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unfit("is not UTF-8") from None
    try:
        document = json.loads(text, object_pairs_hook=Pairs, parse_int=_integer, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Unfit("is not JSON") from None
    if not isinstance(document, Pairs):
        raise Unfit("is not a JSON object, { … }")
    return document


def _integer(digits: str) -> int | float:
    # Python refuses to read thousands of digits, and nothing here is as large as this.
    return int(digits) if len(digits) <= _LONGEST_DIGITS else float(digits)


def _refuse_constant(word: str) -> None:
    raise ValueError(word)  # NaN and Infinity, which JSON does not have


def _unknown(times: Counter[str], known: Collection[str]) -> list[str]:
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


def whole_number(least: int, most: int) -> Reader:
    """Reads a whole number within bounds."""

    def read(value: Any) -> int:
        # 30.0 is an integer to JSON Schema, too.
        if not _is_number(value) or not least <= value <= most or value != int(value):
            raise Unfit(f"a whole number from {least} to {most}")
        return int(value)

    return read


def ratio(value: Any) -> float:
    """Reads a number from 0 to 1."""
    if not _is_number(value) or not 0 <= value <= 1:
        raise Unfit("a number from 0 to 1")
    return float(value)


def switch(value: Any) -> bool:
    """Reads true or false."""
    if not isinstance(value, bool):
        raise Unfit("true or false")
    return value


def one_of(words: type[StrEnum]) -> Reader:
    """Reads one of a few words."""

    def read(value: Any) -> StrEnum:
        if not isinstance(value, str) or value not in list(words):
            raise Unfit(f"one of {', '.join(map(repr, map(str, words)))}")
        return words(value)

    return read


def country(value: Any) -> str:
    """Reads a country's code, in any letter case; gives it in upper case."""
    if not isinstance(value, str) or not _COUNTRY.fullmatch(value) or not is_known_country(value):
        raise Unfit("the two letters of a country (ISO 3166), such as 'US'")
    return value.upper()


def alias(value: Any) -> str:
    """Reads the name of an advertiser in the secret."""
    if not isinstance(value, str) or not re.fullmatch(ADVERTISER_ALIAS, value):
        raise Unfit("an alias of the secret's ADVERTISERS: 1 to 64 letters of ASCII, digits or any of _ . -")
    return value
