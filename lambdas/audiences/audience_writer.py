"""Applies uploaded files to the audience of a name, so that one name never becomes two audiences.

Names are not unique at TikTok, a create has no key against repetition, and a new audience may show up in the list with
a delay. So one writer at a time works on a name; a create is announced in the ledger before it is sent; and while the
outcome of an announced create is unknown, the name is looked up and nothing is created.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import tenacity

from lambdas.audiences.delivery import Applied
from lambdas.audiences.domain import Target
from lambdas.audiences.ports import AudienceApi, Clock, Ledger
from lambdas.tiktok.errors import ConnectorError, InvalidInput, NotReady, TikTokUnavailable
from lambdas.tiktok.models import Action, CalculateType, CustomAudience

# Longer than any one call to TikTok with its retries in place takes.
LEASE_SECONDS = 120.0
# How long a new audience may take to show up in the list; until then an announced create may have worked.
SETTLE_SECONDS = 60.0
_CREATE = "CREATE"


class AudienceWriter:
    """Writes to the audiences of one advertiser. The ledger's documents hold what is known of each name:

    ``audience_id`` and ``created_at`` of the audience that we created, or ``creating_since`` and ``answer`` of a create
    whose outcome is not known yet; and ``created_for``, the object it was for. Times in seconds since the epoch.
    """

    def __init__(self, api: AudienceApi, ledger: Ledger, clock: Clock, *, advertiser_id: str) -> None:
        self._api = api
        self._ledger = ledger
        self._clock = clock
        self._advertiser_id = advertiser_id

    def append(self, target: Target, file_paths: Sequence[str], *, owner: str) -> Applied:
        """Append files to the audience of a name, or create it from them. ``owner`` is the object that asks for it.

        Raises:
            NotReady: another file is being applied to this audience, or a create has to settle first.
            InvalidInput: ``ambiguous_audience`` or ``calculate_type_mismatch``.
            ConnectorError: TikTok's answers.
        """
        key = f"{self._advertiser_id}/{target.audience}"
        known = self._wait_for_turn(key, owner)
        try:
            audience_id = self._find(target, known)
            if audience_id is None:
                return self._create(target, file_paths, key, owner)
            if "creating_since" in known:
                self._remember(key, owner, audience_id, known["created_for"])
            ours = known.get("created_for") == owner
            return self._append_to(audience_id, file_paths, _CREATE if ours else Action.APPEND)
        finally:
            self._ledger.release(key, owner=owner)

    def _wait_for_turn(self, key: str, owner: str) -> dict[str, Any]:
        waiting = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(NotReady),
            wait=tenacity.wait_random(0.2, 1.0),
            stop=tenacity.stop_after_attempt(100),
            sleep=self._clock.sleep,
            reraise=True,
        )
        return waiting(self._ledger.claim, key, owner=owner, seconds=LEASE_SECONDS)

    def _find(self, target: Target, known: dict[str, Any]) -> str | None:
        """The id of the audience of this name, or None when there certainly is none."""
        found = [
            audience
            for audience in self._api.list_audiences()
            if audience.name == target.audience and audience.is_creator
        ]
        remembered = [audience for audience in found if audience.audience_id == known.get("audience_id")]
        if found:
            chosen = _only(remembered or found)
            _expect_type(target, chosen)
            return chosen.audience_id
        if "audience_id" in known and self._age(known["created_at"]) < SETTLE_SECONDS:
            return str(known["audience_id"])
        if "creating_since" in known and self._age(known["creating_since"]) < SETTLE_SECONDS:
            raise self._unsettled(known)
        return None

    def _create(self, target: Target, file_paths: Sequence[str], key: str, owner: str) -> Applied:
        # Fails when the lease was lost since the list was read: what was read then no longer counts.
        self._announce(key, owner)
        try:
            created = self._api.create(target.audience, calculate_type=target.calculate_type, file_paths=file_paths)
        except TikTokUnavailable as error:
            if not error.may_have_happened:
                self._ledger.save(key, {}, owner=owner)
                raise
            announced = self._announce(key, owner, answer=str(error))
        except ConnectorError:
            self._ledger.save(key, {}, owner=owner)
            raise
        else:
            self._remember(key, owner, created.audience_id, owner)
            return Applied(created.audience_id, _CREATE, created.request_id)
        audience_id = self._find(target, announced)
        if audience_id is None:
            raise self._unsettled(announced)
        self._remember(key, owner, audience_id, owner)
        return self._append_to(audience_id, file_paths, _CREATE)

    def _announce(self, key: str, owner: str, *, answer: str = "None was written down.") -> dict[str, Any]:
        announced = {"creating_since": self._clock.now(), "created_for": owner, "answer": answer}
        self._ledger.save(key, announced, owner=owner, seconds=LEASE_SECONDS)
        return announced

    def _append_to(self, audience_id: str, file_paths: Sequence[str], action: str) -> Applied:
        request_id = self._api.update(audience_id, action=Action.APPEND, file_paths=file_paths)
        return Applied(audience_id, action, request_id)

    def _remember(self, key: str, owner: str, audience_id: str, created_for: str) -> None:
        known = {"audience_id": audience_id, "created_at": self._clock.now(), "created_for": created_for}
        self._ledger.save(key, known, owner=owner)

    def _age(self, moment: float) -> float:
        return self._clock.now() - moment

    def _unsettled(self, announced: dict[str, Any]) -> NotReady:
        return NotReady(
            "It is not known whether TikTok created this audience; it is looked up again before anything is created. "
            f"The last answer: {announced['answer']}",
            reason="create_unsettled",
            wait_seconds=SETTLE_SECONDS - self._age(announced["creating_since"]) + random.uniform(1, 5),  # noqa: S311 - spreads retries
        )


def _only(found: Sequence[CustomAudience]) -> CustomAudience:
    if len(found) > 1:
        ids = ", ".join(audience.audience_id for audience in found)
        raise InvalidInput(
            f"TikTok has {len(found)} audiences of this name ({ids}). Rename or delete all but one, then replay.",
            reason="ambiguous_audience",
        )
    return found[0]


def _expect_type(target: Target, audience: CustomAudience) -> None:
    if audience.calculate_type in set(CalculateType) - {target.calculate_type}:
        raise InvalidInput(
            f"The audience {audience.audience_id} of this name holds {audience.calculate_type}, the file holds "
            f"{target.calculate_type}. Use the format {str(audience.calculate_type).lower()} or another audience name.",
            reason="calculate_type_mismatch",
        )
