"""What every function does with a message that announces an object in S3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambdas.aws.notifications import parse_notification
from lambdas.aws.queue_consumer import QueueConsumer, is_confirmed
from lambdas.aws.records import Record
from lambdas.composition import guarded
from lambdas.objects import ObjectVersion
from lambdas.observability import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# A message stays hidden for this long after the function's own time-out, so that no two work on it at once.
_HOLD_MARGIN_SECONDS = 30


@dataclass(frozen=True)
class Call:
    """One invocation for one message.

    ``owner`` names it; ``seconds_left`` says how long it may go on; ``is_confirmed``, that somebody has confirmed what
    is held otherwise.
    """

    owner: str
    seconds_left: Callable[[], float]
    is_confirmed: bool


@dataclass(frozen=True)
class ObjectMessages:
    """The messages of one queue, which announce objects of one bucket."""

    consumer: QueueConsumer
    bucket: str

    def process(
        self,
        record: Record,
        context: LambdaContext,
        deliver: Callable[[ObjectVersion, Call], None],
        last_error: Callable[[ObjectVersion, str], str],
    ) -> None:
        """Process one message. Raises RecordFailedError when it is to be tried again.

        ``last_error`` tells what the last attempt at an object could report; it takes the object and an owner.
        """

        def seconds_left() -> float:
            return context.get_remaining_time_in_millis() / 1000

        def process() -> None:
            self.consumer.hold(record, seconds_left() + _HOLD_MARGIN_SECONDS)
            version = self._announced(record)
            logger.append_keys(object_key=version.key, version_id=version.version_id)
            owner = f"{context.aws_request_id}/{record.message_id}"
            with guarded():
                deliver(version, Call(owner, seconds_left, is_confirmed(record)))

        def last_words() -> str:
            return last_error(self._announced(record), context.aws_request_id)

        self.consumer.consume(record, process, last_words=last_words)

    def _announced(self, record: Record) -> ObjectVersion:
        return parse_notification(record.body, bucket=self.bucket)
