"""Entry point of the function for files of events: reads the message, calls the service, reports what failed."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.aws.clients import new_client
from lambdas.aws.records import Record, process_each
from lambdas.composition import Surroundings
from lambdas.contracts import Metric
from lambdas.events.composition import new_preparation
from lambdas.events.delivery import events_summary
from lambdas.events.service import EventDelivery, Outcome, Result
from lambdas.object_messages import Call, ObjectMessages
from lambdas.objects import ObjectVersion
from lambdas.observability import logger, metrics
from lambdas.settings import EventSettings
from lambdas.tiktok.transport import HttpTransport, Transport

if TYPE_CHECKING:
    from lambdas.ports import Clock

_METRIC_OF = {
    Result.DELIVERED: Metric.OBJECTS_DELIVERED,
    Result.ALREADY_DELIVERED: Metric.OBJECTS_ALREADY_DELIVERED,
    Result.IGNORED: Metric.OBJECTS_IGNORED,
}


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Deliver the files that a batch of messages announces; answers with the messages that failed."""
    application = _application()
    delivery = application.new_delivery()
    return process_each(event, lambda record: application.process(record, context, delivery))


@dataclass(frozen=True)
class Application:
    """Everything that lives as long as the function's environment."""

    messages: ObjectMessages
    new_delivery: Callable[[], EventDelivery]

    def process(self, record: Record, context: LambdaContext, delivery: EventDelivery) -> None:
        """Process one message. Raises RecordFailedError when it is to be tried again."""

        def deliver(version: ObjectVersion, call: Call) -> None:
            _tell(delivery.deliver(version, owner=call.owner, seconds_left=call.seconds_left))

        def last_error(version: ObjectVersion, owner: str) -> str:
            return delivery.last_error(version, owner=owner)

        self.messages.process(record, context, deliver, last_error)


@functools.cache
def _application() -> Application:
    settings = EventSettings.from_environment(os.environ)
    return compose(settings, HttpTransport(settings.tiktok_api_url))


def compose(
    settings: EventSettings,
    transport: Transport,
    *,
    clock: Clock | None = None,
    aws_client: Callable[[Any], Any] = new_client,
) -> Application:
    """Join the service with AWS and TikTok. Each invocation gets a delivery of its own, which keeps the rate."""
    around = Surroundings(settings, transport, clock=clock, aws_client=aws_client)

    def new_delivery() -> EventDelivery:
        return EventDelivery(
            objects=around.objects,
            deliveries=around.ledger("events#"),
            bus=around.bus,
            preparation=new_preparation(around, settings),
            clock=around.clock,
        )

    return Application(ObjectMessages(around.consumer(settings), settings.bucket), new_delivery)


def _tell(outcome: Outcome) -> None:
    metrics.add_metric(name=_METRIC_OF[outcome.result], unit=MetricUnit.Count, value=1)
    delivery = outcome.delivery
    if outcome.result is not Result.DELIVERED or delivery is None or delivery.check is None:
        logger.info(outcome.result)
        return
    summary = events_summary(delivery.check, delivery.progress)
    logger.info(
        outcome.result,
        extra={
            "event_source_id": delivery.source_id,
            "attempts": delivery.attempts,
            "read": summary["read"],
            "sent": summary["sent"],
            "invalid": summary["invalid"],
            "refused": summary["refused_by_tiktok"]["count"],
        },
    )
