"""Every call to TikTok, every fault, once or for ever: exact membership, one audience, a trace of every object."""

from collections.abc import Callable

import pytest

from local.emulator.server import EmulatorServer
from test.support.builders import any_hashes, as_file, members_digest
from test.support.pipeline import Pipeline
from test.support.scenes import SCENES, Stage, use_memory_ledger

KEY = "tiktok/Foodies/email_sha256/{}.csv"
FAULTS: dict[str, dict[str, object]] = {
    "code 40100": {"kind": "code", "code": 40100},
    "code 50000": {"kind": "code", "code": 50000},
    "HTTP 502": {"kind": "http", "status": 502},
    "timeout": {"kind": "timeout"},
    "drop before commit": {"kind": "drop_before_commit"},
    "drop after commit": {"kind": "drop_after_commit"},
}
CALLS = ["file/upload", "list", "create", "update"]
FOR_EVER = 10_000
# The other scenes make the same calls for the same reasons.
ACTIONS = [
    "remove",
    "replace",
    "late append before a remove",
    "stream",
    "late stream before a delete",
    "suppression",
    "deletion of an audience",
]


@pytest.fixture
def impatient(new_pipeline: Callable[..., Pipeline]) -> Pipeline:
    return new_pipeline(read_seconds=0.25)


@pytest.mark.parametrize("times", [1, FOR_EVER], ids=["once", "until the dead-letter queue"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_a_fault_loses_nothing_and_doubles_nothing(
    impatient: Pipeline, tiktok: EmulatorServer, call: str, fault: dict[str, object], times: int
) -> None:
    expected: list[str] = []
    if call == "update":
        expected += any_hashes(1000)
        impatient.upload(KEY.format("base"), as_file(expected))
        impatient.run()
    tiktok.tell("faults", [{"path": f"custom_audience/{call}", "times": times, **fault}])
    added = any_hashes(1100)
    version = impatient.upload(KEY.format("added"), as_file(added))

    impatient.run()

    receipt = impatient.receipt(version)
    assert len(impatient.queue.dead_letters) == (receipt is None)
    if times == 1:
        assert receipt is not None, "one fault is survived without anybody's help"
    tiktok.tell("faults", [])
    impatient.replay()
    impatient.run()

    receipt = impatient.receipt(version)
    assert receipt is not None
    assert receipt["status"] == "delivered"
    assert not impatient.queue.dead_letters
    [audience] = impatient.audiences()
    assert audience["members_sha256"] == members_digest(expected + added)


@pytest.mark.parametrize("times", [1, FOR_EVER], ids=["once", "until the dead-letter queue"])
@pytest.mark.parametrize(("name", "call"), [(name, call) for name in ACTIONS for call in SCENES[name].calls])
def test_no_fault_of_any_call_of_any_action_loses_or_doubles_anything(
    new_pipeline: Callable[..., Pipeline],
    tiktok: EmulatorServer,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    call: str,
    times: int,
) -> None:
    use_memory_ledger(monkeypatch)
    scene = SCENES[name]
    stage = Stage(new_pipeline, tiktok, read_seconds=0.1, max_receive_count=2 if times > 1 else 5)
    for told, fault in FAULTS.items():
        stage.set(scene)
        tiktok.tell("faults", [{"path": call, "times": times, **fault}])
        version = stage.upload(scene.then)

        stage.pipeline.run()

        assert not tiktok.ask("faults")["faults"] or times > 1, (told, "the call was made")
        receipt, letters = stage.pipeline.receipt(version), stage.pipeline.queue.dead_letters
        if times == 1:
            assert receipt is not None, (told, "one fault is survived without anybody's help")
        # What TikTok did without an answer may be found done.
        assert len(letters) == (receipt is None), told
        assert all(call in letter.detail or letter.reason == "create_unsettled" for letter in letters), told
        tiktok.tell("faults", [])
        stage.pipeline.replay()
        stage.pipeline.run()
        stage.assert_delivered(scene, version, told)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_an_exhausted_message_carries_its_last_error(
    impatient: Pipeline, tiktok: EmulatorServer, fault: dict[str, object]
) -> None:
    tiktok.tell("faults", [{"path": "file/upload", "times": FOR_EVER, **fault}])
    version = impatient.upload(KEY.format("file"), as_file(any_hashes(5)))
    [body] = [message.body for message in impatient.queue.messages.values()]

    impatient.run()

    [letter] = impatient.queue.dead_letters
    assert letter.body == body
    assert letter.reason == ("rate_limited" if fault.get("code") == 40100 else "tiktok_unavailable")
    assert "file/upload" in letter.detail
    assert impatient.receipt(version) is None


@pytest.mark.parametrize("code", [50000, 40002, 40001, 40105, 40400, 20001])
def test_an_error_answer_from_list_is_never_taken_for_not_found(
    impatient: Pipeline, tiktok: EmulatorServer, code: int
) -> None:
    tiktok.tell("seed", {"audiences": 3, "prefix": "Foodies "})
    tiktok.tell("faults", [{"path": "custom_audience/list", "times": FOR_EVER, "kind": "code", "code": code}])
    impatient.upload("tiktok/Foodies 2/email_sha256/file.csv", as_file(any_hashes(5)))

    impatient.run()

    assert not impatient.calls("create/")
    assert len(impatient.queue.dead_letters) == 1


def test_a_drop_on_the_second_page_of_the_list_does_not_hide_an_audience(
    impatient: Pipeline, tiktok: EmulatorServer
) -> None:
    tiktok.tell("seed", {"audiences": 250, "prefix": "Foodies "})
    first_page = {"path": "list", "kind": "slow", "seconds": 0}
    tiktok.tell("faults", [first_page, {"path": "list", "times": 100, "kind": "drop_before_commit"}])
    impatient.upload("tiktok/Foodies 1/email_sha256/file.csv", as_file(any_hashes(5)))

    impatient.run()

    assert len(impatient.audiences()) == 250
    assert not impatient.calls("create/")
    assert len(impatient.queue.dead_letters) == 1


@pytest.mark.parametrize("code", [40102, 40104, 40105])
def test_a_rejected_token_goes_back_to_the_queue_and_then_to_the_dead_letters(
    impatient: Pipeline, tiktok: EmulatorServer, code: int
) -> None:
    tiktok.tell("faults", [{"path": "file/upload", "times": FOR_EVER, "kind": "code", "code": code}])
    impatient.upload(KEY.format("file"), as_file(any_hashes(5)))

    impatient.run()

    [letter] = impatient.queue.dead_letters
    assert letter.reason == "token_rejected"
    assert len(impatient.calls("file/upload/")) == impatient.settings.max_receive_count


def test_a_parameter_error_goes_to_the_dead_letters_at_once(impatient: Pipeline, tiktok: EmulatorServer) -> None:
    tiktok.tell("faults", [{"path": "create", "times": FOR_EVER, "kind": "code", "code": 40002}])
    impatient.upload(KEY.format("file"), as_file(any_hashes(5)))

    impatient.run()

    [letter] = impatient.queue.dead_letters
    assert letter.reason == "tiktok_rejected"
    assert "40002" in letter.detail
    assert len(impatient.calls("create/")) == 1


@pytest.mark.parametrize(
    ("code", "deliveries"), [(40999, 1), (77777, 5)], ids=["40xxx is rejected", "others are retried"]
)
def test_an_unlisted_code_is_sorted_by_its_range(
    impatient: Pipeline, tiktok: EmulatorServer, code: int, deliveries: int
) -> None:
    tiktok.tell("faults", [{"path": "create", "times": FOR_EVER, "kind": "code", "code": code}])
    impatient.upload(KEY.format("file"), as_file(any_hashes(5)))

    impatient.run()

    [letter] = impatient.queue.dead_letters
    assert "unlisted" in letter.detail
    assert len(impatient.calls("create/")) == deliveries
