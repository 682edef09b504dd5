"""The deployed connector, as its user sees it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import requests

from lambdas.contracts import Output
from local.cloud.session import LocalConnector
from test.support.command import run_cli
from test.support.waiting import wait_until

SECONDS = 60
# The fingerprint of many millions of members takes a while.
CONTROL_SECONDS = 300


def attributes_of(message: dict[str, Any]) -> dict[str, str]:
    """What its sender said of a message, such as the reason of a dead letter."""
    return {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}


class Connector:
    """What a test does with it, and waits for."""

    def __init__(self, deployed: LocalConnector) -> None:
        self.deployed = deployed
        self.bucket = deployed.outputs[Output.BUCKET]
        self.s3 = deployed.client("s3")
        self.sqs = deployed.client("sqs")
        self._newest_arrival = ""

    def upload(self, key: str, content: bytes) -> str:
        """Put an object; returns where its receipt will be."""
        version = self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)["VersionId"]
        return f"receipts/{key}/{version}.json"

    def receipt(self, key: str) -> dict[str, Any] | None:
        try:
            body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return None
        document: dict[str, Any] = json.loads(body)
        return document

    def wait_for_receipt(self, key: str, seconds: float = SECONDS) -> dict[str, Any]:
        receipt = wait_until(lambda: self.receipt(key), timeout=seconds)
        self._newest_arrival = max(self._newest_arrival, receipt["times"]["arrived_at"])
        return receipt

    def wait_for_delivery(self, key: str, seconds: float = SECONDS) -> dict[str, Any]:
        """The receipt of what may have been rejected before, once it is delivered."""
        wait_until(lambda: (self.receipt(key) or {}).get("status") == "delivered", timeout=seconds)
        return self.wait_for_receipt(key)

    def deliver(self, key: str, content: bytes) -> dict[str, Any]:
        """Put an object in a later second than any with a receipt, as AWS tells no order within one; its receipt."""
        wait_until(lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") > self._newest_arrival)
        return self.wait_for_receipt(self.upload(key, content))

    def receipt_keys(self, key: str) -> list[str]:
        """Where the receipts of all versions of an object are."""
        listing = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"receipts/{key}/")
        return [entry["Key"] for entry in listing.get("Contents", [])]

    def dead_letter(self, queue: Output = Output.DEAD_LETTER_QUEUE_URL) -> dict[str, Any] | None:
        """Take one message out of a dead-letter queue."""
        answer = self.sqs.receive_message(QueueUrl=self.deployed.outputs[queue], MessageAttributeNames=["All"])
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages[0] if messages else None

    def wait_for_dead_letter(
        self, key: str, seconds: float = SECONDS, queue: Output = Output.DEAD_LETTER_QUEUE_URL
    ) -> dict[str, str]:
        """The reason and the detail of the message about this key, which stays in the queue."""
        found: dict[str, Any] = {}

        def look() -> bool:
            message = self.dead_letter(queue)
            if message and json.loads(message["Body"])["detail"]["object"]["key"] == key:
                found.update(message)
            return bool(found)

        wait_until(look, timeout=seconds)
        self.sqs.change_message_visibility(
            QueueUrl=self.deployed.outputs[queue],
            ReceiptHandle=found["ReceiptHandle"],
            VisibilityTimeout=0,
        )
        return attributes_of(found)

    def send(self, body: str) -> None:
        """Put a message into the queue."""
        self.sqs.send_message(QueueUrl=self.deployed.outputs[Output.QUEUE_URL], MessageBody=body)

    def waiting_messages(self, queue: Output = Output.QUEUE_URL) -> int:
        """How many messages are in a queue, whether they can be received, are hidden, or are delayed."""
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.deployed.outputs[queue], AttributeNames=names)
        return sum(int(answer["Attributes"].get(name, 0)) for name in names)

    def control(self, command: str, body: Any = None) -> Any:
        url = f"{self.deployed.emulator_url}/_control/{command}"
        method = "GET" if body is None else "POST"
        answer = requests.request(method, url, json=body, timeout=CONTROL_SECONDS)
        answer.raise_for_status()
        return answer.json()

    def audiences(self, name: str) -> list[dict[str, Any]]:
        return [each for each in self.control("audiences")["audiences"] if each["name"] == name]

    def command(self, *arguments: str) -> str:
        """What the operator's command prints, run as he would."""
        return run_cli(arguments, self.deployed.environment())

    def replay(self, *arguments: str) -> str:
        return self.command("replay", "--yes", *arguments)
