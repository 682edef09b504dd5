"""`python -m bench`: measures, prints a table, and writes results.md."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import click

from bench.comparisons import COMPARISONS, QUICK, WHOLE
from bench.report import show, write

_HERE = Path(__file__).parent


@click.command()
@click.option("--quick", is_flag=True, help="A tenth of the size, for which the targets are not meant, to try it out.")
@click.option("--runs", type=click.IntRange(1), help="How many turns each comparison takes.")
@click.option(
    "--only", type=click.Choice(tuple(COMPARISONS)), multiple=True, help="Some comparisons; writes no results."
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the results all the same."
)
def main(quick: bool, runs: int | None, only: tuple[str, ...], output: Path | None) -> None:
    """Measure how fast and how frugal the connector is, beside simpler ways to do the same."""
    scale = QUICK if quick else WHOLE
    if runs is not None:
        scale = replace(scale, runs=runs)
    if output is None and not (quick or only):
        output = _HERE / "results.md"
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name in only or COMPARISONS:
            click.echo(f"measuring: {name}", err=True)
            found += list(COMPARISONS[name](scale, Path(folder)))
    show(found)
    if output is not None:
        size = f"a file of {scale.file_bytes / 10**6:,.0f} MB, {scale.events:,} events, {scale.runs} turns"
        write(output, found, scale=size, notes=(_HERE / "notes.md").read_text())
        click.echo(f"written: {output.name}", err=True)


if __name__ == "__main__":
    main(prog_name="python -m bench")
