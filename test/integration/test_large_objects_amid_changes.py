"""Large objects, while something else happens: other files come, a token changes, a release is deployed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from local.emulator.server import EmulatorServer
from test.integration.test_large_objects import KEY, RANGE_BYTES, RANGE_ROWS, UPLOAD, members, status
from test.support.builders import any_hashes, as_file, members_digest
from test.support.pipeline import Pipeline


@pytest.fixture
def pipeline(new_pipeline: Callable[..., Pipeline], tiktok: EmulatorServer) -> Pipeline:
    tiktok.tell("settings", {"minimum_audience_size": 0})
    return new_pipeline(large_object_bytes=RANGE_BYTES, part_bytes=RANGE_BYTES, minimum_size=0)


def deliver(pipeline: Pipeline, times: int) -> None:
    for _ in range(times):
        pipeline.deliver_next()


def test_what_is_uploaded_once_more_counts_though_other_files_come_meanwhile(pipeline: Pipeline) -> None:
    kept, removed = any_hashes(2 * RANGE_ROWS), any_hashes(3 * RANGE_ROWS)
    pipeline.upload(KEY.format("base"), as_file(kept + removed), second=1)
    pipeline.run()
    pipeline.upload(KEY.format("remove/large"), as_file(removed), second=9)
    pipeline.run()
    pipeline.clock.sleep(13 * 3600)
    executions, uploads = len(pipeline.state_machine.executions), len(pipeline.calls(UPLOAD))
    late = pipeline.upload(KEY.format("late"), as_file(removed[:10]), second=5)
    deliver(pipeline, 1)
    others = any_hashes(10)
    for number in range(5):
        pipeline.upload(KEY.format(f"other {number}"), as_file(others[2 * number : 2 * number + 2]), second=20 + number)
        deliver(pipeline, 3)

    pipeline.run()

    assert status(pipeline, late) == "delivered"
    assert members(pipeline) == members_digest(kept + others)
    assert len(pipeline.state_machine.executions) - executions == 1
    assert len(pipeline.calls(UPLOAD)) - uploads == 3 + 1 + 5
