"""The Events API and the event sources: what is asked of TikTok, and what its answers mean."""

import json
from typing import Any

import pytest

from lambdas.tiktok.errors import TikTokRejected, TikTokUnavailable
from lambdas.tiktok.event_sources import EventSourceApi
from lambdas.tiktok.events import EventApi
from lambdas.tiktok.models import MOST_EVENT_BYTES, MOST_EVENTS, EventSource, NamedEventSource
from test.support.transports import Envelope, ScriptedTikTok

MAYBE = TikTokUnavailable("cut off", may_have_happened=True)


def pixels(*names: str, page: int = 1, pages: int = 1, total: int | None = None) -> Envelope:
    """A page of /pixel/list/."""
    listed = [
        {"pixel_id": f"{page}{number}", "pixel_code": f"CODE{page}{number}", "pixel_name": name}
        for number, name in enumerate(names)
    ]
    info = {"page": page, "total_page": pages, "total_number": len(names) if total is None else total}
    return {"data": {"pixels": listed, "page_info": info}}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, {}),
        ({"test_event_code": "TEST1"}, {"test_event_code": "TEST1"}),
        ({"partner_name": "Ächme"}, {"partner_name": "Ächme"}),
    ],
)
def test_events_are_sent_as_they_were_encoded_with_the_rest_at_the_top(
    given: dict[str, Any], told: dict[str, str]
) -> None:
    tiktok = ScriptedTikTok()

    request_id = EventApi(tiktok.client()).track(EventSource.WEB, "CODE", [b'{"event":"a"}', b'{"event":"b"}'], **given)

    assert request_id == "2026"
    [request] = tiktok.requests
    assert (request.method, request.path) == ("POST", "event/track/")
    assert request.json is not None
    assert json.loads(request.json) == {
        "event_source": "web",
        "event_source_id": "CODE",
        **told,
        "data": [{"event": "a"}, {"event": "b"}],
    }


@pytest.mark.parametrize("events", [[], [b"{}"] * (MOST_EVENTS + 1), [b'"' + b"x" * (MOST_EVENT_BYTES + 3_000) + b'"']])
def test_a_request_that_tiktok_would_refuse_is_never_sent(events: list[bytes]) -> None:
    tiktok = ScriptedTikTok()

    with pytest.raises(ValueError, match=r"a request takes|the body has"):
        EventApi(tiktok.client()).track(EventSource.WEB, "CODE", events)

    assert not tiktok.requests


def test_events_whose_outcome_is_unknown_are_sent_again_because_they_carry_ids() -> None:
    tiktok = ScriptedTikTok(track=[MAYBE, {"code": 50000}, {}])

    EventApi(tiktok.client()).track(EventSource.WEB, "CODE", [b"{}"])

    assert len(tiktok.requests) == 3


@pytest.mark.parametrize("code", [20001, 40002, 40062])
def test_what_tiktok_said_of_a_refused_event_is_kept_without_identifiers(code: int) -> None:
    tiktok = ScriptedTikTok(track=[{"code": code, "message": "data.0.user.email: jo@example.com is no hash"}])

    with pytest.raises(TikTokRejected) as raised:
        EventApi(tiktok.client()).track(EventSource.WEB, "CODE", [b"{}"])

    assert raised.value.code == code
    assert raised.value.said == "data.0.user.email: … is no hash"


def test_pixels_are_listed_over_all_pages_by_their_codes() -> None:
    tiktok = ScriptedTikTok(list=[pixels("a", "b", page=1, pages=2, total=3), pixels("c", page=2, pages=2, total=3)])

    found = EventSourceApi(tiktok.client("7")).list_sources(EventSource.WEB, "a")

    assert found == (
        [NamedEventSource("CODE10", "a"), NamedEventSource("CODE11", "b"), NamedEventSource("CODE20", "c")],
        True,
    )
    assert [request.query for request in tiktok.requests] == [
        {"advertiser_id": "7", "name": "a", "page": str(page), "page_size": "20"} for page in (1, 2)
    ]


def test_a_listing_that_is_shorter_than_announced_is_not_the_whole() -> None:
    tiktok = ScriptedTikTok(list=[pixels("a", total=2)])

    assert EventSourceApi(tiktok.client()).list_sources(EventSource.WEB, "b")[1] is False


def test_offline_event_sets_are_listed_all_at_once() -> None:
    sets = [{"event_set_id": 70, "name": "Shops"}, {"event_set_id": "71", "name": "Kiosks"}]
    tiktok = ScriptedTikTok(get=[{"data": {"event_set_list": sets}}])

    found, is_whole = EventSourceApi(tiktok.client("7")).list_sources(EventSource.OFFLINE, "Shops")

    assert found == [NamedEventSource("70", "Shops"), NamedEventSource("71", "Kiosks")]
    assert is_whole
    assert [(request.path, request.query) for request in tiktok.requests] == [("offline/get/", {"advertiser_id": "7"})]


@pytest.mark.parametrize(
    ("source", "data"),
    [
        (EventSource.OFFLINE, {"event_set_list": [{"name": "x"}]}),
        (EventSource.OFFLINE, {"event_set_list": ["x"]}),
        (EventSource.WEB, {"pixels": [{"pixel_id": "1"}], "page_info": {"total_number": 1, "total_page": 1}}),
        (EventSource.WEB, {"pixels": []}),
    ],
)
def test_a_listing_of_another_shape_is_asked_for_again_later(source: EventSource, data: dict[str, Any]) -> None:
    tiktok = ScriptedTikTok(get=[{"data": data}], list=[{"data": data}])

    with pytest.raises(TikTokUnavailable):
        EventSourceApi(tiktok.client()).list_sources(source, "x")


@pytest.mark.parametrize(
    ("source", "answer", "body"),
    [
        (EventSource.WEB, {"pixel_code": "CODE", "pixel_id": "1"}, {"pixel_name": "Shop"}),
        (
            EventSource.OFFLINE,
            {"event_set_id": "70"},
            {"name": "Shop", "description": "Created by the TikTok Ads connector for AWS"},
        ),
    ],
)
def test_an_event_source_is_created_by_its_name(
    source: EventSource, answer: dict[str, str], body: dict[str, str]
) -> None:
    tiktok = ScriptedTikTok(create=[{"data": answer}])

    created = EventSourceApi(tiktok.client("7")).create(source, "Shop")

    assert created == next(iter(answer.values()))
    assert tiktok.bodies == [{"advertiser_id": "7", **body}]


@pytest.mark.parametrize("answer", [MAYBE, {"data": {}}, {"code": 50002}])
@pytest.mark.parametrize("source", [EventSource.WEB, EventSource.OFFLINE])
def test_a_create_whose_outcome_is_unknown_is_not_repeated(source: EventSource, answer: Envelope | Exception) -> None:
    tiktok = ScriptedTikTok(create=[answer])

    with pytest.raises(TikTokUnavailable) as raised:
        EventSourceApi(tiktok.client()).create(source, "Shop")

    assert raised.value.may_have_happened
    assert len(tiktok.requests) == 1
