"""How an execution of a state machine is doing. Pure."""

from __future__ import annotations

from enum import StrEnum


class ExecutionStatus(StrEnum):
    """Step Functions' own words (DescribeExecution, API reference)."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    ABORTED = "ABORTED"
    PENDING_REDRIVE = "PENDING_REDRIVE"
