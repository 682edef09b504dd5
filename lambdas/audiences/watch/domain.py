"""What is remembered of an audience at TikTok, and what a look at it tells. Pure.

A file is accepted at once and matched hours later, so what became of it shows in the audience alone: whether it is
valid, how many people it has, what TikTok says against it, when it expires. A look that finds something changed makes a
line of the audience's history; a condition is told once, when it begins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from lambdas.audiences.history import FOLLOWS_SECONDS, MINIMUM_AUDIENCE_SIZE, Change, History
from lambdas.contracts import AUDIENCES_PREFIX, RECEIPTS_PREFIX, STATUS_FILE
from lambdas.receipts import timestamp
from lambdas.tiktok.models import AudienceDetails, AudienceListing, Complaint, CustomAudience

# How much of an audience has to go before that is told. What TikTok shows is an estimate, which moves by itself.
SHRINK_RATIO = 0.2
# Until that is over, less has to be missing: or a size that moves about the limit would be told again and again.
_SHRINK_END_RATIO = SHRINK_RATIO / 2
KEPT_LINES = 30  # in the ledger
FILED_LINES = 1_000  # in the file
# TikTok's clock and ours need not agree to the second.
_CLOCKS_DIFFER_SECONDS = 600
# Without a given retention, each day of use moves the expiry of an audience.
_DAY_SECONDS = 86_400
_STALLED = "TikTok has not made the audience valid for 72 hours."


class Condition(StrEnum):
    """What somebody should know of an audience, for as long as it holds."""

    FAILED = "failed"
    SHRUNK = "shrunk"
    TOO_SMALL = "too_small"
    EXPIRING = "expiring"


@dataclass(frozen=True)
class Touches:
    """What was done to an audience so far, by the ledger. Times are seconds since the epoch.

    ``rows`` is the most people that it can have by that. ``times`` are those of all changes, ``removed`` the time and
    the rows of each remove; ``replaced_at`` is the last time that it started afresh, 0 if it never did.
    ``forgotten_at`` is when the newest object arrived that took people out and is no longer remembered, 0 if all are.
    """

    rows: int = 0
    times: tuple[float, ...] = ()
    removed: tuple[tuple[float, int], ...] = ()
    replaced_at: float = 0.0
    forgotten_at: float = 0.0

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """From what the ledger keeps of an audience; an empty document is one of which nothing is known."""
        history = History.from_document(document.get("history"))
        applied = [entry for entry in history.entries if entry.is_applied]
        removed = [(entry.applied_at, entry.rows) for entry in applied if entry.change is Change.REMOVE]
        removed += [(at, rows) for at, rows in document.get("suppressed", ())]
        forgotten = [order[0] for change, order in history.forgotten.items() if change is not Change.APPEND]
        return cls(
            history.known_rows,
            tuple(sorted([entry.applied_at for entry in applied] + [at for at, _ in document.get("suppressed", ())])),
            tuple(sorted(removed)),
            max((entry.applied_at for entry in applied if entry.change.is_fresh_start), default=0.0),
            max((datetime.fromisoformat(arrived_at).timestamp() for arrived_at in forgotten), default=0.0),
        )

    def recent(self, now: float) -> tuple[float, ...]:
        """When it was touched in the last 72 hours: for so long it is followed."""
        return tuple(at for at in self.times if now - at < FOLLOWS_SECONDS)

    def rows_removed(self, since: float) -> int:
        """The most people that files have taken out since then."""
        return sum(rows for at, rows in self.removed if at > since)


@dataclass(frozen=True)
class Known:
    """What a look needs of the ledger's document of an audience, which may be large: our audience, those deleted."""

    audience_id: str = ""
    deleted: tuple[str, ...] = ()
    touches: Touches = Touches()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """From the document; an empty one is of an audience of which nothing is known."""
        touches = Touches.from_document(document)
        return cls(document.get("audience_id", ""), tuple(document.get("deleted", ())), touches)


@dataclass(frozen=True)
class Look:
    """What is seen of an audience at ``at`` (seconds since the epoch), and what was done to it before.

    ``is_detailed`` says that TikTok was heard on what is wrong with it, which the list does not tell.
    """

    at: float
    audience: CustomAudience
    complaints: tuple[Complaint, ...]
    touches: Touches
    is_detailed: bool = True

    @classmethod
    def at_listed(cls, at: float, listed: CustomAudience, details: AudienceDetails | None, touches: Touches) -> Self:
        """A look at an audience of the list; ``details`` say more of it, unless TikTok left them out."""
        if details is None:
            return cls(at, listed, (), touches, is_detailed=False)
        return cls(at, details.audience, details.complaints, touches)

    @property
    def is_followed(self) -> bool:
        """Whether a file has touched it so lately that TikTok may still be at work on that."""
        return bool(self.touches.recent(self.at))

    @property
    def recent_complaints(self) -> tuple[Complaint, ...]:
        """TikTok's complaints about changes of the last 72 hours."""
        recent = self.touches.recent(self.at)
        if not recent:
            return ()
        since = recent[0] - _CLOCKS_DIFFER_SECONDS
        return tuple(each for each in self.complaints if each.at is not None and each.at >= since)


@dataclass(frozen=True)
class Line:
    """One entry of an audience's history at TikTok, as docs/receipts.md describes it. Times are ISO 8601 in UTC."""

    number: int
    at: str
    advertiser_id: str
    audience: str
    audience_id: str
    exists: bool = True
    is_valid: bool = False
    cover_num: int = 0
    rows: int = 0
    matched_share: float | None = None
    error: str | None = None
    expires_at: str | None = None
    touched_at: str | None = None
    is_followed: bool = False
    conditions: tuple[str, ...] = ()
    new_conditions: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """JSON types only."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The inverse of ``to_document``."""
        told = {name: tuple(document[name]) for name in ("conditions", "new_conditions")}
        return cls(**{**document, **told})


@dataclass(frozen=True)
class Watch:
    """The ledger's memory of an audience at TikTok. Times are seconds since the epoch, 0 while nothing holds.

    ``lines`` are the newest of its history; those up to the number ``told`` are in the file, on the event bus and in
    the metrics. ``failures`` are those that were told; ``unusable_since`` is when it was first seen not valid or below
    1,000 people, ``stalled_since`` when not valid in spite of enough; ``peak`` the size, of ``peak_at``, from which it
    is judged whether the audience shrank, and ``shrunk_at`` the time when that was told.
    """

    lines: tuple[Line, ...] = ()
    told: int = 0
    failures: tuple[str, ...] = ()
    unusable_since: float = 0.0
    stalled_since: float = 0.0
    peak: int = 0
    peak_at: float = 0.0
    shrunk_at: float = 0.0

    @property
    def last(self) -> Line | None:
        """What was seen last."""
        return self.lines[-1] if self.lines else None

    @property
    def untold(self) -> tuple[Line, ...]:
        """What is still to be told."""
        return tuple(line for line in self.lines if line.number > self.told)

    def all_told(self) -> Watch:
        """After everything was told."""
        return replace(self, told=self.lines[-1].number if self.lines else self.told)

    def with_line(self, line: Line) -> Watch:
        """With one more line, and without the oldest."""
        return replace(self, lines=(*self.lines, line)[-KEPT_LINES:])

    def begun_anew(self) -> Watch:
        """For another audience: of the one before only the lines are left."""
        return Watch(self.lines, self.told)

    def to_document(self) -> dict[str, Any]:
        """The form in which the ledger keeps it: JSON types only."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The inverse of ``to_document``; an empty document is an audience that was never looked at."""
        if not document:
            return cls()
        lines = tuple(Line.from_document(line) for line in document["lines"])
        return cls(**{**document, "lines": lines, "failures": tuple(document["failures"])})


def status_key(name: str) -> str:
    """Where the history of the audiences of a name is kept, whichever advertiser's they are."""
    return f"{RECEIPTS_PREFIX}{AUDIENCES_PREFIX}{name}/{STATUS_FILE}"


def find_watched(listing: AudienceListing, name: str, known: Known) -> tuple[CustomAudience, ...]:
    """The audience that files of this name go to; several when that cannot be told, none when the list has none."""
    named = tuple(
        audience
        for audience in listing.audiences
        if audience.name == name and audience.is_creator and audience.audience_id not in known.deleted
    )
    # The one that we made also counts under another name: it is where the people are.
    ours = tuple(audience for audience in listing.audiences if audience.audience_id == known.audience_id)
    return tuple(audience for audience in named if audience in ours) or named or ours


def seen(watch: Watch, look: Look, *, advertiser_id: str, name: str, expiry_warning_seconds: float) -> Watch:
    """After a look at an audience: with a line more, if something changed."""
    last = watch.last
    if last is not None and last.at > timestamp(look.at):
        return watch  # Somebody has looked since.
    if last is None or last.audience_id != look.audience.audience_id:
        watch, last = watch.begun_anew(), None
    # No id comes back after a deletion, so one that was gone was left out of the list: what held before was told.
    before = next((line for line in reversed(watch.lines) if line.exists), None) if last else None
    watch = _measured(watch, look)
    failures = _failures(watch, look)
    if not look.is_detailed and before is not None:
        # What is not heard of has not ended: it would be told as new as soon as TikTok says it again.
        failures = {each: before.error or "" for each in watch.failures if each != _STALLED} | failures
    is_expiring = look.audience.expires_at is not None and look.audience.expires_at - look.at <= expiry_warning_seconds
    holding = {
        Condition.FAILED: bool(failures),
        Condition.SHRUNK: watch.shrunk_at > 0,
        Condition.TOO_SMALL: _is_overdue(watch, look) and look.audience.cover_num < MINIMUM_AUDIENCE_SIZE,
        Condition.EXPIRING: is_expiring,
    }
    conditions = tuple(condition for condition, holds in holding.items() if holds)
    begun = {each for each in conditions if before is None or each not in before.conditions}
    if _has_new(failures, watch.failures):
        begun.add(Condition.FAILED)
    watch = replace(watch, failures=tuple(failures))
    line = Line(
        number=_next_number(watch),
        at=timestamp(look.at),
        advertiser_id=advertiser_id,
        audience=name,
        audience_id=look.audience.audience_id,
        is_valid=look.audience.is_valid,
        cover_num=look.audience.cover_num,
        rows=look.touches.rows,
        matched_share=round(look.audience.cover_num / look.touches.rows, 4) if look.touches.rows else None,
        error=next(iter(failures.values()), None),
        expires_at=_text(look.audience.expires_at),
        touched_at=_text(max(look.touches.times, default=None)),
        is_followed=look.is_followed,
        conditions=conditions,
        new_conditions=tuple(condition for condition in conditions if condition in begun),
    )
    return watch.with_line(line) if last is None or _differs(line, last) else watch


def missed(watch: Watch, at: float) -> Watch:
    """After a look that found the audience gone from a list that is whole."""
    last = watch.last
    if last is None or not last.exists or last.at > timestamp(at):
        return watch
    gone = Line(_next_number(watch), timestamp(at), last.advertiser_id, last.audience, last.audience_id, exists=False)
    return watch.with_line(gone)


def filed(content: bytes, lines: Sequence[Line]) -> bytes:
    """The file of an audience's history with these lines, each once, whatever else somebody wrote into it."""
    kept = content.splitlines()
    there = {_identity(line) for line in kept}
    for line in lines:
        text = json.dumps(line.to_document(), ensure_ascii=False).encode(errors="replace")
        if _identity(text) not in there:
            kept.append(text)
    return b"".join(line + b"\n" for line in kept[-FILED_LINES:])


def _identity(line: bytes) -> str | None:
    try:
        told = json.loads(line)
        # As text: what somebody else wrote may be a list, which no set takes.
        return repr((told["advertiser_id"], told["number"], told["at"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _measured(watch: Watch, look: Look) -> Watch:
    """With the times and the size by which the next look is judged."""
    audience, at = look.audience, look.at
    is_usable = audience.is_valid and audience.cover_num >= MINIMUM_AUDIENCE_SIZE
    # What has expired is no longer usable, which was told before.
    is_over = audience.expires_at is not None and audience.expires_at <= at
    is_stalled = not is_over and not audience.is_valid and audience.cover_num >= MINIMUM_AUDIENCE_SIZE
    watch = replace(
        watch,
        unusable_since=0.0 if is_usable or is_over else watch.unusable_since or at,
        stalled_since=(watch.stalled_since or at) if is_stalled else 0.0,
    )
    if is_over:
        return replace(watch, peak=0, peak_at=0.0, shrunk_at=0.0)
    if audience.cover_num == 0 and (look.is_followed or audience.is_valid):
        return watch  # TikTok does not say: nobody at all cannot be valid.
    # The size follows a change by up to 72 hours, so changes from before the peak may still show.
    since = watch.peak_at - FOLLOWS_SECONDS
    is_explained = watch.peak_at == 0 or max(look.touches.replaced_at, look.touches.forgotten_at) > since
    expected = watch.peak - look.touches.rows_removed(since)
    ratio = _SHRINK_END_RATIO if watch.shrunk_at else SHRINK_RATIO
    is_shrunk = not is_explained and audience.cover_num < expected * (1 - ratio)
    shrunk_at = (watch.shrunk_at or at) if is_shrunk else 0.0
    # After 72 hours a size is what it is.
    is_settled = at - (shrunk_at or watch.peak_at) >= FOLLOWS_SECONDS
    if is_explained or is_settled or audience.cover_num > watch.peak:
        return replace(watch, peak=audience.cover_num, peak_at=at, shrunk_at=0.0)
    return replace(watch, shrunk_at=shrunk_at)


def _is_overdue(watch: Watch, look: Look) -> bool:
    """Whether TikTok has had its time to make the audience usable."""
    return watch.unusable_since > 0 and look.at - watch.unusable_since >= FOLLOWS_SECONDS


def _failures(watch: Watch, look: Look) -> dict[str, str]:
    """What is wrong by TikTok's own account: text by what tells one failure from another."""
    text = look.audience.error_msg
    failures = {_gist(text): text} if text else {}
    failures |= {f"{complaint.at:.0f} {_gist(complaint.text)}": complaint.text for complaint in look.recent_complaints}
    if watch.stalled_since and look.at - watch.stalled_since >= FOLLOWS_SECONDS:
        failures[_STALLED] = _STALLED
    return failures


def _gist(text: str) -> str:
    """A text of TikTok's without its numbers: a count that moves from look to look makes no new failure."""
    return re.sub(r"\d+", "#", text)


def _has_new(failures: Mapping[str, str], told: Sequence[str]) -> bool:
    """Whether a failure was not told yet. TikTok may say one twice: of the audience, and of the change."""
    return any(
        identity not in told and not any(other.endswith(f" {identity}") for other in told) for identity in failures
    )


def _next_number(watch: Watch) -> int:
    return watch.lines[-1].number + 1 if watch.lines else watch.told + 1


def _differs(line: Line, last: Line) -> bool:
    """Whether there is something to tell. That it was touched, or is followed no longer, shows in nothing at TikTok."""
    untold = {"number": 0, "at": "", "touched_at": None, "is_followed": False, "new_conditions": (), "expires_at": None}
    return (
        replace(line, **untold) != replace(last, **untold)  # type: ignore[arg-type]
        or bool(line.new_conditions)
        or _has_moved(line.expires_at, last.expires_at)
    )


def _has_moved(expiry: str | None, before: str | None) -> bool:
    if expiry is None or before is None:
        return expiry != before
    moved = datetime.fromisoformat(expiry) - datetime.fromisoformat(before)
    return abs(moved.total_seconds()) >= _DAY_SECONDS


def _text(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)
