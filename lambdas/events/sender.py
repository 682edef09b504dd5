"""Sends requests full of events: several at a time, and halved where TikTok refuses one until a bad event is found."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from lambdas.events.batches import Parcel
from lambdas.tiktok.errors import TikTokRejected
from lambdas.tiktok.models import EventSource

if TYPE_CHECKING:
    from lambdas.events.ports import EventApi

# Fewer bad events than this may be a matter of single events, whatever becomes of the others.
FEW_REFUSED = 50
# The ledger remembers each of them.
MOST_REFUSED = 10_000
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
            TikTokRejected: TikTok refuses more than single events. What ``sent`` counts is true all the same.
            ConnectorError: TikTok's other answers.
        """
        if not requests:
            return
        # The threads share it, so that together they stop when too much is refused.
        turn = Lock()
        with ThreadPoolExecutor(max_workers=min(self._thread_count, len(requests))) as pool:
            futures = [pool.submit(self._send, address, request, sent, turn) for request in requests]
        for future in futures:
            future.result()

    def _send(self, address: Address, request: Sequence[Parcel], sent: Sent, turn: Lock) -> None:
        halves = [request]
        while halves:
            half = halves.pop()
            try:
                request_id = self._api.track(
                    address.source,
                    address.source_id,
                    [parcel.body for parcel in half],
                    test_event_code=address.test_event_code,
                    partner_name=address.partner_name,
                )
            except TikTokRejected as error:
                if len(half) > 1:
                    middle = len(half) // 2
                    halves += [half[middle:], half[:middle]]
                    continue
                with turn:
                    _refuse(sent, half[0].number, error)
            else:
                with turn:
                    sent.accepted += len(half)
                    sent.request_id = request_id


def _refuse(sent: Sent, number: int, error: TikTokRejected) -> None:
    """Count an event as refused. Raises the error when it is no matter of single events."""
    text = f"code {error.code}: {error.said}"[:_LONGEST_TEXT]
    if text not in sent.refused and len(sent.refused) >= _MOST_TEXTS:
        text = f"code {error.code}"
    sent.refused.setdefault(text, []).append(number)
    count = sent.refused_count
    if count > MOST_REFUSED or (count > FEW_REFUSED and count > sent.accepted):
        raise error
