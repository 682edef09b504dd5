"""The deployed stack: files of events and live events, from S3, the bus and the queue to what TikTok has."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from lambdas.contracts import EVENT_DETAIL_TYPE, Output
from lambdas.identifiers.hashing import sha256_hex
from test.e2e.announcements import Subscription
from test.e2e.connector import Connector, attributes_of
from test.e2e.event_sources import EventSource, event_id
from test.support.event_receipts import account
from test.support.events import json_lines
from test.support.waiting import wait_until

BUS_SOURCE = "tiktok.events"
# The receipt of a file that takes a while.
SECONDS = 180


@pytest.fixture(autouse=True)
def quiet(deployed: Connector) -> Iterator[None]:
    yield
    deployed.control("faults", [])
    deployed.control("poison", {"event_ids": []})


def table(rows: Sequence[dict[str, Any]]) -> bytes:
    """The rows as CSV."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def written_back(deployed: Connector, receipt: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines of the file of rejected events that a receipt names."""
    content = deployed.s3.get_object(Bucket=deployed.bucket, Key=receipt["rejected_key"])["Body"].read()
    return [json.loads(line) for line in content.splitlines()]


def accepted_requests(deployed: Connector) -> int:
    """How many requests full of events TikTok accepted."""
    calls = deployed.control("requests")["requests"]
    return sum(call["path"].rstrip("/").endswith("event/track") and call["code"] == 0 for call in calls)


def live(source: EventSource, fields: dict[str, Any]) -> dict[str, Any]:
    """What an application sends for one event."""
    return {"source": source.source, "event_source": source.id, "fields": fields}


def publish(deployed: Connector, *details: dict[str, Any], source: str = BUS_SOURCE) -> None:
    """Put events on the account's default bus."""
    events = deployed.deployed.client("events")
    for start in range(0, len(details), 10):
        entries = [
            {"Source": source, "DetailType": EVENT_DETAIL_TYPE, "Detail": json.dumps(detail)}
            for detail in details[start : start + 10]
        ]
        assert events.put_events(Entries=entries)["FailedEntryCount"] == 0


def send(deployed: Connector, *bodies: str) -> None:
    """Put messages into the queue of live events."""
    url = deployed.deployed.outputs[Output.LIVE_EVENT_QUEUE_URL]
    for start in range(0, len(bodies), 10):
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies[start : start + 10])]
        assert not deployed.sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")


def take_live_dead_letters(deployed: Connector, count: int, seconds: float = 60) -> dict[str, str]:
    """Take so many dead letters of live events out of their queue: the body of each by its reason."""
    queue = Output.LIVE_EVENT_DEAD_LETTER_QUEUE_URL
    taken: dict[str, str] = {}

    def enough() -> bool:
        while message := deployed.dead_letter(queue):
            deployed.sqs.delete_message(
                QueueUrl=deployed.deployed.outputs[queue], ReceiptHandle=message["ReceiptHandle"]
            )
            taken[attributes_of(message)["reason"]] = message["Body"]
        return len(taken) >= count

    wait_until(enough, seconds, what=f"{count} dead letters of live events")
    return taken


@pytest.mark.parametrize(
    ("kind", "file", "needed", "reason"),
    [
        ("web", "orders.csv", "page_url", "missing_page_url"),
        ("app", "installs.jsonl", "app_id", "missing_app_id"),
        ("offline", "tills.csv.gz", "email", "no_identifier"),
        ("crm", "2026/leads.ndjson.gz", "lead_id", "missing_lead_id"),
    ],
)
def test_tiktok_has_exactly_the_good_events_of_a_file_and_the_bad_ones_are_written_back(
    deployed: Connector, kind: str, file: str, needed: str, reason: str
) -> None:
    source = EventSource.new(deployed, kind)
    rows = [source.fields(number) for number in range(1, 51)]
    rows[9] |= {"currency": "euros"}
    rows[19] |= {needed: ""}
    rows[29] |= {"event": "add to cart"}
    bad = {10: "bad_currency", 20: reason, 30: "misspelt_event"}
    is_table = ".csv" in file
    content = table(rows) if is_table else json_lines(*rows)
    raw = content.decode().splitlines()
    lines = {number + is_table: told for number, told in bad.items()}

    receipt_key = deployed.upload(source.key(file), gzip.compress(content) if file.endswith(".gz") else content)
    receipt = deployed.wait_for_receipt(receipt_key)

    good = [number for number in range(1, 51) if number not in bad]
    assert source.numbers() == good
    assert {(body["event"], body["user"]["email"]) for body in source.bodies()} == {
        ("Purchase", sha256_hex(f"person{number}@example.com")) for number in good
    }
    assert source.counts() == {"received": 47, "counted": 47}
    assert receipt["status"] == "delivered"
    assert account(receipt) == {"read": 50, "sent": 47, "invalid": 3}
    assert receipt["events"]["invalid_by_reason"] == {
        told: {"count": 1, "lines": [line]} for line, told in lines.items()
    }
    assert receipt["rejected_key"] == f"{receipt_key.removesuffix('.json')}.jsonl".replace("receipts/", "rejected/", 1)
    assert [(told["line"], told["reason"], told["row"]) for told in written_back(deployed, receipt)] == [
        (line, told, raw[line - 1]) for line, told in lines.items()
    ]


def test_a_hundred_thousand_events_of_one_file_are_counted_once_each(deployed: Connector) -> None:
    source = EventSource.new(deployed, "web")
    key = source.key("year.jsonl.gz")
    # Without an id of their own, as most have in the field.
    events = json_lines(*(source.fields(number, event_id=None) for number in range(1, 100_001)))

    receipt_key = deployed.upload(key, gzip.compress(events, 1))
    receipt = deployed.wait_for_receipt(receipt_key, SECONDS)

    assert source.counts() == {"received": 100_000, "counted": 100_000}
    assert account(receipt) == {"read": 100_000, "sent": 100_000}
    assert receipt["rejected_key"] is None
    assert deployed.receipt_keys(key) == [receipt_key]


def test_three_poisoned_events_are_named_and_all_others_delivered(deployed: Connector) -> None:
    source = EventSource.new(deployed, "web")
    poisoned = [17, 1_800, 1_801]
    deployed.control("poison", {"event_ids": [event_id(number) for number in poisoned]})

    receipt = deployed.wait_for_receipt(
        deployed.upload(source.key("day.jsonl"), json_lines(*(source.fields(number) for number in range(1, 3_501))))
    )

    assert source.numbers() == [number for number in range(1, 3_501) if number not in poisoned]
    assert account(receipt) == {"read": 3_500, "sent": 3_497, "refused": 3}
    [told] = receipt["events"]["refused_by_tiktok"]["by_answer"].values()
    assert told == {"count": 3, "lines": poisoned}
    assert [(each["line"], each["reason"]) for each in written_back(deployed, receipt)] == [
        (number, "tiktok_refused") for number in poisoned
    ]


def test_a_pixel_and_an_offline_event_set_are_found_by_their_names(deployed: Connector) -> None:
    sources = [EventSource.new(deployed, kind, "My shop, 100% \N{SLICE OF PIZZA} ?#") for kind in ("web", "offline")]
    for source in sources:
        EventSource.new(deployed, source.source, f"{source.name} 2")

    receipt_keys = [
        deployed.upload(source.key("events.jsonl", by_name=True), json_lines(source.fields(1), source.fields(2)))
        for source in sources
    ]

    for source, receipt_key in zip(sources, receipt_keys, strict=True):
        receipt = deployed.wait_for_receipt(receipt_key)
        assert receipt["event_source"] == {"name": source.name, "id": source.id}
        assert source.numbers() == [1, 2]


def test_live_events_are_sent_together_and_bad_ones_are_dead_letters(deployed: Connector) -> None:
    source = EventSource.new(deployed, "app")
    before = accepted_requests(deployed)
    bad_currency = live(source, source.fields(1_001, currency="euros"))
    bad_source = live(source, source.fields(1_002)) | {"source": "shop"}

    publish(deployed, *(live(source, source.fields(number)) for number in range(1, 101)), bad_source)
    publish(deployed, live(source, source.fields(1_003)), source="somebody.else")
    send(deployed, *(json.dumps(live(source, source.fields(number))) for number in range(101, 201)))
    send(deployed, json.dumps(bad_currency), "{")
    letters = take_live_dead_letters(deployed, 3)
    wait_until(lambda: len(source.numbers()) >= 200, SECONDS)

    assert source.numbers() == list(range(1, 201))
    assert source.counts() == {"received": 200, "counted": 200}
    assert accepted_requests(deployed) - before <= 4
    assert json.loads(letters["bad_event_source"])["detail"] == bad_source
    assert json.loads(letters["invalid_event"]) == bad_currency
    assert letters["not_an_event"] == "{"


@pytest.mark.usefixtures("sizes_are_shown_at_once")
def test_who_is_suppressed_is_left_out_of_events(deployed: Connector) -> None:
    source = EventSource.new(deployed, "web")
    objector = "+43 664 1234567"
    # Not an e-mail address: the list is applied to audiences as well, and nearly all of the other tests' hold those.
    deployed.deliver("suppression/phone/events.csv", f"phone\n{objector}\n".encode())

    receipt = deployed.wait_for_receipt(
        deployed.upload(
            source.key("events.jsonl"),
            json_lines(
                source.fields(1, phone=objector),
                source.fields(2, phone=objector, email=None),
                source.fields(3, phone="+43 664 7654321", email=None),
            ),
        )
    )

    assert account(receipt) == {"read": 3, "sent": 2, "suppressed": 1}
    assert [(body["event_id"], list(body["user"])) for body in source.bodies()] == [
        (event_id(1), ["email"]),
        (event_id(3), ["phone"]),
    ]


def test_what_was_a_dead_letter_while_tiktok_was_down_is_delivered_once_by_a_replay(deployed: Connector) -> None:
    source, live_source = EventSource.new(deployed, "web"), EventSource.new(deployed, "crm")
    key = source.key("big.jsonl")
    # The first round of requests passes.
    passes = {"path": "event/track", "times": 5, "kind": "slow", "seconds": 0}
    down = {"path": "event/track", "times": 10_000, "kind": "http", "status": 503}
    deployed.control("faults", [passes, down])
    receipt_key = deployed.upload(key, json_lines(*(source.fields(number) for number in range(1, 7_001))))
    wait_until(lambda: source.counts().get("counted") == 5_000, SECONDS)
    send(deployed, *(json.dumps(live(live_source, live_source.fields(number))) for number in range(1, 4)))

    letter = deployed.wait_for_dead_letter(key, SECONDS, Output.EVENT_DEAD_LETTER_QUEUE_URL)
    live_letters = Output.LIVE_EVENT_DEAD_LETTER_QUEUE_URL
    wait_until(lambda: deployed.waiting_messages(live_letters) == 3, SECONDS)
    assert letter["reason"] == "tiktok_unavailable"
    assert deployed.receipt(receipt_key) is None
    assert not live_source.counts()

    deployed.control("faults", [])
    deployed.replay("--reason", "tiktok_unavailable")
    receipt = deployed.wait_for_delivery(receipt_key, SECONDS)
    wait_until(lambda: live_source.counts().get("counted") == 3, SECONDS)

    assert account(receipt) == {"read": 7_000, "sent": 7_000}
    assert source.counts() == {"received": 7_000, "counted": 7_000}
    assert live_source.counts() == {"received": 3, "counted": 3}
    assert live_source.numbers() == [1, 2, 3]


def test_what_tiktok_accepted_without_an_answer_is_not_counted_twice(deployed: Connector) -> None:
    source, live_source = EventSource.new(deployed, "offline"), EventSource.new(deployed, "web")
    deployed.control("faults", [{"path": "event/track", "times": 3, "kind": "drop_after_commit"}])

    receipt = deployed.wait_for_receipt(
        deployed.upload(source.key("day.jsonl"), json_lines(*(source.fields(number) for number in range(1, 6_001))))
    )
    deployed.control("faults", [{"path": "event/track", "times": 1, "kind": "drop_after_commit"}])
    send(deployed, json.dumps(live(live_source, live_source.fields(1, event_id=None))))
    wait_until(lambda: live_source.counts().get("received") == 2, SECONDS)

    assert account(receipt) == {"read": 6_000, "sent": 6_000}
    assert source.counts() == {"received": 9_000, "counted": 6_000, "merged": 3_000}
    assert live_source.counts() == {"received": 2, "counted": 1, "merged": 1}


def test_what_became_of_a_file_is_announced(deployed: Connector, subscription: Subscription) -> None:
    source = EventSource.new(deployed, "web")
    bad = source.fields(2, currency="euros")
    delivered = deployed.upload(source.key("1.jsonl"), json_lines(source.fields(1), bad))
    rejected = deployed.upload(source.key("2.jsonl"), json_lines(bad))

    told = subscription.wait_for("TikTok Events Delivered", receipt_key=delivered)
    told_of_rejected = subscription.wait_for("TikTok Events Rejected", receipt_key=rejected)

    assert (told["events"]["sent"], told["events"]["invalid"]) == (1, 1)
    assert told["events"]["invalid_by_reason"] == {"bad_currency": {"count": 1}}
    assert told_of_rejected["reason"] == "no_valid_event"
    letter = deployed.wait_for_dead_letter(source.key("2.jsonl"), queue=Output.EVENT_DEAD_LETTER_QUEUE_URL)
    assert letter["reason"] == "no_valid_event"
