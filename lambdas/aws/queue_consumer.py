"""What becomes of a queue's message when its processing fails: later, never, or stop and wake someone."""

from __future__ import annotations

import math
import re
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from lambdas.aws.failures import aws_failures
from lambdas.contracts import DETAIL_ATTRIBUTE, REASON_ATTRIBUTE, Metric
from lambdas.tiktok.errors import (
    ConnectorError,
    CredentialsNotSet,
    FatalError,
    RejectedError,
    RetryableError,
    TokenRejected,
)

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_LONGEST_DELAY = 3600  # seconds; SQS allows 12 hours in all
_NOT_IN_SQS = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Observer(Protocol):
    """Told what happens, so that the consumer needs no logger of its own."""

    def count(self, metric: Metric) -> None:
        """Add one to a metric."""
        ...

    def warn(self, text: str, **fields: object) -> None:
        """Write to the log."""
        ...


class RecordFailedError(Exception):
    """Tells the batch processor to report the record as failed, so that it stays in the queue."""


class QueueConsumer:
    """Processes records of one queue, and routes the failed ones by the class of their error.

    A message is tried ``max_receive_count`` times, with delays that double from ``retry_delay_seconds``, and then goes
    to the dead-letter queue with its last error. The body is never changed, so that a replay is a plain resend.
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
    ) -> None:
        self._client = client
        self._queue_url = queue_url
        self._dead_letter_queue_url = dead_letter_queue_url
        self._max_receive_count = max_receive_count
        self._retry_delay_seconds = retry_delay_seconds
        self._observer = observer

    def consume(self, record: SQSRecord, process: Callable[[], None], *, last_words: Callable[[], str]) -> None:
        """Process one record; returning means that it may be deleted. ``last_words`` tells an earlier attempt's error.

        Raises:
            RecordFailedError: the record goes back to the queue.
        """
        try:
            if _receives(record) > self._max_receive_count:
                self._bury_interrupted(record, last_words)
            else:
                process()
        except RejectedError as error:
            self._count_cause(error)
            self._observer.count(Metric.OBJECTS_REJECTED)
            self._bury(record, error.reason, str(error))
        except (RetryableError, FatalError) as error:
            self._count_cause(error)
            wait = error.wait_seconds if isinstance(error, RetryableError) else None
            self._try_again(record, error.reason, str(error), wait)
        except Exception as error:  # noqa: BLE001 - a defect must not lose the message, nor print what it was working on
            self._observer.count(Metric.UNEXPECTED_ERRORS)
            self._try_again(record, "unexpected_error", _where(error), None)

    def hold(self, record: SQSRecord, seconds: float) -> None:
        """Hide a record for as long as this function may work on it; the queue's own time-out is six times that."""
        self._hide(record, seconds)

    def _try_again(self, record: SQSRecord, reason: str, detail: str, wait: float | None) -> None:
        receives = _receives(record)
        if receives >= self._max_receive_count:
            self._observer.count(Metric.OBJECTS_EXHAUSTED)
            self._bury(record, reason, detail)
            return
        delay = wait if wait is not None else self._retry_delay_seconds * 2 ** (receives - 1)
        delay = min(math.ceil(delay), _LONGEST_DELAY)
        self._observer.count(Metric.OBJECTS_RETRIED)
        self._observer.warn("tried again later", reason=reason, detail=detail, receives=receives, delay_seconds=delay)
        self._hide(record, delay)
        raise RecordFailedError(reason)

    def _bury_interrupted(self, record: SQSRecord, last_words: Callable[[], str]) -> None:
        said = last_words()
        self._observer.count(Metric.OBJECTS_EXHAUSTED)
        self._bury(
            record,
            "interrupted",
            f"The function was stopped {self._max_receive_count} times before it could finish (time-out or memory). "
            + (f"The last error that it could report: {said}" if said else "No attempt could report an error."),
        )

    def _bury(self, record: SQSRecord, reason: str, detail: str) -> None:
        self._observer.warn("moved to the dead-letter queue", reason=reason, detail=detail, receives=_receives(record))
        with aws_failures("sending to the dead-letter queue"):
            self._client.send_message(
                QueueUrl=self._dead_letter_queue_url,
                MessageBody=record.body,
                MessageAttributes={
                    REASON_ATTRIBUTE: {"DataType": "String", "StringValue": reason},
                    DETAIL_ATTRIBUTE: {"DataType": "String", "StringValue": _NOT_IN_SQS.sub("\ufffd", detail)[:2000]},
                },
            )

    def _hide(self, record: SQSRecord, seconds: float) -> None:
        with aws_failures("hiding a message"):
            self._client.change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=record.receipt_handle, VisibilityTimeout=math.ceil(seconds)
            )

    def _count_cause(self, error: ConnectorError) -> None:
        if isinstance(error, TokenRejected):
            self._observer.count(Metric.TOKEN_REJECTED)
        elif isinstance(error, (FatalError, CredentialsNotSet)):
            self._observer.count(Metric.MISCONFIGURED)
        if not error.listed:
            self._observer.count(Metric.UNLISTED_CODES)


def _receives(record: SQSRecord) -> int:
    return int(record.attributes.approximate_receive_count)


def _where(error: Exception) -> str:
    """The kind and the place of a defect, without its text, which could hold a row."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-5:]))
    return f"{type(error).__name__} at {places}. This is a defect of the connector: replay after an update."
