"""The endpoints that list and make event sources (API reference section 7)."""

import time
import unicodedata
from typing import Any

from .answers import Json, parameter_error
from .calls import Call
from .clock import in_gmt
from .event_sources import OfflineEventSet, Pixel, TikTokApp
from .event_specification import Source
from .world import World

MAX_PIXEL_PAGE_SIZE, DEFAULT_PIXEL_PAGE_SIZE = 20, 10
MAX_PIXEL_NAME_LENGTH = 40
MAX_CRM_NAME_LENGTH = 40
MAX_IDS = 50
LONGEST_TEXT = 1_000
PIXEL_CATEGORIES = ("ONLINE_STORE", "FILLING_FORM", "CONTACTS", "LANDING_PAGE", "CUSTOMIZE_EVENTS")
PIXEL_ORDERS = ("EARLIEST_CREATE", "LATEST_CREATE")


def list_pixels(world: World, call: Call) -> Json:
    """GET /pixel/list/ (API reference section 7.1). `filtering` is not looked at."""
    parameters = call.parameters
    advertiser_id = parameters.identifier("advertiser_id")
    pixel_id = parameters.identifier("pixel_id") if parameters.has("pixel_id") else None
    code = _optional_text(call, "code")
    name = _optional_text(call, "name")
    order = parameters.choice("order_by", PIXEL_ORDERS, default="EARLIEST_CREATE")
    page = parameters.number("page", 1, None, 1)
    page_size = parameters.number("page_size", 1, MAX_PIXEL_PAGE_SIZE, DEFAULT_PIXEL_PAGE_SIZE)
    with world.lock:
        world.check_advertiser(call.token, advertiser_id)
        listed = [
            pixel
            for pixel in world.event_sources.pixels(advertiser_id, world.clock.now())
            if pixel_id in (None, pixel.pixel_id)
            and code in (None, pixel.event_source_id)
            and _resembles(name, pixel.name)
        ]
    if order == "LATEST_CREATE":
        listed.reverse()
    first = (page - 1) * page_size
    return {
        "pixels": [_listed_pixel(pixel) for pixel in listed[first : first + page_size]],
        "page_info": {
            "page": page,
            "page_size": page_size,
            "total_number": len(listed),
            "total_page": -(-len(listed) // page_size),
        },
    }


def create_pixel(world: World, call: Call) -> Json:
    """POST /pixel/create/ (API reference section 7.1). Two pixels may have the same name."""
    parameters = call.parameters
    advertiser_id = parameters.identifier("advertiser_id")
    name = parameters.text("pixel_name", 0, MAX_PIXEL_NAME_LENGTH)
    if not name:
        raise parameter_error("pixel_name cannot be empty.")
    if any(character >= "\u2600" and unicodedata.category(character) == "So" for character in name):
        raise parameter_error("pixel_name: Must not hold emojis.")
    category = parameters.choice("pixel_category", PIXEL_CATEGORIES) if parameters.has("pixel_category") else None
    partner_name = _optional_text(call, "partner_name")
    with world.lock:
        world.check_advertiser(call.token, advertiser_id)
        now = world.clock.now()
        pixel = world.event_sources.new_pixel(advertiser_id, name, now)
        pixel.listed_from = now + world.settings.list_lag_seconds
        pixel.category, pixel.partner_name = category, partner_name
        world.event_sources.add(pixel)
    return _shown_of_pixel(pixel)


def get_offline_event_sets(world: World, call: Call) -> Json:
    """GET /offline/get/ (API reference section 7.2): no pages. Without an advertiser, those that the token reaches."""
    parameters = call.parameters
    advertiser_id = parameters.identifier("advertiser_id") if parameters.has("advertiser_id") else None
    wanted = parameters.identifiers("event_set_ids", 0, LONGEST_TEXT) if parameters.has("event_set_ids") else []
    name = _optional_text(call, "name")
    with world.lock:
        if advertiser_id is not None:
            world.check_advertiser(call.token, advertiser_id)
        advertiser_ids = [advertiser_id] if advertiser_id is not None else call.token.advertiser_ids
        listed = world.event_sources.offline_event_sets(advertiser_ids, world.clock.now())
    return {
        "event_set_list": [
            {
                "advertiser_id": event_set.advertiser_id,
                "event_set_id": event_set.event_source_id,
                "name": event_set.name,
                "description": event_set.description,
                "auto_tracking": event_set.auto_tracking,
                "create_time": in_gmt(event_set.created_at),
                "update_time": in_gmt(event_set.created_at),
            }
            for event_set in listed
            if (not wanted or event_set.event_source_id in wanted) and _resembles(name, event_set.name)
        ]
    }


def create_offline_event_set(world: World, call: Call) -> Json:
    """POST /offline/create/ (API reference section 7.2). Two event sets may have the same name."""
    parameters = call.parameters
    advertiser_id = parameters.identifier("advertiser_id")
    name = parameters.text("name", 1, LONGEST_TEXT)
    description = parameters.text("description", 0, LONGEST_TEXT)
    auto_tracking = parameters.flag("auto_tracking")
    with world.lock:
        world.check_advertiser(call.token, advertiser_id)
        most = world.settings.max_offline_event_sets
        if world.event_sources.count(Source.OFFLINE, advertiser_id) >= most:
            raise parameter_error(f"The advertiser already has {most} offline event sets.")
        now = world.clock.now()
        event_set = OfflineEventSet(
            event_source_id=world.new_id(),
            advertiser_id=advertiser_id,
            name=name,
            created_at=now,
            listed_from=now + world.settings.list_lag_seconds,
            description=description,
            auto_tracking=auto_tracking,
        )
        world.event_sources.add(event_set)
    return {"event_set_id": event_set.event_source_id}


def list_crm_event_sets(world: World, call: Call) -> Json:
    """GET /crm/list/ (API reference section 7.3): an event set has to satisfy both filters."""
    parameters = call.parameters
    advertiser_id = parameters.identifier("advertiser_id")
    name = parameters.text("name", 1, MAX_CRM_NAME_LENGTH) if parameters.has("name") else None
    wanted = parameters.identifiers("event_set_ids", 1, MAX_IDS) if parameters.has("event_set_ids") else None
    with world.lock:
        world.check_advertiser(call.token, advertiser_id)
        listed = world.event_sources.crm_event_sets(advertiser_id, world.clock.now())
    return {
        "crm_event_sets": [
            {
                "event_set_id": event_set.event_source_id,
                "name": event_set.name,
                "create_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(event_set.created_at)),
            }
            for event_set in listed
            if name in (None, event_set.name) and (wanted is None or event_set.event_source_id in wanted)
        ]
    }


def list_apps(world: World, call: Call) -> Json:
    """GET /app/list/ (API reference section 7.3)."""
    parameters = call.parameters
    advertiser_id = parameters.identifier("advertiser_id")
    platform_ids = parameters.texts("app_platform_ids", 0, LONGEST_TEXT) if parameters.has("app_platform_ids") else []
    with world.lock:
        world.check_advertiser(call.token, advertiser_id)
        listed = [_shown_of_app(app) for app in world.event_sources.apps(advertiser_id, world.clock.now())]
    return {"apps": [app for app in listed if not platform_ids or app["app_platform_id"] in platform_ids]}


def _optional_text(call: Call, name: str) -> str | None:
    return call.parameters.text(name, 0, LONGEST_TEXT) if call.parameters.has(name) else None


def _resembles(wanted: str | None, name: str) -> bool:
    """The fuzzy filter: whoever looks for one name may be given others."""
    return wanted is None or wanted.lower() in name.lower()


def _shown_of_pixel(pixel: Pixel) -> dict[str, Any]:
    return {
        "pixel_id": pixel.pixel_id,
        "pixel_code": pixel.event_source_id,
        "pixel_name": pixel.name,
        "pixel_category": pixel.category,
        "partner_name": pixel.partner_name,
        "advanced_matching_fields": {"email": False, "phone_number": False},
    }


def _listed_pixel(pixel: Pixel) -> dict[str, Any]:
    return {
        **_shown_of_pixel(pixel),
        "pixel_script": None,
        "create_time": in_gmt(pixel.created_at),
        "pixel_setup_mode": "DEVELOPER",
        "automatic_advanced_matching_fields": {"email": False, "phone_number": False},
        "enable_first_party_cookies": False,
        "enable_expanded_data_sharing": False,
        "asset_ownership": {"asset_relation_status": None, "ownership_status": None, "owner_bc_id": None},
        "events": [],
    }


def _shown_of_app(app: TikTokApp) -> dict[str, Any]:
    return {
        "app_id": app.event_source_id,
        "app_name": app.name,
        "app_platform_id": f"com.example.app{app.event_source_id[-4:]}",
        "platform": "ANDROID",
        "package_name": f"com.example.app{app.event_source_id[-4:]}",
        "download_url": None,
        "partner": None,
        "create_time": in_gmt(app.created_at),
    }
