"""What every attempt at an object has in common: it holds what it works on, and minds the time. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lambdas.tiktok.errors import NotReady, RetryableError

if TYPE_CHECKING:
    from lambdas.ports import Ledger

# Time that must be left to start on a further step: for its calls, with time-outs and retries.
STEP_SECONDS = 180
# How long what was created may take to show up in a list, once the call that may have created it is over.
SETTLE_SECONDS = 60.0


def expect_time_for(step: str, seconds_left: float, *, has_progressed: bool) -> None:
    """Raises NotReady when too little time is left: what is done is written down, and another run goes on there.

    Raises RetryableError when this run got nowhere, because another would get as far.
    """
    if seconds_left >= STEP_SECONDS:
        return
    text = f"The function's time is up before {step}"
    if has_progressed:
        raise NotReady(f"{text}; it goes on there.", wait_seconds=0)
    raise RetryableError(f"{text}, and nothing was achieved in it.", reason=NotReady.reason)


@contextmanager
def held(ledger: Ledger, key: str, *, owner: str, seconds: float) -> Iterator[dict[str, Any]]:
    """Hold a document of the ledger. Raises NotReady while somebody else holds it."""
    document = ledger.claim(key, owner=owner, seconds=seconds)
    try:
        yield document
    finally:
        ledger.release(key, owner=owner)
