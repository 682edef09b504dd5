"""Sends requests full of events: several at a time, and halved where TikTok refuses one until a bad event is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from lambdas.events.batches import Parcel
from lambdas.tiktok.errors import TikTokRejected
from lambdas.tiktok.models import EventSource

if TYPE_CHECKING:
    from lambdas.events.ports import EventApi

T = TypeVar("T")

# Events of a refused request that are tried alone, spread over it, while TikTok has accepted nothing yet.
_PROBES = 20
_MOST_TEXTS = 100  # about as many codes come on top of them
_LONGEST_TEXT = 160  # characters of what TikTok says of an event


@dataclass(frozen=True)
class Address:
    """Where requests go, and what they say beside their events."""

    source: EventSource
    source_id: str
    test_event_code: str | None = None
    partner_name: str | None = None


@dataclass
class Sent:
    """What became of events: how many TikTok accepted, and the numbers of those that it refused, by what it said."""

    accepted: int = 0
    refused: dict[str, list[int]] = field(default_factory=dict)
    request_id: str = ""

    @property
    def refused_count(self) -> int:
        """How many events TikTok refused."""
        return sum(map(len, self.refused.values()))


class Sender:
    """Sends for one token in one invocation, at most ``thread_count`` requests at a time."""

    def __init__(self, api: EventApi, *, thread_count: int) -> None:
        self._api = api
        self._thread_count = thread_count

    def send(self, address: Address, requests: Sequence[Sequence[Parcel]], sent: Sent) -> None:
        """Send requests, and add what became of their events to ``sent``, which holds what became of earlier ones.

        A refused event is refused alone: the others of its request are sent. Sending twice does no harm, for events
        carry ids.

        Raises:
            TikTokRejected: TikTok has accepted nothing, and refuses single events wherever it is asked: it is no matter
                of single events.
            ConnectorError: TikTok's other answers.
        """
        if not requests:
            return
        with ThreadPoolExecutor(max_workers=min(self._thread_count, len(requests))) as pool:

            def each(work: Callable[[Sequence[Parcel]], T], many: Sequence[Sequence[Parcel]]) -> list[T]:
                return [future.result() for future in [pool.submit(work, one) for one in many]]

            call = _Call(self._api, address, sent)
            refused = [request for request in each(call.track, requests) if request]
            if refused and not sent.accepted:
                refused = [rest for rest in each(call.probe, refused) if rest]
                if refused and not sent.accepted:
                    assert call.last_error is not None
                    raise call.last_error
            each(call.halve, refused)


class _Call:
    """Sends in several threads, which share what is counted."""

    def __init__(self, api: EventApi, address: Address, sent: Sent) -> None:
        self._api = api
        self._address = address
        self._sent = sent
        self._counting = Lock()
        self.last_error: TikTokRejected | None = None

    def track(self, parcels: Sequence[Parcel]) -> Sequence[Parcel]:
        """Send events in one request; returns those that are to be sent in smaller ones, all of them or none."""
        try:
            request_id = self._api.track(
                self._address.source,
                self._address.source_id,
                [parcel.body for parcel in parcels],
                test_event_code=self._address.test_event_code,
                partner_name=self._address.partner_name,
            )
        except TikTokRejected as error:
            with self._counting:
                self.last_error = error
                if len(parcels) > 1:
                    return parcels
                _refuse(self._sent, parcels[0].number, error)
                return ()
        with self._counting:
            self._sent.accepted += len(parcels)
            self._sent.request_id = request_id
        return ()

    def probe(self, request: Sequence[Parcel]) -> Sequence[Parcel]:
        """Send some events of a refused request alone, spread over it; returns the others."""
        step = max(1, -(-len(request) // _PROBES))
        for parcel in request[::step]:
            self.track([parcel])
        return [parcel for position, parcel in enumerate(request) if position % step]

    def halve(self, request: Sequence[Parcel]) -> None:
        """Send the halves of a refused request, and so on, until each event is accepted or refused."""
        halves = list(_halves(request))
        while halves:
            half = halves.pop()
            if self.track(half):
                halves += _halves(half)


def _halves(parcels: Sequence[Parcel]) -> Iterator[Sequence[Parcel]]:
    middle = len(parcels) // 2
    # The last one is taken first.
    yield from filter(None, (parcels[middle:], parcels[:middle]))


def _refuse(sent: Sent, number: int, error: TikTokRejected) -> None:
    """Count an event as refused."""
    text = f"code {error.code}: {error.said}"[:_LONGEST_TEXT]
    if text not in sent.refused and len(sent.refused) >= _MOST_TEXTS:
        text = f"code {error.code}"
    sent.refused.setdefault(text, []).append(number)
