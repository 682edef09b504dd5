"""What the service needs from the world outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Protocol

from lambdas.objects import ObjectVersion
from lambdas.tiktok.models import (
    Action,
    AudienceListing,
    CalculateType,
    CreatedAudience,
    Credentials,
    CustomAudience,
    UploadedFile,
)


class ObjectStore(Protocol):
    """Reads objects and writes receipts."""

    def read(
        self, version: ObjectVersion, span: tuple[int, int] | None = None
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Stream one version of an object, whole or the bytes ``span[0]`` up to ``span[1]``.

        Raises InvalidInput ``object_missing``, RetryableError or FatalError.
        """
        ...

    def write_json(self, key: str, document: Mapping[str, Any]) -> None:
        """Write a document into the same bucket."""
        ...


class Ledger(Protocol):
    """Documents by key, each held by at most one owner at a time."""

    def claim(self, key: str, *, owner: str, seconds: float) -> dict[str, Any]:
        """Hold a document for ``seconds``; returns it ({} when new). Raises NotReady while somebody else holds it."""
        ...

    def save(self, key: str, document: Mapping[str, Any], *, owner: str) -> None:
        """Store a document that is held. Raises NotReady when it was taken over."""
        ...

    def release(self, key: str, *, owner: str) -> None:
        """Hold it no longer. Never fails: a hold ends by itself."""
        ...


class AudienceApi(Protocol):
    """TikTok's audience calls for one advertiser. All raise ConnectorError."""

    def upload_file(self, content: BinaryIO, *, name: str, calculate_type: CalculateType) -> UploadedFile:
        """Upload one file."""
        ...

    def list_audiences(self) -> AudienceListing:
        """List all audiences, over all pages."""
        ...

    def find_audience(self, audience_id: str) -> CustomAudience | None:
        """One audience by its id, or None when TikTok does not know it."""
        ...

    def create(self, name: str, *, calculate_type: CalculateType, file_paths: Sequence[str]) -> CreatedAudience:
        """Create an audience; never repeats a call whose outcome is unknown."""
        ...

    def update(self, audience_id: str, *, action: Action, file_paths: Sequence[str]) -> str:
        """Apply files to an audience; returns the request id."""
        ...


class CredentialSource(Protocol):
    """The token and the advertiser id."""

    def current(self) -> Credentials:
        """The credentials, cached. Raises CredentialsNotSet."""
        ...

    def refresh(self) -> Credentials:
        """The credentials, read again. Raises CredentialsNotSet."""
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
