"""The commands over the queues of audience files, files of events and live events, and where some are switched off."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from cli.routes import AUDIENCES, EVENTS, LIVE_EVENTS, ROUTES
from lambdas.contracts import CONFIRMED_ATTRIBUTE
from lambdas.events.delivery import Delivery, Progress, Status, receipt
from lambdas.events.domain import parse_key
from lambdas.events.file_check import FileCheck
from lambdas.files.tally import Tally
from lambdas.tiktok.errors import InvalidInput
from test.integration.test_cli_commands import BUCKET, Deployment
from test.integration.test_cli_dead_letters import Overruling, Queues, denied
from test.support.builders import any_version, notification_of

PERSON = "jane.roe@example.com"
AUDIENCE_FILE = notification_of(any_version("tiktok/Foodies/email_sha256/1.csv"))
EVENT_FILE = notification_of(any_version("events/web/Käufer/1.csv"))
LIVE_EVENT = json.dumps({"source": "web", "event_source": "Shop", "fields": {"email": PERSON}})


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    for name in ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_PROFILE", "TIKTOK_CONNECTOR_STACK"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield Deployment()


def bury_one_of_each(deployment: Deployment) -> tuple[Queues, ...]:
    deployment.bury(AUDIENCE_FILE, reason="token_rejected", detail="of audiences")
    deployment.events.bury(EVENT_FILE, reason="token_rejected", detail="of events")
    deployment.live_events.bury(LIVE_EVENT, reason="invalid_event", detail="of live events")
    return deployment, deployment.events, deployment.live_events


def put_receipt(deployment: Deployment, key: str, error: InvalidInput | None = None) -> str:
    version = any_version(key)
    check = FileCheck(Tally(read=12, valid=9, invalid={"bad_value": 3}, invalid_lines={"bad_value": [2, 3, 4]}))
    delivery = Delivery(check=check, progress=Progress(accepted=7, refused={"no": (5, 6)}))
    status = Status.REJECTED if error else Status.DELIVERED
    target = None if error else parse_key(key)
    document = receipt(version, target, delivery, status, finished_at="2026-11-21T12:00:00.000Z", error=error)
    deployment.s3.put_object(Bucket=BUCKET, Key=version.receipt_key, Body=json.dumps(document).encode())
    return version.receipt_key


def test_replay_brings_each_message_back_to_the_queue_it_came_from(deployment: Deployment) -> None:
    everything = bury_one_of_each(deployment)

    result = deployment.run("replay", "--yes")

    assert result.exit_code == 0
    assert "3 messages to move back; 0 to leave" in result.output
    assert "moved: 3, left: 0, failed: 0" in result.output
    assert [queues.bodies(queues.queue) for queues in everything] == [[AUDIENCE_FILE], [EVENT_FILE], [LIVE_EVENT]]
    assert [queues.counts(queues.dead) for queues in everything] == [(0, 0)] * 3


@pytest.mark.parametrize("route", ROUTES)
def test_replay_of_one_queue_leaves_the_others_as_they_are(deployment: Deployment, route: str) -> None:
    everything = bury_one_of_each(deployment)

    result = deployment.run("replay", "--yes", "--queue", route)

    assert "moved: 1, left: 0, failed: 0" in result.output
    assert [queues.counts(queues.dead)[0] for queues in everything] == [int(name != route) for name in ROUTES]
    assert [queues.counts(queues.queue)[0] for queues in everything] == [int(name == route) for name in ROUTES]


def test_a_reason_chooses_among_all_queues(deployment: Deployment) -> None:
    everything = bury_one_of_each(deployment)

    result = deployment.run("replay", "--yes", "--reason", "token_rejected")

    assert "moved: 2, left: 1, failed: 0" in result.output
    assert [queues.counts(queues.dead) for queues in everything] == [(0, 0), (0, 0), (1, 0)]


def test_a_live_event_has_no_key_even_where_it_looks_like_an_announcement(deployment: Deployment) -> None:
    body = json.dumps({"detail": {"object": {"key": PERSON}}})
    deployment.live_events.bury(body, reason="not_an_event", detail="?")

    assert PERSON not in deployment.run("status").output
    assert PERSON not in deployment.run("status", "--json").output
    assert "None of 1 message is chosen" in deployment.run("replay", "--yes", "--key", "*").output


def test_nothing_of_a_live_event_is_ever_shown(deployment: Deployment) -> None:
    bury_one_of_each(deployment)
    commands = (
        ("status",),
        ("status", "--json"),
        ("replay",),
        ("replay", "--reason", "no_such"),
        ("discard", "--reason", "invalid_event"),
        ("discard", "--yes", "--queue", LIVE_EVENTS, "--reason", "invalid_event"),
    )

    for command in commands:
        output = deployment.run(*command, stdin="n\n").output
        assert PERSON not in output
        assert "fields" not in output


def test_a_live_event_that_sqs_fails_at_is_named_by_its_message_alone(deployment: Deployment) -> None:
    deployment.live_events.bury(LIVE_EVENT, reason="invalid_event", detail="?")
    deployment.clients["sqs"] = Overruling(
        deployment.sqs, send_message_batch=lambda _call, **_arguments: {"Successful": []}
    )

    result = deployment.run("replay", "--yes")

    assert result.exit_code == 1
    assert "SQS failed" in result.output
    assert PERSON not in result.output


def test_discard_deletes_from_the_chosen_queue_alone(deployment: Deployment) -> None:
    everything = bury_one_of_each(deployment)

    result = deployment.run("discard", "--yes", "--reason", "token_rejected", "--queue", EVENTS)

    assert "deleted: 1, left: 0, failed: 0" in result.output
    assert [queues.counts(queues.dead) for queues in everything] == [(1, 0), (0, 0), (1, 0)]


def test_a_queue_alone_does_not_say_what_to_discard(deployment: Deployment) -> None:
    assert deployment.run("discard", "--yes", "--queue", LIVE_EVENTS).exit_code == 2


def test_confirming_concerns_audience_files_alone(deployment: Deployment) -> None:
    everything = bury_one_of_each(deployment)

    assert deployment.run("replay", "--confirm", "--reason", "x", "--queue", EVENTS).exit_code == 2
    result = deployment.run("replay", "--yes", "--confirm", "--reason", "token_rejected")

    assert "moved: 1, left: 0, failed: 0" in result.output
    assert deployment.attributes(deployment.queue) == [{CONFIRMED_ATTRIBUTE: "true"}]
    assert [queues.counts(queues.dead) for queues in everything] == [(0, 0), (1, 0), (1, 0)]


def test_an_error_at_the_last_queue_leaves_all_visible_again(deployment: Deployment) -> None:
    everything = bury_one_of_each(deployment)

    def receive(call: Any, **given: Any) -> Any:
        return denied(call) if given["QueueUrl"] == deployment.live_events.dead else call(**given)

    deployment.clients["sqs"] = Overruling(deployment.sqs, receive_message=receive)

    for command in (("status",), ("replay", "--yes")):
        result = deployment.run(*command)
        assert (result.exit_code, "AWS denies" in result.output) == (1, True)
        assert [queues.counts(queues.dead) for queues in everything] == [(1, 0)] * 3


def test_status_shows_every_queue_and_where_a_letter_is_from(deployment: Deployment) -> None:
    bury_one_of_each(deployment)

    lines = [line.split() for line in deployment.run("status").output.splitlines()]

    assert ["events", "0", "0", "0", "–"] in lines
    assert ["live-events:", "dead", "letters", "1", "0", "0", "0", "s"] in lines
    letters = json.loads(deployment.run("status", "--json").stdout)["dead_letters"]
    assert [(letter["queue"], letter["key"], letter["reason"]) for letter in letters] == [
        (AUDIENCES, "tiktok/Foodies/email_sha256/1.csv", "token_rejected"),
        (EVENTS, "events/web/Käufer/1.csv", "token_rejected"),
        (LIVE_EVENTS, None, "invalid_event"),
    ]


def test_status_lists_receipts_of_events_with_what_became_of_them(deployment: Deployment) -> None:
    key = put_receipt(deployment, "events/web/Käufer/1.csv")

    (found,) = json.loads(deployment.run("status", "--json").stdout)["receipts"]

    assert {name: value for name, value in found.items() if value is not None} == {
        "key": key,
        "status": "delivered",
        "finished_at": "2026-11-21T12:00:00.000Z",
        "source": "web",
        "event_source": "Käufer",
        "events_sent": 7,
        "events_invalid": 3,
        "events_refused": 2,
    }
    line = next(line for line in deployment.run("status").output.splitlines() if key in line)
    assert line.split() == ["delivered", "web/Käufer", "–", "7", "3", "2", "2026-11-21T12:00:00.000Z", key]


def test_status_lists_the_receipt_of_an_object_under_a_wrong_key(deployment: Deployment) -> None:
    key = put_receipt(deployment, "events/shop/1.csv", InvalidInput("no", reason="bad_key"))

    line = next(line for line in deployment.run("status").output.splitlines() if key in line)
    assert line.split()[:4] == ["rejected:", "bad_key", "–", "–"]


@pytest.mark.parametrize(
    ("off", "switch"), [((AUDIENCES,), "audiences_enabled"), ((EVENTS, LIVE_EVENTS), "events_enabled")]
)
def test_every_command_works_without_the_other_pipeline(
    deployment: Deployment, off: tuple[str, ...], switch: str
) -> None:
    everything = bury_one_of_each(deployment)
    deployment.switch_off(*off)
    left = [int(name in off) for name in ROUTES]

    shown = json.loads(deployment.run("status", "--json").stdout)["queues"]
    assert [name for name in ROUTES if shown[name] is None] == list(off)
    assert f"Switched off: {', '.join(off)} ({switch} in cdk.context.json)." in deployment.run("status").output
    assert deployment.run("discard", "--yes", "--reason", "no_such").exit_code == 0
    assert deployment.run("suppressions").exit_code == 0
    assert deployment.run("replay", "--yes").exit_code == 0
    assert [queues.counts(queues.dead)[0] for queues in everything] == left
    for command in (["replay", "--queue", off[0]], ["discard", "--reason", "x", "--queue", off[0]]):
        result = deployment.run(*command)
        assert (result.exit_code, result.output.count("\n")) == (1, 1)
        assert f"has no queue for {off[0]}: that is switched off. Set {switch} to true" in result.output


def test_an_audience_is_not_deleted_where_audiences_are_switched_off(deployment: Deployment) -> None:
    deployment.switch_off(AUDIENCES)

    result = deployment.run("audiences", "delete", "Foodies", "--yes")

    assert result.exit_code == 1
    assert "Set audiences_enabled to true" in result.output
    assert deployment.s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_what_needs_a_queue_says_so_where_all_are_switched_off(deployment: Deployment) -> None:
    deployment.switch_off(*ROUTES)

    assert deployment.run("status").exit_code == 0
    for command in (["replay"], ["discard", "--reason", "x"], ["replay", "--confirm", "--reason", "x"]):
        result = deployment.run(*command)
        assert result.exit_code == 1
        assert "audiences_enabled" in result.output
        assert result.output.count("\n") == 1
