"""The function is killed before and after every call that it makes; what comes after goes on from there."""

from collections.abc import Callable
from typing import Any

import pytest

from local.emulator.server import EmulatorServer
from test.support.builders import any_hashes, as_file, members_digest
from test.support.crashes import Tripwire
from test.support.pipeline import Pipeline
from test.support.scenes import SCENES, Stage, use_memory_ledger

KEY = "tiktok/Foodies/email_sha256/{}.csv"
# More than a delivery has, so that none is left out.
MOMENTS = range(1, 61)
MOMENTS_OF_ANY_ACTION = range(1, 401, 2)


@pytest.mark.parametrize("exists", [False, True], ids=["new audience", "existing audience"])
def test_a_kill_between_any_two_calls_changes_nothing_in_the_end(pipeline: Pipeline, exists: bool) -> None:
    for moment in MOMENTS:
        key = f"tiktok/killed at {moment}/email_sha256/{{}}.csv"
        expected = any_hashes(10) if exists else []
        if exists:
            pipeline.upload(key.format("base"), as_file(expected))
            pipeline.run()
        added = any_hashes(20)
        wire = Tripwire(kill_at=moment)
        pipeline.arm(wire)
        version = pipeline.upload(key.format("killed"), as_file(added))

        pipeline.run()

        receipt = pipeline.receipt(version)
        assert receipt is not None
        assert receipt["status"] == "delivered"
        assert not pipeline.queue.dead_letters
        [audience] = [each for each in pipeline.audiences() if each["name"] == f"killed at {moment}"]
        assert audience["members_sha256"] == members_digest(expected + added)
        if not wire.dead:
            return
    raise AssertionError("there are more moments than this test tried")


# The others make the same calls as one of these, or as the test above.
@pytest.mark.parametrize(
    "name",
    [
        "replace",
        "late append before a remove",
        "stream",
        "late stream before a delete",
        "suppression",
        "deletion of an audience",
    ],
)
def test_a_kill_before_any_call_of_any_action_changes_nothing_in_the_end(
    new_pipeline: Callable[..., Pipeline], tiktok: EmulatorServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    use_memory_ledger(monkeypatch)
    scene = SCENES[name]
    stage = Stage(new_pipeline, tiktok)
    # The moment after a call is the moment before the next one.
    for moment in MOMENTS_OF_ANY_ACTION:
        stage.set(scene)
        wire = Tripwire(kill_at=moment)
        stage.pipeline.arm(wire)
        version = stage.upload(scene.then)

        stage.pipeline.run()

        stage.assert_delivered(scene, version, f"killed at {moment}, after {wire.calls[-2:]}")
        if not wire.dead:
            return
    raise AssertionError("there are more moments than this test tried")


def test_a_message_whose_every_attempt_is_killed_ends_in_the_dead_letters_and_can_be_replayed(
    pipeline: Pipeline,
) -> None:
    version = pipeline.upload(KEY.format("file"), as_file(any_hashes(20)))
    [message] = pipeline.queue.messages.values()
    for _ in range(pipeline.settings.max_receive_count):
        pipeline.clock.move_to(message.visible_at)
        pipeline.arm(Tripwire(kill_at=9))
        pipeline.deliver(message)

    pipeline.run()

    [letter] = pipeline.queue.dead_letters
    assert letter.reason == "interrupted"
    pipeline.replay()
    pipeline.run()
    assert pipeline.receipt(version)
    assert len(pipeline.audiences()) == 1


def test_finished_parts_are_not_uploaded_again_after_a_kill(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.aws.object_store._CHUNK_BYTES", 650)
    monkeypatch.setattr("lambdas.audiences.preparation.PART_BYTES", 20 * 65)
    hashes = any_hashes(100)
    version = pipeline.upload(KEY.format("file"), as_file(hashes))
    # The second upload is the killed one: it reached TikTok, but was not written down.
    pipeline.arm(_KilledAfterUpload(2))

    pipeline.run()

    receipt = pipeline.receipt(version)
    assert receipt is not None
    assert len(receipt["parts"]) == 5
    assert len(pipeline.calls("file/upload/")) == 6
    assert receipt["attempts"] == 2
    [audience] = pipeline.audiences()
    assert audience["members_sha256"] == members_digest(hashes)


class _KilledAfterUpload(Tripwire):
    """Kills when the given upload has reached TikTok and nobody has written that down yet."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        """Make a call."""
        uploads = sum(each.endswith("file/upload/") for each in self.calls)
        if name.endswith("file/upload/") and uploads + 1 == self._number:
            self.kill_at = self.moments + 2
        return super().around(name, call)
