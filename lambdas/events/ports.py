"""What this pipeline needs from the world outside, beside what every pipeline does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from lambdas.ports import ObjectStore
from lambdas.tiktok.models import EventSource, NamedEventSource


class EventStore(ObjectStore, Protocol):
    """Writes back what cannot be sent, too."""

    def write_stream(self, key: str, chunks: Iterable[bytes]) -> None:
        """Write an object into the same bucket, whatever its size. Raises RetryableError or FatalError."""
        ...


class EventApi(Protocol):
    """TikTok's event calls for one token. All raise ConnectorError."""

    def track(
        self,
        source: EventSource,
        source_id: str,
        events: Sequence[bytes],
        *,
        test_event_code: str | None = None,
        partner_name: str | None = None,
    ) -> str:
        """Send events, each in JSON; TikTok takes all or none. Returns the request id."""
        ...


class EventSourceApi(Protocol):
    """TikTok's calls for the event sources of one advertiser. All raise ConnectorError."""

    def list_sources(self, source: EventSource, name: str) -> tuple[list[NamedEventSource], bool]:
        """The event sources that may have a name, and whether they certainly are all."""
        ...

    def create(self, source: EventSource, name: str) -> str:
        """Create an event source; never repeats a call whose outcome is unknown. Returns its id."""
        ...


class Advertiser(Protocol):
    """The calls that act for one advertiser."""

    @property
    def events(self) -> EventApi:
        """Sending."""
        ...

    @property
    def sources(self) -> EventSourceApi:
        """Looking up what events belong to."""
        ...
