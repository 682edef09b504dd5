"""Rows of a file of events, each with what becomes of it. Pure.

Works on blocks of whole lines, so that memory does not depend on the size of the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from lambdas.events.rows.check import EventChecker, EventRules
from lambdas.events.rows.event import DENIED, CheckedEvent, Denied
from lambdas.events.rows.file_rows import Row, expect_columns, read_rows
from lambdas.events.rows.reasons import InvalidEvent
from lambdas.files.file_types import FileType
from lambdas.files.tally import Tally

_MOST_IGNORED = 100  # names of columns in a receipt
_ROWS_BETWEEN = 5_000


@dataclass(frozen=True)
class Reading:
    """How a file is read. ``now`` is the moment by which the age of events is judged, in seconds since the epoch."""

    file_type: FileType
    rules: EventRules
    now: float


@dataclass
class FileCheck:
    """The result of reading a file to its end. Rows whose consent is denied are not in the tally.

    ``ignored`` are names of columns that were not looked at. ``has_consent`` and ``lacks_consent`` say whether a row
    tells of consent, and whether one does not.
    """

    tally: Tally = field(default_factory=Tally)
    denied: int = 0
    in_milliseconds: int = 0
    ignored: list[str] = field(default_factory=list)
    has_consent: bool = False
    lacks_consent: bool = False

    @property
    def has_gaps_in_consent(self) -> bool:
        """Whether some rows tell of consent and others do not."""
        return self.has_consent and self.lacks_consent

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The inverse of ``dataclasses.asdict``, also after a way through JSON."""
        return cls(**{**document, "tally": Tally(**document["tally"])})


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a row is not sent: a stable code, and a text that holds nothing of the row."""

    reason: str
    detail: str


def judged_rows(
    chunks: Iterable[bytes],
    reading: Reading,
    *,
    after_line: int = 0,
    checker: EventChecker | None = None,
    heed: Callable[[int], None] | None = None,
) -> Iterator[tuple[Row, CheckedEvent | Denied | Rejected]]:
    """The rows of a file after a line, and what becomes of each.

    ``heed`` is told a row's line from time to time, and may raise when it takes too long.

    Raises:
        InvalidInput: the file itself cannot be read: ``damaged_file``, ``file_too_large``, ``bad_header``,
            ``missing_columns``.
    """
    checker = checker or EventChecker(reading.rules, now=reading.now)
    rows = read_rows(
        chunks,
        reading.file_type,
        after_line=after_line,
        expect=lambda names: expect_columns(reading.rules, names),
    )
    for count, row in enumerate(rows):
        if heed is not None and not count % _ROWS_BETWEEN:
            heed(row.line)
        if row.fields is None:
            yield row, Rejected(str(row.reason), "")
            continue
        try:
            yield row, checker.check(row.fields)
        except InvalidEvent as invalid:
            yield row, Rejected(str(invalid.reason), invalid.detail)


def check_rows(
    chunks: Iterable[bytes], reading: Reading, check: FileCheck, heed: Callable[[int], None] | None = None
) -> Iterator[bytes]:
    """Read a file to its end, and count its rows in ``check``. Yields the lines of the file of rejected events.

    Raises as ``judged_rows``.
    """
    tally = check.tally
    checker = EventChecker(reading.rules, now=reading.now)
    for row, outcome in judged_rows(chunks, reading, checker=checker, heed=heed):
        if isinstance(outcome, CheckedEvent):
            tally.accept(1)
            check.in_milliseconds += outcome.was_in_milliseconds
            if outcome.left_out:
                tally.curtail(outcome.left_out[0], row.line)
        elif outcome is DENIED:
            check.denied += 1
        else:
            assert isinstance(outcome, Rejected)
            tally.refuse(outcome.reason, row.line)
            yield rejected_line(row, outcome)
    check.ignored = sorted(checker.ignored)[:_MOST_IGNORED]
    check.has_consent, check.lacks_consent = checker.has_consent, checker.lacks_consent


def rejected_line(row: Row, rejected: Rejected) -> bytes:
    """A line of the file of rejected events: the row as it came, with its number and why it was not sent."""
    told: dict[str, Any] = {"line": row.line, "reason": rejected.reason}
    if rejected.detail:
        told["detail"] = rejected.detail
    told["row"] = row.raw.decode("utf-8", "backslashreplace")
    return json.dumps(told, ensure_ascii=False).encode() + b"\n"
