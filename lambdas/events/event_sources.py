"""Finds the event source of a name at TikTok, or creates it: so that one name never becomes two.

Names are not unique at TikTok, and a create has no key against repetition. So one function at a time looks a name up; a
create is announced in the ledger before it is sent; and while the outcome of an announced create is unknown, the name
is looked up and nothing is created.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any

from lambdas.attempts import SETTLE_SECONDS, held
from lambdas.events.domain import Destination
from lambdas.tiktok.errors import ConnectorError, CreateUnsettled, InvalidInput, NotReady, TikTokUnavailable
from lambdas.tiktok.models import LONGEST_PIXEL_NAME, MOST_OFFLINE_SETS, EventSource, NamedEventSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lambdas.events.ports import EventSourceApi
    from lambdas.ports import Clock, Ledger

_LOOKS_LIKE_ID = re.compile(r"[0-9]{5,}|(?=.*[0-9])[A-Za-z0-9]{16,24}").fullmatch
# For how long a name need not be looked up again. Who renames a pixel will wait that long.
_REMEMBERED_SECONDS = 3600.0


class EventSources:
    """The event sources of one advertiser."""

    def __init__(
        self,
        api: EventSourceApi,
        ledger: Ledger,
        clock: Clock,
        *,
        advertiser_id: str,
        may_create: bool,
    ) -> None:
        self._api = api
        self._ledger = ledger
        self._clock = clock
        self._advertiser_id = advertiser_id
        self._may_create = may_create

    def find(self, destination: Destination, *, owner: str, seconds_left: Callable[[], float]) -> str:
        """The id of an event source, which is created if that is allowed and there is none.

        Raises:
            NotReady: another function is looking for it.
            CreateUnsettled: a create has to settle first.
            InvalidInput: ``event_source_missing``, ``ambiguous_event_source`` or ``too_many_event_sources``.
            ConnectorError: TikTok's answers.
        """
        if destination.id is not None:
            return destination.id
        key = f"{self._advertiser_id}/{destination.source}/{destination.name}"
        known = self._ledger.read(key)
        if self._is_fresh(known):
            return str(known["id"])
        try:
            with held(self._ledger, key, owner=owner, seconds=seconds_left()) as known:
                return self._find_anew(destination, known, key, owner, seconds_left)
        except NotReady:
            if "id" in known:
                # Somebody else is looking it up again; an hour old is good enough until then.
                return str(known["id"])
            # Soon, for a look-up takes seconds; spread, so that many that wait do not come back together.
            raise NotReady(
                "Another function is looking this event source up.",
                wait_seconds=random.uniform(2, 20),  # noqa: S311 - spreads retries
            ) from None

    def _find_anew(
        self,
        destination: Destination,
        known: dict[str, Any],
        key: str,
        owner: str,
        seconds_left: Callable[[], float],
    ) -> str:
        if self._is_fresh(known):
            return str(known["id"])

        def remember(**document: Any) -> None:
            self._ledger.save(key, document, owner=owner)

        found = self._look_up(destination)
        if found is None:
            if known.get("unsettled_until", 0) > self._clock.now():
                raise self._unsettled(known)
            found = self._create(destination, remember, seconds_left())
        remember(id=found, found_at=self._clock.now())
        return found

    def _is_fresh(self, known: dict[str, Any]) -> bool:
        return "id" in known and self._clock.now() - known["found_at"] < _REMEMBERED_SECONDS

    def _look_up(self, destination: Destination) -> str | None:
        listed, is_whole = self._api.list_sources(destination.source, destination.name)
        found = [each.id for each in listed if destination.name in (each.name, each.id)]
        if len(found) > 1:
            raise InvalidInput(
                f"TikTok has {len(found)} event sources of this name ({', '.join(found)}). Rename all but one, or name "
                "the one that is meant by its id, then replay.",
                reason="ambiguous_event_source",
            )
        if found:
            return found[0]
        if not is_whole:
            raise TikTokUnavailable(
                "TikTok's list of event sources is shorter than announced, so it cannot be told whether this one "
                "exists.",
                may_have_happened=False,
            )
        self._expect_may_create(destination, listed)
        return None

    def _expect_may_create(self, destination: Destination, listed: Sequence[NamedEventSource]) -> None:
        if _LOOKS_LIKE_ID(destination.name):
            raise InvalidInput(
                f"TikTok has no event source of {destination.source} that is called so. The name looks like an id, and "
                "none is created under such a name. Is the id right and whole? A pixel goes by its code, not its id.",
                reason="event_source_missing",
            )
        if not self._may_create:
            raise InvalidInput(
                f"TikTok has no event source of {destination.source} that is called so. Is the name right? Create it "
                "at TikTok, or set create_missing_event_sources to true in cdk.context.json and deploy, then replay.",
                reason="event_source_missing",
            )
        if destination.source is EventSource.WEB and len(destination.name) > LONGEST_PIXEL_NAME:
            raise InvalidInput(
                f"The name has {len(destination.name)} characters; TikTok takes at most {LONGEST_PIXEL_NAME} for a "
                "pixel. Use another folder.",
                reason="bad_event_source",
            )
        if destination.source is EventSource.OFFLINE and len(listed) >= MOST_OFFLINE_SETS:
            raise InvalidInput(
                f"The advertiser has {len(listed)} offline event sets, and no more than {MOST_OFFLINE_SETS} are "
                "created. Use one of them, or delete one at TikTok, then replay.",
                reason="too_many_event_sources",
            )

    def _create(self, destination: Destination, remember: Callable[..., None], seconds_left: float) -> str:
        remember(unsettled_until=self._clock.now() + seconds_left + SETTLE_SECONDS, answer="None was written down.")
        try:
            return self._api.create(destination.source, destination.name)
        except TikTokUnavailable as error:
            if not error.may_have_happened:
                remember()
                raise
            unsettled = {"unsettled_until": self._clock.now() + SETTLE_SECONDS, "answer": str(error)}
            remember(**unsettled)
            found = self._look_up(destination)
            if found is None:
                raise self._unsettled(unsettled) from None
            return found
        except ConnectorError:
            remember()
            raise

    def _unsettled(self, announced: dict[str, Any]) -> CreateUnsettled:
        remaining = max(announced["unsettled_until"] - self._clock.now(), 0)
        return CreateUnsettled(
            "It is not known whether TikTok created this event source; it is looked up again before anything is "
            f"created. The last answer: {announced['answer']}",
            wait_seconds=remaining + random.uniform(1, 5),  # noqa: S311 - spreads retries
        )
