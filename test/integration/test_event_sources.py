import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.emulator.server import EmulatorServer
from test.support.event_receipts import account
from test.support.events import SOURCE_IDS, EventsPipeline, any_fields, json_lines

NAMES = {"web": "Emulated pixel", "offline": "Emulated shops"}


def upload(events: EventsPipeline, source: str, name: str, number: int = 1) -> Any:
    return events.upload(f"events/{source}/{name}/{number}.jsonl", json_lines(any_fields(source, number)))


def ids_of(events: EventsPipeline, source: str, name: str) -> list[str]:
    listed = events.emulator.ask("event_sources")["event_sources"]
    return [each["event_source_id"] for each in listed if (each["event_source"], each["name"]) == (source, name)]


@pytest.mark.parametrize("source", NAMES)
def test_an_event_source_is_found_by_its_name(events: EventsPipeline, source: str) -> None:
    version = upload(events, source, NAMES[source])

    events.run()

    assert events.counts(source)["counted"] == 1
    receipt = events.receipt(version)
    assert receipt is not None
    assert receipt["event_source"] == {"name": NAMES[source], "id": SOURCE_IDS[source]}


@pytest.mark.parametrize("source", NAMES)
def test_a_name_is_looked_up_once_an_hour(events: EventsPipeline, source: str) -> None:
    for number in range(1, 4):
        upload(events, source, NAMES[source], number)
    events.run()
    looked_up = [call for call in events.calls() if "list" in call["path"] or "offline/get" in call["path"]]
    assert len(looked_up) == 1

    events.clock.sleep(3_601)
    upload(events, source, NAMES[source], 4)
    events.run()

    looked_up = [call for call in events.calls() if "list" in call["path"] or "offline/get" in call["path"]]
    assert len(looked_up) == 2
    assert events.counts(source)["counted"] == 4


def test_a_pixel_is_found_on_whichever_page_it_stands(events: EventsPipeline, tiktok: EmulatorServer) -> None:
    for number in range(45):
        tiktok.tell("event_sources", {"event_source": "web", "name": f"Shop {number}"})
    tiktok.tell("event_sources", {"event_source": "web", "name": "Shop"})
    version = upload(events, "web", "Shop")

    events.run()

    receipt = events.receipt(version)
    assert receipt is not None
    assert [receipt["event_source"]["id"]] == ids_of(events, "web", "Shop")
    assert len(events.calls("pixel/list/")) == 3


@pytest.mark.parametrize("source", NAMES)
def test_a_name_that_tiktok_does_not_know_is_a_dead_letter(events: EventsPipeline, source: str) -> None:
    upload(events, source, "Nowhere")

    events.run()

    [letter] = events.queue.dead_letters
    assert letter.reason == "event_source_missing"
    assert "create_missing_event_sources" in letter.detail
    assert not ids_of(events, source, "Nowhere")


@pytest.mark.parametrize("source", NAMES)
def test_a_missing_event_source_is_created_where_that_is_switched_on(
    new_events: Callable[..., EventsPipeline], source: str
) -> None:
    events = new_events(create_missing_event_sources=True)
    versions = [upload(events, source, "New one", number) for number in range(1, 6)]

    events.run()

    [created] = ids_of(events, source, "New one")
    assert events.counts(source, created)["counted"] == 5
    assert all(account(events.receipt(version)) == {"read": 1, "sent": 1} for version in versions)


@pytest.mark.parametrize("source", NAMES)
def test_two_event_sources_of_one_name_are_not_chosen_between(
    events: EventsPipeline, tiktok: EmulatorServer, source: str
) -> None:
    tiktok.tell("event_sources", {"event_source": source, "name": NAMES[source]})
    upload(events, source, NAMES[source])

    events.run()

    [letter] = events.queue.dead_letters
    assert letter.reason == "ambiguous_event_source"
    assert SOURCE_IDS[source] in letter.detail


def test_no_eleventh_offline_event_set_is_created(
    new_events: Callable[..., EventsPipeline], tiktok: EmulatorServer
) -> None:
    events = new_events(create_missing_event_sources=True)
    for number in range(9):
        tiktok.tell("event_sources", {"event_source": "offline", "name": f"Shops {number}"})
    upload(events, "offline", "One more")

    events.run()

    assert [letter.reason for letter in events.queue.dead_letters] == ["too_many_event_sources"]
    assert not events.calls("offline/create/")


def test_a_name_that_is_too_long_for_a_pixel_is_not_created(new_events: Callable[..., EventsPipeline]) -> None:
    events = new_events(create_missing_event_sources=True)
    upload(events, "web", "x" * 41)

    events.run()

    assert [letter.reason for letter in events.queue.dead_letters] == ["bad_event_source"]
    assert not events.calls("pixel/create/")


@pytest.mark.parametrize("source", NAMES)
def test_a_create_that_is_not_answered_and_shows_up_late_is_not_repeated(
    new_events: Callable[..., EventsPipeline], tiktok: EmulatorServer, source: str
) -> None:
    events = new_events(create_missing_event_sources=True)
    tiktok.tell("settings", {"list_lag_seconds": 45})
    tiktok.tell("faults", [{"path": "create", "kind": "drop_after_commit"}])
    version = upload(events, source, "New one")
    events.deliver_next()
    assert events.receipt(version) is None
    tiktok.tell("clock", {"advance_seconds": 60})

    events.run()

    [created] = ids_of(events, source, "New one")
    assert events.counts(source, created)["counted"] == 1
    assert account(events.receipt(version)) == {"read": 1, "sent": 1}


def hold(events: EventsPipeline, **known: Any) -> None:
    """As if another function were looking a pixel up."""
    item = {
        "pk": {"S": f"source#{events.emulator.advertiser_id}/web/{NAMES['web']}"},
        "held_by": {"S": "another"},
        "held_until": {"N": str(events.clock.now() + 100)},
    }
    document = {"document": {"S": json.dumps(known)}} if known else {}
    events.dynamodb.put_item(TableName="ledger", Item={**item, **document})


def test_while_one_function_looks_a_name_up_another_waits(events: EventsPipeline) -> None:
    hold(events)
    version = upload(events, "web", NAMES["web"])

    events.run()

    receipt = events.receipt(version)
    assert account(receipt) == {"read": 1, "sent": 1}
    assert receipt is not None
    assert receipt["attempts"] == 1


def test_while_one_function_looks_a_name_up_again_another_goes_by_what_is_known(events: EventsPipeline) -> None:
    hold(events, id=SOURCE_IDS["web"], found_at=events.clock.now() - 4_000)
    version = upload(events, "web", NAMES["web"])

    events.deliver_next()

    assert account(events.receipt(version)) == {"read": 1, "sent": 1}


def test_another_advertiser_of_the_secret_can_be_named(events: EventsPipeline, tiktok: EmulatorServer) -> None:
    other = "7000000000000009999"
    tiktok.tell("event_sources", {"event_source": "web", "name": "Their pixel", "advertiser_id": other})
    tiktok.tell("tokens", {"token": tiktok.access_token, "advertiser_ids": [tiktok.advertiser_id, other]})
    events.put_credentials(tiktok.access_token, tiktok.advertiser_id, advertisers={"them": other})
    events.put_source_settings("web", "Their pixel", advertiser="them")
    version = upload(events, "web", "Their pixel")

    events.run()

    receipt = events.receipt(version)
    assert account(receipt) == {"read": 1, "sent": 1}
    assert receipt is not None
    assert receipt["advertiser_id"] == other


@pytest.mark.parametrize("source", NAMES)
def test_files_that_arrive_at_once_create_one_event_source(
    new_events: Callable[..., EventsPipeline], tiktok: EmulatorServer, source: str
) -> None:
    events = new_events(create_missing_event_sources=True)
    tiktok.tell("settings", {"list_lag_seconds": 1})
    for number in range(1, 7):
        upload(events, source, "New one", number)
    messages = list(events.queue.messages.values())

    with ThreadPoolExecutor(max_workers=len(messages)) as pool:
        list(pool.map(events.deliver, messages))
    events.run()

    [created] = ids_of(events, source, "New one")
    assert events.counts(source, created) | {"received": 6, "counted": 6} == events.counts(source, created)
    assert len(events.calls("create/")) == 1
