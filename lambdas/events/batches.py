"""From checked events to the requests that carry them: who is suppressed is left out, ids are given. Pure."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from lambdas.events.rows.event import CheckedEvent, is_identified, without
from lambdas.identifiers.models import IdentifierSpace
from lambdas.tiktok.models import MOST_EVENT_BYTES, MOST_EVENTS, EventSource

if TYPE_CHECKING:
    from lambdas.ports import Suppressed

# Changes with every release that derives another id from the same event.
_DERIVED = "1"
_ID_DIGITS = 40
_AT_ONCE = 50
_LARGEST_GROUP = 4 * MOST_EVENT_BYTES  # of rows that are as long as they may be, a thousand would be 64 MB
_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)


class Parcel(NamedTuple):
    """One event as it is sent: ``number`` is its line, or another number by which its sender knows it."""

    number: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Group:
    """Events that came one after the other: the requests that carry them, and how many are not sent at all.

    ``last`` is the number of the last of them.
    """

    requests: tuple[tuple[Parcel, ...], ...]
    suppressed: tuple[int, ...]
    last: int


@dataclass(frozen=True)
class Packing:
    """How events of one event source are made ready. Where ``suppressed`` has no entry, nobody is suppressed."""

    source: EventSource
    source_id: str
    suppressed: Mapping[IdentifierSpace, Suppressed]
    limited_data_use: bool | None

    @functools.cached_property
    def _origin(self) -> bytes:
        """What the ids that are made begin with, before they are hashed."""
        return _encoded([_DERIVED, self.source, self.source_id])

    def groups(self, events: Iterable[tuple[int, CheckedEvent]]) -> Iterator[Group]:
        """Events, each with its number, as groups of at most 1,000 and few MB, whose requests TikTok takes."""
        source = iter(events)
        while True:
            parcels: list[Parcel] = []
            suppressed: list[int] = []
            last = None
            room, size = MOST_EVENTS, 0
            # Encoded a few at a time: to look through the members of a thousand events for garbage takes longer.
            while size < _LARGEST_GROUP and (chunk := list(islice(source, min(room, _AT_ONCE)))):
                before = len(parcels)
                self._pack(chunk, parcels, suppressed)
                room, last = room - len(chunk), chunk[-1][0]
                size += sum(len(parcel.body) for parcel in parcels[before:])
            if last is None:
                return
            yield Group(tuple(_requests(parcels)), tuple(suppressed), last)

    def _pack(self, chunk: Sequence[tuple[int, CheckedEvent]], parcels: list[Parcel], suppressed: list[int]) -> None:
        # Before anything is left out: an id must not depend on who is suppressed today.
        contents = [_encoded(event.payload) for _, event in chunk]
        ids = [self._id(event, content) for (_, event), content in zip(chunk, contents, strict=True)]
        changed, dropped = self._leave_out_suppressed([event for _, event in chunk])
        for position in changed:
            contents[position] = _encoded(chunk[position][1].payload)
        for position, (number, event) in enumerate(chunk):
            if position in dropped:
                suppressed.append(number)
            else:
                parcels.append(Parcel(number, self._body(event, contents[position], ids[position])))

    def _id(self, event: CheckedEvent, content: bytes) -> bytes:
        """The id by which TikTok knows an event again, in JSON: the user's, or one made of its content.

        docs/event-files.md tells the rule. The event keeps it, for when it is packed once more.
        """
        if event.event_id is None:
            event.event_id = hashlib.sha256(self._origin + content).hexdigest()[:_ID_DIGITS]
        return _encoded(event.event_id)

    def _body(self, event: CheckedEvent, content: bytes, event_id: bytes) -> bytes:
        limited = self.limited_data_use if event.limited_data_use is None else event.limited_data_use
        # It is encoded already; encoding it again would be half of the work.
        told = b"" if limited is None else b',"limited_data_use":true' if limited else b',"limited_data_use":false'
        return b"".join((content[:-1], b',"event_id":', event_id, told, b"}"))

    def _leave_out_suppressed(self, events: Sequence[CheckedEvent]) -> tuple[set[int], set[int]]:
        """Take suppressed identifiers out of events; returns the positions of these, and of those with none left."""
        changed: set[int] = set()
        for space, suppressed in self.suppressed.items():
            probes = [
                (position, probe)
                for position, event in enumerate(events)
                for probe in event.probes
                if probe.space is space
            ]
            for found in suppressed.positions(b"".join(probe.digest for _, probe in probes)):
                position, probe = probes[found]
                without(events[position], [probe.member])
                changed.add(position)
        dropped = {position for position in changed if not is_identified(self.source, events[position].payload)}
        return changed - dropped, dropped


def _requests(parcels: Iterable[Parcel]) -> Iterator[tuple[Parcel, ...]]:
    """As few requests as hold the events in their order."""
    request: list[Parcel] = []
    size = 0
    for parcel in parcels:
        if request and (len(request) == MOST_EVENTS or size + len(parcel.body) > MOST_EVENT_BYTES):
            yield tuple(request)
            request, size = [], 0
        request.append(parcel)
        size += len(parcel.body) + 1
    if request:
        yield tuple(request)


def _encoded(value: object) -> bytes:
    return _ENCODER.encode(value).encode()
