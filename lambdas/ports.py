"""What every pipeline needs from the world outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lambdas.identifiers.models import IdentifierSpace
    from lambdas.objects import ObjectVersion
    from lambdas.suppressions.models import Manifest
    from lambdas.tiktok.models import Credentials


class ObjectStore(Protocol):
    """Reads objects and writes receipts."""

    def read(
        self, version: ObjectVersion, span: tuple[int, int] | None = None
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Stream one version of an object, whole or the bytes ``span[0]`` up to ``span[1]``.

        Raises InvalidInput ``object_missing``, RetryableError or FatalError.
        """
        ...

    def read_current(self, key: str) -> bytes | None:
        """The current version of a small object of the same bucket, or None when there is none.

        Of a larger one at most 64 KiB and a byte. Raises RetryableError or FatalError.
        """
        ...

    def write_json(self, key: str, document: Mapping[str, Any] | Sequence[Any]) -> None:
        """Write a document into the same bucket."""
        ...


class Ledger(Protocol):
    """Documents by key, each held by at most one owner at a time."""

    def read(self, key: str) -> dict[str, Any]:
        """A document as it is now ({} when there is none), whoever holds it."""
        ...

    def claim(self, key: str, *, owner: str, seconds: float) -> dict[str, Any]:
        """Hold a document for ``seconds``; returns it ({} when new). Raises NotReady while somebody else holds it."""
        ...

    def save(self, key: str, document: Mapping[str, Any], *, owner: str) -> None:
        """Store a document that is held. Raises NotReady when it was taken over."""
        ...

    def release(self, key: str, *, owner: str) -> None:
        """Hold it no longer. Never fails: a hold ends by itself."""
        ...


class KeptSettings(Protocol):
    """The settings that people write beside their files, which expire like those. Strongly consistent."""

    def keep_settings(self, name: str, content: bytes) -> None:
        """Remember settings as they were last read. Raises ConnectorError."""
        ...

    def kept_settings(self, name: str) -> bytes | None:
        """The settings that were last read, or None. Raises ConnectorError."""
        ...


class Suppressed(Protocol):
    """Who must never be sent again, in one space of identifiers."""

    def positions(self, digests: bytes) -> list[int]:
        """Which of the packed hashes (32 or 16 bytes each, by the space) are suppressed, counted from 0."""
        ...


class SuppressionList(Protocol):
    """Who must never be sent again. All raise ConnectorError."""

    def current(self) -> Manifest:
        """The list as it is now."""
        ...

    def load_filter(self, manifest: Manifest, space: IdentifierSpace) -> Suppressed | None:
        """The filter of a space, or None when nothing is suppressed there."""
        ...

    def add(self, version: ObjectVersion, space: IdentifierSpace, digests: IO[bytes], count: int) -> Manifest:
        """Suppress the packed digests of a file. The same version again changes nothing."""
        ...


class CredentialSource(Protocol):
    """The token, and the advertiser that it acts for: the usual one, or one by its alias in the secret."""

    def current(self, advertiser: str | None = None) -> Credentials:
        """The credentials, cached. Raises CredentialsNotSet, or InvalidInput ``unknown_advertiser``."""
        ...

    def refresh(self, advertiser: str | None = None) -> Credentials:
        """The credentials, read again. Raises as ``current``."""
        ...

    def advertisers(self) -> Sequence[Credentials]:
        """The credentials of every advertiser, the usual one first. Raises CredentialsNotSet."""
        ...


class EventBus(Protocol):
    """Where it is announced what became of files and audiences, for whoever wants to build on it."""

    def publish(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Announce something, with a detail of JSON types below 256 KB. Raises RetryableError or FatalError."""
        ...


class Clock(Protocol):
    """Time."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, never going back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...
