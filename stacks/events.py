"""The events pipeline: what people did, in files below ``events/`` or one at a time, reaches TikTok's Events API."""

from __future__ import annotations

from aws_cdk import Duration, Stack, aws_cloudwatch, aws_lambda
from constructs import Construct

from lambdas.contracts import (
    EVENT_DETAIL_TYPE,
    EVENT_FILES_HANDLER,
    EVENTS_PREFIX,
    LIVE_EVENTS_HANDLER,
    Env,
    Metric,
)
from stacks.foundation import Foundation
from stacks.parts.connection_alarms import ConnectionAlarms
from stacks.parts.connector_function import ConnectorFunction, switch
from stacks.parts.connector_metric import connector_metric
from stacks.parts.dashboard_row import Graph, heading, row
from stacks.parts.object_created_rule import ObjectCreatedRule
from stacks.parts.pipeline_alarms import PipelineAlarms
from stacks.parts.pipeline_graphs import duration_graph, failure_graph, queue_row
from stacks.parts.queue_with_dead_letters import QueueWithDeadLetters
from stacks.parts.rule_to_queue import RuleToQueue
from stacks.parts.runbook_alarm import RunbookAlarm
from stacks.settings import Settings

_OUTCOMES = (
    Metric.OBJECTS_DELIVERED,
    Metric.OBJECTS_REJECTED,
    Metric.OBJECTS_RETRIED,
    Metric.OBJECTS_POSTPONED,
    Metric.OBJECTS_EXHAUSTED,
    Metric.OBJECTS_GIVEN_UP,
    Metric.OBJECTS_ALREADY_DELIVERED,
    Metric.OBJECTS_IGNORED,
)
_EVENTS = (
    Metric.EVENTS_SENT,
    Metric.EVENTS_INVALID,
    Metric.EVENTS_DENIED,
    Metric.EVENTS_SUPPRESSED,
    Metric.EVENTS_REFUSED,
    Metric.EVENTS_IN_MILLISECONDS,
)
_TIKTOK = (Metric.TIKTOK_RETRIES, Metric.TOKEN_REJECTED, Metric.MISCONFIGURED, Metric.UNLISTED_CODES)


class EventRoute(Construct):
    """Queue → function, with its alarms and its part of the dashboard.

    `name` tells its metrics and alarms from those of the other route; `thing` is what one message is about, with its
    article, and `things` the plural.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        title: str,
        thing: str,
        things: str,
        handler: str,
        timeout: Duration,
        memory_size_mib: int,
        batch_size: int,
        batching_window: Duration | None,
        settings: Settings,
        foundation: Foundation,
        code: aws_lambda.Code,
        tiktok_api_url: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self._title = title
        self._things = things
        self._service = f"{Stack.of(self).stack_name}-{name.replace(' ', '-')}"
        self.queue = QueueWithDeadLetters(
            self,
            "Waiting",
            key=foundation.key,
            consumer_timeout=timeout,
            batching_window=batching_window,
            max_receive_count=settings.max_receive_count,
        )
        self.delivery = ConnectorFunction(
            self,
            "Delivery",
            description=f"Delivers {name} to TikTok",
            handler=handler,
            code=code,
            timeout=timeout,
            memory_size_mib=memory_size_mib,
            key=foundation.key,
            environment={
                **foundation.environment(
                    settings, tiktok_api_url=tiktok_api_url, interval_seconds=settings.event_interval_seconds
                ),
                **_environment(settings),
                **self.queue.environment(settings),
            },
            service=self._service,
        )
        aws_lambda.EventSourceMapping(
            self,
            "Deliveries",
            target=self.delivery.function,
            event_source_arn=self.queue.queue.queue_arn,
            batch_size=batch_size,
            max_batching_window=batching_window,
            report_batch_item_failures=True,
            max_concurrency=settings.max_concurrency,
        )
        PipelineAlarms(
            self,
            "Alarms",
            pipeline=name,
            thing=thing,
            service=self._service,
            queue=self.queue,
            function=self.delivery.function,
            topic=foundation.alarm_topic,
        )
        RunbookAlarm(
            self,
            "EventsRefused",
            metric=connector_metric(Metric.EVENTS_REFUSED, service=self._service),
            threshold=0,
            meaning=f"TikTok refused events of the {name} pipeline that the connector held to be right.",
            runbook_anchor="events-refused",
            topic=foundation.alarm_topic,
        )
        ConnectionAlarms(self, "ConnectionAlarms", service=self._service, topic=foundation.alarm_topic)

    def dashboard_rows(self) -> list[list[aws_cloudwatch.IWidget]]:
        """What waits, what became of it, how the function does."""
        function = self.delivery.function
        return [
            heading(self._title),
            queue_row(self.queue, things=self._things),
            row(
                Graph(f"{self._things.capitalize()} by outcome", self._metrics(_OUTCOMES)),
                Graph("Events", self._metrics(_EVENTS)),
            ),
            row(
                Graph("TikTok", self._metrics(_TIKTOK)),
                failure_graph(function, *self._metrics((Metric.UNEXPECTED_ERRORS,))),
                duration_graph(function, things="invocations"),
            ),
        ]

    def _metrics(self, metrics: tuple[Metric, ...]) -> tuple[aws_cloudwatch.IMetric, ...]:
        return tuple(connector_metric(metric, service=self._service) for metric in metrics)


class EventsPipeline(Construct):
    """Two routes to the Events API: S3 → rule → queue → function, and event bus → rule → queue → function.

    An application may also send to the queue of live events itself. All rights are in the stack.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        foundation: Foundation,
        code: aws_lambda.Code,
        tiktok_api_url: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self.files = EventRoute(
            self,
            "Files",
            name="events",
            title=f"# Events\nObjects below `{EVENTS_PREFIX}` on their way to TikTok",
            thing="an object",
            things="objects",
            handler=EVENT_FILES_HANDLER,
            # The longest that Lambda offers.
            timeout=Duration.minutes(15),
            # With it comes one whole processor, and checking and hashing events takes that.
            memory_size_mib=1769,
            # One object at a time: a large file must not use up the time of the one behind it.
            batch_size=1,
            batching_window=None,
            settings=settings,
            foundation=foundation,
            code=code,
            tiktok_api_url=tiktok_api_url,
        )
        self.uploaded = ObjectCreatedRule(
            self, "Uploaded", bucket=foundation.bucket, prefixes=(EVENTS_PREFIX,), queue=self.files.queue
        )
        self.live = EventRoute(
            self,
            "Live",
            name="live events",
            title="# Live events\nSingle events, from the event bus or the queue, on their way to TikTok",
            thing="a message",
            things="messages",
            handler=LIVE_EVENTS_HANDLER,
            timeout=Duration.minutes(5),
            memory_size_mib=1024,
            # As many as TikTok takes in one request, or what comes within a few seconds.
            batch_size=1000,
            batching_window=Duration.seconds(5),
            settings=settings,
            foundation=foundation,
            code=code,
            tiktok_api_url=tiktok_api_url,
        )
        self.published = (
            RuleToQueue(
                self,
                "Published",
                description=f"Events from {settings.events_bus_source}, to be delivered to TikTok",
                event_pattern={"source": [settings.events_bus_source], "detail-type": [EVENT_DETAIL_TYPE]},
                queue=self.live.queue,
            )
            if settings.events_bus_source
            else None
        )

    def dashboard_rows(self) -> list[list[aws_cloudwatch.IWidget]]:
        """This pipeline's part of the dashboard."""
        return [*self.files.dashboard_rows(), *self.live.dashboard_rows()]


def _environment(settings: Settings) -> dict[str, str]:
    """What both functions read beside the queues and what every function reads."""
    ages = settings.max_event_age_days.items()
    return {
        Env.DEFAULT_COUNTRY.value: settings.default_country,
        Env.PARTNER_NAME.value: settings.partner_name,
        Env.LIMITED_DATA_USE.value: switch(settings.limited_data_use),
        Env.CREATE_MISSING_EVENT_SOURCES.value: switch(settings.create_missing_event_sources),
        Env.MAX_EVENT_AGE_DAYS.value: ",".join(f"{source}={days}" for source, days in ages),
    }
