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
from typing import Any

import tenacity

from lambdas.audiences.delivery import CREATED, SUPERSEDED, Applied
from lambdas.audiences.history import Change, Entry, History
from lambdas.audiences.ports import AudienceApi, Clock, Ledger, Registry, Route
from lambdas.tiktok.errors import (
    ConnectorError,
    CreateUnsettled,
    FileExpired,
    InvalidInput,
    NotReady,
    RejectedError,
    TikTokUnavailable,
)
from lambdas.tiktok.models import AudienceListing, CustomAudience

# How long a new audience may take to show up in the list, once the call that may have created it is over.
SETTLE_SECONDS = 60.0
_TURN_ATTEMPTS = 25  # a short wait in place; a longer one is the queue's
_DELETED_IDS = 20  # kept of each name: the list may show an audience for a while after it was deleted


@dataclass
class Turn:
    """The right to write to the audience of a name, and what the ledger knows of that name.

    ``known`` holds ``audience_id`` of the audience that we created, or ``unsettled_until`` (seconds since the epoch)
    and ``answer`` of a create whose outcome is not known; ``created_for``, the object that it was for; and ``deleted``.
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
        """Replace what is known of the audience, but for its history, and write it down."""
        self.known = {**({"deleted": self.known["deleted"]} if "deleted" in self.known else {}), **known}
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
                turn.history = turn.history.with_entry(replace(entry, applied_at=self._clock.now()))
                turn.save()
                raise InvalidInput(
                    "TikTok has no audience of this name, so nobody can be removed from it, and a remove creates none. "
                    "Is the name right? If it is, nothing is left to do: a file that arrived earlier than this one and "
                    "is still to be delivered will be followed by it.",
                    reason="audience_missing",
                )
            return self._carry_out_new(turn, audience, audience_id, entry, route)

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

    def find(self, turn: Turn, listing: AudienceListing | None = None) -> CustomAudience | None:
        """The audience of this name, or None when there certainly is none. Raises as ``apply``.

        ``listing`` is one of before this turn; it is not used when an audience may be too new for it.
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
            found = [late] if late and late.name == turn.name else []
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
        if "audience_id" in known:
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
            entry = _entry(turn.history, turn.history.pending[0])
            if own.change.is_fresh_start and own.order > entry.order:
                break  # Ours makes it irrelevant.
            if entry.id == own.id:
                # Ours may have been prepared anew since.
                entry = replace(
                    entry, file_paths=own.file_paths, uploaded_at=own.uploaded_at, suppression=own.suppression
                )
            try:
                audience_id = self._step(turn, audience_id, route.make_ready(turn.name, entry), route)
            except RejectedError:
                if entry.id == own.id or entry.is_applied:
                    raise
                # Its own delivery will say why.
                turn.history = turn.history.without(entry.id)
                turn.save()
        return audience_id

    def _carry_out_new(
        self, turn: Turn, audience: CustomAudience | None, audience_id: str | None, own: Entry, route: Route
    ) -> Applied:
        plan = turn.history.with_new(route.make_ready(turn.name, own))
        for entry_id in plan.pending[1:]:
            # Before anything is changed: what would have to be done again must be there.
            plan = plan.with_entry(route.make_ready(turn.name, _entry(plan, entry_id)))
        size = audience.cover_num if audience else 0
        # A create is carried out whatever its size.
        changes = [_entry(plan, entry_id) for entry_id in plan.pending[audience_id is None :]]
        at_risk = any(
            route.has_minimum(change) and self._is_at_risk(turn, change, size if audience_id else 0)
            for change in changes
        )
        plan = plan.with_entry(replace(_entry(plan, own.id), is_at_risk=at_risk, size=size))
        before, turn.history = turn.history, plan
        turn.save()
        try:
            while turn.history.pending:
                entry = _entry(turn.history, turn.history.pending[0])
                audience_id = self._step(turn, audience_id, entry, route)
        except (RejectedError, FileExpired):
            if turn.history.pending[:1] == (own.id,):
                # Nothing was done: another attempt plans anew.
                turn.history = before.without(own.id)
                turn.save()
            raise
        return replace(self._told(turn, audience_id, _entry(turn.history, own.id)), repeated=plan.pending[1:])

    def removed(self, turn: Turn, audience: CustomAudience, entry: Entry, request_id: str) -> Applied:
        """What is to be told of a remove that the history does not hold, because everything heeds it from now on."""
        at_risk = self._is_at_risk(turn, entry, audience.cover_num)
        done = replace(entry, request_id=request_id, is_at_risk=at_risk, size=audience.cover_num)
        return self._told(turn, audience.audience_id, done)

    def _is_at_risk(self, turn: Turn, entry: Entry, size: int) -> bool:
        return turn.history.is_at_risk(entry, size, now=self._clock.now(), minimum=self._minimum_size)

    def _told(self, turn: Turn, audience_id: str | None, done: Entry) -> Applied:
        created = audience_id is not None and turn.known.get("created_for") == done.id
        return Applied(
            turn.name,
            audience_id or "",
            CREATED if created else done.change,
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
        try:
            return route.carry_out(turn.name, audience_id, entry)
        except FileExpired:
            if entry.id == turn.owner:
                raise
            return route.carry_out(turn.name, audience_id, route.make_ready(turn.name, replace(entry, uploaded_at=0.0)))

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


def _entry(history: History, entry_id: str) -> Entry:
    entry = history.find(entry_id)
    assert entry is not None, "what is pending is remembered"
    return entry


def _only(found: Sequence[CustomAudience]) -> CustomAudience:
    if len(found) > 1:
        ids = ", ".join(audience.audience_id for audience in found)
        raise InvalidInput(
            f"TikTok has {len(found)} audiences of this name ({ids}). Rename or delete all but one, then replay.",
            reason="ambiguous_audience",
        )
    return found[0]
