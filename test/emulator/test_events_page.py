"""What the control plane and the page tell of the events."""

import re
from typing import Any

import pytest
import requests

from local.emulator.event_specification import Source
from local.emulator.identification import Identification, identifiers_in

from .driver import EVENT_SOURCE_IDS, Driver, any_event, digests

HASH, OTHER = digests(2)


def page(tiktok: Driver) -> str:
    answer = requests.get(tiktok.emulator.url + "/events", timeout=10)
    assert answer.headers["Content-Type"].startswith("text/html")
    return answer.text


def text_of(html: str) -> str:
    """The words of a page, as somebody reads them."""
    return " ".join(re.sub(r"<[^>]*>", " ", html.partition("<main>")[2]).split())


@pytest.mark.parametrize(
    ("source", "event", "found"),
    [
        (Source.WEB, {"user": {"email": HASH, "ttclid": "c", "ttp": "t"}}, {"email", "ttclid", "ttp"}),
        (Source.WEB, {"user": {"email": "jane@example.com", "phone": ["+44", HASH.upper()]}}, {"phone"}),
        (Source.WEB, {"user": {"ip": "192.0.2.1"}}, set()),
        (Source.WEB, {"user": {"ip": "192.0.2.1", "user_agent": "M"}}, {"ip with user_agent"}),
        (Source.APP, {"user": {"gaid": "g", "ip": "192.0.2.1"}}, {"gaid", "ip"}),
        (Source.OFFLINE, {"user": {"external_id": HASH, "phone": HASH}}, {"phone"}),
        (Source.CRM, {"lead": {"lead_id": "1"}, "user": None}, {"lead_id"}),
    ],
)
def test_the_identifiers_that_matter_are_found(source: Source, event: dict[str, Any], found: set[str]) -> None:
    assert identifiers_in(source, event) == found


def test_an_app_event_without_a_device_id_is_not_identified() -> None:
    identification = Identification(Source.APP)
    identification.add({"user": {"ip": "192.0.2.1", "user_agent": "M", "idfv": "v"}})
    identification.add({"user": {"idfa": "a"}})
    assert (identification.share("ip"), identification.unidentified_share()) == (0.5, 0.5)


def test_hashes_are_told_from_plain_values() -> None:
    identification = Identification(Source.OFFLINE)
    assert identification.hashed_share() is None
    identification.add({"user": {"email": [HASH, "jane@example.com"], "phone": HASH, "external_id": "7"}})
    assert (identification.hashes, identification.plain_values, identification.hashed_share()) == (2, 2, 0.5)


def test_the_control_plane_tells_the_counts_by_name_and_the_identification(tiktok: Driver) -> None:
    tiktok.track([any_event(event_id="1", user={"email": HASH}), any_event(event="Search"), any_event(event_id="1")])
    received = tiktok.control("POST", "events", {"event_source": "web", "event_source_id": EVENT_SOURCE_IDS["web"]})
    assert received["by_event"] == {"Purchase": {"counted": 1, "merged": 1}, "Search": {"counted": 1}}
    assert received["identification"] == {
        "events": 2,
        "unidentified": 1,
        "hashes": 1,
        "plain_values": 0,
        "identifiers": {
            "email": 1,
            "phone": 0,
            "external_id": 0,
            "ttclid": 0,
            "ttp": 0,
            "ip with user_agent": 0,
        },
    }


def test_the_page_shows_what_came_and_how_well_it_is_identified(tiktok: Driver) -> None:
    tiktok.track([any_event(event_id="1", user={"email": HASH}), any_event(event="Search"), any_event(event_id="1")])
    tiktok.track([any_event(event="ViewContent")], test_event_code="TEST12345")
    tiktok.track(["bad"])
    text = text_of(page(tiktok))
    assert "3 Received 2 Counted 1 Merged 0 Dropped 1 Test 1 Refused requests" in text
    assert "Purchase 1 1 0" in text
    assert "email 50.0%" in text
    assert "none 50.0%" in text
    assert "well-formed hashes 1 hashes, 0 plain values 100.0%" in text
    assert "ViewContent no event_id test TEST12345" in text
    assert text.count("No events yet.") == 3


def test_the_page_shortens_identifiers(tiktok: Driver) -> None:
    users = [{"email": [HASH, OTHER]}, {"email": "jane@example.com"}, {"ip": "192.0.2.1"}, {"ttp": "t"}]
    tiktok.track([any_event(user=user) for user in users])
    html = page(tiktok)
    assert f"<code>{HASH[:4]}…, {OTHER[:4]}…</code>" in html
    for whole in (HASH, OTHER, "jane@example.com", "192.0.2.1"):
        assert whole[:5] not in html


def test_the_page_escapes_what_others_have_written(tiktok: Driver) -> None:
    tag = "<script>alert('x')</script>"
    tiktok.add_event_source("web", tag)
    tiktok.track([any_event(event=tag, event_id=tag, user={"ttp": tag})], test_event_code=tag)
    tiktok.track([any_event(event=tag, event_id=tag, user={"ttp": tag})])
    html = page(tiktok)
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_the_page_survives_half_a_surrogate_pair(tiktok: Driver) -> None:
    assert tiktok.track([any_event(user={"ttp": "\ud800"})])["code"] == 40002
    assert tiktok.track([any_event(user={"\ud800": "\ud800"})])["code"] == 0
    assert "Purchase" in page(tiktok)


def test_the_pages_lead_to_one_another_and_need_nothing_from_elsewhere(tiktok: Driver) -> None:
    tiktok.track([any_event()])
    assert not re.search(r"(src|href)=.(?!data:,|/[^/]|/\")|url\(|https?://", page(tiktok))
    assert '<a href="/">' in page(tiktok)
    assert '<a href="/events">' in requests.get(tiktok.emulator.url, timeout=10).text


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("events", {}),
        ("events", {"event_source": "web"}),
        ("events", {"event_source": "shop", "event_source_id": "1"}),
        ("events", {"event_source": "web", "event_source_id": "NOBODYS"}),
        ("events", {"event_source": "app", "event_source_id": "NOBODYS"}),
        ("event_sources", {"event_source": "web"}),
        ("event_sources", {"name": "shop"}),
        ("event_sources", {"event_source": "web", "name": "shop", "event_source_id": "no code"}),
        ("event_sources", {"event_source": "crm", "name": "shop", "event_source_id": "CODE"}),
        ("event_sources", {"event_source": "web", "name": "shop", "event_source_id": EVENT_SOURCE_IDS["web"]}),
        ("event_sources", {"event_source": "web", "name": "shop", "typo": 1}),
        ("poison", {"event_ids": "1"}),
        ("poison", {"events": [7]}),
    ],
)
def test_bad_input_is_status_400_with_a_reason(tiktok: Driver, command: str, body: object) -> None:
    response = requests.post(f"{tiktok.emulator.url}/_control/{command}", json=body, timeout=10)
    assert response.status_code == 400
    assert response.json()["error"]
