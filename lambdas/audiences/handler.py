"""Entry point of the activation function: reads the message, calls the service, reports failures per record."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.audiences.composition import RANGES, new_apis, row_rules
from lambdas.audiences.history import MINIMUM_AUDIENCE_SIZE
from lambdas.audiences.large_objects.distribution import Distribution
from lambdas.audiences.rows.check import PART_BYTES
from lambdas.audiences.service import Activation, Ledgers, Outcome, Result, Rules
from lambdas.aws.clients import new_client
from lambdas.aws.executions import StepFunctionsExecutions
from lambdas.aws.records import Record, process_each
from lambdas.composition import Surroundings
from lambdas.contracts import Metric
from lambdas.object_messages import Call, ObjectMessages
from lambdas.objects import ObjectVersion
from lambdas.observability import logger, metrics
from lambdas.settings import ActivationSettings
from lambdas.tiktok.transport import HttpTransport, Transport

if TYPE_CHECKING:
    from lambdas.ports import Clock

_METRIC_OF = {
    Result.DELIVERED: Metric.OBJECTS_DELIVERED,
    Result.SUPERSEDED: Metric.OBJECTS_SUPERSEDED,
    Result.ALREADY_DELIVERED: Metric.OBJECTS_ALREADY_DELIVERED,
    Result.IGNORED: Metric.OBJECTS_IGNORED,
}


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Activate the objects that a batch of messages announces; answers with the messages that failed."""
    application = _application()
    activation = application.new_activation()
    return process_each(event, lambda record: application.process(record, context, activation))


@dataclass(frozen=True)
class Application:
    """Everything that lives as long as the function's environment."""

    messages: ObjectMessages
    new_activation: Callable[[], Activation]

    def process(self, record: Record, context: LambdaContext, activation: Activation) -> None:
        """Process one message. Raises RecordFailedError when it is to be tried again."""

        def deliver(version: ObjectVersion, call: Call) -> None:
            _tell(
                activation.activate(
                    version, owner=call.owner, seconds_left=call.seconds_left, is_confirmed=call.is_confirmed
                )
            )

        def last_error(version: ObjectVersion, owner: str) -> str:
            return activation.last_error(version, owner=owner)

        self.messages.process(record, context, deliver, last_error)


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
    part_bytes: int = PART_BYTES,
) -> Application:
    """Join the service with AWS and TikTok. Each invocation gets an activation of its own, which keeps the rate."""
    around = Surroundings(settings, transport, clock=clock, aws_client=aws_client)
    ledgers = Ledgers(
        deliveries=around.ledger("object#"),
        audiences=around.ledger("audience#", is_kept=True),
        repeats=around.ledger("repeat#"),
    )
    rules = Rules(
        supported=settings.supported_calculate_types,
        max_invalid_ratio=settings.max_invalid_ratio,
        rows=row_rules(settings),
        thread_count=settings.thread_count,
        allow_audience_deletion=settings.allow_audience_deletion,
        minimum_size=minimum_size,
    )

    distribution = Distribution(
        around.objects,
        around.ledger(RANGES),
        StepFunctionsExecutions(aws_client("stepfunctions"), state_machine_arn=settings.state_machine_arn),
        large_object_bytes=settings.large_object_bytes,
        part_bytes=part_bytes,
    )

    def new_activation() -> Activation:
        return Activation(
            objects=around.objects,
            ledgers=ledgers,
            registry=around.registry,
            suppressions=around.suppressions,
            credentials=around.credentials,
            bus=around.bus,
            api_for=new_apis(around),
            distribution=distribution,
            clock=around.clock,
            rules=rules,
        )

    return Application(ObjectMessages(around.consumer(settings), settings.bucket), new_activation)


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
