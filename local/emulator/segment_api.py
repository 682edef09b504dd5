"""The endpoints under /segment/, by which identifiers are streamed to audiences (API reference section 4)."""

import string
from collections import defaultdict
from typing import Any

from .answers import Json, parameter_error
from .calls import Call
from .custom_audience_api import MAX_IDS
from .customer_files import MULTIPLE_TYPES
from .parameters import as_id, as_text
from .segments import MappingAction, SegmentAudience, Slot, identifier_of
from .world import World

SEGMENT_ACTIONS = ("create", "delete")
MAX_NAME_LENGTH, KEPT_NAME_LENGTH = 70, 67
LONGEST_NAME = 1_000
_HEXADECIMAL = frozenset(string.hexdigits)
_INVALID_AUDIENCE = "Parameter error: invalid audience ID"

Given = dict[str, set[bytes]]
"""What a mapping brings: the members, in the spelling of `Slot.member`, for each audience_id."""


def change_segment(world: World, call: Call) -> Json:
    """POST /segment/audience/ (API reference section 4.1): makes a segment audience, or deletes one."""
    advertiser_id = call.parameters.identifier("advertiser_id")
    if call.parameters.choice("action", SEGMENT_ACTIONS, default="create") == "delete":
        return _delete_segment(world, call, advertiser_id)
    name = call.parameters.text("custom_audience_name", 1, LONGEST_NAME)
    if len(name) > MAX_NAME_LENGTH:
        name = name[:KEPT_NAME_LENGTH] + "..."
    with world.lock:
        world.check_advertiser(call.token, advertiser_id)
        world.check_room(advertiser_id)
        now = world.clock.now()
        audience = SegmentAudience(
            audience_id=world.new_id(),
            advertiser_id=advertiser_id,
            name=name,
            calculate_type=MULTIPLE_TYPES,
            created_at=now,
            listed_from=now + world.settings.list_lag_seconds,
        )
        audience.open(now, world.settings)
        world.audiences[audience.audience_id] = audience
    return {"audience_id": audience.audience_id}


def _delete_segment(world: World, call: Call, advertiser_id: str) -> Json:
    audience_id = call.parameters.identifier("delete_audience_id")
    with world.lock:
        world.check_advertiser(call.token, advertiser_id)
        audience = world.audiences.get(audience_id)
        if isinstance(audience, SegmentAudience) and audience.advertiser_id == advertiser_id:
            del world.audiences[audience_id]
        elif audience is not None or not world.settings.ignore_unknown_ids_in_delete:
            raise parameter_error(_INVALID_AUDIENCE)
    return {"audience_id": audience_id}


def map_identifiers(world: World, call: Call) -> Json:
    """POST /segment/mapping/ (API reference section 4.2): all of it is carried out, or nothing."""
    with world.lock:
        settings = world.settings
    if call.body_bytes > settings.max_mapping_bytes:
        raise parameter_error(f"The request body is larger than {settings.max_mapping_bytes} bytes.")
    parameters = call.parameters
    advertiser_ids = parameters.identifiers("advertiser_ids", 1, MAX_IDS)
    action = MappingAction(parameters.choice("action", tuple(MappingAction), default=MappingAction.ADD, any_case=True))
    slots = [Slot(name) for name in parameters.choice_list("id_schema", tuple(Slot))]
    rows = parameters.items("batch_data", 1, settings.max_mapping_entries)
    given: Given = defaultdict(set)
    for position, row in enumerate(rows):
        _read_row(f"batch_data.{position}", row, slots, given)
    with world.lock:
        for advertiser_id in advertiser_ids:
            world.check_advertiser(call.token, advertiser_id)
        audiences = [_segment_of(world, advertiser_ids, audience_id) for audience_id in given]
        if _is_poisoned(world, given):
            raise parameter_error("Parameter error: invalid batch data")
        now = world.clock.now()
        for audience in audiences:
            audience.map(action, given[audience.audience_id], now, world.settings)
    return {}


def _read_row(where: str, row: Any, slots: list[Slot], given: Given) -> None:
    """One person: an element for each slot, an empty one where the person has no identifier of that kind."""
    if not isinstance(row, list):
        raise parameter_error(f"{where}: Not a valid list.")
    if len(row) != len(slots):
        raise parameter_error(f"{where}: Length must be that of id_schema, {len(slots)}.")
    if not any(row):
        raise parameter_error(f"{where}: Must hold an identifier.")
    for position, (slot, element) in enumerate(zip(slots, row, strict=True)):
        if element != {}:
            _read_element(f"{where}.{position}", element, slot, given)


def _read_element(where: str, element: Any, slot: Slot, given: Given) -> None:
    if not isinstance(element, dict):
        raise parameter_error(f"{where}: Not a valid object.")
    digits = 2 * slot.width
    text = as_text(f"{where}.id", element.get("id"), digits, digits)
    if not _HEXADECIMAL.issuperset(text):
        raise parameter_error(f"{where}.id: Must be hexadecimal characters.")
    member = slot.member(bytes.fromhex(text))
    audience_ids = element.get("audience_ids")
    if not isinstance(audience_ids, list) or not audience_ids:
        raise parameter_error(f"{where}.audience_ids: Not a list of ids.")
    for position, audience_id in enumerate(audience_ids):
        given[as_id(f"{where}.audience_ids.{position}", audience_id)].add(member)


def _is_poisoned(world: World, given: Given) -> bool:
    return any(identifier_of(member) in world.poison for members in given.values() for member in members)


def _segment_of(world: World, advertiser_ids: list[str], audience_id: str) -> SegmentAudience:
    audience = world.audiences.get(audience_id)
    if not isinstance(audience, SegmentAudience) or audience.advertiser_id not in advertiser_ids:
        raise parameter_error(_INVALID_AUDIENCE)
    return audience
