"""What counts once however often it is sent."""

import sys
from typing import Any

import pytest
import requests

from local.emulator.event_specification import Source
from local.emulator.events import EventLog, Outcome, combine
from local.emulator.settings import Settings

from .driver import Driver, any_event

MINUTE, HOUR = 60, 3_600
SETTINGS = Settings()


def outcomes(*moments: float, source: Source = Source.WEB, **changed: Any) -> list[str]:
    """What becomes of the same event at each of these seconds."""
    log = EventLog(source)
    return [log.take(any_event(**changed), moment, SETTINGS).value for moment in moments]


def test_a_duplicate_is_merged_within_five_minutes_and_dropped_within_48_hours() -> None:
    moments = (0, 5 * MINUTE, 5 * MINUTE + 1, 48 * HOUR, 48 * HOUR + 1)
    assert outcomes(*moments, event_id="1") == ["counted", "merged", "dropped", "dropped", "counted"]


def test_the_windows_begin_anew_with_the_event_that_counts_again() -> None:
    again = 48 * HOUR + 1
    moments = (0, again, again + MINUTE, again + HOUR)
    assert outcomes(*moments, event_id="1") == ["counted", "counted", "merged", "dropped"]


@pytest.mark.parametrize("changed", [{"event": "Search"}, {"event_id": "2"}])
def test_another_name_or_another_id_is_another_event(changed: dict[str, str]) -> None:
    log = EventLog(Source.WEB)
    log.take(any_event(event_id="1"), 0, SETTINGS)
    assert log.take(any_event(**{"event_id": "1", **changed}), 0, SETTINGS) is Outcome.COUNTED


def test_names_and_ids_do_not_run_into_one_another() -> None:
    log = EventLog(Source.WEB)
    log.take(any_event(event="A", event_id="BC"), 0, SETTINGS)
    assert log.take(any_event(event="AB", event_id="C"), 0, SETTINGS) is Outcome.COUNTED


@pytest.mark.parametrize("changed", [{}, {"event_id": ""}, {"user": {"email": "x"}}])
def test_without_an_event_id_nothing_is_a_duplicate(changed: dict[str, Any]) -> None:
    assert outcomes(0, 0, 0, **changed) == ["counted"] * 3


def test_without_an_event_id_a_web_event_of_the_same_cookie_is_dropped_within_five_minutes() -> None:
    moments = (0, 5 * MINUTE, 5 * MINUTE + 1)
    assert outcomes(*moments, user={"ttp": "cookie"}) == ["counted", "dropped", "counted"]
    assert outcomes(*moments, user={"ttp": "cookie"}, source=Source.APP) == ["counted"] * 3


def test_merging_combines_the_fields_and_keeps_what_came(tiktok: Driver) -> None:
    first = any_event(event_id="1", user={"email": "a", "ttp": None}, properties={"value": 1})
    second = any_event(event_id="1", user={"email": "b", "ttp": "t"}, properties={"currency": "GBP"})
    tiktok.track([first])
    tiktok.advance(MINUTE)
    tiktok.track([second])
    received = tiktok.received()
    assert (received["counts"]["counted"], received["counts"]["merged"]) == (1, 1)
    assert [event["body"] for event in received["events"]] == [first, second]
    combined = received["events"][0]["combined"]
    assert combined["user"] == {"email": "a", "ttp": "t"}
    assert combined["properties"] == {"value": 1, "currency": "GBP"}


def test_the_first_event_is_right_where_two_contradict_one_another() -> None:
    assert combine({"a": 1, "b": {"c": 1}, "d": None}, {"a": 2, "b": {"c": 2, "e": 3}, "d": 4}) == {
        "a": 1,
        "b": {"c": 1, "e": 3},
        "d": 4,
    }


def test_duplicates_are_found_within_a_request_too_and_the_answer_does_not_tell(tiktok: Driver) -> None:
    answer = tiktok.track([any_event(event_id="1")] * 3)
    assert (answer["code"], answer["data"]) == (0, {})
    counts = tiktok.received()["counts"]
    assert (counts["received"], counts["counted"], counts["merged"], counts["dropped"]) == (3, 1, 2, 0)


def test_the_emulators_clock_decides(tiktok: Driver) -> None:
    for seconds in (0, MINUTE, HOUR, 48 * HOUR):
        tiktok.advance(seconds)
        tiktok.track([any_event(event_id="1")])
    counts = tiktok.received()["counts"]
    assert (counts["received"], counts["counted"], counts["merged"], counts["dropped"]) == (4, 2, 1, 1)


def test_each_event_source_has_duplicates_of_its_own(tiktok: Driver) -> None:
    other = tiktok.add_event_source("web", "another")
    tiktok.track([any_event(event_id="1")])
    tiktok.track([any_event(event_id="1")], event_source_id=other)
    assert tiktok.received("web", other)["counts"]["counted"] == 1


def test_a_request_dropped_after_the_commit_has_counted_and_its_repeat_is_merged(tiktok: Driver) -> None:
    tiktok.emulator.tell("faults", [{"path": "event/track/", "kind": "drop_after_commit"}])
    with pytest.raises(requests.ConnectionError):
        tiktok.track([any_event(event_id="1")])
    tiktok.track([any_event(event_id="1")])
    counts = tiktok.received()["counts"]
    assert (counts["counted"], counts["merged"]) == (1, 1)


@pytest.mark.parametrize("kind", [{"kind": "code", "code": 40100}, {"kind": "http", "status": 502}])
def test_a_refusal_on_order_counts_nothing(tiktok: Driver, kind: dict[str, Any]) -> None:
    tiktok.emulator.tell("faults", [{"path": "event/track/", **kind}])
    tiktok.request("POST", "/open_api/v1.3/event/track/", json={})
    assert not any(tiktok.received()["counts"].values())


def test_bodies_are_kept_of_the_newest_events_and_the_counts_stay_exact(tiktok: Driver) -> None:
    tiktok.emulator.tell("settings", {"max_kept_events": 2})
    tiktok.track([any_event(event_id=str(number)) for number in range(5)])
    tiktok.track([any_event(event_id="0")])
    received = tiktok.received()
    assert [event["body"]["event_id"] for event in received["events"]] == ["4", "0"]
    assert (received["counts"]["counted"], received["counts"]["merged"]) == (5, 1)


def test_an_event_of_which_no_body_is_kept_costs_little_memory() -> None:
    log, settings = EventLog(Source.WEB), Settings(max_kept_events=0)
    for number in range(2_000):
        log.take(any_event(event_id=str(number)), 0, settings)
    assert (len(log.kept), len(log._mergeable)) == (0, 0)
    arrivals = log._first_arrivals
    assert (sys.getsizeof(arrivals) + sum(map(sys.getsizeof, arrivals))) / len(arrivals) < 150


def test_reset_forgets_every_event_and_poison(tiktok: Driver) -> None:
    extra = tiktok.add_event_source("web", "extra")
    tiktok.track([any_event(event_id="1")])
    tiktok.emulator.tell("poison", {"event_ids": ["2"]})
    tiktok.emulator.tell("reset")
    assert not any(tiktok.received()["counts"].values())
    assert extra not in [kept["event_source_id"] for kept in tiktok.emulator.ask("event_sources")["event_sources"]]
    assert tiktok.track([any_event(event_id="2")])["code"] == 0
