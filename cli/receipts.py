"""The receipts in the bucket, newest first."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cli.aws import error_code
from lambdas.contracts import RECEIPTS_PREFIX, STATUS_FILE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

UNREADABLE = "unreadable"
# A receipt holds counts and at most a hundred line numbers for each reason; anything larger is no receipt.
_LONGEST_RECEIPT = 1 << 20


@dataclass(frozen=True)
class ReceiptSummary:
    """What a receipt says in a line. ``key`` is the receipt's own; ``status`` is ``unreadable`` when it is none.

    One of an audience file has ``audience``, ``action`` and rows; one of a file of events has ``source`` (web, app, …),
    ``event_source`` (its name or id) and events. The others are None.
    """

    key: str
    status: str
    reason: str | None = None
    audience: str | None = None
    action: str | None = None
    rows_sent: int | None = None
    rows_invalid: int | None = None
    source: str | None = None
    event_source: str | None = None
    events_sent: int | None = None
    events_invalid: int | None = None
    events_refused: int | None = None
    finished_at: str | None = None


def newest_receipts(client: S3Client, bucket: str, most: int) -> list[ReceiptSummary]:
    """The receipts that were written last. Looks at every key, but keeps no more than are asked for.

    Raises:
        BotoCoreError, ClientError: the bucket cannot be read.
    """
    if most < 1:
        return []
    newest = heapq.nlargest(most, _listing(client, bucket), key=lambda entry: (entry["LastModified"], entry["Key"]))
    return [_summary(client, bucket, entry["Key"]) for entry in newest]


def _listing(client: S3Client, bucket: str) -> Iterator[ObjectTypeDef]:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=RECEIPTS_PREFIX):
        for entry in page.get("Contents", []):
            # The history of an audience, which is written to again and again, is none of them.
            if not entry["Key"].endswith(f"/{STATUS_FILE}"):
                yield entry


def _summary(client: S3Client, bucket: str, key: str) -> ReceiptSummary:
    try:
        body = client.get_object(Bucket=bucket, Key=key)["Body"]
        with body:
            content = body.read(_LONGEST_RECEIPT)
    except ClientError as error:
        if error_code(error) != "NoSuchKey":
            raise
        return ReceiptSummary(key, UNREADABLE)
    try:
        receipt: dict[str, Any] = json.loads(content)
        told = _of_events(receipt) if "events" in receipt else _of_audience(receipt)
        return ReceiptSummary(
            key=key,
            status=str(receipt["status"]),
            reason=receipt["reason"],
            finished_at=receipt["times"]["finished_at"],
            **told,
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return ReceiptSummary(key, UNREADABLE)


def _of_audience(receipt: dict[str, Any]) -> dict[str, Any]:
    return {
        "audience": receipt["audience"]["name"],
        "action": receipt["action"],
        "rows_sent": receipt["rows"]["sent"],
        "rows_invalid": receipt["rows"]["invalid"],
    }


def _of_events(receipt: dict[str, Any]) -> dict[str, Any]:
    events = receipt["events"]
    return {
        "source": receipt["source"],
        "event_source": receipt["event_source"]["name"],
        "events_sent": events["sent"],
        "events_invalid": events["invalid"],
        "events_refused": events["refused_by_tiktok"]["count"],
    }
