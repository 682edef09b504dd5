"""Where the demo takes place: what its steps do with a deployed connector, and how they see what becomes of it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

import requests
import tenacity

from lambdas.contracts import Output
from local.cloud.embedded_aws import ROOT
from local.cloud.session import LocalConnector

Found = TypeVar("Found")

PATIENCE_SECONDS = 60.0


class NotSeenError(Exception):
    """A step's promise was not seen to be kept."""


class Stage:
    """A deployed connector, the TikTok that it talks to, and the operator's command. Raises NotSeenError."""

    def __init__(self, connector: LocalConnector) -> None:
        self._connector = connector
        self._bucket = connector.outputs[Output.BUCKET]
        self._s3 = connector.client("s3")
        self._sqs = connector.client("sqs")
        self._newest_arrival = ""

    def put_credentials(self) -> None:
        """Fill the secret, as an operator does after the first deployment."""
        self._connector.put_credentials()

    def upload(self, key: str, content: bytes) -> None:
        """Put an object into the bucket, as a user does."""
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)

    def deliver(self, key: str, content: bytes) -> dict[str, Any]:
        """Upload in a later second than what was delivered before, as AWS tells no order within one. The receipt."""
        self._see("the next second", lambda: f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}" > self._newest_arrival)
        self.upload(key, content)
        return self.delivered(key)

    def delivered(self, key: str) -> dict[str, Any]:
        """Wait until an object is delivered. Its receipt."""

        def look() -> dict[str, Any] | None:
            listing = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=f"receipts/{key}/")
            for entry in listing.get("Contents", []):
                receipt: dict[str, Any] = json.loads(
                    self._s3.get_object(Bucket=self._bucket, Key=entry["Key"])["Body"].read()
                )
                if receipt["status"] == "delivered":
                    return receipt
            return None

        receipt = self._see(f"the receipt of {key}", look)
        self._newest_arrival = max(self._newest_arrival, receipt["times"]["arrived_at"])
        return receipt

    def refused(self, key: str, reason: str) -> str:
        """Wait until an object is in the dead-letter queue for a reason, and stays there. What the message says."""
        letter = self._see(f"the dead letter of {key}", lambda: self._dead_letters().get(key))
        expect(letter["reason"] == reason, f"the reason is {letter['reason']}")
        return letter["detail"]

    def expect_members(self, name: str, members: Iterable[str]) -> None:
        """TikTok has one audience of that name, with exactly these members; streamed ones are ``SLOT:hash``."""
        named = [audience for audience in self.audiences() if audience["name"] == name]
        expect(len(named) == 1, f"TikTok has {len(named)} audiences named {name}")
        expected = hashlib.sha256("\n".join(sorted(set(members))).encode()).hexdigest()
        expect(named[0]["members_sha256"] == expected, f"the members of {name} are not the expected ones")

    def audiences(self) -> list[dict[str, Any]]:
        """What TikTok has, members and all."""
        found: list[dict[str, Any]] = self.control("audiences")["audiences"]
        return found

    def requests(self) -> list[dict[str, Any]]:
        """What TikTok was asked."""
        found: list[dict[str, Any]] = self.control("requests")["requests"]
        return found

    def control(self, command: str, body: Any = None) -> Any:
        """Give the emulator a command, or with no body ask it for something."""
        answer = requests.request(
            "GET" if body is None else "POST",
            f"{self._connector.emulator_url}/_control/{command}",
            json=body,
            timeout=30,
        )
        answer.raise_for_status()
        return answer.json()

    def command(self, *arguments: str, show: bool = False) -> None:
        """Run the operator's command."""
        sys.stdout.flush()
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "cli", *arguments],
            cwd=ROOT,
            env={**os.environ, **self._connector.environment()},
            stdout=None if show else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        expect(done.returncode == 0, f"`python -m cli {' '.join(arguments)}` failed: {done.stderr.strip()[-500:]}")

    def _dead_letters(self) -> dict[str, dict[str, str]]:
        """Reason and detail by key; the messages stay where they are."""
        answer = self._sqs.receive_message(
            QueueUrl=self._connector.outputs[Output.DEAD_LETTER_QUEUE_URL],
            MessageAttributeNames=["All"],
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
        )
        return {
            json.loads(message["Body"])["detail"]["object"]["key"]: {
                name: attribute["StringValue"] for name, attribute in message["MessageAttributes"].items()
            }
            for message in answer.get("Messages", [])
        }

    @staticmethod
    def _see(what: str, look: Callable[[], Found | None]) -> Found:
        waiting = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda found: not found),
            wait=tenacity.wait_fixed(0.25),
            stop=tenacity.stop_after_delay(PATIENCE_SECONDS),
        )
        try:
            found = waiting(look)
        except tenacity.RetryError:
            found = None
        if found is None:
            raise NotSeenError(f"waited {PATIENCE_SECONDS:.0f} s for {what} in vain")
        return found


def expect(is_so: bool, otherwise: str) -> None:
    """Raises NotSeenError unless it is so."""
    if not is_so:
        raise NotSeenError(otherwise)
