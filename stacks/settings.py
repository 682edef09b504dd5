"""The deployer's answers: the CDK context, checked once, before anything is built from it.

Every problem is reported at once, because an installation that fails five times for five typos is abandoned after
the third. ``cdk -c key=value`` passes strings, so numbers and switches are accepted as strings too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches

from lambdas.contracts import (
    CALCULATE_TYPES,
    EMAIL_RULES,
    EVENT_SOURCES,
    LARGEST_LARGE_OBJECT_BYTES,
    MOST_THREADS,
    PHONE_RULES,
    STACK_NAME,
)

_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_RESERVED_BUCKET_NAME = re.compile(r"(xn--|sthree-|amzn-s3-demo-).*|.*(-s3alias|--ol-s3|--x-s3|--table-s3)")
_SECRET_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
# EventBridge takes nothing from a program whose source begins with "aws.".
_BUS_SOURCE = re.compile(r"(?!(?i:aws)\.)[A-Za-z0-9._/-]{1,128}")
# CloudFormation shows other characters as question marks.
_PARTNER_NAME = re.compile(r"[ -~]{1,50}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong answer."""

    key: str
    value: object
    expected: str

    def __str__(self) -> str:
        return f"{self.key}: {self.value!r} is wrong, expected {self.expected}"


class SettingsError(ValueError):
    """The context holds wrong answers; ``problems`` are all of them."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        count = f"{len(problems)} problem" + ("s" if len(problems) > 1 else "")
        lines = "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"{count} in the context (cdk.context.json, or -c on the command line):{lines}")


class _Unexpected(Exception):
    """A value that its reader cannot accept; the message says what it expects."""


def _text(pattern: re.Pattern[str], expected: str, *, may_be_empty: bool = False) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str):
            raise _Unexpected(expected)
        text = value.strip()
        if (text or not may_be_empty) and not pattern.fullmatch(text):
            raise _Unexpected(expected)
        return text

    return read


def _bucket_name(value: object) -> str:
    expected = 'a bucket name of 3 to 63 lower-case letters, digits and hyphens, or "" for a generated one'
    name = _text(_BUCKET_NAME, expected, may_be_empty=True)(value)
    if _RESERVED_BUCKET_NAME.fullmatch(name):
        raise _Unexpected(f"{expected}; this prefix or suffix is reserved by S3")
    return name


def _decimal(value: object) -> float:
    # bool is an int to Python, but `true` is no answer to "how many".
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def _whole_number(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        number = _decimal(value)
        # Comparisons with NaN are false, so that this refuses it as well.
        if not (least <= number <= most and number.is_integer()):
            raise _Unexpected(f"a whole number from {least} to {most}")
        return int(number)

    return read


def _ratio(value: object) -> float:
    number = _decimal(value)
    if not 0 <= number <= 1:
        raise _Unexpected("a number from 0 to 1 (0.01 is one row in a hundred)")
    return number


def _requests_per_second(value: object) -> float:
    number = _decimal(value)
    if not 0 < number <= 50:
        raise _Unexpected("a number above 0, at most 50")
    return number


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise _Unexpected("true or false")


def _choice(*words: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        word = value.strip().lower() if isinstance(value, str) else None
        if word not in words:
            raise _Unexpected(f"one of {', '.join(words)}")
        return word

    return read


def _country(value: object) -> str:
    # Only the shape: which countries there are, the functions know, and say when they start.
    expected = 'the two letters of a country (ISO 3166), such as US, or "" for none'
    return _text(_COUNTRY, expected, may_be_empty=True)(value).upper()


def _calculate_types(value: object) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not items or not all(isinstance(item, str) for item in items):
        raise _Unexpected(f"a list of at least one of {', '.join(CALCULATE_TYPES)}")
    chosen = {item.strip().upper() for item in items}
    if unknown := sorted(chosen - set(CALCULATE_TYPES)):
        raise _Unexpected(f"only {', '.join(CALCULATE_TYPES)} (not {', '.join(map(repr, unknown))})")
    return tuple(calculate_type for calculate_type in CALCULATE_TYPES if calculate_type in chosen)


_days = _whole_number(1, 3650)


def _days_by_source(value: object) -> dict[str, int]:
    """One number for all sources; or one for each of them, as an object, or as text: web=28,app=28,…"""
    if isinstance(value, str) and "=" in value:
        pairs = [pair.partition("=") for pair in value.split(",")]
        value = {source.strip().lower(): days for source, _, days in pairs}
    given = value if isinstance(value, Mapping) else dict.fromkeys(EVENT_SOURCES, value)
    try:
        if set(given) != set(EVENT_SOURCES):
            raise _Unexpected
        return {source: _days(given[source]) for source in EVENT_SOURCES}
    except _Unexpected:
        each = ", ".join(EVENT_SOURCES)
        raise _Unexpected(f"a whole number from 1 to 3650 for all, or an object with one for each of {each}") from None


# Between two requests of one function: a file takes half a dozen of them, and has to be through in 15 minutes.
_LONGEST_PAUSE_SECONDS = 12
# A function uploads a few parts at most.
_LONGEST_PAUSE_OF_PARTS_SECONDS = 60
# An event source is looked up, and perhaps created, within the two minutes of the function for live events.
_LONGEST_PAUSE_OF_EVENT_SOURCES_SECONDS = 40
# A delivery is remembered for longer than its upload is kept, and than both queues together can delay a second copy of
# its notification.
_LEDGER_OUTLIVES_DATA_BY_DAYS = 30
# How the rate is divided. A part of a large object takes one request, and that many seconds.
_SHARE_OF_DELIVERIES = 0.6
_SHARE_OF_PARTS = 0.2
_SHARE_OF_WATCH = 0.1
# Events themselves count against a limit of their own, which is out of reach: 1,000 requests a second.
_SHARE_OF_EVENT_SOURCES = 0.1
# That for files and that for live events.
_FUNCTIONS_FOR_EVENTS = 2


_READERS: dict[str, Callable[[object], object]] = {
    "tiktok_data_bucket_name": _bucket_name,
    "cred_secret_name": _text(_SECRET_NAME, "1 to 512 letters, digits or any of / _ + = . @ -"),
    "supported_calculate_types": _calculate_types,
    "max_invalid_ratio": _ratio,
    "allow_raw_identifiers": _switch,
    "default_country": _country,
    "email_rule": _choice(*EMAIL_RULES),
    "phone_rule": _choice(*PHONE_RULES),
    "tiktok_requests_per_second": _requests_per_second,
    "max_receive_count": _whole_number(1, 100),
    "data_retention_days": _days,
    "retry_delay_seconds": _whole_number(1, 900),
    # The event source itself takes no less than 2 and no more than 1000; above 50 the calls would only wait.
    "max_concurrency": _whole_number(2, 50),
    "large_object_bytes": _whole_number(1 << 20, LARGEST_LARGE_OBJECT_BYTES),
    "part_concurrency": _whole_number(1, 40),
    "thread_count": _whole_number(1, MOST_THREADS),
    "allow_audience_deletion": _switch,
    "audiences_enabled": _switch,
    "audience_watch_enabled": _switch,
    "expiry_warning_days": _whole_number(1, 365),
    "events_enabled": _switch,
    "create_missing_event_sources": _switch,
    "events_bus_source": _text(
        _BUS_SOURCE,
        '1 to 128 letters, digits or any of . _ / -, not beginning with "aws.", or "" to take no events from the bus',
        may_be_empty=True,
    ),
    "max_event_age_days": _days_by_source,
    "limited_data_use": _switch,
    "partner_name": _text(_PARTNER_NAME, '1 to 50 printable ASCII characters, or "" for none', may_be_empty=True),
    "alarm_email": _text(_EMAIL, 'one e-mail address, or "" to subscribe nobody', may_be_empty=True),
    "stack_name": _text(_STACK_NAME, "a letter, then letters, digits or hyphens, at most 128 together"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the deployer chose. The names of the fields are the keys of the context."""

    tiktok_data_bucket_name: str = ""
    cred_secret_name: str = "tiktok_activation_credentials"  # noqa: S105 - the name of a secret
    supported_calculate_types: tuple[str, ...] = CALCULATE_TYPES
    max_invalid_ratio: float = 0.01
    allow_raw_identifiers: bool = False
    default_country: str = ""
    email_rule: str = "plain"
    phone_rule: str = "plus"
    tiktok_requests_per_second: float = 8
    max_receive_count: int = 5
    data_retention_days: int = 30
    retry_delay_seconds: int = 15
    max_concurrency: int = 4
    large_object_bytes: int = 2 * 2**30
    part_concurrency: int = 4
    thread_count: int = 5
    allow_audience_deletion: bool = False
    audiences_enabled: bool = True
    audience_watch_enabled: bool = True
    expiry_warning_days: int = 14
    events_enabled: bool = True
    create_missing_event_sources: bool = False
    events_bus_source: str = "tiktok.events"
    max_event_age_days: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(EVENT_SOURCES, 28))
    limited_data_use: bool = False
    partner_name: str = ""
    alarm_email: str = ""
    # Not in cdk.context.json: only a second copy in the same account and region needs it (and its own secret name).
    stack_name: str = STACK_NAME

    @classmethod
    def from_context(cls, context: Mapping[str, object]) -> Settings:
        """Read our keys of `context`; raise one `SettingsError` that lists everything that is wrong with them."""
        answers: dict[str, object] = {}
        problems = _misspelled_keys(context)
        for key, read in _READERS.items():
            if key not in context:
                continue
            try:
                answers[key] = read(context[key])
            except _Unexpected as unexpected:
                problems.append(Problem(key, context[key], str(unexpected)))
        if problems:
            raise SettingsError(problems)
        settings = cls(**answers)  # type: ignore[arg-type]  # each reader returns its field's type; a test compares them
        problems = _too_many_functions(settings)
        if problems:
            raise SettingsError(problems)
        return settings

    @property
    def ledger_retention_days(self) -> int:
        """For how long a delivery is remembered."""
        return self.data_retention_days + _LEDGER_OUTLIVES_DATA_BY_DAYS

    @property
    def delivery_interval_seconds(self) -> float:
        """The time between two requests of one delivery."""
        return self.max_concurrency / (_SHARE_OF_DELIVERIES * self.tiktok_requests_per_second)

    @property
    def part_interval_seconds(self) -> float:
        """The time between two requests of one function that works on parts of a large object."""
        return self.part_concurrency / (_SHARE_OF_PARTS * self.tiktok_requests_per_second)

    @property
    def watch_interval_seconds(self) -> float:
        """The time between two requests of the audience watch."""
        return 1 / (_SHARE_OF_WATCH * self.tiktok_requests_per_second)

    @property
    def event_interval_seconds(self) -> float:
        """The time between two requests by which one function lists or creates event sources."""
        functions = _FUNCTIONS_FOR_EVENTS * self.max_concurrency
        return functions / (_SHARE_OF_EVENT_SOURCES * self.tiktok_requests_per_second)


def _too_many_functions(settings: Settings) -> list[Problem]:
    """So many functions that each of them would have to wait too long for its turn at TikTok."""
    deliveries = (settings.delivery_interval_seconds, _LONGEST_PAUSE_SECONDS, _SHARE_OF_DELIVERIES)
    # The narrower limit, of the same key.
    event_sources = (
        settings.event_interval_seconds,
        _LONGEST_PAUSE_OF_EVENT_SOURCES_SECONDS,
        _SHARE_OF_EVENT_SOURCES / _FUNCTIONS_FOR_EVENTS,
    )
    parts = (settings.part_interval_seconds, _LONGEST_PAUSE_OF_PARTS_SECONDS, _SHARE_OF_PARTS)
    problems = []
    for key, (interval, longest, share) in (
        ("max_concurrency", event_sources if settings.events_enabled else deliveries),
        ("part_concurrency", parts),
    ):
        if interval > longest:
            expected = f"at most {longest * share:g} times tiktok_requests_per_second, which all of them share"
            problems.append(Problem(key, getattr(settings, key), expected))
    return problems


def _misspelled_keys(context: Mapping[str, object]) -> list[Problem]:
    """Keys that resemble ours. All others are none of our business: the CDK keeps its own answers in the context."""
    known = [field.name for field in fields(Settings)]
    problems = []
    for key in context:
        if key in known or ":" in key:
            continue
        if close := get_close_matches(key.lower().replace("-", "_"), known, n=1, cutoff=0.8):
            problems.append(Problem(key, context[key], f"the key {close[0]!r} (is this a misspelling of it?)"))
    return problems
