"""What the receipts of every pipeline are made of. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lambdas.objects import ObjectVersion
from lambdas.tiktok.errors import ConnectorError

if TYPE_CHECKING:
    from lambdas.ports import ObjectStore


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def by_reason(counts: Mapping[str, int], lines: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Counts with the first line numbers of each reason."""
    return {reason: {"count": count, "lines": list(lines[reason])} for reason, count in sorted(counts.items())}


def without_lines(reasons: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What ``by_reason`` gives without what grows with the file."""
    return {reason: {"count": told["count"]} for reason, told in reasons.items()}


def opening(version: ObjectVersion, status: str, error: ConnectorError | None) -> dict[str, Any]:
    """What every receipt begins with: what became of an object, and why."""
    return {
        "receipt_version": 1,
        "status": status,
        "reason": error.reason if error else None,
        "detail": str(error) if error else None,
        "object": asdict(version),
    }


def closing(version: ObjectVersion, *, attempts: int, started_at: str, finished_at: str) -> dict[str, Any]:
    """What every receipt ends with: how often an object was tried, and when."""
    return {
        "attempts": attempts,
        "times": {
            "arrived_at": version.arrived_at,
            "started_at": started_at or None,
            "finished_at": finished_at,
        },
    }


def write_receipt(objects: ObjectStore, version: ObjectVersion, document: Mapping[str, Any]) -> str | None:
    """Write a receipt; returns its key, None where S3 would not take it. Raises ConnectorError."""
    if not version.can_have_receipt:
        return None
    objects.write_json(version.receipt_key, document)
    return version.receipt_key
