"""Sliding windows over the calls of each app (API reference section 1.6)."""

from collections import defaultdict, deque

from .answers import ApiError, Code
from .settings import Settings

SECOND, MINUTE, DAY = 1, 60, 86_400
_MESSAGES = {
    SECOND: "App reaches the QPS limit.",
    MINUTE: "Too many requests. Please retry in some time.",
    DAY: "Too many requests by this developer. Please retry in some time.",
}


class RateLimiter:
    """Counts the accepted calls of each app; a refused call does not count."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, bool, int], deque[float]] = defaultdict(deque)

    def admit(self, app_id: str, now: float, settings: Settings, *, streaming: bool = False) -> None:
        """Count one call, or refuse it with 40100. Streaming has limits of its own and counts for nothing else."""
        limits: tuple[tuple[int, int | None], ...] = (
            (SECOND, settings.queries_per_second),
            (MINUTE, settings.queries_per_minute),
            (DAY, settings.queries_per_day),
        )
        if streaming:
            limits = (
                (SECOND, settings.streaming_queries_per_second),
                (MINUTE, settings.streaming_queries_per_minute),
                (DAY, settings.streaming_queries_per_day),
            )
        windows = []
        for length, limit in limits:
            window = self._windows[app_id, streaming, length]
            while window and window[0] <= now - length:
                window.popleft()
            if limit is not None and len(window) >= limit:
                raise ApiError(Code.TOO_MANY_REQUESTS, _MESSAGES[length])
            windows.append(window)
        for window in windows:
            window.append(now)
