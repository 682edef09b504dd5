"""What every field of a row becomes in the event that TikTok is sent, for each source."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from lambdas.events.rows.check import EventChecker
from lambdas.events.rows.event import CheckedEvent
from lambdas.events.rows.fields import FIELDS, HASHED, Field
from lambdas.events.rows.values import as_number
from lambdas.files.delimited import bare_name
from lambdas.tiktok.models import EventSource
from test.support.event_rows import (
    ALICE_SHA256,
    CASES,
    DEVICE_ID,
    LEAST_PAYLOADS,
    LEAST_ROWS,
    NOW,
    PHONE_SHA256,
    USER_123_SHA256,
    any_rules,
    check,
    sha256,
)

NOT_IN_THE_PAYLOAD = {"consent", "event_id", "limited_data_use"}
SENT = [field for field in FIELDS.values() if field.name not in NOT_IN_THE_PAYLOAD]
SOURCES_AND_FIELDS = [(source, field) for source in EventSource for field in SENT if source in field.sources]


def label(value: object) -> str | None:
    return value.name if isinstance(value, Field) else None


def expected_payload(source: EventSource, field: Field, sent: Any) -> dict[str, Any]:
    payload = copy.deepcopy(LEAST_PAYLOADS[source])
    holder = payload.setdefault(field.group, {}) if field.group else payload
    holder[field.member] = sent
    return payload


def full_row(source: EventSource, *, as_csv: bool) -> dict[str, Any]:
    return {
        field.name: CASES[field.name].csv if as_csv else CASES[field.name].given
        for field in SENT
        if source in field.sources
    }


def test_every_field_that_is_sent_has_a_case() -> None:
    assert {field.name for field in SENT} == set(CASES)


@pytest.mark.parametrize(("source", "field"), SOURCES_AND_FIELDS, ids=label)
def test_a_field_becomes_its_member_alone(source: EventSource, field: Field) -> None:
    case = CASES[field.name]
    expected = expected_payload(source, field, case.sent)

    assert check(source, {**LEAST_ROWS[source], field.name: case.given}).payload == expected
    assert check(source, {**LEAST_ROWS[source], field.name: case.csv}).payload == expected


@pytest.mark.parametrize("source", EventSource)
def test_a_field_of_another_source_is_left_out_and_named(source: EventSource) -> None:
    foreign = {field.name: CASES[field.name].given for field in SENT if source not in field.sources}
    checker = EventChecker(any_rules(source), now=NOW)

    event = checker.check({**LEAST_ROWS[source], **foreign})

    assert isinstance(event, CheckedEvent)
    assert event.payload == LEAST_PAYLOADS[source]
    assert checker.ignored == set(foreign)


def test_a_full_row_of_a_website_becomes_this() -> None:
    assert json.dumps(check(EventSource.WEB, full_row(EventSource.WEB, as_csv=True)).payload) == json.dumps(
        {
            "event": "AddToCart",
            "event_time": 1794900000,
            "user": {
                "email": ALICE_SHA256,
                "phone": PHONE_SHA256,
                "external_id": USER_123_SHA256,
                "ttclid": "E.C.P.CrkB",
                "ttp": "94e2a4j9-h3ss",
                "ip": "203.0.113.7",
                "user_agent": "Mozilla/5.0 (X11; Linux)",
                "locale": "de-AT",
                "first_name": sha256("zo\u00ebann"),
                "last_name": sha256("o'neil"),
                "zip_code": sha256("sw1a1aa"),
                "city": "s\u00e3opaulo",
                "state": "ny",
                "country": "us",
            },
            "properties": {
                "content_ids": ["0017", "b"],
                "contents": [
                    {
                        "price": 12.5,
                        "content_id": "0017",
                        "content_category": "Shoes",
                        "content_name": "Trail runner",
                        "brand": "Acme",
                        "quantity": 2,
                    }
                ],
                "content_type": "product",
                "currency": "EUR",
                "value": 12.5,
                "num_items": 3,
                "search_string": "red shoes",
                "description": "Spring sale",
                "order_id": "A-17",
                "shop_id": "shop 4",
                "customer_type": "new",
                "query": "shoes",
            },
            "page": {"url": "https://shop.example/p?id=1", "referrer": "http://blog.example/"},
            "ad": {
                "callback": "cb-1",
                "campaign_id": "1741",
                "ad_id": "1742",
                "creative_id": "1743",
                "is_retargeting": False,
                "attributed": True,
                "attribution_type": "click",
                "attribution_provider": "Someone",
                "attribution_share": 0.25,
                "attribution_value": 7,
            },
        }
    )


def test_a_full_row_of_an_app_begins_and_ends_so() -> None:
    payload = check(EventSource.APP, full_row(EventSource.APP, as_csv=True)).payload

    assert list(payload) == ["event", "event_time", "user", "properties", "app", "ad"]
    assert payload["app"] == {"app_id": "id389801252", "app_name": "Shop", "app_version": "1.10"}
    assert list(payload["user"])[:8] == ["email", "phone", "ip", "user_agent", "idfa", "idfv", "gaid", "locale"]
    assert payload["user"]["att_status"] == "AUTHORIZED"


def test_full_rows_of_a_shop_and_a_crm_have_these_objects() -> None:
    assert list(check(EventSource.OFFLINE, full_row(EventSource.OFFLINE, as_csv=True)).payload) == [
        "event",
        "event_time",
        "user",
        "properties",
    ]
    crm = check(EventSource.CRM, full_row(EventSource.CRM, as_csv=True)).payload
    assert list(crm) == ["event", "event_time", "user", "properties", "lead"]
    assert crm["lead"] == {"lead_id": "7100", "lead_event_source": "Some CRM"}


@pytest.mark.parametrize("source", EventSource)
def test_csv_and_json_of_one_event_in_any_order_of_columns_give_the_same_bytes(source: EventSource) -> None:
    expected = json.dumps(check(source, full_row(source, as_csv=True)).payload)

    assert json.dumps(check(source, full_row(source, as_csv=False)).payload) == expected
    for seed in range(5):
        items = list(full_row(source, as_csv=True).items())
        random.Random(seed).shuffle(items)  # noqa: S311 - an order, not a secret
        assert json.dumps(check(source, dict(items)).payload) == expected


@pytest.mark.parametrize("field", [field for field in FIELDS.values() if field.aliases], ids=label)
def test_an_alias_is_as_good_as_the_name(field: Field) -> None:
    source = min(field.sources)
    for alias in field.aliases:
        for name in (alias, alias.upper(), alias.replace("_", "-").title(), f" {alias}"):
            row = {**LEAST_ROWS[source], name: CASES[field.name].given}
            row.pop(field.name, None)
            assert check(source, row).payload == expected_payload(source, field, CASES[field.name].sent)


@pytest.mark.parametrize("field", [field for field in FIELDS.values() if field.has_twin], ids=label)
def test_a_twin_takes_hashes_and_nothing_else(field: Field) -> None:
    source = EventSource.APP if EventSource.APP in field.sources else EventSource.WEB
    row = {**LEAST_ROWS[source]}
    row.pop(field.name, None)
    row["ip"], row["user_agent"] = "203.0.113.7", "a browser"
    for name in (field.name, *field.aliases):
        hashed = check(source, {**row, name + HASHED: sha256("someone").upper()})
        assert hashed.payload["user"][field.member] == sha256("someone")
        assert hashed.left_out == []

        plain = check(source, {**row, name + HASHED: CASES[field.name].given})
        assert field.member not in plain.payload["user"]
        assert plain.left_out == ["not_hashed"]
        assert check(source, {**row, name + HASHED: "d41d8cd98f00b204e9800998ecf8427e"}).left_out == ["unfit_hash"]


def test_no_two_names_mean_different_things() -> None:
    names = [
        bare_name(name + end)
        for field in FIELDS.values()
        for name in (field.name, *field.aliases)
        for end in (("", HASHED) if field.has_twin else ("",))
    ]

    assert len(names) == len(set(names))
    assert len({field.path for field in FIELDS.values() if field.path}) == len(FIELDS) - 1


@pytest.mark.parametrize(
    ("field", "given", "sent"),
    [
        ("event_time", "1794990000", 1_794_990_000),
        ("event_time", " 1794990000.9 ", 1_794_990_000),
        ("event_time", 1_794_990_000.9, 1_794_990_000),
        ("event_time", "2026-11-18T11:06:40Z", 1_795_000_000),
        ("event_time", "2026-11-18T12:06:40.999+01:00", 1_795_000_000),
        ("event_time", "2026-11-18 11:06:40+00:00", 1_795_000_000),
        ("event_time", "20261118T110640Z", 1_795_000_000),
        ("event_time", 1_795_000_600, 1_795_000_600),
        ("event_time", 1_792_580_800, 1_792_580_800),
        ("value", "-3", -3),
        ("value", "0", 0),
        ("value", 10.0, 10),
        ("value", "10.00", 10),
        ("value", "129.90", 129.9),
        ("value", 1e3, 1000),
        ("num_items", "3.0", 3),
        ("num_items", 0, 0),
        ("currency", " usd ", "USD"),
        ("content_ids", "0017", ["0017"]),
        ("content_ids", '["a|b", "0017"]', ["a|b", "0017"]),
        ("content_ids", "a||b|", ["a", "b"]),
        ("contents", '[{"content_id": "a", "price": "9.90", "brand": null}]', [{"price": 9.9, "content_id": "a"}]),
        ("content_type", "PRODUCT_GROUP", "product_group"),
        ("order_id", 17, "17"),
        ("description", " a b\u00a0", "a b"),
        ("page_url", "HTTPS://shop.example:8443/a b?q=\u00e9#top", "HTTPS://shop.example:8443/a b?q=\u00e9#top"),
        ("page_url", "http://[2001:db8::1]/", "http://[2001:db8::1]/"),
        ("ad_is_retargeting", "No", False),
        ("ad_attributed", 1, True),
        ("ad_attribution_share", "1", 1),
    ],
)
def test_values_are_read_as_people_write_them(field: str, given: Any, sent: Any) -> None:
    payload = check(EventSource.WEB, {**LEAST_ROWS[EventSource.WEB], field: given}).payload
    path = FIELDS[field].path
    for part in path.split("."):
        payload = payload[part]

    assert payload == sent
    assert type(payload) is type(sent)


@pytest.mark.parametrize("given", ["12,50", "1'000", "\u20ac12", "12.", ".5", "+3", "1e3", "nan", "", "\u0663"])
def test_a_text_with_more_than_a_plain_number_is_none(given: str) -> None:
    assert as_number(given) is None


@pytest.mark.parametrize("empty", ["", None, "  "])
@pytest.mark.parametrize("source", EventSource)
def test_empty_fields_are_absent(source: EventSource, empty: str | None) -> None:
    row = {field.name: empty for field in FIELDS.values() if field.name != "consent"} | LEAST_ROWS[source]

    event = check(source, row)

    assert (event.payload, event.event_id, event.limited_data_use) == (LEAST_PAYLOADS[source], None, None)
    assert event.left_out == []


@pytest.mark.parametrize("word", ["null", "NaN", "n/a", " None ", "-"])
def test_words_for_nothing_are_absent_in_the_user(word: str) -> None:
    members = {
        field.name: word
        for field in FIELDS.values()
        if field.group == "user" and field.name not in ("att_status", "ttp")
    }

    event = check(EventSource.WEB, {**LEAST_ROWS[EventSource.WEB], **members})

    assert (event.payload, event.left_out) == (LEAST_PAYLOADS[EventSource.WEB], [])


def test_namibia_is_a_country() -> None:
    assert check(EventSource.WEB, {**LEAST_ROWS[EventSource.WEB], "country": "NA"}).payload["user"]["country"] == "na"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("203.0.113.7 ", "203.0.113.7"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
    ],
)
def test_an_address_is_sent_in_its_shortest_spelling(given: str, sent: str) -> None:
    assert check(EventSource.WEB, {**LEAST_ROWS[EventSource.WEB], "ip": given}).payload["user"]["ip"] == sent


def test_the_underscore_of_a_locale_becomes_a_hyphen() -> None:
    row = {**LEAST_ROWS[EventSource.WEB], "locale": "zh_Hans_CN"}

    assert check(EventSource.WEB, row).payload["user"]["locale"] == "zh-Hans-CN"


def test_hashed_values_in_raw_columns_are_passed_on_in_lower_case() -> None:
    digest = sha256("someone")
    hashed = {name: digest.upper() for name in ("email", "phone", "idfa", "idfv", "gaid", "first_name", "last_name")}

    user = check(EventSource.APP, {**LEAST_ROWS[EventSource.APP], **hashed, "zip_code": digest.upper()}).payload["user"]

    assert user == {**dict.fromkeys(hashed, digest), "zip_code": digest}
    row = {**LEAST_ROWS[EventSource.WEB], "external_id": digest.upper()}
    assert check(EventSource.WEB, row).payload["user"]["external_id"] == digest


def test_the_case_of_an_external_id_is_kept() -> None:
    row = {**LEAST_ROWS[EventSource.WEB], "external_id": " User_123\t"}

    assert check(EventSource.WEB, row).payload["user"]["external_id"] == sha256("User_123")


def test_an_external_id_may_look_like_another_hash() -> None:
    row = {**LEAST_ROWS[EventSource.WEB], "external_id": DEVICE_ID.replace("-", "")}

    assert check(EventSource.WEB, row).payload["user"]["external_id"] == sha256(DEVICE_ID.replace("-", ""))


def test_several_addresses_numbers_and_ids_become_lists_without_repeats() -> None:
    row = {
        **LEAST_ROWS[EventSource.WEB],
        "email": ["alice_abc@gmail.com", None, "ALICE_ABC@gmail.com", "bob@example.com"],
        "phone": ["+12133734253"],
        "external_id": ["user_123", 7],
    }

    event = check(EventSource.WEB, row)

    assert event.payload["user"] == {
        "email": [ALICE_SHA256, sha256("bob@example.com")],
        "phone": [PHONE_SHA256],
        "external_id": [USER_123_SHA256, sha256("7")],
        "ttp": "a-cookie",
    }
    assert event.left_out == []


def test_a_bad_value_of_a_list_is_left_out_alone() -> None:
    event = check(EventSource.WEB, {**LEAST_ROWS[EventSource.WEB], "email": ["alice_abc@gmail.com", "nobody", {}]})

    assert event.payload["user"]["email"] == [ALICE_SHA256]
    assert event.left_out == ["malformed_email", "not_text"]


def test_milliseconds_are_converted_and_reported() -> None:
    for given in (1_794_990_000_999, "1794990000999", 1_794_990_000_999.5):
        event = check(EventSource.WEB, {**LEAST_ROWS[EventSource.WEB], "event_time": given})
        assert (event.payload["event_time"], event.was_in_milliseconds) == (1_794_990_000, True)
    assert not check(EventSource.WEB, LEAST_ROWS[EventSource.WEB]).was_in_milliseconds


def test_id_and_limited_data_use_stand_beside_the_payload() -> None:
    event = check(EventSource.WEB, {**LEAST_ROWS[EventSource.WEB], "event_id": " A 1 ", "limited_data_use": "TRUE"})

    assert event.payload == LEAST_PAYLOADS[EventSource.WEB]
    assert (event.event_id, event.limited_data_use) == (" A 1 ", True)
    assert check(EventSource.WEB, {**LEAST_ROWS[EventSource.WEB], "event_id": 17}).event_id == "17"
    assert check(EventSource.APP, {**LEAST_ROWS[EventSource.APP], "limited_data_use": 0}).limited_data_use is False
