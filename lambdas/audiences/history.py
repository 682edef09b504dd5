"""What was done to an audience, in the order in which it was asked for, and what is left to do. Pure.

The rule: the membership is what applying the objects in the order of their arrival gives. Messages come in any order,
so an object may be applied after a newer one. What it must not change is then done again: a late append is followed by
the newer removes, a late remove by the newer appends, and an object older than a replace is not applied at all. The
whole of it is written down before its first step, so that whoever comes after a crash finishes it before anything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from lambdas.objects import ObjectVersion

# Bytes of JSON; the ledger's store takes 400 KiB for everything.
_LARGEST_MEMORY = 256 * 1024
_ENTRY_BYTES = 700  # of an entry's JSON, but for what differs in length
_SEQUENCER_DIGITS = 64
# What TikTok leaves of an audience at the least (section 3.5): a change that would leave fewer is not carried out.
MINIMUM_AUDIENCE_SIZE = 1_000
# How long the size that TikTok shows may lag behind what was done (API reference section 3.4: 48 hours).
FOLLOWS_SECONDS = 72 * 3600


class Change(StrEnum):
    """What an object does to an audience, whichever way its rows travel. ``DELETE`` ends the audience itself."""

    APPEND = "APPEND"
    REMOVE = "REMOVE"
    REPLACE = "REPLACE"
    DELETE = "DELETE"

    @property
    def is_fresh_start(self) -> bool:
        """Whether nothing that came before matters any more."""
        return self in (Change.REPLACE, Change.DELETE)

    @property
    def adds_people(self) -> bool:
        """Whether somebody may be in the audience afterwards who was not before."""
        return self in (Change.APPEND, Change.REPLACE)


# Within one second, in which the order of two keys is not known, removes come last: that protects people.
_RANKS = {Change.DELETE: 0, Change.REPLACE: 0, Change.APPEND: 1, Change.REMOVE: 2}

Order = tuple[str, int, str, str]
"""Arrival to the second, rank of the change, sequencer, id. AWS orders sequencers within one key only."""


@dataclass(frozen=True)
class Entry:
    """One object's change to one audience.

    ``file_paths`` are TikTok's receipts for the uploaded rows, from ``uploaded_at`` (seconds since the epoch) on; on
    the streaming route there are none. ``suppression`` is the revision of the suppression list that was left out of the
    rows. ``applied_at`` (seconds since the epoch) is 0 until the change was carried out, ``request_id`` says by which
    call. ``plan`` is the number of the last plan that it is or was a part of, ``is_pending`` says that it is
    still to be carried out there. ``is_at_risk`` says that TikTok may not carry out this change, or one that had to be
    repeated for it; ``size`` is how many people it showed before, 0 if that tells nothing.
    """

    version: ObjectVersion
    change: Change
    rows: int = 0
    file_paths: tuple[str, ...] = ()
    uploaded_at: float = 0.0
    suppression: str = ""
    applied_at: float = 0.0
    request_id: str = ""
    plan: int = 0
    is_pending: bool = False
    is_at_risk: bool = False
    size: int = 0

    @property
    def id(self) -> str:
        """The object's content-based name."""
        return self.version.id

    @property
    def is_applied(self) -> bool:
        """Whether the change was carried out."""
        return self.applied_at > 0

    @property
    def order(self) -> Order:
        """Where the change belongs."""
        sequencer = self.version.sequencer.rjust(_SEQUENCER_DIGITS, "0")
        return (self.version.arrived_at, _RANKS[self.change], sequencer, self.id)

    @property
    def is_streamed(self) -> bool:
        """Whether the rows travel by streaming; an audience takes one route only."""
        return self.version.key.split("/")[2:3] == ["streaming"]

    @property
    def stored_bytes(self) -> int:
        """About how much of the ledger's item it takes, at most."""
        return len(self.version.key.encode()) + 20 * len(self.file_paths) + _ENTRY_BYTES

    def prepared_as(self, other: Entry) -> Self:
        """The same change with rows that were prepared once more."""
        return replace(self, file_paths=other.file_paths, uploaded_at=other.uploaded_at, suppression=other.suppression)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The inverse of ``dataclasses.asdict``."""
        return cls(
            **{
                **document,
                "version": ObjectVersion(**document["version"]),
                "change": Change(document["change"]),
                "file_paths": tuple(document["file_paths"]),
            }
        )


@dataclass(frozen=True)
class History:
    """The changes to one audience, oldest first.

    ``forgotten`` holds, for each kind of change, where the newest one belonged that is no longer remembered. ``plans``
    counts the plans that were ever made.
    """

    entries: tuple[Entry, ...] = ()
    forgotten: Mapping[Change, Order] = field(default_factory=dict)
    plans: int = 0

    def to_document(self) -> dict[str, Any]:
        """The form in which the ledger keeps it: JSON types only."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any] | None) -> Self:
        """The inverse of ``to_document``; None is an audience of which nothing is known."""
        if not document:
            return cls()
        return cls(
            tuple(Entry.from_document(entry) for entry in document["entries"]),
            {Change(change): _order(order) for change, order in document["forgotten"].items()},
            int(document["plans"]),
        )

    @property
    def pending(self) -> tuple[Entry, ...]:
        """What is planned and still to be carried out, in turn."""
        return tuple(entry for entry in self.entries if entry.is_pending)

    def find(self, entry_id: str) -> Entry | None:
        """What is remembered of an object."""
        return next((entry for entry in self.entries if entry.id == entry_id), None)

    def is_superseded(self, entry: Entry) -> bool:
        """Whether a newer change made everything start afresh."""
        return any(other.change.is_fresh_start and other.order > entry.order for other in self.entries) or any(
            order > entry.order for change, order in self.forgotten.items() if change.is_fresh_start
        )

    def is_too_late(self, entry: Entry) -> bool:
        """Whether something newer would have to be done again that is no longer remembered."""
        undone = {
            Change.APPEND: (Change.REMOVE,),
            Change.REMOVE: (Change.APPEND,),
            Change.REPLACE: (Change.APPEND, Change.REMOVE),
            Change.DELETE: (Change.APPEND, Change.REMOVE),
        }[entry.change]
        return any(change in self.forgotten and self.forgotten[change] > entry.order for change in undone)

    def recent(self, now: float) -> tuple[Entry, ...]:
        """What was carried out so lately that the size that TikTok shows may not count it yet."""
        return tuple(entry for entry in self.entries if now - entry.applied_at < FOLLOWS_SECONDS)

    @property
    def known_rows(self) -> int:
        """The most people that the audience can have by what is remembered of it."""
        rows = 0
        for entry in self.entries:
            if entry.is_applied and entry.change is not Change.REMOVE:
                rows = entry.rows if entry.change.is_fresh_start else rows + entry.rows
        return rows

    def with_new(self, entry: Entry) -> History:
        """Plan a change: itself, and then whatever newer it would undo. What was pending is no longer planned."""
        repeated = [other for other in self.entries if other.order > entry.order and other.id != entry.id]
        if not entry.change.is_fresh_start:
            # Changes of one kind may come in any order.
            while repeated and repeated[0].change is entry.change:
                repeated.pop(0)
        # Of the other route, only what did not concern this audience: a remove on a name that had none, for instance.
        leading = repeated[0] if repeated and entry.change is Change.DELETE else entry
        repeated = [other for other in repeated if other.is_streamed == leading.is_streamed]
        number = self.plans + 1
        entries = {other.id: replace(other, is_pending=False) for other in self.entries}
        for planned in (entry, *repeated):
            entries[planned.id] = replace(planned, plan=number, is_pending=True)
        return replace(self, entries=_in_order(entries.values()), plans=number)._within_memory()

    def with_entry(self, entry: Entry) -> History:
        """Remember an entry in place of what was remembered of it, or beside the others."""
        others = (other for other in self.entries if other.id != entry.id)
        return replace(self, entries=_in_order((*others, entry)))._within_memory()

    def with_done(self, entry: Entry) -> History:
        """The next pending change was carried out, at ``applied_at``.

        What is older than a fresh start is kept: it matters again if TikTok does not carry that out after all.
        """
        return self.with_entry(replace(entry, is_pending=False))

    def with_undone(self, entry_id: str) -> History:
        """A change was not carried out after all. Nobody who was to be removed may come back with a late file."""
        entry = self.find(entry_id)
        if entry is None:
            return self
        if entry.change is Change.REMOVE:
            return self.with_entry(replace(entry, applied_at=0.0, request_id="", is_pending=False))
        return self.without(entry_id)

    def without(self, entry_id: str) -> History:
        """As if an object had never come."""
        return replace(self, entries=tuple(entry for entry in self.entries if entry.id != entry_id))

    def after_loss(self) -> History:
        """What still counts when the audience itself is gone.

        Nobody who was removed may come back with a late file, nor anybody from before a fresh start.
        """
        history = self
        for entry in self.entries:
            if entry.change.is_fresh_start:
                history = history._forgetting(entry)
        removes = tuple(replace(entry, is_pending=False) for entry in history.entries if entry.change is Change.REMOVE)
        return replace(history, entries=removes)

    def _forgetting(self, entry: Entry) -> History:
        newest = max(entry.order, self.forgotten.get(entry.change, entry.order))
        return replace(self.without(entry.id), forgotten={**self.forgotten, entry.change: newest})

    def _within_memory(self) -> History:
        history = self
        excess = sum(entry.stored_bytes for entry in self.entries) - _LARGEST_MEMORY
        for entry in self.entries:
            if excess <= 0 or entry.is_pending:
                break
            history = history._forgetting(entry)
            excess -= entry.stored_bytes
        return history


def _in_order(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.order))


def _order(given: Any) -> Order:
    arrived_at, rank, sequencer, entry_id = given
    return (str(arrived_at), int(rank), str(sequencer), str(entry_id))
