"""The endpoint /event/track/, which takes the events of every source (API reference section 6.1)."""

from typing import Any

from .answers import ApiError, Code, Json, parameter_error
from .calls import Call
from .event_sources import EventSource
from .event_specification import Source, check_event
from .world import World

MAX_EVENTS = 1_000
LONGEST_NAME = 1_000


def track_events(world: World, call: Call) -> Json:
    """POST /event/track/: all events are taken, or none is. No answer tells of single events."""
    parameters = call.parameters
    source = Source(parameters.choice("event_source", tuple(Source)))
    event_source_id = parameters.text("event_source_id", 1, LONGEST_NAME)
    with world.lock:
        event_source = world.event_sources.find(source, event_source_id)
    try:
        _track(world, call, source, event_source_id, event_source)
    except ApiError as error:
        if event_source is not None and error.code != Code.PARTIAL_SUCCESS:
            with world.lock:
                event_source.log.refused_requests += 1
        raise
    return {}


def _track(world: World, call: Call, source: Source, event_source_id: str, event_source: EventSource | None) -> None:
    parameters = call.parameters
    with world.lock:
        settings, now = world.settings, world.clock.now()
    if call.body_bytes > settings.max_event_request_bytes:
        raise parameter_error(f"The request body is larger than {settings.max_event_request_bytes} bytes.")
    test_event_code = parameters.text("test_event_code", 1, LONGEST_NAME) if parameters.has("test_event_code") else None
    if parameters.has("partner_name"):
        parameters.text("partner_name", 1, LONGEST_NAME)
        if settings.refuse_partner_names:
            raise ApiError(Code.INVALID_PARTNER_NAME, "partner_name: Invalid partner name.")
    given = parameters.items("data", 1, MAX_EVENTS)
    # Outside the lock: a thousand events take a while, and other calls must not wait for them.
    events, refusals = [], []
    for position, event in enumerate(given):
        try:
            check_event(f"data.{position}", event, source, now, settings)
            _check_poison(world, f"data.{position}", event)
        except ApiError as error:
            refusals.append(error)
            if not settings.accept_the_rest_of_a_bad_request:
                break
        else:
            events.append(event)
    if refusals and not (events and settings.accept_the_rest_of_a_bad_request):
        raise refusals[0]
    with world.lock:
        log = _own(world, call, source, event_source_id, event_source).log
        if source is Source.APP and settings.refuse_app_events:
            raise ApiError(Code.NOT_IN_ALLOW_LIST, "The developer app is not in the allow-list for app events.")
        now = world.clock.now()
        for event in events:
            if test_event_code is not None:
                log.take_test(event, test_event_code, now, settings)
            else:
                log.take(event, now, settings)
    if refusals:
        raise ApiError(Code.PARTIAL_SUCCESS, "Partial success.")


def _own(
    world: World, call: Call, source: Source, event_source_id: str, event_source: EventSource | None
) -> EventSource:
    """The event source, if the token may operate it; the text about pixels was recorded (API reference section 1.5)."""
    if event_source is not None and event_source.advertiser_id in call.token.advertiser_ids:
        return event_source
    if source is Source.WEB:
        raise ApiError(
            Code.NO_PERMISSION,
            f"No permission to operate pixel code: {event_source_id}."
            " You must be an admin or operator of this advertiser account.",
        )
    if event_source is not None:
        raise ApiError(Code.NO_PERMISSION, f"No permission to operate event source: {event_source_id}.")
    code = world.settings.unknown_event_source_code
    raise ApiError(code, f"event_source_id: The event source {event_source_id} does not exist.")


def _check_poison(world: World, where: str, event: Any) -> None:
    if event.get("event_id") in world.poisoned_event_ids:
        raise parameter_error(f"{where}.event_id: Not a valid event")
    if event["event"] in world.poisoned_events:
        raise parameter_error(f"{where}.event: Not a valid event")
