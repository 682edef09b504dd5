"""A segment audience: identifiers that were streamed, each in the slot that it came in (API reference section 4)."""

import hashlib
from collections.abc import Set
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from .audiences import Audience, HistoryEntry
from .settings import Settings

SHOWN_TOGETHER_SECONDS = 1
"""Changes so close to one another share one appearance: a stream of small calls would pile up thousands."""


class MappingAction(StrEnum):
    """What a mapping does with its identifiers (API reference section 4.2)."""

    ADD = "add"
    DELETE = "delete"


class Slot(StrEnum):
    """What one position of id_schema may be (API reference section 4.2), in alphabetical order."""

    AAID_MD5 = "AAID_MD5"
    AAID_SHA256 = "AAID_SHA256"
    EMAIL_SHA256 = "EMAIL_SHA256"
    IDFA_MD5 = "IDFA_MD5"
    IDFA_SHA256 = "IDFA_SHA256"
    PHONE_SHA256 = "PHONE_SHA256"

    @property
    def width(self) -> int:
        """Bytes of an identifier in it."""
        return 16 if self.endswith("_MD5") else 32

    def member(self, identifier: bytes) -> bytes:
        """How an audience remembers the identifier: the same one in another slot is another member."""
        return _TAGS[self] + identifier


_SLOTS = tuple(Slot)
_TAGS = {slot: bytes([position]) for position, slot in enumerate(_SLOTS)}


def identifier_of(member: bytes) -> bytes:
    """The identifier without its slot."""
    return member[1:]


@dataclass
class SegmentAudience(Audience):
    """Its members are made by `Slot.member`. No minimum keeps a mapping from being carried out."""

    audience_type: ClassVar[str] = "Partner"
    takes_files: ClassVar[bool] = False

    def open(self, now: float, settings: Settings) -> None:
        """Begin empty, with a history entry as it was recorded (API reference section 3.7)."""
        self.history.append(HistoryEntry("create", "0", now))
        self._announce(self._too_small(settings), now, settings)

    def map(self, action: MappingAction, given: Set[bytes], now: float, settings: Settings) -> None:
        """Carry out a mapping. Adding what is there and deleting what is not change nothing."""
        self.modified_at = now
        members = self._own_members()
        if action is MappingAction.ADD:
            members |= given
        else:
            members -= given
        self._set_members(members)
        self._announce(self._too_small(settings), now, settings)
        self._show_together(now)

    def slots_of(self, identifier: bytes) -> list[str | None]:
        """The slots in which it holds the identifier."""
        return [slot.value for slot in _SLOTS if slot.member(identifier) in self.members]

    def _compute_digest(self) -> str:
        lines = (f"{_SLOTS[member[0]]}:{identifier_of(member).hex()}" for member in sorted(self.members))
        return hashlib.sha256("\n".join(lines).encode("ascii")).hexdigest()

    def _show_together(self, now: float) -> None:
        before, newest = self._appearances[-2:] if len(self._appearances) > 1 else (None, None)
        if before is None or newest is None or before.shown_from <= now:
            return
        if newest.shown_from - before.shown_from < SHOWN_TOGETHER_SECONDS:
            self._appearances[-2:] = [replace(newest, shown_from=before.shown_from)]
