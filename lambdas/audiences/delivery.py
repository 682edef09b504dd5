"""What is remembered and told of one delivery: the ledger's document and the receipt. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from lambdas.audiences.domain import Target
from lambdas.audiences.rows import FileCheck, Part, Tally
from lambdas.objects import ObjectVersion
from lambdas.tiktok.errors import ConnectorError


class State(StrEnum):
    """How far a delivery has come, for who looks into the ledger. Only FINISHED is never left again."""

    STARTED = "started"
    CHECKED = "checked"
    APPLIED = "applied"
    FINISHED = "finished"
    REJECTED = "rejected"


@dataclass(frozen=True)
class UploadedPart:
    """A part that TikTok has, with TikTok's receipt for it."""

    number: int
    file_path: str
    request_id: str


@dataclass(frozen=True)
class Applied:
    """What was done at TikTok: to which audience, and whether it was created or appended to."""

    audience_id: str
    action: str
    request_id: str


@dataclass(frozen=True)
class Delivery:
    """The ledger's memory of one object version. ``advertiser_id`` is the one that the uploaded parts belong to."""

    state: State = State.STARTED
    attempts: int = 0
    started_at: str = ""
    advertiser_id: str = ""
    check: FileCheck | None = None
    uploads: tuple[UploadedPart, ...] = ()
    applied: Applied | None = None
    last_error: str = ""

    def missing_parts(self) -> list[Part]:
        """The parts that are not uploaded yet; none before the file is checked."""
        have = {part.number for part in self.uploads}
        return [part for part in (self.check.parts if self.check else ()) if part.number not in have]

    def to_document(self) -> dict[str, Any]:
        """The form in which the ledger keeps it: JSON types only."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The inverse of ``to_document``; an empty document is a new delivery."""
        if not document:
            return cls()
        check, applied = document["check"], document["applied"]
        return cls(
            state=State(document["state"]),
            attempts=int(document["attempts"]),
            started_at=document["started_at"],
            advertiser_id=document["advertiser_id"],
            check=check and FileCheck(Tally(**check["tally"]), tuple(Part(**part) for part in check["parts"])),
            uploads=tuple(UploadedPart(**part) for part in document["uploads"]),
            applied=applied and Applied(**applied),
            last_error=document["last_error"],
        )


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rows_summary(tally: Tally, *, sent: int) -> dict[str, Any]:
    """The account of the rows: read = sent + withheld + invalid, where a refused file's valid rows are withheld."""
    return {
        "read": tally.read,
        "sent": sent,
        "withheld": tally.valid - sent,
        "invalid": tally.read - tally.valid,
        "invalid_by_reason": {
            reason: {"count": count, "lines": list(tally.invalid_lines[reason])}
            for reason, count in sorted(tally.invalid.items())
        },
        "blank_lines": tally.blank,
        "header": tally.header,
    }


def receipt(
    version: ObjectVersion,
    target: Target | None,
    delivery: Delivery,
    *,
    finished_at: str,
    error: ConnectorError | None = None,
) -> dict[str, Any]:
    """Our written account of one object version: of its delivery, or with ``error`` of its rejection.

    Holds counts, line numbers and TikTok's ids, never an identifier.
    """
    tally = delivery.check.tally if delivery.check else Tally()
    applied = delivery.applied
    file_paths = {part.number: part for part in delivery.uploads}
    return {
        "receipt_version": 1,
        "status": "rejected" if error else "delivered",
        "reason": error.reason if error else None,
        "detail": str(error) if error else None,
        "object": asdict(version),
        "audience": {"name": target.audience if target else None, "id": applied.audience_id if applied else None},
        "calculate_type": target.calculate_type if target else None,
        "advertiser_id": delivery.advertiser_id or None,
        "action": applied.action if applied else None,
        "rows": rows_summary(tally, sent=0 if error else tally.valid),
        "parts": [
            {
                "number": part.number,
                "rows": part.rows,
                "bytes": part.bytes,
                "file_path": file_paths[part.number].file_path if part.number in file_paths else None,
                "request_id": file_paths[part.number].request_id if part.number in file_paths else None,
            }
            for part in (delivery.check.parts if delivery.check else ())
        ],
        "request_id": applied.request_id if applied else None,
        "attempts": delivery.attempts,
        "times": {
            "arrived_at": version.arrived_at,
            "started_at": delivery.started_at or None,
            "finished_at": finished_at,
        },
    }
