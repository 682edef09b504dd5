"""Messages that wait, come back, or come twice: each ends, and nothing is forgotten on the way."""

from collections.abc import Callable

import pytest

from lambdas.attempts import STEP_SECONDS
from lambdas.tiktok.protocol import Answer, Request
from lambdas.tiktok.transport import HttpTransport
from local.emulator.server import EmulatorServer
from test.support.builders import any_audience_file, any_hashes, as_file, members_digest, notification_of
from test.support.crashes import Tripwire
from test.support.pipeline import Pipeline
from test.support.stage import FUNCTION_SECONDS

KEY = "tiktok/Foodies/email_sha256/{}.csv"


def test_a_second_delivery_waits_while_the_first_is_still_at_work(pipeline: Pipeline) -> None:
    version = pipeline.upload(KEY.format("file"), any_audience_file())
    claimed = pipeline.clock.now() + 500
    pipeline.hold(version, seconds=500)

    pipeline.run()

    assert pipeline.clock.now() >= claimed
    assert pipeline.receipt(version)
    assert len(pipeline.calls("file/upload/")) == 1


def test_a_message_is_hidden_for_as_long_as_the_function_may_work_on_it(pipeline: Pipeline) -> None:
    pipeline.upload(KEY.format("file"), any_audience_file())
    [message] = pipeline.queue.messages.values()
    pipeline.arm(Tripwire(kill_at=5))

    pipeline.deliver(message)

    hidden = message.visible_at - pipeline.clock.now()
    assert FUNCTION_SECONDS <= hidden <= FUNCTION_SECONDS + 60


def test_a_file_that_takes_longer_than_one_function_goes_on_in_the_next(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.aws.object_store._CHUNK_BYTES", 650)
    monkeypatch.setattr("lambdas.audiences.preparation.PART_BYTES", 20 * 65)
    slow = HttpTransport.send

    def take_long(transport: HttpTransport, request: Request, access_token: str) -> Answer:
        pipeline.clock.sleep(100)
        return slow(transport, request, access_token)

    monkeypatch.setattr(HttpTransport, "send", take_long)
    hashes = any_hashes(900)
    version = pipeline.upload(KEY.format("file"), as_file(hashes))

    pipeline.run()

    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["attempts"] == 1, "nothing failed"
    assert pipeline.invocations > pipeline.settings.max_receive_count
    assert len(pipeline.calls("file/upload/")) == len(receipt["parts"]) == 45
    [audience] = pipeline.audiences()
    assert audience["members_sha256"] == members_digest(hashes)


def test_files_that_wait_for_one_another_do_not_forgive_each_others_failures(
    pipeline: Pipeline, tiktok: EmulatorServer
) -> None:
    pipeline.upload(KEY.format("base"), any_audience_file())
    pipeline.run()
    tiktok.tell("faults", [{"path": "update", "times": 10_000, "kind": "code", "code": 50000}])
    for number in range(4):
        version = pipeline.upload(KEY.format(number), any_audience_file())
        # Another delivery of the same object, which has to wait whenever the first is at work.
        pipeline.send(notification_of(version))
        pipeline.hold(version, seconds=300)

    pipeline.run(most_deliveries=400)

    assert len(pipeline.queue.dead_letters) == 8


def test_an_object_that_kills_the_function_is_interrupted_although_its_notification_came_twice(
    pipeline: Pipeline,
) -> None:
    version = pipeline.upload(KEY.format("file"), any_audience_file())
    pipeline.send(notification_of(version))
    for _ in range(600):
        if not pipeline.queue.messages:
            break
        message = min(pipeline.queue.messages.values(), key=lambda each: each.visible_at)
        pipeline.clock.move_to(message.visible_at)
        pipeline.arm(Tripwire(kill_at=9))
        pipeline.deliver(message)

    assert [letter.reason for letter in pipeline.queue.dead_letters] == ["interrupted"] * 2


def test_files_that_tiktok_always_forgets_end_in_the_dead_letters(pipeline: Pipeline, tiktok: EmulatorServer) -> None:
    pipeline.upload(KEY.format("base"), any_audience_file())
    pipeline.run()
    tiktok.tell("faults", [{"path": "update", "times": 10_000, "kind": "code", "code": 40905}])
    pipeline.upload(KEY.format("file"), any_audience_file())

    pipeline.run()

    [letter] = pipeline.queue.dead_letters
    assert letter.reason == "file_expired"


def test_a_function_without_time_for_one_step_ends_instead_of_turning_in_circles(
    new_pipeline: Callable[..., Pipeline],
) -> None:
    pipeline = new_pipeline(function_seconds=STEP_SECONDS - 10)
    pipeline.upload(KEY.format("file"), any_audience_file())

    pipeline.run()

    [letter] = pipeline.queue.dead_letters
    assert letter.reason == "not_ready"


def test_files_that_tiktok_has_forgotten_are_uploaded_again(pipeline: Pipeline, tiktok: EmulatorServer) -> None:
    tiktok.tell("faults", [{"path": "list", "times": 20, "kind": "code", "code": 50000}])
    version = pipeline.upload(KEY.format("file"), any_audience_file())
    pipeline.run()
    assert len(pipeline.queue.dead_letters) == 1
    tiktok.tell("faults", [])
    tiktok.tell("clock", {"advance_seconds": 2 * 86_400})

    pipeline.replay()
    pipeline.run()

    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert receipt["status"] == "delivered"
    assert len(pipeline.calls("file/upload/")) == 2
