"""What is announced of a receipt, to whoever wants to build on it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdas.audiences.delivery import Status
from lambdas.contracts import Announcement
from lambdas.receipts import without_lines

ANNOUNCEMENTS: Mapping[Status, Announcement] = {
    Status.DELIVERED: Announcement.ACTIVATED,
    Status.SUPERSEDED: Announcement.SUPERSEDED,
    Status.REJECTED: Announcement.REJECTED,
}
# EventBridge takes 256 KB.
_MOST_APPLIED = 100


def announced(receipt: Mapping[str, Any], *, receipt_key: str | None) -> dict[str, Any]:
    """A receipt without what grows with the file: its parts, line numbers, and all but the first 100 audiences.

    ``receipt_key`` is where the whole of it is, None where S3 would not take the key. docs/notifications.md has the
    schema.
    """
    rows = dict(receipt["rows"])
    for name in ("invalid_by_reason", "partial_by_reason"):
        rows[name] = without_lines(rows[name])
    rows["refused_by_tiktok"] = {"count": rows["refused_by_tiktok"]["count"]}
    applied = [
        {name: value for name, value in each.items() if name != "repeated"} | {"repeated_count": len(each["repeated"])}
        for each in receipt["applied"][:_MOST_APPLIED]
    ]
    return {
        **{name: value for name, value in receipt.items() if name != "parts"},
        "rows": rows,
        "part_count": len(receipt["parts"]),
        "applied": applied,
        "applied_count": len(receipt["applied"]),
        "receipt_key": receipt_key,
    }
