"""Entry point of the function that works on ranges of large objects, for the state machine that calls it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.audiences.composition import RANGES, new_apis, row_rules
from lambdas.audiences.large_objects.distribution import Work, as_range
from lambdas.audiences.large_objects.range_worker import RangeWorker
from lambdas.audiences.readings import Readings
from lambdas.audiences.rows.columns import Columns
from lambdas.audiences.uploader import Uploader
from lambdas.aws.clients import new_client
from lambdas.aws.queue_consumer import metrics_of
from lambdas.composition import Surroundings, as_unexpected
from lambdas.contracts import Step
from lambdas.credentials import with_credentials
from lambdas.observability import logger, metrics
from lambdas.settings import PartSettings
from lambdas.tiktok.errors import (
    ConnectorError,
    NotReady,
    RejectedError,
)
from lambdas.tiktok.models import Credentials
from lambdas.tiktok.transport import HttpTransport, Transport


class PartRefused(Exception):
    """No retry can help."""


class PartPostponed(Exception):
    """Nothing failed: the time is up, or another function is at work on the same range."""


class PartFailed(Exception):
    """To be tried again, so many times."""


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do one step: ``step`` of ``work``; for CHECK and UPLOAD of a ``range``, whose lines have ``columns``.

    Raises PartRefused, PartPostponed or PartFailed.
    """
    return _application().do(event, context)


@dataclass(frozen=True)
class Application:
    """Everything that lives as long as the function's environment."""

    around: Surroundings
    new_worker: Callable[[Work, str, Callable[[], float]], RangeWorker]

    def do(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Do one step. Raises as ``handle``."""
        work = Work.from_document(event["work"])
        logger.append_keys(object_key=work.version.key, version_id=work.version.version_id)
        try:
            return with_credentials(self.around.credentials, None, lambda _: self._do(event, work, context))
        except RejectedError as error:
            raise PartRefused(self._told(error)) from None
        except NotReady as error:
            raise PartPostponed(self._told(error)) from None
        except ConnectorError as error:
            raise PartFailed(self._told(error)) from None
        except Exception as defect:  # noqa: BLE001 - must not print what it was working on
            raise PartFailed(self._told(as_unexpected(defect))) from None

    def _do(self, event: dict[str, Any], work: Work, context: LambdaContext) -> dict[str, Any]:
        worker = self.new_worker(work, context.aws_request_id, lambda: context.get_remaining_time_in_millis() / 1000)
        step = Step(event["step"])
        if step is Step.JUDGE:
            return {"is_refused": worker.is_refused()}
        range_ = as_range(event["range"])
        logger.append_keys(range=range_.number)
        columns = event["columns"] and Columns.from_document(event["columns"])
        if step is Step.CHECK:
            return {"valid_rows": worker.check(range_, columns)}
        return {"parts": worker.upload(range_, columns)}

    def _told(self, error: ConnectorError) -> str:
        """Count and log an error; its text for the state machine."""
        observer = self.around.observer
        for metric in metrics_of(error):
            observer.count(metric)
        observer.warn("the step did not come to its end", reason=error.reason, detail=str(error))
        return f"{error.reason}: {error}"


@functools.cache
def _application() -> Application:
    settings = PartSettings.from_environment(os.environ)
    return compose(settings, HttpTransport(settings.tiktok_api_url))


def compose(
    settings: PartSettings, transport: Transport, *, aws_client: Callable[[Any], Any] = new_client, **given: Any
) -> Application:
    """Join the worker with AWS and TikTok."""
    around = Surroundings(settings, transport, aws_client=aws_client, **given)
    ledger = around.ledger(RANGES)
    readings = Readings(around.suppressions, row_rules(settings))

    def new_worker(work: Work, owner: str, seconds_left: Callable[[], float]) -> RangeWorker:
        credentials = Credentials(around.credentials.current(None).access_token, work.advertiser_id)
        uploader = Uploader(new_apis(around)(credentials).audiences, around.objects, around.clock)
        return RangeWorker(work, readings, uploader, around.objects, ledger, owner=owner, seconds_left=seconds_left)

    return Application(around, new_worker)
