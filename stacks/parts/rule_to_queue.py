"""A rule that puts what it matches on a queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, aws_events
from constructs import Construct

from stacks.parts.queue_with_dead_letters import QueueWithDeadLetters


class RuleToQueue(Construct):
    """What matches `event_pattern` on the default bus, to the queue; what the queue does not take, to its dead letters.

    The native resource instead of `targets.SqsQueue`: for an encrypted queue the latter admits every rule of the
    account and adds more rights on the key than EventBridge needs. The stack grants this one rule what it needs.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        description: str,
        event_pattern: Mapping[str, Any],
        queue: QueueWithDeadLetters,
    ) -> None:
        super().__init__(scope, construct_id)
        rule = aws_events.CfnRule(
            self,
            "Rule",
            description=description,
            event_pattern=event_pattern,
            targets=[
                aws_events.CfnRule.TargetProperty(
                    id="Queue",
                    arn=queue.queue.queue_arn,
                    # The longest and most that EventBridge offers.
                    retry_policy=aws_events.CfnRule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=Duration.hours(24).to_seconds(), maximum_retry_attempts=185
                    ),
                    dead_letter_config=aws_events.CfnRule.DeadLetterConfigProperty(arn=queue.dead_letters.queue_arn),
                )
            ],
        )
        self.rule_arn = rule.attr_arn
