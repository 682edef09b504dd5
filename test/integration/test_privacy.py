"""No identifier and no token leaves but to TikTok, on any way in and on any way out."""

import io
import json
from typing import Any

import pytest

from lambdas.audiences import handler
from lambdas.audiences.preparation import Preparation
from local.emulator.server import EmulatorServer
from test.support.builders import any_hashes, as_file
from test.support.pipeline import Pipeline
from test.support.privacy import MARKED, MARKED_ADDRESS, MARKED_DEVICE, MARKED_NUMBER, RAW_LINES, assert_nothing_leaked
from test.support.stage import FUNCTION_SECONDS, Context, Message

KEY = "tiktok/Foodies/email_sha256/{}.csv"


def invoke(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, *messages: Message) -> dict[str, Any]:
    monkeypatch.setattr(handler, "_application", lambda: pipeline.application)
    records = [message.as_record() for message in messages]
    context: Any = Context(pipeline.clock, 1, FUNCTION_SECONDS)
    answer: dict[str, Any] = dict(handler.handle({"Records": records}, context))
    return answer


@pytest.mark.parametrize(
    "scene", ["delivered", "refused", "rejected by TikTok", "throttled", "cut off", "token rejected", "defect"]
)
def test_no_identifier_and_no_token_leaves_but_to_tiktok(
    pipeline: Pipeline,
    tiktok: EmulatorServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    log: io.StringIO,
    scene: str,
) -> None:
    rows = [*MARKED, "nonsense"]
    told_by_defect = "ValueError at defective:"
    match scene:
        case "refused":
            rows = [*MARKED, MARKED_ADDRESS]
        case "rejected by TikTok":
            quoting = f"row {MARKED[0]} of {MARKED_ADDRESS} is wrong, token {pipeline.emulator.access_token}"
            tiktok.tell("faults", [{"path": "create", "kind": "code", "code": 40002, "message": quoting}])
        case "throttled":
            tiktok.tell("faults", [{"path": "upload", "times": 100, "kind": "code", "code": 40100}])
        case "cut off":
            tiktok.tell("faults", [{"path": "upload", "times": 100, "kind": "drop_after_commit"}])
        case "token rejected":
            tiktok.tell("tokens", {"token": pipeline.emulator.access_token, "state": "revoked"})
        case "defect":

            def defective(*_: object) -> None:
                raise ValueError(f"cannot handle {MARKED[0]} {MARKED_ADDRESS}")

            monkeypatch.setattr(Preparation, "prepare", defective)
    pipeline.upload(KEY.format("file"), as_file(rows))
    [message] = pipeline.queue.messages.values()

    invoke(pipeline, monkeypatch, message)

    told = assert_nothing_leaked(pipeline, "".join(capsys.readouterr()), log)
    assert (told_by_defect in told) == (scene == "defect")


WAYS_IN = {
    "streaming": (
        "tiktok/Streamed/streaming/1.csv",
        b"email_sha256,audiences\n" + b"".join(f"{each},More\n".encode() for each in MARKED),
    ),
    "streaming, raw": ("tiktok/Streamed/streaming/1.csv", b"email,phone,idfa\n" + RAW_LINES),
    "streaming, columns mixed up": (
        "tiktok/Streamed/streaming/1.csv",
        b"phone,email,idfa\n" + RAW_LINES + f"{MARKED[0]},{MARKED[1]},{MARKED[2]}\n".encode(),
    ),
    "streaming, no header": ("tiktok/Streamed/streaming/1.csv", RAW_LINES),
    "streaming, an address as an audience": (
        "tiktok/Streamed/streaming/1.csv",
        f"email_sha256,audiences\n{MARKED[0]},{MARKED_ADDRESS}\n".encode(),
    ),
    "suppression": ("suppression/email_sha256/1.csv", as_file(MARKED)),
    "suppression, plain": ("suppression/email_sha256/1.csv", as_file([*MARKED, MARKED_ADDRESS])),
    "suppression, raw": ("suppression/email/1.csv", as_file([MARKED_ADDRESS])),
    "raw e-mail": ("tiktok/Raw/email/1.csv", as_file([MARKED_ADDRESS, f"{MARKED_ADDRESS} {MARKED_DEVICE}"])),
    "raw phone": ("tiktok/Raw/phone/1.csv", as_file([MARKED_NUMBER, f"{MARKED_NUMBER}12345678901234567"])),
    "raw device": ("tiktok/Raw/idfa/1.csv", as_file([MARKED_DEVICE, f"{MARKED_DEVICE}0"])),
    "multiple types": ("tiktok/Columns/multiple_types/1.csv", b"email,phone,maid\n" + RAW_LINES),
    "JSON lines": (
        "tiktok/Columns/multiple_types/1.jsonl",
        json.dumps({"email": MARKED_ADDRESS, MARKED_NUMBER: MARKED_DEVICE, "phone": [MARKED[0]]}).encode(),
    ),
    "damaged": ("tiktok/Foodies/email_sha256/1.csv.gz", as_file([MARKED_ADDRESS, *MARKED])),
}


@pytest.mark.parametrize("scene", ["delivered", "rejected by TikTok"])
@pytest.mark.parametrize("way", WAYS_IN)
def test_no_identifier_leaves_whichever_way_it_came_in(
    pipeline: Pipeline,
    tiktok: EmulatorServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    log: io.StringIO,
    way: str,
    scene: str,
) -> None:
    tiktok.tell("settings", {"minimum_audience_size": 0})
    pipeline.change_settings(allow_raw_identifiers=True, max_invalid_ratio=0.5)
    key, content = WAYS_IN[way]
    for before in ("tiktok/Foodies/email_sha256/0.csv", "tiktok/Streamed/streaming/0.csv"):
        if way.startswith("suppression"):
            pipeline.upload(before, b"email_sha256\n" + as_file(any_hashes(1_200, seed="others")))
            pipeline.run()
    if scene == "rejected by TikTok":
        quoting = f"{MARKED[0]} of {MARKED_ADDRESS}, {MARKED_NUMBER}, {pipeline.emulator.access_token}"
        calls = ("segment/mapping", "create", "update")
        faults = [{"path": call, "kind": "code", "code": 40002, "message": quoting, "times": 5_000} for call in calls]
        tiktok.tell("faults", faults)
    pipeline.upload(key, content)
    [message] = pipeline.queue.messages.values()

    invoke(pipeline, monkeypatch, message)

    assert_nothing_leaked(pipeline, "".join(capsys.readouterr()), log)


@pytest.mark.parametrize(
    "settings",
    [
        MARKED_ADDRESS.encode(),
        json.dumps({MARKED_ADDRESS: 1, MARKED[0]: MARKED_NUMBER}).encode(),
        json.dumps({"advertiser": MARKED_ADDRESS, "default_country": MARKED[0], "min_rows": MARKED_NUMBER}).encode(),
        json.dumps([MARKED_ADDRESS]).encode(),
    ],
)
def test_garbage_in_the_settings_is_not_repeated(
    pipeline: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    log: io.StringIO,
    settings: bytes,
) -> None:
    pipeline.s3.put_object(Bucket="data", Key="tiktok/Foodies/audience.json", Body=settings)
    pipeline.upload(KEY.format("file"), as_file(MARKED))
    [message] = pipeline.queue.messages.values()

    invoke(pipeline, monkeypatch, message)

    assert_nothing_leaked(pipeline, "".join(capsys.readouterr()), log)
    assert [letter.reason for letter in pipeline.queue.dead_letters] == ["bad_audience_settings"]
