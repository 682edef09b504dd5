"""What prepares objects that one function cannot handle: a state machine that gives each range of them to a function.

CheckRanges → Judge → UploadRanges. Its executions are started and followed by the activation function, which delivers
the object once all parts are there, and buries the message if an execution fails: whatever becomes of one, nothing is
lost, so nothing is caught here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, Stack, aws_cloudwatch, aws_iam, aws_lambda, aws_stepfunctions
from constructs import Construct

from lambdas.contracts import PART_FAILED, PART_HANDLER, PART_POSTPONED, PART_REFUSED, Step
from stacks.foundation import Foundation
from stacks.parts.acknowledgement import acknowledge
from stacks.parts.connector_function import ConnectorFunction
from stacks.parts.dashboard_row import Graph, heading, row
from stacks.settings import Settings

_TIMEOUT = Duration.minutes(15)
# As much as a delivery needs: a part at a time, and processor time to check it.
_MEMORY_SIZE_MIB = 1024
# For this long what was uploaded is used (lambdas.audiences.uploader).
_LONGEST_EXECUTION = Duration.hours(12)
# What Lambda itself fails with; AWS asks for these to be retried ("Handle transient Lambda service exceptions").
_OF_LAMBDA = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
]
_LONGEST_DELAY_SECONDS = 3600


class LargeObjects(Construct):
    """The function and the state machine. What the function may do is in the stack."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        foundation: Foundation,
        code: aws_lambda.Code,
        environment: Mapping[str, str],
        service: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self.parts = ConnectorFunction(
            self,
            "Parts",
            description="Checks and uploads ranges of large audience files",
            handler=PART_HANDLER,
            code=code,
            timeout=_TIMEOUT,
            memory_size_mib=_MEMORY_SIZE_MIB,
            key=foundation.key,
            environment=environment,
            service=service,
        )
        self.role = aws_iam.Role(self, "Role", assumed_by=aws_iam.ServicePrincipal("states.amazonaws.com"))
        self.machine = aws_stepfunctions.CfnStateMachine(
            self,
            "Preparation",
            role_arn=self.role.role_arn,
            state_machine_type="STANDARD",
            definition_string=Stack.of(self).to_json_string(
                _definition(
                    self.parts.function.function_arn, foundation.bucket.bucket_name, self._retry(settings), settings
                )
            ),
            tracing_configuration=aws_stepfunctions.CfnStateMachine.TracingConfigurationProperty(enabled=True),
            encryption_configuration=aws_stepfunctions.CfnStateMachine.EncryptionConfigurationProperty(
                type="CUSTOMER_MANAGED_KMS_KEY", kms_key_id=foundation.key.key_arn
            ),
        )
        acknowledge(
            self.machine,
            "AwsSolutions-SF1",
            "Every step is a function that logs what it does, and Step Functions keeps each history for 90 days; to "
            "write logs of its own, the machine would need rights on every log group of the account",
        )

    @property
    def machine_arn(self) -> str:
        """Of the state machine."""
        return self.machine.attr_arn

    def dashboard_rows(self) -> list[list[aws_cloudwatch.IWidget]]:
        """This part of the dashboard: what became of executions, and how the function does."""
        machine = {"StateMachineArn": self.machine_arn}
        executions = tuple(
            aws_cloudwatch.Metric(
                namespace="AWS/States", metric_name=name, dimensions_map=machine, statistic=aws_cloudwatch.Stats.SUM
            )
            for name in (
                "ExecutionsStarted",
                "ExecutionsSucceeded",
                "ExecutionsFailed",
                "ExecutionsTimedOut",
                "ExecutionsAborted",
            )
        )
        function = self.parts.function
        durations = (
            function.metric_duration(statistic="p50", label="half of the steps"),
            function.metric_duration(statistic=aws_cloudwatch.Stats.MAXIMUM, label="longest"),
        )
        return [
            heading("## Large objects\nPrepared in ranges, by many functions at once"),
            row(Graph("Preparations", executions), Graph("Steps: duration (ms)", durations)),
        ]

    @staticmethod
    def _retry(settings: Settings) -> list[dict[str, Any]]:
        return [
            {"ErrorEquals": [PART_REFUSED], "MaxAttempts": 0},
            # Until a function is certainly dead that holds the same range.
            {
                "ErrorEquals": [PART_POSTPONED],
                "IntervalSeconds": 10,
                "BackoffRate": 1,
                "MaxAttempts": 2 * _TIMEOUT.to_seconds() // 10,
            },
            {
                "ErrorEquals": _OF_LAMBDA,
                "IntervalSeconds": 2,
                "BackoffRate": 2,
                "MaxAttempts": 10,
                "MaxDelaySeconds": 60,
                "JitterStrategy": "FULL",
            },
            # With what the function dies of: its time-out, its memory.
            {
                "ErrorEquals": [PART_FAILED, "States.TaskFailed", "States.Timeout"],
                "IntervalSeconds": settings.retry_delay_seconds,
                "BackoffRate": 2,
                "MaxAttempts": settings.max_receive_count - 1,
                "MaxDelaySeconds": _LONGEST_DELAY_SECONDS,
                "JitterStrategy": "FULL",
            },
        ]


def _definition(function_arn: str, bucket: str, retry: list[dict[str, Any]], settings: Settings) -> dict[str, Any]:
    """The state machine in the Amazon States Language; its input is what ``distribution`` writes."""

    def task(payload: Any, **rest: Any) -> dict[str, Any]:
        return {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": function_arn, **payload},
            "TimeoutSeconds": _TIMEOUT.to_seconds() + 60,
            "Retry": retry,
            **rest,
        }

    def map_ranges(step: Step, **rest: Any) -> dict[str, Any]:
        name = f"{step.capitalize()}Range"
        return {
            "Type": "Map",
            "Label": f"{name}s",
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"InputType": "JSON"},
                "Parameters": {"Bucket": bucket, "Key.$": "$.plan"},
            },
            "ItemSelector": {
                "step": step.value,
                "work.$": "$.work",
                "columns.$": "$.columns",
                "range.$": "$$.Map.Item.Value",
            },
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": name,
                # What was found is in the ledger; what thousands of ranges answer must stay below 256 KiB together.
                "States": {name: task({"Payload.$": "$"}, ResultSelector={"status.$": "$.StatusCode"}, End=True)},
            },
            "MaxConcurrency": settings.part_concurrency,
            "ToleratedFailurePercentage": 0,
            "ResultPath": f"$.{step.value}",
            **rest,
        }

    return {
        "Comment": "Prepares a large object for its delivery",
        "TimeoutSeconds": _LONGEST_EXECUTION.to_seconds(),
        "StartAt": "CheckRanges",
        "States": {
            "CheckRanges": map_ranges(Step.CHECK, Next="Judge"),
            "Judge": task(
                {"Payload": {"step": Step.JUDGE.value, "work.$": "$.work"}},
                ResultSelector={"is_refused.$": "$.Payload.is_refused"},
                ResultPath="$.judged",
                Next="IsRefused",
            ),
            "IsRefused": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.judged.is_refused", "BooleanEquals": True, "Next": "NothingIsUploaded"}],
                "Default": "UploadRanges",
            },
            "NothingIsUploaded": {"Type": "Succeed"},
            "UploadRanges": map_ranges(Step.UPLOAD, End=True),
        },
    }
