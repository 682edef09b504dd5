"""The audience watch beside a pipeline, with one clock for both and for TikTok."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdas.audiences.watch import handler
from lambdas.settings import WatchSettings
from lambdas.tiktok.transport import HttpTransport
from test.support.crashes import Tripwire, WiredClient, WiredTransport
from test.support.pipeline import Pipeline
from test.support.stage import BUCKET, FUNCTION_SECONDS, SECRET, TABLE, Context

STATUS = "TikTok Audience Status"


class Watching:
    """Looks at the audiences of a pipeline, whose calls to AWS and TikTok run over a tripwire."""

    def __init__(
        self, pipeline: Pipeline, capsys: pytest.CaptureFixture[str], *, expiry_warning_days: int = 14
    ) -> None:
        self.pipeline = pipeline
        self.looks = 0
        self._capsys = capsys
        self._printed = ""
        self.settings = WatchSettings(
            bucket=BUCKET,
            ledger_table=TABLE,
            ledger_retention_days=60,
            secret_id=SECRET,
            tiktok_api_url=pipeline.emulator.url,
            request_interval_seconds=1.25,
            expiry_warning_days=expiry_warning_days,
        )
        self._agree_on_the_time()

    def wait(self, hours: float) -> None:
        """Let time pass, for TikTok as well."""
        self._agree_on_the_time()
        self.pipeline.emulator.tell("clock", {"advance_seconds": hours * 3_600})
        self._agree_on_the_time()

    def look(self, *, wire: Tripwire | None = None, seconds: float = FUNCTION_SECONDS) -> None:
        """One invocation."""
        self.looks += 1
        context: Any = Context(self.pipeline.clock, 100_000 + self.looks, seconds)
        self.application(wire or Tripwire()).look(context)

    def application(self, wire: Tripwire) -> handler.Application:
        """The function after a cold start."""
        pipeline = self.pipeline
        clients: dict[Any, Any] = {
            "dynamodb": pipeline.dynamodb,
            "events": pipeline.bus,
            "s3": pipeline.s3,
            "secretsmanager": pipeline.secrets,
        }
        return handler.compose(
            self.settings,
            WiredTransport(HttpTransport(pipeline.emulator.url), wire),
            clock=pipeline.clock,
            aws_client=lambda name: WiredClient(clients[name], wire),
        )

    def lines(self, name: str = "Foodies") -> list[dict[str, Any]]:
        """The history's file."""
        key = f"receipts/tiktok/{name}/audience-status.jsonl"
        if not self.pipeline.s3.list_objects_v2(Bucket=BUCKET, Prefix=key).get("Contents"):
            return []
        content = self.pipeline.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return [json.loads(line) for line in content.splitlines()]

    def announced(self, name: str = "Foodies") -> list[dict[str, Any]]:
        """What was published of an audience."""
        return [detail for detail in self.pipeline.bus.details(STATUS) if detail["audience"] == name]

    def remembered(self, name: str = "Foodies") -> dict[str, Any]:
        """The ledger's document."""
        key = {"pk": {"S": f"watch#{self.pipeline.emulator.advertiser_id}/{name}"}}
        item = self.pipeline.dynamodb.get_item(TableName=TABLE, Key=key).get("Item", {})
        document: dict[str, Any] = json.loads(item["document"]["S"]) if "document" in item else {}
        return document

    def measured(self, metric: str) -> list[dict[str, Any]]:
        """The metrics of this name, so far, as they were printed."""
        printed = self._capsys.readouterr()
        self._printed += printed.out
        entries = [json.loads(line) for line in self._printed.splitlines() if line.startswith('{"_aws"')]
        return [entry for entry in entries if metric in entry]

    def told(self, metric: str) -> int:
        """How often a condition was counted."""
        return sum(sum(entry[metric]) for entry in self.measured(metric))

    def _agree_on_the_time(self) -> None:
        theirs = self.pipeline.emulator.ask("clock")["now"]
        self.pipeline.clock.move_to(theirs)
        ahead = self.pipeline.clock.now() - theirs
        if ahead > 0:
            self.pipeline.emulator.tell("clock", {"advance_seconds": ahead})
