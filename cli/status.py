"""``status``: what waits, what failed and why, and what was delivered last."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from cli.aws import Aws, pass_aws
from cli.dead_letters import DeadLetter, DeadLetterQueue, Hold
from cli.letter_table import letter_table
from cli.receipts import ReceiptSummary, newest_receipts
from cli.routes import ROUTES, SWITCHES, Route
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


@dataclass(frozen=True)
class _RouteState:
    """Both queues of a route, and the dead letters, oldest first."""

    queue: _Depth
    dead_letter_queue: _Depth
    letters: tuple[DeadLetter, ...]


@dataclass(frozen=True)
class _State:
    """Everything that is shown. ``now`` is in seconds since the epoch."""

    stack: str
    routes: dict[str, _RouteState]
    receipts: Sequence[ReceiptSummary]
    now: float

    @property
    def letters(self) -> list[DeadLetter]:
        """Those of all routes."""
        return [letter for state in self.routes.values() for letter in state.letters]

    @property
    def switched_off(self) -> list[str]:
        """The routes that are not there."""
        return [name for name in ROUTES if name not in self.routes]


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

    Of audience files, files of events and live events, unless their pipeline is switched off. Looking changes nothing:
    dead letters are out of others' sight only while they are read. Nothing of a live event is shown but its reason.

    \b
    Example:
      tiktok-connector status --receipts 3
    """
    stack = find_stack(aws.client("cloudformation"), stack_name)
    # Before the dead letters are read, which makes them "in flight" for a moment.
    depths = [_depths(aws, route) for route in stack.routes]
    holds = [
        DeadLetterQueue(aws.client("sqs"), route, poll_seconds=aws.poll_seconds).hold(_HOLD_SECONDS)
        for route in stack.routes
    ]
    # At once, because each takes some seconds of waiting for messages that may not be there.
    with ThreadPoolExecutor(max(len(holds), 1)) as threads:
        list(threads.map(_read, holds))
    now = time.time()
    routes = {
        route.name: _RouteState(queue, _with_age(dead, hold.letters, now), hold.letters)
        for route, (queue, dead), hold in zip(stack.routes, depths, holds, strict=True)
    }
    state = _State(stack.name, routes, newest_receipts(aws.client("s3"), stack.bucket, most_receipts), now)
    if as_json:
        click.echo(json.dumps(_document(state), indent=2))
    else:
        _show(state)
        if most_receipts and not state.receipts:
            click.echo("No receipts.")
    _tell_of_holds(holds)


def _read(hold: Hold) -> None:
    with hold:
        pass


def _tell_of_holds(holds: Sequence[Hold]) -> None:
    if not all(hold.is_complete for hold in holds):
        click.echo("A dead-letter queue holds more than SQS gives at once: not all of it is shown.", err=True)
    stay_hidden = sum(hold.stay_hidden for hold in holds)
    if stay_hidden:
        click.echo(
            f"{count(stay_hidden, 'dead letter')} could not be made visible again at once; "
            f"that happens by itself within {age(_HOLD_SECONDS)}.",
            err=True,
        )


def _depths(aws: Aws, route: Route) -> tuple[_Depth, _Depth]:
    """Of the queue, and of the dead-letter queue."""
    sqs = aws.client("sqs")
    queue = _depth(sqs, route.queue_url, _oldest_age(aws, route.queue_url))
    return queue, _depth(sqs, route.dead_letter_queue_url, None)


def _with_age(depth: _Depth, letters: Sequence[DeadLetter], now: float) -> _Depth:
    return replace(depth, oldest_age_seconds=_age(letters[0], now)) if letters else depth


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


def _document(state: _State) -> dict[str, Any]:
    return {
        "stack": state.stack,
        "queues": {name: _queues(state.routes[name]) if name in state.routes else None for name in ROUTES},
        "dead_letters": [
            {
                "queue": letter.queue,
                "message_id": letter.message_id,
                "reason": letter.reason,
                "detail": letter.detail,
                "key": letter.key,
                "sent_at": timestamp(letter.sent_at),
                "age_seconds": _age(letter, state.now),
            }
            for letter in state.letters
        ],
        "receipts": [asdict(receipt) for receipt in state.receipts],
    }


def _queues(state: _RouteState) -> dict[str, Any]:
    return {"queue": asdict(state.queue), "dead_letter_queue": asdict(state.dead_letter_queue)}


def _show(state: _State) -> None:
    screen = console()
    depths = [
        (shown, depth.visible, depth.in_flight, depth.delayed, age(depth.oldest_age_seconds))
        for name, route in state.routes.items()
        for shown, depth in ((name, route.queue), (f"{name}: dead letters", route.dead_letter_queue))
    ]
    screen.print(table(state.stack, ("Queue", "Visible", "In flight", "Delayed", "Oldest"), depths))
    if state.switched_off:
        switches = ", ".join(dict.fromkeys(SWITCHES[name] for name in state.switched_off))
        screen.print(f"Switched off: {', '.join(state.switched_off)} ({switches} in cdk.context.json).\n")
    letters = state.letters
    if letters:
        screen.print(letter_table(count(len(letters), "dead letter"), letters[:_SHOWN], state.now))
        if len(letters) > _SHOWN:
            screen.print(f"and {len(letters) - _SHOWN:,} more: --json shows all.")
    if state.receipts:
        columns = ("Status", "Of", "Action", "Sent", "Invalid", "Refused", "Finished at", "Receipt")
        title = f"Last {count(len(state.receipts), 'receipt')}"
        screen.print(table(title, columns, [_row(each) for each in state.receipts]))


def _row(receipt: ReceiptSummary) -> tuple[object, ...]:
    outcome = f"{receipt.status}: {receipt.reason}" if receipt.reason else receipt.status
    if receipt.events_sent is None:
        about: tuple[object, ...] = (receipt.audience, receipt.action, receipt.rows_sent, receipt.rows_invalid, None)
    else:
        event_source = f"{receipt.source}/{receipt.event_source}" if receipt.source else None
        about = (event_source, None, receipt.events_sent, receipt.events_invalid, receipt.events_refused)
    return (outcome, *about, receipt.finished_at, receipt.key)
