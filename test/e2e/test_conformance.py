"""The embedded AWS behaves like AWS in everything that the connector's promises rest on.

An upgrade of it that changes one of these makes every other end-to-end test worthless, so this is where it shows.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloud.embedded_aws import ACCOUNT, CLOUD_PYTHON, LAUNCHER, REGION, EmbeddedAws
from test.support.aws_resources import (
    Consumer,
    a_bucket,
    a_function,
    a_key,
    a_name,
    a_queue,
    a_rule,
    allow,
    arn_of,
    depth,
    invoke,
    receive,
)
from test.support.waiting import wait_until

GOLDEN_EVENT = json.loads((Path(__file__).parents[1] / "samples" / "s3_object_created_event.json").read_text())


# S3 announces its objects --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def announced(aws: EmbeddedAws) -> tuple[str, str]:
    """A bucket whose objects under tiktok/ are announced to a queue: (bucket, queue URL)."""
    bucket, queue = a_bucket(aws, key=a_key(aws)), a_queue(aws)
    a_rule(aws, bucket, queue)
    return bucket, queue


def shape(value: Any) -> Any:
    """Names and types of an event."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    return [shape(part) for part in value] if isinstance(value, list) else type(value).__name__


def test_a_new_object_is_announced_in_the_shape_that_aws_documents(
    aws: EmbeddedAws, announced: tuple[str, str]
) -> None:
    bucket, queue = announced
    put = aws.client("s3").put_object(Bucket=bucket, Key="tiktok/A name + ü/x.csv", Body=b"hello")

    event = json.loads(receive(aws, queue)[0]["Body"])

    assert shape(event) == shape(GOLDEN_EVENT)
    detail = event["detail"]
    assert detail["object"]["key"] == "tiktok/A name + ü/x.csv"  # as it is, unlike in S3's own notifications
    assert detail["object"]["version-id"] == put["VersionId"]
    assert detail["object"]["etag"] == put["ETag"].strip('"')
    assert detail["object"]["size"] == 5
    assert detail["reason"] == "PutObject"
    assert event["resources"] == [f"arn:aws:s3:::{bucket}"]
    assert event["account"] == ACCOUNT
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["time"])
    assert re.fullmatch(r"[0-9A-F]{16,}", detail["object"]["sequencer"])


def test_sequencers_grow_with_the_order_of_the_uploads(aws: EmbeddedAws, announced: tuple[str, str]) -> None:
    bucket, queue = announced
    versions = [aws.client("s3").put_object(Bucket=bucket, Key="tiktok/s", Body=b"x")["VersionId"] for _ in range(3)]

    objects = [json.loads(message["Body"])["detail"]["object"] for message in receive(aws, queue, 3)]

    ordered = sorted(objects, key=lambda announced_object: announced_object["sequencer"])
    assert [announced_object["version-id"] for announced_object in ordered] == versions


def test_an_upload_in_parts_is_announced_once(aws: EmbeddedAws, announced: tuple[str, str]) -> None:
    bucket, queue = announced
    s3, where = aws.client("s3"), {"Bucket": bucket, "Key": "tiktok/parts"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    part = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"abc")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    done = s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload=parts)
    s3.put_object(Bucket=bucket, Key="tiktok/after", Body=b"")  # a second announcement would come before this one's

    first, second = (json.loads(message["Body"])["detail"] for message in receive(aws, queue, 2))

    assert {first["object"]["key"], second["object"]["key"]} == {"tiktok/parts", "tiktok/after"}
    multipart = first if first["object"]["key"] == "tiktok/parts" else second
    assert multipart["reason"] == "CompleteMultipartUpload"
    assert multipart["object"]["version-id"] == done["VersionId"]
    assert multipart["object"]["etag"].endswith("-1")


def test_an_object_elsewhere_is_not_announced(aws: EmbeddedAws, announced: tuple[str, str]) -> None:
    bucket, queue = announced
    for key in ("elsewhere/x", "tiktok", "tiktok/x"):
        aws.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")

    assert json.loads(receive(aws, queue)[0]["Body"])["detail"]["object"]["key"] == "tiktok/x"
    assert depth(aws, queue) == 0


def test_one_rule_announces_what_is_below_either_of_two_prefixes(aws: EmbeddedAws) -> None:
    bucket, queue = a_bucket(aws), a_queue(aws)
    a_rule(aws, bucket, queue, prefixes=("tiktok/", "suppression/"))
    below = {"tiktok/x", "suppression/x"}
    for key in ("suppression-list/x", "receipts/x", *sorted(below)):
        aws.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")

    announced = receive(aws, queue, 2)
    assert {json.loads(message["Body"])["detail"]["object"]["key"] for message in announced} == below
    assert depth(aws, queue) == 0


def test_no_announcement_is_lost_when_many_objects_arrive_at_once(aws: EmbeddedAws, announced: tuple[str, str]) -> None:
    bucket, queue = announced
    keys = [f"tiktok/many/{number}" for number in range(50)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: aws.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x"), keys))

    received = [json.loads(message["Body"])["detail"]["object"]["key"] for message in receive(aws, queue, len(keys))]

    assert sorted(received) == sorted(keys)


def test_a_range_of_an_older_version_can_be_read(aws: EmbeddedAws, announced: tuple[str, str]) -> None:
    bucket, _ = announced
    s3, where = aws.client("s3"), {"Bucket": bucket, "Key": "read"}
    old = s3.put_object(**where, Body=b"0123456789")["VersionId"]
    s3.put_object(**where, Body=b"new")

    answer = s3.get_object(**where, VersionId=old, Range="bytes=3-5")

    assert (answer["Body"].read(), answer["ContentRange"]) == (b"345", "bytes 3-5/10")
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(**where, VersionId=old, Range="bytes=10-")


@pytest.mark.parametrize("begins_with_one", [False, True], ids=["a new object", "a new version"])
def test_of_many_writes_on_one_condition_exactly_one_succeeds(aws: EmbeddedAws, begins_with_one: bool) -> None:
    s3, where = aws.client("s3"), {"Bucket": a_bucket(aws, key=a_key(aws)), "Key": "manifest"}
    condition = {"IfMatch": s3.put_object(**where, Body=b"0")["ETag"]} if begins_with_one else {"IfNoneMatch": "*"}

    def write(number: int) -> str:
        try:
            s3.put_object(**where, **condition, Body=b"%d" % number)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "written"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(write, range(1, 25)))

    assert outcomes.count("written") == 1
    assert set(outcomes) - {"written"} <= {"PreconditionFailed", "ConditionalRequestConflict"}
    assert int(s3.get_object(**where)["Body"].read()) == outcomes.index("written") + 1


# The queue and its function ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("queue_visibility", "asked"), [(2, 4), (60, 2)])
def test_a_message_stays_hidden_as_long_as_the_function_asked(
    aws: EmbeddedAws, queue_visibility: int, asked: int
) -> None:
    """Reporting the item as failed neither shows it at once nor brings the queue's own timeout back."""
    consumer = Consumer(
        aws,
        f"""
def handle(event, context):
    [record] = event["Records"]
    report(record)
    if record["attributes"]["ApproximateReceiveCount"] == "1":
        handle = record["receiptHandle"]
        sqs.change_message_visibility(QueueUrl=os.environ["QUEUE"], ReceiptHandle=handle, VisibilityTimeout={asked})
        return {{"batchItemFailures": [{{"itemIdentifier": record["messageId"]}}]}}
""",
        visibility=queue_visibility,
    )
    consumer.send("again")

    first, second = consumer.attempts(2)

    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert asked <= second["at"] - first["at"] < asked + 3
    wait_until(lambda: depth(aws, consumer.queue) == 0, what="the second attempt to delete the message")


def test_only_the_reported_item_of_a_batch_comes_back_until_it_is_a_dead_letter(aws: EmbeddedAws) -> None:
    consumer = Consumer(
        aws,
        """
def handle(event, context):
    for record in event["Records"]:
        report(record)
    bad = [record["messageId"] for record in event["Records"] if record["body"] == "bad"]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in bad]}
""",
        visibility=2,
        max_receives=2,
        batch_size=10,
    )
    consumer.send("good", "bad", "good too")

    [dead] = receive(aws, consumer.dead_letters)

    assert dead["Body"] == "bad"
    tried = sorted((attempt["body"], attempt["attempt"]) for attempt in consumer.attempts(4))
    assert tried == [("bad", 1), ("bad", 2), ("good", 1), ("good too", 1)]
    assert depth(aws, consumer.queue) == 0


def test_a_batch_is_gathered_until_its_window_is_over_or_it_is_full(aws: EmbeddedAws) -> None:
    window = 3
    consumer = Consumer(
        aws,
        """
def handle(event, context):
    report(event["Records"][0], size=len(event["Records"]))
""",
        visibility=20,
        batch_size=30,
        window=window,
    )
    began = time.time()
    for letter in "ab":
        consumer.send(*(f"{letter}{number}" for number in range(6)))

    [gathered] = consumer.attempts(1)
    for letter in "cdef":
        consumer.send(*(f"{letter}{number}" for number in range(10)))
    full, rest = consumer.attempts(2)

    assert gathered["size"] == 12
    assert gathered["at"] - began >= window
    assert (full["size"], rest["size"]) == (30, 10)
    assert rest["at"] - full["at"] >= window / 2


def test_an_invocation_that_fails_or_answers_nonsense_keeps_its_message(aws: EmbeddedAws) -> None:
    consumer = Consumer(
        aws,
        """
def handle(event, context):
    [record] = event["Records"]
    report(record)
    if record["body"] == "raises":
        raise ValueError("no")
    if record["body"] == "ends":
        os._exit(1)
    return {"batchItemFailures": [{"itemIdentifier": {"names another": "other", "names nothing": ""}[record["body"]]}]}
""",
        visibility=2,
        max_receives=2,
        concurrency=4,
    )
    outcomes = ["ends", "names another", "names nothing", "raises"]
    consumer.send(*outcomes)

    dead = receive(aws, consumer.dead_letters, len(outcomes))

    assert sorted(message["Body"] for message in dead) == outcomes
    tried = sorted((attempt["body"], attempt["attempt"]) for attempt in consumer.attempts(2 * len(outcomes)))
    assert tried == [(outcome, attempt) for outcome in outcomes for attempt in (1, 2)]


# Runs inside the server's own environment, with threads switched so often that they meet within a second.
MEETING_THREADS = """
import json, os, sys, threading
sys.path.insert(0, os.environ["LAUNCHER"])
import launcher
launcher.apply_patches()
from ministack.core.arn import parse_arn
from ministack.services import eventbridge, sqs

def a_queue(name, **attributes):
    created = sqs._act_create_queue({"QueueName": name, "Attributes": attributes}, "")
    return sqs._queues[created["QueueUrl"]]["attributes"]["QueueArn"]

redrive = json.dumps({"deadLetterTargetArn": a_queue("dead"), "maxReceiveCount": 3})
arn = a_queue("queue", RedrivePolicy=redrive)
rule = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "*", "Resource": "*"}
queue = sqs._queue_by_arn(arn)
queue["attributes"]["Policy"] = json.dumps({"Statement": [rule]})
sys.setswitchinterval(1e-7)
done = threading.Event()

def sweep():
    while not done.is_set():
        sqs._dlq_sweep(queue)

threads = [threading.Thread(target=sweep) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(300):
    eventbridge._dispatch_to_sqs(parse_arn(arn), "{}")
done.set()
for thread in threads:
    thread.join()
print(len(queue["messages"]))
"""


def test_a_queue_loses_no_message_when_the_servers_threads_meet(tmp_path: Path) -> None:
    environment = {"LAUNCHER": str(LAUNCHER.parent), "LAUNCHER_RUNTIME_PYTHON": "unused", "TMPDIR": str(tmp_path)}
    done = subprocess.run(  # noqa: S603
        [CLOUD_PYTHON, "-c", MEETING_THREADS], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["300"]


def test_no_more_invocations_run_at_once_than_the_mapping_allows(aws: EmbeddedAws) -> None:
    consumer = Consumer(
        aws,
        """
def handle(event, context):
    began = time.time()
    time.sleep(0.5)
    report(event["Records"][0], began=began)
""",
        visibility=10,
        concurrency=2,
    )
    consumer.send(*"abcdef")

    attempts = consumer.attempts(6)

    at_once = [sum(other["began"] <= attempt["began"] < other["at"] for other in attempts) for attempt in attempts]
    assert max(at_once) == 2


# Functions and what they may do --------------------------------------------------------------------------------

GET_VALUE = """
import boto3, os
def handle(event, context):
    return boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET"])["SecretString"]
"""


@pytest.fixture(scope="module")
def secret(aws: EmbeddedAws) -> str:
    """The ARN of a secret."""
    arn: str = aws.client("secretsmanager").create_secret(Name=a_name("secret"), SecretString="open")["ARN"]
    return arn


def test_a_function_reads_a_secret_that_its_role_grants(aws: EmbeddedAws, secret: str) -> None:
    granted = [allow("secretsmanager:GetSecretValue", secret)]
    function = a_function(aws, GET_VALUE, statements=granted, environment={"SECRET": secret})

    assert invoke(aws, function) == ("open", False)


@pytest.mark.parametrize(
    "statements", [[], [allow("secretsmanager:DescribeSecret")], [allow("secretsmanager:GetSecretValue", "arn:other")]]
)
def test_a_function_is_denied_a_secret_that_its_role_does_not_grant(
    aws: EmbeddedAws, secret: str, statements: list[dict[str, Any]]
) -> None:
    function = a_function(aws, GET_VALUE, statements=statements, environment={"SECRET": secret})

    answer, is_error = invoke(aws, function)

    assert is_error
    assert answer["errorType"] == "ClientError"
    assert "AccessDeniedException" in answer["errorMessage"]


def test_ref_of_a_secret_is_its_arn(aws: EmbeddedAws) -> None:
    template = {
        "Resources": {"Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "x"}}},
        "Outputs": {"Ref": {"Value": {"Ref": "Secret"}}},
    }
    cloudformation, stack = aws.client("cloudformation"), a_name("stack")
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})

    ref = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"][0]["OutputValue"]

    assert ref.startswith(f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:")
    assert aws.client("secretsmanager").get_secret_value(SecretId=ref)["SecretString"] == "x"
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    with pytest.raises(ClientError, match=r"ResourceNotFound|InvalidRequest"):
        aws.client("secretsmanager").get_secret_value(SecretId=ref)


def test_a_failing_function_answers_with_the_type_of_its_error(aws: EmbeddedAws) -> None:
    function = a_function(aws, 'def handle(event, context):\n    raise ValueError("a bad value")\n')

    answer, is_error = invoke(aws, function)

    assert is_error
    assert (answer["errorType"], answer["errorMessage"]) == ("ValueError", "a bad value")
    assert any("module.py" in frame for frame in answer["stackTrace"])


def test_a_function_that_takes_too_long_is_stopped(aws: EmbeddedAws) -> None:
    function = a_function(aws, "import time\ndef handle(event, context):\n    time.sleep(60)\n", timeout=1)

    answer, is_error = invoke(aws, function)

    assert is_error
    assert answer["errorType"] == "Sandbox.Timedout"


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS cannot limit the address space of a process")
def test_a_function_cannot_use_much_more_memory_than_it_has(aws: EmbeddedAws) -> None:
    function = a_function(aws, "def handle(event, context):\n    return len(bytes(600_000_000))\n", memory=128)

    answer, is_error = invoke(aws, function)

    assert is_error
    assert answer["errorType"] == "MemoryError"


def test_a_function_sees_the_environment_of_lambda_and_not_the_servers(aws: EmbeddedAws) -> None:
    source = "import os\ndef handle(event, context):\n    return dict(os.environ)\n"

    seen, _ = invoke(aws, a_function(aws, source, environment={"OURS": "1"}, memory=192))

    lambdas = {
        "OURS": "1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.14",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "192",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_REGION": REGION,
        "_HANDLER": "module.handle",
    }
    assert lambdas.items() <= seen.items()
    assert not [name for name in seen if name.startswith(("MINISTACK", "LAUNCHER", "GATEWAY"))]
    assert not {"AUTH", "USE_SSL", "BIND_HOST", "HOME", "VIRTUAL_ENV"} & seen.keys()
    assert seen["AWS_ACCESS_KEY_ID"] != "test"


def test_a_function_imports_nothing_but_its_own_code_and_what_the_runtime_brings(aws: EmbeddedAws) -> None:
    source = "import boto3\ndef handle(event, context):\n    import ministack\n"

    answer, _ = invoke(aws, a_function(aws, source))

    assert answer["errorType"] == "ModuleNotFoundError"


def test_a_functions_message_carries_its_attributes_and_needs_a_grant(aws: EmbeddedAws) -> None:
    source = """
import boto3, os
def handle(event, context):
    attributes = {"reason": {"DataType": "String", "StringValue": "InvalidInput"}}
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody="m", MessageAttributes=attributes)
"""
    queue = a_queue(aws)
    granted = [allow("sqs:SendMessage", arn_of(aws, queue)), allow(["kms:GenerateDataKey", "kms:Decrypt"])]
    refused, _ = invoke(aws, a_function(aws, source, environment={"QUEUE": queue}))

    invoke(aws, a_function(aws, source, statements=granted, environment={"QUEUE": queue}))

    assert "AccessDenied" in refused["errorMessage"]
    [message] = receive(aws, queue)
    assert message["MessageAttributes"]["reason"]["StringValue"] == "InvalidInput"


def test_of_many_conditional_writes_exactly_one_succeeds(aws: EmbeddedAws) -> None:
    dynamodb, table = aws.client("dynamodb"), a_name("table")
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    def claim(owner: int) -> str | None:
        """Take the lease; the owner it has when it is taken already."""
        try:
            dynamodb.update_item(
                TableName=table,
                Key={"pk": {"S": "lease"}},
                UpdateExpression="SET #o = :o",
                ConditionExpression="attribute_not_exists(#o)",
                ExpressionAttributeNames={"#o": "owner"},
                ExpressionAttributeValues={":o": {"N": str(owner)}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except dynamodb.exceptions.ConditionalCheckFailedException as refused:
            return str(refused.response["Item"]["owner"]["N"])
        return None

    with ThreadPoolExecutor(8) as pool:
        losers_saw = list(pool.map(claim, range(8)))

    winner = losers_saw.index(None)
    assert losers_saw == [None if owner == winner else str(winner) for owner in range(8)]
