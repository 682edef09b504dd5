"""How a chapter of the demo is told: its steps in order, each with its promise and what was seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.markup import escape

from local.demo.stage import Stage

# Its docstring is its promise; it returns what was seen, and raises NotSeenError.
Step = Callable[[Stage], str]


def tell(title: str, steps: Sequence[Step], stage: Stage, console: Console) -> None:
    """All steps of a chapter, in order. Raises NotSeenError."""
    console.print(f"[bold]{title}[/]")
    for step in steps:
        started = time.monotonic()
        promise = str(step.__doc__).strip().rstrip(".")
        with console.status(f"{promise} …"):
            seen = step(stage)
        seconds = time.monotonic() - started
        console.print(f"[green]✔[/] {promise} [dim]({seconds:.0f} s)[/]", highlight=False)
        for line in seen.splitlines():
            console.print(f"    {escape(line)}", highlight=False)
    console.print()
