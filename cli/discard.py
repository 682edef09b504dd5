"""``discard``: deletes dead letters that can never be delivered."""

from __future__ import annotations

import click

from cli.aws import Aws, pass_aws
from cli.dead_letters import Hold, Selection
from cli.removal import Removal, removal_options
from cli.stack import find_stack, stack_option

_DELETION = Removal(
    take=Hold.discard,
    verb="delete",
    done="deleted",
    aim="delete",
    unconfirmed="SQS did not confirm that they are deleted. Those that 'status' still shows are not: try again.",
    caution=" for good, so that they cannot be replayed",
)


@click.command(short_help="Delete dead letters for good.")
@removal_options
@stack_option
@pass_aws
def discard(
    aws: Aws, queues: tuple[str, ...], reasons: tuple[str, ...], keys: tuple[str, ...], yes: bool, stack_name: str
) -> None:
    """Delete messages from the dead-letter queues for good: they cannot be replayed.

    For what can never be delivered, such as an object under a wrong key. The object itself stays in S3; a live event is
    nowhere else. At least one of --reason and --key is needed; a message must fit all that is given.

    Exit status: 0 when everything chosen was deleted, or nothing was chosen; 1 otherwise; 2 when the command is wrong.

    \b
    Example:
      tiktok-connector discard --reason bad_key --key 'tiktok/loyal/*'
      tiktok-connector discard --queue live-events --reason invalid_event
    """
    if not reasons and not keys:
        raise click.UsageError("Say which messages to delete: give --reason, --key or both.")
    stack = find_stack(aws.client("cloudformation"), stack_name)
    _DELETION.run(aws, stack.expect_routes(queues), Selection(reasons, keys), asks=not yes)
