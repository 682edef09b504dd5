"""Delivers one file of events: check all of it, send it from where an earlier attempt got to, account.

What was sent is written to the ledger after each round of requests. What may have happened without being written down
is harmless when repeated: every event carries an id by which TikTok knows it again for 48 hours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, islice
from typing import TYPE_CHECKING

from lambdas.attempts import STEP_SECONDS, expect_time_for, held
from lambdas.contracts import Metric
from lambdas.credentials import with_credentials
from lambdas.events.attempt import Attempt
from lambdas.events.batches import Group
from lambdas.events.delivery import (
    ANNOUNCEMENTS,
    Delivery,
    Progress,
    State,
    Status,
    announced,
    receipt,
)
from lambdas.events.domain import Target, is_settings_key, parse_object, refusal, rejected_key
from lambdas.events.file_check import FileCheck, Reading, Rejected, check_rows, judged_rows, rejected_line
from lambdas.events.preparation import Preparation
from lambdas.events.rows.event import CheckedEvent
from lambdas.events.sender import Address, Sender
from lambdas.objects import ObjectVersion
from lambdas.receipts import timestamp, write_receipt
from lambdas.tiktok.errors import (
    ConnectorError,
    InvalidInput,
    NotReady,
    RejectedError,
    RetryableError,
    TikTokRejected,
)
from lambdas.tiktok.models import Credentials

if TYPE_CHECKING:
    from lambdas.events.ports import EventStore
    from lambdas.ports import Clock, EventBus, Ledger

_TIKTOK_REFUSED = "tiktok_refused"
# The ledger remembers each of them.
_MOST_REFUSED = 5_000


class Result(StrEnum):
    """How a delivery ended."""

    DELIVERED = "delivered"
    ALREADY_DELIVERED = "already delivered"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Outcome:
    """The end of a delivery, with what it did."""

    result: Result
    delivery: Delivery | None = None


class EventDelivery:
    """The use case."""

    def __init__(
        self,
        *,
        objects: EventStore,
        deliveries: Ledger,
        bus: EventBus,
        preparation: Preparation,
        clock: Clock,
    ) -> None:
        self._objects = objects
        self._deliveries = deliveries
        self._bus = bus
        self._preparation = preparation
        self._clock = clock

    def deliver(self, version: ObjectVersion, *, owner: str, seconds_left: Callable[[], float]) -> Outcome:
        """Bring the events of one object version to TikTok, or find that they are there already.

        ``owner`` names this invocation; ``seconds_left`` says how long it may go on. A rejection has its receipt by the
        time it is raised.

        Raises:
            ConnectorError: of the class that says what to do next.
        """
        if version.is_folder_marker or is_settings_key(version.key):
            return Outcome(Result.IGNORED)
        with held(self._deliveries, version.id, owner=owner, seconds=seconds_left()) as document:
            delivery = Delivery.from_document(document)
            if delivery.state is State.FINISHED:
                return Outcome(Result.ALREADY_DELIVERED, delivery)
            attempt = Attempt(self._deliveries, version, owner, seconds_left, delivery)
            try:
                self._deliver(attempt)
            except RejectedError as error:
                self._account(attempt, Status.REJECTED, error)
                attempt.note(error, state=State.REJECTED, has_begun=attempt.has_begun_in_spite_of(error))
                raise
            except NotReady as error:
                # Nothing failed, so this was no attempt.
                attempt.note(error, attempts=attempt.delivery.attempts - 1)
                raise
            except RetryableError as error:
                if not attempt.has_sent:
                    attempt.note(error)
                    raise
                # An attempt that gets on has not failed: of a large file, others follow.
                attempt.note(error, attempts=attempt.delivery.attempts - 1)
                raise NotReady(str(error), reason=error.reason, wait_seconds=error.wait_seconds) from None
            except ConnectorError as error:
                attempt.note(error, has_begun=attempt.has_begun_in_spite_of(error))
                raise
            return Outcome(Result.DELIVERED, attempt.delivery)

    def last_error(self, version: ObjectVersion, *, owner: str) -> str:
        """What the last attempt that could report an error said, if any. Raises NotReady while one is at work."""
        with held(self._deliveries, version.id, owner=owner, seconds=1) as document:
            return Delivery.from_document(document).last_error

    def _deliver(self, attempt: Attempt) -> None:
        delivery = attempt.delivery
        attempt.record(attempts=delivery.attempts + 1, started_at=delivery.started_at or timestamp(self._clock.now()))
        attempt.target = target = parse_object(attempt.version)
        if not delivery.has_begun:
            settings = self._preparation.settings(target.destination)
            rules = self._preparation.rules(target.destination, settings)
            if delivery.state is State.REJECTED or not delivery.is_checked_with(settings, rules):
                attempt.record(state=State.STARTED, settings=settings, rules=rules, check=None, progress=Progress())
        self._check(attempt)
        assert attempt.delivery.settings is not None
        with_credentials(
            self._preparation.credentials,
            attempt.delivery.settings.advertiser,
            lambda credentials: self._send(attempt, target, credentials),
        )
        self._expect_some_sent(attempt)
        self._account(attempt, Status.DELIVERED)
        attempt.record(state=State.FINISHED, last_error="")

    def _check(self, attempt: Attempt) -> None:
        """Read the file to its end before anything is sent. Raises InvalidInput when it is refused."""
        settings = attempt.delivery.settings
        assert settings is not None
        if attempt.delivery.check is None:
            attempt.record(checked_at=self._clock.now())
            check = self._checked(attempt)
            rules = attempt.delivery.rules
            assert rules is not None
            if check.has_gaps_in_consent and not rules.needs_consent:
                # Whoever asks for consent has asked all: a row that says nothing of it is no row of a file without.
                attempt.record(rules=replace(rules, needs_consent=True))
                check = self._checked(attempt)
            attempt.record(check=check, state=State.CHECKED)
            attempt.has_checked = True
            for metric, count in (
                (Metric.EVENTS_INVALID, check.tally.invalid_rows),
                (Metric.EVENTS_DENIED, check.denied),
                (Metric.EVENTS_IN_MILLISECONDS, check.in_milliseconds),
            ):
                self._preparation.count(metric, count)
        assert attempt.delivery.check is not None
        refused = refusal(attempt.delivery.check, settings.on_invalid_row)
        if refused:
            raise refused

    def _checked(self, attempt: Attempt) -> FileCheck:
        def heed(line: int) -> None:
            if attempt.seconds_left() < STEP_SECONDS:
                raise InvalidInput(
                    f"The function's time was up when it had checked {line:,} lines. Split the file. Nothing was sent.",
                    reason="file_too_large",
                )

        check = FileCheck()
        with self._objects.read(attempt.version) as chunks:
            self._write_rejected(attempt, check_rows(chunks, self._reading(attempt), check, heed))
        return check

    def _send(self, attempt: Attempt, target: Target, credentials: Credentials) -> None:
        """Send what is not sent yet, in rounds of as many requests as there are threads."""
        settings, progress = attempt.delivery.settings, attempt.delivery.progress
        assert settings is not None
        delivery = attempt.delivery
        is_another = attempt.has_none and delivery.advertiser_id != credentials.advertiser_id
        if not delivery.has_begun or is_another:
            source_id = self._preparation.find_source(
                target.destination, credentials, owner=attempt.owner, seconds_left=attempt.seconds_left
            )
            attempt.begins = not delivery.has_begun
            attempt.record(source_id=source_id, advertiser_id=credentials.advertiser_id, has_begun=True)
        address = self._preparation.address(target.destination, attempt.delivery.source_id, settings)
        packing = self._preparation.packing(target.destination, attempt.delivery.source_id, settings)
        with (
            self._preparation.new_sender(credentials, attempt.seconds_left) as sender,
            self._objects.read(attempt.version) as chunks,
        ):
            groups = packing.groups(self._events(chunks, attempt, progress))
            while batch_round := list(islice(groups, self._preparation.thread_count)):
                self._expect_few_refused(attempt.delivery.progress)
                self._expect_time_for("the next events", attempt)
                self._send_round(attempt, sender, address, batch_round)

    def _send_round(self, attempt: Attempt, sender: Sender, address: Address, groups: list[Group]) -> None:
        requests = [request for group in groups for request in group.requests]
        sent = sender.send(address, requests)
        before = attempt.delivery.progress
        after = before.after(groups, sent)
        attempt.has_sent = attempt.has_sent or bool(sent.settled)
        attempt.record(progress=after)
        for metric, count in (
            (Metric.EVENTS_SENT, after.accepted - before.accepted),
            (Metric.EVENTS_SUPPRESSED, after.suppressed - before.suppressed),
            (Metric.EVENTS_REFUSED, after.refused_count - before.refused_count),
        ):
            self._preparation.count(metric, count)
        if sent.error is not None:
            raise sent.error

    def _expect_few_refused(self, progress: Progress) -> None:
        """Raises TikTokRejected when there are more refused events than can be remembered."""
        count = progress.refused_count
        if count > _MOST_REFUSED:
            raise TikTokRejected(
                f"TikTok refuses more than {_MOST_REFUSED:,} events of this file one by one. {_answer(progress)} What "
                "it accepted is accounted for. Upload the lines after `sent_up_to_line` of the receipt as a new file, "
                "and what was refused once it is mended."
            )

    def _events(
        self, chunks: Iterable[bytes], attempt: Attempt, progress: Progress
    ) -> Iterator[tuple[int, CheckedEvent]]:
        beyond = frozenset(progress.beyond)
        for row, outcome in judged_rows(chunks, self._reading(attempt), after_line=progress.line):
            if isinstance(outcome, CheckedEvent) and row.line not in beyond:
                yield row.line, outcome

    def _expect_some_sent(self, attempt: Attempt) -> None:
        progress = attempt.delivery.progress
        if progress.refused_count and not progress.accepted:
            raise TikTokRejected(f"TikTok refuses every one of {progress.refused_count:,} events. {_answer(progress)}")

    def _write_back(self, attempt: Attempt) -> None:
        """Write the file of rejected events once more, with those that TikTok refused."""

        def heed(_: int) -> None:
            self._expect_time_for("all refused events are written back", attempt)

        answers = {line: answer for answer, lines in attempt.delivery.progress.refused.items() for line in lines}

        def rejected(chunks: Iterable[bytes]) -> Iterator[bytes]:
            for row, outcome in judged_rows(chunks, self._reading(attempt), heed=heed):
                if isinstance(outcome, Rejected):
                    yield rejected_line(row, outcome)
                elif row.line in answers:
                    yield rejected_line(row, Rejected(_TIKTOK_REFUSED, answers[row.line]))

        with self._objects.read(attempt.version) as chunks:
            self._write_rejected(attempt, rejected(chunks))

    def _expect_time_for(self, step: str, attempt: Attempt) -> None:
        expect_time_for(step, attempt.seconds_left(), has_progressed=attempt.has_checked or attempt.has_sent)

    def _write_rejected(self, attempt: Attempt, lines: Iterator[bytes]) -> None:
        """Write back the events that are not sent, if there are any; reads ``lines`` to their end."""
        key = rejected_key(attempt.version)
        first = list(islice(lines, 1))
        if first or attempt.delivery.has_written_back:
            # Also empty, in place of what an earlier check wrote.
            attempt.record(has_written_back=True)
            self._objects.write_stream(key, chain(first, lines))
        else:
            deque(lines, maxlen=0)

    def _reading(self, attempt: Attempt) -> Reading:
        assert attempt.target is not None
        rules = attempt.delivery.rules
        assert rules is not None
        return Reading(attempt.target.file_type, rules, attempt.delivery.checked_at)

    def _account(self, attempt: Attempt, status: Status, error: RejectedError | None = None) -> None:
        """Write the receipt, unless S3 would not take its key, and announce it."""
        if attempt.delivery.progress.refused_count:
            # What is gone cannot be written back.
            with suppress(InvalidInput):
                self._write_back(attempt)
        document = receipt(
            attempt.version,
            attempt.target,
            attempt.delivery,
            status,
            finished_at=timestamp(self._clock.now()),
            error=error,
        )
        key = write_receipt(self._objects, attempt.version, document)
        self._bus.publish(ANNOUNCEMENTS[status], announced(document, receipt_key=key))


def _answer(progress: Progress) -> str:
    return f"Its answer: {next(iter(progress.refused))}"
