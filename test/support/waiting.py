"""Waiting for what happens elsewhere: a condition is polled until a deadline, nothing sleeps for a guessed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

POLL_SECONDS = 0.1


def wait_until(
    condition: Callable[[], Found | None], timeout: float = 20.0, *, what: str = "", interval: float = POLL_SECONDS
) -> Found:
    """The first truthy answer of `condition`. Fails the test when none comes within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() >= deadline:
            raise AssertionError(f"waited {timeout:g} s in vain for {what or condition!r}; last answer: {found!r}")
        time.sleep(interval)
