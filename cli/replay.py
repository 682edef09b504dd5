"""``replay``: gives dead letters another try."""

from __future__ import annotations

import click

from cli.aws import Aws, pass_aws
from cli.dead_letters import Selection
from cli.removal import Removal, removal_options
from cli.routes import AUDIENCES
from cli.stack import find_stack, stack_option


@click.command(short_help="Move dead letters back to their queue.")
@removal_options
@click.option(
    "--confirm",
    "confirms",
    is_flag=True,
    help="Let a replace that was held as would_shrink or too_few_rows go through. Needs --reason or --key.",
)
@stack_option
@pass_aws
def replay(
    aws: Aws,
    queues: tuple[str, ...],
    reasons: tuple[str, ...],
    keys: tuple[str, ...],
    yes: bool,
    confirms: bool,
    stack_name: str,
) -> None:
    """Move messages from the dead-letter queues back, each to the queue it came from.

    Mend the cause first: 'status' shows it. What was delivered before is not delivered again. A file that would make an
    audience smaller than its settings allow is held: --confirm says that it is meant.

    Exit status: 0 when everything chosen was moved, or nothing was chosen; 1 otherwise; 2 when the command is wrong.

    \b
    Example:
      tiktok-connector replay --reason token_rejected --key 'tiktok/loyal/*'
      tiktok-connector replay --reason would_shrink --key 'tiktok/loyal/*' --confirm
      tiktok-connector replay --queue live-events
    """
    if confirms and not reasons and not keys:
        raise click.UsageError("Say what to confirm, which must not be everything: give --reason, --key or both.")
    if confirms and set(queues) - {AUDIENCES}:
        raise click.UsageError(f"Only messages of --queue {AUDIENCES} are ever held to be confirmed.")
    stack = find_stack(aws.client("cloudformation"), stack_name)
    removal = Removal(
        take=lambda hold, letters, outcome: hold.move(letters, outcome, confirms=confirms),
        verb="move",
        done="moved",
        aim="confirm and move back" if confirms else "move back",
        unconfirmed="sent, but perhaps still in the dead-letter queue as well. To move them again is harmless.",
        caution=", and so confirm what is held" if confirms else "",
    )
    routes = stack.expect_routes([AUDIENCES] if confirms else queues)
    removal.run(aws, routes, Selection(reasons, keys), asks=not yes)
