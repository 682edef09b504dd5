"""What a row becomes: an event, checked and hashed, or the word that consent is denied. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, NamedTuple

from lambdas.identifiers.models import IdentifierSpace
from lambdas.tiktok.models import EventSource


class Probe(NamedTuple):  # made several times for each event, which takes a frozen dataclass four times as long
    """One identifier that the suppression list is asked about.

    ``digest`` is the packed hash, ``member`` the member of ``user`` that is left out when it is suppressed.
    """

    space: IdentifierSpace
    digest: bytes
    member: str


@dataclass(slots=True)
class CheckedEvent:
    """An event as TikTok takes it (API reference section 6.1), and what became of its row.

    ``payload`` is the element of ``data``, in one order of keys whatever the order of columns, but for ``event_id`` and
    ``limited_data_use``: these are as the user gave them, None where they are absent. ``left_out`` holds a reason for
    each identifier that was bad and is not sent.
    """

    payload: dict[str, Any]
    event_id: str | None = None
    limited_data_use: bool | None = None
    probes: list[Probe] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    was_in_milliseconds: bool = False


class Denied(Enum):
    """The person has denied consent: nothing else of the row was looked at."""

    DENIED = "denied"


DENIED: Final = Denied.DENIED

# One of these makes an event worth sending, section 6.2. Of the rest, an address alone says too little.
_IDENTIFYING = {
    EventSource.WEB: frozenset({"ttclid", "ttp", "email", "phone", "external_id"}),
    EventSource.APP: frozenset({"idfa", "gaid", "email", "phone"}),
    EventSource.OFFLINE: frozenset({"email", "phone"}),
}
_IDENTIFYING_TOGETHER = frozenset({"ip", "user_agent"})
_KNOWS_ADDRESSES = frozenset({EventSource.WEB, EventSource.APP})


def without(event: CheckedEvent, members: Collection[str]) -> None:
    """Leave members of the user out: they are suppressed. A user that has no member left is left out whole."""
    user = event.payload.get("user")
    if user is None:
        return
    for member in members:
        user.pop(member, None)
    if not user:
        del event.payload["user"]


def is_identified(source: EventSource, payload: Mapping[str, Any]) -> bool:
    """Whether a payload has identifiers that matter for its source. A CRM event has, by its required lead id."""
    if source is EventSource.CRM:
        return True
    user = payload.get("user")
    if user is None:
        return False
    return not _IDENTIFYING[source].isdisjoint(user) or (
        source in _KNOWS_ADDRESSES and user.keys() >= _IDENTIFYING_TOGETHER
    )
