"""``python -m local.cloud up|down``: keeps a connector running on this machine, to try things by hand."""

from __future__ import annotations

import os

import click

from local.cloud import session
from local.cloud.deployment import DeploymentError, settings_of
from local.cloud.embedded_aws import ROOT, EmbeddedAwsError, MissingPrerequisiteError
from local.cloud.emulated_tiktok import EmulatorError
from local.cloud.instructions import instructions


@click.group()
def main() -> None:
    """The connector on this machine."""


@main.command()
@click.option("--verbose", is_flag=True, help="Show what the CDK CLI says.")
def up(verbose: bool) -> None:
    """Start it, unless it runs already."""
    try:
        connector, is_new = session.up(
            on_step=lambda step: click.echo(f"… {step}", err=True),
            on_line=(lambda line: click.echo(f"    {line}", err=True)) if verbose else None,
        )
    except (DeploymentError, EmbeddedAwsError, EmulatorError, MissingPrerequisiteError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        raise click.ClickException("Interrupted; what was started is stopped.") from None
    click.echo("The connector runs." if is_new else "The connector runs already.", err=True)
    click.echo(session.ENVIRONMENT_FILE.read_text(encoding="utf-8"), nl=False)
    env = os.path.relpath(session.ENVIRONMENT_FILE)
    # The shell looks a bare name up in PATH.
    env = env if "/" in env else f"./{env}"
    log = connector.aws.log.relative_to(ROOT)
    bus_source = settings_of(connector.context).events_bus_source
    text = instructions(connector.outputs, bus_source=bus_source, env=env, tiktok=connector.emulator_url, log=log)
    click.echo(text, err=True)


@main.command()
def down() -> None:
    """Stop it."""
    click.echo("Stopped." if session.down() else "Nothing runs.", err=True)


if __name__ == "__main__":
    main()
