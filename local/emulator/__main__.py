"""`python -m local.emulator`: runs the emulator until it is interrupted."""

import json
import signal
import threading

import click

from .credentials import DEFAULT_ACCESS_TOKEN, DEFAULT_ADVERTISER_ID
from .event_sources import (
    DEFAULT_CRM_EVENT_SET_ID,
    DEFAULT_OFFLINE_EVENT_SET_ID,
    DEFAULT_PIXEL_CODE,
    DEFAULT_TIKTOK_APP_ID,
)
from .server import DEFAULT_HOST, EmulatorServer

DEFAULT_PORT = 8700


def _as_settings(_: click.Context, __: click.Parameter, pairs: tuple[str, ...]) -> dict[str, object]:
    settings: dict[str, object] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        try:
            settings[name.strip()] = json.loads(value)
        except ValueError:
            separator = ""
        if not separator:
            raise click.BadParameter(f"{pair!r} is not of the form name=value, the value being a number, true or false")
    return settings


@click.command()
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65_535), help="0: a free one.")
@click.option("--host", default=DEFAULT_HOST, show_default=True)
@click.option("--access-token", default=DEFAULT_ACCESS_TOKEN, show_default=True, help="The token that is accepted.")
@click.option("--advertiser-id", default=DEFAULT_ADVERTISER_ID, show_default=True, help="The advertiser that exists.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", callback=_as_settings, help="Any setting.")
def main(port: int, host: str, access_token: str, advertiser_id: str, settings: dict[str, object]) -> None:
    """Answer like TikTok's API for Business."""
    try:
        emulator = EmulatorServer(port, host, access_token=access_token, advertiser_id=advertiser_id, settings=settings)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--set") from None
    interrupted = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: interrupted.set())
    with emulator:
        click.echo(f"address:       {emulator.url}")
        click.echo(f"access token:  {access_token}")
        click.echo(f"advertiser id: {advertiser_id}")
        click.echo(f"pixel code:    {DEFAULT_PIXEL_CODE}")
        click.echo(f"app id:        {DEFAULT_TIKTOK_APP_ID}")
        click.echo(f"offline set:   {DEFAULT_OFFLINE_EVENT_SET_ID}")
        click.echo(f"CRM set:       {DEFAULT_CRM_EVENT_SET_ID}")
        interrupted.wait()


if __name__ == "__main__":
    main(prog_name="python -m local.emulator")
