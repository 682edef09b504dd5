"""The rule that puts a notification of every new object below some prefixes on a queue."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, aws_events, aws_s3
from constructs import Construct

from stacks.parts.queue_with_dead_letters import QueueWithDeadLetters


class ObjectCreatedRule(Construct):
    """S3's "Object Created" below any of `prefixes`, to the queue; what cannot be delivered, to its dead-letter queue.

    The native resource instead of `targets.SqsQueue`: for an encrypted queue the latter admits every rule of the
    account and adds more rights on the key than EventBridge needs. The stack grants this one rule what it needs.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        bucket: aws_s3.IBucket,
        prefixes: Sequence[str],
        queue: QueueWithDeadLetters,
    ) -> None:
        super().__init__(scope, construct_id)
        rule = aws_events.CfnRule(
            self,
            "Rule",
            description=f"New objects below {' and '.join(prefixes)}, to be delivered to TikTok",
            event_pattern={
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {
                    "bucket": {"name": [bucket.bucket_name]},
                    "object": {"key": [{"prefix": prefix} for prefix in prefixes]},
                },
            },
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
