"""Applies changes to the audience of a name: in order, and so that one name never becomes two audiences.

Names are not unique at TikTok, a create has no key against repetition, and a new audience may show up in the list with
a delay. So one writer at a time works on a name; a create is announced in the ledger before it is sent; and while the
outcome of an announced create is unknown, the name is looked up and nothing is created.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import tenacity

from lambdas.attempts import SETTLE_SECONDS
from lambdas.audiences.delivery import CREATED, NOT_THERE, SUPERSEDED, Applied
from lambdas.audiences.history import FOLLOWS_SECONDS, Change, Entry, History
from lambdas.tiktok.errors import (
    ConnectorError,
    CreateUnsettled,
    FileExpired,
    InvalidInput,
    NotReady,
    RejectedError,
    RepeatRefused,
    TikTokUnavailable,
)
from lambdas.tiktok.models import AudienceListing, CustomAudience

if TYPE_CHECKING:
    from lambdas.audiences.ports import AudienceApi, Registry, Route
    from lambdas.ports import Clock, Ledger

_TURN_ATTEMPTS = 25  # a short wait in place; a longer one is the queue's
# TikTok may have lost the files that are in the history, and those that an interrupted attempt uploaded in their place.
_LOST_TWICE = 2
# The watch judges a size by that of up to 72 hours ago, which may itself have lagged behind.
_SUPPRESSIONS_KEPT_SECONDS = 2 * FOLLOWS_SECONDS
_DELETED_IDS = 20  # kept of each name: the list may show an audience for a while after it was deleted


@dataclass
class Turn:
    """The right to write to the audience of a name, and what the ledger knows of that name.

    ``known`` holds ``audience_id`` of the audience that we created, or ``unsettled_until`` (seconds since the epoch)
    and ``answer`` of a create whose outcome is not known; ``created_for``, the object that it was for; ``deleted``
    ids; and ``suppressed``, the time and the rows of each remove that is not in the history.
    """

    ledger: Ledger
    name: str
    key: str
    owner: str
    known: dict[str, Any]
    history: History

    def save(self) -> None:
        """Write everything down. Raises NotReady when the turn was taken over."""
        document = {**self.known, "history": self.history.to_document()}
        self.ledger.save(self.key, document, owner=self.owner)

    def remember(self, **known: Any) -> None:
        """Replace what is known of the audience, but for its past, and write it down."""
        self.known = {**{key: self.known[key] for key in ("deleted", "suppressed") if key in self.known}, **known}
        self.save()


class AudienceWriter:
    """Writes to the audiences of one advertiser. ``minimum_size`` is the least that TikTok leaves after a remove."""

    def __init__(
        self,
        api: AudienceApi,
        ledger: Ledger,
        registry: Registry,
        clock: Clock,
        *,
        advertiser_id: str,
        seconds_left: Callable[[], float],
        minimum_size: int,
    ) -> None:
        # A turn lasts for as long as this function can live: whoever comes after it need not fear that it goes on.
        self._seconds_left = seconds_left
        self._api = api
        self._ledger = ledger
        self._registry = registry
        self._clock = clock
        self.advertiser_id = advertiser_id
        self._minimum_size = minimum_size

    def apply(self, name: str, entry: Entry, route: Route) -> Applied:
        """Carry out a change to the audience of a name, or create it from that, and then whatever newer it undoes.

        Raises:
            NotReady: other files are being applied to this audience.
            CreateUnsettled: a create has to settle first.
            InvalidInput: ``ambiguous_audience``, ``audience_missing`` or ``too_late``, or what the route refuses.
            ConnectorError: TikTok's answers.
        """
        with self.turn(name, entry.id) as turn:
            audience = self.find(turn)
            if audience is not None:
                route.expect_to_fit(audience, entry, turn.history)
            audience_id = self._finish_earlier(turn, audience.audience_id if audience else None, entry, route)
            done = turn.history.find(entry.id)
            if done and done.is_applied:
                # By an attempt that died before it could say so.
                return self._told(turn, audience_id, done)
            if turn.history.is_superseded(entry):
                return Applied(name, audience_id or "", SUPERSEDED, "", advertiser_id=self.advertiser_id)
            if turn.history.is_too_late(entry):
                raise InvalidInput(
                    "Newer files of this audience, which this one would undo, are no longer remembered. Upload the "
                    "file again, so that it counts as new.",
                    reason="too_late",
                )
            if audience_id is None and entry.change is Change.REMOVE:
                # Remembered, so that it also counts for an older file that is still to come.
                turn.history = turn.history.with_entry(entry)
                turn.save()
                raise InvalidInput(
                    "TikTok has no audience of this name, so nobody can be removed from it, and a remove creates none. "
                    "Is the name right? If it is, nothing is left to do: a file that arrived earlier than this one and "
                    "is still to be delivered will be followed by it.",
                    reason="audience_missing",
                )
            return self._carry_out_new(turn, audience, audience_id, entry, route)

    def forget(self, name: str, entry_id: str) -> None:
        """An object is not to be applied, though it may have been planned. Raises ConnectorError."""
        with self.turn(name, entry_id) as turn:
            entry = turn.history.find(entry_id)
            if entry is not None and entry.is_pending and not entry.is_applied:
                turn.history = turn.history.without(entry_id)
                turn.save()

    def reopen(self, name: str, entry_id: str) -> None:
        """TikTok did not carry out a change after all: a replay is to try it again. Raises ConnectorError."""
        with self.turn(name, entry_id) as turn:
            turn.history = turn.history.with_undone(entry_id)
            turn.save()

    @contextmanager
    def turn(self, name: str, owner: str) -> Iterator[Turn]:
        """Hold a name. Raises NotReady when it stays held by others for too long."""
        key = f"{self.advertiser_id}/{name}"
        # Before anything is read: whoever publishes a suppression list looks here after that.
        self._registry.add(self.advertiser_id, name)
        known = self._wait_for_turn(key, owner)
        try:
            history = History.from_document(known.pop("history", None))
            yield Turn(self._ledger, name, key, owner, known, history)
        finally:
            self._ledger.release(key, owner=owner)

    def find(
        self, turn: Turn, listing: AudienceListing | None = None, *, also_renamed: bool = False
    ) -> CustomAudience | None:
        """The audience of this name, or None when there certainly is none. Raises as ``apply``.

        ``listing`` is one of before this turn; it is not used when an audience may be too new for it. With
        ``also_renamed``, the audience that we created counts under any name.
        """
        known = turn.known
        listed = {audience.audience_id for audience in listing.audiences} if listing else set()
        is_recent = "unsettled_until" in known or ("audience_id" in known and known["audience_id"] not in listed)
        if listing is None or is_recent:
            listing = self._api.list_audiences()
        found = [
            audience
            for audience in listing.audiences
            if audience.name == turn.name
            and audience.is_creator
            and audience.audience_id not in known.get("deleted", ())
        ]
        remembered = [audience for audience in found if audience.audience_id == known.get("audience_id")]
        if not found and "audience_id" in known:
            # It may be too new for the list, or deleted, or renamed.
            late = self._api.find_audience(known["audience_id"])
            found = [late] if late and (also_renamed or late.name == turn.name) else []
        if found:
            chosen = _only(remembered or found)
            if "unsettled_until" in known:
                turn.remember(audience_id=chosen.audience_id, created_for=known["created_for"])
            return chosen
        if not listing.is_whole:
            raise TikTokUnavailable(
                "TikTok's list of audiences is shorter than announced, so it cannot be told whether this one exists.",
                may_have_happened=False,
            )
        if known.get("unsettled_until", 0) > self._clock.now():
            raise self._unsettled(known)
        deletes = turn.history.pending[:1] and turn.history.pending[0].change is Change.DELETE
        if "audience_id" in known and not deletes:
            turn.history = turn.history.after_loss()
        return None

    def _wait_for_turn(self, key: str, owner: str) -> dict[str, Any]:
        waiting = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(NotReady),
            wait=tenacity.wait_random(0.2, 1.0),
            stop=tenacity.stop_after_attempt(_TURN_ATTEMPTS),
            sleep=self._clock.sleep,
            reraise=True,
        )
        try:
            return waiting(self._ledger.claim, key, owner=owner, seconds=self._seconds_left())
        except NotReady:
            # The turn may come at any moment; spread, so that many that wait do not come back together.
            raise NotReady(
                "Other files are being applied to this audience.",
                wait_seconds=random.uniform(1, 20),  # noqa: S311 - spreads retries
            ) from None

    def _finish_earlier(self, turn: Turn, audience_id: str | None, own: Entry, route: Route) -> str | None:
        """Carry out what somebody before us had planned and did not come to."""
        while turn.history.pending:
            entry = turn.history.pending[0]
            if own.change.is_fresh_start and own.order > entry.order:
                break  # Ours makes it irrelevant.
            if entry.id == own.id:
                # Ours may have been prepared anew since.
                entry = entry.prepared_as(own)
            try:
                audience_id = self._step(turn, audience_id, route.make_ready(turn.name, entry), route)
            except RejectedError as error:
                if entry.id == own.id and not entry.is_applied:
                    raise
                if entry.is_applied:
                    raise _not_repeated(entry, error) from None
                # Its own delivery will say why.
                turn.history = turn.history.without(entry.id)
                turn.save()
        return audience_id

    def _carry_out_new(
        self, turn: Turn, audience: CustomAudience | None, audience_id: str | None, own: Entry, route: Route
    ) -> Applied:
        before = turn.history
        plan = before.with_new(route.make_ready(turn.name, own))
        for entry in plan.pending[1:]:
            # Before anything is changed: what would have to be done again must be there.
            plan = plan.with_entry(route.make_ready(turn.name, entry))
        size = audience.cover_num if audience and audience_id else 0
        # A create is carried out whatever its size.
        changes = plan.pending[audience_id is None :]
        at_risk = any(route.has_minimum(change) and self._is_at_risk(turn, change, size) for change in changes)
        is_alone = not (before.recent(self._clock.now()) or self._suppressed_rows(turn) or plan.pending[1:])
        plan = plan.with_entry(replace(plan.pending[0], is_at_risk=at_risk, size=size if is_alone else 0))
        turn.history = plan
        turn.save()
        try:
            while turn.history.pending:
                audience_id = self._step(turn, audience_id, turn.history.pending[0], route)
        except (RejectedError, FileExpired) as error:
            refused = turn.history.pending[0]
            if refused.id == own.id:
                # Nothing was done: another attempt plans anew.
                turn.history = before.without(own.id)
                turn.save()
            elif isinstance(error, RejectedError):
                raise _not_repeated(refused, error) from None
            raise
        repeated = tuple(entry.id for entry in plan.pending[1:])
        done = turn.history.find(own.id)
        assert done is not None
        return replace(self._told(turn, audience_id, done), repeated=repeated)

    def removed(self, turn: Turn, audience: CustomAudience, entry: Entry, request_id: str) -> Applied:
        """What is to be told of a remove that the history does not hold, because everything heeds it from now on."""
        now = self._clock.now()
        at_risk = self._is_at_risk(turn, entry, audience.cover_num)
        size = 0 if turn.history.recent(now) or self._suppressed_rows(turn) else audience.cover_num
        self.note_removed(turn, entry.rows)
        return self._told(
            turn, audience.audience_id, replace(entry, request_id=request_id, is_at_risk=at_risk, size=size)
        )

    def note_removed(self, turn: Turn, rows: int) -> None:
        """Remember a remove that the history does not hold. Raises NotReady when the turn was taken over."""
        now = self._clock.now()
        turn.known["suppressed"] = [
            *(each for each in turn.known.get("suppressed", ()) if now - each[0] < _SUPPRESSIONS_KEPT_SECONDS),
            [now, rows],
        ]
        turn.save()

    def _is_at_risk(self, turn: Turn, entry: Entry, size: int) -> bool:
        """Whether TikTok may not carry a change out, because too few people would be left.

        ``size`` is the number of people that TikTok shows, which takes days to follow what is done.
        """
        if entry.change is Change.REPLACE:
            return entry.rows < self._minimum_size
        if entry.change is not Change.REMOVE:
            return False
        recent = [other for other in turn.history.recent(self._clock.now()) if other.id != entry.id]
        removed = entry.rows + sum(other.rows for other in recent if other.change is Change.REMOVE)
        is_size_known = not any(other.change.is_fresh_start for other in recent)
        left = size - removed - self._suppressed_rows(turn) if is_size_known else 0
        return max(left, 0) < self._minimum_size

    def _suppressed_rows(self, turn: Turn) -> int:
        now = self._clock.now()
        return sum(rows for at, rows in turn.known.get("suppressed", ()) if now - at < FOLLOWS_SECONDS)

    def _told(self, turn: Turn, audience_id: str | None, done: Entry) -> Applied:
        action: str = done.change
        if audience_id is not None and turn.known.get("created_for") == done.id:
            action = CREATED
        elif done.change is Change.DELETE and not done.request_id:
            action = NOT_THERE
        return Applied(
            turn.name,
            audience_id or "",
            action,
            done.request_id,
            is_at_risk=done.is_at_risk,
            size=done.size,
            advertiser_id=self.advertiser_id,
        )

    def _step(self, turn: Turn, audience_id: str | None, entry: Entry, route: Route) -> str | None:
        """Carry out the next pending change, and write that down. Returns the id of the audience that there is then."""
        request_id = ""
        if entry.change is Change.DELETE:
            if audience_id is not None:
                request_id = route.delete(audience_id)
                turn.known = {"deleted": [*turn.known.get("deleted", ()), audience_id][-_DELETED_IDS:]}
                audience_id = None
        elif audience_id is not None:
            request_id = self._carry_out(audience_id, turn, entry, route)
        elif entry.change is not Change.REMOVE:
            audience_id, request_id = self._create(turn, entry, route)
        turn.history = turn.history.with_done(replace(entry, applied_at=self._clock.now(), request_id=request_id))
        turn.save()
        return audience_id

    def _carry_out(self, audience_id: str, turn: Turn, entry: Entry, route: Route) -> str:
        for _ in range(_LOST_TWICE):
            try:
                return route.carry_out(turn.name, audience_id, entry)
            except FileExpired:
                if entry.id == turn.owner:
                    raise
                entry = route.make_ready(turn.name, replace(entry, uploaded_at=0.0))
        return route.carry_out(turn.name, audience_id, entry)

    def _create(self, turn: Turn, entry: Entry, route: Route) -> tuple[str, str]:
        # Fails when somebody else had the turn since the list was read: what was read then no longer counts.
        self._announce(turn, entry, self._seconds_left() + SETTLE_SECONDS, answer="None was written down.")
        try:
            created = route.create(turn.name, entry)
        except TikTokUnavailable as error:
            if not error.may_have_happened:
                turn.remember()
                raise
            self._announce(turn, entry, SETTLE_SECONDS, answer=str(error))
        except ConnectorError:
            turn.remember()
            raise
        else:
            turn.remember(audience_id=created.audience_id, created_for=entry.id)
            if route.creates_filled(entry):
                return created.audience_id, created.request_id
            try:
                return created.audience_id, route.complete(turn.name, created.audience_id, entry)
            except FileExpired:
                if entry.id == turn.owner:
                    raise
            return created.audience_id, self._carry_out(created.audience_id, turn, entry, route)
        audience = self.find(turn)
        if audience is None:
            raise self._unsettled(turn.known)
        return audience.audience_id, self._carry_out(audience.audience_id, turn, entry, route)

    def _announce(self, turn: Turn, entry: Entry, settle_seconds: float, *, answer: str) -> None:
        until = self._clock.now() + settle_seconds
        turn.remember(unsettled_until=until, created_for=entry.id, answer=answer)

    def _unsettled(self, announced: dict[str, Any]) -> CreateUnsettled:
        remaining = max(announced["unsettled_until"] - self._clock.now(), 0)
        return CreateUnsettled(
            "It is not known whether TikTok created this audience; it is looked up again before anything is created. "
            f"The last answer: {announced['answer']}",
            wait_seconds=remaining + random.uniform(1, 5),  # noqa: S311 - spreads retries
        )


def _not_repeated(entry: Entry, error: RejectedError) -> RepeatRefused:
    return RepeatRefused(
        f"The newer file {entry.version.key} (version {entry.version.version_id}) has to be applied again after an "
        f"older one, and cannot be: {error}",
        wait_seconds=RepeatRefused.longest_pause_seconds,
    )


def _only(found: Sequence[CustomAudience]) -> CustomAudience:
    if len(found) > 1:
        ids = ", ".join(audience.audience_id for audience in found)
        raise InvalidInput(
            f"TikTok has {len(found)} audiences of this name ({ids}). Rename or delete all but one, then replay.",
            reason="ambiguous_audience",
        )
    return found[0]
