"""Brief retries in place: exponential waits with jitter, capped by attempts and by total time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import tenacity

from lambdas.tiktok.errors import RateLimited, RetryableError, TikTokUnavailable

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """How often and for how long a call is repeated before the queue takes over. Times in seconds."""

    attempts: int = 4
    total_seconds: float = 45
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 8

    def call(
        self,
        attempt: Callable[[], T],
        *,
        repeatable: bool,
        sleep: Callable[[float], None] = time.sleep,
        on_retry: Callable[[RetryableError, int], None] | None = None,
    ) -> T:
        """Call ``attempt`` until it succeeds, a cap is reached or an error is final; the last error passes unwrapped.

        A call that is not ``repeatable`` is made again only when it is certain that it was not carried out.
        """

        def worth_repeating(error: BaseException) -> bool:
            if isinstance(error, TikTokUnavailable):
                return repeatable or not error.may_have_happened
            return isinstance(error, RateLimited)

        def announce(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            if on_retry and isinstance(error, RetryableError):
                on_retry(error, state.attempt_number)

        retrying = tenacity.Retrying(
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(self.attempts), tenacity.stop_before_delay(self.total_seconds)
            ),
            wait=tenacity.wait_exponential_jitter(
                multiplier=self.first_wait_seconds, max=self.longest_wait_seconds, jitter=self.first_wait_seconds
            ),
            retry=tenacity.retry_if_exception(worth_repeating),
            before_sleep=announce,
            sleep=sleep,
            reraise=True,
        )
        return retrying(attempt)
