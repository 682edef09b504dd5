"""The environment as typed settings, checked at cold start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from lambdas.contracts import CALCULATE_TYPES, MOST_THREADS, Env
from lambdas.identifiers.models import EmailRule, PhoneRule
from lambdas.tiktok.errors import FatalError


@dataclass(frozen=True)
class ActivationSettings:
    """What the activation function reads from its environment.

    ``default_country`` (ISO 3166, two letters, upper case) is where a raw phone number without "+" is dialled.
    """

    bucket: str
    ledger_table: str
    secret_id: str
    queue_url: str
    dead_letter_queue_url: str
    tiktok_api_url: str
    supported_calculate_types: frozenset[str]
    max_invalid_ratio: float
    max_receive_count: int
    retry_delay_seconds: int
    requests_per_second: float
    max_concurrency: int
    ledger_retention_days: int
    allow_raw_identifiers: bool
    default_country: str | None
    email_rule: EmailRule
    phone_rule: PhoneRule
    thread_count: int
    allow_audience_deletion: bool

    @property
    def request_interval_seconds(self) -> float:
        """The time between two requests of one function, when all of them together keep the rate."""
        return self.max_concurrency / self.requests_per_second

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read all variables.

        Raises:
            FatalError: names every variable that is missing or wrong.
        """
        problems: list[str] = []

        def read(name: Env, convert: Callable[[str], Any], *, may_be_empty: bool = False) -> Any:
            try:
                value = environment[name]
                if value:
                    return convert(value)
                if not may_be_empty:
                    raise ValueError
            except KeyError:
                problems.append(f"{name} is missing")
            except ValueError:
                problems.append(f"{name} is {environment[name]!r}, which is not what it should be")

        settings = cls(
            bucket=read(Env.BUCKET, str),
            ledger_table=read(Env.LEDGER_TABLE, str),
            secret_id=read(Env.SECRET_ID, str),
            queue_url=read(Env.QUEUE_URL, str),
            dead_letter_queue_url=read(Env.DEAD_LETTER_QUEUE_URL, str),
            tiktok_api_url=read(Env.TIKTOK_API_URL, str),
            supported_calculate_types=read(Env.SUPPORTED_CALCULATE_TYPES, _calculate_types),
            max_invalid_ratio=read(Env.MAX_INVALID_RATIO, _ratio),
            max_receive_count=read(Env.MAX_RECEIVE_COUNT, _positive),
            retry_delay_seconds=read(Env.RETRY_DELAY_SECONDS, _positive),
            requests_per_second=read(Env.REQUESTS_PER_SECOND, _rate),
            max_concurrency=read(Env.MAX_CONCURRENCY, _positive),
            ledger_retention_days=read(Env.LEDGER_RETENTION_DAYS, _positive),
            allow_raw_identifiers=read(Env.ALLOW_RAW_IDENTIFIERS, _switch),
            default_country=read(Env.DEFAULT_COUNTRY, _country, may_be_empty=True),
            email_rule=read(Env.EMAIL_RULE, EmailRule),
            phone_rule=read(Env.PHONE_RULE, PhoneRule),
            thread_count=read(Env.THREAD_COUNT, _threads),
            allow_audience_deletion=read(Env.ALLOW_AUDIENCE_DELETION, _switch),
        )
        if problems:
            raise FatalError(f"The function's environment is wrong: {'; '.join(problems)}. Deploy the stack again.")
        return settings


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


def _rate(text: str) -> float:
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
