"""``replay``: gives dead letters another try."""

from __future__ import annotations

import click

from cli.aws import Aws, pass_aws
from cli.dead_letters import Selection
from cli.removal import Removal, removal_options
from cli.stack import find_stack, stack_option


@click.command(short_help="Move dead letters back to their queue.")
@removal_options
@stack_option
@pass_aws
def replay(aws: Aws, reasons: tuple[str, ...], keys: tuple[str, ...], yes: bool, stack_name: str) -> None:
    """Move messages from the dead-letter queue back to the queue they came from.

    Mend the cause first: 'status' shows it. What was delivered before is not delivered again.

    Exit status: 0 when everything chosen was moved, or nothing was chosen; 1 otherwise.

    \b
    Example:
      tiktok-connector replay --reason token_rejected --key 'tiktok/loyal/*'
    """
    stack = find_stack(aws.client("cloudformation"), stack_name)
    removal = Removal(
        take=lambda hold, letters, outcome: hold.move(letters, stack.queue_url, outcome),
        verb="move",
        done="moved",
        aim="move back",
        unconfirmed="sent, but perhaps still in the dead-letter queue as well. To move them again is harmless.",
    )
    removal.run(aws, stack, Selection(reasons, keys), asks=not yes)
