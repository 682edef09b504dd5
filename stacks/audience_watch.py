"""The audience watch: once an hour a function looks at what TikTok made of the audiences."""

from __future__ import annotations

from aws_cdk import Duration, Stack, aws_cloudwatch, aws_iam, aws_lambda, aws_scheduler
from constructs import Construct

from lambdas.contracts import METRIC_NAMESPACE, WATCH_HANDLER, AudienceMetric, Env, Metric
from stacks.foundation import Foundation
from stacks.parts.connector_function import ConnectorFunction
from stacks.parts.connector_metric import connector_metric
from stacks.parts.dashboard_row import Graph, heading, row
from stacks.parts.runbook_alarm import RunbookAlarm
from stacks.settings import Settings

_EVERY_HOUR = "rate(1 hour)"
# For TikTok's largest number of audiences, of many advertisers, at the watch's share of the rate.
_TIMEOUT = Duration.minutes(15)
_MEMORY_SIZE_MIB = 512
# An error counts for when the function began: it comes up to 15 minutes late. What fails at each look rings once.
_ERRORS_PERIOD = Duration.hours(2)
# What fails is made up for by the next look; a retry only has to come before that. So there is nothing to keep.
_LONGEST_WAIT = Duration.minutes(30)
_ALARMS = (
    (
        Metric.AUDIENCES_FAILED,
        "TikTok says that an audience, or a change of one, failed; or it made one not valid for three days.",
        "audience-failed",
    ),
    (
        Metric.AUDIENCES_SHRUNK,
        "An audience lost a fifth of its people or more, and no file took them out.",
        "audience-shrank",
    ),
    (
        Metric.AUDIENCES_TOO_SMALL,
        "An audience has been below 1,000 people for three days: no ad can use it.",
        "audience-too-small",
    ),
    (Metric.AUDIENCES_EXPIRING, "An audience expires soon.", "audience-expires-soon"),
)


class AudienceWatch(Construct):
    """Schedule → function, with its alarms and its part of the dashboard. The function's rights are in the stack."""

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
        # That of the audiences pipeline.
        self._service = Stack.of(self).stack_name
        self.watch = ConnectorFunction(
            self,
            "Look",
            description="Looks at what TikTok made of the audiences",
            handler=WATCH_HANDLER,
            code=code,
            timeout=_TIMEOUT,
            memory_size_mib=_MEMORY_SIZE_MIB,
            key=foundation.key,
            environment={
                **foundation.environment(
                    settings, tiktok_api_url=tiktok_api_url, interval_seconds=settings.watch_interval_seconds
                ),
                Env.EXPIRY_WARNING_DAYS.value: str(settings.expiry_warning_days),
            },
            service=self._service,
        )
        self.watch.function.configure_async_invoke(max_event_age=_LONGEST_WAIT, retry_attempts=1)
        self._schedule()
        for metric, meaning, anchor in _ALARMS:
            RunbookAlarm(
                self,
                metric.value,
                metric=connector_metric(metric, service=self._service),
                threshold=0,
                meaning=meaning,
                runbook_anchor=anchor,
                topic=foundation.alarm_topic,
            )
        RunbookAlarm(
            self,
            "Errors",
            metric=self.watch.function.metric_errors(period=_ERRORS_PERIOD, statistic=aws_cloudwatch.Stats.SUM),
            threshold=0,
            meaning="The audience watch could not look at everything.",
            runbook_anchor="audience-watch-failed",
            topic=foundation.alarm_topic,
        )

    def _schedule(self) -> None:
        function = self.watch.function
        role = aws_iam.Role(
            self,
            "SchedulerRole",
            assumed_by=aws_iam.ServicePrincipal(
                "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
            ),
        )
        role.add_to_policy(
            aws_iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[function.function_arn])
        )
        schedule = aws_scheduler.CfnSchedule(
            self,
            "EveryHour",
            description="Has the audience watch look",
            schedule_expression=_EVERY_HOUR,
            flexible_time_window=aws_scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=aws_scheduler.CfnSchedule.TargetProperty(
                arn=function.function_arn,
                role_arn=role.role_arn,
                retry_policy=aws_scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=int(_LONGEST_WAIT.to_seconds()), maximum_retry_attempts=3
                ),
            ),
        )
        # Scheduler tries the role when the schedule is made.
        schedule.node.add_dependency(role)

    def dashboard_rows(self) -> list[list[aws_cloudwatch.IWidget]]:
        """This part of the dashboard: what was noticed, how large the audiences are, how the function does."""
        function = self.watch.function
        return [
            heading("# Audiences at TikTok\nWhat TikTok made of the files, by an hourly look"),
            row(
                Graph(
                    "Audiences that need somebody",
                    tuple(connector_metric(each, service=self._service) for each, *_ in _ALARMS),
                ),
                Graph("People matched", (self._each_audience(AudienceMetric.SIZE),)),
                Graph("Matched share of the rows", (self._each_audience(AudienceMetric.MATCHED_SHARE),)),
            ),
            row(
                Graph("Watch: invocations", (function.metric_invocations(), function.metric_errors())),
                Graph("Watch: duration (ms)", (function.metric_duration(statistic=aws_cloudwatch.Stats.MAXIMUM),)),
            ),
        ]

    def _each_audience(self, metric: AudienceMetric) -> aws_cloudwatch.IMetric:
        """A line for each audience that was measured lately."""
        dimensions = f"{{{METRIC_NAMESPACE},advertiser,audience,service}}"
        filters = f'MetricName="{metric}" service="{self._service}"'
        return aws_cloudwatch.SearchExpression(
            expression=f"SEARCH('{dimensions} {filters}', 'Maximum', 3600)", period=Duration.hours(1)
        )
