"""What becomes of a queue's message when its processing fails: later, never, or stop and wake someone."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from lambdas.aws.failures import aws_failures
from lambdas.aws.records import Record, RecordFailedError
from lambdas.contracts import CONFIRMED_ATTRIBUTE, DETAIL_ATTRIBUTE, REASON_ATTRIBUTE, Metric
from lambdas.tiktok.errors import (
    ConnectorError,
    CredentialsNotSet,
    FatalError,
    NotReady,
    RejectedError,
    RetryableError,
    TokenRejected,
    Unconfirmed,
    UnexpectedError,
)

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

_LONGEST_DELAY = 3600  # seconds; SQS allows 12 hours in all
_LONGEST_POSTPONEMENT = 900  # seconds, SQS's limit
# Attributes of a copy.
_FAILED_ATTEMPTS = "failed_attempts"
_WAITING_SINCE = "waiting_since"
_WAITING_FOR = "waiting_for"
_YES = "true"
# People may be in an audience who should not be.
_NOT_CARRIED_OUT = ("not_carried_out", "repeat_refused")
_NOT_IN_SQS = "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


class Observer(Protocol):
    """Told what happens, so that the consumer needs no logger of its own."""

    def count(self, metric: Metric) -> None:
        """Add one to a metric."""
        ...

    def warn(self, text: str, **fields: object) -> None:
        """Write to the log."""
        ...


class QueueConsumer:
    """Processes records of one queue, and routes the failed ones by the class of their error.

    A message is tried ``max_receive_count`` times, with delays that double from ``retry_delay_seconds``, and then goes
    to the dead-letter queue with its last error. Waiting for something else is no attempt. The body is never changed,
    so that a replay is a plain resend.
    """

    def __init__(
        self,
        client: SQSClient,
        *,
        queue_url: str,
        dead_letter_queue_url: str,
        max_receive_count: int,
        retry_delay_seconds: int,
        observer: Observer,
        now: Callable[[], float],
    ) -> None:
        self._client = client
        self._queue_url = queue_url
        self._dead_letter_queue_url = dead_letter_queue_url
        self._max_receive_count = max_receive_count
        self._retry_delay_seconds = retry_delay_seconds
        self._observer = observer
        self._now = now

    def consume(self, record: Record, process: Callable[[], None], *, last_words: Callable[[], str]) -> None:
        """Process one record; returning means that it may be deleted. ``last_words`` tells an earlier attempt's error.

        Raises:
            RecordFailedError: the record goes back to the queue.
        """
        try:
            self._process_or_route(record, process, last_words)
        except ConnectorError as error:
            self._count_cause(error)
            self._observer.warn("the message stays where it is", reason=error.reason, detail=str(error))
            raise RecordFailedError(error.reason) from None

    def _process_or_route(self, record: Record, process: Callable[[], None], last_words: Callable[[], str]) -> None:
        try:
            if self.may_try(record):
                process()
            else:
                self._bury_interrupted(record, last_words)
        except RejectedError as error:
            self._count_cause(error)
            self._bury(record, error.reason, str(error))
            self._observer.count(Metric.OBJECTS_REJECTED)
        except NotReady as error:
            self._count_cause(error)
            self._postpone(record, error)
        except (RetryableError, FatalError) as error:
            self._count_cause(error)
            self._try_again(record, error)

    def may_try(self, record: Record) -> bool:
        """Whether an attempt is left; ``consume`` puts a record without one away, and does not process it."""
        return _attempts(record) <= self._max_receive_count

    def hold(self, record: Record, seconds: float) -> None:
        """Hide a record for as long as this function may work on it; the queue's own time-out is six times that."""
        self._hide(record, seconds)

    def _postpone(self, record: Record, error: NotReady) -> None:
        """Put a copy behind a delay: unlike a message that comes back, it does not use up an attempt.

        The copy carries the attempts that did fail; for what it waits and since when, so that nothing waits for ever;
        and that it was confirmed.
        """
        # Not since it was sent: in a long backlog, its first wait may come days later.
        # That for TikTok's word takes days, and is a wait of its own. All others count as one, or what waits for two
        # things by turns would wait for ever.
        is_same_wait = (_attribute(record, _WAITING_FOR) == Unconfirmed.reason) == (error.reason == Unconfirmed.reason)
        since = (is_same_wait and _number(record, _WAITING_SINCE)) or self._now()
        if self._now() - since > error.longest_wait_seconds:
            self._give_up(record, error)
            return
        wait = self._retry_delay_seconds if error.wait_seconds is None else error.wait_seconds
        delay = min(max(math.ceil(wait), 0), math.ceil(error.longest_pause_seconds), _LONGEST_POSTPONEMENT)
        attributes: dict[str, MessageAttributeValueTypeDef] = {
            _FAILED_ATTEMPTS: {"DataType": "Number", "StringValue": str(_attempts(record) - 1)},
            _WAITING_SINCE: {"DataType": "Number", "StringValue": f"{since:.3f}"},
            _WAITING_FOR: {"DataType": "String", "StringValue": error.reason},
        }
        if is_confirmed(record):
            attributes[CONFIRMED_ATTRIBUTE] = {"DataType": "String", "StringValue": _YES}
        with aws_failures("putting a message back into the queue"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=record.body,
                DelaySeconds=delay,
                MessageAttributes=attributes,
            )
        self._observer.count(Metric.OBJECTS_POSTPONED)
        self._observer.warn("postponed", reason=error.reason, detail=str(error), delay_seconds=delay)

    def _give_up(self, record: Record, error: ConnectorError) -> None:
        self._bury(record, error.reason, str(error))
        self._observer.count(Metric.OBJECTS_EXHAUSTED)

    def _try_again(self, record: Record, error: RetryableError | FatalError) -> None:
        attempts = _attempts(record)
        if attempts >= self._max_receive_count:
            self._give_up(record, error)
            return
        wait = error.wait_seconds if isinstance(error, RetryableError) else None
        delay = self._retry_delay_seconds * 2 ** (attempts - 1) if wait is None else wait
        delay = min(max(math.ceil(delay), 0), _LONGEST_DELAY)
        self._hide(record, delay)
        self._observer.count(Metric.OBJECTS_RETRIED)
        self._observer.warn(
            "tried again later", reason=error.reason, detail=str(error), attempts=attempts, delay_seconds=delay
        )
        raise RecordFailedError(error.reason)

    def _bury_interrupted(self, record: Record, last_words: Callable[[], str]) -> None:
        try:
            said = last_words()
        except NotReady:
            said = ""
        self._bury(
            record,
            "interrupted",
            f"None of {self._max_receive_count} attempts came to an end: the function was stopped (time-out, memory), "
            "or could not reach the queue. "
            + (f"The last error that it could report: {said}" if said else "No attempt could report an error."),
        )
        self._observer.count(Metric.OBJECTS_EXHAUSTED)

    def _bury(self, record: Record, reason: str, detail: str) -> None:
        """Put a copy into the dead-letter queue. It is not confirmed any more: the next replay is another decision."""
        with aws_failures("sending to the dead-letter queue"):
            self._client.send_message(
                QueueUrl=self._dead_letter_queue_url,
                MessageBody=record.body,
                MessageAttributes={
                    REASON_ATTRIBUTE: {"DataType": "String", "StringValue": reason},
                    DETAIL_ATTRIBUTE: {"DataType": "String", "StringValue": _fit_for_sqs(detail)[:2000]},
                },
            )
        self._observer.count(Metric.OBJECTS_GIVEN_UP)
        self._observer.warn("moved to the dead-letter queue", reason=reason, detail=detail)

    def _hide(self, record: Record, seconds: float) -> None:
        with aws_failures("hiding a message"):
            self._client.change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=record.receipt_handle, VisibilityTimeout=math.ceil(seconds)
            )

    def _count_cause(self, error: ConnectorError) -> None:
        for metric in metrics_of(error):
            self._observer.count(metric)


def metrics_of(error: ConnectorError) -> Iterator[Metric]:
    """What is counted of an error, so that the alarm rings that leads to its remedy."""
    if isinstance(error, UnexpectedError):
        yield Metric.UNEXPECTED_ERRORS
    elif isinstance(error, TokenRejected):
        yield Metric.TOKEN_REJECTED
    elif isinstance(error, (FatalError, CredentialsNotSet)):
        yield Metric.MISCONFIGURED
    elif error.reason in _NOT_CARRIED_OUT:
        yield Metric.NOT_CARRIED_OUT
    if not error.listed:
        yield Metric.UNLISTED_CODES


def _fit_for_sqs(text: str) -> str:
    # Compiled here, for that takes longer than importing this module does, and few messages are given up.
    return re.sub(_NOT_IN_SQS, "\ufffd", text)


def is_confirmed(record: Record) -> bool:
    """Whether somebody has confirmed what the message asks for, by a replay."""
    return _attribute(record, CONFIRMED_ATTRIBUTE) == _YES


def _attempts(record: Record) -> int:
    """Which attempt this is: those of the message, and those of the messages that it is a copy of."""
    return record.receives + int(_number(record, _FAILED_ATTEMPTS) or 0)


def _number(record: Record, name: str) -> float | None:
    try:
        number = float(_attribute(record, name))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _attribute(record: Record, name: str) -> str:
    return record.attributes.get(name, "")
