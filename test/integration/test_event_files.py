import json
from collections.abc import Callable

import pytest

from lambdas.contracts import Announcement
from local.emulator.server import EmulatorServer
from test.support.builders import notification_of
from test.support.event_receipts import account
from test.support.events import NOW, SOURCE_IDS, EventsPipeline, any_fields, json_lines

SOURCES = ("web", "app", "offline", "crm")


def key_of(source: str, file: str = "events.jsonl", name: str = "") -> str:
    return f"events/{source}/{name or SOURCE_IDS[source]}/{file}"


@pytest.mark.parametrize("source", SOURCES)
def test_the_events_of_a_file_reach_tiktok_once(events: EventsPipeline, source: str) -> None:
    version = events.upload(key_of(source), json_lines(*(any_fields(source, number) for number in range(1, 4))))

    events.run()

    assert events.counts(source)["counted"] == 3
    receipt = events.receipt(version)
    assert account(receipt) == {"read": 3, "sent": 3}
    assert receipt is not None
    assert (receipt["status"], receipt["source"]) == ("delivered", source)
    assert receipt["event_source"] == {"name": SOURCE_IDS[source], "id": SOURCE_IDS[source]}
    assert receipt["rejected_key"] is None
    assert events.rejected(version) is None
    assert not events.queue.dead_letters


def test_an_event_without_an_id_gets_one_from_its_content(events: EventsPipeline) -> None:
    first, second = any_fields("web", 1), any_fields("web", 2)
    events.upload(key_of("web", "a.jsonl"), json_lines(first, second))
    events.upload(key_of("web", "b.jsonl"), json_lines(second, first, first))

    events.run()

    assert events.counts("web") | {"received": 5} == events.counts("web")
    assert events.counts("web")["counted"] == 2
    assert len({body["event_id"] for body in events.bodies("web")}) == 2


def test_the_same_event_has_one_id_in_a_table_and_in_json(events: EventsPipeline) -> None:
    fields = any_fields("offline")
    table = f"{','.join(fields)}\n{','.join(map(str, fields.values()))}\n".encode()
    events.upload(key_of("offline", "a.csv"), table)
    events.upload(key_of("offline", "b.jsonl"), json_lines(dict(reversed(fields.items()))))

    events.run()

    assert events.counts("offline")["counted"] == 1
    assert events.counts("offline")["merged"] == 1


def test_a_bad_row_is_written_back_and_the_others_are_sent(events: EventsPipeline) -> None:
    bad = json.dumps(any_fields("web", 2, currency="euros"))
    version = events.upload(key_of("web"), json_lines(any_fields("web", 1), bad, "", "{", any_fields("web", 3)))

    events.run()

    assert events.counts("web")["counted"] == 2
    receipt = events.receipt(version)
    assert account(receipt) == {"read": 4, "sent": 2, "invalid": 2}
    assert receipt is not None
    assert receipt["events"]["invalid_by_reason"] == {
        "bad_currency": {"count": 1, "lines": [2]},
        "not_json": {"count": 1, "lines": [4]},
    }
    assert receipt["rejected_key"] == f"rejected/{version.key}/{version.version_id}.jsonl"
    rejected = events.rejected(version)
    assert rejected is not None
    assert [(line["line"], line["reason"], line["row"]) for line in rejected] == [
        (2, "bad_currency", bad),
        (4, "not_json", "{"),
    ]


def test_a_file_with_a_bad_row_is_refused_whole_where_that_is_asked_for(events: EventsPipeline) -> None:
    events.put_source_settings("web", SOURCE_IDS["web"], on_invalid_row="refuse")
    version = events.upload(key_of("web"), json_lines(any_fields("web", 1), any_fields("web", 2, currency="euros")))

    events.run()

    assert events.counts("web")["received"] == 0
    assert account(events.receipt(version)) == {"read": 2, "withheld": 1, "invalid": 1}
    assert [letter.reason for letter in events.queue.dead_letters] == ["invalid_events"]
    assert [line["line"] for line in events.rejected(version) or []] == [2]

    events.put_source_settings("web", SOURCE_IDS["web"], on_invalid_row="skip")
    events.replay()
    events.run()

    assert events.counts("web")["counted"] == 1
    assert account(events.receipt(version)) == {"read": 2, "sent": 1, "invalid": 1}


def test_what_was_written_back_is_no_longer_there_once_it_can_be_sent(events: EventsPipeline) -> None:
    version = events.upload(key_of("web"), json_lines(any_fields("web", event="purchase")))
    events.run()
    assert [line["reason"] for line in events.rejected(version) or []] == ["misspelt_event"]

    events.put_source_settings("web", SOURCE_IDS["web"], mapping={"events": {"purchase": "Purchase"}})
    events.replay()
    events.run()

    assert events.counts("web")["counted"] == 1
    assert events.rejected(version) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no_events"),
        (b"\n\n", "no_events"),
        (b"{}\n", "no_valid_event"),
        (b"\x1f\x8b", "damaged_file"),
    ],
)
def test_a_file_of_which_nothing_can_be_sent_is_a_dead_letter(
    events: EventsPipeline, content: bytes, reason: str
) -> None:
    version = events.upload(key_of("web"), content)

    events.run()

    assert [letter.reason for letter in events.queue.dead_letters] == [reason]
    receipt = events.receipt(version)
    assert receipt is not None
    assert (receipt["status"], receipt["reason"]) == ("rejected", reason)
    assert events.counts("web")["received"] == 0


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("events/web/events.jsonl", "bad_key"),
        ("events/web//events.jsonl", "bad_key"),
        ("events/shop/1/events.jsonl", "bad_event_source"),
        ("events/app/my app/events.jsonl", "bad_event_source"),
        ("events/crm/leads/events.jsonl", "bad_event_source"),
        (key_of("web", "events.pdf"), "bad_key"),
    ],
)
def test_a_key_that_cannot_be_read_is_a_dead_letter(events: EventsPipeline, key: str, reason: str) -> None:
    events.upload(key, json_lines(any_fields("web")))

    events.run()

    assert [letter.reason for letter in events.queue.dead_letters] == [reason]


def test_files_may_lie_in_further_folders(events: EventsPipeline) -> None:
    events.upload(key_of("crm", "dt=2026-11-21/part-0000.jsonl"), json_lines(any_fields("crm")))

    events.run()

    assert events.counts("crm")["counted"] == 1


def test_a_second_notification_changes_nothing(events: EventsPipeline) -> None:
    version = events.upload(key_of("app"), json_lines(any_fields("app")))
    events.run()
    receipt = events.receipt(version)

    events.send(notification_of(version))
    events.run()

    assert events.counts("app")["received"] == 1
    assert events.receipt(version) == receipt


def test_own_names_of_columns_and_events_are_mapped(events: EventsPipeline) -> None:
    events.put_source_settings(
        "web",
        SOURCE_IDS["web"],
        mapping={"columns": {"Kunde": "email", "Summe": "value"}, "events": {"order_done": "Purchase"}},
    )
    fields = any_fields("web", event="order_done", email=None, value=None, Kunde="jo@example.com", Summe="8.40")
    version = events.upload(key_of("web"), json_lines(fields))

    events.run()

    (body,) = events.bodies("web")
    assert body["event"] == "Purchase"
    assert body["properties"]["value"] == 8.4
    assert len(body["user"]["email"]) == 64
    receipt = events.receipt(version)
    assert receipt is not None
    assert receipt["ignored_columns"] == []


def test_test_events_and_the_partner_are_told_at_the_top(
    new_events: Callable[..., EventsPipeline], tiktok: EmulatorServer
) -> None:
    events = new_events(partner_name="Acme")
    events.put_source_settings("web", SOURCE_IDS["web"], test_event_code="TEST12345")
    version = events.upload(key_of("web"), json_lines(any_fields("web")))

    events.run()

    received = events.received("web")
    assert received["counts"] | {"counted": 0, "test": 1} == received["counts"]
    assert [event["test_event_code"] for event in received["test_events"]] == ["TEST12345"]
    receipt = events.receipt(version)
    assert receipt is not None
    assert receipt["test_event_code"] == "TEST12345"


@pytest.mark.parametrize(
    ("deployment", "source_settings", "event", "expected"),
    [
        (False, None, None, "absent"),
        (True, None, None, True),
        (True, False, None, False),
        (False, True, None, True),
        (True, True, "false", False),
        (False, None, True, True),
    ],
)
def test_the_most_particular_word_on_limited_data_use_holds(
    new_events: Callable[..., EventsPipeline],
    deployment: bool,
    source_settings: bool | None,
    event: bool | str | None,
    expected: bool | str,
) -> None:
    events = new_events(limited_data_use=deployment)
    if source_settings is not None:
        events.put_source_settings("web", SOURCE_IDS["web"], limited_data_use=source_settings)
    events.upload(key_of("web"), json_lines(any_fields("web", limited_data_use=event)))

    events.run()

    assert [body.get("limited_data_use", "absent") for body in events.bodies("web")] == [expected]


def test_offline_events_never_say_what_only_web_and_app_know(new_events: Callable[..., EventsPipeline]) -> None:
    events = new_events(limited_data_use=True)
    events.upload(key_of("offline"), json_lines(any_fields("offline")))

    events.run()

    assert ["limited_data_use" in body for body in events.bodies("offline")] == [False]


def test_who_denies_consent_is_not_sent_and_not_written_back(events: EventsPipeline) -> None:
    version = events.upload(
        key_of("web"),
        json_lines(
            any_fields("web", 1, consent="granted"),
            any_fields("web", 2, consent="denied", currency="euros"),
            any_fields("web", 3, consent=""),
        ),
    )

    events.run()

    assert events.counts("web")["received"] == 1
    assert account(events.receipt(version)) == {"read": 3, "sent": 1, "denied": 1, "invalid": 1}
    assert [line["line"] for line in events.rejected(version) or []] == [3]


def test_a_delivery_is_announced_without_line_numbers(events: EventsPipeline) -> None:
    version = events.upload(key_of("web"), json_lines(any_fields("web", 1), any_fields("web", 2, currency="euros")))
    events.upload(key_of("web", "b.jsonl"), b"{}\n")

    events.run()

    (delivered,) = events.bus.details(Announcement.EVENTS_DELIVERED)
    (rejected,) = events.bus.details(Announcement.EVENTS_REJECTED)
    assert delivered["receipt_key"] == version.receipt_key
    assert delivered["events"]["invalid_by_reason"] == {"bad_currency": {"count": 1}}
    assert rejected["reason"] == "no_valid_event"


def test_the_age_of_an_event_is_judged_when_its_file_is_first_read(events: EventsPipeline) -> None:
    age = 28 * 86_400 - 60
    events.upload(key_of("web"), json_lines(any_fields("web", event_time=NOW - age)))
    events.emulator.tell("faults", [{"kind": "http", "status": 502, "times": 12, "path": "event/track/"}])

    events.run()

    assert events.clock.now() > NOW + 60
    assert events.counts("web")["counted"] == 1
