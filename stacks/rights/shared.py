"""Rights that several functions need, and what they are given on."""

from __future__ import annotations

from aws_cdk import ArnFormat, Stack, aws_iam
from constructs import IConstruct

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
