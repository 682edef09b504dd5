"""The functions for events, each with everything around it, in one process."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from lambdas.aws.records import Record
from lambdas.events import handler
from lambdas.events.live import handler as live_handler
from lambdas.objects import ObjectVersion
from lambdas.settings import EventSettings
from local.emulator.server import EmulatorServer
from test.support.crashes import Killed
from test.support.stage import BUCKET, SECRET, TABLE, Stage

# Of the emulator's own advertiser (local/emulator/event_sources.py).
NOW = 1_800_000_000  # of the tests' clock
SOURCE_IDS = {
    "web": "EMULATEDPIXEL0000001",
    "app": "7000000000000000101",
    "offline": "7000000000000000201",
    "crm": "7000000000000000301",
}


class _EventStage(Stage):
    def __init__(self, emulator: EmulatorServer, *, settings: dict[str, Any], **stage: Any) -> None:
        super().__init__(emulator, **stage)
        self.settings = EventSettings(
            **{
                "bucket": BUCKET,
                "ledger_table": TABLE,
                "secret_id": SECRET,
                "queue_url": "queue",
                "dead_letter_queue_url": "dead-letters",
                "tiktok_api_url": emulator.url,
                "default_country": None,
                "partner_name": None,
                "limited_data_use": False,
                "create_missing_event_sources": False,
                "max_event_age_days": dict.fromkeys(SOURCE_IDS, 28),
                "thread_count": 5,
                "max_receive_count": 5,
                "retry_delay_seconds": 15,
                "request_interval_seconds": 0.5,
                "ledger_retention_days": 60,
                **settings,
            }
        )
        self.cold_start()

    def change_settings(self, **changes: Any) -> None:
        """Deploy again with other settings."""
        self.settings = replace(self.settings, **changes)
        self.cold_start()

    def put_source_settings(self, source: str, name: str, **settings: Any) -> None:
        """What a user may do for one event source."""
        key = f"events/{source}/{name}/source.json"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(settings).encode())

    def received(self, source: str, source_id: str = "") -> dict[str, Any]:
        """What TikTok has of an event source: its counts and its events."""
        found: dict[str, Any] = self.emulator.tell(
            "events", {"event_source": source, "event_source_id": source_id or SOURCE_IDS[source]}
        )
        return found

    def counts(self, source: str, source_id: str = "") -> dict[str, int]:
        """How many events TikTok has, and what it made of them."""
        counts: dict[str, int] = self.received(source, source_id)["counts"]
        return counts

    def bodies(self, source: str, source_id: str = "") -> list[dict[str, Any]]:
        """The events that TikTok has, in the order of their arrival."""
        return [event["body"] for event in self.received(source, source_id)["events"]]


class EventsPipeline(_EventStage):
    """The function for files of events."""

    def __init__(
        self,
        emulator: EmulatorServer,
        *,
        read_seconds: float = 30,
        function_seconds: float = 900,
        dynamodb: Any = None,
        **settings: Any,
    ) -> None:
        super().__init__(
            emulator,
            settings=settings,
            read_seconds=read_seconds,
            function_seconds=function_seconds,
            dynamodb=dynamodb,
        )

    def cold_start(self) -> None:
        self.application = handler.compose(
            self.settings,
            self.wired_transport(self.settings.tiktok_api_url),
            clock=self.clock,
            aws_client=self.wired_client,
        )

    def process(self, record: Record, context: Any) -> None:
        self.application.process(record, context, self.application.new_delivery())

    def rejected(self, version: ObjectVersion) -> list[dict[str, Any]] | None:
        """The events of a file that were written back, if there is such a file."""
        key = f"rejected/{version.key}/{version.version_id}.jsonl"
        if not self.s3.list_objects_v2(Bucket=BUCKET, Prefix=key).get("Contents"):
            return None
        content = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return [json.loads(line) for line in content.splitlines()]


class LiveEvents(_EventStage):
    """The function for live events, which takes many messages at a time."""

    def __init__(
        self, emulator: EmulatorServer, *, function_seconds: float = 300, dynamodb: Any = None, **settings: Any
    ) -> None:
        super().__init__(emulator, settings=settings, function_seconds=function_seconds, dynamodb=dynamodb)

    def cold_start(self) -> None:
        self.application = live_handler.compose(
            self.settings,
            self.wired_transport(self.settings.tiktok_api_url),
            clock=self.clock,
            aws_client=self.wired_client,
        )

    def put_event(self, source: str, fields: dict[str, Any], *, name: str = "") -> None:
        """What an application does for one event."""
        message = {"source": source, "event_source": name or SOURCE_IDS[source], "fields": fields}
        self.send(json.dumps(message))

    def deliver_next(self) -> None:
        """One invocation for all messages that are visible once the next one is."""
        self.clock.move_to(min(message.visible_at for message in self.queue.messages.values()))
        batch = [message for message in self.queue.messages.values() if message.visible_at <= self.clock.now()]
        for message in batch:
            message.receives += 1
            message.visible_at = self.clock.now() + 6 * self.function_seconds
        try:
            answer = self.application.process(
                {"Records": [message.as_record() for message in batch]}, self.new_context()
            )
        except Killed:
            self.revive()
            return
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for message in batch:
            if message.id not in failed:
                del self.queue.messages[message.id]


def any_fields(source: str, number: int = 1, **changes: Any) -> dict[str, Any]:
    """The fields of a valid event, another one for each number. None leaves a field out."""
    fields: dict[str, Any] = {
        "event": "Purchase",
        "event_time": NOW - 3_600 - number % 86_400,
        "email": f"person{number}@example.com",
        "value": 12.5,
        "currency": "EUR",
    }
    fields |= {
        "web": {"page_url": "https://shop.example/thanks"},
        "app": {"app_id": "com.example.app"},
        "offline": {},
        "crm": {"lead_id": f"{7_300_000_000_000_000_000 + number}"},
    }[source]
    fields |= changes
    return {name: value for name, value in fields.items() if value is not None}


def json_lines(*rows: dict[str, Any] | str) -> bytes:
    """A file of rows; a text stands for itself."""
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode()
