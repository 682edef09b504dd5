"""What would become of a file of events, in the very words of its pipeline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import IO, Any

import click

from cli.checked_files import Chunks, reason_table, refusal_of
from cli.terminal import console, count, printable, table
from lambdas.contracts import EVENTS_PREFIX
from lambdas.events.delivery import Progress, events_summary
from lambdas.events.domain import parse_key, parse_object, refusal
from lambdas.events.file_check import FileCheck, Reading, check_rows
from lambdas.events.preparation import Deployment
from lambdas.events.source_settings import SourceSettings, parse_settings
from lambdas.objects import ObjectVersion
from lambdas.tiktok.errors import InvalidInput
from lambdas.tiktok.models import EventSource

# An id as every source may have one: which event source it is makes no difference to the check.
_ANY_ID = "0" * 20


@dataclass(frozen=True)
class EventCheck:
    """How a file is checked. ``now`` is in seconds since the epoch, ``settings`` the content of a ``source.json``.

    ``settings_name`` is what an error calls these; ``default_country`` holds where they name none.
    """

    source: EventSource
    now: float
    max_age_days: int
    default_country: str | None = None
    settings: bytes | None = None
    settings_name: str = ""

    def run(self, stream: IO[bytes], file_name: str, rejected: IO[bytes] | None) -> dict[str, Any]:
        """What ``--json`` prints, but for the file's path. The events are those of the receipt, also of a refusal.

        A ``stream`` of JSON may have to be read twice. ``rejected`` is given what would be written back: every event
        that is not valid, as it came.
        """
        key = f"{EVENTS_PREFIX}{self.source}/{_ANY_ID}/{file_name}"
        chunks = Chunks(stream)
        check, refused = FileCheck(), None
        try:
            settings = self._parse_settings()
            rules = Deployment({self.source: self.max_age_days}, self.default_country).rules(self.source, settings)
            reading = Reading(parse_key(key).file_type, rules, self.now)
            check = _read(chunks, reading, rejected)
            if check.has_gaps_in_consent and not rules.needs_consent:
                stream.seek(0)
                reading = replace(reading, rules=replace(rules, needs_consent=True))
                check = _read(Chunks(stream), reading, rejected)
            refused = refusal(check, settings.on_invalid_row)
        except InvalidInput as error:
            refused = error
        # What is refused before it is read comes first.
        version = ObjectVersion("bucket", key, "version", chunks.size, "")
        refused = refusal_of(lambda: parse_object(version)) or refused
        return {
            "source": self.source.value,
            "accepted": refused is None,
            "reason": refused.reason if refused else None,
            "detail": str(refused) if refused else None,
            "events": events_summary(check, Progress(accepted=0 if refused else check.tally.valid)),
            "ignored_columns": check.ignored,
        }

    def _parse_settings(self) -> SourceSettings:
        if self.settings is None:
            return SourceSettings()
        return parse_settings(self.source)(self.settings, self.settings_name)


def _read(chunks: Chunks, reading: Reading, rejected: IO[bytes] | None) -> FileCheck:
    """Raises InvalidInput; then nothing is written back, as from any file that cannot be read to its end."""
    check = FileCheck()
    _empty(rejected)
    try:
        for line in check_rows(chunks, reading, check):
            if rejected is not None:
                rejected.write(line)
    except InvalidInput:
        _empty(rejected)
        raise
    return check


def _empty(rejected: IO[bytes] | None) -> None:
    if rejected is not None:
        rejected.seek(0)
        rejected.truncate()


def show_event_check(document: dict[str, Any]) -> None:
    """For people."""
    screen = console()
    events = document["events"]
    verdict = "would be accepted" if document["accepted"] else f"would be refused ({document['reason']})"
    click.echo(f"{printable(document['file'])} {verdict} as {document['source']} events")
    if document["detail"]:
        click.echo(document["detail"])
    names = (
        ("read", "read"),
        ("sent", "to be sent"),
        ("withheld", "withheld"),
        ("invalid", "invalid"),
        ("denied", "consent denied"),
        ("partial", "without a value"),
        ("in_milliseconds", "time in milliseconds"),
    )
    screen.print(table("", ("Events", "Count"), [(shown, events[name]) for name, shown in names]))
    for name, title in (("invalid_by_reason", "Invalid because"), ("partial_by_reason", "Without a value because")):
        if events[name]:
            screen.print(reason_table(title, "Events", events[name]))
    ignored = document["ignored_columns"]
    if ignored:
        click.echo(f"{count(len(ignored), 'column')} passed over: {', '.join(map(printable, ignored))}")
    if document["rejected"] is not None:
        click.echo(f"{count(events['invalid'], 'event')} written to {printable(document['rejected'])}")
