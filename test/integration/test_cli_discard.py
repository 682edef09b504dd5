import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws

from cli.dead_letters import Outcome
from test.integration.test_cli_commands import Deployment, bury_three
from test.integration.test_cli_dead_letters import Overruling, Queues, denied, failing
from test.support.crashes import Killed, Tripwire, WiredClient

THREE = ("--reason", "token_rejected", "--reason", "no_valid_rows", "--reason", "redriven")


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    for name in ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_PROFILE", "TIKTOK_CONNECTOR_STACK"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield Deployment()


def deletion_without_answer(call: Any, **arguments: Any) -> Any:
    call(**arguments)
    raise ReadTimeoutError(endpoint_url="https://sqs")


def test_discard_deletes_by_reason_after_a_yes(deployment: Deployment) -> None:
    bury_three(deployment)

    result = deployment.run("discard", "--reason", "token_rejected", stdin="y\n")

    assert result.exit_code == 0
    assert "1 message to delete; 2 to leave" in result.output
    for shown in ("tiktok/Käufer/email_sha256/1.csv", "token_rejected", "expired"):
        assert shown in result.output
    assert "Delete 1 message for good, so that they cannot be replayed?" in result.output
    assert "deleted: 1, left: 2, failed: 0" in result.output
    assert (deployment.counts(deployment.dead), deployment.counts(deployment.queue)) == ((2, 0), (0, 0))


def test_discard_deletes_by_key_without_asking_when_told_yes(deployment: Deployment) -> None:
    bury_three(deployment)

    result = deployment.run("discard", "--yes", "--key", "tiktok/*")

    assert result.exit_code == 0
    assert "cannot be replayed?" not in result.output
    assert "deleted: 2, left: 1, failed: 0" in result.output
    assert deployment.bodies(deployment.dead) == ["garbage"]
    assert deployment.counts(deployment.dead) == (1, 0)


def test_a_reason_and_a_key_must_both_fit(deployment: Deployment) -> None:
    bury_three(deployment)

    result = deployment.run("discard", "--yes", "--reason", "no_valid_rows", "--key", "tiktok/Käufer/*")

    assert result.exit_code == 0
    assert "None of 3 messages is chosen: there is nothing to delete." in result.output
    assert deployment.counts(deployment.dead) == (3, 0)


@pytest.mark.parametrize("option", ["--reason", "--key"])
def test_an_empty_choice_chooses_nothing(deployment: Deployment, option: str) -> None:
    bury_three(deployment)

    result = deployment.run("discard", "--yes", option, "")

    assert "None of 3 messages is chosen" in result.output
    assert deployment.counts(deployment.dead) == (3, 0)


def test_discard_of_an_empty_queue_says_so_and_succeeds(deployment: Deployment) -> None:
    result = deployment.run("discard", "--reason", "bad_key")

    assert (result.exit_code, result.output) == (0, "There is no dead letter: there is nothing to delete.\n")


@pytest.mark.parametrize("answer", ["n\n", "\n", ""], ids=["no", "nothing", "end of input"])
def test_refusing_the_question_leaves_everything_visible_again(deployment: Deployment, answer: str) -> None:
    bury_three(deployment)

    result = deployment.run("discard", *THREE, stdin=answer)

    assert result.exit_code == 1
    assert "deleted:" not in result.output
    assert deployment.counts(deployment.dead) == (3, 0)


def test_ctrl_c_at_the_question_leaves_everything_visible_again(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    bury_three(deployment)

    def interrupted(*_arguments: object, **_options: object) -> bool:
        assert deployment.counts(deployment.dead) == (0, 3)
        raise KeyboardInterrupt

    monkeypatch.setattr("click.confirm", interrupted)

    assert deployment.run("discard", *THREE).exit_code == 1
    assert deployment.counts(deployment.dead) == (3, 0)


@pytest.mark.parametrize(
    ("call", "sender_fault", "said"),
    [
        ("delete_message_batch", False, "SQS did not confirm that they are deleted"),
        ("change_message_visibility_batch", False, "SQS failed, and they are still in the dead-letter queue"),
        ("change_message_visibility_batch", True, "They were not deleted: try again"),
    ],
)
def test_discard_that_deletes_not_all_fails_and_tells_why(
    deployment: Deployment, call: str, sender_fault: bool, said: str
) -> None:
    bury_three(deployment)
    deployment.clients["sqs"] = Overruling(deployment.sqs, **{call: failing("0", sender_fault=sender_fault)})

    result = deployment.run("discard", "--yes", *THREE)

    assert result.exit_code == 1
    assert "deleted: 2, left: 0, failed: 1" in result.output
    assert said in result.output
    assert "tiktok/Käufer/email_sha256/1.csv" in result.output.partition("failed: 1")[2]
    assert len(deployment.bodies(deployment.dead)) == 1


@pytest.mark.parametrize(
    ("call", "reported"),
    [
        ("change_message_visibility_batch", "deleted: 0, left: 3, failed: 0"),
        ("delete_message_batch", "deleted: 0, left: 0, failed: 3"),
    ],
)
def test_discard_that_aws_denies_deletes_nothing_and_explains(deployment: Deployment, call: str, reported: str) -> None:
    bury_three(deployment)
    deployment.clients["sqs"] = Overruling(deployment.sqs, **{call: denied})

    result = deployment.run("discard", "--yes", *THREE)

    assert result.exit_code == 1
    assert reported in result.output
    assert "Error: AWS denies" in result.output
    assert "Traceback" not in result.output
    assert len(deployment.bodies(deployment.dead)) == 3


def test_a_deletion_whose_answer_is_lost_is_not_reported_as_left(deployment: Deployment) -> None:
    bury_three(deployment)
    deployment.clients["sqs"] = Overruling(deployment.sqs, delete_message_batch=deletion_without_answer)

    result = deployment.run("discard", "--yes", "--key", "tiktok/*")

    assert result.exit_code == 1
    assert "deleted: 0, left: 1, failed: 2" in result.output
    assert "SQS did not confirm that they are deleted" in result.output
    assert deployment.counts(deployment.dead) == (1, 0)


def test_a_message_that_somebody_else_took_meanwhile_is_not_deleted(deployment: Deployment) -> None:
    deployment.bury_many(3)

    outcome = Outcome(3)
    client = Overruling(deployment.sqs, change_message_visibility_batch=failing("1", sender_fault=True))
    with deployment.hold(client) as hold:
        others = hold.letters[1]
        hold.discard(hold.letters, outcome)

    assert (len(outcome.done), outcome.lost, outcome.untouched) == (2, [others], 0)
    assert deployment.bodies(deployment.dead) == [others.body]


def test_nothing_is_deleted_when_the_time_of_all_ran_out(deployment: Deployment) -> None:
    deployment.bury_many(3)

    outcome = Outcome(3)
    over = failing("0", "1", "2", sender_fault=True)
    client = Overruling(deployment.sqs, change_message_visibility_batch=over, delete_message_batch=denied)
    with deployment.hold(client) as hold:
        hold.discard(hold.letters, outcome)

    assert (len(outcome.done), len(outcome.lost)) == (0, 3)
    assert len(deployment.bodies(deployment.dead)) == 3


def test_whether_messages_are_still_ours_is_asked_before_each_deletion(deployment: Deployment) -> None:
    deployment.bury_many(25)
    wire = Tripwire()

    with deployment.hold(WiredClient(deployment.sqs, wire)) as hold:
        hold.discard(hold.letters, Outcome(25))

    changes = [name for name in wire.calls if name != "receive_message"]
    assert changes == ["change_message_visibility_batch", "delete_message_batch"] * 3


def test_what_was_not_chosen_comes_back(deployment: Deployment) -> None:
    bodies = deployment.bury_many(25)

    outcome = Outcome(11)
    with deployment.hold() as hold:
        kept = [letter.body for letter in hold.letters[11:]]
        hold.discard(hold.letters[:11], outcome)

    assert (len(outcome.done), outcome.untouched) == (11, 0)
    assert set(kept) < set(bodies)
    assert deployment.bodies(deployment.dead) == sorted(kept)
    assert deployment.counts(deployment.dead) == (14, 0)


def test_an_error_while_deleting_puts_back_what_was_not_deleted(deployment: Deployment) -> None:
    deployment.bury_many(25)
    answers = iter([True])

    def failing_later(call: Any, **arguments: Any) -> Any:
        return call(**arguments) if next(answers, False) else denied(call)

    outcome = Outcome(25)
    with (
        pytest.raises(ClientError, match="AccessDenied"),
        deployment.hold(Overruling(deployment.sqs, delete_message_batch=failing_later)) as hold,
    ):
        hold.discard(hold.letters, outcome)

    assert (len(outcome.done), len(outcome.unconfirmed), outcome.untouched) == (10, 10, 5)
    assert deployment.counts(deployment.dead) == (15, 0)


def test_ctrl_c_half_way_reports_what_was_deleted_and_leaves_the_rest_visible(deployment: Deployment) -> None:
    deployment.bury_many(25)
    before = signal.getsignal(signal.SIGINT)

    def interrupted(call: Any, **arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return call(**arguments)

    deployment.clients["sqs"] = Overruling(deployment.sqs, delete_message_batch=interrupted)
    result = deployment.run("discard", "--yes", "--key", "*")

    assert result.exit_code == 1
    assert "deleted: 10, left: 15, failed: 0" in result.output
    assert deployment.counts(deployment.dead) == (15, 0)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.usefixtures("deployment")
def test_killed_at_any_moment_only_chosen_messages_are_gone_and_another_discard_deletes_the_rest() -> None:
    def discard(queues: Queues, wire: Tripwire) -> Outcome:
        with queues.hold(WiredClient(queues.sqs, wire)) as hold:
            chosen = [letter for letter in hold.letters if letter.reason == "token_rejected"]
            outcomes.append(Outcome(len(chosen)))
            hold.discard(chosen, outcomes[-1])
        return outcomes[-1]

    outcomes: list[Outcome] = []
    untroubled = Tripwire()
    queues = Queues(number=1)
    queues.bury_many(12)
    assert len(discard(queues, untroubled).done) == 12
    for kill_at in range(1, untroubled.moments + 1):
        queues = Queues(number=1 + kill_at)
        bodies = set(queues.bury_many(12))
        queues.bury("kept", reason="bad_key")
        outcomes.clear()

        with pytest.raises(Killed):
            discard(queues, Tripwire(kill_at))

        left = set(queues.bodies(queues.dead))
        outcome = outcomes[-1] if outcomes else Outcome(12)
        known = {letter.body for letter in outcome.done}
        perhaps = {letter.body for letter in outcome.unconfirmed}
        assert known <= bodies - left <= known | perhaps
        assert "kept" in left
        queues.reveal_all()
        discard(queues, Tripwire())
        assert queues.bodies(queues.dead) == ["kept"]
