"""The rules of the events pipeline: what a key means, and when a file is refused. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lambdas.contracts import EVENTS_PREFIX, REJECTED_PREFIX, SOURCE_FILE
from lambdas.events.file_check import FileCheck
from lambdas.events.rows.file_rows import LARGEST_FILE
from lambdas.files.documents import OnInvalidRow
from lambdas.files.file_types import Compression, FileType, parse_file_type
from lambdas.objects import LONGEST_KEY, ObjectVersion
from lambdas.tiktok.errors import InvalidInput
from lambdas.tiktok.models import EventSource

LONGEST_NAME = 128  # characters of an event source's name
_GRAMMAR = f"{EVENTS_PREFIX}<source>/<event source>/<file>"
# Pixel codes are 20 upper-case letters and digits in all samples, all other ids are decimal (API reference section 7).
_IDS = {
    EventSource.WEB: re.compile(r"[A-Z0-9]{20}"),
    EventSource.APP: re.compile(r"[0-9]{5,20}"),
    EventSource.OFFLINE: re.compile(r"[0-9]{15,20}"),
    EventSource.CRM: re.compile(r"[0-9]{5,20}"),
}
_HAVE_NAMES = (EventSource.WEB, EventSource.OFFLINE)


@dataclass(frozen=True)
class Destination:
    """Where events go: ``name`` is what the user calls the event source, by its id or, for web and offline, a name."""

    source: EventSource
    name: str

    @property
    def id(self) -> str | None:
        """The event source's id, None when it has to be looked up."""
        return self.name if _IDS[self.source].fullmatch(self.name) else None

    @property
    def settings_name(self) -> str:
        """What its settings are remembered under."""
        return f"{EVENTS_PREFIX}{self.source}/{self.name}"

    @property
    def settings_key(self) -> str:
        """Where its settings lie."""
        return f"{self.settings_name}/{SOURCE_FILE}"


@dataclass(frozen=True)
class Target:
    """What a key asks for."""

    destination: Destination
    file_type: FileType = field(default_factory=FileType)


def is_settings_key(key: str) -> bool:
    """Whether an object holds the settings of an event source, and so no events."""
    segments = key.split("/")
    return len(segments) == 4 and f"{segments[0]}/" == EVENTS_PREFIX and all(segments) and segments[3] == SOURCE_FILE


def parse_destination(source: str, name: str) -> Destination:
    """Where events go. Raises InvalidInput ``bad_event_source``, saying what was expected."""
    try:
        destination = Destination(EventSource(source), name)
    except ValueError:
        raise InvalidInput(f"The source is not one of: {', '.join(EventSource)}.", reason="bad_event_source") from None
    if destination.id is None and destination.source not in _HAVE_NAMES:
        raise InvalidInput(
            f"An event source of {destination.source} is named by its id, which is a number.",
            reason="bad_event_source",
        )
    if not (name.strip() and name.isprintable() and len(name) <= LONGEST_NAME):
        raise InvalidInput(
            f"The name of an event source is 1 to {LONGEST_NAME} printable characters.", reason="bad_event_source"
        )
    return destination


def parse_key(key: str) -> Target:
    """Read a key of the grammar ``events/<source>/<event source>/<file>``, where the file may lie in further folders.

    Raises:
        InvalidInput: ``bad_key`` or ``bad_event_source``, saying what was expected.
    """
    try:
        key.encode()
    except UnicodeEncodeError:
        raise InvalidInput("The key is not valid Unicode.", reason="bad_key") from None
    segments = key.split("/")
    if len(segments) < 4 or f"{segments[0]}/" != EVENTS_PREFIX or not all(segments):
        raise InvalidInput(f"The key does not fit {_GRAMMAR}.", reason="bad_key")
    destination = parse_destination(segments[1], segments[2])
    if segments[-1].lower().endswith(".json"):
        raise InvalidInput(
            f"Settings lie in {destination.settings_key}, under no other name and in no further folder; events as JSON "
            "lines end in .jsonl or .ndjson.",
            reason="bad_key",
        )
    return Target(destination, parse_file_type(segments[-1]))


def parse_object(version: ObjectVersion) -> Target:
    """What an object asks for. Raises InvalidInput as ``parse_key``, and ``file_too_large``."""
    target = parse_key(version.key)
    longest = max(rejected_key(version), version.receipt_key, key=len)
    if len(longest.encode()) > LONGEST_KEY:
        raise InvalidInput(
            "The key is too long: S3 would not take the keys of its receipt and of the events that are written back. "
            "Use a shorter one.",
            reason="bad_key",
        )
    if target.file_type.compression is Compression.NONE and version.size > LARGEST_FILE:
        raise InvalidInput(
            f"It has {version.size:,} bytes, and at most {LARGEST_FILE:,} are taken. Split it into several files. "
            "Nothing was sent.",
            reason="file_too_large",
        )
    return target


def rejected_key(version: ObjectVersion) -> str:
    """Where the events of a file are written back that were not sent."""
    return f"{REJECTED_PREFIX}{version.key}/{version.version_id}.jsonl"


def refusal(check: FileCheck, on_invalid_row: OnInvalidRow) -> InvalidInput | None:
    """Why nothing of a checked file is sent, if so."""
    tally = check.tally
    worst = ", ".join(
        f"{reason} ({count})" for reason, count in sorted(tally.invalid.items(), key=lambda each: -each[1])
    )
    if not tally.read and not check.denied:
        return InvalidInput("The file holds no event.", reason="no_events")
    if tally.invalid_rows and on_invalid_row is OnInvalidRow.REFUSE:
        return InvalidInput(
            f"{tally.invalid_rows} of {tally.read} events are not valid, and on_invalid_row is refuse: {worst}. "
            "Nothing was sent. The receipt names the lines.",
            reason="invalid_events",
        )
    if tally.invalid_rows and not tally.valid:
        return InvalidInput(
            f"None of {tally.read} events is valid: {worst}. Nothing was sent. The receipt names the lines.",
            reason="no_valid_event",
        )
    return None
