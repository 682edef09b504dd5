"""The environment as typed settings, checked at cold start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from lambdas.contracts import CALCULATE_TYPES, EVENT_SOURCES, MOST_THREADS, Env
from lambdas.identifiers.models import EmailRule, PhoneRule
from lambdas.tiktok.errors import FatalError


def _calculate_types(text: str) -> frozenset[str]:
    types = frozenset(text.split(","))
    if not types <= set(CALCULATE_TYPES):
        raise ValueError
    return types


def _ratio(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def _switch(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _country(text: str) -> str:
    # Imported only where a country is set: it loads what is known of every country's numbers.
    from lambdas.identifiers.phones import is_known_country

    if not is_known_country(text):
        raise ValueError
    return text.upper()


def _threads(text: str) -> int:
    value = _positive(text)
    if value > MOST_THREADS:
        raise ValueError
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _days_by_source(text: str) -> dict[str, int]:
    pairs = [pair.partition("=") for pair in text.split(",")]
    if sorted(source for source, *_ in pairs) != sorted(EVENT_SOURCES):
        raise ValueError
    return {source: _positive(days) for source, _, days in pairs}


def _read_from(name: Env, convert: Callable[[str], Any] = str, *, may_be_empty: bool = False) -> Any:
    """A field that is read from a variable; None where that is empty and may be."""
    return field(metadata={"name": name, "convert": convert, "may_be_empty": may_be_empty})


@dataclass(frozen=True, kw_only=True)
class FunctionSettings:
    """What every function reads from its environment.

    ``request_interval_seconds`` is the time between two requests of one function for one advertiser: its share of the
    rate.
    """

    bucket: str = _read_from(Env.BUCKET)
    ledger_table: str = _read_from(Env.LEDGER_TABLE)
    ledger_retention_days: int = _read_from(Env.LEDGER_RETENTION_DAYS, _positive)
    secret_id: str = _read_from(Env.SECRET_ID)
    tiktok_api_url: str = _read_from(Env.TIKTOK_API_URL)
    request_interval_seconds: float = _read_from(Env.REQUEST_INTERVAL_SECONDS, _seconds)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read all variables.

        Raises:
            FatalError: names every variable that is missing or wrong.
        """
        problems: list[str] = []
        values: dict[str, Any] = {}
        for each in fields(cls):
            name, text = each.metadata["name"], environment.get(each.metadata["name"])
            try:
                if text:
                    values[each.name] = each.metadata["convert"](text)
                elif text is None:
                    problems.append(f"{name} is missing")
                elif each.metadata["may_be_empty"]:
                    values[each.name] = None
                else:
                    raise ValueError
            except ValueError:
                problems.append(f"{name} is {text!r}, which is not what it should be")
        if problems:
            raise FatalError(f"The function's environment is wrong: {'; '.join(problems)}. Deploy the stack again.")
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class QueueSettings(FunctionSettings):
    """What a function reads that a queue's messages come to."""

    queue_url: str = _read_from(Env.QUEUE_URL)
    dead_letter_queue_url: str = _read_from(Env.DEAD_LETTER_QUEUE_URL)
    max_receive_count: int = _read_from(Env.MAX_RECEIVE_COUNT, _positive)
    retry_delay_seconds: int = _read_from(Env.RETRY_DELAY_SECONDS, _positive)
    thread_count: int = _read_from(Env.THREAD_COUNT, _threads)


@dataclass(frozen=True, kw_only=True)
class RowSettings(FunctionSettings):
    """What a function reads that looks at rows.

    ``default_country`` (ISO 3166, two letters, upper case) is where a raw phone number without "+" is dialled.
    """

    max_invalid_ratio: float = _read_from(Env.MAX_INVALID_RATIO, _ratio)
    allow_raw_identifiers: bool = _read_from(Env.ALLOW_RAW_IDENTIFIERS, _switch)
    default_country: str | None = _read_from(Env.DEFAULT_COUNTRY, _country, may_be_empty=True)
    email_rule: EmailRule = _read_from(Env.EMAIL_RULE, EmailRule)  # noqa: RUF009 - a field, not a value
    phone_rule: PhoneRule = _read_from(Env.PHONE_RULE, PhoneRule)  # noqa: RUF009


@dataclass(frozen=True, kw_only=True)
class PartSettings(RowSettings):
    """What the function for parts of large objects reads."""


@dataclass(frozen=True, kw_only=True)
class ActivationSettings(RowSettings, QueueSettings):
    """What the activation function reads."""

    supported_calculate_types: frozenset[str] = _read_from(Env.SUPPORTED_CALCULATE_TYPES, _calculate_types)
    allow_audience_deletion: bool = _read_from(Env.ALLOW_AUDIENCE_DELETION, _switch)
    large_object_bytes: int = _read_from(Env.LARGE_OBJECT_BYTES, _positive)
    state_machine_arn: str = _read_from(Env.STATE_MACHINE_ARN)


@dataclass(frozen=True, kw_only=True)
class WatchSettings(FunctionSettings):
    """What the audience watch reads from its environment."""

    expiry_warning_days: int = _read_from(Env.EXPIRY_WARNING_DAYS, _positive)


@dataclass(frozen=True, kw_only=True)
class EventSettings(QueueSettings):
    """What both functions for events read.

    ``request_interval_seconds`` is for listing and creating event sources; sending events keeps no pace.
    ``max_event_age_days`` has one number for each of ``EVENT_SOURCES``.
    """

    default_country: str | None = _read_from(Env.DEFAULT_COUNTRY, _country, may_be_empty=True)
    partner_name: str | None = _read_from(Env.PARTNER_NAME, may_be_empty=True)
    limited_data_use: bool = _read_from(Env.LIMITED_DATA_USE, _switch)
    create_missing_event_sources: bool = _read_from(Env.CREATE_MISSING_EVENT_SOURCES, _switch)
    max_event_age_days: Mapping[str, int] = _read_from(Env.MAX_EVENT_AGE_DAYS, _days_by_source)
