"""The endpoints about advertisers (API reference sections 2.1 and 2.2)."""

from typing import Any

from .answers import Json
from .calls import Call
from .world import World

MAX_ADVERTISERS = 100
CREATE_TIME = 1_640_995_200
"""Epoch seconds, unlike the times of audiences (API reference section 2.2)."""


def authorised_advertisers(world: World, call: Call) -> Json:
    """GET /oauth2/advertiser/get/: the advertisers that the token reaches. Any app_id and secret will do."""
    call.parameters.text("app_id", 1, 1_000)
    call.parameters.text("secret", 1, 1_000)
    with world.lock:
        return {
            "list": [
                {"advertiser_id": advertiser_id, "advertiser_name": _name(advertiser_id)}
                for advertiser_id in call.token.advertiser_ids
            ]
        }


def advertiser_info(world: World, call: Call) -> Json:
    """GET /advertiser/info/: all fields, or those that are asked for."""
    advertiser_ids = call.parameters.identifiers("advertiser_ids", 1, MAX_ADVERTISERS)
    fields = call.parameters.texts("fields", 0, 100) if call.parameters.has("fields") else []
    with world.lock:
        for advertiser_id in advertiser_ids:
            world.check_advertiser(call.token, advertiser_id)
    rows = (_info(advertiser_id) for advertiser_id in dict.fromkeys(advertiser_ids))
    return {"list": [{name: value for name, value in row.items() if not fields or name in fields} for row in rows]}


def _name(advertiser_id: str) -> str:
    return f"Emulated advertiser {advertiser_id[-4:]}"


def _info(advertiser_id: str) -> dict[str, Any]:
    return {
        "advertiser_id": advertiser_id,
        "name": _name(advertiser_id),
        "owner_bc_id": None,
        "status": "STATUS_ENABLE",
        "role": "ROLE_ADVERTISER",
        "rejection_reason": None,
        "company": "Example company",
        "industry": "290000",
        "address": None,
        "country": "GB",
        "currency": "GBP",
        "timezone": "Etc/GMT",
        "display_timezone": "Europe/London",
        "advertiser_account_type": "AUCTION",
        "contacter": None,
        "email": None,
        "cellphone_number": None,
        "telephone_number": None,
        "language": "en",
        "license_no": None,
        "license_url": None,
        "description": None,
        "balance": 0,
        "create_time": CREATE_TIME,
        "promotion_area": None,
        "brand": None,
        "promotion_center_city": None,
        "promotion_center_province": None,
    }
