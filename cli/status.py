"""``status``: what waits, what failed and why, and what was delivered last."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from cli.aws import Aws, pass_aws
from cli.dead_letters import DeadLetter, DeadLetterQueue
from cli.receipts import ReceiptSummary, newest_receipts
from cli.stack import find_stack, stack_option
from cli.terminal import age, console, count, table
from lambdas.receipts import timestamp

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# Long enough to read the whole queue; should the command be killed, everything is back this soon.
_HOLD_SECONDS = 120
_SHOWN = 100
_METRIC_WINDOW = timedelta(minutes=15)


@dataclass(frozen=True)
class _Depth:
    """How many messages a queue holds, by SQS's approximate count. ``oldest_age_seconds`` is None when unknown."""

    visible: int
    in_flight: int
    delayed: int
    oldest_age_seconds: int | None


@click.command(short_help="Show queues, dead letters and the last receipts.")
@click.option(
    "--receipts",
    "most_receipts",
    type=click.IntRange(0, 1000),
    default=10,
    show_default=True,
    help="How many of the newest receipts.",
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@stack_option
@pass_aws
def status(aws: Aws, most_receipts: int, as_json: bool, stack_name: str) -> None:
    """Show what waits in the queues, what failed and why, and the last receipts.

    Looking changes nothing: dead letters are out of others' sight only while they are read.

    \b
    Example:
      tiktok-connector status --receipts 3
    """
    stack = find_stack(aws.client("cloudformation"), stack_name)
    sqs = aws.client("sqs")
    # Before the dead letters are read, which makes them "in flight" for a moment.
    queue = _depth(sqs, stack.queue_url, _oldest_age(aws, stack.queue_url))
    dead = _depth(sqs, stack.dead_letter_queue_url, None)
    hold = DeadLetterQueue(sqs, stack.dead_letter_queue_url, poll_seconds=aws.poll_seconds).hold(_HOLD_SECONDS)
    with hold:
        letters = hold.letters
    now = time.time()
    if letters:
        dead = _Depth(dead.visible, dead.in_flight, dead.delayed, _age(letters[0], now))
    receipts = newest_receipts(aws.client("s3"), stack.bucket, most_receipts)
    if as_json:
        click.echo(json.dumps(_document(stack.name, queue, dead, letters, receipts, now), indent=2))
    else:
        _show(stack.name, queue, dead, letters, receipts, now)
        if most_receipts and not receipts:
            click.echo("No receipts.")
    if not hold.is_complete:
        click.echo("The dead-letter queue holds more than SQS gives at once: not all of it is shown.", err=True)
    if hold.stay_hidden:
        click.echo(
            f"{count(hold.stay_hidden, 'dead letter')} could not be made visible again at once; "
            f"that happens by itself within {age(hold.seconds)}.",
            err=True,
        )


def _depth(sqs: SQSClient, url: str, oldest_age_seconds: int | None) -> _Depth:
    attributes = sqs.get_queue_attributes(
        QueueUrl=url,
        AttributeNames=[
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ],
    )["Attributes"]
    return _Depth(
        visible=int(attributes["ApproximateNumberOfMessages"]),
        in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        delayed=int(attributes["ApproximateNumberOfMessagesDelayed"]),
        oldest_age_seconds=oldest_age_seconds,
    )


def _oldest_age(aws: Aws, queue_url: str) -> int | None:
    """CloudWatch's latest word on it; SQS itself does not tell, and to receive the messages would delay them."""
    now = datetime.now(UTC)
    try:
        answer = aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName="ApproximateAgeOfOldestMessage",
            Dimensions=[{"Name": "QueueName", "Value": queue_url.rsplit("/", 1)[-1]}],
            StartTime=now - _METRIC_WINDOW,
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )
    except (BotoCoreError, ClientError):
        # The rest is worth showing to someone who may not read metrics, and where there are none.
        return None
    points = sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])
    return int(points[-1]["Maximum"]) if points else None


def _age(letter: DeadLetter, now: float) -> int:
    return max(int(now - letter.sent_at), 0)


def _document(
    stack: str,
    queue: _Depth,
    dead: _Depth,
    letters: Sequence[DeadLetter],
    receipts: Sequence[ReceiptSummary],
    now: float,
) -> dict[str, Any]:
    return {
        "stack": stack,
        "queue": asdict(queue),
        "dead_letter_queue": asdict(dead),
        "dead_letters": [
            {
                "message_id": letter.message_id,
                "reason": letter.reason,
                "detail": letter.detail,
                "key": letter.key,
                "sent_at": timestamp(letter.sent_at),
                "age_seconds": _age(letter, now),
            }
            for letter in letters
        ],
        "receipts": [asdict(receipt) for receipt in receipts],
    }


def _show(
    stack: str,
    queue: _Depth,
    dead: _Depth,
    letters: Sequence[DeadLetter],
    receipts: Sequence[ReceiptSummary],
    now: float,
) -> None:
    screen = console()
    depths = [
        (name, depth.visible, depth.in_flight, depth.delayed, age(depth.oldest_age_seconds))
        for name, depth in (("uploads", queue), ("dead letters", dead))
    ]
    screen.print(table(stack, ("Queue", "Visible", "In flight", "Delayed", "Oldest"), depths))
    if letters:
        rows = [(letter.key, letter.reason, letter.detail, age(now - letter.sent_at)) for letter in letters[:_SHOWN]]
        screen.print(table(count(len(letters), "dead letter"), ("Key", "Reason", "Detail", "Age"), rows))
        if len(letters) > _SHOWN:
            screen.print(f"and {len(letters) - _SHOWN:,} more: --json shows all.")
    if receipts:
        columns = ("Status", "Audience", "Action", "Rows sent", "Invalid", "Finished at", "Receipt")
        screen.print(table(f"Last {count(len(receipts), 'receipt')}", columns, [_row(each) for each in receipts]))


def _row(receipt: ReceiptSummary) -> tuple[object, ...]:
    return (
        f"{receipt.status}: {receipt.reason}" if receipt.reason else receipt.status,
        receipt.audience,
        receipt.action,
        receipt.rows_sent,
        receipt.rows_invalid,
        receipt.finished_at,
        receipt.key,
    )
