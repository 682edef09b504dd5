"""Finds what a deployed stack consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from botocore.exceptions import ClientError

from cli.aws import error_code
from lambdas.contracts import STACK_NAME, Output

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

# CloudFormation has no code of its own for a stack that is missing.
_MISSING = "ValidationError"

stack_option = click.option(
    "--stack",
    "stack_name",
    metavar="NAME",
    default=STACK_NAME,
    envvar="TIKTOK_CONNECTOR_STACK",
    show_default=True,
    show_envvar=True,
    help="The deployed stack.",
)


@dataclass(frozen=True)
class Stack:
    """The stack's resources, as its outputs name them."""

    name: str
    bucket: str
    queue_url: str
    dead_letter_queue_url: str
    ledger_table: str


def find_stack(cloudformation: CloudFormationClient, name: str) -> Stack:
    """Read the outputs of a stack.

    Raises:
        ClickException: the stack, or an output that is needed, is missing; says the remedy.
        BotoCoreError, ClientError: AWS cannot be asked.
    """
    try:
        found = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error_code(error) != _MISSING:
            raise
        found = []
    if not found:
        raise click.ClickException(
            f"There is no stack {name!r} in the region {cloudformation.meta.region_name}. Deploy it with `cdk deploy`, "
            "or choose another with --stack, AWS_REGION or AWS_PROFILE."
        )
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found[0].get("Outputs", [])}
    needed = (Output.BUCKET, Output.QUEUE_URL, Output.DEAD_LETTER_QUEUE_URL, Output.LEDGER_TABLE)
    if missing := [output.value for output in needed if not outputs.get(output)]:
        raise click.ClickException(
            f"The stack {name!r} ({found[0]['StackStatus']}) has no output {', '.join(missing)}. Deploy it again with "
            "audiences_enabled, or choose another with --stack."
        )
    return Stack(name, *(outputs[output] for output in needed))
