"""Keeps a function's share of the request rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class NoPacer:
    """For endpoints whose limit cannot be reached: a streaming call is allowed 10,000 times a second (section 1.6)."""

    def wait(self) -> None:
        """Return at once."""


class RequestPacer:
    """Spaces requests evenly: no two start closer than ``interval_seconds``, and none so soon after the pacer is made.

    Made anew for each invocation, so that the rate also holds when one function environment takes over from another:
    with N invocations at a time and an interval of N / rate, all of them together stay below the rate. The threads of
    an invocation share one pacer.
    """

    def __init__(
        self,
        interval_seconds: float,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval = interval_seconds
        self._sleep = sleep
        self._now = now
        self._next = now() + interval_seconds
        self._turn = threading.Lock()

    def wait(self) -> None:
        """Return when the next request may start."""
        # Held while it sleeps: a thread that wakes up late moves on those behind it, too.
        with self._turn:
            remaining = self._next - self._now()
            if remaining > 0:
                self._sleep(remaining)
            self._next = max(self._next, self._now()) + self._interval
