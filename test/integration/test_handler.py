"""The function's entry, as Lambda calls it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from lambdas.audiences import handler
from lambdas.tiktok.models import Credentials
from lambdas.tiktok.protocol import Answer, Request
from local.emulator.server import EmulatorServer
from test.support.builders import any_hashes, as_file
from test.support.clocks import FakeClock
from test.support.pipeline import Pipeline
from test.support.stage import FUNCTION_SECONDS, Context, Message

KEY = "tiktok/Foodies/email_sha256/{}.csv"


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
    settings = replace(pipeline.settings, request_interval_seconds=0.5)
    application = handler.compose(settings, stopwatch, clock=clock, aws_client=lambda _: None)
    activation = application.new_activation()
    first, second, first_again = (activation._api_for(Credentials("token", name)) for name in ("1", "2", "1"))

    for api in (first, second, first_again, second):
        api.audiences.list_audiences()

    assert stopwatch.starts == [("1", 0.5), ("2", 0.5), ("1", 1.0), ("2", 1.0)]
