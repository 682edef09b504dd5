"""The endpoints under /dmp/custom_audience/ (API reference section 3)."""

import hashlib
import secrets
from typing import Any

from .answers import ApiError, Code, Json, parameter_error
from .audiences import Action, Audience
from .calls import Call
from .clock import in_gmt
from .customer_files import (
    AUDIENCE_TYPES,
    UPLOAD_TYPES,
    CustomerFile,
    audience_type_of,
    parse_content,
)
from .world import World

MAX_FILE_PATHS = 500
FILE_PATH_LENGTH = 16
MAX_NAME_LENGTH = 128
MAX_IDS = 100
MAX_PAGE_SIZE, DEFAULT_PAGE_SIZE = 100, 10
MAX_RETENTION_DAYS = 365
SUB_TYPES = ("NORMAL", "REACH_FREQUENCY")
EDITOR = "open_api"


def upload_file(world: World, call: Call) -> Json:
    """POST /dmp/custom_audience/file/upload/ (API reference section 3.1)."""
    advertiser_id = call.parameters.identifier("advertiser_id")
    calculate_type = call.parameters.choice("calculate_type", UPLOAD_TYPES)
    signature = call.parameters.text("file_signature", 1, 1_000)
    if call.file is None:
        raise parameter_error("file: Missing data for required field.")
    with world.lock:
        world.check_advertiser(call.token, advertiser_id)
        max_bytes = world.settings.max_file_size_bytes
    content = call.file.content
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != signature.lower():
        raise ApiError(Code.FILE_SIGNATURE_ERROR, "The file_signature is not the MD5 of the file.")
    if not call.file.name.endswith((".csv", ".txt")):
        raise ApiError(Code.FILE_TYPE_WRONG, "The file name must end in .csv or .txt.")
    if not content:
        raise ApiError(Code.FILE_EMPTY, "The file is empty.")
    if len(content) > max_bytes:
        raise ApiError(Code.FILE_TOO_LARGE, f"The file is larger than {max_bytes} bytes.")
    # Outside the lock: a large file takes a while, and other calls must not wait for it.
    identifiers = parse_content(content, calculate_type)
    file_path = secrets.token_hex(FILE_PATH_LENGTH // 2)
    with world.lock:
        stored_type = audience_type_of(calculate_type)
        world.files[file_path] = CustomerFile(file_path, advertiser_id, stored_type, world.clock.now(), identifiers)
    return {"file_path": file_path}


def create_audience(world: World, call: Call) -> Json:
    """POST /dmp/custom_audience/create/ (API reference section 3.4)."""
    parameters = call.parameters
    advertiser_id = parameters.identifier("advertiser_id")
    name = parameters.text("custom_audience_name", 1, MAX_NAME_LENGTH)
    file_paths = parameters.texts("file_paths", 1, MAX_FILE_PATHS, length=FILE_PATH_LENGTH)
    calculate_type = parameters.choice("calculate_type", AUDIENCE_TYPES)
    sub_type = parameters.choice("audience_sub_type", SUB_TYPES, default="NORMAL")
    retention = parameters.number("retention_in_days", 1, MAX_RETENTION_DAYS, 0) or None
    enhancement = parameters.flag("audience_enhancement")
    with world.lock:
        world.check_advertiser(call.token, advertiser_id)
        world.check_room(advertiser_id)
        files = world.usable_files(advertiser_id, file_paths)
        types = _types_of(files)
        if world.settings.refuse_mismatched_files and types != [calculate_type]:
            raise ApiError(Code.FILE_CALCULATE_TYPE_WRONG, "The files are not of the stated calculate_type.")
        now = world.clock.now()
        audience = Audience(
            audience_id=world.new_id(),
            advertiser_id=advertiser_id,
            name=name,
            calculate_type=calculate_type,
            created_at=now,
            listed_from=now + world.settings.list_lag_seconds,
            retention_in_days=retention,
            audience_sub_type=sub_type,
            audience_enhancement=enhancement,
        )
        audience.create(_identifiers_in(files), types, now, world.settings)
        world.audiences[audience.audience_id] = audience
    return {"custom_audience_id": audience.audience_id}


def update_audience(world: World, call: Call) -> Json:
    """POST /dmp/custom_audience/update/ (API reference section 3.5). Without action it replaces everything."""
    parameters = call.parameters
    advertiser_id = parameters.identifier("advertiser_id")
    audience_id = parameters.identifier("custom_audience_id")
    name = (
        parameters.text("custom_audience_name", 1, MAX_NAME_LENGTH) if parameters.has("custom_audience_name") else None
    )
    file_paths = (
        parameters.texts("file_paths", 1, MAX_FILE_PATHS, length=FILE_PATH_LENGTH)
        if parameters.has("file_paths")
        else []
    )
    action = Action(parameters.choice("action", tuple(Action), default=Action.REPLACE))
    sub_type = parameters.choice("audience_sub_type", SUB_TYPES) if parameters.has("audience_sub_type") else None
    enhancement = parameters.flag("audience_enhancement")
    if name is None and not file_paths and sub_type is None and not parameters.has("audience_enhancement"):
        raise parameter_error("custom_audience_name, file_paths: One of them is required.")
    with world.lock:
        world.check_advertiser(call.token, advertiser_id)
        audience = world.own_audience(advertiser_id, audience_id)
        now = world.clock.now()
        if sub_type is not None:
            _change_sub_type(audience, sub_type)
            return {}
        if file_paths and not audience.takes_files:
            raise parameter_error("file_paths: The custom audience is not made of customer files.")
        files = world.usable_files(advertiser_id, file_paths)
        if files and world.settings.refuse_update_while_processing and audience.is_processing(now):
            raise parameter_error("The custom audience is still being processed.")
        if files and world.settings.refuse_mismatched_files and not audience.accepts(_types_of(files)):
            raise ApiError(Code.FILE_CALCULATE_TYPE_WRONG, "The files are not of the audience's calculate_type.")
        if name is not None:
            audience.rename(name, now)
        if parameters.has("audience_enhancement"):
            audience.audience_enhancement = enhancement
        if files:
            audience.update(action, _identifiers_in(files), _types_of(files), now, world.settings)
    return {}


def list_audiences(world: World, call: Call) -> Json:
    """GET /dmp/custom_audience/list/ (API reference section 3.6)."""
    parameters = call.parameters
    advertiser_id = parameters.identifier("advertiser_id")
    wanted = (
        parameters.identifiers("custom_audience_ids", 1, MAX_IDS) if parameters.has("custom_audience_ids") else None
    )
    page = parameters.number("page", 1, None, 1)
    page_size = parameters.number("page_size", 1, MAX_PAGE_SIZE, DEFAULT_PAGE_SIZE)
    with world.lock:
        world.check_advertiser(call.token, advertiser_id)
        now = world.clock.now()
        listed = [
            audience
            for audience in reversed(world.audiences_of(advertiser_id))
            if now >= audience.listed_from and (wanted is None or audience.audience_id in wanted)
        ]
        first = (page - 1) * page_size
        rows = [
            {**_shown_everywhere(audience, now), "audience_type": audience.audience_type}
            for audience in listed[first : first + page_size]
        ]
    return {
        "list": rows,
        "page_info": {
            "page": page,
            "page_size": page_size,
            "total_number": len(listed),
            "total_page": -(-len(listed) // page_size),
        },
    }


def get_audiences(world: World, call: Call) -> Json:
    """GET /dmp/custom_audience/get/ (API reference section 3.7). Unknown ids are left out."""
    parameters = call.parameters
    advertiser_id = parameters.identifier("advertiser_id")
    wanted = parameters.identifiers("custom_audience_ids", 1, MAX_IDS)
    history_size = parameters.number("history_size", 1, 100, 100)
    with world.lock:
        world.check_advertiser(call.token, advertiser_id)
        now = world.clock.now()
        found = (world.audiences.get(audience_id) for audience_id in dict.fromkeys(wanted))
        return {
            "list": [
                {
                    "audience_details": _details(audience, now),
                    "audience_history": history_rows(audience, now)[-history_size:],
                }
                for audience in found
                if audience is not None and audience.advertiser_id == advertiser_id
            ]
        }


def delete_audiences(world: World, call: Call) -> Json:
    """POST /dmp/custom_audience/delete/ (API reference section 3.8): all of them or none."""
    advertiser_id = call.parameters.identifier("advertiser_id")
    audience_ids = call.parameters.identifiers("custom_audience_ids", 1, MAX_IDS)
    with world.lock:
        world.check_advertiser(call.token, advertiser_id)
        known = {audience.audience_id for audience in world.audiences_of(advertiser_id)}
        if not world.settings.ignore_unknown_ids_in_delete and not known.issuperset(audience_ids):
            raise parameter_error("Parameter error: invalid audience ID")
        for audience_id in known.intersection(audience_ids):
            del world.audiences[audience_id]
    return {}


def history_rows(audience: Audience, now: float) -> list[dict[str, Any]]:
    """The history in the words of get, oldest first."""
    return [
        {
            "action": entry.action,
            "action_detail": entry.action_detail,
            "editor": EDITOR,
            "msg": entry.shown_msg(now),
            "opt_time": in_gmt(entry.opt_time),
        }
        for entry in audience.history
    ]


def _types_of(files: list[CustomerFile]) -> list[str]:
    return list(dict.fromkeys(file.calculate_type for file in files))


def _identifiers_in(files: list[CustomerFile]) -> set[bytes]:
    identifiers: set[bytes] = set()
    for file in files:
        identifiers.update(file.identifiers)
    return identifiers


def _change_sub_type(audience: Audience, sub_type: str) -> None:
    """Everything else in the update is ignored then (API reference section 3.5)."""
    if sub_type == "NORMAL" and audience.audience_sub_type != "NORMAL":
        raise parameter_error("audience_sub_type: Can only be changed from NORMAL to REACH_FREQUENCY.")
    audience.audience_sub_type = sub_type


def _shown_everywhere(audience: Audience, now: float) -> dict[str, Any]:
    return {
        "audience_id": audience.audience_id,
        "name": audience.name,
        "calculate_type": audience.calculate_type,
        "cover_num": audience.appearance(now).cover_num,
        "create_time": in_gmt(audience.created_at),
        "expired_time": in_gmt(audience.expires_at),
        "is_valid": audience.is_valid(now),
        "is_expiring": audience.is_expiring(now),
        "is_creator": True,
        "shared": False,
    }


def _details(audience: Audience, now: float) -> dict[str, Any]:
    return {
        **_shown_everywhere(audience, now),
        "type": audience.audience_type,
        "audience_sub_type": audience.audience_sub_type,
        "is_auto_refresh": None,
        "owner_id": audience.advertiser_id,
        "msg": None,
        "error_msg": audience.appearance(now).error_msg,
        "rule": '{"inclusions": null, "exclusions": null}',
        "audience_enhancement": audience.audience_enhancement,
        "enhancement_status": None,
        "lookalike_spec": None,
    }
