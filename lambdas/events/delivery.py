"""What is remembered and told of one delivery of events: the ledger's document, the receipt, the announcement. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from lambdas.contracts import Announcement
from lambdas.events.batches import Group
from lambdas.events.domain import Target, rejected_key
from lambdas.events.file_check import FileCheck
from lambdas.events.rows.check import EventRules
from lambdas.events.sender import Sent
from lambdas.events.source_settings import SourceSettings
from lambdas.files.tally import LINE_NUMBERS
from lambdas.objects import ObjectVersion
from lambdas.receipts import by_reason, closing, opening, without_lines
from lambdas.tiktok.errors import ConnectorError

_MOST_ANSWERS = 100  # TikTok's, of which the codes alone are kept beyond


class State(StrEnum):
    """How far a delivery has come, for who looks into the ledger. Only FINISHED is never left again."""

    STARTED = "started"
    CHECKED = "checked"
    FINISHED = "finished"
    REJECTED = "rejected"


class Status(StrEnum):
    """What a receipt says of an object."""

    DELIVERED = "delivered"
    REJECTED = "rejected"


ANNOUNCEMENTS: Mapping[Status, Announcement] = {
    Status.DELIVERED: Announcement.EVENTS_DELIVERED,
    Status.REJECTED: Announcement.EVENTS_REJECTED,
}


@dataclass(frozen=True)
class Progress:
    """What was sent of a file: everything up to ``line``, and of what follows the lines ``beyond``.

    ``refused`` holds the lines of what TikTok refused one by one, by what it said. ``request_id`` is the last one.
    """

    line: int = 0
    beyond: tuple[int, ...] = ()
    accepted: int = 0
    suppressed: int = 0
    refused: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    request_id: str = ""

    @property
    def refused_count(self) -> int:
        """How many events TikTok refused."""
        return sum(map(len, self.refused.values()))

    def after(self, groups: Sequence[Group], sent: Sent) -> Progress:
        """With what became of the groups that follow. Up to the first event that is not settled all is done."""
        settled = sent.settled
        numbers = (parcel.number for group in groups for request in group.requests for parcel in request)
        unsettled = min((number for number in numbers if number not in settled), default=None)
        line = groups[-1].last if unsettled is None else unsettled - 1
        suppressed = [number for group in groups for number in group.suppressed]
        refused = {text: list(lines) for text, lines in self.refused.items()}
        for number, answer in sorted(sent.refused.items()):
            text = answer if answer in refused or len(refused) < _MOST_ANSWERS else answer.partition(":")[0]
            refused.setdefault(text, []).append(number)
        return Progress(
            line,
            tuple(sorted(number for number in {*self.beyond, *settled} if number > line)),
            self.accepted + len(sent.accepted),
            self.suppressed + sum(number <= line for number in suppressed),
            {text: tuple(lines) for text, lines in refused.items()},
            sent.request_id or self.request_id,
        )


@dataclass(frozen=True)
class Delivery:
    """The ledger's memory of one object version.

    ``settings`` and ``rules`` are those that it was checked with, ``checked_at`` is the moment of that (epoch): by it
    the age of events is judged, so that each look at the file finds the same. ``has_begun`` says that TikTok may have
    something of it: it is then sent as it was begun.
    """

    state: State = State.STARTED
    attempts: int = 0
    started_at: str = ""
    checked_at: float = 0.0
    settings: SourceSettings | None = None
    rules: EventRules | None = None
    check: FileCheck | None = None
    advertiser_id: str = ""
    source_id: str = ""
    has_begun: bool = False
    has_written_back: bool = False
    progress: Progress = Progress()
    last_error: str = ""

    def is_checked_with(self, settings: SourceSettings, rules: EventRules) -> bool:
        """Whether another check with these would find the same."""
        if self.rules is None:
            return False
        # Whether consent is needed, the file itself may have taught.
        return (settings, replace(rules, needs_consent=self.rules.needs_consent)) == (self.settings, self.rules)

    def to_document(self) -> dict[str, Any]:
        """The form in which the ledger keeps it: JSON types only."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The inverse of ``to_document``; an empty document is a new delivery."""
        if not document:
            return cls()
        settings, check, progress = document["settings"], document["check"], document["progress"]
        rules = document["rules"]
        refused = {text: tuple(lines) for text, lines in progress["refused"].items()}
        return cls(
            **{
                **document,
                "state": State(document["state"]),
                "settings": settings and SourceSettings.from_document(settings),
                "rules": rules and EventRules.from_document(rules),
                "check": check and FileCheck.from_document(check),
                "progress": Progress(**{**progress, "beyond": tuple(progress["beyond"]), "refused": refused}),
            }
        )


def has_rejected(delivery: Delivery) -> bool:
    """Whether there are events to be written back."""
    return bool((delivery.check and delivery.check.tally.invalid_rows) or delivery.progress.refused_count)


def events_summary(check: FileCheck, progress: Progress) -> dict[str, Any]:
    """The account of the events: read = sent + withheld + invalid + denied + suppressed + refused by TikTok.

    Valid events of a file that was refused, or given up half way, are withheld. ``partial`` events are sent without the
    identifiers that were bad.
    """
    tally = check.tally
    refused_lines = {text: list(lines[:LINE_NUMBERS]) for text, lines in progress.refused.items()}
    return {
        "read": tally.read + check.denied,
        "sent": progress.accepted,
        "withheld": tally.valid - progress.accepted - progress.suppressed - progress.refused_count,
        "invalid": tally.invalid_rows,
        "invalid_by_reason": by_reason(tally.invalid, tally.invalid_lines),
        "denied": check.denied,
        "suppressed": progress.suppressed,
        "refused_by_tiktok": {
            "count": progress.refused_count,
            "by_answer": by_reason({text: len(lines) for text, lines in progress.refused.items()}, refused_lines),
        },
        "partial": tally.partial_rows,
        "partial_by_reason": by_reason(tally.partial, tally.partial_lines),
        "in_milliseconds": check.in_milliseconds,
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
    check, settings = delivery.check or FileCheck(), delivery.settings or SourceSettings()
    destination = target.destination if target else None
    return {
        **opening(version, status, error),
        "source": destination.source if destination else None,
        "event_source": {"name": destination.name if destination else None, "id": delivery.source_id or None},
        "advertiser_id": delivery.advertiser_id or None,
        "test_event_code": settings.test_event_code,
        "events": events_summary(check, delivery.progress),
        "ignored_columns": check.ignored,
        "rejected_key": rejected_key(version) if has_rejected(delivery) else None,
        "sent_up_to_line": delivery.progress.line,
        "request_id": delivery.progress.request_id or None,
        **closing(version, attempts=delivery.attempts, started_at=delivery.started_at, finished_at=finished_at),
    }


def announced(document: Mapping[str, Any], *, receipt_key: str | None) -> dict[str, Any]:
    """A receipt without what grows with the file: line numbers, and what TikTok said of single events.

    ``receipt_key`` is where the whole of it is, None where S3 would not take the key. docs/notifications.md has the
    schema.
    """
    events = dict(document["events"])
    for name in ("invalid_by_reason", "partial_by_reason"):
        events[name] = without_lines(events[name])
    events["refused_by_tiktok"] = {"count": events["refused_by_tiktok"]["count"]}
    kept = {name: value for name, value in document.items() if name != "ignored_columns"}
    return {**kept, "events": events, "receipt_key": receipt_key}
