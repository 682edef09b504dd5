"""One custom audience: what TikTok has, and what it shows of that (API reference sections 3.4 to 3.7)."""

import hashlib
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import ClassVar

from .settings import Settings

DAY_SECONDS = 86_400
UNUSED_LIFETIME_DAYS = 365
"""Without retention_in_days an audience ends so long after its last modification (API reference section 3.4)."""
EXPIRING_DAYS = 60


class Action(StrEnum):
    """What an update does with its files (API reference section 3.5)."""

    APPEND = "APPEND"
    REMOVE = "REMOVE"
    REPLACE = "REPLACE"


@dataclass(frozen=True)
class Appearance:
    """What an audience shows from some moment on, until a later appearance takes its place."""

    shown_from: float
    cover_num: int
    is_valid: bool
    error_msg: str | None


@dataclass(frozen=True)
class HistoryEntry:
    """One thing that was done. Its outcome, `msg`, is known only once it was processed."""

    action: str
    action_detail: str
    opt_time: float
    msg: str | None = None
    msg_from: float = 0

    def shown_msg(self, now: float) -> str | None:
        """The outcome as far as it is known by now."""
        return self.msg if now >= self.msg_from else None


@dataclass
class Audience:
    """The membership changes at once; the appearance follows when the change has been processed."""

    audience_type: ClassVar[str] = "Customer File Audience"
    """The text by which list and get tell what it is made of (API reference section 3.6)."""
    takes_files: ClassVar[bool] = True

    audience_id: str
    advertiser_id: str
    name: str
    calculate_type: str | None
    created_at: float
    listed_from: float = 0
    retention_in_days: int | None = None
    audience_sub_type: str = "NORMAL"
    audience_enhancement: bool = False
    members: Set[bytes] = field(default_factory=set, repr=False)
    history: list[HistoryEntry] = field(default_factory=list)
    modified_at: float = 0
    _appearances: list[Appearance] = field(default_factory=list)
    _revision: int = 0
    _digest: tuple[int, str] | None = None

    def __post_init__(self) -> None:
        self.modified_at = self.created_at

    # What it shows ---------------------------------------------------------------------------------------------------

    def appearance(self, now: float) -> Appearance:
        """The newest appearance whose time has come."""
        for appearance in reversed(self._appearances):
            if appearance.shown_from <= now:
                return appearance
        return Appearance(self.created_at, 0, False, None)

    def is_processing(self, now: float) -> bool:
        """Whether some change is not shown yet."""
        return bool(self._appearances) and self._appearances[-1].shown_from > now

    def is_valid(self, now: float) -> bool:
        """Whether it can be used now."""
        return self.appearance(now).is_valid and now < self.expires_at

    def is_expiring(self, now: float) -> bool:
        """Whether it ends within 60 days (API reference section 3.6)."""
        return 0 < self.expires_at - now <= EXPIRING_DAYS * DAY_SECONDS

    @property
    def expires_at(self) -> float:
        """A given retention counts from creation and nothing extends it; otherwise each modification does."""
        if self.retention_in_days is not None:
            return self.created_at + self.retention_in_days * DAY_SECONDS
        return self.modified_at + UNUSED_LIFETIME_DAYS * DAY_SECONDS

    # What is done to it ----------------------------------------------------------------------------------------------

    def create(self, given: set[bytes], calculate_types: Sequence[str], now: float, settings: Settings) -> None:
        """Fill a new audience. Files of another type leave it empty, and so never valid."""
        if self.accepts(calculate_types):
            self._set_members(given)
        self._record("create", given, self._shortcoming(calculate_types, settings), now, settings)

    def update(
        self, action: Action, given: set[bytes], calculate_types: Sequence[str], now: float, settings: Settings
    ) -> None:
        """Carry out an action, or leave the membership as it is and say why in the history."""
        self.modified_at = now
        if self.calculate_type is None:
            self.calculate_type = calculate_types[0]
        if not self.accepts(calculate_types):
            self._record(
                action.lower(), given, self._shortcoming(calculate_types, settings), now, settings, failed=True
            )
            return
        if action is Action.APPEND:
            self._append(given)
        else:
            remaining = len(given) if action is Action.REPLACE else len(self.members) - len(given & self.members)
            if _matched(remaining, settings) < settings.minimum_audience_size:
                msg = f"{action} failed: fewer than {settings.minimum_audience_size} matched users would be left."
                self._record(action.lower(), given, msg, now, settings, failed=True)
                return
            if action is Action.REPLACE:
                self._set_members(given)
            else:
                self._set_members(self.members - given)
        self._record(action.lower(), given, self._shortcoming(calculate_types, settings), now, settings)

    def rename(self, name: str, now: float) -> None:
        """Give it another name, at once."""
        self.name = name
        self.modified_at = now
        self.history.append(HistoryEntry("rename", name, now))

    def seed(self, members: frozenset[bytes], now: float, settings: Settings) -> None:
        """Make it valid at once, whatever its size."""
        self._set_members(members)
        self._appearances = [Appearance(now, _matched(len(members), settings), True, None)]
        self.history.append(HistoryEntry("create", str(len(members)), now))

    def lose(self, count: int, now: float, settings: Settings) -> None:
        """So many people leave by themselves: shown at once, and no history tells of it."""
        self._set_members(set(sorted(self.members)[count:]))
        visible, msg = self.appearance(now), self._too_small(settings)
        shown = Appearance(
            now, _matched(len(self.members), settings), visible.is_valid and msg is None, visible.error_msg or msg
        )
        self._appearances = [shown, *(kept for kept in self._appearances if kept.shown_from > now)]

    def accepts(self, calculate_types: Sequence[str]) -> bool:
        """Whether it can be filled from files of these types. One without a type takes any, if it is a single one."""
        return set(calculate_types) == {self.calculate_type or calculate_types[0]}

    def _shortcoming(self, calculate_types: Sequence[str], settings: Settings) -> str | None:
        if not self.accepts(calculate_types):
            return f"The files are not of the audience's calculate_type {self.calculate_type}."
        return self._too_small(settings)

    def _too_small(self, settings: Settings) -> str | None:
        if _matched(len(self.members), settings) < settings.minimum_audience_size:
            return f"The audience has fewer than {settings.minimum_audience_size} matched users."
        return None

    def _set_members(self, members: Set[bytes]) -> None:
        self.members = members
        self._revision += 1

    def _append(self, given: set[bytes]) -> None:
        members = self._own_members()
        members |= given
        self._set_members(members)

    def _own_members(self) -> set[bytes]:
        # Seeded audiences share one frozen set; only a set of its own may grow in place.
        return self.members if isinstance(self.members, set) else set(self.members)

    def _record(
        self, action: str, given: set[bytes], msg: str | None, now: float, settings: Settings, *, failed: bool = False
    ) -> None:
        shown_from = self._announce(msg, now, settings, failed=failed)
        self.history.append(HistoryEntry(action, str(len(given)), now, msg, shown_from))

    def _announce(self, msg: str | None, now: float, settings: Settings, *, failed: bool = False) -> float:
        """Let the change show once it has been processed, and tell from when on."""
        earlier = self._appearances[-1:]
        shown_from = max([now + settings.valid_after_seconds, *(appearance.shown_from for appearance in earlier)])
        if failed and earlier:
            appearance = Appearance(shown_from, earlier[0].cover_num, earlier[0].is_valid, msg)
        else:
            appearance = Appearance(shown_from, _matched(len(self.members), settings), msg is None, msg)
        visible = self.appearance(now)
        self._appearances = [kept for kept in self._appearances if kept is visible or kept.shown_from > now]
        self._appearances.append(appearance)
        return shown_from

    # What is inside --------------------------------------------------------------------------------------------------

    def members_sha256(self) -> str:
        """SHA-256 of the sorted lower-case hexadecimal members, joined by LF; a segment's are `SLOT:hexadecimal`."""
        if self._digest is None or self._digest[0] != self._revision:
            self._digest = (self._revision, self._compute_digest())
        return self._digest[1]

    def slots_of(self, identifier: bytes) -> list[str | None]:
        """Where it holds the identifier: nowhere, or in the one place of an audience that knows no slots."""
        return [None] if identifier in self.members else []

    def _compute_digest(self) -> str:
        return members_digest(self.members)


def _matched(members: int, settings: Settings) -> int:
    return int(members * settings.match_rate)


def members_digest(members: Set[bytes]) -> str:
    """Sorting the bytes sorts their spelling too, and is many times faster."""
    ordered = sorted(members)
    packed = b"".join(ordered)
    width = len(ordered[0]) if ordered else 0
    if ordered and len(packed) == width * len(ordered):
        text = packed.hex("\n", width)
    else:
        text = "\n".join(member.hex() for member in ordered)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@lru_cache(maxsize=8)
def synthetic_members(count: int, calculate_type: str | None) -> frozenset[bytes]:
    """So many made-up members, always the same ones, shared by all audiences that were seeded alike."""
    digest = hashlib.md5 if (calculate_type or "").endswith("_MD5") else hashlib.sha256
    return frozenset(digest(f"synthetic member {number}".encode()).digest() for number in range(count))
