"""The whole connector: what there is, and who may do what with it."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import Aws, CfnOutput, CfnParameter, Stack, aws_cloudwatch, aws_iam, aws_lambda
from constructs import Construct

from lambdas.contracts import TIKTOK_API_URL, TIKTOK_API_URL_PARAMETER, Output
from stacks.audience_watch import AudienceWatch
from stacks.audiences import AudiencesPipeline
from stacks.events import EventsPipeline
from stacks.foundation import Foundation
from stacks.rights.audiences import let_activation_deliver, let_large_objects_be_prepared, let_watch_look
from stacks.rights.events import let_event_files_be_delivered, let_live_events_be_delivered
from stacks.rights.shared import arn_here, let_rule_fill_queue
from stacks.settings import Settings

_Rows = list[list[aws_cloudwatch.IWidget]]


class ConnectorStack(Stack):
    """One stack, so that a bare `cdk deploy` installs everything; one construct per pipeline."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, lambda_asset: Path) -> None:
        super().__init__(
            scope,
            construct_id,
            stack_name=settings.stack_name,
            description="TikTok Ads connector: delivers audiences and events to TikTok",
        )
        # The demo points it at the emulator; in the cloud only TLS will do, whoever deploys.
        tiktok_api_url = CfnParameter(
            self,
            TIKTOK_API_URL_PARAMETER,
            description="Where TikTok's API is",
            default=TIKTOK_API_URL,
            allowed_pattern=r"^(https://[A-Za-z0-9.-]+(:[0-9]{1,5})?|http://(127\.0\.0\.1|localhost):[0-9]{1,5})$",
            constraint_description="https://<host>, or http://127.0.0.1:<port> or http://localhost:<port>",
        ).value_as_string
        foundation = Foundation(self, "Foundation", settings=settings)
        self._let_alarms_notify(foundation)
        self._let_logs_be_encrypted(foundation)
        self._put_out(Output.BUCKET, foundation.bucket.bucket_name, "Where files are uploaded")
        self._put_out(Output.KEY, foundation.key.key_arn, "What everything is encrypted with")
        self._put_out(Output.SECRET_ID, settings.cred_secret_name, "Where the access token has to be put")
        self._put_out(Output.LEDGER_TABLE, foundation.ledger.table_name, "What has been delivered")
        self._put_out(Output.ALARM_TOPIC, foundation.alarm_topic.topic_arn, "Subscribe here to be warned")

        # Switching a pipeline off removes its queues, and with them whatever still waits there.
        if settings.audiences_enabled or settings.events_enabled:
            self._let_rules_use_the_key(foundation)
            code = aws_lambda.Code.from_asset(str(lambda_asset))
            rows: _Rows = []
            if settings.audiences_enabled:
                rows += self._audiences(settings, foundation, code, tiktok_api_url)
            if settings.events_enabled:
                rows += self._events(settings, foundation, code, tiktok_api_url)
            dashboard = aws_cloudwatch.Dashboard(self, "Dashboard", widgets=rows)
            self._put_out(Output.DASHBOARD, dashboard.dashboard_name, "All of it at a glance")

    def _audiences(
        self, settings: Settings, foundation: Foundation, code: aws_lambda.Code, tiktok_api_url: str
    ) -> _Rows:
        """The audiences pipeline and the watch; returns their part of the dashboard."""
        audiences = AudiencesPipeline(
            self, "Audiences", settings=settings, foundation=foundation, code=code, tiktok_api_url=tiktok_api_url
        )
        let_rule_fill_queue(audiences.rule, audiences.queue)
        let_activation_deliver(audiences, foundation)
        let_large_objects_be_prepared(audiences.large_objects, foundation)
        self._put_out(Output.QUEUE_URL, audiences.queue.queue.queue_url, "Audience files that wait")
        self._put_out(
            Output.DEAD_LETTER_QUEUE_URL, audiences.queue.dead_letters.queue_url, "Audience files that failed"
        )
        self._put_out(
            Output.ACTIVATION_FUNCTION, audiences.activation.function.function_name, "Delivers audience files"
        )
        self._put_out(Output.STATE_MACHINE, audiences.large_objects.machine_arn, "Prepares large audience files")
        rows = audiences.dashboard_rows()
        if settings.audience_watch_enabled:
            watch = AudienceWatch(
                self,
                "AudienceWatch",
                settings=settings,
                foundation=foundation,
                code=code,
                tiktok_api_url=tiktok_api_url,
            )
            let_watch_look(watch, foundation)
            self._put_out(Output.WATCH_FUNCTION, watch.watch.function.function_name, "Looks at the audiences")
            rows += watch.dashboard_rows()
        return rows

    def _events(self, settings: Settings, foundation: Foundation, code: aws_lambda.Code, tiktok_api_url: str) -> _Rows:
        """The events pipeline; returns its part of the dashboard."""
        events = EventsPipeline(
            self, "Events", settings=settings, foundation=foundation, code=code, tiktok_api_url=tiktok_api_url
        )
        let_rule_fill_queue(events.uploaded, events.files.queue)
        if events.published:
            let_rule_fill_queue(events.published, events.live.queue)
        let_event_files_be_delivered(events, foundation)
        let_live_events_be_delivered(events, foundation)
        files, live = events.files, events.live
        self._put_out(Output.EVENT_QUEUE_URL, files.queue.queue.queue_url, "Files of events that wait")
        self._put_out(
            Output.EVENT_DEAD_LETTER_QUEUE_URL, files.queue.dead_letters.queue_url, "Files of events that failed"
        )
        self._put_out(Output.EVENT_FUNCTION, files.delivery.function.function_name, "Delivers files of events")
        self._put_out(Output.LIVE_EVENT_QUEUE_URL, live.queue.queue.queue_url, "Where applications send live events")
        self._put_out(
            Output.LIVE_EVENT_DEAD_LETTER_QUEUE_URL, live.queue.dead_letters.queue_url, "Live events that failed"
        )
        self._put_out(Output.LIVE_EVENT_FUNCTION, live.delivery.function.function_name, "Delivers live events")
        return events.dashboard_rows()

    def _let_alarms_notify(self, foundation: Foundation) -> None:
        topic = foundation.alarm_topic
        alarms = aws_iam.ServicePrincipal("cloudwatch.amazonaws.com")
        topic.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[alarms],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": self.account},
                    "ArnLike": {"aws:SourceArn": arn_here(self, "cloudwatch", "alarm", "*")},
                },
            )
        )
        # Without a condition, as AWS documents it: a condition that the call does not fill would silence every alarm.
        # The topic's own policy, above, keeps the alarms of other accounts out.
        foundation.key.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid="AlarmsOnTheEncryptedTopic",
                principals=[alarms],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
            )
        )

    def _let_logs_be_encrypted(self, foundation: Foundation) -> None:
        foundation.key.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid="EncryptedLogGroups",
                principals=[aws_iam.ServicePrincipal(f"logs.{Aws.REGION}.{Aws.URL_SUFFIX}")],
                actions=[
                    "kms:Decrypt",
                    "kms:DescribeKey",
                    "kms:Encrypt",
                    "kms:GenerateDataKey",
                    "kms:GenerateDataKeyWithoutPlaintext",
                    "kms:ReEncryptFrom",
                    "kms:ReEncryptTo",
                ],
                resources=["*"],
                # Our log groups by name would be a circle: they need the key before they can exist.
                conditions={
                    "ArnLike": {"kms:EncryptionContext:aws:logs:arn": arn_here(self, "logs", "log-group", "*")}
                },
            )
        )

    def _let_rules_use_the_key(self, foundation: Foundation) -> None:
        # Not the rules by name, which would be a circle: a rule needs its queue, and the queue needs the key.
        foundation.key.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid="RulesOnEncryptedQueues",
                principals=[aws_iam.ServicePrincipal("events.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )

    def _put_out(self, output: Output, value: str, description: str) -> None:
        CfnOutput(self, output.value, value=value, description=description)
