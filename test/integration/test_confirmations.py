"""What waits for a word: the operator's, who confirms what is held, or TikTok's, which may not do as it was told."""

from collections.abc import Callable

import pytest

from local.emulator.server import EmulatorServer
from test.support.builders import any_hashes, as_file
from test.support.pipeline import Pipeline

PEOPLE = any_hashes(1_500)
APPEND, REPLACE, REMOVE = (f"tiktok/Foodies/email_sha256/{name}" for name in ("1.csv", "replace/2.csv", "remove/3.csv"))
DELETE = "tiktok/Foodies/streaming/delete_audience/4.txt"


def reasons(pipeline: Pipeline) -> list[str]:
    return [letter.reason for letter in pipeline.queue.dead_letters]


@pytest.mark.parametrize(
    ("settings", "reason"), [({"max_shrink_ratio": 0.3}, "would_shrink"), ({"min_rows": 1_100}, "too_few_rows")]
)
def test_a_replace_is_held_until_a_replay_confirms_it(
    pipeline: Pipeline, settings: dict[str, float], reason: str
) -> None:
    pipeline.put_audience_settings("Foodies", **settings)
    pipeline.upload(APPEND, as_file(PEOPLE))
    held = pipeline.upload(REPLACE, as_file(PEOPLE[:1_000]))

    pipeline.run()
    assert reasons(pipeline) == [reason]
    pipeline.replay()
    pipeline.run()
    assert reasons(pipeline) == [reason]
    pipeline.replay(confirmed=True)
    pipeline.run()

    assert reasons(pipeline) == []
    receipt = pipeline.receipt(held)
    assert receipt is not None
    assert (receipt["status"], receipt["action"]) == ("delivered", "REPLACE")


def test_a_confirmation_outlives_a_wait_for_another_delivery(pipeline: Pipeline) -> None:
    pipeline.put_audience_settings("Foodies", max_shrink_ratio=0.3)
    pipeline.upload(APPEND, as_file(PEOPLE))
    held = pipeline.upload(REPLACE, as_file(PEOPLE[:1_000]))
    pipeline.run()

    pipeline.hold(held, seconds=300)
    pipeline.replay(confirmed=True)
    pipeline.run()

    assert reasons(pipeline) == []


@pytest.mark.parametrize("way_out", ["delete the audience", "replace it"])
def test_after_a_remove_that_tiktok_did_not_carry_out_the_runbooks_ways_out_end_with_a_replay(
    new_pipeline: Callable[..., Pipeline], tiktok: EmulatorServer, way_out: str
) -> None:
    tiktok.tell("settings", {"valid_after_seconds": 0})
    pipeline = new_pipeline(allow_audience_deletion=True)
    pipeline.upload(APPEND, as_file(PEOPLE))
    pipeline.run()
    removed = pipeline.upload(REMOVE, as_file(PEOPLE[:600]))
    pipeline.run()
    assert reasons(pipeline) == ["not_carried_out"]

    if way_out == "delete the audience":
        pipeline.upload(DELETE, b"")
    else:
        pipeline.upload(REPLACE, as_file(PEOPLE[600:] + any_hashes(200, seed="more")))
    pipeline.run()
    pipeline.replay()
    pipeline.run()

    assert reasons(pipeline) == []
    receipt = pipeline.receipt(removed)
    assert receipt is not None
    assert receipt["status"] == "superseded"


def test_a_deletion_needs_to_be_allowed_and_can_then_be_replayed(pipeline: Pipeline) -> None:
    pipeline.upload(APPEND, as_file(PEOPLE))
    pipeline.upload(DELETE, b"")

    pipeline.run()
    assert reasons(pipeline) == ["deletion_not_allowed"]
    assert len(pipeline.audiences()) == 1

    pipeline.change_settings(allow_audience_deletion=True)
    pipeline.replay()
    pipeline.run()
    assert reasons(pipeline) == []
    assert [audience for audience in pipeline.audiences() if not audience.get("is_deleted")] == []
