"""``suppressions``: what must never be sent again, by source and in total."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click
from botocore.exceptions import ClientError

from cli.aws import Aws, error_code, pass_aws
from cli.stack import find_stack, stack_option
from cli.terminal import console, count, table
from lambdas.identifiers.models import IdentifierSpace
from lambdas.suppressions.models import MANIFEST_KEY, Manifest, Source

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class _Total:
    """The sources of a space together. An identifier that two sources hold counts twice."""

    space: str
    sources: int
    entries: int
    filter_bytes: int


@click.command(short_help="List the sources of the suppression list.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@stack_option
@pass_aws
def suppressions(aws: Aws, as_json: bool, stack_name: str) -> None:
    """List the files whose identifiers are never sent again, and how many there are.

    An identifier that stands in two files counts twice.

    \b
    Example:
      tiktok-connector suppressions --json
    """
    stack = find_stack(aws.client("cloudformation"), stack_name)
    manifest = _read_manifest(aws.client("s3"), stack.bucket)
    sources = sorted(manifest.sources, key=lambda source: (source.space, source.added_at, source.id))
    totals = [_total(manifest, space) for space in IdentifierSpace if manifest.sources_of(space)]
    if as_json:
        shown = {
            "stack": stack.name,
            "sources": [_summary(source) for source in sources],
            "totals": [asdict(total) for total in totals],
        }
        click.echo(json.dumps(shown, indent=2))
    elif sources:
        _show(sources, totals)
    else:
        click.echo("Nothing is suppressed.")


def _read_manifest(s3: S3Client, bucket: str) -> Manifest:
    try:
        body = s3.get_object(Bucket=bucket, Key=MANIFEST_KEY)["Body"]
    except ClientError as error:
        if error_code(error) != "NoSuchKey":
            raise
        return Manifest()
    try:
        with body:
            return Manifest.from_document(json.loads(body.read()))
    except (ValueError, RecursionError):
        raise click.ClickException(
            f"{MANIFEST_KEY} is damaged, or was written by another version of the connector. Use the command of the "
            "deployed version, or restore the object's last good version."
        ) from None


def _total(manifest: Manifest, space: IdentifierSpace) -> _Total:
    sources, stored = manifest.sources_of(space), manifest.filters.get(space)
    return _Total(space.value, len(sources), sum(source.count for source in sources), stored.size if stored else 0)


def _summary(source: Source) -> dict[str, object]:
    return {
        "space": source.space.value,
        "key": source.key,
        "version_id": source.version_id,
        "entries": source.count,
        "arrived_at": source.arrived_at,
        "added_at": source.added_at,
    }


def _show(sources: Sequence[Source], totals: Sequence[_Total]) -> None:
    screen = console()
    rows = [(each.space, each.key, each.version_id, each.count, each.added_at) for each in sources]
    screen.print(table(count(len(sources), "source"), ("Space", "Key", "Version", "Entries", "Added at"), rows))
    lines = [(total.space, total.sources, total.entries, total.filter_bytes) for total in totals]
    screen.print(table("Suppressed", ("Space", "Sources", "Entries", "Filter in bytes"), lines))
