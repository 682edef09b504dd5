"""What would become of an audience file, in the very words of its pipeline."""

from __future__ import annotations

from typing import IO, Any

import click

from cli.checked_files import Chunks, reason_table, refusal_of
from cli.terminal import console, count, printable, table
from lambdas.audiences.delivery import rows_summary
from lambdas.audiences.domain import parse_key, parse_object, refusal
from lambdas.audiences.formats import FORMATS
from lambdas.audiences.rows.check import FileCheck, check_file
from lambdas.audiences.rows.reading import Reading, RowRules
from lambdas.contracts import AUDIENCES_PREFIX, CALCULATE_TYPES
from lambdas.files.tally import Tally
from lambdas.objects import ObjectVersion
from lambdas.tiktok.errors import InvalidInput


def check_audience_file(
    stream: IO[bytes], file_name: str, format_name: str, rules: RowRules, max_invalid_ratio: float
) -> dict[str, Any]:
    """What ``--json`` prints, but for the file's path. Rows and parts are those of the receipt, also of a refusal."""
    key = f"{AUDIENCES_PREFIX}audience/{format_name}/{file_name}"
    chunks = Chunks(stream)
    check, refused = FileCheck(Tally(), ()), None
    try:
        target = parse_key(key, CALCULATE_TYPES)
        check = check_file(chunks, Reading(target.format, target.file_type, rules))
    except InvalidInput as error:
        refused = error
    # What is refused before it is read, in the very words of the pipeline, comes first.
    version = ObjectVersion("bucket", key, "version", chunks.size, "")
    allows_raw = rules.allow_raw_identifiers
    refused = refusal_of(lambda: parse_object(version, CALCULATE_TYPES, allow_raw_identifiers=allows_raw)) or refused
    refused = refused or refusal(check, FORMATS[format_name.lower()], max_invalid_ratio=max_invalid_ratio)
    return {
        "format": format_name.upper(),
        "accepted": refused is None,
        "reason": refused.reason if refused else None,
        "detail": str(refused) if refused else None,
        "rows": rows_summary(check.tally, sent=0 if refused else check.tally.valid),
        "parts": [{"number": part.number, "rows": part.rows, "bytes": part.bytes} for part in check.parts],
    }


def show_audience_check(document: dict[str, Any]) -> None:
    """For people."""
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
        if rows[name]:
            screen.print(reason_table(title, "Rows", rows[name]))
    parts = [(part["number"], part["rows"], part["bytes"]) for part in document["parts"]]
    screen.print(table(count(len(parts), "part") + " planned", ("Part", "Rows", "Bytes"), parts))
