"""Shows the comparisons as a table, and writes them down with the machine that they were made on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.measuring import Comparison

_HEADINGS = ("what", "target", "median", "spread", "met", "measured")


def show(comparisons: Sequence[Comparison]) -> None:
    """Print a table."""
    table = Table(*_HEADINGS, show_lines=True)
    for comparison in comparisons:
        table.add_row(*_cells(comparison))
    Console().print(table)


def write(path: Path, comparisons: Sequence[Comparison], *, scale: str, notes: str) -> None:
    """Write a table in Markdown. ``notes`` say what the numbers mean."""
    lines = [
        "# Results of the benchmark",
        "",
        "Written by `make bench`; do not edit. Ratios of sides that ran in turns on one machine, in one run.",
        "",
        f"- Date: {datetime.now(UTC):%Y-%m-%d}",
        f"- Machine: {_processor()}, {os.cpu_count()} cores, {platform.system()}",
        f"- Python: {platform.python_version()}",
        f"- Scale: {scale}",
        "",
        f"| {' | '.join(_HEADINGS)} |",
        f"|{'---|' * len(_HEADINGS)}",
        *(f"| {' | '.join(_cells(comparison))} |" for comparison in comparisons),
        "",
        notes.strip(),
    ]
    path.write_text("\n".join(lines) + "\n")


def _cells(comparison: Comparison) -> tuple[str, ...]:
    target, unit = comparison.target, comparison.unit
    limit = "—" if target is None else f"{'≤' if comparison.at_most else '≥'} {target:g}{unit}"
    low, high = min(comparison.ratios), max(comparison.ratios)
    digits = 2 if unit == "×" else 0
    met = {True: "yes", False: "**no**", None: "—"}[comparison.is_met]
    return (
        comparison.what,
        limit,
        f"{comparison.median:.{digits}f}{unit}",
        f"{low:.{digits}f}–{high:.{digits}f} ({len(comparison.ratios)})",
        met,
        comparison.details,
    )


def _processor() -> str:
    """The model of the processor, without the name of the machine."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
