"""Takes a file apart into rows with named fields. Pure, with memory that does not depend on the size of the file.

A line is a row. A quoted line end is not understood, so that a stray quote costs one row and not the rest of the file.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lambdas.events.rows.check import EventRules
from lambdas.events.rows.columns import Columns
from lambdas.events.rows.fields import REQUIRED, meaning_of
from lambdas.events.rows.reasons import EventReason
from lambdas.files.blocks import HEAD_BYTES, LONGEST_LINE, blocks, expand, expect_plain, peek
from lambdas.files.delimited import split_line
from lambdas.files.file_types import Compression, FileType, Layout
from lambdas.tiktok.errors import InvalidInput

# After decompression. What one function cannot check within its time is refused, too.
LARGEST_FILE = 2**30
_DELIMITERS = ",;\t|"
_BLANKS = b" \t\r\v\f"
_BOM = b"\xef\xbb\xbf"
_AROUND_NAMES = " \t\"'\ufeff\u00a0"

Fields = dict[str, Any]
# The fields of a line, or why it has none.
_Parse = Callable[[bytes], Fields | EventReason]


@dataclass(slots=True)
class Row:
    """A line that is not blank: its number, counted from 1, its bytes without the line end, and its fields.

    One of ``fields`` and ``reason``, why there are none, is set. Of a line that is too long, ``raw`` is the head.
    """

    line: int
    raw: bytes
    fields: Fields | None
    reason: EventReason | None


def read_rows(
    chunks: Iterable[bytes],
    file_type: FileType,
    *,
    after_line: int = 0,
    expect: Callable[[Sequence[str]], None] | None = None,
    most_bytes: int = LARGEST_FILE,
) -> Iterator[Row]:
    """The rows of a file after a line. ``expect`` is given the names in the header of a CSV file, and may refuse them.

    Raises:
        InvalidInput: ``bad_header``, what ``expect`` raises, ``damaged_file``, ``file_too_large`` (more than
            ``most_bytes`` when it is decompressed) or ``unsupported_compression``.
    """
    head, stream = peek(expand(chunks, file_type.compression, most_bytes=most_bytes))
    if file_type.compression is Compression.NONE:
        expect_plain(head)
    if file_type.layout is Layout.JSON_LINES:
        yield from _rows(stream, _parse_json, _BLANKS, after_line)
        return
    header_line, names, delimiter = _find_header(head, _DELIMITERS if file_type.layout is not Layout.TABS else "\t")
    if expect is not None:
        expect([name for name in names if name])
    # A line of delimiters alone is what spreadsheets leave below a table.
    blanks = _BLANKS + delimiter.encode()
    parse = functools.partial(_parse_delimited, tuple(names), delimiter)
    yield from _rows(stream, parse, blanks, max(after_line, header_line))


def expect_columns(rules: EventRules, names: Sequence[str]) -> None:
    """Check the names in a header.

    Raises:
        InvalidInput: ``missing_columns``, naming the required columns that it lacks; ``bad_header``, when two of its
            columns mean the same.
    """
    found, _ = Columns(rules.columns).find(names)
    named = {meaning.field.name for meaning in found}
    missing = [name for name, (sources, _) in REQUIRED.items() if rules.source in sources and name not in named]
    if rules.needs_consent and "consent" not in named:
        missing.append("consent")
    if missing:
        raise InvalidInput(
            f"The header names no column for {', '.join(missing)}, which {rules.source} events need. Name the columns "
            "so, or map your own names to these in source.json. Nothing was sent.",
            reason="missing_columns",
        )
    for meaning, keys in found.items():
        if len(keys) > 1 and rules.source in meaning.field.sources:
            raise InvalidInput(
                f"{len(keys)} columns of the header mean {meaning.field.name}. Leave one. Nothing was sent.",
                reason="bad_header",
            )


def _rows(stream: Iterable[bytes], parse: _Parse, blanks: bytes, after_line: int) -> Iterator[Row]:
    number = 0
    for block in blocks(stream):
        data = block.data
        if number < after_line:
            lines_in_block = data.count(b"\n") + (not data.endswith(b"\n"))
            if number + lines_in_block <= after_line:
                number += lines_in_block
                continue
        lines = data.split(b"\n")
        if not lines[-1]:
            lines.pop()
        if number == 0 and lines:
            lines[0] = lines[0].removeprefix(_BOM)
        skipped = max(0, after_line - number)
        for line_number, line in enumerate(itertools.islice(lines, skipped, None), number + skipped + 1):
            if len(line) > LONGEST_LINE:
                yield Row(line_number, line[:LONGEST_LINE], None, EventReason.TOO_LONG)
                continue
            if not line.strip(blanks):
                continue
            line = line.removesuffix(b"\r")
            parsed = parse(line)
            if isinstance(parsed, dict):
                yield Row(line_number, line, parsed, None)
            else:
                yield Row(line_number, line, None, parsed)
        number += len(lines)


def _find_header(head: bytes, delimiters: str) -> tuple[int, list[str], str]:
    """The number of the first line that is not blank, the names in it, and the delimiter between them.

    Of the delimiters, the one that shows most names of ours, then most fields.
    """
    lines = head.removeprefix(_BOM).split(b"\n")
    if len(head) == HEAD_BYTES:
        lines.pop()  # it may go on
    for number, line in enumerate(lines, 1):
        if not line.strip(_BLANKS):
            continue
        try:
            text = line.decode().removesuffix("\r")
        except UnicodeDecodeError:
            raise _bad_header("is not text in UTF-8") from None
        if "\x00" in text:
            raise _bad_header("is not text in UTF-8")  # but in UTF-16
        found = [(fields, each) for each in delimiters if (fields := split_line(text, each)) is not None]
        if not found:
            raise _bad_header("has a quote that is not closed")
        named = [([field.strip(_AROUND_NAMES) for field in fields], each) for fields, each in found]
        names, delimiter = max(named, key=lambda each: (sum(map(bool, map(meaning_of, each[0]))), len(each[0])))
        _expect_different(names)
        return number, names, delimiter
    raise _bad_header("is missing from the first 64 KiB: it names the columns")


def _expect_different(names: Sequence[str]) -> None:
    # The names themselves are not told: without a header, these are somebody's data.
    positions: dict[str, int] = {}
    for position, name in enumerate(names, 1):
        if name and name in positions:
            raise _bad_header(f"names columns {positions[name]} and {position} alike")
        positions[name] = position


def _bad_header(what: str) -> InvalidInput:
    return InvalidInput(f"The header line of the file {what}. Nothing was sent.", reason="bad_header")


def _parse_delimited(names: Sequence[str], delimiter: str, line: bytes) -> Fields | EventReason:
    try:
        texts = split_line(line.decode(), delimiter)
    except UnicodeDecodeError:
        return EventReason.NOT_UTF8
    if texts is None:
        return EventReason.BAD_QUOTES
    if len(texts) != len(names):
        return EventReason.WRONG_FIELD_COUNT
    fields = dict(zip(names, texts, strict=True))
    fields.pop("", None)  # a column without a name, as pandas writes its index
    return fields


class _RepeatedKeyError(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> Fields:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RepeatedKeyError
    return found


# Raises ValueError, also for a key that is there twice, and RecursionError.
parse_json = json.JSONDecoder(object_pairs_hook=_object).decode


def _parse_json(line: bytes) -> Fields | EventReason:
    try:
        parsed = parse_json(line.decode())
    except UnicodeDecodeError:
        return EventReason.NOT_UTF8
    except _RepeatedKeyError:
        return EventReason.REPEATED_KEY
    except (ValueError, RecursionError):
        return EventReason.NOT_JSON
    return parsed if isinstance(parsed, dict) else EventReason.NOT_AN_OBJECT
