"""Kills the function between any two calls that it makes to the world outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lambdas.tiktok.protocol import Answer, Request
from lambdas.tiktok.transport import Transport


class Killed(BaseException):
    """The function's process is gone. Not an Exception: nothing inside may handle it."""


class Tripwire:
    """Counts the moments before and after each call, and kills at one of them.

    Dead is dead: whatever a killed process would still try to do, in a ``finally`` for instance, fails as well.
    """

    def __init__(self, kill_at: int | None = None) -> None:
        self.kill_at = kill_at
        self.moments = 0
        self.dead = False
        self.calls: list[str] = []

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        """Make a call, unless the process dies before it; then perhaps die after it."""
        self._pass()
        self.calls.append(name)
        result = call()
        self._pass()
        return result

    def _pass(self) -> None:
        self.moments += 1
        if self.dead or self.moments == self.kill_at:
            self.dead = True
            raise Killed


class WiredClient:
    """An AWS client whose calls run over a tripwire."""

    def __init__(self, client: Any, wire: Tripwire) -> None:
        self._client = client
        self._wire = wire

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        return lambda *given, **named: self._wire.around(name, lambda: method(*given, **named))


class WiredTransport:
    """A transport whose calls run over a tripwire."""

    def __init__(self, transport: Transport, wire: Tripwire) -> None:
        self._transport = transport
        self._wire = wire

    def send(self, request: Request, access_token: str) -> Answer:
        """Send once."""
        answer: Answer = self._wire.around(request.path, lambda: self._transport.send(request, access_token))
        return answer
