"""Applies uploaded files to the audience of a name, so that one name never becomes two audiences.

Names are not unique at TikTok, a create has no key against repetition, and a new audience may show up in the list with
a delay. So one writer at a time works on a name; a create is announced in the ledger before it is sent; and while the
outcome of an announced create is unknown, the name is looked up and nothing is created.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import tenacity

from lambdas.audiences.delivery import Applied
from lambdas.audiences.domain import Target
from lambdas.audiences.ports import AudienceApi, Clock, Ledger
from lambdas.tiktok.errors import ConnectorError, CreateUnsettled, InvalidInput, NotReady, TikTokUnavailable
from lambdas.tiktok.models import Action, CustomAudience

# How long a new audience may take to show up in the list, once the call that may have created it is over.
SETTLE_SECONDS = 60.0
_TURN_ATTEMPTS = 25  # a short wait in place; a longer one is the queue's
_CREATE = "CREATE"
# What cannot take a file (API reference section 3.6): an audience of the same name may be one of these.
_NO_CUSTOMER_FILES = {
    "Partner",
    "Lookalike Audience",
    "Engagement Audience",
    "App Activity Audience",
    "Website Audience",
    "Lead Generation",
    "Rule Business Account",
    "Rule ad shop",
    "Challenge",
    "Preferred Population",
}
# FIRST and MAID are two words for the same content (section 3.2).
_SAME_CONTENT = {"MAID_SHA256": "FIRST_SHA256", "MAID_MD5": "FIRST_MD5"}


class AudienceWriter:
    """Writes to the audiences of one advertiser. The ledger's documents hold what is known of each name:

    ``audience_id`` of the audience that we created, or ``unsettled_until`` (seconds since the epoch) and ``answer`` of
    a create whose outcome is not known; and ``created_for``, the object that it was for.
    """

    def __init__(
        self,
        api: AudienceApi,
        ledger: Ledger,
        clock: Clock,
        *,
        advertiser_id: str,
        seconds_left: Callable[[], float],
    ) -> None:
        # A turn lasts for as long as this function can live: whoever comes after it need not fear that it goes on.
        self._seconds_left = seconds_left
        self._api = api
        self._ledger = ledger
        self._clock = clock
        self._advertiser_id = advertiser_id

    def append(self, target: Target, file_paths: Sequence[str], *, owner: str) -> Applied:
        """Append files to the audience of a name, or create it from them. ``owner`` is the object that asks for it.

        Raises:
            NotReady: other files are being applied to this audience.
            CreateUnsettled: a create has to settle first.
            InvalidInput: ``ambiguous_audience``, ``not_a_customer_file`` or ``calculate_type_mismatch``.
            ConnectorError: TikTok's answers.
        """
        key = f"{self._advertiser_id}/{target.audience}"
        known = self._wait_for_turn(key, owner)
        try:
            audience_id = self._find(target, known)
            if audience_id is None:
                return self._create(target, file_paths, key, owner)
            if "unsettled_until" in known:
                self._remember(key, owner, audience_id, known["created_for"])
            ours = known.get("created_for") == owner
            return self._append_to(audience_id, file_paths, _CREATE if ours else Action.APPEND)
        finally:
            self._ledger.release(key, owner=owner)

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

    def _find(self, target: Target, known: dict[str, Any]) -> str | None:
        """The id of the audience of this name, or None when there certainly is none."""
        listing = self._api.list_audiences()
        found = [audience for audience in listing.audiences if audience.name == target.audience and audience.is_creator]
        remembered = [audience for audience in found if audience.audience_id == known.get("audience_id")]
        if not found and "audience_id" in known:
            # It may be too new for the list, or deleted, or renamed.
            late = self._api.find_audience(known["audience_id"])
            found = [late] if late and late.name == target.audience else []
        if found:
            chosen = _only(remembered or found)
            _expect_to_fit(target, chosen)
            return chosen.audience_id
        if not listing.is_whole:
            raise TikTokUnavailable(
                "TikTok's list of audiences is shorter than announced, so it cannot be told whether this one exists.",
                may_have_happened=False,
            )
        if known.get("unsettled_until", 0) > self._clock.now():
            raise self._unsettled(known)
        return None

    def _create(self, target: Target, file_paths: Sequence[str], key: str, owner: str) -> Applied:
        # Fails when somebody else had the turn since the list was read: what was read then no longer counts.
        self._announce(key, owner, self._seconds_left() + SETTLE_SECONDS, answer="None was written down.")
        try:
            created = self._api.create(target.audience, calculate_type=target.calculate_type, file_paths=file_paths)
        except TikTokUnavailable as error:
            if not error.may_have_happened:
                self._ledger.save(key, {}, owner=owner)
                raise
            announced = self._announce(key, owner, SETTLE_SECONDS, answer=str(error))
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

    def _announce(self, key: str, owner: str, settle_seconds: float, *, answer: str) -> dict[str, Any]:
        until = self._clock.now() + settle_seconds
        announced = {"unsettled_until": until, "created_for": owner, "answer": answer}
        self._ledger.save(key, announced, owner=owner)
        return announced

    def _append_to(self, audience_id: str, file_paths: Sequence[str], action: str) -> Applied:
        request_id = self._api.update(audience_id, action=Action.APPEND, file_paths=file_paths)
        return Applied(audience_id, action, request_id)

    def _remember(self, key: str, owner: str, audience_id: str, created_for: str) -> None:
        self._ledger.save(key, {"audience_id": audience_id, "created_for": created_for}, owner=owner)

    def _unsettled(self, announced: dict[str, Any]) -> CreateUnsettled:
        remaining = max(announced["unsettled_until"] - self._clock.now(), 0)
        return CreateUnsettled(
            "It is not known whether TikTok created this audience; it is looked up again before anything is created. "
            f"The last answer: {announced['answer']}",
            wait_seconds=remaining + random.uniform(1, 5),  # noqa: S311 - spreads retries
        )


def _only(found: Sequence[CustomAudience]) -> CustomAudience:
    if len(found) > 1:
        ids = ", ".join(audience.audience_id for audience in found)
        raise InvalidInput(
            f"TikTok has {len(found)} audiences of this name ({ids}). Rename or delete all but one, then replay.",
            reason="ambiguous_audience",
        )
    return found[0]


def _expect_to_fit(target: Target, audience: CustomAudience) -> None:
    if audience.audience_type in _NO_CUSTOMER_FILES:
        raise InvalidInput(
            f"The audience {audience.audience_id} of this name is of the type {audience.audience_type}, which takes no "
            "files. Use another audience name.",
            reason="not_a_customer_file",
        )
    held = _SAME_CONTENT.get(audience.calculate_type, audience.calculate_type)
    if held not in ("", target.calculate_type):
        raise InvalidInput(
            f"The audience {audience.audience_id} of this name holds {audience.calculate_type}, the file holds "
            f"{target.calculate_type}. Use the format that it holds, or another audience name.",
            reason="calculate_type_mismatch",
        )
