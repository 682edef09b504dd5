"""The whole connector: what there is, and who may do what with it."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import ArnFormat, Aws, CfnOutput, CfnParameter, Stack, aws_cloudwatch, aws_iam, aws_lambda
from constructs import Construct

from lambdas.contracts import (
    AUDIENCES_PREFIX,
    PLANS_PREFIX,
    RECEIPTS_PREFIX,
    STATUS_FILE,
    SUPPRESSION_LIST_PREFIX,
    SUPPRESSIONS_PREFIX,
    TIKTOK_API_URL,
    TIKTOK_API_URL_PARAMETER,
    Output,
)
from stacks.audience_watch import AudienceWatch
from stacks.audiences import AudiencesPipeline
from stacks.foundation import Foundation
from stacks.large_objects import LargeObjects
from stacks.parts.acknowledgement import acknowledge_wildcard
from stacks.parts.connection_alarms import ConnectionAlarms
from stacks.parts.connector_function import ConnectorFunction
from stacks.parts.object_created_rule import ObjectCreatedRule
from stacks.parts.queue_with_dead_letters import QueueWithDeadLetters
from stacks.settings import Settings

_TRACING = [
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
]


class ConnectorStack(Stack):
    """One stack, so that a bare `cdk deploy` installs everything; one construct per pipeline."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, lambda_asset: Path) -> None:
        super().__init__(
            scope,
            construct_id,
            stack_name=settings.stack_name,
            description="TikTok Ads connector: delivers audiences from S3 to TikTok",
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
        self._put_out(Output.BUCKET, foundation.bucket.bucket_name, "Where audience files are uploaded")
        self._put_out(Output.KEY, foundation.key.key_arn, "What everything is encrypted with")
        self._put_out(Output.SECRET_ID, settings.cred_secret_name, "Where the access token has to be put")
        self._put_out(Output.LEDGER_TABLE, foundation.ledger.table_name, "What has been delivered")
        self._put_out(Output.ALARM_TOPIC, foundation.alarm_topic.topic_arn, "Subscribe here to be warned")

        # Switching a pipeline off removes its queues, and with them whatever still waits there.
        if settings.audiences_enabled:
            code = aws_lambda.Code.from_asset(str(lambda_asset))
            audiences = AudiencesPipeline(
                self,
                "Audiences",
                settings=settings,
                foundation=foundation,
                code=code,
                tiktok_api_url=tiktok_api_url,
            )
            self._let_rule_fill_queue(foundation, audiences.rule, audiences.queue)
            self._let_activation_deliver(foundation, audiences)
            self._let_large_objects_be_prepared(foundation, audiences.large_objects)
            ConnectionAlarms(self, "ConnectionAlarms", topic=foundation.alarm_topic)
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
                self._let_watch_look(foundation, watch)
                rows += watch.dashboard_rows()
                self._put_out(Output.WATCH_FUNCTION, watch.watch.function.function_name, "Looks at the audiences")
            dashboard = aws_cloudwatch.Dashboard(self, "Dashboard", widgets=rows)
            self._put_out(Output.QUEUE_URL, audiences.queue.queue.queue_url, "Uploads that wait")
            self._put_out(Output.DEAD_LETTER_QUEUE_URL, audiences.queue.dead_letters.queue_url, "Uploads that failed")
            self._put_out(Output.ACTIVATION_FUNCTION, audiences.activation.function.function_name, "Delivers uploads")
            self._put_out(Output.STATE_MACHINE, audiences.large_objects.machine_arn, "Prepares large uploads")
            self._put_out(Output.DASHBOARD, dashboard.dashboard_name, "All of it at a glance")

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
                    "ArnLike": {"aws:SourceArn": self._arn_here("cloudwatch", "alarm", "*")},
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
                    "ArnLike": {"kms:EncryptionContext:aws:logs:arn": self._arn_here("logs", "log-group", "*")}
                },
            )
        )

    def _let_rule_fill_queue(
        self, foundation: Foundation, rule: ObjectCreatedRule, queue: QueueWithDeadLetters
    ) -> None:
        events = aws_iam.ServicePrincipal("events.amazonaws.com")
        for target in (queue.queue, queue.dead_letters):
            target.add_to_resource_policy(
                aws_iam.PolicyStatement(
                    sid="NotificationsOfUploads",
                    principals=[events],
                    actions=["sqs:SendMessage"],
                    resources=[target.queue_arn],
                    conditions={"ArnEquals": {"aws:SourceArn": rule.rule_arn}},
                )
            )
        # Not the rule itself, which would be a circle: it needs the queue, and the queue needs the key.
        foundation.key.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid="RulesOnEncryptedQueues",
                principals=[events],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )

    def _let_activation_deliver(self, foundation: Foundation, audiences: AudiencesPipeline) -> None:
        bucket, function = foundation.bucket, audiences.activation
        for prefix in (AUDIENCES_PREFIX, SUPPRESSIONS_PREFIX):
            function.may(
                "s3:GetObject",
                "s3:GetObjectVersion",
                on=bucket.arn_for_objects(f"{prefix}*"),
                any_because="it reads whatever is uploaded below this prefix, and nothing else",
            )
        function.may(
            "s3:AbortMultipartUpload",
            # Its outdated parts go for good, by their versions: a delete marker would keep the identifiers.
            "s3:DeleteObjectVersion",
            "s3:GetObject",
            "s3:PutObject",
            on=bucket.arn_for_objects(f"{SUPPRESSION_LIST_PREFIX}*"),
            any_because="it keeps the suppression list below this prefix, whose parts get new names with every change",
        )
        # Without it a missing object answers 403, which looks like a right that is missing. No condition on the prefix:
        # a read has no prefix, so the condition would never hold. Of the versions, it lists the suppression list's.
        function.may("s3:ListBucket", "s3:ListBucketVersions", on=bucket.bucket_arn)
        function.may(
            "s3:PutObject",
            on=bucket.arn_for_objects(f"{RECEIPTS_PREFIX}*"),
            any_because="it writes one receipt per upload below this prefix, and nothing else",
        )
        self._let_function_remember(foundation, function)
        # Receiving and deleting is what the event source does, with the rights of the function.
        function.may(
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
            "sqs:SendMessage",  # what has to wait is put back with a delay
            on=audiences.queue.queue.queue_arn,
        )
        function.may("sqs:SendMessage", on=audiences.queue.dead_letters.queue_arn)
        function.may(
            "s3:PutObject",
            on=bucket.arn_for_objects(f"{PLANS_PREFIX}*"),
            any_because="it writes below this prefix how a large object is cut, and nothing else",
        )
        function.may("states:StartExecution", on=audiences.large_objects.machine_arn)
        function.may(
            "states:DescribeExecution",
            on=self._executions_of(audiences.large_objects),
            any_because="an execution's name is made from the object that it prepares",
        )
        function.may("events:PutEvents", on=self._default_bus_arn)

    def _let_function_remember(self, foundation: Foundation, function: ConnectorFunction) -> None:
        """What every function needs: the key, the ledger, the credentials."""
        function.may("kms:Decrypt", "kms:GenerateDataKey", on=foundation.key.key_arn)
        # Documents are read by the conditional updates that claim them; what nobody changes is only read.
        function.may("dynamodb:GetItem", "dynamodb:UpdateItem", on=foundation.ledger.table_arn)
        function.may("secretsmanager:GetSecretValue", on=foundation.secret_arn)

    def _let_large_objects_be_prepared(self, foundation: Foundation, large_objects: LargeObjects) -> None:
        bucket, function = foundation.bucket, large_objects.parts
        function.may(
            "s3:GetObject",
            "s3:GetObjectVersion",
            on=bucket.arn_for_objects(f"{AUDIENCES_PREFIX}*"),
            any_because="it reads whatever is uploaded below this prefix, and nothing else",
        )
        function.may(
            "s3:GetObject",
            on=bucket.arn_for_objects(f"{SUPPRESSION_LIST_PREFIX}*"),
            any_because="it reads the suppression list, whose parts get new names with every change",
        )
        function.may("s3:ListBucket", on=bucket.bucket_arn)
        self._let_function_remember(foundation, function)

        machine = large_objects.machine_arn
        for actions, resource, any_because in (
            (["lambda:InvokeFunction"], function.function.function_arn, ""),
            (["s3:GetObject"], bucket.arn_for_objects(f"{PLANS_PREFIX}*"), "it reads how large objects are cut"),
            (["kms:Decrypt", "kms:GenerateDataKey"], foundation.key.key_arn, ""),
            # A Distributed Map runs each of its items as an execution.
            (["states:StartExecution"], machine, ""),
            (
                ["states:DescribeExecution", "states:StopExecution"],
                self._executions_of(large_objects),
                "Step Functions itself names the executions of the ranges",
            ),
            (_TRACING, "*", "X-Ray, which takes the traces, has no resource to name"),
        ):
            large_objects.role.add_to_policy(aws_iam.PolicyStatement(actions=actions, resources=[resource]))
            if any_because:
                acknowledge_wildcard(large_objects.role, resource, any_because)

    def _let_watch_look(self, foundation: Foundation, watch: AudienceWatch) -> None:
        bucket, function = foundation.bucket, watch.watch
        function.may(
            "s3:GetObject",
            "s3:PutObject",
            "s3:PutObjectTagging",
            on=bucket.arn_for_objects(f"{RECEIPTS_PREFIX}{AUDIENCES_PREFIX}*/{STATUS_FILE}"),
            any_because="it keeps one file for each audience, beside the receipts, and touches nothing else",
        )
        # Or S3 would not tell it that a file is not there yet.
        function.may("s3:ListBucket", on=bucket.bucket_arn)
        self._let_function_remember(foundation, function)
        function.may("events:PutEvents", on=self._default_bus_arn)

    def _executions_of(self, large_objects: LargeObjects) -> str:
        """Every execution for a large object."""
        return self._arn_here("states", "execution", f"{large_objects.machine.attr_name}:*")

    @property
    def _default_bus_arn(self) -> str:
        return self.format_arn(service="events", resource="event-bus", resource_name="default")

    def _arn_here(self, service: str, resource: str, name: str) -> str:
        return self.format_arn(
            service=service, resource=resource, resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )

    def _put_out(self, output: Output, value: str, description: str) -> None:
        CfnOutput(self, output.value, value=value, description=description)
