"""Records of SQS, as Lambda hands them to a function (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS").

Powertools has a class for these, beside those for every other source of events, all of which it imports: that alone
took a twentieth of the cold start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self


class RecordFailedError(Exception):
    """The record is to be reported as failed, so that it stays in the queue."""


@dataclass(frozen=True)
class Record:
    """One message. ``receives`` counts from 1; ``attributes`` are those that its sender gave it, as texts."""

    message_id: str
    receipt_handle: str
    body: str
    receives: int
    attributes: Mapping[str, str]

    @classmethod
    def from_event(cls, record: Mapping[str, Any]) -> Self:
        """From an entry of the event's ``Records``."""
        given = record.get("messageAttributes") or {}
        return cls(
            record["messageId"],
            record["receiptHandle"],
            record["body"],
            int(record["attributes"]["ApproximateReceiveCount"]),
            {name: value.get("stringValue") or "" for name, value in given.items()},
        )


def process_each(event: Mapping[str, Any], process: Callable[[Record], None]) -> dict[str, Any]:
    """Process the records of an event; answers, as Lambda asks for it, which of them raised RecordFailedError.

    Powertools has a processor for batches, which imports asyncio and much else that no function uses: a tenth of a
    cold start.
    """
    failed = []
    for record in map(Record.from_event, event["Records"]):
        try:
            process(record)
        except RecordFailedError:
            failed.append({"itemIdentifier": record.message_id})
    return {"batchItemFailures": failed}
