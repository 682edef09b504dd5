"""Finds what a deployed stack consists of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from botocore.exceptions import ClientError

from cli.aws import error_code
from cli.routes import AUDIENCES, EVENTS, LIVE_EVENTS, ROUTES, SWITCHES, Route
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


# Queue and dead-letter queue of each route, which is not there when its pipeline is switched off.
OUTPUTS = {
    AUDIENCES: (Output.QUEUE_URL, Output.DEAD_LETTER_QUEUE_URL),
    EVENTS: (Output.EVENT_QUEUE_URL, Output.EVENT_DEAD_LETTER_QUEUE_URL),
    LIVE_EVENTS: (Output.LIVE_EVENT_QUEUE_URL, Output.LIVE_EVENT_DEAD_LETTER_QUEUE_URL),
}


@dataclass(frozen=True)
class Stack:
    """The stack's resources, as its outputs name them. ``routes`` are those of the pipelines that are switched on."""

    name: str
    bucket: str
    ledger_table: str
    routes: tuple[Route, ...]

    @property
    def switched_off(self) -> tuple[str, ...]:
        """Names of the routes that are not there."""
        there = {route.name for route in self.routes}
        return tuple(name for name in ROUTES if name not in there)

    def expect_routes(self, names: Sequence[str] = ()) -> tuple[Route, ...]:
        """The routes of these names, or all that there are.

        Raises:
            ClickException: one of them is switched off, or all are; says the remedy.
        """
        off = [name for name in names if name in self.switched_off] if names else self.switched_off
        if off and (names or not self.routes):
            switches = " and ".join(dict.fromkeys(SWITCHES[name] for name in off))
            raise click.ClickException(
                f"The stack {self.name!r} has no queue for {', '.join(off)}: that is switched off. Set {switches} to "
                "true in cdk.context.json and deploy it again, or choose another with --stack."
            )
        return tuple(route for route in self.routes if not names or route.name in names)


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
    there = {route: both for route, both in OUTPUTS.items() if any(outputs.get(output) for output in both)}
    needed = (Output.BUCKET, Output.LEDGER_TABLE, *(output for both in there.values() for output in both))
    if missing := [output.value for output in needed if not outputs.get(output)]:
        raise click.ClickException(
            f"The stack {name!r} ({found[0]['StackStatus']}) has no output {', '.join(missing)}. Deploy it again, or "
            "choose another with --stack."
        )
    return Stack(
        name,
        bucket=outputs[Output.BUCKET],
        ledger_table=outputs[Output.LEDGER_TABLE],
        routes=tuple(Route(route, outputs[queue], outputs[dead]) for route, (queue, dead) in there.items()),
    )
