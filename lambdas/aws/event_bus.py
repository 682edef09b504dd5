"""The account's default event bus."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lambdas.aws.failures import aws_failures
from lambdas.contracts import ANNOUNCEMENT_SOURCE
from lambdas.tiktok.errors import RetryableError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


class EventBridgeBus:
    """Publishes one announcement a request: a request can succeed for some entries and fail for others."""

    def __init__(self, client: EventBridgeClient) -> None:
        self._client = client

    def publish(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Announce something, at least once. Raises RetryableError or FatalError."""
        with aws_failures("publishing on the event bus"):
            answer = self._client.put_events(
                Entries=[
                    {
                        "Source": ANNOUNCEMENT_SOURCE,
                        "DetailType": kind,
                        "Detail": json.dumps(detail, ensure_ascii=False).encode(errors="replace").decode(),
                    }
                ]
            )
        if answer.get("FailedEntryCount"):
            # The code only: AWS's text quotes the entry.
            code = next((entry["ErrorCode"] for entry in answer["Entries"] if "ErrorCode" in entry), "unknown")
            raise RetryableError(
                f"AWS did not take what was published on the event bus: {code}.", reason="aws_unavailable"
            )
