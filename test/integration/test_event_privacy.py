"""No identifier and no token leaves but to TikTok, whatever becomes of events."""

import gzip
import io
import json
from typing import Any

import pytest

from lambdas.events import handler
from lambdas.events.batches import Packing
from lambdas.events.live import handler as live_handler
from local.emulator.server import EmulatorServer
from test.support.events import SOURCE_IDS, EventsPipeline, LiveEvents, any_fields, json_lines
from test.support.privacy import MARKED, MARKED_ADDRESS, MARKED_DEVICE, MARKED_NUMBER, assert_nothing_leaked

PERSON = {"email": MARKED_ADDRESS, "phone": MARKED_NUMBER, "external_id": MARKED[1], "first_name": "Jane"}
GOOD = any_fields("web", 1, **PERSON)
FILES = {
    "good": json_lines(GOOD, any_fields("web", 2, **PERSON)),
    "bad": json_lines(
        GOOD,
        any_fields("web", 2, **PERSON | {"currency": MARKED_ADDRESS}),
        any_fields("web", 3, **PERSON | {"event": MARKED_ADDRESS}),
        any_fields("web", 4, **PERSON | {"contents": [{MARKED_ADDRESS: MARKED[0]}]}),
        any_fields("web", 5, **{MARKED_ADDRESS: MARKED[0], MARKED[0]: 1, MARKED_NUMBER: 2}),
        any_fields("web", 6, email_sha256=MARKED_ADDRESS, phone_sha256=MARKED_NUMBER),
        f"{MARKED_ADDRESS} {MARKED[0]}",
    ),
    "all bad": json_lines(any_fields("web", 1, **PERSON | {"currency": MARKED_ADDRESS})),
    "no header": f"{MARKED_ADDRESS},{MARKED_NUMBER},{MARKED_DEVICE},{MARKED[0]}\n".encode(),
    "damaged": gzip.compress(json_lines(GOOD))[:-4],
}
ENDINGS = {"no header": "csv", "damaged": "jsonl.gz"}
SCENES = ["delivered", "refused by TikTok", "one refused by TikTok", "throttled", "token rejected", "defect"]


def set_scene(scene: str, tiktok: EmulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    quoting = f"row {MARKED[0]} of {MARKED_ADDRESS}, {MARKED_NUMBER} is wrong, token {tiktok.access_token}"
    refusal = {"path": "event/track", "kind": "code", "code": 40002, "message": quoting}
    match scene:
        case "refused by TikTok":
            tiktok.tell("faults", [{**refusal, "times": 1_000}])
        case "one refused by TikTok":
            tiktok.tell("faults", [{**refusal, "times": 2}])
        case "throttled":
            tiktok.tell("faults", [{"path": "event/track", "times": 100, "kind": "code", "code": 40100}])
        case "token rejected":
            tiktok.tell("tokens", {"token": tiktok.access_token, "state": "revoked"})
        case "defect":

            def defective(*_: object) -> None:
                raise ValueError(f"cannot handle {MARKED[0]} {MARKED_ADDRESS}")

            monkeypatch.setattr(Packing, "groups", defective)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("file", FILES)
def test_no_identifier_of_a_file_leaves_but_to_tiktok(
    events: EventsPipeline,
    tiktok: EmulatorServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    log: io.StringIO,
    file: str,
    scene: str,
) -> None:
    set_scene(scene, tiktok, monkeypatch)
    events.upload(f"events/web/{SOURCE_IDS['web']}/a.{ENDINGS.get(file, 'jsonl')}", FILES[file])
    [message] = events.queue.messages.values()
    monkeypatch.setattr(handler, "_application", lambda: events.application)

    handler.handle({"Records": [message.as_record()]}, events.new_context())

    assert_nothing_leaked(events, "".join(capsys.readouterr()), log)


MESSAGES: dict[str, Any] = {
    "good": {"source": "web", "event_source": SOURCE_IDS["web"], "fields": GOOD},
    "bad": {"source": "web", "event_source": SOURCE_IDS["web"], "fields": GOOD | {"currency": MARKED_ADDRESS}},
    "no event": {"source": MARKED_ADDRESS, "fields": MARKED[0]},
    "no source": {"source": MARKED_ADDRESS, "event_source": MARKED[0], "fields": GOOD},
    "no event source": {"source": "app", "event_source": MARKED_ADDRESS, "fields": GOOD},
    "no JSON": MARKED_ADDRESS,
}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("message", MESSAGES)
def test_no_identifier_of_a_live_event_leaves_but_to_tiktok(
    live: LiveEvents,
    tiktok: EmulatorServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    log: io.StringIO,
    message: str,
    scene: str,
) -> None:
    set_scene(scene, tiktok, monkeypatch)
    live.s3.put_object(Bucket="data", Key="events/web/x/other", Body=b"")
    live.send(json.dumps(MESSAGES[message]))
    live.put_event("web", GOOD)
    records = [each.as_record() for each in live.queue.messages.values()]
    monkeypatch.setattr(live_handler, "_application", lambda: live.application)

    live_handler.handle({"Records": records}, live.new_context())

    assert_nothing_leaked(live, "".join(capsys.readouterr()), log)


@pytest.mark.parametrize(
    "settings",
    [
        MARKED_ADDRESS.encode(),
        json.dumps({MARKED_ADDRESS: 1, MARKED[0]: MARKED_NUMBER}).encode(),
        json.dumps({"mapping": {"columns": {MARKED_ADDRESS: MARKED[0]}, "events": MARKED_ADDRESS}}).encode(),
        json.dumps({"mapping": {MARKED_ADDRESS: {}}, "advertiser": MARKED_ADDRESS, "test_event_code": 5}).encode(),
        json.dumps({"advertiser": MARKED[0][:40], "default_country": MARKED[0]}).encode(),
    ],
)
def test_garbage_in_the_settings_is_not_repeated(
    events: EventsPipeline,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    log: io.StringIO,
    settings: bytes,
) -> None:
    key = f"events/web/{SOURCE_IDS['web']}"
    events.s3.put_object(Bucket="data", Key=f"{key}/source.json", Body=settings)
    events.upload(f"{key}/a.jsonl", FILES["good"])
    [message] = events.queue.messages.values()
    monkeypatch.setattr(handler, "_application", lambda: events.application)

    handler.handle({"Records": [message.as_record()]}, events.new_context())

    assert_nothing_leaked(events, "".join(capsys.readouterr()), log)
