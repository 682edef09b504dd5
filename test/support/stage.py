"""One function with everything around it, in one process.

Moto is S3, DynamoDB and Secrets Manager; the TikTok emulator answers over HTTP; and the queue is one whose time passes
as fast as the test wants.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from lambdas.aws.records import Record, RecordFailedError
from lambdas.contracts import CONFIRMED_ATTRIBUTE
from lambdas.objects import ObjectVersion
from lambdas.tiktok.transport import HttpTransport
from local.emulator.server import EmulatorServer
from test.support.builders import notification_of
from test.support.clocks import FakeClock
from test.support.crashes import Killed, Tripwire, WiredClient, WiredTransport

REGION = "us-east-1"
BUCKET = "data"
TABLE = "ledger"
SECRET = "credentials"  # noqa: S105 - a name
FUNCTION_SECONDS = 900
ARRIVAL = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Message:
    """A message in the queue."""

    body: str
    receives: int = 0
    visible_at: float = 0.0
    id: str = ""
    sent_at: float = 0.0
    attributes: dict[str, Any] = field(default_factory=dict)

    def as_record(self) -> dict[str, Any]:
        """As Lambda hands it to the function."""
        return {
            "messageId": self.id,
            "receiptHandle": self.id,
            "body": self.body,
            "eventSource": "aws:sqs",
            "attributes": {
                "ApproximateReceiveCount": str(max(self.receives, 1)),
                "SentTimestamp": str(int(self.sent_at * 1000)),
            },
            "messageAttributes": {
                name: {"dataType": value["DataType"], "stringValue": value["StringValue"]}
                for name, value in self.attributes.items()
            },
        }


@dataclass
class DeadLetter:
    """A message in the dead-letter queue."""

    body: str
    reason: str
    detail: str


@dataclass
class Queue:
    """Stands in for SQS, behind the two calls that the function makes of it."""

    clock: FakeClock
    messages: dict[str, Message] = field(default_factory=dict)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    _count: int = 0

    def put(self, body: str, *, delay: float = 0, attributes: dict[str, Any] | None = None) -> None:
        """Add a message."""
        self._count += 1
        name = f"message-{self._count}"
        now = self.clock.now()
        self.messages[name] = Message(body, visible_at=now + delay, id=name, sent_at=now, attributes=attributes or {})

    def send_message(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        MessageBody: str,  # noqa: N803
        MessageAttributes: dict[str, Any] | None = None,  # noqa: N803
        DelaySeconds: int = 0,  # noqa: N803
    ) -> None:
        """SQS's call, for either queue."""
        assert 0 <= DelaySeconds <= 900
        if QueueUrl == "queue":
            self.put(MessageBody, delay=DelaySeconds, attributes=MessageAttributes)
            return
        assert QueueUrl == "dead-letters"
        attributes = {name: value["StringValue"] for name, value in (MessageAttributes or {}).items()}
        self.dead_letters.append(DeadLetter(MessageBody, **attributes))

    def change_message_visibility(self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:  # noqa: N803
        """SQS's call, for the queue."""
        assert QueueUrl == "queue"
        assert 0 <= VisibilityTimeout <= 43_200
        self.messages[ReceiptHandle].visible_at = self.clock.now() + VisibilityTimeout


@dataclass
class Bus:
    """Stands in for EventBridge. ``failures`` are the error codes of the next entries, "" for one that is taken."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """EventBridge's call."""
        answers = []
        for entry in Entries:
            # AWS counts more than the detail; this is near enough.
            assert len(entry["Detail"].encode()) < 250_000
            if code := self.failures.pop(0) if self.failures else "":
                answers.append({"ErrorCode": code, "ErrorMessage": entry["Detail"]})
            else:
                self.entries.append(entry)
                answers.append({"EventId": str(len(self.entries))})
        return {"FailedEntryCount": sum("ErrorCode" in each for each in answers), "Entries": answers}

    def details(self, kind: str) -> list[dict[str, Any]]:
        """What was announced of a kind."""
        return [json.loads(entry["Detail"]) for entry in self.entries if entry["DetailType"] == kind]


class Context:
    """What Lambda tells a function of its invocation."""

    function_name = "activation"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:activation"

    def __init__(self, clock: FakeClock, number: int, seconds: float) -> None:
        self.aws_request_id = f"invocation-{number}"
        self._clock = clock
        self._deadline = clock.now() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda stops the function."""
        return int((self._deadline - self._clock.now()) * 1000)


class Stage:
    """Made inside moto's ``mock_aws``. Which function is on it, a subclass says."""

    def __init__(
        self,
        emulator: EmulatorServer,
        *,
        read_seconds: float = 30,
        function_seconds: float = FUNCTION_SECONDS,
        dynamodb: Any = None,
    ) -> None:
        self.emulator = emulator
        self.clock = FakeClock()
        self.queue = Queue(self.clock)
        self.bus = Bus()
        self.wire = Tripwire()
        self.s3 = new_client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.dynamodb = dynamodb or _new_table()
        self.secrets = new_client("secretsmanager")
        self.secrets.create_secret(Name=SECRET, SecretString="{}")
        self.put_credentials(emulator.access_token, emulator.advertiser_id)
        self.function_seconds = function_seconds
        self.invocations = 0
        self._read_seconds = read_seconds
        self._arrivals = 0

    def cold_start(self) -> None:
        """Begin the function's process anew."""
        raise NotImplementedError

    def process(self, record: Record, context: Any) -> None:
        """Have the function process one message. Raises RecordFailedError when it reports that as failed."""
        raise NotImplementedError

    def clients(self) -> dict[str, Any]:
        """What stands in for AWS's services, by their names."""
        return {
            "sqs": self.queue,
            "s3": self.s3,
            "dynamodb": self.dynamodb,
            "secretsmanager": self.secrets,
            "events": self.bus,
        }

    def wired_client(self, name: str) -> Any:
        """An AWS client, for the function."""
        return WiredClient(self.clients()[name], self.wire)

    def wired_transport(self, url: str) -> WiredTransport:
        """The way to TikTok, for the function."""
        return WiredTransport(HttpTransport(url, read_seconds=self._read_seconds), self.wire)

    def new_context(self) -> Any:
        """What Lambda tells of one more invocation."""
        self.invocations += 1
        return Context(self.clock, self.invocations, self.function_seconds)

    def after_run(self) -> None:
        """Let time pass for whatever else there is."""

    def put_credentials(
        self, access_token: str, advertiser_id: str, *, advertisers: dict[str, str] | None = None
    ) -> None:
        """What a user does once after the deployment. ``advertisers`` are further ones, by alias."""
        secret: dict[str, Any] = {"ACCESS_TOKEN": access_token, "ADVERTISER_ID": advertiser_id}
        if advertisers:
            secret["ADVERTISERS"] = advertisers
        self.secrets.put_secret_value(SecretId=SECRET, SecretString=json.dumps(secret))

    def upload(self, key: str, content: bytes, *, second: int | None = None) -> ObjectVersion:
        """Put an object and its notification where S3 and EventBridge would put them."""
        version = self.store(key, content, second=second)
        self.send(notification_of(version))
        return version

    def store(self, key: str, content: bytes, *, second: int | None = None) -> ObjectVersion:
        """Put an object; its notification is still to come. Without a ``second``, it arrives after all others."""
        answer = self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        self._arrivals += 1
        seconds = self._arrivals if second is None else second
        arrived_at = (ARRIVAL + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return ObjectVersion(BUCKET, key, answer["VersionId"], len(content), arrived_at, f"{self._arrivals:016X}")

    def send(self, body: str) -> None:
        """Put a message into the queue."""
        self.queue.put(body)

    def replay(self, *, confirmed: bool = False) -> None:
        """Move everything from the dead-letter queue back, as the operator's command does."""
        letters, self.queue.dead_letters = self.queue.dead_letters, []
        attributes = {CONFIRMED_ATTRIBUTE: {"DataType": "String", "StringValue": "true"}} if confirmed else None
        for letter in letters:
            self.queue.put(letter.body, attributes=attributes)

    def run(self, *, most_deliveries: int = 200) -> None:
        """Deliver until the queue is empty, moving the clock on to whatever becomes visible next."""
        for _ in range(most_deliveries):
            if not self.queue.messages:
                return
            self.deliver_next()
            self.after_run()
        raise AssertionError(f"the queue is not empty after {most_deliveries} deliveries")

    def deliver_next(self) -> None:
        """Move the clock on to the message that becomes visible next, and deliver it."""
        message = min(self.queue.messages.values(), key=lambda each: each.visible_at)
        self.clock.move_to(message.visible_at)
        self.deliver(message)

    def deliver(self, message: Message) -> None:
        """One invocation for one message. A killed function leaves it hidden for as long as it was held."""
        message.receives += 1
        message.visible_at = self.clock.now() + 6 * self.function_seconds
        try:
            self.process(Record.from_event(message.as_record()), self.new_context())
        except RecordFailedError:
            return
        except Killed:
            self.revive()
            return
        del self.queue.messages[message.id]

    def revive(self) -> None:
        """Begin anew after the process was killed."""
        self.wire = Tripwire()
        self.cold_start()

    def arm(self, wire: Tripwire) -> None:
        """Have the next invocations run over this wire."""
        self.wire = wire
        self.cold_start()

    def receipt(self, version: ObjectVersion) -> dict[str, Any] | None:
        """The receipt of an object, if there is one."""
        listing = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=version.receipt_key)
        if not listing.get("Contents"):
            return None
        document: dict[str, Any] = json.loads(self.s3.get_object(Bucket=BUCKET, Key=version.receipt_key)["Body"].read())
        return document

    def calls(self, ending: str = "/") -> list[dict[str, Any]]:
        """The requests that TikTok received, by the end of their path."""
        return [call for call in self.emulator.ask("requests")["requests"] if call["path"].endswith(ending)]


@functools.cache
def new_client(service: Any) -> Any:
    # To make one takes longer than most tests; moto answers it in every test, by what is there in that test.
    return boto3.client(
        service,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106
    )


def _new_table() -> Any:
    dynamodb = new_client("dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return dynamodb
