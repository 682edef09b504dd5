"""``validate``: what would become of a file, without sending it anywhere."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePath
from typing import IO, Any

import click
from click.core import ParameterSource

from cli.audience_check import check_audience_file, show_audience_check
from cli.event_check import EventCheck, show_event_check
from cli.terminal import printable
from lambdas.audiences.formats import FORMATS
from lambdas.audiences.rows.reading import RowRules
from lambdas.identifiers.models import EmailRule, PhoneRule
from lambdas.identifiers.phones import is_known_country
from lambdas.objects import LARGEST_DOCUMENT
from lambdas.tiktok.models import EventSource
from stacks.settings import Settings

# Parameters that say something of one kind of file only.
_OF_AUDIENCES = ("allow_raw_identifiers", "email_rule", "phone_rule", "max_invalid_ratio")
_OF_EVENTS = ("settings", "now", "max_age_days", "rejected")
_AGES = Settings().max_event_age_days


def _ratio(_context: click.Context, _parameter: click.Parameter, value: float) -> float:
    if math.isnan(value):
        raise click.BadParameter("it must be a number from 0 to 1.")
    return value


def _country(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value and not is_known_country(value):
        raise click.BadParameter("it must be an ISO 3166 code of two letters, as DE.")
    return value.upper() if value else None


def _moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise click.BadParameter("it must be ISO 8601 with a zone, as 2026-11-22T08:30:00Z.") from None


@click.command(short_help="Check a file of an audience or of events offline.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True))
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(FORMATS), case_sensitive=False),
    help="What an audience file holds.",
)
@click.option("--source", type=click.Choice([each.value for each in EventSource]), help="Where events happened.")
@click.option(
    "--default-country", "--country", callback=_country, help="Where phone numbers without + are dialled, as DE."
)
@click.option(
    "--allow-raw-identifiers",
    is_flag=True,
    help="Audiences: as the setting, hash what is not hashed yet.",
)
@click.option(
    "--email-rule",
    type=click.Choice([each.value for each in EmailRule]),
    default="plain",
    show_default=True,
    help="Audiences.",
)
@click.option(
    "--phone-rule",
    type=click.Choice([each.value for each in PhoneRule]),
    default="plus",
    show_default=True,
    help="Audiences.",
)
@click.option(
    "--max-invalid-ratio",
    type=click.FloatRange(0, 1),
    callback=_ratio,
    default=0.01,
    show_default=True,
    help="Audiences: how much of the file may be invalid; as max_invalid_ratio of the deployment.",
)
@click.option(
    "--settings",
    type=click.Path(exists=True, dir_okay=False, readable=True),
    help="Events: the source.json that lies beside the file.",
)
@click.option("--now", callback=_moment, metavar="TIME", help="Events: when the file would arrive, if not now.")
@click.option(
    "--max-age-days",
    type=click.IntRange(1, 3650),
    help="Events: as max_event_age_days of the deployment.  [default: "
    f"{', '.join(f'{source} {days}' for source, days in _AGES.items())}]",
)
@click.option(
    "--rejected",
    type=click.Path(dir_okay=False, writable=True),
    help="Events: write those that are not valid here, with line and reason. They come as they are, personal data and "
    "all.",
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def validate(
    context: click.Context,
    file: str,
    format_name: str | None,
    source: str | None,
    default_country: str | None,
    allow_raw_identifiers: bool,
    email_rule: str,
    phone_rule: str,
    max_invalid_ratio: float,
    settings: str | None,
    now: float | None,
    max_age_days: int | None,
    rejected: str | None,
    as_json: bool,
) -> None:
    """Check FILE ("-" is standard input, of plain text) as the connector would, offline.

    An audience file needs --format, a file of events --source. The end of its name says how it is read: .csv, .txt,
    .tsv, .jsonl or .ndjson, and .gz or .zst after it. Shows the counts and reasons that the receipt would hold, never a
    row.

    Exit status: 0 when the file would be accepted, 1 when it would be refused, 2 when the command is wrong.

    \b
    Example:
      tiktok-connector validate loyal.csv --format email_sha256
      tiktok-connector validate orders.jsonl --source web --settings source.json
    """
    _expect_one_kind(context, is_audience=format_name is not None, is_events=source is not None)
    file_name = "file.csv" if file == "-" else PurePath(file).name
    document: dict[str, Any] = {"file": file}
    try:
        with click.open_file(file, "rb") as stream:
            if format_name is not None:
                rules = RowRules(allow_raw_identifiers, EmailRule(email_rule), PhoneRule(phone_rule), default_country)
                document |= check_audience_file(stream, file_name, format_name, rules, max_invalid_ratio)
            else:
                event_source = EventSource(str(source))
                check = EventCheck(
                    event_source,
                    now=time.time() if now is None else now,
                    max_age_days=max_age_days or _AGES[event_source],
                    default_country=default_country,
                    settings=_head(settings) if settings else None,
                    settings_name=printable(settings or ""),
                )
                with _written(rejected, unlike=(file, settings)) as lines:
                    document |= check.run(stream, file_name, lines) | {"rejected": rejected}
    except OSError as error:
        raise click.ClickException(f"A file cannot be read or written: {error.strerror}.") from None
    if as_json:
        click.echo(json.dumps(document, indent=2))
    elif format_name is not None:
        show_audience_check(document)
    else:
        show_event_check(document)
    if not document["accepted"]:
        raise click.exceptions.Exit(1)


def _expect_one_kind(context: click.Context, *, is_audience: bool, is_events: bool) -> None:
    if is_audience == is_events:
        raise click.UsageError("Say what the file holds: --format for an audience file, --source for events.")
    strangers = _OF_EVENTS if is_audience else _OF_AUDIENCES
    for parameter in context.command.params:
        given = context.get_parameter_source(str(parameter.name)) is not ParameterSource.DEFAULT
        if parameter.name in strangers and given:
            kind = "an audience file" if is_audience else "events"
            raise click.UsageError(f"{parameter.opts[0]} says nothing of {kind}.")


def _head(path: str) -> bytes:
    """The content, but for what makes it too large anyway."""
    with Path(path).open("rb") as stream:
        return stream.read(LARGEST_DOCUMENT + 1)


@contextmanager
def _written(path: str | None, *, unlike: tuple[str | None, ...]) -> Iterator[IO[bytes] | None]:
    """A new file, for its owner alone; None where none is asked for. It must not take the place of what is read."""
    if path is None:
        yield None
        return
    if os.path.exists(path) and any(each and os.path.exists(each) and os.path.samefile(path, each) for each in unlike):
        raise click.UsageError("--rejected names a file that is read.")
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
        yield stream
