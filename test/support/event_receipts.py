"""What receipts say of events."""

from __future__ import annotations

from typing import Any


def account(receipt: dict[str, Any] | None) -> dict[str, int]:
    """The counts that are not zero, once it is sure that they account for every event that was read."""
    assert receipt is not None, "there is no receipt"
    events = receipt["events"]
    counts = {name: events[name] for name in ("sent", "withheld", "invalid", "denied", "suppressed")}
    counts["refused"] = events["refused_by_tiktok"]["count"]
    assert events["read"] == sum(counts.values())
    return {name: count for name, count in {"read": events["read"], **counts}.items() if count}
