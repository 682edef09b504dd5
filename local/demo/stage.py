"""Where the demo takes place: what its steps do with a deployed connector, and how they see what becomes of it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import requests
import tenacity

from lambdas.contracts import EVENT_DETAIL_TYPE, Output
from local.cloud.deployment import settings_of
from local.cloud.embedded_aws import ROOT
from local.cloud.session import LocalConnector

Found = TypeVar("Found")

PATIENCE_SECONDS = 60.0


class NotSeenError(Exception):
    """A step's promise was not seen to be kept."""


class Stage:
    """A deployed connector, the TikTok that it talks to, and the operator's command. Raises NotSeenError."""

    def __init__(self, connector: LocalConnector) -> None:
        settings = settings_of(connector.context)
        expect(
            bool(settings.audiences_enabled and settings.events_enabled and settings.events_bus_source),
            "the demo shows both pipelines and the event bus: switch on audiences_enabled and events_enabled, and fill "
            "events_bus_source in cdk.context.json",
        )
        self._bus_source = settings.events_bus_source
        self._connector = connector
        self._bucket = connector.outputs[Output.BUCKET]
        self._s3 = connector.client("s3")
        self._sqs = connector.client("sqs")
        self._bus = connector.client("events")
        self._newest_arrival = ""

    def put_credentials(self) -> None:
        """Fill the secret, as an operator does after the first deployment."""
        self._connector.put_credentials()

    def upload(self, key: str, content: bytes) -> None:
        """Put an object into the bucket, as a user does."""
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)

    def deliver(self, key: str, content: bytes) -> dict[str, Any]:
        """Upload in a later second than what was delivered before, as AWS tells no order within one. The receipt."""
        self.wait_for("the next second", lambda: f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}" > self._newest_arrival)
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

        receipt = self.wait_for(f"the receipt of {key}", look)
        self._newest_arrival = max(self._newest_arrival, receipt["times"]["arrived_at"])
        return receipt

    def refused(self, key: str, reason: str, queue: Output = Output.DEAD_LETTER_QUEUE_URL) -> str:
        """Wait until an object is in a dead-letter queue for a reason, and stays there. What the message says."""
        letter = self.wait_for(f"the dead letter of {key}", lambda: self._dead_letters(queue).get(key))
        expect(letter["reason"] == reason, f"the reason is {letter['reason']}")
        return letter["detail"]

    def rejected(self, receipt: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The events of a file that were written back."""
        content = self._s3.get_object(Bucket=self._bucket, Key=receipt["rejected_key"])["Body"].read()
        return [json.loads(line) for line in content.splitlines()]

    def publish_event(self, source: str, name: str, fields: Mapping[str, Any]) -> None:
        """Put one event of a person on the account's event bus, as an application does."""
        entry = {
            "Source": self._bus_source,
            "DetailType": EVENT_DETAIL_TYPE,
            "Detail": _live_event(source, name, fields),
        }
        answer = self._bus.put_events(Entries=[entry])
        expect(not answer["FailedEntryCount"], "the event bus refuses an event")

    def send_event(self, source: str, name: str, fields: Mapping[str, Any]) -> None:
        """Send one event of a person to the queue."""
        url = self._connector.outputs[Output.LIVE_EVENT_QUEUE_URL]
        self._sqs.send_message(QueueUrl=url, MessageBody=_live_event(source, name, fields))

    def live_event_refused(self, reason: str) -> str | None:
        """What is said of a live event that is in the dead-letter queue for a reason."""
        letters = self._attributes_of_dead_letters(Output.LIVE_EVENT_DEAD_LETTER_QUEUE_URL)
        return next((letter["detail"] for _, letter in letters if letter["reason"] == reason), None)

    def received(self, source: str, event_source_id: str) -> dict[str, Any]:
        """What TikTok has of an event source."""
        found: dict[str, Any] = self.control("events", {"event_source": source, "event_source_id": event_source_id})
        return found

    def counted(self, source: str, event_source_id: str, event: str) -> int:
        """How many events of a name TikTok counts, duplicates left out."""
        by_event = self.received(source, event_source_id)["by_event"]
        return int(by_event.get(event, {}).get("counted", 0))

    def page(self, path: str) -> requests.Response:
        """A page of the emulator's, for people."""
        answer = requests.get(f"{self._connector.emulator_url}/{path}", timeout=30)
        answer.raise_for_status()
        return answer

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

    @staticmethod
    def wait_for(what: str, look: Callable[[], Found | None]) -> Found:
        """What ``look`` finds, once that is something. Raises NotSeenError."""
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

    def _dead_letters(self, queue: Output) -> dict[str, dict[str, str]]:
        """Reason and detail by key; the messages stay where they are."""
        letters = self._attributes_of_dead_letters(queue)
        return {json.loads(body)["detail"]["object"]["key"]: letter for body, letter in letters}

    def _attributes_of_dead_letters(self, queue: Output) -> list[tuple[str, dict[str, str]]]:
        """Each message's body, and reason and detail."""
        answer = self._sqs.receive_message(
            QueueUrl=self._connector.outputs[queue],
            MessageAttributeNames=["All"],
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
        )
        return [
            (
                message["Body"],
                {name: attribute["StringValue"] for name, attribute in message["MessageAttributes"].items()},
            )
            for message in answer.get("Messages", [])
        ]


def expect(is_so: bool, otherwise: str) -> None:
    """Raises NotSeenError unless it is so."""
    if not is_so:
        raise NotSeenError(otherwise)


def _live_event(source: str, name: str, fields: Mapping[str, Any]) -> str:
    return json.dumps({"source": source, "event_source": name, "fields": fields})
