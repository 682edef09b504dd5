"""Cuts a large file into ranges that are read independently of one another, and puts together what was found. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from lambdas.audiences.rows.check import PART_BYTES, FileCheck, Part, check_range
from lambdas.audiences.rows.columns import Columns
from lambdas.audiences.rows.hash_lines import is_binary
from lambdas.audiences.rows.reading import Reading
from lambdas.files.blocks import LONGEST_LINE
from lambdas.files.tally import Tally
from lambdas.tiktok.errors import InvalidInput

# What one function checks within its time also where every row is looked at field by field.
_LARGEST_RANGE = 256 * 2**20
# Rows further on may be longer than those at the beginning.
_RESERVE = 1.1

Reader = Callable[[int, int], AbstractContextManager[Iterator[bytes]]]
"""Streams the bytes of a file from the first position up to the second."""


@dataclass(frozen=True)
class ByteRange:
    """Whole lines of a file: the bytes ``start`` up to ``end``. Ranges are numbered from 1."""

    number: int
    start: int
    end: int


def range_bytes(head: bytes, columns: Columns | None, reading: Reading, part_bytes: int = PART_BYTES) -> int:
    """How long ranges should be, so that each makes one part; judged by the ``head`` of the file.

    A line that is one hash never gets longer; a raw identifier becomes a hash, and of many columns only some are sent.
    Raises InvalidInput as ``check_file``; ``no_valid_rows`` for a binary file, as what follows its head cannot be told
    from text, nor its @ signs from addresses.
    """
    if columns is None:
        if is_binary(head):
            raise InvalidInput(
                "The file begins like a binary one (an archive, a workbook, Parquet, Avro): one identifier per line is "
                "expected, as text. Nothing was sent.",
                reason="no_valid_rows",
            )
        return part_bytes
    lines = head[: head.rfind(b"\n") + 1]
    check = check_range([lines], 0, columns, reading)
    cleaned = sum(part.bytes for part in check.parts)
    growth = cleaned / len(lines) if cleaned else 1.0
    return int(min(part_bytes / (growth * _RESERVE), _LARGEST_RANGE))


def cut(size: int, longest: int, read: Reader) -> tuple[ByteRange, ...]:
    """Cut a file of ``size`` bytes into ranges of at most ``longest`` bytes, each of which ends with a line.

    Only a line that is itself too long to be a row makes a range longer.
    """
    ranges: list[ByteRange] = []
    start = 0
    while start < size:
        end = start + longest
        end = _end_of_line(start, end, size, read) if end < size else size
        ranges.append(ByteRange(len(ranges) + 1, start, end))
        start = end
    return tuple(ranges)


def merge(checks: Iterable[FileCheck]) -> FileCheck:
    """The check of a whole file from those of its ranges, in their order; its parts are numbered anew."""
    tally = Tally()
    parts: list[Part] = []
    for check in checks:
        for part in check.parts:
            parts.append(replace(part, number=len(parts) + 1, first_line=tally.lines + part.first_line))
        tally.add(check.tally)
    return FileCheck(tally, tuple(parts))


def _end_of_line(start: int, end: int, size: int, read: Reader) -> int:
    """The last end of a line before ``end``; if there is none near, the next one behind it."""
    window = max(start, end - LONGEST_LINE)
    with read(window, end) as chunks:
        found = b"".join(chunks).rfind(b"\n") + 1
    if found:
        return window + found
    with read(end, size) as chunks:
        position = end
        for chunk in chunks:
            found = chunk.find(b"\n") + 1
            if found:
                return position + found
            position += len(chunk)
    return size
