"""The lists of event sources, and how new ones are made."""

import re
from typing import Any

import pytest
import requests

from .driver import API, EVENT_SOURCE_IDS, Driver, any_event

PIXELS = API + "pixel/list/"
SEED = {"web": "Emulated pixel", "app": "Emulated app", "offline": "Emulated shops", "crm": "Emulated CRM"}


def pixels(tiktok: Driver, **query: Any) -> list[str]:
    answer = tiktok.get(PIXELS, advertiser_id=tiktok.emulator.advertiser_id, **query)
    return [pixel["pixel_name"] for pixel in answer["data"]["pixels"]]


def create_pixel(tiktok: Driver, **fields: Any) -> Any:
    return tiktok.post(API + "pixel/create/", {"advertiser_id": tiktok.emulator.advertiser_id, **fields})


def offline_sets(tiktok: Driver, **query: Any) -> list[str]:
    answer = tiktok.get(API + "offline/get/", **query)
    return [event_set["name"] for event_set in answer["data"]["event_set_list"]]


def create_offline_set(tiktok: Driver, **fields: Any) -> Any:
    body = {"advertiser_id": tiktok.emulator.advertiser_id, "name": "shops", "description": "all of them", **fields}
    return tiktok.post(API + "offline/create/", body)


def crm_sets(tiktok: Driver, **query: Any) -> list[str]:
    answer = tiktok.get(API + "crm/list/", advertiser_id=tiktok.emulator.advertiser_id, **query)
    return [event_set["name"] for event_set in answer["data"]["crm_event_sets"]]


def test_there_is_one_event_source_of_each_kind_from_the_start(tiktok: Driver) -> None:
    told = tiktok.control("GET", "event_sources")["event_sources"]
    assert {kept["event_source"]: kept["event_source_id"] for kept in told} == EVENT_SOURCE_IDS
    assert {kept["event_source"]: kept["name"] for kept in told} == SEED
    assert {kept["advertiser_id"] for kept in told} == {tiktok.emulator.advertiser_id}
    assert len(EVENT_SOURCE_IDS["web"]) == 20


def test_the_pixels_come_in_data_pixels_with_their_codes(tiktok: Driver) -> None:
    data = tiktok.get(PIXELS, advertiser_id=tiktok.emulator.advertiser_id)["data"]
    (pixel,) = data["pixels"]
    assert (pixel["pixel_code"], pixel["pixel_name"]) == (EVENT_SOURCE_IDS["web"], "Emulated pixel")
    assert re.fullmatch(r"[0-9]{19}", pixel["pixel_id"])
    assert data["page_info"] == {"page": 1, "page_size": 10, "total_number": 1, "total_page": 1}


def test_pixels_are_paged_by_twenty_at_most(tiktok: Driver) -> None:
    for number in range(24):
        tiktok.add_event_source("web", f"pixel {number}")
    assert len(pixels(tiktok)) == 10
    assert [len(pixels(tiktok, page=page, page_size=20)) for page in (1, 2, 3)] == [20, 5, 0]
    for page_size in (0, 21):
        assert tiktok.get(PIXELS, advertiser_id=tiktok.emulator.advertiser_id, page_size=page_size)["code"] == 40002


def test_pixels_come_oldest_first_unless_the_order_is_turned(tiktok: Driver) -> None:
    tiktok.add_event_source("web", "newer")
    assert pixels(tiktok) == pixels(tiktok, order_by="EARLIEST_CREATE") == ["Emulated pixel", "newer"]
    assert pixels(tiktok, order_by="LATEST_CREATE") == ["newer", "Emulated pixel"]
    assert tiktok.get(PIXELS, advertiser_id=tiktok.emulator.advertiser_id, order_by="latest")["code"] == 40002


def test_the_name_filter_of_pixels_is_fuzzy_and_those_of_code_and_id_are_not(tiktok: Driver) -> None:
    code = tiktok.add_event_source("web", "Shop")
    tiktok.add_event_source("web", "Old shop")
    assert pixels(tiktok, name="shop") == ["Shop", "Old shop"]
    assert pixels(tiktok, code=code) == ["Shop"]
    assert pixels(tiktok, code=code[:-1]) == []
    assert pixels(tiktok, code=code, name="old") == []
    pixel_id = create_pixel(tiktok, pixel_name="by id")["data"]["pixel_id"]
    assert pixels(tiktok, pixel_id=pixel_id) == ["by id"]


def test_a_new_pixel_has_an_id_and_a_code_and_takes_events(tiktok: Driver) -> None:
    answer = create_pixel(tiktok, pixel_name="shop", pixel_category="ONLINE_STORE", partner_name="Somebody")
    made = answer["data"]
    assert re.fullmatch(r"[A-Z0-9]{20}", made["pixel_code"])
    assert (made["pixel_name"], made["pixel_category"], made["partner_name"]) == ("shop", "ONLINE_STORE", "Somebody")
    assert pixels(tiktok) == ["Emulated pixel", "shop"]
    assert tiktok.track([any_event()], event_source_id=made["pixel_code"])["code"] == 0


def test_two_pixels_may_have_the_same_name(tiktok: Driver) -> None:
    codes = {create_pixel(tiktok, pixel_name="shop")["data"]["pixel_code"] for _ in range(2)}
    assert (len(codes), pixels(tiktok, name="shop")) == (2, ["shop", "shop"])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"pixel_name": ""},
        {"pixel_name": "x" * 41},
        {"pixel_name": "shop 🛒"},
        {"pixel_name": 7},
        {"pixel_name": "shop", "pixel_category": "SHOP"},
    ],
)
def test_a_pixel_without_a_proper_name_or_category_is_refused(tiktok: Driver, fields: dict[str, Any]) -> None:
    assert create_pixel(tiktok, **fields)["code"] == 40002
    assert pixels(tiktok) == ["Emulated pixel"]


def test_an_empty_pixel_name_is_refused_in_tiktoks_words(tiktok: Driver) -> None:
    assert create_pixel(tiktok, pixel_name="")["message"] == "pixel_name cannot be empty."
    assert create_pixel(tiktok, pixel_name="Größe – 中文 ©")["code"] == 0


def test_a_new_event_source_may_be_listed_late_and_takes_events_at_once(tiktok: Driver) -> None:
    tiktok.emulator.tell("settings", {"list_lag_seconds": 60})
    made = create_pixel(tiktok, pixel_name="slow")["data"]
    create_offline_set(tiktok, name="slow")
    assert (pixels(tiktok), offline_sets(tiktok)) == (["Emulated pixel"], ["Emulated shops"])
    assert tiktok.track([any_event()], event_source_id=made["pixel_code"])["code"] == 0
    tiktok.advance(60)
    assert (pixels(tiktok, name="slow"), offline_sets(tiktok, name="slow")) == (["slow"], ["slow"])


def test_a_pixel_whose_answer_was_lost_exists(tiktok: Driver) -> None:
    tiktok.emulator.tell("faults", [{"path": "pixel/create/", "kind": "drop_after_commit"}])
    with pytest.raises(requests.ConnectionError):
        create_pixel(tiktok, pixel_name="lost")
    assert pixels(tiktok, name="lost") == ["lost"]


def test_an_offline_event_set_is_made_listed_and_filled(tiktok: Driver) -> None:
    event_set_id = create_offline_set(tiktok, auto_tracking=True)["data"]["event_set_id"]
    answer = tiktok.get(API + "offline/get/", advertiser_id=tiktok.emulator.advertiser_id, event_set_ids=[event_set_id])
    (event_set,) = answer["data"]["event_set_list"]
    times = {event_set.pop("create_time"), event_set.pop("update_time")}
    assert event_set == {
        "advertiser_id": tiktok.emulator.advertiser_id,
        "event_set_id": event_set_id,
        "name": "shops",
        "description": "all of them",
        "auto_tracking": True,
    }
    assert len(times) == 1
    assert tiktok.track([any_event("offline")], "offline", event_source_id=event_set_id)["code"] == 0


@pytest.mark.parametrize("missing", ["advertiser_id", "name", "description"])
def test_an_offline_event_set_needs_a_name_and_a_description(tiktok: Driver, missing: str) -> None:
    assert create_offline_set(tiktok, **{missing: None})["code"] == 40002


def test_the_eleventh_offline_event_set_is_refused(tiktok: Driver) -> None:
    assert [create_offline_set(tiktok)["code"] for _ in range(10)] == [0] * 9 + [40002]
    tiktok.emulator.tell("settings", {"max_offline_event_sets": 11})
    assert create_offline_set(tiktok)["code"] == 0


def test_without_an_advertiser_the_offline_event_sets_of_all_that_the_token_reaches_are_shown(tiktok: Driver) -> None:
    second, third = "7000000000000000002", "7000000000000000003"
    tiktok.add_event_source("offline", "second", advertiser_id=second)
    tiktok.add_event_source("offline", "third", advertiser_id=third)
    reached = [tiktok.emulator.advertiser_id, second]
    tiktok.emulator.tell("tokens", {"token": tiktok.emulator.access_token, "advertiser_ids": reached})
    assert offline_sets(tiktok) == ["Emulated shops", "second"]
    assert offline_sets(tiktok, advertiser_id=second) == ["second"]
    assert tiktok.get(API + "offline/get/", advertiser_id=third)["code"] == 40001


def test_crm_event_sets_are_found_by_exact_name_and_id_together(tiktok: Driver) -> None:
    event_set_id = tiktok.add_event_source("crm", "Leads")
    assert crm_sets(tiktok) == ["Emulated CRM", "Leads"]
    assert crm_sets(tiktok, name="Leads") == crm_sets(tiktok, event_set_ids=[event_set_id]) == ["Leads"]
    assert crm_sets(tiktok, name="leads") == []
    assert crm_sets(tiktok, name="Emulated CRM", event_set_ids=[event_set_id]) == []


@pytest.mark.parametrize("query", [{"name": "x" * 41}, {"event_set_ids": [str(n) for n in range(1, 52)]}])
def test_the_filters_of_crm_event_sets_have_limits(tiktok: Driver, query: dict[str, Any]) -> None:
    answer = tiktok.get(API + "crm/list/", advertiser_id=tiktok.emulator.advertiser_id, **query)
    assert answer["code"] == 40002


def test_the_times_of_crm_event_sets_are_iso_8601(tiktok: Driver) -> None:
    data = tiktok.get(API + "crm/list/", advertiser_id=tiktok.emulator.advertiser_id)["data"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", data["crm_event_sets"][0]["create_time"])


def test_apps_are_listed_and_found_by_platform_id(tiktok: Driver) -> None:
    tiktok.add_event_source("app", "second app")
    first, second = tiktok.get(API + "app/list/", advertiser_id=tiktok.emulator.advertiser_id)["data"]["apps"]
    assert (first["app_id"], first["app_name"]) == (EVENT_SOURCE_IDS["app"], "Emulated app")
    wanted = [second["app_platform_id"]]
    answer = tiktok.get(API + "app/list/", advertiser_id=tiktok.emulator.advertiser_id, app_platform_ids=wanted)
    assert answer["data"] == {"apps": [second]}


@pytest.mark.parametrize("path", ["pixel/list/", "offline/get/", "crm/list/", "app/list/"])
def test_a_list_of_another_advertiser_or_of_none_is_refused(tiktok: Driver, path: str) -> None:
    tiktok.add_event_source("web", "theirs", advertiser_id="7000000000000000002")
    assert tiktok.get(API + path, advertiser_id="7000000000000000002")["code"] == 40001
    assert tiktok.get(API + path, advertiser_id="7000000000000000009")["code"] == 40002
    if path != "offline/get/":
        assert tiktok.get(API + path)["code"] == 40002


def test_an_event_source_can_be_added_under_a_chosen_id(tiktok: Driver) -> None:
    assert tiktok.add_event_source("web", "mine", event_source_id="C0DE") == "C0DE"
    assert tiktok.add_event_source("crm", "mine", event_source_id="77") == "77"
    assert tiktok.track([any_event()], event_source_id="C0DE")["code"] == 0
