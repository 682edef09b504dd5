"""What the two functions of the events pipeline may do."""

from __future__ import annotations

from lambdas.contracts import EVENTS_PREFIX, RECEIPTS_PREFIX, REJECTED_PREFIX, SOURCE_FILE, SUPPRESSION_LIST_PREFIX
from stacks.events import EventsPipeline
from stacks.foundation import Foundation
from stacks.parts.connector_function import ConnectorFunction
from stacks.rights.shared import let_function_announce, let_function_consume, let_function_remember


def let_event_files_be_delivered(events: EventsPipeline, foundation: Foundation) -> None:
    """Read uploads and the suppression list, write receipts and what was not sent."""
    bucket, function = foundation.bucket, events.files.delivery
    function.may(
        "s3:GetObject",
        "s3:GetObjectVersion",
        on=bucket.arn_for_objects(f"{EVENTS_PREFIX}*"),
        any_because="it reads whatever is uploaded below this prefix, and nothing else",
    )
    function.may(
        "s3:PutObject",
        on=bucket.arn_for_objects(f"{RECEIPTS_PREFIX}*"),
        any_because="it writes one receipt per upload below this prefix, and nothing else",
    )
    function.may(
        "s3:AbortMultipartUpload",
        "s3:PutObject",
        on=bucket.arn_for_objects(f"{REJECTED_PREFIX}*"),
        any_because="it writes below this prefix which events of an upload were not sent, and nothing else",
    )
    _let_function_leave_people_out(function, foundation)
    let_function_remember(function, foundation)
    let_function_consume(function, events.files.queue)
    let_function_announce(function)


def let_live_events_be_delivered(events: EventsPipeline, foundation: Foundation) -> None:
    """Read the settings of event sources and the suppression list; of files, nothing."""
    bucket, function = foundation.bucket, events.live.delivery
    function.may(
        "s3:GetObject",
        on=bucket.arn_for_objects(f"{EVENTS_PREFIX}*/{SOURCE_FILE}"),
        any_because="it reads the settings of whatever event source is named, and no upload",
    )
    _let_function_leave_people_out(function, foundation)
    let_function_remember(function, foundation)
    let_function_consume(function, events.live.queue)


def _let_function_leave_people_out(function: ConnectorFunction, foundation: Foundation) -> None:
    function.may(
        "s3:GetObject",
        on=foundation.bucket.arn_for_objects(f"{SUPPRESSION_LIST_PREFIX}*"),
        any_because="it reads the suppression list, whose parts get new names with every change",
    )
    # Without it a missing object answers 403, which looks like a right that is missing.
    function.may("s3:ListBucket", on=foundation.bucket.bucket_arn)
