"""What works for one advertiser in one invocation, put together."""

from __future__ import annotations

from dataclasses import dataclass

from lambdas.audiences.attempt import Attempt
from lambdas.audiences.audience_writer import AudienceWriter
from lambdas.audiences.formats import Route
from lambdas.audiences.ports import Advertiser, Clock
from lambdas.audiences.preparation import Preparation
from lambdas.audiences.routes import FileRoute, StreamingRoute
from lambdas.audiences.streaming import Streamer


@dataclass(frozen=True)
class Tools:
    """The calls of one advertiser, and all that makes them."""

    api: Advertiser
    writer: AudienceWriter
    preparation: Preparation
    streamer: Streamer
    clock: Clock

    def route(self, attempt: Attempt, route: Route) -> FileRoute | StreamingRoute:
        """How the rows of an object get into an audience."""
        if route is Route.STREAMING:
            return StreamingRoute(self.api, self.streamer, self.preparation, attempt)
        return FileRoute(self.api.audiences, self.preparation, attempt, self.clock)
