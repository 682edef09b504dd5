"""The emulator's clock: it runs like any clock, and the control plane can move it forward."""

import time


class Clock:
    """Real time plus whatever it was moved forward by. It never runs backwards."""

    def __init__(self) -> None:
        # The system's clock may be set while we run; only the monotonic one cannot jump.
        self._origin = time.time() - time.monotonic()
        self._advanced_seconds = 0.0

    def now(self) -> float:
        """Seconds since 1970."""
        return self._origin + time.monotonic() + self._advanced_seconds

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._advanced_seconds += seconds

    def reset(self) -> None:
        """Take back every move."""
        self._advanced_seconds = 0.0


def in_gmt(moment: float) -> str:
    """A moment in the spelling of the audience endpoints: `YYYY-MM-DD hh:mm:ss`, GMT (API reference section 3.6)."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment))
