"""What AWS's services do for a caller needs a grant as well: to use a key, to deliver an event, to poll a queue.

A template that forgets one deploys everywhere and works nowhere; it must not work here either.
"""

from __future__ import annotations

import pytest

from local.cloud.embedded_aws import EmbeddedAws
from test.support.aws_resources import (
    Consumer,
    a_bucket,
    a_function,
    a_key,
    a_name,
    a_queue,
    a_rule,
    allow,
    depth,
    invoke,
    receive,
)

S3_CALLS = """
import os
import boto3, botocore.exceptions
s3, bucket = boto3.client("s3"), os.environ["BUCKET"]
def outcome(call, **arguments):
    try:
        call(Bucket=bucket, **arguments)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return "done"
def handle(event, context):
    return {
        "get": outcome(s3.get_object, Key="there"),
        "get version": outcome(s3.get_object, Key="there", VersionId=os.environ["VERSION"]),
        "get missing": outcome(s3.get_object, Key="missing"),
        "put": outcome(s3.put_object, Key="new", Body=b""),
    }
"""
DENIED = "AccessDenied"
READ = ["s3:GetObject", "s3:GetObjectVersion"]


@pytest.fixture(scope="module")
def environment(aws: EmbeddedAws) -> dict[str, str]:
    """An encrypted bucket and the version of an object in it."""
    bucket = a_bucket(aws, key=a_key(aws))
    version = aws.client("s3").put_object(Bucket=bucket, Key="there", Body=b"x")["VersionId"]
    return {"BUCKET": bucket, "VERSION": version}


@pytest.mark.parametrize(
    ("granted", "expected"),
    [
        (
            [
                "s3:GetObject",
                "s3:GetObjectVersion",
                "s3:ListBucket",
                "s3:PutObject",
                "kms:Decrypt",
                "kms:GenerateDataKey",
            ],
            {"get": "done", "get version": "done", "get missing": "NoSuchKey", "put": "done"},
        ),
        (
            ["s3:GetObject", "kms:Decrypt"],
            {"get": "done", "get version": DENIED, "get missing": DENIED, "put": DENIED},
        ),
        (
            [*READ, "s3:PutObject", "kms:GenerateDataKey"],
            {"get": DENIED, "get version": DENIED, "get missing": DENIED, "put": "done"},
        ),
        (
            [*READ, "s3:PutObject", "kms:Decrypt"],
            {"get": "done", "get version": "done", "get missing": DENIED, "put": DENIED},
        ),
    ],
    ids=["everything", "neither versions nor list", "no decryption", "no encryption"],
)
def test_a_function_does_in_an_encrypted_bucket_what_its_role_grants(
    aws: EmbeddedAws, environment: dict[str, str], granted: list[str], expected: dict[str, str]
) -> None:
    function = a_function(aws, S3_CALLS, statements=[allow(granted)], environment=environment)

    assert invoke(aws, function) == (expected, False)


UPKEEP_CALLS = """
import os
import boto3, botocore.exceptions
s3, where = boto3.client("s3"), {"Bucket": os.environ["BUCKET"], "Key": os.environ["KEY"]}
def outcome(call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return "done"
def handle(event, context):
    return {
        "list": outcome(s3.list_object_versions, Bucket=where["Bucket"], Prefix="list/"),
        "abort": outcome(s3.abort_multipart_upload, **where, UploadId=os.environ["UPLOAD"]),
        "delete": outcome(s3.delete_object, **where),
        "delete version": outcome(s3.delete_object, **where, VersionId=os.environ["VERSION"]),
    }
"""
UPKEEP = ["s3:ListBucketVersions", "s3:AbortMultipartUpload", "s3:DeleteObjectVersion"]


@pytest.mark.parametrize("missing", [*UPKEEP, None])
def test_a_function_deletes_versions_for_good_without_the_right_to_put_markers(
    aws: EmbeddedAws, missing: str | None
) -> None:
    s3, where = aws.client("s3"), {"Bucket": a_bucket(aws), "Key": "list/outdated"}
    environment = {
        "BUCKET": where["Bucket"],
        "KEY": where["Key"],
        "VERSION": s3.put_object(**where, Body=b"x")["VersionId"],
        "UPLOAD": s3.create_multipart_upload(**where)["UploadId"],
    }
    granted = [action for action in UPKEEP if action != missing]
    function = a_function(aws, UPKEEP_CALLS, statements=[allow(granted)], environment=environment)

    calls = dict(zip(("list", "abort", "delete version"), UPKEEP, strict=True))
    expected = {call: DENIED if action == missing else "done" for call, action in calls.items()}
    assert invoke(aws, function) == ({**expected, "delete": DENIED}, False)


@pytest.mark.parametrize("granted", ["dynamodb:GetItem", "dynamodb:UpdateItem"])
def test_reading_and_changing_an_item_are_two_rights(aws: EmbeddedAws, granted: str) -> None:
    table = a_name("table")
    aws.client("dynamodb").create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    source = """
import os
import boto3, botocore.exceptions
dynamodb, where = boto3.client("dynamodb"), {"TableName": os.environ["TABLE"], "Key": {"pk": {"S": "x"}}}
def handle(event, context):
    may = []
    for action, call in (("dynamodb:GetItem", dynamodb.get_item), ("dynamodb:UpdateItem", dynamodb.update_item)):
        try:
            call(**where)
        except botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDeniedException", error
        else:
            may.append(action)
    return may
"""

    function = a_function(aws, source, statements=[allow(granted)], environment={"TABLE": table})

    assert invoke(aws, function) == ([granted], False)


def test_an_encrypted_secret_needs_its_key(aws: EmbeddedAws) -> None:
    secret = aws.client("secretsmanager").create_secret(Name=a_name("s"), SecretString="x", KmsKeyId=a_key(aws))["ARN"]
    source = """
import boto3, os
def handle(event, context):
    return boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET"])["SecretString"]
"""
    read, environment = allow("secretsmanager:GetSecretValue", secret), {"SECRET": secret}

    without, is_error = invoke(aws, a_function(aws, source, statements=[read], environment=environment))
    granted = a_function(aws, source, statements=[read, allow("kms:Decrypt")], environment=environment)

    assert is_error
    assert "AccessDeniedException" in without["errorMessage"]
    assert invoke(aws, granted) == ("x", False)


def test_sending_to_an_encrypted_queue_needs_its_key(aws: EmbeddedAws) -> None:
    source = """
import boto3, os
def handle(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody="m")
"""
    queue = a_queue(aws)

    denied, is_error = invoke(
        aws, a_function(aws, source, statements=[allow("sqs:SendMessage")], environment={"QUEUE": queue})
    )

    assert is_error
    assert "KMS" in denied["errorMessage"].upper()
    assert depth(aws, queue) == 0


def test_a_rule_delivers_only_to_a_queue_whose_policy_and_key_let_it(aws: EmbeddedAws) -> None:
    bucket = a_bucket(aws)
    closed, keyless, opened = (
        a_queue(aws, for_rules=False),
        a_queue(aws, key=a_key(aws, for_rules=False)),
        a_queue(aws),
    )
    a_rule(aws, bucket, closed, keyless, opened)
    aws.client("s3").put_object(Bucket=bucket, Key="tiktok/x", Body=b"")

    receive(aws, opened)  # the last of the targets

    assert (depth(aws, closed), depth(aws, keyless)) == (0, 0)


@pytest.mark.parametrize("action", ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "kms:Decrypt"])
def test_a_mapping_reads_only_what_the_functions_role_may_read(aws: EmbeddedAws, action: str) -> None:
    source = "def handle(event, context):\n    report(event['Records'][0])\n"
    unable, able = Consumer(aws, source, visibility=5, without=action), Consumer(aws, source, visibility=5)
    unable.send("x")
    able.send("x")

    able.attempts(1)  # mappings are polled in the order in which they were made

    [untouched] = receive(aws, unable.queue)
    assert untouched["Attributes"]["ApproximateReceiveCount"] == "1"
