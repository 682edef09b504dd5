"""Delivers events that applications send one by one: those of one event source together.

A message is its own memory: it stays in the queue until TikTok has its event. What may have been sent before is
harmless when repeated, for every event carries an id by which TikTok knows it again for 48 hours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import TYPE_CHECKING

from lambdas.attempts import expect_time_for
from lambdas.credentials import with_credentials
from lambdas.events.domain import Destination
from lambdas.events.live.messages import LiveEvent, parse_message
from lambdas.events.preparation import Preparation
from lambdas.events.rows.check import EventChecker
from lambdas.events.rows.event import CheckedEvent, Denied
from lambdas.events.rows.reasons import InvalidEvent
from lambdas.events.sender import Sent
from lambdas.tiktok.errors import ConnectorError, InvalidInput, TikTokRejected
from lambdas.tiktok.models import Credentials

if TYPE_CHECKING:
    from lambdas.events.source_settings import SourceSettings
    from lambdas.ports import Clock


class Fate(StrEnum):
    """What became of an event that needs no further attempt."""

    SENT = "sent"
    DENIED = "denied"
    SUPPRESSED = "suppressed"


Outcomes = dict[int, Fate | ConnectorError]


class LiveDelivery:
    """Works in one invocation. ``guarded`` turns a defect into a ConnectorError."""

    def __init__(
        self,
        *,
        preparation: Preparation,
        clock: Clock,
        guarded: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._preparation = preparation
        self._clock = clock
        self._guarded = guarded

    def deliver(self, bodies: Sequence[str], *, owner: str, seconds_left: Callable[[], float]) -> Outcomes:
        """Send the events of messages; tells of each, by its position, what became of it, or why it did not arrive.

        ``owner`` names this invocation; ``seconds_left`` says how long it may go on.
        """
        outcomes: Outcomes = {}
        by_destination: dict[Destination, dict[int, LiveEvent]] = {}
        for position, body in enumerate(bodies):
            try:
                with self._guarded():
                    event = parse_message(body)
            except ConnectorError as error:
                outcomes[position] = error
            else:
                by_destination.setdefault(event.destination, {})[position] = event
        for destination, events in by_destination.items():
            try:
                with self._guarded():
                    expect_time_for("the next events", seconds_left(), has_progressed=True)
                    self._deliver_to(destination, events, outcomes, owner, seconds_left)
            except ConnectorError as error:
                for position in events:
                    outcomes.setdefault(position, error)
        return outcomes

    def _deliver_to(
        self,
        destination: Destination,
        events: Mapping[int, LiveEvent],
        outcomes: Outcomes,
        owner: str,
        seconds_left: Callable[[], float],
    ) -> None:
        settings = self._preparation.settings(destination)
        checked = self._check(destination, settings, events, outcomes)
        if not checked:
            return

        def send(credentials: Credentials) -> None:
            source_id = self._preparation.find_source(destination, credentials, owner=owner, seconds_left=seconds_left)
            address = self._preparation.address(destination, source_id, settings)
            packing = self._preparation.packing(destination, source_id, settings)
            left = [(position, event) for position, event in checked if position not in outcomes]
            with self._preparation.new_sender(credentials, seconds_left) as sender:
                for group in packing.groups(left):
                    outcomes.update(dict.fromkeys(group.suppressed, Fate.SUPPRESSED))
                    for request in group.requests:
                        sent = sender.send(address, [request])
                        outcomes.update(dict.fromkeys(sent.accepted, Fate.SENT))
                        outcomes.update(_refused(sent))
                        if sent.error is not None:
                            raise sent.error

        with_credentials(self._preparation.credentials, settings.advertiser, send)

    def _check(
        self,
        destination: Destination,
        settings: SourceSettings,
        events: Mapping[int, LiveEvent],
        outcomes: Outcomes,
    ) -> list[tuple[int, CheckedEvent]]:
        checker = EventChecker(self._preparation.rules(destination, settings), now=self._clock.now())
        checked = []
        for position, event in events.items():
            try:
                with self._guarded():
                    outcome = _judge(checker, event)
            except ConnectorError as error:
                outcomes[position] = error
                continue
            if isinstance(outcome, Denied):
                outcomes[position] = Fate.DENIED
            else:
                checked.append((position, outcome))
        return checked


def _judge(checker: EventChecker, event: LiveEvent) -> CheckedEvent | Denied:
    try:
        return checker.check(event.fields)
    except InvalidEvent as invalid:
        detail = f" {invalid.detail}" if invalid.detail else ""
        raise InvalidInput(
            f"The event is not valid: {invalid.reason}.{detail} docs/event-files.md has the remedy.",
            reason="invalid_event",
        ) from None


def _refused(sent: Sent) -> Outcomes:
    return {
        position: TikTokRejected(f"TikTok refuses this event. Its answer: {answer}", reason="tiktok_refused")
        for position, answer in sent.refused.items()
    }
