"""What takes chosen messages out of dead-letter queues: the options, the table, the question and the report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

import click

from cli.aws import Aws
from cli.dead_letters import DeadLetter, DeadLetterQueue, Hold, Outcome, Selection
from cli.letter_table import letter_table
from cli.routes import ROUTES, Route
from cli.terminal import age, console, count, printable, table

# Time to read the table, and to think about it.
_HOLD_SECONDS = 900
_SHOWN = 100

_Command = TypeVar("_Command", bound=Callable[..., object])


def removal_options(command: _Command) -> _Command:
    """``--queue``, ``--reason``, ``--key``, ``--yes``, given as ``queues``, ``reasons``, ``keys``, ``yes``."""
    queue = click.option(
        "--queue",
        "queues",
        multiple=True,
        type=click.Choice(ROUTES),
        help="Only messages that came from this queue. Repeatable.",
    )
    reason = click.option(
        "--reason", "reasons", multiple=True, metavar="REASON", help="Only messages with this reason. Repeatable."
    )
    key = click.option(
        "--key",
        "keys",
        multiple=True,
        metavar="KEY",
        help="Only messages about this S3 key, or about keys that begin so: 'tiktok/loyal/*'. Live events have no key. "
        "Repeatable.",
    )
    yes = click.option("--yes", is_flag=True, help="Do not ask.")
    return queue(reason(key(yes(command))))


@dataclass(frozen=True)
class Removal:
    """How messages are taken out of dead-letter queues, and how the operator is told of it.

    ``verb`` and ``done`` are its word for that, as in "move" and "moved". ``aim`` ends the table's title, ``caution``
    the question. ``unconfirmed`` explains messages that are not known to be deleted.
    """

    take: Callable[[Hold, Sequence[DeadLetter], Outcome], None]
    verb: str
    done: str
    aim: str
    unconfirmed: str
    caution: str = ""

    def run(self, aws: Aws, routes: Sequence[Route], selection: Selection, *, asks: bool) -> None:
        """Show what is chosen of these routes, ask, take it out, put the rest back and report.

        Raises:
            Exit: with 1, when the question is answered with no, or not everything chosen was taken out.
        """
        sqs = aws.client("sqs")
        holds = [DeadLetterQueue(sqs, route, poll_seconds=aws.poll_seconds).hold(_HOLD_SECONDS) for route in routes]
        outcome: Outcome | None = None
        try:
            with ExitStack() as held:
                for hold in holds:
                    held.enter_context(hold)
                found = [letter for hold in holds for letter in hold.letters]
                chosen = [letter for letter in found if selection.has(letter)]
                if not all(hold.is_complete for hold in holds):
                    click.echo(
                        "A dead-letter queue is longer than SQS gives at once: run this again after it.", err=True
                    )
                if not chosen:
                    click.echo(self._nothing_chosen(found))
                    return
                _show(f"{count(len(chosen), 'message')} to {self.aim}", chosen, len(found) - len(chosen))
                if asks and not click.confirm(f"{self.verb.title()} {count(len(chosen), 'message')}{self.caution}?"):
                    click.echo(f"Nothing was {self.done}.")
                    raise click.exceptions.Exit(1)
                outcome = Outcome(len(chosen))
                for hold in holds:
                    self.take(hold, [letter for letter in hold.letters if selection.has(letter)], outcome)
        finally:
            self._report(outcome, holds)
        if len(outcome.done) < outcome.chosen:
            raise click.exceptions.Exit(1)

    def _nothing_chosen(self, letters: Sequence[DeadLetter]) -> str:
        if not letters:
            return f"There is no dead letter: there is nothing to {self.verb}."
        counts = ", ".join(f"{printable(reason)}: {number:,}" for reason, number in _by_reason(letters))
        return (
            f"None of {count(len(letters), 'message')} is chosen: there is nothing to {self.verb}. Reasons: {counts}."
        )

    def _report(self, outcome: Outcome | None, holds: Sequence[Hold]) -> None:
        """Say what happened, also when an error or Ctrl-C is on its way to the user."""
        if outcome is not None:
            left = sum(len(hold.letters) for hold in holds) - outcome.chosen + outcome.untouched
            failed = len(outcome.unconfirmed) + len(outcome.lost) + len(outcome.failed)
            click.echo(f"{self.done}: {len(outcome.done):,}, left: {left:,}, failed: {failed:,}")
            _explain(outcome.failed, "SQS failed, and they are still in the dead-letter queue: try again.")
            _explain(
                outcome.lost,
                f"they were hidden for {age(_HOLD_SECONDS)} only, and may have been taken by somebody else meanwhile. "
                f"They were not {self.done}: try again.",
            )
            _explain(outcome.unconfirmed, self.unconfirmed)
        stay_hidden = sum(hold.stay_hidden for hold in holds)
        if stay_hidden:
            click.echo(
                f"{count(stay_hidden, 'message')} could not be made visible again at once; "
                f"that happens by itself within {age(_HOLD_SECONDS)}.",
                err=True,
            )


def _show(title: str, chosen: Sequence[DeadLetter], others: int) -> None:
    screen = console()
    screen.print(letter_table(f"{title}; {others:,} to leave", chosen[:_SHOWN], time.time()))
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
