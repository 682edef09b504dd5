"""A queue that can lose nothing: what fails for good waits in a second queue."""

from __future__ import annotations

from aws_cdk import Duration, aws_kms, aws_sqs
from constructs import Construct

from lambdas.contracts import Env
from stacks.settings import Settings

# The longest that SQS keeps a message, so that nobody's holiday costs one.
_DEAD_LETTER_RETENTION = Duration.days(14)
# Shorter, because a message that SQS itself moves keeps its age, and needs time left in the dead-letter queue.
_RETENTION = Duration.days(10)
# AWS asks for six times the function's timeout, and the time in which a batch is gathered, so that a message is not
# handed out twice while throttled.
_VISIBILITY_PER_TIMEOUT = 6
# The function itself sends a message to the dead-letter queue, with its reason, after the configured number of
# receives. The queue's own redrive is only the net below it, for a function that dies before it can: hence a bit later.
_RECEIVES_BEFORE_NET = 2


class QueueWithDeadLetters(Construct):
    """A queue and its dead-letter queue: encrypted with our key, TLS only, long memory."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        key: aws_kms.IKey,
        consumer_timeout: Duration,
        max_receive_count: int,
        batching_window: Duration | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        hidden_seconds = consumer_timeout.to_seconds() * _VISIBILITY_PER_TIMEOUT
        if batching_window:
            hidden_seconds += batching_window.to_seconds()
        self.dead_letters = aws_sqs.Queue(
            self,
            "DeadLetters",
            encryption=aws_sqs.QueueEncryption.KMS,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=_DEAD_LETTER_RETENTION,
        )
        self.queue = aws_sqs.Queue(
            self,
            "Queue",
            encryption=aws_sqs.QueueEncryption.KMS,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=_RETENTION,
            visibility_timeout=Duration.seconds(hidden_seconds),
            dead_letter_queue=aws_sqs.DeadLetterQueue(
                queue=self.dead_letters, max_receive_count=max_receive_count + _RECEIVES_BEFORE_NET
            ),
        )

    def environment(self, settings: Settings) -> dict[str, str]:
        """What a function reads to which the queue's messages come."""
        return {
            Env.QUEUE_URL.value: self.queue.queue_url,
            Env.DEAD_LETTER_QUEUE_URL.value: self.dead_letters.queue_url,
            Env.MAX_RECEIVE_COUNT.value: str(settings.max_receive_count),
            Env.RETRY_DELAY_SECONDS.value: str(settings.retry_delay_seconds),
            Env.THREAD_COUNT.value: str(settings.thread_count),
        }
