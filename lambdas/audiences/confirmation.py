"""Finds out whether TikTok carried out what it accepted.

An operation that would leave fewer than 1,000 people is accepted and fails afterwards, without an answer to anybody
(API reference section 3.5): people who were to be removed then stay. So an object whose change is at risk is not
finished before TikTok shows another size, an error, or neither for as long as it may take.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from lambdas.audiences.attempt import Attempt
from lambdas.audiences.delivery import Applied
from lambdas.audiences.history import FOLLOWS_SECONDS, Change
from lambdas.tiktok.errors import InvalidInput, Unconfirmed
from lambdas.tiktok.models import AudienceOutcome

if TYPE_CHECKING:
    from lambdas.ports import Clock

_LOOK_EVERY_SECONDS = 900
_NOT_CARRIED_OUT = "not_carried_out"


class Confirmation:
    """``reopen`` makes the history forget that a change was carried out, so that a replay tries it again."""

    def __init__(
        self,
        clock: Clock,
        *,
        find_outcome: Callable[[Applied], AudienceOutcome | None],
        reopen: Callable[[Applied], None],
    ) -> None:
        self._clock = clock
        self._find_outcome = find_outcome
        self._reopen = reopen

    def confirm(self, attempt: Attempt) -> None:
        """Return once every change is known to be carried out.

        Raises:
            Unconfirmed: look again later.
            InvalidInput: ``not_carried_out``.
            ConnectorError: TikTok's answers.
        """
        for number, applied in enumerate(attempt.delivery.applied):
            if applied.is_unconfirmed:
                seen = self._look(applied, self._clock.now() - attempt.delivery.applied_at)
                if seen != applied:
                    before, after = attempt.delivery.applied[:number], attempt.delivery.applied[number + 1 :]
                    attempt.record(applied=(*before, seen, *after))
        waiting = [applied.audience for applied in attempt.delivery.applied if applied.is_unconfirmed]
        if waiting:
            raise Unconfirmed(
                "TikTok has accepted the change, and would not carry it out if fewer than 1,000 people were left. "
                f"Neither has shown yet: {', '.join(waiting)}.",
                wait_seconds=_LOOK_EVERY_SECONDS,
            )

    def _look(self, applied: Applied, age_seconds: float) -> Applied:
        outcome = self._find_outcome(applied)
        if outcome is None:
            return replace(applied, confirmed_by="the audience is gone")
        if applied.since is None:
            # The first look, right after the change: an error that shows already is of an older one.
            return replace(applied, since=outcome.latest, error_before=outcome.error)
        is_over = age_seconds > FOLLOWS_SECONDS
        error = outcome.error if is_over or outcome.error != applied.error_before else ""
        if complaint := outcome.complaint or error:
            self._reopen(applied)
            raise InvalidInput(
                f"TikTok did not carry out the {applied.action} on the audience {applied.audience} "
                f"({applied.audience_id}), and the people are still in it. TikTok says: {complaint[:200]}. "
                "Delete the audience, or replace it by a list of at least 1,000 people.",
                reason=_NOT_CARRIED_OUT,
            )
        if _shows(applied, outcome.size):
            return replace(applied, confirmed_by="size")
        return replace(applied, confirmed_by="time") if is_over else applied


def _shows(applied: Applied, size: int) -> bool:
    """Whether the size can only have come about by the change."""
    if not applied.size:
        return False
    if applied.action == Change.REMOVE:
        return size < applied.size
    return applied.action == Change.REPLACE and size != applied.size
