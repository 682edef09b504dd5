"""A clock that only moves when it is told to, or slept on."""

from __future__ import annotations


class FakeClock:
    """Time for tests; sleeping moves it."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """The same: this clock never goes back."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self._now += max(seconds, 0)

    def move_to(self, moment: float) -> None:
        """Move on to a moment, never back."""
        self._now = max(self._now, moment)
