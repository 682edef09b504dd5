"""Rights that several functions need, and what they are given on."""

from __future__ import annotations

from aws_cdk import ArnFormat, Stack, aws_iam
from constructs import IConstruct

from lambdas.contracts import RECEIPTS_PREFIX, SUPPRESSION_LIST_PREFIX
from stacks.foundation import Foundation
from stacks.parts.connector_function import ConnectorFunction
from stacks.parts.queue_with_dead_letters import QueueWithDeadLetters
from stacks.parts.rule_to_queue import RuleToQueue


def let_function_remember(function: ConnectorFunction, foundation: Foundation) -> None:
    """What every function needs: the key, the ledger, the credentials."""
    function.may("kms:Decrypt", "kms:GenerateDataKey", on=foundation.key.key_arn)
    # Documents are read by the conditional updates that claim them; what nobody changes is only read.
    function.may("dynamodb:GetItem", "dynamodb:UpdateItem", on=foundation.ledger.table_arn)
    function.may("secretsmanager:GetSecretValue", on=foundation.secret_arn)


def let_function_consume(function: ConnectorFunction, queue: QueueWithDeadLetters) -> None:
    """Take messages off the queue, put them back, and bury them."""
    # Receiving and deleting is what the event source does, with the rights of the function.
    function.may(
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",  # what has to wait is put back with a delay
        on=queue.queue.queue_arn,
    )
    function.may("sqs:SendMessage", on=queue.dead_letters.queue_arn)


def let_function_announce(function: ConnectorFunction) -> None:
    """Publish on the account's default event bus."""
    bus = Stack.of(function).format_arn(service="events", resource="event-bus", resource_name="default")
    function.may("events:PutEvents", on=bus)


def let_function_read_uploads(function: ConnectorFunction, foundation: Foundation, prefix: str) -> None:
    """Read what users put below a prefix."""
    function.may(
        "s3:GetObject",
        "s3:GetObjectVersion",
        on=foundation.bucket.arn_for_objects(f"{prefix}*"),
        any_because="it reads whatever is uploaded below this prefix, and nothing else",
    )


def let_function_write_receipts(function: ConnectorFunction, foundation: Foundation) -> None:
    """Say what became of uploads."""
    function.may(
        "s3:PutObject",
        on=foundation.bucket.arn_for_objects(f"{RECEIPTS_PREFIX}*"),
        any_because="it writes one receipt per upload below this prefix, and nothing else",
    )


def let_function_leave_people_out(function: ConnectorFunction, foundation: Foundation) -> None:
    """Read the suppression list, and see whether there is one."""
    function.may(
        "s3:GetObject",
        on=foundation.bucket.arn_for_objects(f"{SUPPRESSION_LIST_PREFIX}*"),
        any_because="it reads the suppression list, whose parts get new names with every change",
    )
    # Without it a missing object answers 403, which looks like a right that is missing.
    function.may("s3:ListBucket", on=foundation.bucket.bucket_arn)


def let_rule_fill_queue(rule: RuleToQueue, queue: QueueWithDeadLetters) -> None:
    """This one rule, and no other. Rules may use the key already (the stack)."""
    for target in (queue.queue, queue.dead_letters):
        target.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid="MessagesOfTheRule",
                principals=[aws_iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[target.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.rule_arn}},
            )
        )


def arn_here(scope: IConstruct, service: str, resource: str, name: str) -> str:
    """The ARN of something in this account and region."""
    return Stack.of(scope).format_arn(
        service=service, resource=resource, resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
    )
