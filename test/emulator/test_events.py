"""What /event/track/ takes and what it refuses."""

import json
from typing import Any

import pytest

from .driver import EVENT_SOURCE_IDS, EVENT_TIME, TRACK, Driver, any_event, digests

SOURCES = sorted(EVENT_SOURCE_IDS)
NOTHING = {"received": 0, "counted": 0, "merged": 0, "dropped": 0, "test": 0, "refused_requests": 0}
(HASH,) = digests(1)


def refusal(tiktok: Driver, data: object, source: str = "web", **changed: Any) -> tuple[int, str]:
    answer = tiktok.track(data, source, **changed)
    return answer["code"], answer["message"]


@pytest.mark.parametrize("source", SOURCES)
def test_an_event_of_each_source_is_counted_and_kept_as_it_came(tiktok: Driver, source: str) -> None:
    event = any_event(source, event_id="1", unknown={"a": [1, None]}, user={"email": HASH, "unknown": 7})
    answer = tiktok.track([event], source)
    assert (answer["code"], answer["message"], answer["data"]) == (0, "OK", {})
    received = tiktok.received(source)
    assert received["counts"] == {**NOTHING, "received": 1, "counted": 1}
    assert [(kept["body"], kept["outcome"]) for kept in received["events"]] == [(event, "counted")]


def test_every_documented_member_is_taken(tiktok: Driver) -> None:
    event = any_event(
        event_id="1",
        limited_data_use=True,
        user={
            "email": [HASH, HASH],
            "phone": HASH,
            "external_id": [HASH],
            "ttclid": "c" * 1_000,
            "ttp": "t",
            "ip": "2001:db8::1",
            "user_agent": "Mozilla/5.0",
            "idfa": "A",
            "idfv": "B",
            "gaid": "c",
            "locale": "en-GB",
            "att_status": "NOT_DETERMINED",
            **dict.fromkeys(("first_name", "last_name", "zip_code"), HASH),
            **dict.fromkeys(("city", "state", "country"), "x"),
        },
        properties={
            "content_ids": ["1"],
            "contents": [
                {
                    "price": 9.99,
                    "content_id": "1",
                    "content_category": "hats",
                    "content_name": "hat",
                    "brand": "b",
                    "quantity": 2,
                }
            ],
            "content_type": "product_group",
            "currency": "GBP",
            "value": 19.98,
            "num_items": 2,
            "customer_type": "new",
            **dict.fromkeys(("search_string", "description", "order_id", "shop_id", "query"), "x"),
        },
        page={"url": "https://shop.example", "referrer": ""},
        ad={"callback": "c", "campaign_id": "1", "ad_id": "2", "creative_id": "3", "is_retargeting": False},
    )
    assert tiktok.track([event], partner_name="Somebody")["code"] == 0


@pytest.mark.parametrize(
    ("source", "changed", "path"),
    [
        ("web", {"event": None}, "event: Missing data for required field"),
        ("web", {"event": ""}, "event: Length"),
        ("web", {"event_time": None}, "event_time: Missing data for required field"),
        ("web", {"event_time": str(EVENT_TIME)}, "event_time: Not a valid integer"),
        ("web", {"event_time": 1.5}, "event_time: Not a valid integer"),
        ("web", {"event_time": True}, "event_time: Not a valid integer"),
        ("web", {"event_id": 7}, "event_id: Not a valid string"),
        ("web", {"page": None}, "page: Missing data for required field"),
        ("web", {"page": {}}, "page.url: Missing data for required field"),
        ("web", {"page": "https://shop.example"}, "page: Not a valid object"),
        ("web", {"user": [HASH]}, "user: Not a valid object"),
        ("web", {"user": {"email": [HASH, 7]}}, "user.email.1: Not a valid string"),
        ("web", {"user": {"phone": 441234567890}}, "user.phone: Not a valid string"),
        ("web", {"user": {"ttclid": "c" * 1_001}}, "user.ttclid: Length"),
        ("app", {"user": {"att_status": "authorized"}}, "user.att_status: Must be one of"),
        (
            "web",
            {"properties": {"contents": [{"content_id": 7}]}},
            "properties.contents.0.content_id: Not a valid string",
        ),
        ("web", {"properties": {"contents": {"content_id": "7"}}}, "properties.contents: Not a valid list"),
        ("web", {"properties": {"contents": [{"price": "9.99"}]}}, "properties.contents.0.price: Not a valid number"),
        ("web", {"properties": {"content_ids": "7"}}, "properties.content_ids: Not a valid list"),
        ("web", {"properties": {"content_ids": ["7", 7]}}, "properties.content_ids.1: Not a valid string"),
        ("web", {"properties": {"content_type": "Product"}}, "properties.content_type: Must be one of"),
        ("web", {"properties": {"currency": "gbp"}}, "properties.currency: Not a valid ISO 4217 code"),
        ("web", {"properties": {"currency": "£"}}, "properties.currency: Not a valid ISO 4217 code"),
        ("web", {"properties": {"value": "1,000"}}, "properties.value: Not a valid number"),
        ("web", {"properties": {"value": False}}, "properties.value: Not a valid number"),
        ("web", {"properties": {"num_items": 1.5}}, "properties.num_items: Not a valid integer"),
        ("web", {"properties": {"customer_type": "old"}}, "properties.customer_type: Must be one of"),
        ("web", {"limited_data_use": "true"}, "limited_data_use: Not a valid boolean"),
        ("web", {"ad": {"attributed": 1}}, "ad.attributed: Not a valid boolean"),
        ("web", {"ad": {"attribution_share": 1.5}}, "ad.attribution_share: Must be between 0 and 1"),
        ("app", {"app": None}, "app: Missing data for required field"),
        ("app", {"app": {"app_name": "shop"}}, "app.app_id: Missing data for required field"),
        ("crm", {"lead": None}, "lead: Missing data for required field"),
        ("crm", {"lead": {"lead_event_source": "crm"}}, "lead.lead_id: Missing data for required field"),
        ("offline", {"event": "purchase"}, "event: Not a standard event"),
        ("offline", {"event": "VisitedTheShop"}, "event: Not a standard event"),
    ],
)
def test_one_bad_event_refuses_all_and_is_named_by_its_path(
    tiktok: Driver, source: str, changed: dict[str, Any], path: str
) -> None:
    good = any_event(source)
    code, message = refusal(tiktok, [good, good, good, any_event(source, **changed)], source)
    assert code == 40002
    assert message.startswith(f"data.3.{path}")
    assert tiktok.received(source)["counts"] == {**NOTHING, "refused_requests": 1}


def test_the_recorded_text_is_given_word_for_word(tiktok: Driver) -> None:
    bad = any_event(properties={"contents": [{"content_id": 12345}]})
    assert refusal(tiktok, [bad])[1] == "data.0.properties.contents.0.content_id: Not a valid string"


def test_an_event_that_is_no_object_is_refused(tiktok: Driver) -> None:
    assert refusal(tiktok, ["Purchase"]) == (40002, "data.0: Not a valid object")


def test_a_number_that_json_does_not_know_is_refused(tiktok: Driver) -> None:
    body = {"event_source": "web", "event_source_id": EVENT_SOURCE_IDS["web"]}
    text = json.dumps({**body, "data": [any_event(properties={"value": float("nan")})]})
    answer = tiktok.request("POST", TRACK, data=text, headers={"Content-Type": "application/json"}).json()
    assert answer["message"] == "data.0.properties.value: Not a valid number"


@pytest.mark.parametrize("source", ["web", "app", "crm"])
def test_an_event_may_have_a_name_of_its_own(tiktok: Driver, source: str) -> None:
    assert tiktok.track([any_event(source, event="VisitedTheShop")], source)["code"] == 0


def test_a_request_has_one_to_a_thousand_events(tiktok: Driver) -> None:
    assert refusal(tiktok, [])[0] == 40002
    assert refusal(tiktok, None)[0] == 40002
    assert refusal(tiktok, {})[0] == 40002
    assert refusal(tiktok, [any_event()] * 1_001) == (40002, "data: Length must be between 1 and 1000.")
    assert tiktok.track([any_event()] * 1_000)["code"] == 0


def test_an_empty_request_tells_a_good_token_from_a_bad_one(tiktok: Driver) -> None:
    assert refusal(tiktok, [])[0] == 40002
    tiktok.headers = {"Access-Token": "unknown"}
    assert refusal(tiktok, [])[0] == 40105


@pytest.mark.parametrize(
    "changed",
    [
        {"event_source": "WEB"},
        {"event_source": None},
        {"event_source_id": None},
        {"event_source_id": 7},
        {"test_event_code": 7},
        {"partner_name": 7},
    ],
)
def test_a_wrong_member_beside_data_is_refused(tiktok: Driver, changed: dict[str, Any]) -> None:
    assert tiktok.track([any_event()], **changed)["code"] == 40002


def test_a_pixel_of_nobody_or_of_somebody_else_is_40001_with_the_recorded_text(tiktok: Driver) -> None:
    foreign = tiktok.add_event_source("web", "theirs", advertiser_id="7000000000000000002")
    for code in ("NOBODYSPIXEL00000001", foreign):
        assert refusal(tiktok, [any_event()], event_source_id=code) == (
            40001,
            f"No permission to operate pixel code: {code}."
            " You must be an admin or operator of this advertiser account.",
        )
    assert tiktok.received("web", foreign)["counts"] == {**NOTHING, "refused_requests": 1}


def test_a_pixel_is_named_by_its_code_and_not_by_its_id(tiktok: Driver) -> None:
    (pixel,) = (kept for kept in tiktok.emulator.ask("event_sources")["event_sources"] if kept["pixel_id"])
    assert tiktok.track([any_event()], event_source_id=pixel["pixel_id"])["code"] == 40001


@pytest.mark.parametrize("source", ["app", "offline", "crm"])
def test_another_event_source_of_nobody_is_40002_or_40001(tiktok: Driver, source: str) -> None:
    assert refusal(tiktok, [any_event(source)], source, event_source_id="123")[0] == 40002
    tiktok.emulator.tell("settings", {"unknown_event_source_code": 40001})
    assert refusal(tiktok, [any_event(source)], source, event_source_id="123")[0] == 40001


@pytest.mark.parametrize("source", ["app", "offline", "crm"])
def test_another_event_source_of_somebody_else_is_40001(tiktok: Driver, source: str) -> None:
    foreign = tiktok.add_event_source(source, "theirs", advertiser_id="7000000000000000002")
    assert refusal(tiktok, [any_event(source)], source, event_source_id=foreign)[0] == 40001


def test_the_source_has_to_be_that_of_the_event_source(tiktok: Driver) -> None:
    assert tiktok.track([any_event()], event_source_id=EVENT_SOURCE_IDS["offline"])["code"] == 40001


def test_a_token_without_the_scope_sends_nothing(tiktok: Driver) -> None:
    token = tiktok.emulator.access_token
    tiktok.emulator.tell("tokens", {"token": token, "scopes": ["manage_event_sources"]})
    assert tiktok.track([any_event()])["code"] == 40001
    tiktok.emulator.tell("tokens", {"token": token, "scopes": ["send_events"]})
    assert tiktok.track([any_event()])["code"] == 0
    assert tiktok.get("/open_api/v1.3/pixel/list/", advertiser_id=tiktok.emulator.advertiser_id)["code"] == 40001


def test_a_body_over_the_limit_is_refused(tiktok: Driver) -> None:
    tiktok.emulator.tell("settings", {"max_event_request_bytes": 1_000})
    code, message = refusal(tiktok, [any_event(user={"ttp": "t" * 1_000})])
    assert (code, "larger than 1000 bytes" in message) == (40002, True)
    assert tiktok.received()["counts"]["refused_requests"] == 1


def test_milliseconds_are_accepted_unless_they_are_refused(tiktok: Driver) -> None:
    event = any_event(event_time=EVENT_TIME * 1_000)
    assert tiktok.track([event])["code"] == 0
    tiktok.emulator.tell("settings", {"refuse_times_in_milliseconds": True})
    assert refusal(tiktok, [event]) == (40002, "data.0.event_time: Must be in seconds")


def test_a_time_far_away_is_accepted_unless_it_is_refused(tiktok: Driver) -> None:
    now = int(tiktok.emulator.ask("clock")["now"])
    old, future = any_event(event_time=now - 3_600), any_event(event_time=now + 3_600)
    assert tiktok.track([old, future])["code"] == 0
    tiktok.emulator.tell("settings", {"max_event_age_seconds": 600, "max_event_lead_seconds": 600})
    assert "older" in refusal(tiktok, [old])[1]
    assert "future" in refusal(tiktok, [future])[1]
    assert tiktok.track([any_event(event_time=now)])["code"] == 0


def test_plain_addresses_are_accepted_unless_they_are_refused(tiktok: Driver) -> None:
    event = any_event(user={"email": [HASH, "jane@example.com"]})
    assert tiktok.track([event])["code"] == 0
    tiktok.emulator.tell("settings", {"refuse_plain_identifiers": True})
    code, message = refusal(tiktok, [event])
    assert (code, message) == (40062, "data.0.user.email: Must be hashed with SHA-256")
    assert tiktok.track([any_event(user={"email": HASH, "phone": None})])["code"] == 0


@pytest.mark.parametrize(
    ("setting", "source", "changed", "code"),
    [
        ("refuse_app_events", "app", {}, 40118),
        ("refuse_partner_names", "web", {"partner_name": "Somebody"}, 40063),
        ("require_user_of_web_events", "web", {}, 40002),
    ],
)
def test_what_is_uncertain_can_be_refused(
    tiktok: Driver, setting: str, source: str, changed: dict[str, Any], code: int
) -> None:
    assert tiktok.track([any_event(source)], source, **changed)["code"] == 0
    tiktok.emulator.tell("settings", {setting: True})
    assert tiktok.track([any_event(source)], source, **changed)["code"] == code


def test_offline_events_of_their_own_names_can_be_accepted(tiktok: Driver) -> None:
    tiktok.emulator.tell("settings", {"refuse_custom_offline_events": False})
    assert tiktok.track([any_event("offline", event="VisitedTheShop")], "offline")["code"] == 0


def test_partial_success_is_a_setting_and_takes_the_good_events(tiktok: Driver) -> None:
    tiktok.emulator.tell("settings", {"accept_the_rest_of_a_bad_request": True})
    bad = any_event(event_time="now")
    answer = tiktok.track([any_event(event_id="1"), bad, any_event(event_id="2")])
    assert (answer["code"], answer["data"]) == (20001, {})
    assert tiktok.received()["counts"] == {**NOTHING, "received": 2, "counted": 2}
    assert tiktok.track([bad])["code"] == 40002
    assert tiktok.track([any_event(event_id="3")])["code"] == 0


@pytest.mark.parametrize("poison", [{"event_ids": ["2"]}, {"events": ["Search"]}])
def test_a_poisoned_event_refuses_the_request_until_it_is_taken_back(
    tiktok: Driver, poison: dict[str, list[str]]
) -> None:
    tiktok.control("POST", "poison", poison)
    data = [any_event(event_id="1"), any_event(event_id="2", event="Search")]
    code, message = refusal(tiktok, data)
    assert code == 40002
    assert message.startswith("data.1.event")
    assert tiktok.track(data[:1])["code"] == 0
    tiktok.control("POST", "poison", {name: [] for name in poison})
    assert tiktok.track(data[1:])["code"] == 0
    assert tiktok.received()["counts"] == {**NOTHING, "received": 2, "counted": 2, "refused_requests": 1}


def test_poison_replaces_only_the_lists_that_it_names(tiktok: Driver) -> None:
    tiktok.control("POST", "poison", {"event_ids": ["1"], "events": ["Search"]})
    tiktok.control("POST", "poison", {"ids": []})
    tiktok.control("POST", "poison", {"events": []})
    assert tiktok.track([any_event(event_id="1")])["code"] == 40002
    assert tiktok.track([any_event(event="Search")])["code"] == 0


def test_test_events_are_shown_apart_and_count_for_nothing(tiktok: Driver) -> None:
    event = any_event(event_id="1", user={"email": HASH})
    for _ in range(2):
        assert tiktok.track([event], test_event_code="TEST12345")["code"] == 0
    received = tiktok.received()
    assert received["counts"] == {**NOTHING, "test": 2}
    assert (received["events"], received["by_event"]) == ([], {})
    assert [(kept["test_event_code"], kept["body"]) for kept in received["test_events"]] == [("TEST12345", event)] * 2
    tiktok.track([event])
    assert tiktok.received()["counts"] == {**NOTHING, "test": 2, "received": 1, "counted": 1}


def test_a_test_event_code_inside_an_event_is_ignored(tiktok: Driver) -> None:
    tiktok.track([any_event(test_event_code="TEST12345")])
    assert tiktok.received()["counts"]["counted"] == 1


STATUSES = [(40001, 400), (40002, 400), (40100, 401), (40104, 401), (40105, 401), (50000, 200), (20001, 200)]


@pytest.mark.parametrize(("code", "status"), STATUSES)
def test_the_statuses_of_the_documentation_are_a_setting_for_events_alone(
    tiktok: Driver, code: int, status: int
) -> None:
    body = {"event_source": "web", "event_source_id": EVENT_SOURCE_IDS["web"], "data": [any_event()]}
    faults = [{"path": "event/track", "kind": "code", "code": code, "times": 2}]
    tiktok.emulator.tell("faults", [*faults, {"path": "list", "kind": "code", "code": code}])
    assert tiktok.request("POST", TRACK, json=body).status_code == 200
    tiktok.emulator.tell("settings", {"documented_event_statuses": True})
    response = tiktok.request("POST", TRACK, json=body)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert tiktok.request("POST", TRACK, json=body).status_code == 200
    assert tiktok.request("GET", "/open_api/v1.3/pixel/list/").status_code == 200


def test_the_limits_of_events_are_their_own(tiktok: Driver) -> None:
    tiktok.emulator.tell("settings", {"queries_per_second": 1, "event_queries_per_minute": 3})
    codes = [tiktok.track([any_event()])["code"] for _ in range(4)]
    assert codes == [0, 0, 0, 40100]
    assert tiktok.list()["code"] == 0
    assert tiktok.emulator.ask("settings")["event_queries_per_second"] == 1_000
    tiktok.advance(60)
    assert tiktok.track([any_event()])["code"] == 0
