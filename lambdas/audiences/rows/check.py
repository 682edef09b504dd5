"""Rows of an audience file: reads a file to its end, counts its rows, plans the parts, and cleans each of them. Pure.

Works on blocks of whole lines, so that memory does not depend on the size of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

from lambdas.audiences.rows.columns import Columns, find_columns, no_such_column
from lambdas.audiences.rows.hash_lines import HashLineCleaner
from lambdas.audiences.rows.reading import Reading
from lambdas.files.blocks import between, blocks, expand, expect_plain, in_slices, peek
from lambdas.files.file_types import Compression
from lambdas.files.tally import Tally
from lambdas.tiktok.models import IdSchema

# 50 MB is the smallest of TikTok's documented limits for one file (API reference section 3.1).
PART_BYTES = 48 * 2**20
# What one function reads within its time, where a file cannot be cut: twice 49 parts.
LARGEST_FILE = 2 * 49 * PART_BYTES
MOST_PARTS = 500  # files of one audience, section 3.4
# Whatever is cleaned away from it, a larger file is hardly one that fits.
LARGEST_CUT_FILE = 2 * MOST_PARTS * PART_BYTES
# A short raw value becomes one or two long hashes: so much of a file is at most 2 MiB once cleaned.
_SLICE = 1 << 15


@dataclass(frozen=True)
class Part:
    """A slice of a file that is sent alone: source bytes ``start`` up to ``end``, ``bytes`` once cleaned.

    Positions are those after decompression. ``first_line`` is the number of the line at ``start``, from 1.
    """

    number: int
    start: int
    end: int
    rows: int
    bytes: int
    first_line: int = 1


@dataclass(frozen=True)
class FileCheck:
    """The result of reading a file, or a range of it, to its end.

    ``columns`` says how its lines are taken apart, None that each is one hash. ``slots`` are the columns that are sent,
    where there are several, and ``audiences`` the further audiences that its rows name (streaming).
    """

    tally: Tally
    parts: tuple[Part, ...]
    columns: Columns | None = None
    slots: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()

    @property
    def id_schema(self) -> tuple[IdSchema, ...]:
        """What the identifiers of an entry are, one by one, on the streaming route."""
        return tuple(map(IdSchema, self.slots))

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The inverse of ``dataclasses.asdict``, also after a way through JSON."""
        columns = document.get("columns")
        return cls(
            Tally(**document["tally"]),
            tuple(Part(**part) for part in document["parts"]),
            columns and Columns.from_document(columns),
            tuple(document.get("slots", ())),
            tuple(document.get("audiences", ())),
        )


class _Cleaner(Protocol):
    tally: Tally
    line: int

    @property
    def lines_sent(self) -> int: ...

    def clean(self, block: bytes) -> bytes: ...


def check_file(chunks: Iterable[bytes], reading: Reading, part_bytes: int = PART_BYTES) -> FileCheck:
    """Read a file to its end; count its rows and cut it into parts of at most ``part_bytes`` once cleaned.

    Parts end where blocks end, so ``part_bytes`` must not be smaller than a cleaned block: 2 MiB, or one of ``chunks``
    if they are larger.

    Raises:
        InvalidInput: the file is refused before its rows are judged: ``no_header``, ``no_such_column``,
            ``too_many_columns``, ``too_many_audiences``, ``raw_identifiers_not_allowed``, ``damaged_file``,
            ``file_too_large``, ``unsupported_compression``.
    """
    head, source = peek(expand(chunks, reading.file_type.compression, most_bytes=LARGEST_FILE))
    return check_range(source, 0, find_layout(head, reading), reading, part_bytes)


def find_layout(head: bytes, reading: Reading) -> Columns | None:
    """How the lines of a file are taken apart that begins with ``head``. Raises InvalidInput as ``check_file``."""
    if reading.file_type.compression is Compression.NONE:
        expect_plain(head)
    return find_columns(head, reading)


def check_range(
    source: Iterable[bytes], start: int, columns: Columns | None, reading: Reading, part_bytes: int = PART_BYTES
) -> FileCheck:
    """As ``check_file``, of whole lines from byte ``start`` on, decompressed, whose ``columns`` are known.

    Lines are counted from there. Raises InvalidInput as ``check_file``.
    """
    at_start = start == 0
    if columns is None:
        hashes = _hash_line_cleaner(reading, at_start=at_start)
        return FileCheck(hashes.tally, tuple(part for part, _ in _plan(source, hashes, part_bytes, start)))
    # Imported only where a file has columns, with all that hashes raw identifiers: that is a part of the cold start.
    from lambdas.audiences.rows.entries import EntryCleaner, empty_field_bytes, header_line

    entries = EntryCleaner(reading, columns, at_start=at_start)
    prefix = header_line(reading.format, entries.slots)
    plan = _plan(in_slices(source, _SLICE), entries, part_bytes, start, len(prefix))
    if at_start and entries.foreign_rows and entries.foreign_rows == entries.tally.read:
        raise no_such_column(reading.format)
    slots = entries.slots
    if columns.is_json:
        slots = tuple(slot for slot, used in zip(slots, entries.used, strict=True) if used)
    # Any key may come up until the last line of JSON lines: only now is it known how many columns there are.
    shorter = len(prefix) - len(header_line(reading.format, slots))
    shorter_lines = empty_field_bytes(reading.format) * (len(entries.slots) - len(slots))
    parts = (replace(part, bytes=part.bytes - shorter - lines * shorter_lines) for part, lines in plan)
    named = () if reading.format.kind else slots
    return FileCheck(entries.tally, tuple(parts), columns, named, tuple(entries.audiences))


def clean_part(chunks: Iterable[bytes], part: Part, check: FileCheck, reading: Reading) -> Iterator[bytes]:
    """The cleaned content of a part, from the chunks of its ``source_span``.

    On the streaming route each line is one that ``parse_entry`` reads, its identifiers in the order of the check's
    ``id_schema``; else it is what is uploaded.
    """
    compression = reading.file_type.compression
    source = expand(chunks, compression, most_bytes=LARGEST_FILE)
    if compression is not Compression.NONE:
        source = between(source, part.start, part.end)
    at_start = part.start == 0
    cleaner: _Cleaner
    if check.columns is None:
        cleaner = _hash_line_cleaner(reading, at_start=at_start)
    else:
        from lambdas.audiences.rows.entries import EntryCleaner, header_line

        slots = None if reading.format.kind else check.slots
        cleaner = EntryCleaner(reading, check.columns, slots=slots, at_start=at_start, lines_before=part.first_line - 1)
        source = in_slices(source, _SLICE)
        header = header_line(reading.format, check.slots)
        if header:
            yield header
    for block in blocks(source, part.start):
        yield cleaner.clean(block.data)


def source_span(part: Part, reading: Reading) -> tuple[int, int] | None:
    """The bytes of the object that ``clean_part`` needs; None for all: what is compressed is read from its start."""
    return (part.start, part.end) if reading.file_type.compression is Compression.NONE else None


def _hash_line_cleaner(reading: Reading, *, at_start: bool = True) -> HashLineCleaner:
    assert reading.format.algorithm is not None
    assert reading.format.space is not None
    return HashLineCleaner(reading.format.algorithm, reading.suppressed.get(reading.format.space), at_start=at_start)


def _plan(
    source: Iterable[bytes], cleaner: _Cleaner, part_bytes: int, start: int, header_bytes: int = 0
) -> list[tuple[Part, int]]:
    """The parts, with how many lines each of them has below its header."""
    plan: list[tuple[Part, int]] = []
    end = start
    size = rows = lines = 0
    first_line = 1
    for block in blocks(source, start):
        valid, sent, line = cleaner.tally.valid, cleaner.lines_sent, cleaner.line
        length = len(cleaner.clean(block.data))
        if size and header_bytes + size + length > part_bytes:
            plan.append((Part(len(plan) + 1, start, end, rows, header_bytes + size, first_line), lines))
            start, first_line = end, line + 1
            size = rows = lines = 0
        end = block.end
        size += length
        rows += cleaner.tally.valid - valid
        lines += cleaner.lines_sent - sent
    if rows:
        plan.append((Part(len(plan) + 1, start, end, rows, header_bytes + size, first_line), lines))
    return plan
