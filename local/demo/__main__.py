"""What ``make demo`` runs: the connector on this machine, shown doing its work.

The template that ``cdk deploy`` ships is deployed into an embedded AWS, beside an emulator of TikTok. Every step waits
until what it promises was seen to happen; one that is not ends the demo with exit status 1.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from local.cloud.deployment import DeploymentError
from local.cloud.embedded_aws import EmbeddedAwsError, MissingPrerequisiteError
from local.cloud.emulated_tiktok import EmulatorError
from local.cloud.session import LocalConnector
from local.demo import event_story, story
from local.demo.stage import NotSeenError, Stage
from local.demo.telling import tell


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[str], None]]:
    """Announces a step, and ticks off the one before it."""
    with console.status("…") as status:
        current: list[tuple[str, float]] = []

        def finish() -> None:
            for step, started in current:
                console.print(f"[green]✔[/] {step} [dim]({time.monotonic() - started:.0f} s)[/]", highlight=False)
            current.clear()

        def announce(step: str) -> None:
            finish()
            current.append((step, time.monotonic()))
            status.update(f"{step} …")

        yield announce
        finish()


def main() -> int:
    """Run the demo; 0 only if every step was seen to happen."""
    console = Console()
    started = time.monotonic()
    connector = LocalConnector()
    try:
        with _progress(console) as announce:
            connector.on_step = announce
            connector.start()
        console.print(
            f"    template sha256 {connector.template_sha256[:16]}…, TikTok emulator at {connector.emulator_url}\n"
        )
        stage = Stage(connector)
        tell("Audiences", story.STEPS, stage, console)
        tell("Events", event_story.STEPS, stage, console)
        story.summarise(stage, console)
        event_story.summarise(stage, console)
        stage.command("status", "--receipts", "40", show=True)
    except KeyboardInterrupt:
        console.print("[red]✘ interrupted[/]")
        return 130
    except (NotSeenError, DeploymentError, EmbeddedAwsError, EmulatorError, MissingPrerequisiteError) as error:
        console.print(f"[red]✘ not seen:[/] {error}", highlight=False)
        return 1
    finally:
        with console.status("stopping what was started …"):
            connector.stop()
    console.print(
        f"\n[green]✔[/] Every step was seen to happen, and all is stopped ({time.monotonic() - started:.0f} s)."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
