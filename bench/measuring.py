"""Runs sides in turns, each in a process of its own, and keeps what came out."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

MIB = 2**20
_KIB_UNLESS_MAC = 1 if sys.platform == "darwin" else 1024

Measured = dict[str, Any]


def run_side(module: str, *arguments: object) -> Measured:
    """Run a module of ``sides`` to its end; returns the JSON of its last line, with its peak memory.

    Raises subprocess.CalledProcessError when it fails.
    """
    command = [sys.executable, "-m", f"bench.sides.{module}", *map(str, arguments)]
    # Bytecode is kept, whatever is usual on this machine: compiling our modules anew would count as importing them.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)  # noqa: S603 - our own
    measured: Measured = json.loads(finished.stdout.splitlines()[-1])
    return measured


def report(**measured: object) -> None:
    """What a side ends with."""
    print(json.dumps({**measured, "peak_bytes": peak_bytes()}), flush=True)


def peak_bytes() -> int:
    """The most memory that this process has had (its resident set)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB_UNLESS_MAC


def stay_on_one_core() -> None:
    """Where the system can do it, let this process run on a single core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def in_turns(runs: int, *sides: Callable[[], Measured]) -> list[list[Measured]]:
    """Run all sides one after the other, so many times; returns the results of each side."""
    rounds = [[side() for side in sides] for _ in range(runs)]
    return [list(results) for results in zip(*rounds, strict=True)]


@dataclass(frozen=True)
class Comparison:
    """A ratio as often as it was measured, and what it should be: at least, or at most, ``target``."""

    what: str
    ratios: Sequence[float]
    target: float | None = None
    at_most: bool = False
    details: str = ""
    unit: str = "×"

    @property
    def median(self) -> float:
        """What counts."""
        return float(statistics.median(self.ratios))

    @property
    def is_met(self) -> bool | None:
        """Whether the median reaches the target; None without one."""
        if self.target is None:
            return None
        return self.median <= self.target if self.at_most else self.median >= self.target


def ratios(above: Sequence[Measured], below: Sequence[Measured], name: str) -> list[float]:
    """``above`` by ``below``, turn by turn."""
    return [one[name] / other[name] for one, other in zip(above, below, strict=True)]


def median_of(results: Sequence[Measured], name: str) -> float:
    """The median of one thing that was measured."""
    return float(statistics.median(result[name] for result in results))
