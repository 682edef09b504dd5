"""What is shown to people: tables, and texts that come from outside."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Piped into another program, a line stays a line.
_UNLIMITED = 100_000
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def console() -> Console:
    """For standard output; wraps at the terminal's width, and not at all when it is no terminal."""
    return Console(width=None if sys.stdout.isatty() else _UNLIMITED, highlight=False)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table of texts and numbers; None is shown as a dash. Nothing in a cell is markup, or cut off."""
    shown = Table(
        title=Text(printable(title)) if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        header_style="bold",
        pad_edge=False,
    )
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell(value), justify="right" if isinstance(value, int) else "left") for value in row))
    return shown


def cell(value: object) -> str:
    """A value as a cell shows it."""
    if value is None or value == "":
        return "–" if _can_show("–") else "-"
    return f"{value:,}" if isinstance(value, int) else printable(str(value))


def printable(text: str) -> str:
    """A text that cannot steer the terminal, and that it can show: everything else is written as its escape."""
    safe = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
    return safe.encode(_encoding(), "backslashreplace").decode(_encoding())


def age(seconds: float | None) -> str | None:
    """A length of time in its two largest units, or in one."""
    if seconds is None:
        return None
    left = max(int(seconds), 0)
    for position, (size, unit) in enumerate(_UNITS):
        if left >= size or size == 1:
            text = f"{left // size} {unit}"
            if position + 1 < len(_UNITS) and (rest := left % size // _UNITS[position + 1][0]):
                text += f" {rest} {_UNITS[position + 1][1]}"
            return text
    return None


def count(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _encoding() -> str:
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def _can_show(text: str) -> bool:
    try:
        text.encode(_encoding())
    except UnicodeEncodeError:
        return False
    return True
