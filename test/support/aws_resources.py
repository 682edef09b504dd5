"""Resources of an AWS, made with boto3 alone: what the conformance tests try the embedded AWS with."""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from collections.abc import Sequence
from typing import Any

from local.cloud.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from test.support.waiting import wait_until

_numbers = itertools.count(1)


def a_name(kind: str) -> str:
    return f"{kind}-{next(_numbers)}"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | Sequence[str], resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


FOR_RULES: dict[str, Any] = {"Principal": {"Service": "events.amazonaws.com"}}


def a_key(aws: EmbeddedAws, *, for_rules: bool = True) -> str:
    """The ARN of a key whose use the account's policies decide, and which rules may use or not."""
    statements = [allow("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})]
    if for_rules:
        statements.append(allow(["kms:GenerateDataKey", "kms:Decrypt"], **FOR_RULES))
    arn: str = aws.client("kms").create_key(Policy=policy(*statements))["KeyMetadata"]["Arn"]
    return arn


def a_queue(aws: EmbeddedAws, *, key: str = "", for_rules: bool = True, **attributes: Any) -> str:
    """The URL of an encrypted queue, as the connector's are, to which rules may deliver or not."""
    name = a_name("queue")
    values = {attribute: str(value) for attribute, value in attributes.items()}
    values["KmsMasterKeyId"] = key or a_key(aws)
    if for_rules:
        values["Policy"] = policy(allow("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", **FOR_RULES))
    url: str = aws.client("sqs").create_queue(QueueName=name, Attributes=values)["QueueUrl"]
    return url


def a_bucket(aws: EmbeddedAws, key: str = "") -> str:
    """A versioned bucket that announces its objects, encrypted with this key if there is one."""
    s3, bucket = aws.client("s3"), a_name("bucket")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    if key:
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        s3.put_bucket_encryption(
            Bucket=bucket,
            ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": default}]},
        )
    return bucket


def a_rule(aws: EmbeddedAws, bucket: str, *queues: str, prefixes: Sequence[str] = ("tiktok/",)) -> str:
    """A rule that delivers the announcements of what lies under the prefixes to these queues, in this order."""
    events, name = aws.client("events"), a_name("rule")
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": each} for each in prefixes]}},
    }
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    targets = [{"Id": str(number), "Arn": arn_of(aws, queue)} for number, queue in enumerate(queues)]
    events.put_targets(Rule=name, Targets=targets)
    return name


def arn_of(aws: EmbeddedAws, queue_url: str) -> str:
    answer = aws.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    arn: str = answer["Attributes"]["QueueArn"]
    return arn


def receive(aws: EmbeddedAws, queue_url: str, count: int = 1, timeout: float = 20.0) -> list[dict[str, Any]]:
    """Take this many messages out of a queue, each once."""
    sqs, taken = aws.client("sqs"), []

    def enough() -> bool:
        answer = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
        )
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            taken.append(message)
        return len(taken) >= count

    wait_until(enough, timeout, what=f"{count} messages in {queue_url.rsplit('/', 1)[-1]}")
    return taken


def depth(aws: EmbeddedAws, queue_url: str) -> int:
    """How many messages a queue holds, hidden ones included."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = aws.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)
    return sum(int(answer["Attributes"][name]) for name in names)


def a_function(
    aws: EmbeddedAws,
    source: str,
    *,
    statements: Sequence[dict[str, Any]] = (),
    environment: dict[str, str] | None = None,
    timeout: int = 10,
    memory: int = 256,
) -> str:
    """A function whose module holds `source`, under a role that may do what the statements say."""
    name = a_name("function")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam = aws.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="policy", PolicyDocument=policy(*statements))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("module.py", source)
    aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.14",
        Role=role,
        Handler="module.handle",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": environment or {}},
        Timeout=timeout,
        MemorySize=memory,
    )
    return name


def invoke(aws: EmbeddedAws, function: str) -> tuple[Any, bool]:
    """What the function answered, and whether that is an error."""
    answer = aws.client("lambda").invoke(FunctionName=function, Payload=b"{}")
    return json.loads(answer["Payload"].read()), "FunctionError" in answer


class Consumer:
    """A queue with a dead-letter queue, consumed by a function that reports every attempt to a third queue."""

    ACTIONS = (
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
    )
    REPORT = """
import boto3, json, os, time
sqs = boto3.client("sqs")
def report(record, **more):
    said = {"body": record["body"], "attempt": int(record["attributes"]["ApproximateReceiveCount"]), "at": time.time()}
    sqs.send_message(QueueUrl=os.environ["REPORTS"], MessageBody=json.dumps(said | more))
"""

    def __init__(
        self,
        aws: EmbeddedAws,
        source: str,
        *,
        visibility: int,
        max_receives: int = 10,
        batch_size: int = 1,
        window: int = 0,
        concurrency: int = 2,
        without: str = "",
    ) -> None:
        """`without` names an action that the function's role is not granted; a batch may fill for `window` seconds."""
        self.aws = aws
        self.dead_letters = a_queue(aws)
        self.reports = a_queue(aws)
        redrive = {"deadLetterTargetArn": arn_of(aws, self.dead_letters), "maxReceiveCount": max_receives}
        self.queue = a_queue(aws, VisibilityTimeout=visibility, RedrivePolicy=json.dumps(redrive))
        function = a_function(
            aws,
            self.REPORT + source,
            statements=[allow([action for action in self.ACTIONS if action != without])],
            environment={"REPORTS": self.reports, "QUEUE": self.queue},
            timeout=visibility,
        )
        aws.client("lambda").create_event_source_mapping(
            FunctionName=function,
            EventSourceArn=arn_of(aws, self.queue),
            BatchSize=batch_size,
            MaximumBatchingWindowInSeconds=window,
            FunctionResponseTypes=["ReportBatchItemFailures"],
            ScalingConfig={"MaximumConcurrency": concurrency},
        )

    def send(self, *bodies: str) -> None:
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        self.aws.client("sqs").send_message_batch(QueueUrl=self.queue, Entries=entries)

    def attempts(self, count: int) -> list[dict[str, Any]]:
        messages = receive(self.aws, self.reports, count, timeout=30)
        return sorted((json.loads(message["Body"]) for message in messages), key=lambda attempt: attempt["at"])
