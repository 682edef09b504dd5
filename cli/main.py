"""The operator's command."""

from __future__ import annotations

from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from cli.audiences import audiences
from cli.aws import explain
from cli.discard import discard
from cli.replay import replay
from cli.status import status
from cli.suppressions import suppressions
from cli.validate import validate


class _ExplainingGroup(click.Group):
    """Says in one line what AWS did not do, and the remedy, whichever command asked for it."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (BotoCoreError, ClientError) as error:
            raise click.ClickException(explain(error)) from None


@click.group(cls=_ExplainingGroup)
def main() -> None:
    """Looks after a deployed TikTok Ads connector.

    The usual AWS variables say where it is: AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL, AWS_CA_BUNDLE.

    \b
    Example:
      tiktok-connector status
    """


main.add_command(audiences)
main.add_command(discard)
main.add_command(replay)
main.add_command(status)
main.add_command(suppressions)
main.add_command(validate)
