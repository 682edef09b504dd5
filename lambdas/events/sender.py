"""Sends requests full of events: several at a time, and halved where TikTok refuses one until a bad event is found."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from lambdas.attempts import STEP_SECONDS
from lambdas.events.batches import Parcel
from lambdas.tiktok.errors import ConnectorError, NotReady, TikTokRejected
from lambdas.tiktok.models import EventSource

if TYPE_CHECKING:
    from lambdas.events.ports import EventApi

# Were one event in ten good, all of so many would be bad in one of 38,000 cases.
_TRIED_ALONE = 100
_LONGEST_TEXT = 160  # characters of what TikTok says of an event
_SHORTEST_MASKED = 2  # characters of a value that TikTok may quote


@dataclass(frozen=True)
class Address:
    """Where requests go, and what they say beside their events."""

    source: EventSource
    source_id: str
    test_event_code: str | None = None
    partner_name: str | None = None


@dataclass
class Sent:
    """What became of events, by their numbers. What is in neither is not settled, and ``error`` says why.

    ``refused`` holds TikTok's answer to each event that it refuses alone.
    """

    accepted: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)
    request_id: str = ""
    error: ConnectorError | None = None

    @property
    def settled(self) -> set[int]:
        """The numbers of all events that need not be sent again."""
        return self.accepted | self.refused.keys()


class Sender:
    """Sends for one token in one invocation, at most ``thread_count`` requests at a time."""

    def __init__(self, api: EventApi, *, thread_count: int, seconds_left: Callable[[], float]) -> None:
        self._api = api
        self._thread_count = thread_count
        self._seconds_left = seconds_left

    def send(self, address: Address, requests: Sequence[Sequence[Parcel]], *, has_accepted: bool = False) -> Sent:
        """Send requests. A refused event is refused alone: the others of its request are sent.

        ``has_accepted`` says that TikTok has taken events before. While it has not, some events of the requests that it
        refuses are tried alone: if it refuses all of these, it is no matter of single events, and TikTokRejected is the
        ``error`` that the others are left with. Other errors are TikTok's, or NotReady when the time is up.
        """
        call = _Call(self._api, address, self._seconds_left)
        with ThreadPoolExecutor(max_workers=self._thread_count) as pool:

            def track(parcels: Sequence[Sequence[Parcel]]) -> list[Sequence[Parcel]]:
                """Send them, each in a request; returns those that are refused."""
                return list(filter(None, [future.result() for future in [pool.submit(call.track, p) for p in parcels]]))

            def take_apart(refused: Sequence[Sequence[Parcel]]) -> None:
                # The first halves first, down to single events: so that something is settled when the time is up.
                pieces = [half for request in reversed(refused) for half in _halves(request)]
                while pieces and call.sent.error is None:
                    some = [pieces.pop() for _ in range(min(self._thread_count, len(pieces)))]
                    pieces += [half for piece in reversed(track(some)) for half in _halves(piece)]

            refused = track(requests)
            if refused and not (has_accepted or call.sent.accepted):
                some = _sample(refused)
                track([[parcel] for parcel in some.values()])
                refused = [[each for each in request if each.number not in some] for request in refused]
                refused = list(filter(None, refused))
                if refused and not call.sent.accepted and call.sent.error is None:
                    answer = next(iter(call.sent.refused.values()))
                    call.sent.error = TikTokRejected(
                        f"TikTok refuses {len(some)} events that were tried alone, and every request with others. Its "
                        f"answer: {answer}"
                    )
            take_apart(refused)
        return call.sent


class _Call:
    """Sends in several threads, which share what is counted, and stop together."""

    def __init__(self, api: EventApi, address: Address, seconds_left: Callable[[], float]) -> None:
        self._api = api
        self._address = address
        self._seconds_left = seconds_left
        self._counting = Lock()
        self.sent = Sent()

    def track(self, parcels: Sequence[Parcel]) -> Sequence[Parcel]:
        """Send events in one request; returns those that are to be sent in smaller ones, all of them or none."""
        if self.sent.error is not None:
            return ()
        try:
            if self._seconds_left() < STEP_SECONDS:
                raise NotReady("The function's time is up before the next request; it goes on there.", wait_seconds=0)
            request_id = self._api.track(
                self._address.source,
                self._address.source_id,
                [parcel.body for parcel in parcels],
                test_event_code=self._address.test_event_code,
                partner_name=self._address.partner_name,
            )
        except TikTokRejected as error:
            if len(parcels) > 1:
                return parcels
            [parcel] = parcels
            with self._counting:
                self.sent.refused[parcel.number] = _said(error, parcel)
        except ConnectorError as error:
            with self._counting:
                self.sent.error = self.sent.error or error
        else:
            with self._counting:
                self.sent.accepted.update(parcel.number for parcel in parcels)
                self.sent.request_id = request_id
        return ()


def _sample(requests: Sequence[Sequence[Parcel]]) -> dict[int, Parcel]:
    """A few of all events, by their numbers: at random, for bad events may come at regular distances."""
    parcels = [parcel for request in requests for parcel in request]
    chosen = random.sample(parcels, min(_TRIED_ALONE, len(parcels)))
    return {parcel.number: parcel for parcel in sorted(chosen)}


def _halves(parcels: Sequence[Parcel]) -> Iterator[Sequence[Parcel]]:
    """The second half and the first, which is taken from a stack before it; what is one event stays one."""
    middle = len(parcels) // 2
    yield from filter(None, (parcels[middle:], parcels[:middle]))


def _said(error: TikTokRejected, parcel: Parcel) -> str:
    """TikTok's answer to one event, without whatever of the event it quotes."""
    said = error.said
    event = json.loads(parcel.body)
    event.pop("event", None)
    for value in sorted(set(_texts(event)), key=len, reverse=True):
        if len(value) >= _SHORTEST_MASKED:
            said = said.replace(value, "…")
    return f"code {error.code}: {said}"[:_LONGEST_TEXT]


def _texts(value: Any) -> Iterator[str]:
    """All values of an event, as texts."""
    if isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    else:
        yield str(value)
