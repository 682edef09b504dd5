"""Dead letters as people see them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from cli.dead_letters import DeadLetter
from cli.terminal import age, table


def letter_table(title: str, letters: Sequence[DeadLetter], now: float) -> Table:
    """A line for each: where it failed, on what, why, and how long ago. ``now`` is in seconds since the epoch."""
    rows = [(letter.queue, letter.key, letter.reason, letter.detail, age(now - letter.sent_at)) for letter in letters]
    return table(title, ("Queue", "Key", "Reason", "Detail", "Age"), rows)
