"""What S3 announces through EventBridge and SQS."""

from __future__ import annotations

import json

from lambdas.objects import UNVERSIONED, ObjectVersion
from lambdas.tiktok.errors import InvalidInput


def parse_notification(body: str, *, bucket: str) -> ObjectVersion:
    """Read the body of a queue's message: EventBridge's event of an object created in ``bucket``.

    EventBridge does not URL-encode keys, unlike S3's own notifications (Amazon S3 User Guide, "Using EventBridge").

    Raises:
        InvalidInput: ``not_a_notification``.
    """
    try:
        event = json.loads(body)
        detail = event["detail"]
        version = ObjectVersion(
            bucket=str(detail["bucket"]["name"]),
            key=str(detail["object"]["key"]),
            version_id=str(detail["object"].get("version-id") or UNVERSIONED),
            size=int(detail["object"].get("size", 0)),
            arrived_at=str(event["time"]),
            sequencer=str(detail["object"].get("sequencer") or ""),
        )
        version.id.encode()
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise InvalidInput(
            "The message is not EventBridge's announcement of an S3 object.", reason="not_a_notification"
        ) from None
    if version.bucket != bucket:
        raise InvalidInput("The message announces an object of another bucket.", reason="not_a_notification")
    return version
