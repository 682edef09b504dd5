"""Event sources at TikTok, each of which a test has for itself, and what they were sent."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Self

from test.e2e.connector import Connector
from test.support.events import any_fields


@dataclass(frozen=True)
class EventSource:
    """One of them, in the emulator that the connector is deployed beside."""

    deployed: Connector
    source: str
    id: str
    name: str

    @classmethod
    def new(cls, deployed: Connector, source: str, name: str = "A test's own") -> Self:
        made = deployed.control("event_sources", {"event_source": source, "name": name})
        return cls(deployed, source, made["event_source_id"], name)

    def key(self, file: str, *, by_name: bool = False) -> str:
        """Where a file of its events is put."""
        return f"events/{self.source}/{self.name if by_name else self.id}/{file}"

    def fields(self, number: int, **changes: Any) -> dict[str, Any]:
        """The fields of a valid event of an hour ago, another one for each number, whose id says which."""
        defaults = {"event_time": an_hour_ago(), "event_id": event_id(number)}
        return any_fields(self.source, number, **defaults | changes)

    def received(self) -> dict[str, Any]:
        """All that TikTok tells of it."""
        asked = {"event_source": self.source, "event_source_id": self.id}
        found: dict[str, Any] = self.deployed.control("events", asked)
        return found

    def counts(self) -> dict[str, int]:
        """How many events TikTok has, and what it made of them; what is none is left out."""
        return {name: count for name, count in self.received()["counts"].items() if count}

    def bodies(self) -> list[dict[str, Any]]:
        """The newest events that TikTok has, at most 10,000, in the order of their ids."""
        bodies = [event["body"] for event in self.received()["events"]]
        return sorted(bodies, key=lambda body: str(body["event_id"]))

    def numbers(self) -> list[int]:
        """Which events these are, each as often as it was accepted."""
        return sorted(int(body["event_id"].removeprefix(event_id(""))) for body in self.bodies())


def event_id(number: object) -> str:
    """The id of an event by its number."""
    return f"event-{number}"


def an_hour_ago() -> int:
    """In seconds, as of now: the deployed functions have the machine's clock."""
    return int(time.time()) - 3_600
