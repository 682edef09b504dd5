"""Builders of what tests need but do not care about."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from collections.abc import Iterable

from lambdas.objects import ObjectVersion

_numbers = itertools.count(1)


def any_hashes(count: int, *, seed: object = None) -> list[str]:
    """Distinct SHA-256 values in lower-case hex; the same for the same seed."""
    seed = next(_numbers) if seed is None else seed
    return [hashlib.sha256(f"{seed}/{number}".encode()).hexdigest() for number in range(count)]


def any_audience_file(rows: int = 3) -> bytes:
    """A clean file of so many rows."""
    return as_file(any_hashes(rows))


def as_file(hashes: Iterable[str]) -> bytes:
    """One identifier a line."""
    return "".join(f"{value}\n" for value in hashes).encode()


def any_advertiser_id() -> str:
    """A decimal string, as TikTok's ids are."""
    return str(7_100_000_000_000_000_000 + next(_numbers))


def any_version(
    key: str = "tiktok/someone/email_sha256/file.csv",
    *,
    bucket: str = "data",
    version_id: str | None = None,
    size: int = 65,
) -> ObjectVersion:
    """A version of an object."""
    return ObjectVersion(bucket, key, version_id or f"version-{next(_numbers)}", size, "2026-11-21T12:00:00Z")


def notification_of(version: ObjectVersion) -> str:
    """The body of the message that announces a version."""
    return json.dumps(
        {
            "version": "0",
            "id": f"{random.getrandbits(128):032x}",
            "detail-type": "Object Created",
            "source": "aws.s3",
            "time": version.arrived_at,
            "detail": {
                "version": "0",
                "bucket": {"name": version.bucket},
                "object": {
                    "key": version.key,
                    "size": version.size,
                    "version-id": version.version_id,
                    "sequencer": version.sequencer,
                },
                "reason": "PutObject",
            },
        }
    )


def members_digest(hashes: Iterable[str]) -> str:
    """The emulator's fingerprint of exactly these members."""
    return hashlib.sha256("\n".join(sorted(set(hashes))).encode()).hexdigest()


def slots_digest(**hashes: Iterable[str]) -> str:
    """The emulator's fingerprint of exactly these members of a streaming audience, by the slot that they are in."""
    lines = {f"{slot}:{value}" for slot, values in hashes.items() for value in values}
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
