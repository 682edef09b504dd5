"""Stands in for Step Functions: runs the steps for a large object as the template's state machine does.

That the template's own definition does the same is tested where it runs, in the embedded AWS.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from lambdas.audiences.large_objects.handler import PartFailed, PartPostponed, PartRefused
from lambdas.contracts import Step
from test.support.clocks import FakeClock
from test.support.crashes import Killed

MOST_ATTEMPTS = 3
_POSTPONEMENTS = 100


@dataclass
class Execution:
    """What was started."""

    input: dict[str, Any]
    status: str = "RUNNING"


@dataclass
class StateMachine:
    """``invoke`` calls the function; ``load`` reads the plan. Both are set by who puts it together."""

    clock: FakeClock
    load: Callable[[str], Any]
    invoke: Callable[[dict[str, Any]], dict[str, Any]]
    executions: dict[str, Execution] = field(default_factory=dict)

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> None:  # noqa: N803
        """Step Functions' call."""
        if name in self.executions:
            raise ClientError({"Error": {"Code": "ExecutionAlreadyExists"}}, "StartExecution")
        self.executions[name] = Execution(json.loads(input))

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        """Step Functions' call."""
        name = executionArn.rpartition(":")[2]
        if name not in self.executions:
            raise ClientError({"Error": {"Code": "ExecutionDoesNotExist"}}, "DescribeExecution")
        return {"status": self.executions[name].status}

    def run(self) -> None:
        """Run everything that was started to its end."""
        for execution in list(self.executions.values()):
            if execution.status == "RUNNING":
                execution.status = self._run(execution.input)

    def _run(self, given: dict[str, Any]) -> str:
        ranges = self.load(given["plan"])
        common = {"work": given["work"], "columns": given["columns"]}
        try:
            for each in ranges:
                self._task({**common, "step": Step.CHECK.value, "range": each})
            if not self._task({**common, "step": Step.JUDGE.value})["is_refused"]:
                for each in ranges:
                    self._task({**common, "step": Step.UPLOAD.value, "range": each})
        except (PartRefused, PartFailed, PartPostponed, Killed):
            return "FAILED"
        return "SUCCEEDED"

    def _task(self, event: dict[str, Any]) -> dict[str, Any]:
        attempts = postponements = 0
        while True:
            try:
                return self.invoke(event)
            except PartPostponed:
                postponements += 1
                if postponements == _POSTPONEMENTS:
                    raise
                self.clock.sleep(10)
            except (PartFailed, Killed):
                attempts += 1
                if attempts == MOST_ATTEMPTS:
                    raise
                self.clock.sleep(15 * 2**attempts)
