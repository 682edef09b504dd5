"""The control plane under /_control/: how a test arranges the world and looks behind the curtain."""

import json
import math
from collections.abc import Callable
from typing import Any

from .answers import Json
from .audiences import Audience, synthetic_members
from .clock import in_gmt
from .control_input import (
    ControlError,
    digits,
    hexadecimal,
    list_of,
    refuse_unknown,
    text_of,
    texts_of,
    whole_number,
    word,
)
from .credentials import DEFAULT_APP_ID, AccessToken, Scope, TokenState
from .customer_files import AUDIENCE_TYPES
from .event_commands import EventCommands
from .faults import InvalidFaultError, parse_faults
from .settings import InvalidSettingError, UnknownSettingError
from .world import World

PREFIX = "/_control/"
_LONGEST_ADVANCE_SECONDS = 100 * 365 * 86_400
_MOST_SEEDED_MEMBERS = 10_000_000


class ControlPlane:
    """Commands by method and name. It asks for no token and counts against no limit."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._commands: dict[tuple[str, str], Callable[[Any], Json]] = {
            ("POST", "reset"): self._reset,
            ("POST", "seed"): self._seed,
            ("POST", "clock"): self._advance_clock,
            ("GET", "clock"): self._show_clock,
            ("POST", "settings"): self._change_settings,
            ("GET", "settings"): self._show_settings,
            ("POST", "faults"): self._replace_faults,
            ("GET", "faults"): self._show_faults,
            ("POST", "poison"): self._replace_poison,
            ("POST", "members"): self._find_members,
            ("POST", "shrink"): self._shrink,
            ("POST", "tokens"): self._change_token,
            ("GET", "requests"): self._show_requests,
            ("GET", "audiences"): self._show_audiences,
            **EventCommands(world).by_name(),
        }

    def handle(self, method: str, name: str, body: bytes) -> Json:
        """Carry out one command given over HTTP."""
        try:
            given = json.loads(body) if body.strip() else {}
        except (ValueError, RecursionError):
            raise ControlError("the body is not valid JSON") from None
        return self.carry_out(method, name, given)

    def carry_out(self, method: str, name: str, given: Any) -> Json:
        """Carry out one command."""
        command = self._commands.get((method, name.rstrip("/")))
        if command is None:
            known = ", ".join(f"{method} {name}" for method, name in self._commands)
            raise ControlError(f"unknown command {method} {name}; known are: {known}")
        if name.rstrip("/") != "faults" and not isinstance(given, dict):
            raise ControlError("the body must be a JSON object")
        with self._world.lock:
            return command(given)

    def _reset(self, given: Json) -> Json:
        refuse_unknown(given, set())
        self._world.reset()
        return {}

    def _seed(self, given: Json) -> Json:
        refuse_unknown(given, {"audiences", "prefix", "members", "calculate_type", "advertiser_id"})
        world = self._world
        count = whole_number(given, "audiences", 0, world.settings.max_audiences, default=None)
        members = whole_number(given, "members", 0, _MOST_SEEDED_MEMBERS, default=1_000)
        prefix = text_of(given, "prefix", default="seeded audience ")
        calculate_type = given.get("calculate_type")
        if calculate_type is not None and calculate_type not in AUDIENCE_TYPES:
            raise ControlError(f"calculate_type must be null or one of: {', '.join(AUDIENCE_TYPES)}")
        advertiser_id = digits("advertiser_id", given.get("advertiser_id", world.default_advertiser_id))
        if count + len(world.audiences_of(advertiser_id)) > world.settings.max_audiences:
            raise ControlError(
                f"an advertiser has at most {world.settings.max_audiences} audiences: raise max_audiences"
            )
        world.advertisers.add(advertiser_id)
        shared = synthetic_members(members, calculate_type)
        now = world.clock.now()
        seeded = []
        for number in range(1, count + 1):
            audience = Audience(world.new_id(), advertiser_id, f"{prefix}{number}", calculate_type, now)
            audience.seed(shared, now, world.settings)
            world.audiences[audience.audience_id] = audience
            seeded.append({"audience_id": audience.audience_id, "name": audience.name})
        return {"audiences": seeded}

    def _advance_clock(self, given: Json) -> Json:
        refuse_unknown(given, {"advance_seconds"})
        seconds = given.get("advance_seconds")
        if (
            isinstance(seconds, bool)
            or not isinstance(seconds, int | float)
            or not math.isfinite(seconds)
            or not 0 <= seconds <= _LONGEST_ADVANCE_SECONDS
        ):
            raise ControlError(f"advance_seconds must be a number from 0 to {_LONGEST_ADVANCE_SECONDS}")
        self._world.clock.advance(seconds)
        return self._show_clock({})

    def _show_clock(self, _: Json) -> Json:
        now = self._world.clock.now()
        return {"now": now, "gmt": in_gmt(now)}

    def _change_settings(self, given: Json) -> Json:
        try:
            self._world.settings = self._world.settings.with_changes(given)
        except (UnknownSettingError, InvalidSettingError) as error:
            raise ControlError(str(error)) from None
        return self._show_settings({})

    def _show_settings(self, _: Json) -> Json:
        return self._world.settings.as_dict()

    def _replace_faults(self, given: Any) -> Json:
        try:
            self._world.faults = parse_faults(given)
        except InvalidFaultError as error:
            raise ControlError(str(error)) from None
        return {}

    def _show_faults(self, _: Json) -> Json:
        return {"faults": [fault.as_dict() for fault in self._world.faults]}

    def _replace_poison(self, given: Json) -> Json:
        """From now on a mapping or a request of events that holds one of these is refused whole.

        `ids` are hexadecimal identifiers, `event_ids` and `events` (names) are texts. A list takes the place of the
        one of its name, and what is not named stays.
        """
        refuse_unknown(given, {"ids", "event_ids", "events"})
        if not given:
            raise ControlError("one of these lists is needed: ids, event_ids, events")
        world = self._world
        ids = frozenset(hexadecimal("ids", item) for item in list_of(given, "ids", []))
        event_ids, events = (frozenset(texts_of(given, name, [])) for name in ("event_ids", "events"))
        world.poison = ids if "ids" in given else world.poison
        world.poisoned_event_ids = event_ids if "event_ids" in given else world.poisoned_event_ids
        world.poisoned_events = events if "events" in given else world.poisoned_events
        return {}

    def _find_members(self, given: Json) -> Json:
        """Which of these identifiers an audience holds, one row for each slot; a customer file's slot is null."""
        refuse_unknown(given, {"audience_id", "ids"})
        audience = self._audience(given)
        asked = {item: hexadecimal("ids", item) for item in list_of(given, "ids", None)}
        return {
            "members": [
                {"id": item, "slot": slot} for item, value in asked.items() for slot in audience.slots_of(value)
            ]
        }

    def _shrink(self, given: Json) -> Json:
        """So many people leave an audience, as when they delete their accounts."""
        refuse_unknown(given, {"audience_id", "members"})
        audience = self._audience(given)
        count = whole_number(given, "members", 1, len(audience.members), default=None)
        audience.lose(count, self._world.clock.now(), self._world.settings)
        return {"members": len(audience.members)}

    def _audience(self, given: Json) -> Audience:
        audience = self._world.audiences.get(digits("audience_id", given.get("audience_id")))
        if audience is None:
            raise ControlError("no audience has this audience_id: GET audiences tells which there are")
        return audience

    def _change_token(self, given: Json) -> Json:
        """Add a token, or change what is named of one that exists."""
        refuse_unknown(given, {"token", "state", "scopes", "advertiser_ids", "app_id"})
        world = self._world
        value = text_of(given, "token", default=None)
        known = world.tokens.get(value, AccessToken(value, [world.default_advertiser_id], list(Scope)))
        advertiser_ids = list_of(given, "advertiser_ids", known.advertiser_ids)
        for advertiser_id in advertiser_ids:
            digits("advertiser_ids", advertiser_id)
        world.tokens[value] = AccessToken(
            value=value,
            advertiser_ids=advertiser_ids,
            scopes=[word(Scope, "scopes", scope) for scope in list_of(given, "scopes", known.scopes)],
            state=word(TokenState, "state", given.get("state", known.state)),
            app_id=text_of(given, "app_id", default=known.app_id or DEFAULT_APP_ID),
        )
        world.advertisers.update(advertiser_ids)
        return {}

    def _show_requests(self, _: Json) -> Json:
        return {"requests": [request.as_dict() for request in self._world.requests]}

    def _show_audiences(self, _: Json) -> Json:
        now = self._world.clock.now()
        return {
            "audiences": [
                {
                    "audience_id": audience.audience_id,
                    "advertiser_id": audience.advertiser_id,
                    "name": audience.name,
                    "audience_type": audience.audience_type,
                    "audience_sub_type": audience.audience_sub_type,
                    "calculate_type": audience.calculate_type,
                    "retention_in_days": audience.retention_in_days,
                    "members": len(audience.members),
                    "members_sha256": audience.members_sha256(),
                    "is_valid": audience.is_valid(now),
                    "error_msg": audience.appearance(now).error_msg,
                }
                for audience in self._world.audiences.values()
            ]
        }
