"""The routes on which work comes to the functions: each is a queue and its dead-letter queue."""

from __future__ import annotations

from dataclasses import dataclass

AUDIENCES = "audiences"
EVENTS = "events"
LIVE_EVENTS = "live-events"
ROUTES = (AUDIENCES, EVENTS, LIVE_EVENTS)

# What has to be true in cdk.context.json for a route to be there.
SWITCHES = {AUDIENCES: "audiences_enabled", EVENTS: "events_enabled", LIVE_EVENTS: "events_enabled"}


@dataclass(frozen=True)
class Route:
    """A queue and its dead-letter queue; ``name`` is one of ``ROUTES``."""

    name: str
    queue_url: str
    dead_letter_queue_url: str

    @property
    def announces_objects(self) -> bool:
        """Whether a message names an object. A live event is somebody's data, of which nothing may be shown."""
        return self.name != LIVE_EVENTS
