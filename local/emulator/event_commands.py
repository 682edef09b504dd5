"""The commands of the control plane about event sources and the events that they were sent."""

from collections.abc import Callable
from typing import Any

from .answers import Json
from .control_input import ControlError, digits, refuse_unknown, text_of, word
from .event_sources import EventSource, Pixel
from .event_specification import Source
from .world import World


class EventCommands:
    """They are carried out by the control plane, which holds the lock."""

    def __init__(self, world: World) -> None:
        self._world = world

    def by_name(self) -> dict[tuple[str, str], Callable[[Any], Json]]:
        """Each command by method and name."""
        return {
            ("POST", "event_sources"): self._add_event_source,
            ("GET", "event_sources"): self._show_event_sources,
            ("POST", "events"): self._show_events,
        }

    def _add_event_source(self, given: Json) -> Json:
        """A pixel, app, offline or CRM event set, which its advertiser's list shows at once."""
        refuse_unknown(given, {"event_source", "event_source_id", "name", "advertiser_id"})
        world = self._world
        source = word(Source, "event_source", given.get("event_source"))
        name = text_of(given, "name", default=None)
        advertiser_id = digits("advertiser_id", given.get("advertiser_id", world.default_advertiser_id))
        event_source_id = _event_source_id(source, given) if "event_source_id" in given else None
        if event_source_id is not None and world.event_sources.find(source, event_source_id) is not None:
            raise ControlError(f"{source} already has an event source {event_source_id}")
        now = world.clock.now()
        event_source = world.event_sources.new_event_source(source, advertiser_id, name, now, event_source_id)
        world.event_sources.add(event_source)
        world.advertisers.add(advertiser_id)
        return _described(event_source)

    def _show_event_sources(self, _: Json) -> Json:
        return {"event_sources": [_described(event_source) for event_source in self._world.event_sources.all()]}

    def _show_events(self, given: Json) -> Json:
        """What one event source was sent: exact counts, and the newest events in the order of their arrival."""
        refuse_unknown(given, {"event_source", "event_source_id"})
        source = word(Source, "event_source", given.get("event_source"))
        event_source = self._world.event_sources.find(source, _event_source_id(source, given))
        if event_source is None:
            raise ControlError("no such event source: GET event_sources tells which there are")
        log = event_source.log
        return {
            **_described(event_source),
            "by_event": {
                name: {outcome.value: count for outcome, count in outcomes.items()}
                for name, outcomes in log.by_event.items()
            },
            "identification": log.identification.as_dict(),
            "events": [event.as_dict() for event in log.kept],
            "test_events": [event.as_dict() for event in log.kept_tests],
        }


def _event_source_id(source: Source, given: Json) -> str:
    """A pixel's code is letters and digits, every other id is digits."""
    value = given.get("event_source_id")
    if source is not Source.WEB:
        return digits("event_source_id", value)
    if not isinstance(value, str) or not value.isascii() or not value.isalnum():
        raise ControlError("event_source_id must be the code of a pixel, letters and digits")
    return value


def _described(event_source: EventSource) -> Json:
    return {
        "event_source": event_source.source.value,
        "event_source_id": event_source.event_source_id,
        "pixel_id": event_source.pixel_id if isinstance(event_source, Pixel) else None,
        "advertiser_id": event_source.advertiser_id,
        "name": event_source.name,
        "counts": event_source.log.counts(),
    }
