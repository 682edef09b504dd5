"""What the receipts of every pipeline are made of. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def by_reason(counts: Mapping[str, int], lines: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Counts with the first line numbers of each reason."""
    return {reason: {"count": count, "lines": list(lines[reason])} for reason, count in sorted(counts.items())}
