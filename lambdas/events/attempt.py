"""What is done for one file of events in one invocation. Pure."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lambdas.events.delivery import Delivery
from lambdas.events.domain import Target
from lambdas.objects import ObjectVersion
from lambdas.tiktok.errors import ConnectorError, FatalError, TikTokRejected

if TYPE_CHECKING:
    from lambdas.ports import Ledger


@dataclass
class Attempt:
    """What is done for one object version in one invocation.

    ``has_checked`` and ``has_sent`` say what this invocation has done itself, ``begins`` that it is the first to send.
    """

    ledger: Ledger
    version: ObjectVersion
    owner: str
    seconds_left: Callable[[], float]
    delivery: Delivery
    target: Target | None = None
    has_checked: bool = False
    has_sent: bool = False
    begins: bool = False

    @property
    def has_none(self) -> bool:
        """Whether TikTok has accepted nothing, as far as is known."""
        return not self.delivery.progress.accepted

    def has_begun_in_spite_of(self, error: ConnectorError) -> bool:
        """Whether TikTok may have something of it: not where it has refused all that it was given, or the token."""
        has_none = self.has_none and (
            isinstance(error, TikTokRejected) or (self.begins and isinstance(error, FatalError))
        )
        return self.delivery.has_begun and not has_none

    def record(self, **changes: Any) -> None:
        """Change the delivery and write it down. Raises ConnectorError."""
        self.delivery = replace(self.delivery, **changes)
        self.ledger.save(self.version.id, self.delivery.to_document(), owner=self.owner)

    def note(self, error: ConnectorError, **changes: Any) -> None:
        """Write down an error that is about to be raised, if that is possible: it must not be replaced by another."""
        with suppress(ConnectorError):
            self.record(last_error=f"{error.reason}: {error}", **changes)
