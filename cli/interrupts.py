"""Ctrl-C at a moment that suits us."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Let the block finish before a Ctrl-C takes effect; a second one takes effect at once.

    Raises:
        KeyboardInterrupt: at the end of the block, if it was asked for meanwhile and the block did not fail itself.
    """
    if threading.current_thread() is not threading.main_thread():
        # Python tells only the main thread of signals.
        yield
        return
    asked = False

    def remember(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt
