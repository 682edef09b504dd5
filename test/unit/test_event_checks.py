"""Which events are not sent, and why; what is left out of the others; who the suppression list is asked about."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.events.rows.check import MOST_IGNORED, EventChecker, EventRules
from lambdas.events.rows.event import DENIED, CheckedEvent, Probe, is_identified, without
from lambdas.events.rows.fields import FIELDS, HASHED, Form
from lambdas.events.rows.names import STANDARD
from lambdas.events.rows.reasons import EventReason, InvalidEvent
from lambdas.identifiers.models import IdentifierSpace, Reason
from lambdas.tiktok.models import EventSource
from test.support.event_rows import (
    ALICE_SHA256,
    CASES,
    DEVICE_ID,
    LEAST_ROWS,
    NOW,
    PHONE_SHA256,
    any_rules,
    check,
    sha256,
    web_row,
)

WEB, APP, OFFLINE, CRM = EventSource.WEB, EventSource.APP, EventSource.OFFLINE, EventSource.CRM
SOURCES_OF = {field.name: field.sources for field in FIELDS.values()}
IS_SHA256 = re.compile(r"[0-9a-f]{64}").fullmatch
SECRET = "Xq7-secret"  # noqa: S105 - what no message may repeat

REFUSED: list[tuple[EventSource, dict[str, Any], EventReason]] = [
    (WEB, {"consent": "maybe"}, EventReason.BAD_CONSENT),
    (WEB, {"consent": ""}, EventReason.BAD_CONSENT),
    (WEB, {"consent": None}, EventReason.BAD_CONSENT),
    (WEB, {"consent": True}, EventReason.BAD_CONSENT),
    (WEB, {"event": ""}, EventReason.MISSING_EVENT),
    (WEB, {"event": " "}, EventReason.MISSING_EVENT),
    (WEB, {"event": None}, EventReason.MISSING_EVENT),
    (WEB, {"event": 7}, EventReason.BAD_EVENT),
    (WEB, {"event": "Buy\x07"}, EventReason.BAD_EVENT),
    (WEB, {"event": "B" * 101}, EventReason.BAD_EVENT),
    (WEB, {"event": "purchase"}, EventReason.MISSPELT_EVENT),
    (WEB, {"event": "Add To Cart"}, EventReason.MISSPELT_EVENT),
    (WEB, {"event": "complete_payment"}, EventReason.MISSPELT_EVENT),
    (APP, {"event": "LaunchApp"}, EventReason.MISSPELT_EVENT),
    (OFFLINE, {"event": "PURCHASE"}, EventReason.MISSPELT_EVENT),
    (CRM, {"event": "Submit-Application"}, EventReason.MISSPELT_EVENT),
    (OFFLINE, {"event": "StoreVisit"}, EventReason.UNKNOWN_EVENT),
    (OFFLINE, {"event": "CompletePayment"}, EventReason.UNKNOWN_EVENT),
    (WEB, {"event_time": ""}, EventReason.MISSING_EVENT_TIME),
    (WEB, {"event_time": None}, EventReason.MISSING_EVENT_TIME),
    (WEB, {"event_time": "yesterday"}, EventReason.BAD_EVENT_TIME),
    (WEB, {"event_time": "18.11.2026 10:00"}, EventReason.BAD_EVENT_TIME),
    (WEB, {"event_time": True}, EventReason.BAD_EVENT_TIME),
    (WEB, {"event_time": float("nan")}, EventReason.BAD_EVENT_TIME),
    (WEB, {"event_time": "\ud800"}, EventReason.BAD_EVENT_TIME),
    (WEB, {"event_time": "2026-11-18T09:06:40"}, EventReason.EVENT_TIME_WITHOUT_ZONE),
    (WEB, {"event_time": "2026-11-18"}, EventReason.EVENT_TIME_WITHOUT_ZONE),
    (WEB, {"event_time": NOW - 28 * 86_400 - 1}, EventReason.TOO_OLD),
    (WEB, {"event_time": "0001-01-01T00:00:00+23:59"}, EventReason.TOO_OLD),
    (WEB, {"event_time": -1}, EventReason.TOO_OLD),
    (WEB, {"event_time": NOW + 601}, EventReason.IN_FUTURE),
    (WEB, {"event_time": 10**300}, EventReason.IN_FUTURE),
    (WEB, {"page_url": ""}, EventReason.MISSING_PAGE_URL),
    (APP, {"app_id": ""}, EventReason.MISSING_APP_ID),
    (CRM, {"lead_id": ""}, EventReason.MISSING_LEAD_ID),
    (WEB, {"ttp": ""}, EventReason.NO_IDENTIFIER),
    (WEB, {"ttp": "", "ip": "203.0.113.7", "first_name": "Jane"}, EventReason.NO_IDENTIFIER),
    (WEB, {"ttp": "", "user_agent": "a browser"}, EventReason.NO_IDENTIFIER),
    (APP, {"gaid": "", "idfv": DEVICE_ID}, EventReason.NO_IDENTIFIER),
    (APP, {"gaid": "00000000-0000-0000-0000-000000000000"}, EventReason.NO_IDENTIFIER),
    (OFFLINE, {"email": "nobody"}, EventReason.NO_IDENTIFIER),
    (OFFLINE, {"email": "", "ip": "203.0.113.7", "user_agent": "a browser"}, EventReason.NO_IDENTIFIER),
    (OFFLINE, {"limited_data_use": "true"}, EventReason.LIMITED_DATA_USE_UNSUPPORTED),
    (CRM, {"limited_data_use": True}, EventReason.LIMITED_DATA_USE_UNSUPPORTED),
    (WEB, {"limited_data_use": "perhaps"}, EventReason.BAD_LIMITED_DATA_USE),
    (CRM, {"limited_data_use": 2}, EventReason.BAD_LIMITED_DATA_USE),
    (APP, {"att_status": "maybe"}, EventReason.BAD_ATT_STATUS),
    (APP, {"att_status": 3}, EventReason.BAD_ATT_STATUS),
    (WEB, {"page_url": "/checkout"}, EventReason.BAD_PAGE_URL),
    (WEB, {"page_url": "ftp://shop.example/"}, EventReason.BAD_PAGE_URL),
    (WEB, {"page_url": "https:///checkout"}, EventReason.BAD_PAGE_URL),
    (WEB, {"page_url": "https://[shop"}, EventReason.BAD_PAGE_URL),
    (WEB, {"page_url": "https://a shop/"}, EventReason.BAD_PAGE_URL),
    (WEB, {"page_url": "https://shop.example/\x00"}, EventReason.BAD_PAGE_URL),
    (WEB, {"page_url": 7}, EventReason.BAD_PAGE_URL),
    (WEB, {"page_url": "https://shop.example/" + "p" * 4_000}, EventReason.TOO_LONG_VALUE),
    (WEB, {"referrer": "android-app://com.example"}, EventReason.BAD_REFERRER),
    (WEB, {"value": "12,50"}, EventReason.BAD_VALUE),
    (WEB, {"value": "$12"}, EventReason.BAD_VALUE),
    (WEB, {"value": float("inf")}, EventReason.BAD_VALUE),
    (WEB, {"value": True}, EventReason.BAD_VALUE),
    (WEB, {"value": 10**400}, EventReason.BAD_VALUE),
    (WEB, {"value": [1]}, EventReason.BAD_VALUE),
    (WEB, {"currency": "EURO"}, EventReason.BAD_CURRENCY),
    (WEB, {"currency": "\u20ac"}, EventReason.BAD_CURRENCY),
    (WEB, {"currency": 978}, EventReason.BAD_CURRENCY),
    (WEB, {"content_ids": '["a"'}, EventReason.BAD_CONTENT_IDS),
    (WEB, {"content_ids": [None]}, EventReason.BAD_CONTENT_IDS),
    (WEB, {"content_ids": {"a": 1}}, EventReason.BAD_CONTENT_IDS),
    (WEB, {"content_ids": [""]}, EventReason.BAD_CONTENT_IDS),
    (WEB, {"content_ids": 17}, EventReason.CONTENT_ID_NOT_TEXT),
    (WEB, {"content_ids": ["a", 17]}, EventReason.CONTENT_ID_NOT_TEXT),
    (WEB, {"content_ids": "[17]"}, EventReason.CONTENT_ID_NOT_TEXT),
    (WEB, {"contents": [{"content_id": 17}]}, EventReason.CONTENT_ID_NOT_TEXT),
    (WEB, {"contents": "a"}, EventReason.BAD_CONTENTS),
    (WEB, {"contents": "[" * 5_000}, EventReason.BAD_CONTENTS),
    (WEB, {"contents": ["a"]}, EventReason.BAD_CONTENTS),
    (WEB, {"contents": [{}]}, EventReason.BAD_CONTENTS),
    (WEB, {"contents": {"content_id": "a"}}, EventReason.BAD_CONTENTS),
    (WEB, {"contents": [{"content_id": "a", "sku": "b"}]}, EventReason.BAD_CONTENTS),
    (WEB, {"contents": [{"content_id": "a", "price": "9,90"}]}, EventReason.BAD_CONTENTS),
    (WEB, {"contents": [{"content_id": "a", "quantity": -1}]}, EventReason.BAD_CONTENTS),
    (WEB, {"contents": [{"content_id": ["a"]}]}, EventReason.BAD_CONTENTS),
    (WEB, {"content_type": "item"}, EventReason.BAD_CONTENT_TYPE),
    (WEB, {"num_items": "1.5"}, EventReason.BAD_NUM_ITEMS),
    (WEB, {"num_items": -1}, EventReason.BAD_NUM_ITEMS),
    (WEB, {"customer_type": "loyal"}, EventReason.BAD_CUSTOMER_TYPE),
    (WEB, {"ad_is_retargeting": "perhaps"}, EventReason.BAD_AD),
    (WEB, {"ad_attribution_share": "25"}, EventReason.BAD_AD),
    (APP, {"ad_attribution_value": "much"}, EventReason.BAD_AD),
    (WEB, {"order_id": ["a"]}, EventReason.NOT_TEXT),
    (WEB, {"order_id": 1.5}, EventReason.NOT_TEXT),
    (WEB, {"order_id": False}, EventReason.NOT_TEXT),
    (WEB, {"event_id": {}}, EventReason.NOT_TEXT),
    (WEB, {"event_id": 10**5_000}, EventReason.NOT_TEXT),
    (WEB, {"contents": [{"brand": 1.5}]}, EventReason.NOT_TEXT),
    (WEB, {"description": "two\nlines"}, EventReason.BAD_TEXT),
    (WEB, {"description": "half \ud83d"}, EventReason.BAD_TEXT),
    (WEB, {"content_ids": ["a\x00b"]}, EventReason.BAD_TEXT),
    (WEB, {"event_id": "a\tb"}, EventReason.BAD_TEXT),
    (WEB, {"description": "d" * 2_001}, EventReason.TOO_LONG_VALUE),
    (WEB, {"mail": "a@example.com", "email": "b@example.com"}, EventReason.REPEATED_KEY),
]

LEFT_OUT: list[tuple[EventSource, dict[str, Any], EventReason | Reason]] = [
    (WEB, {"email": "nobody"}, Reason.MALFORMED_EMAIL),
    (WEB, {"email": "a b@example.com"}, Reason.MALFORMED_EMAIL),
    (WEB, {"email": "\ud800@example.com"}, Reason.MALFORMED_EMAIL),
    (WEB, {"email": "d41d8cd98f00b204e9800998ecf8427e"}, Reason.UNFIT_HASH),
    (WEB, {"email": "a" * 1_001}, EventReason.TOO_LONG_VALUE),
    (WEB, {"email": 1.5}, EventReason.NOT_TEXT),
    (WEB, {"email": [f"a{number}@example.com" for number in range(11)]}, EventReason.TOO_MANY_VALUES),
    (WEB, {"email_sha256": "nobody@example.com"}, EventReason.NOT_HASHED),
    (WEB, {"phone": "+999"}, Reason.MALFORMED_PHONE),
    (WEB, {"phone": "2133734253"}, Reason.PHONE_WITHOUT_COUNTRY),
    (WEB, {"external_id": "a\x00b"}, Reason.MALFORMED_EXTERNAL_ID),
    (WEB, {"external_id": ["\ud800"]}, Reason.MALFORMED_EXTERNAL_ID),
    (WEB, {"ttclid": "t" * 1_001}, EventReason.TOO_LONG_VALUE),
    (WEB, {"ttclid": "a\x01b"}, EventReason.BAD_TEXT),
    (WEB, {"user_agent": ["a"]}, EventReason.NOT_TEXT),
    (WEB, {"user_agent": "u" * 2_001}, EventReason.TOO_LONG_VALUE),
    (WEB, {"ip": "203.0.113.256"}, EventReason.BAD_IP),
    (WEB, {"ip": "fe80::1%eth0"}, EventReason.BAD_IP),
    (WEB, {"ip": 3_405_803_783}, EventReason.BAD_IP),
    (WEB, {"locale": "German (Austria)"}, EventReason.BAD_LOCALE),
    (APP, {"idfa": "00000000-0000-0000-0000-000000000000"}, Reason.ZERO_DEVICE_ID),
    (APP, {"idfv": "an id"}, Reason.MALFORMED_DEVICE_ID),
    (WEB, {"first_name": "Ja\x00ne"}, Reason.MALFORMED_NAME),
    (WEB, {"zip_code": "- -\u2013"}, Reason.MALFORMED_ZIP_CODE),
    (WEB, {"city": "..."}, Reason.MALFORMED_PLACE),
    (WEB, {"country": True}, EventReason.NOT_TEXT),
]

# Of lines that are no rows: file_rows gives them.
OF_LINES = {
    EventReason.NOT_UTF8,
    EventReason.TOO_LONG,
    EventReason.WRONG_FIELD_COUNT,
    EventReason.BAD_QUOTES,
    EventReason.NOT_JSON,
    EventReason.NOT_AN_OBJECT,
}


def refusal(source: EventSource, row: dict[str, Any], **rules: Any) -> InvalidEvent:
    with pytest.raises(InvalidEvent) as caught:
        check(source, row, **rules)
    return caught.value


@pytest.mark.parametrize(("source", "fields", "reason"), REFUSED)
def test_an_event_is_refused_for_a_reason(source: EventSource, fields: dict[str, Any], reason: EventReason) -> None:
    refused = refusal(source, {**LEAST_ROWS[source], **fields})

    assert refused.reason is reason
    assert refused.detail


@pytest.mark.parametrize(("source", "fields", "reason"), LEFT_OUT)
def test_a_bad_member_of_the_user_is_left_out(
    source: EventSource, fields: dict[str, Any], reason: EventReason | Reason
) -> None:
    event = check(source, {**LEAST_ROWS[source], **fields})

    assert event.payload == check(source, LEAST_ROWS[source]).payload
    assert event.left_out == [reason]


def test_every_reason_is_given() -> None:
    given = {reason for _, _, reason in [*REFUSED, *LEFT_OUT]}

    assert set(EventReason) - OF_LINES <= given
    assert set(Reason) - {Reason.EMPTY, Reason.NULL_WORD} <= given


@pytest.mark.parametrize("source", EventSource)
def test_standard_names_are_sent_as_they_are(source: EventSource) -> None:
    for name in STANDARD[source]:
        assert check(source, {**LEAST_ROWS[source], "event": name}).payload["event"] == name


@pytest.mark.parametrize(
    ("source", "name"), [(WEB, "BookedDemo"), (APP, "CompleteRegistration"), (CRM, "Deal won \u2013 2026")]
)
def test_other_names_are_custom_events_where_tiktok_has_them(source: EventSource, name: str) -> None:
    assert check(source, {**LEAST_ROWS[source], "event": f" {name} "}).payload["event"] == name


def test_the_right_spelling_of_a_name_is_told() -> None:
    assert "AddToCart" in refusal(WEB, web_row(event="ADD_TO_CART")).detail


def test_a_mapped_name_is_taken_as_it_is_where_there_may_be_others() -> None:
    mapping = {"sale": "Purchase", "purchase": "purchase", "visit": "StoreVisit", "odd": "\x00"}

    assert check(WEB, web_row(event=" sale "), events=mapping).payload["event"] == "Purchase"
    assert check(WEB, web_row(event="purchase"), events=mapping).payload["event"] == "purchase"
    assert check(OFFLINE, {**LEAST_ROWS[OFFLINE], "event": "sale"}, events=mapping).payload["event"] == "Purchase"
    assert (
        refusal(OFFLINE, {**LEAST_ROWS[OFFLINE], "event": "visit"}, events=mapping).reason is EventReason.UNKNOWN_EVENT
    )
    assert refusal(WEB, web_row(event="odd"), events=mapping).reason is EventReason.BAD_EVENT


def test_mapped_columns_are_read_before_those_that_sound_alike() -> None:
    columns = {"Kaufnummer": "order_id", "mail-hash": "email_sha256"}
    row = {**web_row(order_id="ours"), "kaufnummer": "theirs", "mail-hash": ALICE_SHA256}
    checker = EventChecker(any_rules(columns=columns), now=NOW)

    event = checker.check(row)

    assert isinstance(event, CheckedEvent)
    assert event.payload["properties"] == {"order_id": "theirs"}
    assert event.payload["user"]["email"] == ALICE_SHA256
    assert checker.ignored == {"order_id"}


def test_an_exact_name_comes_before_one_that_is_compared() -> None:
    columns = {"ID": "order_id", "id": "shop_id"}

    event = check(WEB, {**web_row(), "ID": "a", "id": "b"}, columns=columns)

    assert event.payload["properties"] == {"order_id": "a", "shop_id": "b"}


def test_a_column_cannot_be_mapped_to_nothing_that_is_known() -> None:
    with pytest.raises(ValueError, match="no field of an event"):
        EventChecker(any_rules(columns={"a": "purchase_number"}), now=NOW)


@pytest.mark.parametrize("word", ["denied", " DENIED ", "Denied"])
def test_nothing_else_is_looked_at_where_consent_is_denied(word: str) -> None:
    assert EventChecker(any_rules(), now=NOW).check({"consent": word, "event": 7, "event_time": {}}) is DENIED


def test_consent_is_granted_in_any_case_and_not_sent() -> None:
    assert check(WEB, {**web_row(), "consent": "GRANTED "}).payload == check(WEB, web_row()).payload


def test_one_denial_is_enough_where_consent_is_told_twice() -> None:
    checker = EventChecker(any_rules(columns={"opt_in": "consent"}), now=NOW)

    assert checker.check({**web_row(), "opt_in": "granted", "consent": "denied"}) is DENIED
    assert checker.check({**web_row(), "opt_in": "granted", "Consent ": "granted"}) is not DENIED


def test_names_that_mean_the_same_are_read_where_one_is_filled() -> None:
    event = check(OFFLINE, {**LEAST_ROWS[OFFLINE], "email": "", "mail": "alice_abc@gmail.com", "email-address": None})

    assert event.payload["user"] == {"email": ALICE_SHA256}
    assert check(OFFLINE, {**LEAST_ROWS[OFFLINE], "zip": "", "postal_code": ""}).payload["user"] == {
        "email": ALICE_SHA256
    }


def test_the_twin_is_read_where_the_raw_field_is_empty() -> None:
    twin = {"email_sha256": sha256("someone")}
    nothing: tuple[Any, ...] = ("", None, " ", "null", [])
    for empty in nothing:
        assert check(WEB, {**web_row(), "email": empty, **twin}).payload["user"]["email"] == sha256("someone")
    assert check(WEB, {**web_row(), "email": "alice_abc@gmail.com", **twin}).payload["user"]["email"] == ALICE_SHA256
    bad = check(WEB, {**web_row(), "email": "nobody", **twin})
    assert ("email" in bad.payload["user"], bad.left_out) == (False, ["malformed_email"])


def test_names_that_are_not_understood_are_told_but_nothing_that_may_be_a_person() -> None:
    checker = EventChecker(any_rules(), now=NOW)

    checker.check({**web_row(), "Loyalty level": 1, "idfa": "", "jane@example.com": "", "+442071838750": ""})

    assert checker.ignored == {"Loyalty level", "idfa", "(not shown)"}


def test_no_more_than_a_hundred_names_are_told() -> None:
    checker = EventChecker(any_rules(), now=NOW)

    for number in range(3):
        checker.check({**web_row(), **{f"x{number}_{letter}{end}": 1 for letter in "abcdefgh" for end in "abcdefgh"}})

    assert len(checker.ignored) == MOST_IGNORED


def test_limited_data_use_may_be_false_everywhere() -> None:
    event = check(OFFLINE, {**LEAST_ROWS[OFFLINE], "limited_data_use": "no"})

    assert event.limited_data_use is None


def test_a_crm_event_needs_no_user() -> None:
    event = check(CRM, {**LEAST_ROWS[CRM], "email": "nobody"})

    assert "user" not in event.payload
    assert is_identified(CRM, event.payload)


def test_address_and_browser_identify_together() -> None:
    row = {**web_row(ttp=None), "ip": "203.0.113.7", "user_agent": "a browser"}

    assert check(WEB, row).payload["user"] == {"ip": "203.0.113.7", "user_agent": "a browser"}


def test_an_address_is_asked_for_as_audiences_hash_it() -> None:
    event = check(WEB, {**web_row(), "email": "Jane.Doe+news@Example.com"})

    assert event.payload["user"]["email"] == sha256("jane.doe+news@example.com")
    assert event.probes == [
        Probe(IdentifierSpace.EMAIL_SHA256, bytes.fromhex(sha256(text)), "email")
        for text in ("jane.doe+news@example.com", "janedoe@example.com")
    ]


def test_a_number_is_asked_for_with_its_plus_and_without() -> None:
    event = check(WEB, {**web_row(), "phone": "(213) 373-4253"}, default_country="US")

    assert event.payload["user"]["phone"] == PHONE_SHA256
    assert event.probes == [
        Probe(IdentifierSpace.PHONE_SHA256, bytes.fromhex(sha256(text)), "phone")
        for text in ("+12133734253", "12133734253")
    ]


def test_a_device_is_asked_for_under_both_hashes() -> None:
    event = check(APP, {**LEAST_ROWS[APP], "gaid": "", "idfa": DEVICE_ID.upper()})

    assert [(probe.space, probe.member) for probe in event.probes] == [
        (IdentifierSpace.DEVICE_SHA256, "idfa"),
        (IdentifierSpace.DEVICE_MD5, "idfa"),
    ]
    assert event.probes[0].digest.hex() == "83dc3f5f32b9472613b0f038d36f22585a609d018af6f6067f50da318bf354bd"


def test_hashed_values_are_asked_for_as_they_are() -> None:
    digest = sha256("someone")
    hashed = {"email": digest, "phone_sha256": digest, "idfa_sha256": digest, "gaid": digest, "last_name": digest}

    probes = check(APP, {**LEAST_ROWS[APP], **hashed}).probes

    assert probes == [
        Probe(space, bytes.fromhex(digest), member)
        for space, member in [
            (IdentifierSpace.EMAIL_SHA256, "email"),
            (IdentifierSpace.PHONE_SHA256, "phone"),
            (IdentifierSpace.DEVICE_SHA256, "idfa"),
            (IdentifierSpace.DEVICE_SHA256, "gaid"),
        ]
    ]


def test_nobody_is_asked_for_by_id_name_or_click() -> None:
    row = {**web_row(), "external_id": "user_123", "ttclid": "a", "first_name": "Jane", "city": "Bonn"}

    assert check(WEB, row).probes == []


def test_suppressed_members_are_left_out() -> None:
    event = check(WEB, {**web_row(), "email": "alice_abc@gmail.com"})

    without(event, {"email", "phone"})
    assert event.payload["user"] == {"ttp": "a-cookie"}
    assert is_identified(WEB, event.payload)

    without(event, {"ttp"})
    assert "user" not in event.payload
    assert not is_identified(WEB, event.payload)
    without(event, {"ttp"})


@pytest.mark.parametrize(
    "fields",
    [{field.name: SECRET + "\x00"} for field in FIELDS.values() if field.bad or field.form is Form.TEXT]
    + [{"event_id": SECRET + "\x00"}, {"contents": [{SECRET: 1}]}, {"content_ids": [SECRET, 1]}],
    ids=str,
)
def test_no_message_holds_a_value(fields: dict[str, Any]) -> None:
    source = next(each for each in EventSource if all(each in SOURCES_OF[name] for name in fields))

    assert SECRET not in str(refusal(source, {**LEAST_ROWS[source], **fields}))


ANY_NAME = st.sampled_from(
    [field.name for field in FIELDS.values()]
    + [field.name + HASHED for field in FIELDS.values() if field.has_twin]
    + ["e-mail", "x"]
)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.sampled_from([case.given for case in CASES.values()]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=5,
)
ANY_CONTENTS = st.lists(
    st.dictionaries(st.sampled_from(["price", "content_id", "brand", "quantity", "content_name"]), ANY_JSON), max_size=3
)


@given(
    st.sampled_from(EventSource),
    st.dictionaries(ANY_NAME | st.text(), ANY_JSON) | st.fixed_dictionaries({"contents": ANY_CONTENTS}),
    st.booleans(),
)
def test_any_json_gives_an_event_that_can_be_sent_or_a_reason(
    source: EventSource, fields: dict[str, Any], is_complete: bool
) -> None:
    row = {**LEAST_ROWS[source], **fields} if is_complete else fields
    try:
        event = EventChecker(any_rules(source), now=NOW).check(row)
    except InvalidEvent:
        return
    if isinstance(event, CheckedEvent):
        json.dumps(event.payload, allow_nan=False, ensure_ascii=False).encode()


@given(
    st.sampled_from([WEB, APP, OFFLINE]),
    st.emails(),
    st.sampled_from(["+12133734253", "+442071838750", "+4930901820"]),
    st.text(min_size=1),
)
def test_no_plain_address_number_or_name_is_in_the_payload(
    source: EventSource, email: str, phone: str, name: str
) -> None:
    least = check(source, LEAST_ROWS[source]).payload
    row = {**LEAST_ROWS[source], "email": [email, email.upper()], "phone": phone, "first_name": name}
    row |= {"last_name_sha256": name, "email_sha256": email, "external_id": email, "zip_code": f"{name} 1"}

    payload = check(source, row).payload

    assert {**payload, "user": None} == {**least, "user": None}
    for member, sent in payload["user"].items():
        for value in sent if isinstance(sent, list) else [sent]:
            assert IS_SHA256(value) or value == least["user"].get(member)


NAMES = ["event", "E-Mail", "email", "Kunde", "e_mail", "event_time", "page_url", "phone", "zip", "postal_code", "ttp"]


@given(st.lists(st.dictionaries(st.sampled_from([*NAMES, *(f"x{n}" for n in range(9))]), st.just("a")), max_size=80))
def test_what_a_row_means_does_not_depend_on_the_rows_before_it(rows: list[dict[str, str]]) -> None:
    rules = EventRules(EventSource.WEB, 28, columns={"Kunde": "email", "x1": "consent", "x2": "value"})
    valid = {"event_time": str(int(NOW)), "page_url": "https://shop.example/", "event": "Purchase"}

    def outcome(checker: EventChecker, row: dict[str, str]) -> object:
        fields = {
            name: valid.get(name, "jo@example.com" if "ail" in name or name == "Kunde" else value)
            for name, value in row.items()
        }
        try:
            found = checker.check(fields)
        except InvalidEvent as invalid:
            return invalid.reason
        return found if found is DENIED else (found.payload, found.left_out)

    with_history = EventChecker(rules, now=NOW)

    for row in (*rows, *reversed(rows)):
        assert outcome(with_history, row) == outcome(EventChecker(rules, now=NOW), row)
