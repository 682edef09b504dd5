"""How events become requests: ids, sizes, limited data use."""

import json
from typing import Any

import pytest

from lambdas.events.batches import Packing
from lambdas.events.rows.event import CheckedEvent
from lambdas.tiktok.models import MOST_EVENT_BYTES, MOST_EVENTS, EventSource


def packed(*events: CheckedEvent, source: EventSource = EventSource.WEB, source_id: str = "CODE") -> list[Any]:
    """The bodies of all requests."""
    packing = Packing(source, source_id, {}, None)
    return [
        json.loads(parcel.body)
        for group in packing.groups(enumerate(events, start=1))
        for request in group.requests
        for parcel in request
    ]


def any_event(**payload: Any) -> CheckedEvent:
    return CheckedEvent({"event": "Purchase", "event_time": 1, **payload})


def test_a_given_id_is_sent_as_it_is() -> None:
    [body] = packed(CheckedEvent({"event": "Purchase"}, event_id='order "7" ä'))

    assert body == {"event": "Purchase", "event_id": 'order "7" ä'}


def test_a_derived_id_stays_the_same_and_differs_with_everything_that_is_sent() -> None:
    ids = [
        packed(any_event())[0]["event_id"],
        packed(any_event(event="ViewContent"))[0]["event_id"],
        packed(any_event(event_time=2))[0]["event_id"],
        packed(any_event(user={"email": "a"}))[0]["event_id"],
        packed(any_event(), source=EventSource.CRM)[0]["event_id"],
        packed(any_event(), source_id="OTHER")[0]["event_id"],
    ]

    assert len(set(ids)) == len(ids)
    # Written down, for a release that derived another would send the same events twice.
    assert ids[0] == packed(any_event())[0]["event_id"] == "7e8e4aea0dfc1016d9f3fb5f1529c0209852d7cd"


def test_limited_data_use_does_not_change_the_id() -> None:
    with_it = CheckedEvent({"event": "Purchase", "event_time": 1}, limited_data_use=True)

    assert packed(with_it)[0]["event_id"] == packed(any_event())[0]["event_id"]


def test_no_request_is_larger_than_tiktok_takes() -> None:
    events = [(number, any_event(n=number, text="x" * 2_000)) for number in range(1, 2_501)]

    groups = list(Packing(EventSource.WEB, "CODE", {}, None).groups(events))

    assert [group.last for group in groups] == [1_000, 2_000, 2_500]
    requests = [request for group in groups for request in group.requests]
    assert all(len(request) <= MOST_EVENTS for request in requests)
    assert all(sum(len(parcel.body) + 1 for parcel in request) <= MOST_EVENT_BYTES for request in requests)
    assert [parcel.number for request in requests for parcel in request] == list(range(1, 2_501))
    assert len(requests) == 8


@pytest.mark.parametrize("count", [0, 1, MOST_EVENTS, MOST_EVENTS + 1])
def test_groups_have_a_thousand_events_at_most(count: int) -> None:
    groups = list(Packing(EventSource.WEB, "CODE", {}, None).groups((n, any_event()) for n in range(count)))

    assert [sum(map(len, group.requests)) for group in groups] == [
        min(MOST_EVENTS, count - start) for start in range(0, count, MOST_EVENTS)
    ]
