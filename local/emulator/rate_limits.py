"""Sliding windows over the calls of each app (API reference section 1.6)."""

from collections import defaultdict, deque
from enum import Enum

from .answers import ApiError, Code
from .settings import Settings

SECOND, MINUTE, DAY = 1, 60, 86_400
_MESSAGES = {
    SECOND: "App reaches the QPS limit.",
    MINUTE: "Too many requests. Please retry in some time.",
    DAY: "Too many requests by this developer. Please retry in some time.",
}


class Quota(Enum):
    """Which limits hold for a call. It counts for those alone."""

    GENERAL = "all endpoints without limits of their own"
    STREAMING = "the Streaming API"
    EVENTS = "the Events API"

    def limits(self, settings: Settings) -> tuple[tuple[int, int | None], ...]:
        """Seconds of each window, and how many calls it holds."""
        if self is Quota.STREAMING:
            return (
                (SECOND, settings.streaming_queries_per_second),
                (MINUTE, settings.streaming_queries_per_minute),
                (DAY, settings.streaming_queries_per_day),
            )
        if self is Quota.EVENTS:
            return (
                (SECOND, settings.event_queries_per_second),
                (MINUTE, settings.event_queries_per_minute),
                (DAY, settings.event_queries_per_day),
            )
        return (
            (SECOND, settings.queries_per_second),
            (MINUTE, settings.queries_per_minute),
            (DAY, settings.queries_per_day),
        )


class RateLimiter:
    """Counts the accepted calls of each app; a refused call does not count."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, Quota, int], deque[float]] = defaultdict(deque)

    def admit(self, app_id: str, now: float, settings: Settings, quota: Quota = Quota.GENERAL) -> None:
        """Count one call, or refuse it with 40100."""
        windows = []
        for length, limit in quota.limits(settings):
            window = self._windows[app_id, quota, length]
            while window and window[0] <= now - length:
                window.popleft()
            if limit is not None and len(window) >= limit:
                raise ApiError(Code.TOO_MANY_REQUESTS, _MESSAGES[length])
            windows.append(window)
        for window in windows:
            window.append(now)
