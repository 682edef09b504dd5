"""What deliveries run on instead of DynamoDB, EventBridge and Secrets Manager; and the client of S3's stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from lambdas.tiktok.models import Credentials

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def new_s3_client(object_url: str) -> S3Client:
    """A client of the server of one file."""
    return boto3.client(
        "s3",
        endpoint_url=object_url,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",  # noqa: S106 - opens nothing
        config=Config(s3={"addressing_style": "path"}),
    )


@dataclass
class MemoryLedger:
    """Documents by key; there is nobody else who could hold one."""

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)

    def read(self, key: str) -> dict[str, Any]:
        """See the port."""
        return dict(self.documents.get(key, {}))

    def claim(self, key: str, *, owner: str, seconds: float) -> dict[str, Any]:
        """See the port."""
        return self.read(key)

    def save(self, key: str, document: Mapping[str, Any], *, owner: str) -> None:
        """See the port."""
        self.documents[key] = dict(document)

    def release(self, key: str, *, owner: str) -> None:
        """See the port."""


@dataclass
class MemoryRegistry:
    """Knows which names were written to."""

    known: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, advertiser_id: str, name: str) -> None:
        """See the port."""
        self.known.setdefault(advertiser_id, {})[name] = None

    def names(self, advertiser_id: str) -> list[str]:
        """See the port."""
        return list(self.known.get(advertiser_id, ()))

    def keep_settings(self, audience: str, content: bytes) -> None:
        """See the port."""

    def kept_settings(self, audience: str) -> bytes | None:
        """See the port."""
        return None


class SilentBus:
    """Nobody listens."""

    def publish(self, kind: str, detail: Mapping[str, Any]) -> None:
        """See the port."""


@dataclass(frozen=True)
class GivenCredentials:
    """Those that it was made with."""

    credentials: Credentials

    def current(self, advertiser: str | None = None) -> Credentials:
        """See the port."""
        return self.credentials

    def refresh(self, advertiser: str | None = None) -> Credentials:
        """See the port."""
        return self.credentials

    def advertisers(self) -> tuple[Credentials, ...]:
        """See the port."""
        return (self.credentials,)
