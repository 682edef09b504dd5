"""What works for one advertiser in one invocation, put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambdas.audiences.attempt import Attempt
from lambdas.audiences.audience_writer import AudienceWriter
from lambdas.audiences.preparation import Preparation
from lambdas.audiences.routes import FileRoute, Routes, StreamingRoute
from lambdas.audiences.streaming import Streamer

if TYPE_CHECKING:
    from lambdas.audiences.ports import Advertiser
    from lambdas.ports import Clock


@dataclass(frozen=True)
class Tools:
    """The calls of one advertiser, and all that makes them."""

    api: Advertiser
    writer: AudienceWriter
    preparation: Preparation
    streamer: Streamer
    clock: Clock

    def routes(self, attempt: Attempt) -> Routes:
        """How rows get into audiences, on behalf of one object."""
        return Routes(
            FileRoute(self.api.audiences, self.preparation, attempt, self.clock),
            StreamingRoute(self.api, self.streamer, self.preparation, attempt),
        )
