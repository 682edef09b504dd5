"""What becomes of a message, by the class of the error."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.aws.queue_consumer import QueueConsumer, is_confirmed
from lambdas.aws.records import Record, RecordFailedError
from lambdas.contracts import CONFIRMED_ATTRIBUTE, Metric
from lambdas.tiktok.errors import (
    CreateUnsettled,
    CredentialsNotSet,
    InvalidInput,
    NotReady,
    PermissionMissing,
    RateLimited,
    RepeatRefused,
    TikTokRejected,
    TokenRejected,
    Unconfirmed,
    UnderWay,
    UnexpectedError,
)

NOW = 1_800_000_000.0


class FakeSqs:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.hidden_for: list[int] = []

    def send_message(self, **arguments: Any) -> None:
        self.sent.append(arguments)

    def change_message_visibility(self, **arguments: Any) -> None:
        self.hidden_for.append(arguments["VisibilityTimeout"])


class FakeObserver:
    def __init__(self) -> None:
        self.counted: list[Metric] = []
        self.warned: list[dict[str, object]] = []

    def count(self, metric: Metric) -> None:
        self.counted.append(metric)

    def warn(self, text: str, **fields: object) -> None:
        self.warned.append({"text": text, **fields})


def any_record(body: str, receives: int, attributes: dict[str, str]) -> Record:
    return Record.from_event(
        {
            "messageId": "message",
            "receiptHandle": "handle",
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": str(receives),
                "SentTimestamp": str(int((NOW - 10 * 86_400) * 1000)),
            },
            "messageAttributes": {
                name: {"dataType": "Number", "stringValue": value} for name, value in attributes.items()
            },
        }
    )


def carried_by(message: dict[str, Any]) -> dict[str, str]:
    """The attributes of a message that was sent, as its receiver will see them."""
    return {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}


class Bench:
    def __init__(self) -> None:
        sqs: Any = FakeSqs()
        self.sqs = sqs
        self.observer = FakeObserver()
        self.last_words: Callable[[], str] | None = None
        self.consumer = QueueConsumer(
            self.sqs,
            queue_url="queue",
            dead_letter_queue_url="dead-letters",
            max_receive_count=5,
            retry_delay_seconds=15,
            observer=self.observer,
            now=lambda: NOW,
        )

    def consume(
        self,
        process: Callable[[], None],
        *,
        receives: int = 1,
        body: str = "body",
        said: str = "",
        attributes: dict[str, str] | None = None,
    ) -> bool:
        """Whether the message may be deleted."""
        record = any_record(body, receives, attributes or {})
        try:
            self.consumer.consume(record, process, last_words=self.last_words or (lambda: said))
        except RecordFailedError:
            return False
        return True

    @property
    def buried(self) -> list[tuple[str, str]]:
        """Reason and detail; a copy that was put back is told by empty ones."""
        return [
            (
                message["MessageAttributes"].get("reason", {}).get("StringValue", ""),
                message["MessageAttributes"].get("detail", {}).get("StringValue", ""),
            )
            for message in self.sqs.sent
        ]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def raising(error: Exception) -> Callable[[], None]:
    def process() -> None:
        raise error

    return process


def test_a_message_that_succeeds_is_deleted_and_nothing_else(bench: Bench) -> None:
    assert bench.consume(lambda: None)
    assert (bench.sqs.sent, bench.sqs.hidden_for, bench.observer.counted) == ([], [], [])


@pytest.mark.parametrize("error", [InvalidInput("d", reason="r"), TikTokRejected("d", reason="r")])
def test_a_rejected_message_is_buried_at_once_with_reason_detail_and_its_own_body(
    bench: Bench, error: Exception
) -> None:
    assert bench.consume(raising(error), body='{"as": "it came"}')

    assert bench.buried == [("r", "d")]
    assert bench.sqs.sent[0]["MessageBody"] == '{"as": "it came"}'
    assert bench.sqs.sent[0]["QueueUrl"] == "dead-letters"


@pytest.mark.parametrize(("receives", "delay"), [(1, 15), (2, 30), (3, 60), (4, 120)])
def test_a_retryable_message_stays_with_a_delay_that_doubles(bench: Bench, receives: int, delay: int) -> None:
    assert not bench.consume(raising(RateLimited("later")), receives=receives)

    assert bench.sqs.hidden_for == [delay]
    assert bench.buried == []


@pytest.mark.parametrize(("wait", "delay"), [(41.2, 42), (0, 0), (-3, 0)])
def test_a_wait_that_is_known_is_taken_instead_of_the_delay(bench: Bench, wait: float, delay: int) -> None:
    assert not bench.consume(raising(CreateUnsettled("perhaps", wait_seconds=wait)))

    assert bench.sqs.hidden_for == [delay]


@pytest.mark.parametrize("receives", [1, 5])
@pytest.mark.parametrize(("wait", "delay"), [(None, 15), (0, 0), (-3, 0), (7.5, 8), (800, 60)])
def test_waiting_for_something_else_uses_up_no_attempt(
    bench: Bench, receives: int, wait: float | None, delay: int
) -> None:
    assert bench.consume(raising(NotReady("busy", wait_seconds=wait)), receives=receives, body="as it came")

    [copy] = bench.sqs.sent
    assert (copy["QueueUrl"], copy["MessageBody"], copy["DelaySeconds"]) == ("queue", "as it came", delay)
    assert copy["MessageAttributes"] == {
        "failed_attempts": {"DataType": "Number", "StringValue": str(receives - 1)},
        "waiting_since": {"DataType": "Number", "StringValue": f"{NOW:.3f}"},
        "waiting_for": {"DataType": "String", "StringValue": "not_ready"},
    }
    assert bench.observer.counted == [Metric.OBJECTS_POSTPONED]


def test_a_copy_goes_on_counting_where_its_original_was(bench: Bench) -> None:
    carried = {"failed_attempts": "3", "waiting_since": str(NOW - 1000)}

    assert bench.consume(raising(NotReady("busy")), receives=2, attributes=carried)
    assert bench.sqs.sent[0]["MessageAttributes"]["failed_attempts"]["StringValue"] == "4"
    assert bench.sqs.sent[0]["MessageAttributes"]["waiting_since"]["StringValue"] == f"{NOW - 1000:.3f}"

    assert bench.consume(raising(RateLimited("d", reason="r")), receives=2, attributes=carried)
    assert bench.buried[1:] == [("r", "d")]

    assert bench.consume(lambda: pytest.fail("tried again"), receives=3, attributes=carried)
    assert bench.buried[2:][0][0] == "interrupted"


def test_nothing_waits_for_more_than_a_day(bench: Bench) -> None:
    assert bench.consume(raising(NotReady("busy")), attributes={"waiting_since": str(NOW - 86_401)})

    assert bench.buried == [("not_ready", "busy")]


@pytest.mark.parametrize(
    ("earlier", "error"),
    [
        ("under_way", RepeatRefused("refused")),
        ("repeat_refused", UnderWay("under way")),
        ("under_way", NotReady("busy")),
        ("not_ready", UnderWay("under way")),
    ],
)
def test_waiting_for_several_things_by_turns_is_one_wait(bench: Bench, earlier: str, error: NotReady) -> None:
    for hours in (23, 25):
        assert bench.consume(
            raising(error), attributes={"waiting_for": earlier, "waiting_since": str(NOW - hours * 3600)}
        )

    copy, letter = bench.sqs.sent
    assert carried_by(copy)["waiting_since"] == f"{NOW - 23 * 3600:.3f}"
    assert letter["QueueUrl"] == "dead-letters"


@pytest.mark.parametrize(("wait", "delay"), [(None, 15), (800, 800), (3600, 900)])
def test_whether_tiktok_carried_out_a_change_is_looked_up_every_quarter_of_an_hour_at_least(
    bench: Bench, wait: float | None, delay: int
) -> None:
    assert bench.consume(raising(Unconfirmed("not yet", wait_seconds=wait)))

    assert bench.sqs.sent[0]["DelaySeconds"] == delay


@pytest.mark.parametrize(("hours", "buried"), [(25, []), (79.9, []), (80.1, [("unconfirmed", "not yet")])])
def test_it_is_looked_up_for_days(bench: Bench, hours: float, buried: list[tuple[str, str]]) -> None:
    carried = {"waiting_for": "unconfirmed", "waiting_since": str(NOW - hours * 3600)}

    assert bench.consume(raising(Unconfirmed("not yet")), attributes=carried)

    assert [letter for letter in bench.buried if letter != ("", "")] == buried


@pytest.mark.parametrize(
    ("earlier", "hours", "error"),
    [("unconfirmed", 79, NotReady("busy")), ("not_ready", 23, Unconfirmed("not yet"))],
)
def test_another_wait_begins_anew(bench: Bench, earlier: str, hours: int, error: NotReady) -> None:
    carried = {"waiting_for": earlier, "waiting_since": str(NOW - hours * 3600)}

    assert bench.consume(raising(error), attributes=carried)

    copy = carried_by(bench.sqs.sent[0])
    assert (copy["waiting_for"], copy["waiting_since"]) == (error.reason, f"{NOW:.3f}")


def test_a_confirmed_message_stays_confirmed_while_it_waits(bench: Bench) -> None:
    for number in range(2):
        carried = carried_by(bench.sqs.sent[-1]) if number else {CONFIRMED_ATTRIBUTE: "true"}
        assert bench.consume(raising(NotReady("busy")), attributes=carried)
        assert is_confirmed(any_record("body", 1, carried_by(bench.sqs.sent[-1])))


def test_nothing_becomes_confirmed_by_waiting(bench: Bench) -> None:
    assert bench.consume(raising(NotReady("busy")))

    assert CONFIRMED_ATTRIBUTE not in carried_by(bench.sqs.sent[0])


@pytest.mark.parametrize("error", [InvalidInput("d", reason="r"), RateLimited("d")])
def test_a_confirmation_ends_with_a_dead_letter(bench: Bench, error: Exception) -> None:
    assert bench.consume(raising(error), receives=5, attributes={CONFIRMED_ATTRIBUTE: "true"})

    assert set(carried_by(bench.sqs.sent[0])) == {"reason", "detail"}


@pytest.mark.parametrize(
    ("attributes", "confirmed"),
    [
        ({CONFIRMED_ATTRIBUTE: "true"}, True),
        ({CONFIRMED_ATTRIBUTE: "false"}, False),
        ({CONFIRMED_ATTRIBUTE: ""}, False),
        ({"reason": "true"}, False),
        ({}, False),
    ],
)
def test_only_the_word_true_confirms(attributes: dict[str, str], confirmed: bool) -> None:
    assert is_confirmed(any_record("body", 1, attributes)) is confirmed


@pytest.mark.parametrize("value", ["", "nan", "inf", "many"])
def test_attributes_that_we_did_not_write_are_not_believed(bench: Bench, value: str) -> None:
    assert not bench.consume(raising(RateLimited("d")), attributes={"failed_attempts": value, "waiting_since": value})

    assert bench.sqs.hidden_for == [15]


@pytest.mark.parametrize("error", [RateLimited("d", reason="r"), TokenRejected("d", reason="r")])
def test_the_last_attempt_buries_with_the_last_error(bench: Bench, error: Exception) -> None:
    assert bench.consume(raising(error), receives=5)

    assert bench.buried == [("r", "d")]
    assert Metric.OBJECTS_EXHAUSTED in bench.observer.counted


@pytest.mark.parametrize(
    ("error", "metric"),
    [
        (TokenRejected("d"), Metric.TOKEN_REJECTED),
        (PermissionMissing("d"), Metric.MISCONFIGURED),
        (CredentialsNotSet("d"), Metric.MISCONFIGURED),
        (UnexpectedError("d"), Metric.UNEXPECTED_ERRORS),
        (InvalidInput("d", reason="not_carried_out"), Metric.NOT_CARRIED_OUT),
    ],
)
def test_what_should_wake_someone_is_counted_at_the_first_attempt(
    bench: Bench, error: Exception, metric: Metric
) -> None:
    bench.consume(raising(error))

    assert metric in bench.observer.counted


def test_an_unlisted_code_is_counted(bench: Bench) -> None:
    error = TikTokRejected("d")
    error.listed = False

    bench.consume(raising(error))

    assert Metric.UNLISTED_CODES in bench.observer.counted


def test_a_message_whose_attempts_were_all_cut_short_is_not_tried_again(bench: Bench) -> None:
    def process() -> None:
        raise AssertionError("tried again")

    assert bench.consume(process, receives=6, said="rate_limited: slow down")

    [(reason, detail)] = bench.buried
    assert reason == "interrupted"
    assert "slow down" in detail


def test_a_detail_that_sqs_would_not_take_is_made_to_fit(bench: Bench) -> None:
    bench.consume(raising(InvalidInput("a\x00b\ud800c" + "x" * 5000)))

    [(_, detail)] = bench.buried
    assert detail.startswith("a\ufffdb\ufffdc")
    assert len(detail) <= 2000
    detail.encode()


@pytest.mark.parametrize("error", [InvalidInput("d"), NotReady("d")])
def test_a_message_that_can_be_put_nowhere_stays_and_the_cause_is_counted(bench: Bench, error: Exception) -> None:
    def denied(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "m"}}, "SendMessage")

    bench.sqs.send_message = denied

    assert not bench.consume(raising(error))

    assert bench.observer.counted == [Metric.MISCONFIGURED]
    assert "AccessDenied" in str(bench.observer.warned)


def test_a_used_up_message_is_buried_although_another_delivery_is_at_work(bench: Bench) -> None:
    def at_work() -> str:
        raise NotReady("busy")

    bench.last_words = at_work

    assert bench.consume(lambda: None, receives=6)
    assert bench.buried[0][0] == "interrupted"
