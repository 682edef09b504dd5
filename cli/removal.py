"""What takes chosen messages out of the dead-letter queue: the options, the table, the question and the report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import click

from cli.aws import Aws
from cli.dead_letters import DeadLetter, DeadLetterQueue, Hold, Outcome, Selection
from cli.stack import Stack
from cli.terminal import age, console, count, printable, table

# Time to read the table, and to think about it.
_HOLD_SECONDS = 900
_SHOWN = 100

_Command = TypeVar("_Command", bound=Callable[..., object])


def removal_options(command: _Command) -> _Command:
    """``--reason``, ``--key`` and ``--yes``, given as ``reasons``, ``keys`` and ``yes``."""
    reason = click.option(
        "--reason", "reasons", multiple=True, metavar="REASON", help="Only messages with this reason. Repeatable."
    )
    key = click.option(
        "--key",
        "keys",
        multiple=True,
        metavar="KEY",
        help="Only messages about this S3 key, or about keys that begin so: 'tiktok/loyal/*'. Repeatable.",
    )
    yes = click.option("--yes", is_flag=True, help="Do not ask.")
    return reason(key(yes(command)))


@dataclass(frozen=True)
class Removal:
    """How messages are taken out of the dead-letter queue, and how the operator is told of it.

    ``verb`` and ``done`` are its word for that, as in "move" and "moved". ``aim`` ends the table's title, ``caution``
    the question. ``unconfirmed`` explains messages that are not known to be deleted.
    """

    take: Callable[[Hold, Sequence[DeadLetter], Outcome], None]
    verb: str
    done: str
    aim: str
    unconfirmed: str
    caution: str = ""

    def run(self, aws: Aws, stack: Stack, selection: Selection, *, asks: bool) -> None:
        """Show what is chosen, ask, take it out, put the rest back and report.

        Raises:
            Exit: with 1, when the question is answered with no, or not everything chosen was taken out.
        """
        queue = DeadLetterQueue(aws.client("sqs"), stack.dead_letter_queue_url, poll_seconds=aws.poll_seconds)
        hold = queue.hold(_HOLD_SECONDS)
        outcome: Outcome | None = None
        try:
            with hold:
                chosen = [letter for letter in hold.letters if selection.has(letter)]
                if not hold.is_complete:
                    click.echo(
                        "The dead-letter queue is longer than SQS gives at once: run this again after it.", err=True
                    )
                if not chosen:
                    click.echo(self._nothing_chosen(hold.letters))
                    return
                _show(f"{count(len(chosen), 'message')} to {self.aim}", chosen, len(hold.letters) - len(chosen))
                if asks and not click.confirm(f"{self.verb.title()} {count(len(chosen), 'message')}{self.caution}?"):
                    click.echo(f"Nothing was {self.done}.")
                    raise click.exceptions.Exit(1)
                outcome = Outcome(len(chosen))
                self.take(hold, chosen, outcome)
        finally:
            self._report(outcome, hold)
        if len(outcome.done) < outcome.chosen:
            raise click.exceptions.Exit(1)

    def _nothing_chosen(self, letters: Sequence[DeadLetter]) -> str:
        if not letters:
            return f"The dead-letter queue is empty: there is nothing to {self.verb}."
        counts = ", ".join(f"{printable(reason)}: {number:,}" for reason, number in _by_reason(letters))
        return (
            f"None of {count(len(letters), 'message')} is chosen: there is nothing to {self.verb}. Reasons: {counts}."
        )

    def _report(self, outcome: Outcome | None, hold: Hold) -> None:
        """Say what happened, also when an error or Ctrl-C is on its way to the user."""
        if outcome is not None:
            left = len(hold.letters) - outcome.chosen + outcome.untouched
            failed = len(outcome.unconfirmed) + len(outcome.lost) + len(outcome.failed)
            click.echo(f"{self.done}: {len(outcome.done):,}, left: {left:,}, failed: {failed:,}")
            _explain(outcome.failed, "SQS failed, and they are still in the dead-letter queue: try again.")
            _explain(
                outcome.lost,
                f"they were hidden for {age(hold.seconds)} only, and may have been taken by somebody else meanwhile. "
                f"They were not {self.done}: try again.",
            )
            _explain(outcome.unconfirmed, self.unconfirmed)
        if hold.stay_hidden:
            click.echo(
                f"{count(hold.stay_hidden, 'message')} could not be made visible again at once; "
                f"that happens by itself within {age(hold.seconds)}.",
                err=True,
            )


def _show(title: str, chosen: Sequence[DeadLetter], others: int) -> None:
    now = time.time()
    rows = [(letter.key, letter.reason, letter.detail, age(now - letter.sent_at)) for letter in chosen[:_SHOWN]]
    screen = console()
    screen.print(table(f"{title}; {others:,} to leave", ("Key", "Reason", "Detail", "Age"), rows))
    if len(chosen) > _SHOWN:
        screen.print(f"and {len(chosen) - _SHOWN:,} more. All by reason:")
        screen.print(table("", ("Reason", "Messages"), _by_reason(chosen)))


def _explain(letters: Sequence[DeadLetter], why: str) -> None:
    if letters:
        named = ", ".join(printable(letter.key or letter.message_id) for letter in letters[:_SHOWN])
        more = f" and {len(letters) - _SHOWN:,} more" if len(letters) > _SHOWN else ""
        click.echo(f"{count(len(letters), 'message')}: {why} ({named}{more})", err=True)


def _by_reason(letters: Sequence[DeadLetter]) -> list[tuple[str, int]]:
    return sorted(Counter(letter.reason for letter in letters).items())
