"""What the functions of the audiences pipeline, its state machine and the audience watch may do."""

from __future__ import annotations

from aws_cdk import aws_iam

from lambdas.contracts import (
    AUDIENCES_PREFIX,
    PLANS_PREFIX,
    RECEIPTS_PREFIX,
    STATUS_FILE,
    SUPPRESSION_LIST_PREFIX,
    SUPPRESSIONS_PREFIX,
)
from stacks.audience_watch import AudienceWatch
from stacks.audiences import AudiencesPipeline
from stacks.foundation import Foundation
from stacks.large_objects import LargeObjects
from stacks.parts.acknowledgement import acknowledge_wildcard
from stacks.rights.shared import (
    arn_here,
    let_function_announce,
    let_function_consume,
    let_function_leave_people_out,
    let_function_read_uploads,
    let_function_remember,
    let_function_write_receipts,
)

_TRACING = [
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
]


def let_activation_deliver(audiences: AudiencesPipeline, foundation: Foundation) -> None:
    """Read uploads, keep the suppression list, write receipts and plans, have large objects prepared."""
    bucket, function = foundation.bucket, audiences.activation
    for prefix in (AUDIENCES_PREFIX, SUPPRESSIONS_PREFIX):
        let_function_read_uploads(function, foundation, prefix)
    function.may(
        "s3:AbortMultipartUpload",
        # Its outdated parts go for good, by their versions: a delete marker would keep the identifiers.
        "s3:DeleteObjectVersion",
        "s3:GetObject",
        "s3:PutObject",
        on=bucket.arn_for_objects(f"{SUPPRESSION_LIST_PREFIX}*"),
        any_because="it keeps the suppression list below this prefix, whose parts get new names with every change",
    )
    # Without it a missing object answers 403, which looks like a right that is missing. No condition on the prefix:
    # a read has no prefix, so the condition would never hold. Of the versions, it lists the suppression list's.
    function.may("s3:ListBucket", "s3:ListBucketVersions", on=bucket.bucket_arn)
    let_function_write_receipts(function, foundation)
    let_function_remember(function, foundation)
    let_function_consume(function, audiences.queue)
    function.may(
        "s3:PutObject",
        on=bucket.arn_for_objects(f"{PLANS_PREFIX}*"),
        any_because="it writes below this prefix how a large object is cut, and nothing else",
    )
    function.may("states:StartExecution", on=audiences.large_objects.machine_arn)
    function.may(
        "states:DescribeExecution",
        on=_executions_of(audiences.large_objects),
        any_because="an execution's name is made from the object that it prepares",
    )
    let_function_announce(function)


def let_large_objects_be_prepared(large_objects: LargeObjects, foundation: Foundation) -> None:
    """The function reads uploads and the suppression list; the machine calls it for each range."""
    bucket, function = foundation.bucket, large_objects.parts
    let_function_read_uploads(function, foundation, AUDIENCES_PREFIX)
    let_function_leave_people_out(function, foundation)
    let_function_remember(function, foundation)

    machine = large_objects.machine_arn
    for actions, resource, any_because in (
        (["lambda:InvokeFunction"], function.function.function_arn, ""),
        (["s3:GetObject"], bucket.arn_for_objects(f"{PLANS_PREFIX}*"), "it reads how large objects are cut"),
        (["kms:Decrypt", "kms:GenerateDataKey"], foundation.key.key_arn, ""),
        # A Distributed Map runs each of its items as an execution.
        (["states:StartExecution"], machine, ""),
        (
            ["states:DescribeExecution", "states:StopExecution"],
            _executions_of(large_objects),
            "Step Functions itself names the executions of the ranges",
        ),
        (_TRACING, "*", "X-Ray, which takes the traces, has no resource to name"),
    ):
        large_objects.role.add_to_policy(aws_iam.PolicyStatement(actions=actions, resources=[resource]))
        if any_because:
            acknowledge_wildcard(large_objects.role, resource, any_because)


def let_watch_look(watch: AudienceWatch, foundation: Foundation) -> None:
    """Keep the status files, read no upload."""
    bucket, function = foundation.bucket, watch.watch
    function.may(
        "s3:GetObject",
        "s3:PutObject",
        "s3:PutObjectTagging",
        on=bucket.arn_for_objects(f"{RECEIPTS_PREFIX}{AUDIENCES_PREFIX}*/{STATUS_FILE}"),
        any_because="it keeps one file for each audience, beside the receipts, and touches nothing else",
    )
    # Or S3 would not tell it that a file is not there yet.
    function.may("s3:ListBucket", on=bucket.bucket_arn)
    let_function_remember(function, foundation)
    let_function_announce(function)


def _executions_of(large_objects: LargeObjects) -> str:
    """Every execution for a large object."""
    return arn_here(large_objects, "states", "execution", f"{large_objects.machine.attr_name}:*")
