"""What the two functions of the events pipeline may do."""

from __future__ import annotations

from lambdas.contracts import EVENTS_PREFIX, REJECTED_PREFIX, SOURCE_FILE
from stacks.events import EventsPipeline
from stacks.foundation import Foundation
from stacks.rights.shared import (
    let_function_announce,
    let_function_consume,
    let_function_leave_people_out,
    let_function_read_uploads,
    let_function_remember,
    let_function_write_receipts,
)


def let_event_files_be_delivered(events: EventsPipeline, foundation: Foundation) -> None:
    """Read uploads and the suppression list, write receipts and what was not sent."""
    bucket, function = foundation.bucket, events.files.delivery
    let_function_read_uploads(function, foundation, EVENTS_PREFIX)
    let_function_write_receipts(function, foundation)
    function.may(
        "s3:AbortMultipartUpload",
        "s3:PutObject",
        on=bucket.arn_for_objects(f"{REJECTED_PREFIX}*"),
        any_because="it writes below this prefix which events of an upload were not sent, and nothing else",
    )
    let_function_leave_people_out(function, foundation)
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
    let_function_leave_people_out(function, foundation)
    let_function_remember(function, foundation)
    let_function_consume(function, events.live.queue)
