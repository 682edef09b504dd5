import functools
import json
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from cli.dead_letters import REDRIVEN, UNDELIVERED, DeadLetterQueue, Hold, Outcome, Selection
from cli.routes import AUDIENCES, Route
from test.support.builders import any_version, notification_of
from test.support.crashes import Killed, Tripwire, WiredClient

REGION = "us-east-1"
UNICODE_KEY = "tiktok/Käufer 日本 🎯/email_sha256/ä+b %20.csv"


@functools.cache
def aws_client(service: str) -> Any:
    """Making a client takes longer than most tests."""
    return boto3.client(service, region_name=REGION)  # type: ignore[call-overload]


class Queues:
    """A queue and its dead-letter queue."""

    def __init__(self, number: int | str = 0, name: str = AUDIENCES) -> None:
        self.sqs = aws_client("sqs")
        self.queue = self.sqs.create_queue(QueueName=f"queue-{number}")["QueueUrl"]
        self.dead = self.sqs.create_queue(QueueName=f"dead-{number}")["QueueUrl"]
        self.route = Route(name, self.queue, self.dead)

    def bury(self, body: str, **attributes: str) -> None:
        self.sqs.send_message(
            QueueUrl=self.dead,
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )

    def bury_many(self, count: int) -> list[str]:
        bodies = [notification_of(any_version(f"tiktok/a/email_sha256/{number}.csv")) for number in range(count)]
        for body in bodies:
            self.bury(body, reason="token_rejected", detail="refused")
        return bodies

    def hold(self, client: Any = None, seconds: int = 900) -> Hold:
        return DeadLetterQueue(client or self.sqs, self.route, poll_seconds=0).hold(seconds)

    def bodies(self, url: str) -> list[str]:
        """All that is in a queue, visible or not."""
        return sorted(message.body for message in self._inside(url)._messages)

    def attributes(self, url: str) -> list[dict[str, str]]:
        """Those of each visible message of a queue."""
        answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        return [
            {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
            for message in answer.get("Messages", [])
        ]

    def reveal_all(self) -> None:
        """What the passing of time does to the dead letters."""
        dead = self._inside(self.dead)
        for message in dead._messages:
            message.change_visibility(0)
        dead.pending_messages.clear()

    def _inside(self, url: str) -> Any:
        return get_backend("sqs")[DEFAULT_ACCOUNT_ID][REGION].queues[url.rsplit("/", 1)[-1]]

    def counts(self, url: str) -> tuple[int, int]:
        """Visible, and hidden."""
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return (
            int(attributes["ApproximateNumberOfMessages"]),
            int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        )


class Overruling:
    """A client, some calls of which are answered otherwise. The replacement gets the true call first."""

    def __init__(self, client: Any, **replacements: Callable[..., Any]) -> None:
        self._client = client
        self._replacements = replacements

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name not in self._replacements:
            return call
        return lambda **arguments: self._replacements[name](call, **arguments)


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    for name in ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield Queues()


def denied(call: Any, **_arguments: Any) -> Any:
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, call.__name__)


def failing(*numbers: str, sender_fault: bool = False) -> Callable[..., Any]:
    """Of a batch call: these entries fail, the others are carried out."""

    def answer(call: Any, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803
        carried_out = [entry for entry in Entries if entry["Id"] not in numbers]
        done = call(QueueUrl=QueueUrl, Entries=carried_out) if carried_out else {}
        failed = [
            {"Id": number, "SenderFault": sender_fault, "Code": "InternalError", "Message": "?"} for number in numbers
        ]
        return {"Successful": done.get("Successful", []), "Failed": failed}

    return answer


@pytest.mark.parametrize("count", [0, 1, 10, 11, 137])
def test_every_message_is_read_exactly_once(queues: Queues, count: int) -> None:
    bodies = queues.bury_many(count)

    with queues.hold() as hold:
        read = [letter.body for letter in hold.letters]
        assert queues.counts(queues.dead) == (0, count)

    assert sorted(read) == sorted(bodies)
    assert queues.counts(queues.dead) == (count, 0)


def test_reading_goes_on_after_a_single_empty_answer(queues: Queues) -> None:
    queues.bury_many(25)
    answers = iter([True, False, True, False, True])

    def sometimes_empty(call: Any, **arguments: Any) -> Any:
        return call(**arguments) if next(answers, True) else {}

    with queues.hold(Overruling(queues.sqs, receive_message=sometimes_empty)) as hold:
        assert len(hold.letters) == 25


def test_reading_ends_when_messages_come_back_before_all_is_read(queues: Queues) -> None:
    queues.bury_many(3)

    with queues.hold(seconds=0) as hold:
        assert len(hold.letters) == 3
        assert not hold.is_complete


def test_reading_ends_when_sqs_gives_no_more_at_once(queues: Queues) -> None:
    queues.bury_many(12)
    received = 0

    def over_limit(call: Any, **arguments: Any) -> Any:
        nonlocal received
        received += 1
        if received > 1:
            raise ClientError({"Error": {"Code": "OverLimit", "Message": "120000"}}, "ReceiveMessage")
        return call(**arguments)

    with queues.hold(Overruling(queues.sqs, receive_message=over_limit)) as hold:
        assert len(hold.letters) == 10
        assert not hold.is_complete

    assert queues.counts(queues.dead) == (12, 0)


def test_messages_of_every_origin_are_understood(queues: Queues) -> None:
    body = notification_of(any_version(UNICODE_KEY))
    queues.bury(body, reason="no_valid_rows", detail="none of 3")
    queues.bury(body, RULE_ARN="arn:rule", ERROR_CODE="NO_PERMISSIONS", ERROR_MESSAGE="not allowed")
    queues.bury(body, RULE_ARN="arn:rule")
    queues.bury(body)

    with queues.hold() as hold:
        found = sorted((letter.reason, letter.detail, letter.key) for letter in hold.letters)

    assert found == sorted(
        [
            ("no_valid_rows", "none of 3", UNICODE_KEY),
            (UNDELIVERED, "NO_PERMISSIONS: not allowed", UNICODE_KEY),
            (UNDELIVERED, "", UNICODE_KEY),
            (REDRIVEN, "", UNICODE_KEY),
        ]
    )


@pytest.mark.parametrize(
    "body",
    [
        "garbage",
        "{}",
        "[]",
        "null",
        '"text"',
        "[" * 100_000,
        '{"detail": []}',
        '{"detail": {"object": {"key": 7}}}',
        '{"detail": {"object": null}}',
    ],
    ids=lambda body: body[:40],
)
def test_a_body_that_is_no_notification_has_no_key_and_is_moved_as_it_is(queues: Queues, body: str) -> None:
    queues.bury(body, reason="not_a_notification", detail="?")

    with queues.hold() as hold:
        (letter,) = hold.letters
        outcome = Outcome(1)
        hold.move(hold.letters, outcome)

    assert letter.key is None
    assert not Selection(keys=["*"]).has(letter)
    assert (queues.bodies(queues.queue), queues.bodies(queues.dead)) == ([body], [])


def test_moving_sends_the_body_unchanged_and_drops_the_attributes(queues: Queues) -> None:
    body = json.dumps({"detail": {"object": {"key": UNICODE_KEY}}, "spaces": "  "}, ensure_ascii=False, indent=3)
    queues.bury(body, reason="token_rejected", detail="refused")

    with queues.hold() as hold:
        outcome = Outcome(1)
        hold.move(hold.letters, outcome)

    (message,) = queues.sqs.receive_message(QueueUrl=queues.queue, MessageAttributeNames=["All"])["Messages"]
    assert message["Body"] == body
    assert "MessageAttributes" not in message
    assert (len(outcome.done), outcome.untouched) == (1, 0)
    assert queues.bodies(queues.dead) == []


def test_many_and_large_messages_are_moved_all(queues: Queues) -> None:
    bodies = queues.bury_many(103) + [f"{number}" + "x" * 150_000 for number in range(4)]
    for body in bodies[-4:]:
        queues.bury(body)

    with queues.hold() as hold:
        outcome = Outcome(len(hold.letters))
        hold.move(hold.letters, outcome)

    assert len(outcome.done) == 107
    assert queues.bodies(queues.queue) == sorted(bodies)
    assert queues.counts(queues.dead) == (0, 0)


@pytest.mark.usefixtures("queues")
def test_killed_at_any_moment_a_message_is_in_a_queue_and_another_replay_moves_it() -> None:
    def replay(queues: Queues, wire: Tripwire) -> None:
        with queues.hold(WiredClient(queues.sqs, wire)) as hold:
            hold.move(hold.letters, Outcome(len(hold.letters)))

    untroubled = Tripwire()
    queues = Queues(number=1)
    queues.bury_many(12)
    replay(queues, untroubled)
    assert untroubled.calls.count("delete_message_batch") == 2
    for kill_at in range(1, untroubled.moments + 1):
        queues = Queues(number=1 + kill_at)
        bodies = set(queues.bury_many(12))

        with pytest.raises(Killed):
            replay(queues, Tripwire(kill_at))

        assert set(queues.bodies(queues.queue)) | set(queues.bodies(queues.dead)) == bodies
        queues.reveal_all()
        replay(queues, Tripwire())
        assert set(queues.bodies(queues.queue)) == bodies
        assert queues.bodies(queues.dead) == []


def test_killed_between_send_and_delete_a_message_is_in_both_queues(queues: Queues) -> None:
    (body,) = queues.bury_many(1)

    def killed(_call: Any, **_arguments: Any) -> Any:
        raise Killed

    outcome = Outcome(1)
    with pytest.raises(Killed), queues.hold(Overruling(queues.sqs, delete_message_batch=killed)) as hold:
        hold.move(hold.letters, outcome)

    assert queues.bodies(queues.queue) == queues.bodies(queues.dead) == [body]
    assert (len(outcome.done), len(outcome.unconfirmed)) == (0, 1)


def test_what_is_not_sent_is_not_deleted(queues: Queues) -> None:
    queues.bury_many(5)

    outcome = Outcome(5)
    with queues.hold(Overruling(queues.sqs, send_message_batch=failing("1", "3"))) as hold:
        hold.move(hold.letters, outcome)

    assert (len(outcome.done), len(outcome.failed), outcome.untouched) == (3, 2, 0)
    assert queues.counts(queues.queue) == (3, 0)
    assert queues.counts(queues.dead) == (2, 0)


def test_a_deletion_that_fails_is_not_reported_as_moved(queues: Queues) -> None:
    queues.bury_many(12)

    outcome = Outcome(12)
    with queues.hold(Overruling(queues.sqs, delete_message_batch=failing("0"))) as hold:
        hold.move(hold.letters, outcome)

    assert (len(outcome.done), len(outcome.unconfirmed), outcome.untouched) == (10, 2, 0)
    assert queues.counts(queues.queue) == (12, 0)
    assert queues.counts(queues.dead) == (2, 0)


def test_a_message_whose_time_ran_out_is_not_sent(queues: Queues) -> None:
    queues.bury_many(3)

    outcome = Outcome(3)
    client = Overruling(queues.sqs, change_message_visibility_batch=failing("1", sender_fault=True))
    with queues.hold(client) as hold:
        hold.move(hold.letters, outcome)

    assert (len(outcome.done), len(outcome.lost)) == (2, 1)
    assert queues.counts(queues.queue) == (2, 0)
    assert len(queues.bodies(queues.dead)) == 1


def test_an_error_while_moving_puts_everything_back_that_was_not_moved(queues: Queues) -> None:
    queues.bury_many(25)

    outcome = Outcome(25)
    with (
        pytest.raises(ClientError, match="AccessDenied"),
        queues.hold(Overruling(queues.sqs, send_message_batch=denied)) as hold,
    ):
        hold.move(hold.letters, outcome)

    assert outcome.untouched == 25
    assert queues.counts(queues.dead) == (25, 0)


def test_an_error_while_reading_puts_everything_back(queues: Queues) -> None:
    queues.bury_many(25)
    answers = iter([True, True])

    def failing_later(call: Any, **arguments: Any) -> Any:
        return call(**arguments) if next(answers, False) else denied(call)

    with (
        pytest.raises(ClientError, match="AccessDenied"),
        queues.hold(Overruling(queues.sqs, receive_message=failing_later)),
    ):
        pytest.fail("the block must not begin")

    assert queues.counts(queues.dead) == (25, 0)


def test_messages_that_cannot_be_put_back_are_counted(queues: Queues) -> None:
    queues.bury_many(12)

    with queues.hold(Overruling(queues.sqs, change_message_visibility_batch=denied)) as hold:
        pass
    assert hold.stay_hidden == 12

    queues.reveal_all()
    with queues.hold(Overruling(queues.sqs, change_message_visibility_batch=failing("0"))) as hold:
        pass
    assert hold.stay_hidden == 2

    queues.reveal_all()
    over = failing("0", sender_fault=True)
    with queues.hold(Overruling(queues.sqs, change_message_visibility_batch=over)) as hold:
        pass
    assert hold.stay_hidden == 0


@pytest.mark.parametrize("call", ["receive_message", "send_message_batch", "delete_message_batch"])
def test_ctrl_c_during_any_call_leaves_no_message_hidden_and_none_twice(queues: Queues, call: str) -> None:
    queues.bury_many(25)
    before = signal.getsignal(signal.SIGINT)

    def interrupted(true_call: Any, **arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return true_call(**arguments)

    with pytest.raises(KeyboardInterrupt), queues.hold(Overruling(queues.sqs, **{call: interrupted})) as hold:
        hold.move(hold.letters, Outcome(25))

    moved, left = queues.counts(queues.queue)[0], queues.counts(queues.dead)
    assert (moved, left) == ((0, (25, 0)) if call == "receive_message" else (10, (15, 0)))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_takes_effect_at_once(queues: Queues) -> None:
    queues.bury_many(1)

    def hanging(_call: Any, **_arguments: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("still hanging")

    with pytest.raises(KeyboardInterrupt), queues.hold(Overruling(queues.sqs, receive_message=hanging)):
        pytest.fail("the block must not begin")


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        (Selection(), {"a", "b", "c", "d"}),
        (Selection(reasons=["one"]), {"a", "b"}),
        (Selection(reasons=["one", "two"]), {"a", "b", "c"}),
        (Selection(reasons=[REDRIVEN]), {"d"}),
        (Selection(keys=["tiktok/Käufer/x/1.csv"]), {"a"}),
        (Selection(keys=["tiktok/Käufer/x/1"]), set()),
        (Selection(keys=["tiktok/Käufer/*"]), {"a", "b"}),
        (Selection(keys=["tiktok/Käufer/x/2.csv", "tiktok/o*"]), {"b", "c"}),
        (Selection(keys=["*"]), {"a", "b", "c"}),
        (Selection(reasons=["two"], keys=["tiktok/Käufer/*"]), set()),
        (Selection(reasons=["On"]), set()),
    ],
)
def test_messages_are_chosen_by_reason_and_by_key(queues: Queues, selection: Selection, chosen: set[str]) -> None:
    queues.bury(notification_of(any_version("tiktok/Käufer/x/1.csv")), reason="one", detail="a")
    queues.bury(notification_of(any_version("tiktok/Käufer/x/2.csv")), reason="one", detail="b")
    queues.bury(notification_of(any_version("tiktok/other/x/1.csv")), reason="two", detail="c")
    queues.bury("garbage")

    with queues.hold() as hold:
        assert {letter.detail or "d" for letter in hold.letters if selection.has(letter)} == chosen
