"""What was done to an audience, in the order in which it was asked for, and what is left to do. Pure.

The rule: the membership is what applying the objects in the order of their arrival gives. Messages come in any order,
so an object may be applied after a newer one. What it must not change is then done again: a late append is followed by
the newer removes, a late remove by the newer appends, and an object older than a replace is not applied at all. The
whole of it is written down before its first step, so that whoever comes after a crash finishes it before anything else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from lambdas.objects import ObjectVersion

# Bytes of JSON; the ledger's store takes 400 KiB for everything.
_LARGEST_MEMORY = 256 * 1024
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
    call. ``plan`` is the number of the last plan that it is or was a part of. ``is_at_risk`` says that TikTok may not
    carry out this change, or one that had to be repeated for it; it showed ``size`` people before.
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
    """The changes to one audience, oldest first, and the ids of those that are still to be carried out, in turn.

    ``forgotten`` holds, for each kind of change, where the newest one belonged that is no longer remembered.
    ``plans`` counts the plans that were ever made.
    """

    entries: tuple[Entry, ...] = ()
    pending: tuple[str, ...] = ()
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
            tuple(document["pending"]),
            {Change(change): _order(order) for change, order in document["forgotten"].items()},
            int(document["plans"]),
        )

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

    def is_at_risk(self, entry: Entry, size: int, *, now: float, minimum: int) -> bool:
        """Whether TikTok may not carry a change out, because fewer than ``minimum`` people would be left.

        ``size`` is the number of people that TikTok shows, which takes days to follow the changes.
        """
        recent = [other for other in self.entries if now - other.applied_at < FOLLOWS_SECONDS and other.id != entry.id]
        if entry.change is Change.REPLACE:
            return entry.rows < minimum
        if entry.change is not Change.REMOVE:
            return False
        removed = entry.rows + sum(other.rows for other in recent if other.change is Change.REMOVE)
        is_size_known = not any(other.change.is_fresh_start for other in recent)
        return (max(size - removed, 0) if is_size_known else 0) < minimum

    @property
    def known_rows(self) -> int:
        """The most people that the audience can have by what is remembered of it."""
        rows = 0
        for entry in self.entries:
            if entry.is_applied and entry.change is not Change.REMOVE:
                rows = entry.rows if entry.change.is_fresh_start else rows + entry.rows
        return rows

    def with_new(self, entry: Entry) -> History:
        """Plan a change: itself, and then whatever newer it would undo. What is pending is forgotten."""
        newer = [other for other in self.entries if other.order > entry.order and other.id != entry.id]
        repeated = list(newer)
        if not entry.change.is_fresh_start:
            # Changes of one kind may come in any order.
            while repeated and repeated[0].change is entry.change:
                repeated.pop(0)
        plan = replace(self, plans=self.plans + 1, pending=(entry.id, *(other.id for other in repeated)))
        for planned in (entry, *repeated):
            plan = plan.with_entry(replace(planned, plan=plan.plans))
        return plan

    def with_entry(self, entry: Entry) -> History:
        """Remember an entry in place of what was remembered of it, or beside the others."""
        kept = [other for other in self.entries if other.id != entry.id]
        return replace(self, entries=tuple(sorted([*kept, entry], key=lambda each: each.order)))

    def with_done(self, entry: Entry) -> History:
        """The next pending change was carried out, at ``applied_at``.

        What is older than a fresh start is kept: it matters again if TikTok does not carry that out after all.
        """
        return replace(self.with_entry(entry), pending=self.pending[1:])._within_memory()

    def with_undone(self, entry_id: str) -> History:
        """A change was not carried out after all. Nobody who was to be removed may come back with a late file."""
        entry = self.find(entry_id)
        if entry is None:
            return self
        if entry.change is Change.REMOVE:
            return self.with_entry(replace(entry, applied_at=0.0, request_id=""))
        return self.without(entry_id)

    def without(self, entry_id: str) -> History:
        """As if an object had never come."""
        return replace(
            self,
            entries=tuple(entry for entry in self.entries if entry.id != entry_id),
            pending=tuple(each for each in self.pending if each != entry_id),
        )

    def after_loss(self) -> History:
        """What still counts when the audience itself is gone: nobody who was removed may come back with a late file."""
        removes = tuple(entry for entry in self.entries if entry.change is Change.REMOVE)
        return replace(self, entries=removes, pending=())

    def _within_memory(self) -> History:
        sizes = [len(json.dumps(asdict(entry))) for entry in self.entries]
        excess = sum(sizes) - _LARGEST_MEMORY
        entries, forgotten = list(self.entries), dict(self.forgotten)
        for size in sizes:
            if excess <= 0 or entries[0].id in self.pending:
                break
            oldest = entries.pop(0)
            forgotten[oldest.change] = max(oldest.order, forgotten.get(oldest.change, oldest.order))
            excess -= size
        return replace(self, entries=tuple(entries), forgotten=forgotten)


def _order(given: Any) -> Order:
    arrived_at, rank, sequencer, entry_id = given
    return (str(arrived_at), int(rank), str(sequencer), str(entry_id))
