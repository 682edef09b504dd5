"""``validate``: what would become of a file, without sending it anywhere."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import IO, Any

import click

from cli.terminal import console, count, printable, table
from lambdas.audiences.delivery import rows_summary
from lambdas.audiences.domain import parse_key, parse_object, refusal
from lambdas.audiences.formats import FORMATS
from lambdas.audiences.rows.check import FileCheck, check_file
from lambdas.audiences.rows.reading import Reading, RowRules
from lambdas.contracts import AUDIENCES_PREFIX, CALCULATE_TYPES
from lambdas.files.tally import Tally
from lambdas.identifiers.models import EmailRule, PhoneRule
from lambdas.identifiers.phones import is_known_country
from lambdas.objects import ObjectVersion
from lambdas.tiktok.errors import InvalidInput

# As the function reads from S3, because parts end where chunks allow it.
_CHUNK_BYTES = 1 << 20
_SHOWN_LINES = 10


@dataclass
class _Chunks:
    """A stream in chunks; ``size`` counts its bytes."""

    stream: IO[bytes]
    size: int = 0

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.stream.read(_CHUNK_BYTES):
            self.size += len(chunk)
            yield chunk


def _ratio(_context: click.Context, _parameter: click.Parameter, value: float) -> float:
    if math.isnan(value):
        raise click.BadParameter("it must be a number from 0 to 1.")
    return value


def _country(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value and not is_known_country(value):
        raise click.BadParameter("it must be an ISO 3166 code of two letters, as DE.")
    return value.upper() if value else None


@click.command(short_help="Check an audience file offline.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True))
@click.option(
    "--format",
    "format_name",
    required=True,
    type=click.Choice(list(FORMATS), case_sensitive=False),
    help="What the file holds.",
)
@click.option(
    "--allow-raw-identifiers",
    is_flag=True,
    help="As the setting: hash what is not hashed yet.",
)
@click.option("--default-country", callback=_country, help="Where phone numbers without + are dialled, as DE.")
@click.option("--email-rule", type=click.Choice([each.value for each in EmailRule]), default="plain", show_default=True)
@click.option("--phone-rule", type=click.Choice([each.value for each in PhoneRule]), default="plus", show_default=True)
@click.option(
    "--max-invalid-ratio",
    type=click.FloatRange(0, 1),
    callback=_ratio,
    default=0.01,
    show_default=True,
    help="How much of the file may be invalid; as max_invalid_ratio of the deployment.",
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def validate(
    file: str,
    format_name: str,
    allow_raw_identifiers: bool,
    default_country: str | None,
    email_rule: str,
    phone_rule: str,
    max_invalid_ratio: float,
    as_json: bool,
) -> None:
    """Check FILE ("-" is standard input, of plain text) as the connector would, offline.

    The end of its name says how it is read: .csv, .txt, .tsv, .jsonl or .ndjson, and .gz or .zst after it.
    Shows the counts and reasons that the receipt would hold, never a row.

    Exit status: 0 when the file would be accepted, 1 when it would be refused, 2 when the command is wrong.

    \b
    Example:
      tiktok-connector validate loyal.csv --format email_sha256
    """
    rules = RowRules(allow_raw_identifiers, EmailRule(email_rule), PhoneRule(phone_rule), default_country)
    key = f"{AUDIENCES_PREFIX}audience/{format_name}/{'file.csv' if file == '-' else PurePath(file).name}"
    try:
        with click.open_file(file, "rb") as stream:
            document = {"file": file} | _check(stream, key, format_name, rules, max_invalid_ratio)
    except OSError as error:
        raise click.ClickException(f"The file cannot be read: {error.strerror}.") from None
    if as_json:
        click.echo(json.dumps(document, indent=2))
    else:
        _show(document)
    if not document["accepted"]:
        raise click.exceptions.Exit(1)


def _check(stream: IO[bytes], key: str, format_name: str, rules: RowRules, max_invalid_ratio: float) -> dict[str, Any]:
    """What ``--json`` prints, but for the file's name. Rows and parts are those of the receipt, also of a refusal."""
    chunks = _Chunks(stream)
    check, refused = FileCheck(Tally(), ()), None
    try:
        target = parse_key(key, CALCULATE_TYPES)
        check = check_file(chunks, Reading(target.format, target.file_type, rules))
    except InvalidInput as error:
        refused = error
    # What is refused before it is read, in the very words of the pipeline, comes first.
    refused = _refusal_of_object(key, chunks.size, rules) or refused
    refused = refused or refusal(check, FORMATS[format_name.lower()], max_invalid_ratio=max_invalid_ratio)
    return {
        "format": format_name.upper(),
        "accepted": refused is None,
        "reason": refused.reason if refused else None,
        "detail": str(refused) if refused else None,
        "rows": rows_summary(check.tally, sent=0 if refused else check.tally.valid),
        "parts": [{"number": part.number, "rows": part.rows, "bytes": part.bytes} for part in check.parts],
    }


def _refusal_of_object(key: str, size: int, rules: RowRules) -> InvalidInput | None:
    try:
        parse_object(
            ObjectVersion("bucket", key, "version", size, ""),
            CALCULATE_TYPES,
            allow_raw_identifiers=rules.allow_raw_identifiers,
        )
    except InvalidInput as error:
        return error
    return None


def _show(document: dict[str, Any]) -> None:
    screen = console()
    rows = document["rows"]
    verdict = "would be accepted" if document["accepted"] else f"would be refused ({document['reason']})"
    click.echo(f"{printable(document['file'])} {verdict} as {document['format'].lower()}")
    if document["detail"]:
        click.echo(document["detail"])
    names = (
        ("read", "read"),
        ("sent", "to be sent"),
        ("withheld", "withheld"),
        ("invalid", "invalid"),
        ("partial", "without a field"),
    )
    counts = [(shown, rows[name]) for name, shown in names]
    counts.append(("blank lines", rows["blank_lines"]))
    screen.print(table("", ("Rows", "Count"), [*counts, ("header", "yes" if rows["header"] else "no")]))
    for name, title in (("invalid_by_reason", "Invalid because"), ("partial_by_reason", "Without a field because")):
        reasons = [
            (reason, found["count"], _lines(found["lines"], found["count"])) for reason, found in rows[name].items()
        ]
        if reasons:
            screen.print(table("", (title, "Rows", "At lines"), reasons))
    parts = [(part["number"], part["rows"], part["bytes"]) for part in document["parts"]]
    screen.print(table(count(len(parts), "part") + " planned", ("Part", "Rows", "Bytes"), parts))


def _lines(lines: list[int], found: int) -> str:
    shown = ", ".join(map(str, lines[:_SHOWN_LINES]))
    return f"{shown} and others" if found > _SHOWN_LINES else shown
