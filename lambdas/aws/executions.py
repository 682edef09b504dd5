"""Executions of a state machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambdas.aws.failures import aws_failures, error_code
from lambdas.executions import ExecutionStatus

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class StepFunctionsExecutions:
    """Executions by their names, which AWS remembers for 90 days after their end (StartExecution, API reference)."""

    def __init__(self, client: SFNClient, *, state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn
        self._executions_arn = state_machine_arn.replace(":stateMachine:", ":execution:")

    def start(self, name: str, document: Mapping[str, Any]) -> None:
        """Start an execution; one of this name that was started before is left alone.

        Raises RetryableError or FatalError.
        """
        with aws_failures("starting the preparation of a large object"):
            try:
                self._client.start_execution(
                    stateMachineArn=self._state_machine_arn, name=name, input=json.dumps(document, sort_keys=True)
                )
            except ClientError as error:
                if error_code(error) != "ExecutionAlreadyExists":
                    raise

    def find(self, name: str) -> ExecutionStatus | None:
        """The status of an execution, or None when there is none of this name. Raises RetryableError or FatalError."""
        with aws_failures("looking for the preparation of a large object"):
            try:
                answer = self._client.describe_execution(executionArn=f"{self._executions_arn}:{name}")
            except ClientError as error:
                if error_code(error) == "ExecutionDoesNotExist":
                    return None
                raise
        return ExecutionStatus(answer["status"])
