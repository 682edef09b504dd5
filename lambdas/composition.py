"""What the functions of every pipeline have in common: how they reach AWS and TikTok, and how they log and count."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import MetricUnit

from lambdas.aws.clients import new_client
from lambdas.aws.clock import SystemClock
from lambdas.aws.event_bus import EventBridgeBus
from lambdas.aws.ledger import DynamoLedger
from lambdas.aws.object_store import S3ObjectStore
from lambdas.aws.queue_consumer import QueueConsumer
from lambdas.aws.registry import DynamoRegistry
from lambdas.aws.secret import SecretCredentials
from lambdas.aws.suppression_store import S3SuppressionStore
from lambdas.contracts import Metric
from lambdas.observability import logger, metrics
from lambdas.settings import FunctionSettings, QueueSettings
from lambdas.tiktok.client import TikTokClient
from lambdas.tiktok.errors import ConnectorError, RetryableError, UnexpectedError
from lambdas.tiktok.models import Credentials
from lambdas.tiktok.rate import NoPacer, RequestPacer
from lambdas.tiktok.transport import Transport

if TYPE_CHECKING:
    from lambdas.ports import Clock


class PowertoolsObserver:
    """Writes to the function's log and metrics, from any thread."""

    def __init__(self) -> None:
        # Powertools reads, changes and stores a metric's values without one.
        self._counting = threading.Lock()

    def count(self, metric: Metric, value: int = 1) -> None:
        """Add to a metric."""
        with self._counting:
            metrics.add_metric(name=metric, unit=MetricUnit.Count, value=value)

    def warn(self, text: str, **fields: object) -> None:
        """Write to the log."""
        logger.warning(text, extra=fields)

    def retried(self, error: RetryableError, attempt: int) -> None:
        """Count and log a retry in place."""
        self.count(Metric.TIKTOK_RETRIES)
        self.warn("TikTok is asked again", reason=error.reason, detail=str(error), attempt=attempt)


class Surroundings:
    """The adapters, which live as long as a function's environment."""

    def __init__(
        self,
        settings: FunctionSettings,
        transport: Transport,
        *,
        clock: Clock | None = None,
        aws_client: Callable[[Any], Any] = new_client,
        observer: PowertoolsObserver | None = None,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._aws_client = aws_client
        self._dynamodb = aws_client("dynamodb")
        s3 = aws_client("s3")
        self.clock = clock or SystemClock()
        self.observer = observer or PowertoolsObserver()
        self.objects = S3ObjectStore(s3, bucket=settings.bucket)
        self.suppressions = S3SuppressionStore(s3, bucket=settings.bucket, now=self.clock.now)
        self.bus = EventBridgeBus(aws_client("events"))
        self.registry = DynamoRegistry(self._dynamodb, table=settings.ledger_table)
        self.credentials = SecretCredentials(aws_client("secretsmanager"), secret_id=settings.secret_id)

    def ledger(self, prefix: str, *, is_kept: bool = False) -> DynamoLedger:
        """The documents whose keys begin with ``prefix``; kept for ever, or for as long as deliveries are."""
        return DynamoLedger(
            self._dynamodb,
            table=self._settings.ledger_table,
            prefix=prefix,
            now=self.clock.now,
            keep_days=None if is_kept else self._settings.ledger_retention_days,
        )

    def consumer(self, settings: QueueSettings) -> QueueConsumer:
        """Consumes the queue that a function reads its messages from."""
        return QueueConsumer(
            self._aws_client("sqs"),
            queue_url=settings.queue_url,
            dead_letter_queue_url=settings.dead_letter_queue_url,
            max_receive_count=settings.max_receive_count,
            retry_delay_seconds=settings.retry_delay_seconds,
            observer=self.observer,
            now=self.clock.now,
        )

    def new_clients(self) -> Callable[[Credentials], tuple[TikTokClient, TikTokClient]]:
        """TikTok's clients for given credentials, in one invocation: one that keeps its share of the rate, a free one.

        They keep that of each advertiser by itself: many files of one must not hold up another's.
        """
        clock = self.clock
        pacers: dict[str, RequestPacer] = {}

        def clients_for(credentials: Credentials) -> tuple[TikTokClient, TikTokClient]:
            pacer = pacers.setdefault(
                credentials.advertiser_id,
                RequestPacer(self._settings.request_interval_seconds, sleep=clock.sleep, now=clock.monotonic),
            )
            paced, free = (
                TikTokClient(
                    self._transport, credentials, pacer=each, on_retry=self.observer.retried, sleep=clock.sleep
                )
                for each in (pacer, NoPacer())
            )
            return paced, free

        return clients_for


@contextmanager
def guarded() -> Iterator[None]:
    """Turn a defect into a ConnectorError: it must not lose the message, nor print what it was working on."""
    try:
        yield
    except ConnectorError:
        raise
    except Exception as defect:  # noqa: BLE001 - whatever it is
        raise as_unexpected(defect) from None


def as_unexpected(defect: Exception) -> UnexpectedError:
    """The kind and the place of a defect, without its text, which could hold a row."""
    frames = traceback.extract_tb(defect.__traceback__)
    places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-5:]))
    return UnexpectedError(
        f"{type(defect).__name__} at {places}. This is a defect of the connector: replay after an update."
    )
