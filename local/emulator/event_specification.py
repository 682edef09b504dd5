"""What an event has to look like (API reference sections 6.1 and 6.3)."""

import math
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from functools import partial
from typing import Any

from .answers import ApiError, Code, Json, parameter_error
from .parameters import is_broken
from .settings import Settings

LONGEST_TTCLID = 1_000
LONGEST_TEXT = 100_000
SMALLEST_MILLISECONDS = 100_000_000_000
"""Seconds reach this number in the year 5138; milliseconds passed it in 1973."""
HASH_LENGTH = 64
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")

Check = Callable[[str, Any], None]
"""Refuses a value with 40002, naming the dotted path at which it stands."""


class Source(StrEnum):
    """Where an event happened: `event_source` of a request."""

    WEB = "web"
    APP = "app"
    OFFLINE = "offline"
    CRM = "crm"


STANDARD_EVENTS = frozenset(
    (
        "AddPaymentInfo",
        "AddToCart",
        "AddToWishlist",
        "ApplicationApproval",
        "CompleteRegistration",
        "Contact",
        "CustomizeProduct",
        "Download",
        "FindLocation",
        "InitiateCheckout",
        "Lead",
        "Purchase",
        "Schedule",
        "Search",
        "StartTrial",
        "SubmitApplication",
        "Subscribe",
        "ViewContent",
    )
)
"""Of web, offline and CRM; everything else is a custom event."""

REQUIRED = {
    Source.WEB: ("event", "event_time", "page"),
    Source.APP: ("event", "event_time", "app"),
    Source.OFFLINE: ("event", "event_time"),
    Source.CRM: ("event", "event_time", "lead"),
}

# The checks carry the words of the one text that was recorded, which has no final stop (API reference section 1.5).


def _text(where: str, value: Any, longest: int = LONGEST_TEXT, shortest: int = 0) -> None:
    if not isinstance(value, str) or is_broken(value):
        raise parameter_error(f"{where}: Not a valid string")
    if not shortest <= len(value) <= longest:
        raise parameter_error(f"{where}: Length must be between {shortest} and {longest}")


def _text_or_texts(where: str, value: Any) -> None:
    if isinstance(value, list):
        _each(_text, where, value)
    else:
        _text(where, value)


def _integer(where: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise parameter_error(f"{where}: Not a valid integer")


def _number(where: str, value: Any) -> None:
    # Python reads NaN and Infinity, which are no JSON.
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise parameter_error(f"{where}: Not a valid number")


def _share(where: str, value: Any) -> None:
    _number(where, value)
    if not 0 <= value <= 1:
        raise parameter_error(f"{where}: Must be between 0 and 1")


def _flag(where: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise parameter_error(f"{where}: Not a valid boolean")


def _currency(where: str, value: Any) -> None:
    _text(where, value)
    if len(value) != 3 or not value.isascii() or not value.isalpha() or not value.isupper():
        raise parameter_error(f"{where}: Not a valid ISO 4217 code")


def _word(words: Collection[str], where: str, value: Any) -> None:
    if not isinstance(value, str) or value not in words:
        raise parameter_error(f"{where}: Must be one of: {', '.join(words)}")


def _each(check: Check, where: str, value: Any) -> None:
    if not isinstance(value, list):
        raise parameter_error(f"{where}: Not a valid list")
    for position, item in enumerate(value):
        check(f"{where}.{position}", item)


def _object(members: Mapping[str, Check], required: Collection[str], where: str, value: Any) -> None:
    """Members that are not known are ignored, and null is as good as absent."""
    if not isinstance(value, dict):
        raise parameter_error(f"{where}: Not a valid object")
    for name in required:
        if value.get(name) is None:
            raise parameter_error(f"{where}.{name}: Missing data for required field")
    for name, member in value.items():
        check = members.get(name)
        if check is not None and member is not None:
            check(f"{where}.{name}", member)


_NAME = partial(_text, longest=1_000, shortest=1)

_USER: dict[str, Check] = {
    **dict.fromkeys(("email", "phone", "external_id"), _text_or_texts),
    "ttclid": partial(_text, longest=LONGEST_TTCLID),
    **dict.fromkeys(("ttp", "ip", "user_agent", "idfa", "idfv", "gaid", "locale"), _text),
    "att_status": partial(_word, ("AUTHORIZED", "DENIED", "NOT_DETERMINED", "RESTRICTED", "NOT_APPLICABLE")),
    **dict.fromkeys(("first_name", "last_name", "zip_code", "city", "state", "country"), _text),
}

_CONTENT: dict[str, Check] = {
    **dict.fromkeys(("price", "quantity"), _number),
    **dict.fromkeys(("content_id", "content_category", "content_name", "brand"), _text),
}

_PROPERTIES: dict[str, Check] = {
    "content_ids": partial(_each, _text),
    "contents": partial(_each, partial(_object, _CONTENT, ())),
    "content_type": partial(_word, ("product", "product_group")),
    "currency": _currency,
    "value": _number,
    "num_items": _integer,
    "customer_type": partial(_word, ("new", "returning")),
    **dict.fromkeys(("search_string", "description", "order_id", "shop_id", "query"), _text),
}

_AD: dict[str, Check] = {
    **dict.fromkeys(("callback", "campaign_id", "ad_id", "creative_id"), _text),
    **dict.fromkeys(("is_retargeting", "attributed"), _flag),
    **dict.fromkeys(("attribution_type", "attribution_provider"), _text),
    "attribution_share": _share,
    "attribution_value": _number,
}

_EVENT: dict[str, Check] = {
    "event": _NAME,
    "event_time": _integer,
    "event_id": _text,
    "user": partial(_object, _USER, ()),
    "properties": partial(_object, _PROPERTIES, ()),
    "page": partial(_object, {"url": _NAME, "referrer": _text}, ("url",)),
    "app": partial(_object, {"app_id": _NAME, "app_name": _text, "app_version": _text}, ("app_id",)),
    "ad": partial(_object, _AD, ()),
    "lead": partial(_object, {"lead_id": _NAME, "lead_event_source": _text}, ("lead_id",)),
    "limited_data_use": _flag,
}


def check_event(where: str, event: Any, source: Source, now: float, settings: Settings) -> None:
    """Refuse an event that TikTok would not take; the path of the first fault begins with `where`."""
    required = REQUIRED[source]
    if source is Source.WEB and settings.require_user_of_web_events:
        required = (*required, "user")
    _object(_EVENT, required, where, event)
    if source is Source.OFFLINE and event["event"] not in STANDARD_EVENTS and settings.refuse_custom_offline_events:
        raise parameter_error(f"{where}.event: Not a standard event")
    _check_time(f"{where}.event_time", event["event_time"], now, settings)
    if settings.refuse_plain_identifiers:
        _check_hashes(f"{where}.user", event.get("user") or {})


def is_hash(value: str) -> bool:
    """Whether it could be SHA-256 in hexadecimal characters of either case."""
    return len(value) == HASH_LENGTH and _HEXADECIMAL.issuperset(value)


def values_of(member: Any) -> list[str]:
    """A text alone or a list of texts, as a list; empty ones are left out."""
    return [value for value in (member if isinstance(member, list) else [member]) if value]


def _check_time(where: str, event_time: int, now: float, settings: Settings) -> None:
    if event_time >= SMALLEST_MILLISECONDS:
        if settings.refuse_times_in_milliseconds:
            raise parameter_error(f"{where}: Must be in seconds")
        event_time //= 1_000
    oldest, latest = settings.max_event_age_seconds, settings.max_event_lead_seconds
    if oldest is not None and event_time < now - oldest:
        raise parameter_error(f"{where}: Must not be older than {oldest} seconds")
    if latest is not None and event_time > now + latest:
        raise parameter_error(f"{where}: Must not be more than {latest} seconds in the future")


def _check_hashes(where: str, user: Json) -> None:
    for name in ("email", "phone"):
        if not all(is_hash(value) for value in values_of(user.get(name))):
            raise ApiError(Code.NOT_HASHED, f"{where}.{name}: Must be hashed with SHA-256")
