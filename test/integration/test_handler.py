"""The function's entry, as Lambda calls it; and that nothing leaks on any way out."""

import io
import json
import logging
import re
from dataclasses import replace
from typing import Any

import pytest

from lambdas.audiences import handler
from lambdas.audiences.preparation import Preparation
from lambdas.observability import logger
from lambdas.tiktok.models import Credentials
from lambdas.tiktok.protocol import Answer, Request
from local.emulator.server import EmulatorServer
from test.support.builders import any_hashes, as_file
from test.support.clocks import FakeClock
from test.support.pipeline import FUNCTION_SECONDS, Context, Message, Pipeline

KEY = "tiktok/Foodies/email_sha256/{}.csv"
MARKED = any_hashes(1500, seed="marked")
MARKED_ADDRESS = "marked.jane.doe@example.com"


def invoke(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, *messages: Message) -> dict[str, Any]:
    monkeypatch.setattr(handler, "_application", lambda: pipeline.application)
    records = [message.as_record() for message in messages]
    context: Any = Context(pipeline.clock, 1, FUNCTION_SECONDS)
    answer: dict[str, Any] = dict(handler.handle({"Records": records}, context))
    return answer


def test_only_the_messages_that_failed_are_reported(
    pipeline: Pipeline, tiktok: EmulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.upload(KEY.format("good"), as_file(any_hashes(5)))
    pipeline.upload("tiktok/bad key", as_file(any_hashes(5)))
    pipeline.upload(KEY.format("throttled"), as_file(any_hashes(5)))
    good, bad, throttled = pipeline.queue.messages.values()
    passes = {"path": "upload", "kind": "slow", "seconds": 0}
    tiktok.tell("faults", [passes, {"path": "upload", "times": 100, "kind": "code", "code": 40100}])

    answer = invoke(pipeline, monkeypatch, good, bad, throttled)

    assert answer == {"batchItemFailures": [{"itemIdentifier": throttled.id}]}


@pytest.mark.filterwarnings("ignore:No application metrics to publish")
def test_an_environment_that_is_wrong_fails_the_function_so_that_its_alarm_fires(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handler._application.cache_clear()
    monkeypatch.delenv("DATA_BUCKET", raising=False)
    context: Any = Context(FakeClock(), 1, FUNCTION_SECONDS)

    with pytest.raises(Exception, match="DATA_BUCKET is missing"):
        handler.handle({"Records": []}, context)


class Stopwatch:
    """A transport that writes down when a request for which advertiser started."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.starts: list[tuple[str, float]] = []

    def send(self, request: Request, access_token: str) -> Answer:
        self.starts.append((request.query["advertiser_id"], self.clock.now()))
        data = {"list": [], "page_info": {"total_number": 0, "total_page": 0}}
        return Answer(200, json.dumps({"code": 0, "data": data}).encode())


def test_each_advertiser_has_a_rate_of_its_own(pipeline: Pipeline) -> None:
    clock = FakeClock(now=0)
    stopwatch = Stopwatch(clock)
    settings = replace(pipeline.settings, requests_per_second=8, max_concurrency=4)
    application = handler.compose(settings, stopwatch, clock=clock, aws_client=lambda _: None)
    activation = application.new_activation()
    first, second, first_again = (activation._api_for(Credentials("token", name)) for name in ("1", "2", "1"))

    for api in (first, second, first_again, second):
        api.audiences.list_audiences()

    assert stopwatch.starts == [("1", 0.5), ("2", 0.5), ("1", 1.0), ("2", 1.0)]


@pytest.fixture
def log() -> Any:
    """Everything that the function writes to its log, formatted as in Lambda."""
    stream = io.StringIO()
    recorder = logging.StreamHandler(stream)
    recorder.setFormatter(logger.registered_formatter)
    sources = [logging.getLogger(logger.service), logging.getLogger()]
    for source in sources:
        source.addHandler(recorder)
    yield stream
    for source in sources:
        source.removeHandler(recorder)


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

    names = [entry["Key"] for entry in pipeline.s3.list_objects_v2(Bucket="data")["Contents"]]
    receipts = [
        pipeline.s3.get_object(Bucket="data", Key=name)["Body"].read().decode()
        for name in names
        if name.startswith("receipts/")
    ]
    ledger = json.dumps(pipeline.dynamodb.scan(TableName="ledger")["Items"])
    metrics_and_output = "".join(capsys.readouterr())
    told = "\n".join(
        [log.getvalue(), metrics_and_output, *names, *receipts, ledger, *map(repr, pipeline.queue.dead_letters)]
    )
    assert "CloudWatchMetrics" in metrics_and_output
    assert log.getvalue(), "there is something to look at"
    assert (told_by_defect in told) == (scene == "defect")
    assert pipeline.emulator.access_token not in told
    assert MARKED_ADDRESS not in told
    assert "jane" not in told
    assert not set(re.findall(r"[0-9a-f]{64}", told.lower())) & set(MARKED)
    assert not any(value[:20] in told.lower() for value in MARKED)
