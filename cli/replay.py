"""``replay``: gives dead letters another try."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import click

from cli.aws import Aws, pass_aws
from cli.dead_letters import DeadLetter, DeadLetterQueue, Hold, Outcome, Selection
from cli.stack import find_stack, stack_option
from cli.terminal import age, console, count, printable, table

# Time to read the table, and to think about it.
HOLD_SECONDS = 900
_SHOWN = 100


@click.command(short_help="Move dead letters back to their queue.")
@click.option(
    "--reason", "reasons", multiple=True, metavar="REASON", help="Only messages with this reason. Repeatable."
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY",
    help="Only messages about this S3 key, or about keys that begin so: 'tiktok/loyal/*'. Repeatable.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@stack_option
@pass_aws
def replay(aws: Aws, reasons: tuple[str, ...], keys: tuple[str, ...], yes: bool, stack_name: str) -> None:
    """Move messages from the dead-letter queue back to the queue they came from.

    Mend the cause first: 'status' shows it. What was delivered before is not delivered again.

    Exit status: 0 when everything chosen was moved, or nothing was chosen; 1 otherwise.

    \b
    Example:
      tiktok-connector replay --reason token_rejected --key 'tiktok/loyal/*'
    """
    stack = find_stack(aws.client("cloudformation"), stack_name)
    queue = DeadLetterQueue(aws.client("sqs"), stack.dead_letter_queue_url, poll_seconds=aws.poll_seconds)
    hold = queue.hold(HOLD_SECONDS)
    outcome: Outcome | None = None
    try:
        with hold:
            selection = Selection(reasons, keys)
            chosen = [letter for letter in hold.letters if selection.has(letter)]
            if not hold.is_complete:
                click.echo("The dead-letter queue is longer than SQS gives at once: run this again after it.", err=True)
            if not chosen:
                click.echo(_nothing_chosen(hold.letters))
                return
            _show(chosen, len(hold.letters) - len(chosen))
            if not yes and not click.confirm(f"Move {count(len(chosen), 'message')}?"):
                click.echo("Nothing was moved.")
                raise click.exceptions.Exit(1)
            outcome = Outcome(len(chosen))
            hold.move(chosen, stack.queue_url, outcome)
    finally:
        _report(outcome, hold)
    if len(outcome.moved) < outcome.chosen:
        raise click.exceptions.Exit(1)


def _nothing_chosen(letters: Sequence[DeadLetter]) -> str:
    if not letters:
        return "The dead-letter queue is empty: there is nothing to move."
    reasons = ", ".join(f"{printable(reason)}: {number:,}" for reason, number in sorted(_by_reason(letters).items()))
    return f"None of {count(len(letters), 'message')} is chosen: there is nothing to move. Reasons: {reasons}."


def _show(chosen: Sequence[DeadLetter], others: int) -> None:
    now = time.time()
    title = f"{count(len(chosen), 'message')} to move back; {others:,} to leave"
    rows = [(letter.key, letter.reason, letter.detail, age(now - letter.sent_at)) for letter in chosen[:_SHOWN]]
    screen = console()
    screen.print(table(title, ("Key", "Reason", "Detail", "Age"), rows))
    if len(chosen) > _SHOWN:
        screen.print(f"and {len(chosen) - _SHOWN:,} more. All by reason:")
        screen.print(table("", ("Reason", "Messages"), sorted(_by_reason(chosen).items())))


def _report(outcome: Outcome | None, hold: Hold) -> None:
    """Say what happened, also when an error or Ctrl-C is on its way to the user."""
    if outcome is not None:
        left = len(hold.letters) - outcome.chosen + outcome.untouched
        failed = len(outcome.repeated) + len(outcome.lost) + len(outcome.failed)
        click.echo(f"moved: {len(outcome.moved):,}, left: {left:,}, failed: {failed:,}")
        _report_failed(outcome.failed, "SQS did not take them. They are still in the dead-letter queue: try again.")
        _report_failed(
            outcome.lost,
            f"they were hidden for {age(HOLD_SECONDS)} only, and may have been taken by somebody else meanwhile. "
            "They were not sent: try again.",
        )
        _report_failed(
            outcome.repeated,
            "sent, but perhaps still in the dead-letter queue as well. To move them again is harmless.",
        )
    if hold.stay_hidden:
        click.echo(
            f"{count(hold.stay_hidden, 'message')} could not be made visible again at once; "
            f"that happens by itself within {age(hold.seconds)}.",
            err=True,
        )


def _report_failed(letters: Sequence[DeadLetter], why: str) -> None:
    if letters:
        named = ", ".join(printable(letter.key or letter.message_id) for letter in letters[:_SHOWN])
        more = f" and {len(letters) - _SHOWN:,} more" if len(letters) > _SHOWN else ""
        click.echo(f"{count(len(letters), 'message')}: {why} ({named}{more})", err=True)


def _by_reason(letters: Sequence[DeadLetter]) -> Counter[str]:
    return Counter(letter.reason for letter in letters)
