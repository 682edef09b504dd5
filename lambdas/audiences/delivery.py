"""What is remembered and told of one delivery: the ledger's document and the receipt. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Self

from lambdas.audiences.domain import Target
from lambdas.audiences.formats import Route
from lambdas.audiences.rows.check import FileCheck, Part
from lambdas.files.tally import Tally
from lambdas.objects import ObjectVersion
from lambdas.receipts import by_reason, closing, opening
from lambdas.tiktok.errors import ConnectorError

_LINE_NUMBERS = 100  # kept of what TikTok refused


class State(StrEnum):
    """How far a delivery has come, for who looks into the ledger. Only FINISHED is never left again.

    A range of a large object is OUTDATED when rows are to be read in another way than its execution was started for.
    """

    STARTED = "started"
    CHECKED = "checked"
    APPLIED = "applied"
    FINISHED = "finished"
    REJECTED = "rejected"
    OUTDATED = "outdated"


class Status(StrEnum):
    """What a receipt says of an object."""

    DELIVERED = "delivered"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"


CREATED = "CREATE"
SUPERSEDED = "SUPERSEDED"
NOT_THERE = "NOT_THERE"  # an audience that was to be deleted


@dataclass(frozen=True)
class UploadedPart:
    """A part that TikTok has, with TikTok's receipt for it."""

    number: int
    file_path: str
    request_id: str


@dataclass(frozen=True)
class Applied:
    """What was done to an audience at TikTok, and by which call.

    ``action`` is a change, ``CREATE``, ``SUPERSEDED`` or ``NOT_THERE``. ``repeated`` are the ids of newer objects that
    were applied again after this one. ``is_at_risk`` says that TikTok may not carry it out; ``size`` is how many people
    TikTok showed before, ``since`` TikTok's own time of the change, ``error_before`` the error that TikTok showed then,
    and ``confirmed_by`` what told that it was carried out.
    """

    audience: str
    audience_id: str = ""
    action: str = ""
    request_id: str = ""
    repeated: tuple[str, ...] = ()
    is_at_risk: bool = False
    size: int = 0
    advertiser_id: str = ""
    since: str | None = None
    error_before: str = ""
    confirmed_by: str = ""

    @property
    def is_unconfirmed(self) -> bool:
        """Whether it is still to be seen what TikTok makes of it."""
        return self.is_at_risk and not self.confirmed_by

    def to_document(self) -> dict[str, Any]:
        """What differs from the defaults."""
        defaults = {each.name: each.default for each in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != defaults[name]}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The inverse of ``to_document``."""
        return cls(**{**document, "repeated": tuple(document.get("repeated", ()))})


@dataclass(frozen=True)
class Refusal:
    """Rows that TikTok refused one by one, for whichever audience: how many, and the lines of the first of them."""

    count: int = 0
    lines: tuple[int, ...] = ()

    def with_lines(self, lines: Iterable[int]) -> Refusal:
        """With rows that are not known yet, as far as lines are kept."""
        new = [line for line in dict.fromkeys(lines) if line not in self.lines]
        return Refusal(self.count + len(new), (*self.lines, *new)[:_LINE_NUMBERS])


@dataclass(frozen=True)
class Delivery:
    """The ledger's memory of one object version.

    ``advertiser_id`` is the one that the uploaded parts belong to; ``prepared_with`` names everything that the check
    depended on, ``suppression`` the revision of the suppression list. ``uploaded_at`` is the time of the first upload
    (epoch). ``streamed`` counts, for each audience, the rows that went to it already; ``refused`` those that did not.
    ``applied`` holds one entry an audience, the last of them from ``applied_at`` (epoch). ``run`` is the number of the
    last execution that was to prepare it, where one function is not enough; ``edition`` counts how often TikTok had
    lost what was uploaded.
    """

    state: State = State.STARTED
    attempts: int = 0
    started_at: str = ""
    advertiser_id: str = ""
    prepared_with: str = ""
    suppression: str = ""
    check: FileCheck | None = None
    uploads: tuple[UploadedPart, ...] = ()
    uploaded_at: float = 0.0
    streamed: Mapping[str, int] = field(default_factory=dict)
    refused: Refusal = Refusal()
    applied: tuple[Applied, ...] = ()
    applied_at: float = 0.0
    last_error: str = ""
    run: int = 0
    edition: int = 0

    def missing_parts(self) -> list[Part]:
        """The parts that are not uploaded yet; none before the file is checked."""
        have = {part.number for part in self.uploads}
        return [part for part in (self.check.parts if self.check else ()) if part.number not in have]

    def to_document(self) -> dict[str, Any]:
        """The form in which the ledger keeps it: JSON types only, and briefly, for a suppression has many audiences."""
        applied = [each.to_document() for each in self.applied]
        return asdict(self) | {"applied": applied}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The inverse of ``to_document``; an empty document is a new delivery."""
        if not document:
            return cls()
        check, refused = document["check"], document["refused"]
        return cls(
            **{
                **document,
                "state": State(document["state"]),
                "check": check and FileCheck.from_document(check),
                "uploads": tuple(UploadedPart(**part) for part in document["uploads"]),
                "refused": Refusal(refused["count"], tuple(refused["lines"])),
                "applied": tuple(Applied.from_document(applied) for applied in document["applied"]),
            }
        )


# What a delivery begins anew with, when its rows or their destination changed.
NOTHING_SENT: Mapping[str, Any] = {"uploads": (), "streamed": {}, "refused": Refusal(), "applied": ()}


def rows_summary(tally: Tally, *, sent: int, refused: int = 0) -> dict[str, Any]:
    """The account of the rows: read = sent + withheld + suppressed + invalid + ``refused`` (by TikTok, one by one).

    A refused file's valid rows are withheld. ``partial`` rows are sent without the identifiers that were bad.
    """
    return {
        "read": tally.read,
        "sent": sent,
        "withheld": tally.valid - sent - refused,
        "suppressed": tally.suppressed,
        "invalid": tally.invalid_rows,
        "invalid_by_reason": by_reason(tally.invalid, tally.invalid_lines),
        "partial": tally.partial_rows,
        "partial_by_reason": by_reason(tally.partial, tally.partial_lines),
        "blank_lines": tally.blank,
        "header": tally.header,
    }


def receipt(
    version: ObjectVersion,
    target: Target | None,
    delivery: Delivery,
    status: Status,
    *,
    finished_at: str,
    error: ConnectorError | None = None,
) -> dict[str, Any]:
    """Our written account of one object version: of its delivery, or with ``error`` of its rejection.

    Holds counts, line numbers and TikTok's ids, never an identifier. The schema is in docs/receipts.md.
    """
    tally = delivery.check.tally if delivery.check else Tally()
    first = delivery.applied[0] if delivery.applied and target and not target.suppresses else None
    file_paths = {part.number: part for part in delivery.uploads}
    return {
        **opening(version, status, error),
        "audience": {"name": target.audience if target else None, "id": first.audience_id if first else None},
        "format": target.format.name if target else None,
        "calculate_type": target.format.upload_type if target else None,
        "advertiser_id": delivery.advertiser_id or None,
        "action": first.action if first else None,
        "rows": rows_summary(tally, sent=_rows_sent(target, delivery, status), refused=delivery.refused.count)
        | {"refused_by_tiktok": asdict(delivery.refused)},
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
        "request_id": first.request_id if first else None,
        "applied": [
            {
                "audience": applied.audience,
                "audience_id": applied.audience_id,
                "advertiser_id": applied.advertiser_id,
                "action": applied.action,
                "request_id": applied.request_id,
                "repeated": list(applied.repeated),
                "confirmed_by": applied.confirmed_by or None,
            }
            for applied in delivery.applied
        ],
        **closing(version, attempts=delivery.attempts, started_at=delivery.started_at, finished_at=finished_at),
    }


def _rows_sent(target: Target | None, delivery: Delivery, status: Status) -> int:
    if target is None or delivery.check is None or status is Status.SUPERSEDED:
        return 0
    valid = delivery.check.tally.valid
    if target.format.route is Route.STREAMING:
        # Also of a file that was refused half way.
        sent = valid if status is Status.DELIVERED else min(max(delivery.streamed.values(), default=0), valid)
        return max(sent - delivery.refused.count, 0)
    return valid if status is Status.DELIVERED else 0
