"""Entry point of the audience watch: looks once at what TikTok made of all audiences."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import single_metric
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.audiences.composition import new_apis
from lambdas.audiences.watch.service import Watcher
from lambdas.aws.clients import new_client
from lambdas.aws.queue_consumer import metrics_of
from lambdas.aws.status_files import S3StatusFiles
from lambdas.composition import PowertoolsObserver, Surroundings, guarded
from lambdas.contracts import METRIC_NAMESPACE, AudienceMetric, Metric
from lambdas.observability import logger
from lambdas.settings import WatchSettings
from lambdas.tiktok.errors import ConnectorError, CredentialsAwaited
from lambdas.tiktok.transport import HttpTransport, Transport

if TYPE_CHECKING:
    from lambdas.ports import Clock


@logger.inject_lambda_context(clear_state=True)
def handle(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 - as Lambda calls it
    """Look once. Raises ConnectorError, so that the invocation counts as failed, once all else is done."""
    _application().look(context)


class PromptObserver(PowertoolsObserver):
    """Writes each metric as it comes: what is told must not be lost with a function that is stopped later."""

    def count(self, metric: Metric, value: int = 1) -> None:
        """Add to a metric."""
        with single_metric(name=metric, unit=MetricUnit.Count, value=value, namespace=METRIC_NAMESPACE):
            pass

    def show(
        self, metric: AudienceMetric, value: float, *, advertiser_id: str, audience: str, audience_id: str
    ) -> None:
        """Set a metric of one audience, which goes by its id where CloudWatch takes no such name."""
        with single_metric(name=metric, unit=MetricUnit.NoUnit, value=value, namespace=METRIC_NAMESPACE) as shown:
            shown.add_dimension("advertiser", advertiser_id)
            is_fit = audience.isascii() and audience.isprintable() and audience.strip()
            shown.add_dimension("audience", audience if is_fit else audience_id)


@dataclass(frozen=True)
class Application:
    """Everything that lives as long as the function's environment."""

    observer: PowertoolsObserver
    new_watcher: Callable[[], Watcher]

    def look(self, context: LambdaContext) -> None:
        """Look once. Raises ConnectorError."""
        try:
            with guarded():
                self.new_watcher().look(
                    owner=context.aws_request_id,
                    seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
                )
        except CredentialsAwaited as error:
            # As after every first deployment. Nothing can have been delivered either; what is, says so itself.
            self.observer.warn("there is nothing to look at yet", reason=error.reason, detail=str(error))
        except ConnectorError as error:
            self._count(error)
            raise

    def _count(self, error: ConnectorError) -> None:
        for metric in metrics_of(error):
            self.observer.count(metric)


@functools.cache
def _application() -> Application:
    settings = WatchSettings.from_environment(os.environ)
    return compose(settings, HttpTransport(settings.tiktok_api_url))


def compose(
    settings: WatchSettings,
    transport: Transport,
    *,
    clock: Clock | None = None,
    aws_client: Callable[[Any], Any] = new_client,
) -> Application:
    """Join the watcher with AWS and TikTok. Each invocation gets one of its own, which keeps the rate."""
    observer = PromptObserver()
    around = Surroundings(settings, transport, clock=clock, aws_client=aws_client, observer=observer)
    files = S3StatusFiles(aws_client("s3"), bucket=settings.bucket)

    def new_watcher() -> Watcher:
        api_for = new_apis(around)
        return Watcher(
            registry=around.registry,
            credentials=around.credentials,
            api_for=lambda credentials: api_for(credentials).audiences,
            audiences=around.ledger("audience#", is_kept=True),
            watches=around.ledger("watch#", is_kept=True),
            files=files,
            bus=around.bus,
            observer=observer,
            clock=around.clock,
            guarded=guarded,
            expiry_warning_days=settings.expiry_warning_days,
        )

    return Application(observer, new_watcher)
