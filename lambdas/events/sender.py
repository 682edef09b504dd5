"""Sends requests full of events: several at a time, and halved where TikTok refuses one until a bad event is found."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from lambdas.attempts import STEP_SECONDS
from lambdas.contracts import Metric
from lambdas.events.batches import Parcel
from lambdas.tiktok.errors import ConnectorError, NotReady, TikTokRejected
from lambdas.tiktok.models import EventSource

if TYPE_CHECKING:
    from lambdas.events.ports import EventApi

# Codes that one event can cause (API reference section 1.5), so that it is looked for. The others concern the request.
_OF_AN_EVENT = frozenset({20001, 40000, 40002, 40011, 40050, 40061, 40062})
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
    """Sends for one token in one invocation, at most ``thread_count`` requests at a time. To be closed."""

    def __init__(
        self,
        api: EventApi,
        *,
        thread_count: int,
        seconds_left: Callable[[], float],
        count: Callable[[Metric, int], None],
    ) -> None:
        self._api = api
        self._thread_count = thread_count
        self._seconds_left = seconds_left
        self._count = count
        # One for all requests, because each of its threads has a connection of its own.
        self._pool = ThreadPoolExecutor(max_workers=thread_count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def send(self, address: Address, requests: Sequence[Sequence[Parcel]]) -> Sent:
        """Send requests. A refused event is refused alone: the others of its request are sent.

        When every request is refused, some of their events are tried alone, and if TikTok refuses all of these, it is
        no matter of single events: TikTokRejected is the ``error``, and nothing is settled. Other errors are TikTok's,
        or NotReady when the time is up.
        """
        call = _Call(self._api, address, self._seconds_left)
        refused = self._track(call, requests)
        if len(refused) == len(requests):
            refused = self._try_some(call, refused)
        # The first halves first, down to single events: so that something is settled when the time is up.
        pieces = [half for request in reversed(refused) for half in _halves(request)]
        while pieces and call.sent.error is None:
            some = [pieces.pop() for _ in range(min(self._thread_count, len(pieces)))]
            pieces += [half for piece in reversed(self._track(call, some)) for half in _halves(piece)]
        if call.met_unlisted_code:
            self._count(Metric.UNLISTED_CODES, 1)
        return call.sent

    def _track(self, call: _Call, parcels: Sequence[Sequence[Parcel]]) -> list[Sequence[Parcel]]:
        """Send them, each in a request; returns those that are refused."""
        futures = [self._pool.submit(call.track, each) for each in parcels]
        return list(filter(None, [future.result() for future in futures]))

    def _try_some(self, call: _Call, refused: Sequence[Sequence[Parcel]]) -> list[Sequence[Parcel]]:
        """Try some of all refused events alone; returns the others, in their requests."""
        some = _sample(refused)
        self._track(call, [[parcel] for parcel in some.values()])
        rests = ([each for each in request if each.number not in some] for request in refused)
        others: list[Sequence[Parcel]] = list(filter(None, rests))
        if others and not call.sent.accepted and call.sent.error is None:
            answer = next(iter(call.sent.refused.values()))
            call.sent.refused.clear()
            call.sent.error = TikTokRejected(
                f"TikTok refuses {len(some)} events that were tried alone, and every request with others. Its answer: "
                f"{answer}"
            )
        return others


class _Call:
    """Sends in several threads, which share what is counted, and stop together."""

    def __init__(self, api: EventApi, address: Address, seconds_left: Callable[[], float]) -> None:
        self._api = api
        self._address = address
        self._seconds_left = seconds_left
        self._counting = Lock()
        self.sent = Sent()
        self.met_unlisted_code = False

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
        except ConnectorError as error:
            return self._heed(error, parcels)
        else:
            with self._counting:
                self.sent.accepted.update(parcel.number for parcel in parcels)
                self.sent.request_id = request_id
        return ()

    def _heed(self, error: ConnectorError, parcels: Sequence[Parcel]) -> Sequence[Parcel]:
        is_of_an_event = isinstance(error, TikTokRejected) and (error.code in _OF_AN_EVENT or not error.listed)
        with self._counting:
            if not is_of_an_event:
                self.sent.error = self.sent.error or error
                return ()
            self.met_unlisted_code = self.met_unlisted_code or not error.listed
            if len(parcels) > 1:
                return parcels
            [parcel] = parcels
            self.sent.refused[parcel.number] = _said(error, parcel)
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


def _said(error: ConnectorError, parcel: Parcel) -> str:
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
