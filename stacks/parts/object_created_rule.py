"""The rule that puts a notification of every new object below some prefixes on a queue."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_s3
from constructs import Construct

from stacks.parts.queue_with_dead_letters import QueueWithDeadLetters
from stacks.parts.rule_to_queue import RuleToQueue


class ObjectCreatedRule(RuleToQueue):
    """S3's "Object Created" below any of `prefixes`, to the queue."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        bucket: aws_s3.IBucket,
        prefixes: Sequence[str],
        queue: QueueWithDeadLetters,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            description=f"New objects below {' and '.join(prefixes)}, to be delivered to TikTok",
            event_pattern={
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {
                    "bucket": {"name": [bucket.bucket_name]},
                    "object": {"key": [{"prefix": prefix} for prefix in prefixes]},
                },
            },
            queue=queue,
        )
