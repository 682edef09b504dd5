"""A dead-letter queue: reading it, putting back what was read, moving messages away and deleting them.

SQS has no way to look at a message without taking it: what is read is hidden from everyone else for a while. So every
reading is a ``with`` block, at whose end, however it comes, everything that is still there becomes visible again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from botocore.exceptions import BotoCoreError, ClientError

from cli.aws import error_code
from cli.interrupts import interrupts_deferred
from cli.routes import Route
from lambdas.contracts import CONFIRMED_ATTRIBUTE, DETAIL_ATTRIBUTE, REASON_ATTRIBUTE

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef, SendMessageBatchRequestEntryTypeDef

# Reasons of messages that came without one.
UNDELIVERED = "undelivered"
REDRIVEN = "redriven"

_RULE_ATTRIBUTES = ("ERROR_CODE", "ERROR_MESSAGE", "RULE_ARN")
_BATCH = 10  # SQS's limit
_BATCH_BYTES = 200_000  # below what SQS takes in one call, with room for what JSON adds
_EMPTY_ANSWERS = 2  # in a row, to believe that the queue is empty
# In a row, in which there is nothing new: a queue so long that its first messages are visible again.
_STALE_ANSWERS = 20


@dataclass(frozen=True)
class DeadLetter:
    """A message of a dead-letter queue; ``queue`` is the name of its route.

    ``key`` is None when the body does not announce an object. Nothing else of the body may be shown.
    """

    queue: str
    message_id: str
    receipt_handle: str = field(repr=False)
    body: str = field(repr=False)
    reason: str
    detail: str
    key: str | None
    sent_at: float

    @classmethod
    def from_message(cls, message: MessageTypeDef, route: Route) -> Self:
        """Read a message of any origin: our function's, EventBridge's, or SQS's own redrive."""
        attributes = {
            name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()
        }
        if REASON_ATTRIBUTE in attributes:
            reason, detail = attributes[REASON_ATTRIBUTE], attributes.get(DETAIL_ATTRIBUTE, "")
        elif any(name in attributes for name in _RULE_ATTRIBUTES):
            told = (attributes.get("ERROR_CODE"), attributes.get("ERROR_MESSAGE"))
            reason, detail = UNDELIVERED, ": ".join(text for text in told if text)
        else:
            reason, detail = REDRIVEN, ""
        return cls(
            queue=route.name,
            message_id=message["MessageId"],
            receipt_handle=message["ReceiptHandle"],
            body=message["Body"],
            reason=reason,
            detail=detail,
            key=_key(message["Body"]) if route.announces_objects else None,
            sent_at=int(message["Attributes"]["SentTimestamp"]) / 1000,
        )


@dataclass(frozen=True)
class Selection:
    """Which messages are meant: those with one of the reasons and one of the keys. None given means any."""

    reasons: Sequence[str] = ()
    keys: Sequence[str] = ()

    def has(self, letter: DeadLetter) -> bool:
        """Whether a message is meant."""
        return (not self.reasons or letter.reason in self.reasons) and (
            not self.keys or any(_fits(pattern, letter.key) for pattern in self.keys)
        )


@dataclass
class Outcome:
    """What became of messages that were to be moved or discarded. True at any moment, also after a failure half-way.

    ``done`` were moved or discarded. ``unconfirmed`` are not known to be deleted, though SQS was asked to: harmless for
    what was to be moved and has been sent, because what was delivered is known by its content. ``lost`` were visible
    again before their turn came, so that somebody else may have them: neither sent nor deleted. ``failed`` were refused
    by SQS: neither sent nor deleted.
    """

    chosen: int
    done: list[DeadLetter] = field(default_factory=list)
    unconfirmed: list[DeadLetter] = field(default_factory=list)
    lost: list[DeadLetter] = field(default_factory=list)
    failed: list[DeadLetter] = field(default_factory=list)

    @property
    def untouched(self) -> int:
        """Those whose turn never came, or of which nothing is known to have happened."""
        return self.chosen - len(self.done) - len(self.unconfirmed) - len(self.lost) - len(self.failed)


class DeadLetterQueue:
    """The dead-letter queue of a route. Every call may raise BotoCoreError or ClientError."""

    def __init__(self, client: SQSClient, route: Route, *, poll_seconds: int = 1) -> None:
        self._client = client
        self._route = route
        self._poll_seconds = poll_seconds

    def hold(self, seconds: int) -> Hold:
        """A ``with`` block in which all messages are ours, for so many seconds at most."""
        return Hold(self._client, self._route, seconds=seconds, poll_seconds=self._poll_seconds)


class Hold:
    """All messages of a dead-letter queue, oldest first, taken on entry and put back on exit.

    ``letters`` are the messages. ``stay_hidden`` says, after the block, how many could not be put back: they become
    visible by themselves when the time of the hold is over. ``is_complete`` is False when SQS would not give more.
    """

    def __init__(self, client: SQSClient, route: Route, *, seconds: int, poll_seconds: int) -> None:
        self._client = client
        self._route = route
        self._poll_seconds = poll_seconds
        self._held: dict[str, DeadLetter] = {}
        self.seconds = seconds
        self.letters: tuple[DeadLetter, ...] = ()
        self.is_complete = True
        self.stay_hidden = 0

    def __enter__(self) -> Self:
        try:
            self._take_all()
        except BaseException:
            self._put_back()
            raise
        self.letters = tuple(sorted(self._held.values(), key=lambda letter: letter.sent_at))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        self._put_back()
        return False

    def move(self, letters: Sequence[DeadLetter], outcome: Outcome, *, confirms: bool = False) -> None:
        """Send messages back to their queue, unchanged but for their attributes, and delete each once it is sent.

        ``confirms`` lets them do what is held until somebody has confirmed it. A crash in between leaves a message in
        both queues, never in none. ``outcome`` is kept true all the way.
        """
        for batch in _batches(letters):
            with interrupts_deferred():
                self._delete(self._send(self._still_ours(batch, outcome), outcome, confirms), outcome)

    def discard(self, letters: Sequence[DeadLetter], outcome: Outcome) -> None:
        """Delete messages for good. ``outcome`` is kept true all the way."""
        for batch in _batches(letters):
            with interrupts_deferred():
                self._delete(self._still_ours(batch, outcome), outcome)

    def _still_ours(self, batch: Sequence[DeadLetter], outcome: Outcome) -> list[DeadLetter]:
        # SQS accepts the deletion of a message that somebody else has received since, and may not carry it out. So
        # whether it is still ours is asked before it is sent or deleted.
        ours, lost, failed = self._set_visibility(batch, self.seconds)
        outcome.lost += lost
        outcome.failed += failed
        self._forget(lost)
        return ours

    def _send(self, letters: Sequence[DeadLetter], outcome: Outcome, confirms: bool) -> list[DeadLetter]:
        if not letters:
            return []
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "MessageBody": letter.body} for number, letter in enumerate(letters)
        ]
        if confirms:
            for entry in entries:
                entry["MessageAttributes"] = {CONFIRMED_ATTRIBUTE: {"DataType": "String", "StringValue": "true"}}
        answer = self._client.send_message_batch(QueueUrl=self._route.queue_url, Entries=entries)
        sent, refused = _sorted(letters, answer)
        outcome.failed += refused
        return sent

    def _delete(self, letters: Sequence[DeadLetter], outcome: Outcome) -> None:
        if not letters:
            return
        # Should the answer get lost, they may be deleted or not.
        outcome.unconfirmed += letters
        answer = self._client.delete_message_batch(
            QueueUrl=self._route.dead_letter_queue_url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": letter.receipt_handle} for number, letter in enumerate(letters)
            ],
        )
        deleted, kept = _sorted(letters, answer)
        outcome.unconfirmed[-len(letters) :] = kept
        outcome.done += deleted
        self._forget(deleted)

    def _take_all(self) -> None:
        empty = stale = 0
        while empty < _EMPTY_ANSWERS and stale < _STALE_ANSWERS:
            with interrupts_deferred():
                found = self._receive()
                new = [letter for letter in found if letter.message_id not in self._held]
                self._held.update((letter.message_id, letter) for letter in found)
            empty = 0 if found else empty + 1
            stale = 0 if new or not found else stale + 1
        self.is_complete = self.is_complete and stale < _STALE_ANSWERS

    def _receive(self) -> list[DeadLetter]:
        try:
            answer = self._client.receive_message(
                QueueUrl=self._route.dead_letter_queue_url,
                MaxNumberOfMessages=_BATCH,
                WaitTimeSeconds=self._poll_seconds,
                VisibilityTimeout=self.seconds,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp"],
            )
        except ClientError as error:
            # SQS lets nobody have more than 120,000 messages at once.
            if error_code(error) != "OverLimit":
                raise
            self.is_complete = False
            return []
        return [DeadLetter.from_message(message, self._route) for message in answer.get("Messages", [])]

    def _put_back(self) -> None:
        with interrupts_deferred():
            for batch in _batches(list(self._held.values())):
                try:
                    _, _, failed = self._set_visibility(batch, 0)
                except (BotoCoreError, ClientError):
                    # Whatever ended the block is what the user has to know; these come back by themselves.
                    failed = batch
                self.stay_hidden += len(failed)
                self._forget(batch)

    def _set_visibility(
        self, batch: Sequence[DeadLetter], seconds: int
    ) -> tuple[list[DeadLetter], list[DeadLetter], list[DeadLetter]]:
        """Those that are still ours, those that are not hidden by us any more, and those that SQS failed at."""
        answer = self._client.change_message_visibility_batch(
            QueueUrl=self._route.dead_letter_queue_url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": letter.receipt_handle, "VisibilityTimeout": seconds}
                for number, letter in enumerate(batch)
            ],
        )
        ours, others = _sorted(batch, answer)
        # The only thing that can be wrong with our request is the handle: its time is over.
        over = {entry["Id"] for entry in answer.get("Failed", []) if entry["SenderFault"]}
        lost = [letter for number, letter in enumerate(batch) if str(number) in over]
        return ours, lost, [letter for letter in others if letter not in lost]

    def _forget(self, letters: Sequence[DeadLetter]) -> None:
        for letter in letters:
            self._held.pop(letter.message_id, None)


def _sorted(batch: Sequence[DeadLetter], answer: Any) -> tuple[list[DeadLetter], list[DeadLetter]]:
    """The messages that a batch call carried out, and the others. What is not confirmed counts as not carried out."""
    successful = {entry["Id"] for entry in answer.get("Successful", [])}
    done = [letter for number, letter in enumerate(batch) if str(number) in successful]
    return done, [letter for number, letter in enumerate(batch) if str(number) not in successful]


def _batches(letters: Sequence[DeadLetter]) -> Iterator[list[DeadLetter]]:
    batch: list[DeadLetter] = []
    size = 0
    for letter in letters:
        length = len(letter.body.encode(errors="surrogatepass"))
        if batch and (len(batch) == _BATCH or size + length > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(letter)
        size += length
    if batch:
        yield batch


def _key(body: str) -> str | None:
    try:
        key = json.loads(body)["detail"]["object"]["key"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return key if isinstance(key, str) else None


def _fits(pattern: str, key: str | None) -> bool:
    if key is None:
        return False
    return key.startswith(pattern[:-1]) if pattern.endswith("*") else key == pattern
