"""The audiences pipeline: a file below ``tiktok/`` becomes a custom audience at TikTok.

Who is in a file below ``suppression/`` leaves all of them.
"""

from __future__ import annotations

from aws_cdk import Duration, Stack, aws_cloudwatch, aws_lambda
from constructs import Construct

from lambdas.contracts import ACTIVATION_HANDLER, AUDIENCES_PREFIX, SUPPRESSIONS_PREFIX, Env, Metric
from stacks.foundation import Foundation
from stacks.large_objects import LargeObjects
from stacks.parts.connection_alarms import ConnectionAlarms
from stacks.parts.connector_function import ConnectorFunction, switch
from stacks.parts.connector_metric import connector_metric
from stacks.parts.dashboard_row import Graph, heading, row
from stacks.parts.object_created_rule import ObjectCreatedRule
from stacks.parts.pipeline_alarms import PipelineAlarms
from stacks.parts.pipeline_graphs import duration_graph, failure_graph, queue_row
from stacks.parts.queue_with_dead_letters import QueueWithDeadLetters
from stacks.parts.runbook_alarm import RunbookAlarm
from stacks.settings import Settings

# The longest that Lambda offers. A larger file is delivered in parts, so that one part has to fit into it.
_TIMEOUT = Duration.minutes(15)
# Far more than it uses: Lambda gives processor time with it, and checking rows takes that.
_MEMORY_SIZE_MIB = 1024


class AudiencesPipeline(Construct):
    """S3 → rule → queue → function, with its alarms and its part of the dashboard. All rights are in the stack."""

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
        self._service = Stack.of(self).stack_name
        self.queue = QueueWithDeadLetters(
            self,
            "Uploads",
            key=foundation.key,
            consumer_timeout=_TIMEOUT,
            max_receive_count=settings.max_receive_count,
        )
        self.rule = ObjectCreatedRule(
            self,
            "Uploaded",
            bucket=foundation.bucket,
            prefixes=(AUDIENCES_PREFIX, SUPPRESSIONS_PREFIX),
            queue=self.queue,
        )
        of_rows = {
            Env.MAX_INVALID_RATIO.value: f"{settings.max_invalid_ratio:.12g}",
            Env.ALLOW_RAW_IDENTIFIERS.value: switch(settings.allow_raw_identifiers),
            Env.DEFAULT_COUNTRY.value: settings.default_country,
            Env.EMAIL_RULE.value: settings.email_rule,
            Env.PHONE_RULE.value: settings.phone_rule,
        }
        self.large_objects = LargeObjects(
            self,
            "LargeObjects",
            settings=settings,
            foundation=foundation,
            code=code,
            environment={
                **foundation.environment(
                    settings, tiktok_api_url=tiktok_api_url, interval_seconds=settings.part_interval_seconds
                ),
                **of_rows,
            },
            service=self._service,
        )
        self.activation = ConnectorFunction(
            self,
            "Activation",
            description="Delivers uploaded audience files to TikTok",
            handler=ACTIVATION_HANDLER,
            code=code,
            timeout=_TIMEOUT,
            memory_size_mib=_MEMORY_SIZE_MIB,
            key=foundation.key,
            environment={
                **foundation.environment(
                    settings, tiktok_api_url=tiktok_api_url, interval_seconds=settings.delivery_interval_seconds
                ),
                **of_rows,
                **self.queue.environment(settings),
                Env.SUPPORTED_CALCULATE_TYPES.value: ",".join(settings.supported_calculate_types),
                Env.ALLOW_AUDIENCE_DELETION.value: switch(settings.allow_audience_deletion),
                Env.LARGE_OBJECT_BYTES.value: str(settings.large_object_bytes),
                Env.STATE_MACHINE_ARN.value: self.large_objects.machine_arn,
            },
            service=self._service,
        )
        aws_lambda.EventSourceMapping(
            self,
            "Deliveries",
            target=self.activation.function,
            event_source_arn=self.queue.queue.queue_arn,
            # One object at a time: a large file must not use up the time of the one behind it.
            batch_size=1,
            report_batch_item_failures=True,
            max_concurrency=settings.max_concurrency,
        )
        alarms = PipelineAlarms(
            self,
            "Alarms",
            pipeline="audiences",
            thing="an object",
            service=self._service,
            queue=self.queue,
            function=self.activation.function,
            topic=foundation.alarm_topic,
        )
        RunbookAlarm(
            alarms,
            "ChangesNotCarriedOut",
            metric=connector_metric(Metric.NOT_CARRIED_OUT, service=self._service),
            threshold=0,
            meaning="TikTok accepted a change of the audiences pipeline and did not carry it out: people who were to "
            "be removed are still in an audience.",
            runbook_anchor="changes-not-carried-out",
            topic=foundation.alarm_topic,
        )
        ConnectionAlarms(self, "ConnectionAlarms", service=self._service, topic=foundation.alarm_topic)

    def dashboard_rows(self) -> list[list[aws_cloudwatch.IWidget]]:
        """This pipeline's part of the dashboard: what waits, what became of it, how the function does."""
        function = self.activation.function
        outcomes = self._metrics(
            Metric.OBJECTS_DELIVERED,
            Metric.OBJECTS_SUPERSEDED,
            Metric.OBJECTS_REJECTED,
            Metric.OBJECTS_RETRIED,
            Metric.OBJECTS_POSTPONED,
            Metric.OBJECTS_EXHAUSTED,
            Metric.OBJECTS_GIVEN_UP,
            Metric.OBJECTS_ALREADY_DELIVERED,
            Metric.OBJECTS_IGNORED,
        )
        rows = self._metrics(Metric.ROWS_SENT, Metric.ROWS_INVALID, Metric.ROWS_SUPPRESSED, Metric.ROWS_REFUSED)
        tiktok = self._metrics(
            Metric.TIKTOK_RETRIES,
            Metric.NOT_CARRIED_OUT,
            Metric.TOKEN_REJECTED,
            Metric.MISCONFIGURED,
            Metric.UNLISTED_CODES,
        )
        return [
            heading(
                f"# Audiences\nObjects below `{AUDIENCES_PREFIX}` and `{SUPPRESSIONS_PREFIX}` on their way to TikTok"
            ),
            queue_row(self.queue, things="objects"),
            row(Graph("Objects by outcome", outcomes), Graph("Rows", rows)),
            row(
                Graph("TikTok", tiktok),
                failure_graph(function, *self._metrics(Metric.UNEXPECTED_ERRORS)),
                duration_graph(function, things="objects"),
            ),
            *self.large_objects.dashboard_rows(),
        ]

    def _metrics(self, *metrics: Metric) -> tuple[aws_cloudwatch.IMetric, ...]:
        return tuple(connector_metric(metric, service=self._service) for metric in metrics)
