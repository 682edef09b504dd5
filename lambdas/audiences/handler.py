"""Entry point of the activation function: reads the message, calls the service, reports failures per record."""

from __future__ import annotations

import functools
import os
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.audiences.history import MINIMUM_AUDIENCE_SIZE
from lambdas.audiences.ports import Clock
from lambdas.audiences.rows.reading import RowRules
from lambdas.audiences.service import Activation, Ledgers, Outcome, Result, Rules
from lambdas.aws.clients import new_client
from lambdas.aws.clock import SystemClock
from lambdas.aws.ledger import DynamoLedger
from lambdas.aws.notifications import parse_notification
from lambdas.aws.object_store import S3ObjectStore
from lambdas.aws.queue_consumer import QueueConsumer, is_confirmed
from lambdas.aws.registry import DynamoRegistry
from lambdas.aws.secret import SecretCredentials
from lambdas.aws.suppression_store import S3SuppressionStore
from lambdas.contracts import Metric
from lambdas.observability import logger, metrics
from lambdas.settings import ActivationSettings
from lambdas.tiktok.audiences import AudienceApi
from lambdas.tiktok.client import TikTokClient
from lambdas.tiktok.errors import ConnectorError, RetryableError, UnexpectedError
from lambdas.tiktok.models import Credentials
from lambdas.tiktok.rate import NoPacer, RequestPacer
from lambdas.tiktok.segments import SegmentApi
from lambdas.tiktok.transport import HttpTransport, Transport

# A message stays hidden for this long after the function's own time-out, so that no two work on it at once.
_HOLD_MARGIN_SECONDS = 30

_METRIC_OF = {
    Result.DELIVERED: Metric.OBJECTS_DELIVERED,
    Result.SUPERSEDED: Metric.OBJECTS_SUPERSEDED,
    Result.ALREADY_DELIVERED: Metric.OBJECTS_ALREADY_DELIVERED,
    Result.IGNORED: Metric.OBJECTS_IGNORED,
}


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Activate the objects that a batch of messages announces; answers with the messages that failed."""
    application = _application()
    activation = application.new_activation()

    def process(record: SQSRecord) -> None:
        application.process(record, context, activation)

    return process_partial_response(
        event=event,
        record_handler=process,
        processor=BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False),
        context=context,
    )


@dataclass(frozen=True)
class Application:
    """Everything that lives as long as the function's environment."""

    settings: ActivationSettings
    consumer: QueueConsumer
    new_activation: Callable[[], Activation]

    def process(self, record: SQSRecord, context: LambdaContext, activation: Activation) -> None:
        """Process one message. Raises RecordFailedError when it is to be tried again."""

        def seconds_left() -> float:
            return context.get_remaining_time_in_millis() / 1000

        def activate() -> None:
            self.consumer.hold(record, seconds_left() + _HOLD_MARGIN_SECONDS)
            version = parse_notification(record.body, bucket=self.settings.bucket)
            logger.append_keys(object_key=version.key, version_id=version.version_id)
            owner = f"{context.aws_request_id}/{record.message_id}"
            try:
                outcome = activation.activate(
                    version, owner=owner, seconds_left=seconds_left, is_confirmed=is_confirmed(record)
                )
            except ConnectorError:
                raise
            except Exception as defect:  # noqa: BLE001 - must not lose the message, nor print what it was working on
                raise UnexpectedError(_where(defect)) from None
            _tell(outcome)

        def last_words() -> str:
            version = parse_notification(record.body, bucket=self.settings.bucket)
            return activation.last_error(version, owner=context.aws_request_id)

        self.consumer.consume(record, activate, last_words=last_words)


@dataclass(frozen=True)
class AdvertiserApi:
    """The calls that act for one advertiser."""

    audiences: AudienceApi
    segments: SegmentApi


class PowertoolsObserver:
    """Writes to the function's log and metrics, from any thread."""

    def __init__(self) -> None:
        # Powertools reads, changes and stores a metric's values without one.
        self._counting = threading.Lock()

    def count(self, metric: Metric) -> None:
        """Add one to a metric."""
        with self._counting:
            metrics.add_metric(name=metric, unit=MetricUnit.Count, value=1)

    def warn(self, text: str, **fields: object) -> None:
        """Write to the log."""
        logger.warning(text, extra=fields)

    def retried(self, error: RetryableError, attempt: int) -> None:
        """Count and log a retry in place."""
        self.count(Metric.TIKTOK_RETRIES)
        self.warn("TikTok is asked again", reason=error.reason, detail=str(error), attempt=attempt)


@functools.cache
def _application() -> Application:
    settings = ActivationSettings.from_environment(os.environ)
    return compose(settings, HttpTransport(settings.tiktok_api_url))


def compose(
    settings: ActivationSettings,
    transport: Transport,
    *,
    clock: Clock | None = None,
    aws_client: Callable[[Any], Any] = new_client,
    minimum_size: int = MINIMUM_AUDIENCE_SIZE,
) -> Application:
    """Join the service with AWS and TikTok. Each invocation gets an activation of its own, which keeps the rate.

    It keeps that of each advertiser by itself: many files of one must not hold up another's.
    """
    observer = PowertoolsObserver()
    clock = clock or SystemClock()
    dynamodb = aws_client("dynamodb")
    s3 = aws_client("s3")
    objects = S3ObjectStore(s3, bucket=settings.bucket)
    suppressions = S3SuppressionStore(s3, bucket=settings.bucket, now=clock.now)
    registry = DynamoRegistry(dynamodb, table=settings.ledger_table)
    credentials = SecretCredentials(aws_client("secretsmanager"), secret_id=settings.secret_id)

    def ledger(prefix: str, keep_days: int | None) -> DynamoLedger:
        return DynamoLedger(dynamodb, table=settings.ledger_table, prefix=prefix, now=clock.now, keep_days=keep_days)

    ledgers = Ledgers(
        deliveries=ledger("object#", settings.ledger_retention_days),
        audiences=ledger("audience#", None),
        repeats=ledger("repeat#", settings.ledger_retention_days),
    )
    rules = Rules(
        supported=settings.supported_calculate_types,
        max_invalid_ratio=settings.max_invalid_ratio,
        rows=RowRules(
            allow_raw_identifiers=settings.allow_raw_identifiers,
            email_rule=settings.email_rule,
            phone_rule=settings.phone_rule,
            default_country=settings.default_country,
        ),
        thread_count=settings.thread_count,
        allow_audience_deletion=settings.allow_audience_deletion,
        minimum_size=minimum_size,
    )

    def new_activation() -> Activation:
        pacers: dict[str, RequestPacer] = {}

        def api_for(credentials: Credentials) -> AdvertiserApi:
            pacer = pacers.setdefault(
                credentials.advertiser_id,
                RequestPacer(settings.request_interval_seconds, sleep=clock.sleep, now=clock.monotonic),
            )
            paced, free = (
                TikTokClient(transport, credentials, pacer=each, on_retry=observer.retried, sleep=clock.sleep)
                for each in (pacer, NoPacer())
            )
            return AdvertiserApi(AudienceApi(paced), SegmentApi(free))

        return Activation(
            objects=objects,
            ledgers=ledgers,
            registry=registry,
            suppressions=suppressions,
            credentials=credentials,
            api_for=api_for,
            clock=clock,
            rules=rules,
        )

    consumer = QueueConsumer(
        aws_client("sqs"),
        queue_url=settings.queue_url,
        dead_letter_queue_url=settings.dead_letter_queue_url,
        max_receive_count=settings.max_receive_count,
        retry_delay_seconds=settings.retry_delay_seconds,
        observer=observer,
        now=clock.now,
    )
    return Application(settings, consumer, new_activation)


def _tell(outcome: Outcome) -> None:
    metrics.add_metric(name=_METRIC_OF[outcome.result], unit=MetricUnit.Count, value=1)
    delivery = outcome.delivery
    if outcome.result is not Result.DELIVERED or not (delivery and delivery.check and delivery.applied):
        logger.info(outcome.result)
        return
    tally, refused = delivery.check.tally, delivery.refused.count
    first = delivery.applied[0]
    for metric, rows in (
        (Metric.ROWS_SENT, tally.valid - refused),
        (Metric.ROWS_INVALID, tally.invalid_rows),
        (Metric.ROWS_SUPPRESSED, tally.suppressed),
        (Metric.ROWS_REFUSED, refused),
    ):
        metrics.add_metric(name=metric, unit=MetricUnit.Count, value=rows)
    logger.info(
        outcome.result,
        extra={
            "audience_id": first.audience_id,
            "action": first.action,
            "audiences": len(delivery.applied),
            "rows_read": tally.read,
            "rows_sent": tally.valid - refused,
            "parts": len(delivery.check.parts),
            "attempts": delivery.attempts,
        },
    )


def _where(error: Exception) -> str:
    """The kind and the place of a defect, without its text, which could hold a row."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-5:]))
    return f"{type(error).__name__} at {places}. This is a defect of the connector: replay after an update."
