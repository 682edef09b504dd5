"""Entry point of the function for live events: many messages at a time, with a report on each."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.aws.clients import new_client
from lambdas.aws.queue_consumer import QueueConsumer
from lambdas.aws.records import Record, process_each
from lambdas.composition import Surroundings, guarded
from lambdas.contracts import Metric
from lambdas.events.composition import new_preparation
from lambdas.events.live.service import Fate, LiveDelivery, Outcomes
from lambdas.observability import logger, metrics
from lambdas.settings import EventSettings
from lambdas.tiktok.errors import ConnectorError
from lambdas.tiktok.transport import HttpTransport, Transport

if TYPE_CHECKING:
    from lambdas.ports import Clock

_METRIC_OF = {
    Fate.SENT: Metric.EVENTS_SENT,
    Fate.DENIED: Metric.EVENTS_DENIED,
    Fate.SUPPRESSED: Metric.EVENTS_SUPPRESSED,
}
_METRIC_OF_REASON = {"invalid_event": Metric.EVENTS_INVALID, "tiktok_refused": Metric.EVENTS_REFUSED}


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Deliver the events of a batch of messages; answers with the messages that failed."""
    return _application().process(event, context)


@dataclass(frozen=True)
class Application:
    """Everything that lives as long as the function's environment."""

    consumer: QueueConsumer
    new_delivery: Callable[[], LiveDelivery]

    def process(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Process the messages. Answers as ``handle``."""
        # What was tried too often already is only put away.
        records = [record for record in map(Record.from_event, event["Records"]) if self.consumer.may_try(record)]
        outcomes = self.new_delivery().deliver(
            [record.body for record in records],
            owner=context.aws_request_id,
            seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
        )
        _count(outcomes)
        by_message = {record.message_id: outcomes[position] for position, record in enumerate(records)}

        def settle(record: Record) -> None:
            def raise_failure() -> None:
                outcome = by_message[record.message_id]
                if isinstance(outcome, ConnectorError):
                    raise outcome

            self.consumer.consume(record, raise_failure, last_words=lambda: "")

        return process_each(event, settle)


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

    def new_delivery() -> LiveDelivery:
        return LiveDelivery(
            preparation=new_preparation(around, settings),
            clock=around.clock,
            guarded=guarded,
        )

    return Application(around.consumer(settings), new_delivery)


def _count(outcomes: Outcomes) -> None:
    for outcome in outcomes.values():
        if isinstance(outcome, Fate):
            metric: Metric | None = _METRIC_OF[outcome]
        else:
            metric = _METRIC_OF_REASON.get(outcome.reason)
        if metric is not None:
            metrics.add_metric(name=metric, unit=MetricUnit.Count, value=1)
    sent = sum(outcome is Fate.SENT for outcome in outcomes.values())
    logger.info("delivered", extra={"messages": len(outcomes), "sent": sent})
