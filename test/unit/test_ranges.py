"""Large files are cut into ranges, and what is found in them is put together."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.audiences.domain import refusal
from lambdas.audiences.rows.check import MOST_PARTS, PART_BYTES, FileCheck, Part, check_range, clean_part, find_layout
from lambdas.audiences.rows.ranges import ByteRange, Reader, cut, merge, range_bytes
from lambdas.audiences.rows.reading import Reading
from lambdas.files.tally import Tally
from lambdas.identifiers.models import EmailRule, IdentifierSpace
from test.support.audience_files import SuppressedHashes, any_reading, chunked, read_file
from test.support.builders import any_hashes, as_file

HASHES = any_hashes(6, seed="ranges")
ROW = 65  # bytes of a SHA-256 in hex and its line end
DIRTY = ["", "zz", "x" * 300, HASHES[1].upper(), f'"{HASHES[2]}"', f"{HASHES[3]}\r", "a,b", "\u00e9"]


def reader_of(content: bytes, size: int = 1 << 20) -> Reader:
    @contextmanager
    def read(start: int, end: int) -> Iterator[Iterator[bytes]]:
        yield chunked(content[start:end], size)

    return read


def check_in_ranges(content: bytes, reading: Reading, longest: int) -> tuple[FileCheck, list[bytes]]:
    """The check of a file in ranges, and what each of its parts sends."""
    layout = find_layout(content[: 1 << 16], reading)
    checks, parts = [], []
    for each in cut(len(content), longest, reader_of(content)):
        check = check_range([content[each.start : each.end]], each.start, layout, reading)
        checks.append(check)
        parts += [b"".join(clean_part([content[part.start : part.end]], part, check, reading)) for part in check.parts]
    return merge(checks), parts


def without_header(part: bytes, reading: Reading) -> bytes:
    return part.split(b"\n", 1)[1] if reading.format.kind is None else part


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from([*HASHES, *DIRTY]), max_size=40),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.integers(1, 700),
)
def test_ranges_of_one_hash_a_line_give_what_the_whole_gives(
    rows: list[str], line_end: str, ends: bool, longest: int
) -> None:
    suppressed = {IdentifierSpace.EMAIL_SHA256: SuppressedHashes([HASHES[4]])}
    reading = any_reading("email_sha256", suppressed=suppressed)
    content = (line_end.join([HASHES[0], *rows]) + line_end * ends).encode()

    whole, together = read_file(content, reading)
    check, parts = check_in_ranges(content, reading, longest)

    assert check.tally == whole.tally
    assert b"".join(parts) == b"".join(together)
    assert [part.number for part in check.parts] == list(range(1, len(check.parts) + 1))
    assert [part.bytes for part in check.parts] == list(map(len, parts))


@settings(max_examples=300)
@given(
    st.sampled_from(["email", "phone", "multiple_types", "email_sha256"]),
    st.lists(
        st.tuples(*[st.sampled_from([*HASHES, *DIRTY[:3], "Jane@example.com", "+442071838750"])] * 3), max_size=30
    ),
    st.booleans(),
    st.integers(1, 900),
)
def test_ranges_of_columns_and_of_json_lines_give_what_the_whole_gives(
    format_name: str, rows: list[tuple[str, ...]], is_json: bool, longest: int
) -> None:
    names = ["email_sha256", "phone", "email"]
    reading = any_reading(format_name, "file.jsonl" if is_json else "file.csv", email_rule=EmailRule.BOTH)
    first = (HASHES[0], "+442071838751", "joe@example.com")
    if is_json:
        lines = [json.dumps(dict(zip(names, row, strict=True))) for row in [first, *rows]]
    else:
        lines = [",".join(names), *(",".join(row) for row in [first, *rows])]
        longest = max(longest, len(lines[0]) + len(lines[1]) + 2)
    content = "\n".join(lines).encode()

    whole, together = read_file(content, reading)
    check, parts = check_in_ranges(content, reading, longest)

    assert check.tally == whole.tally
    sent = b"".join(without_header(part, reading) for part in parts)
    expected = b"".join(without_header(part, reading) for part in together)
    # Each part names the columns that it has.
    fields = [sorted(filter(None, line.split(b","))) for line in sent.splitlines()]
    assert fields == [sorted(filter(None, line.split(b","))) for line in expected.splitlines()]


@given(st.binary(max_size=400), st.integers(1, 50))
def test_ranges_are_the_whole_file_and_end_with_lines(content: bytes, longest: int) -> None:
    ranges = cut(len(content), longest, reader_of(content, size=7))

    assert b"".join(content[each.start : each.end] for each in ranges) == content
    assert [each.number for each in ranges] == list(range(1, len(ranges) + 1))
    assert all(content[: each.end].endswith(b"\n") for each in ranges[:-1])
    assert all(each.start < each.end for each in ranges)
    # Longer only for a single line that is.
    assert all(
        content[each.start : each.end - 1].count(b"\n") == 0 for each in ranges if each.end - each.start > longest
    )


class LineEnds:
    """A file of hashes, as far as its line ends go; counts what is read of it."""

    def __init__(self) -> None:
        self.bytes_read = 0

    @contextmanager
    def __call__(self, start: int, end: int) -> Iterator[Iterator[bytes]]:
        self.bytes_read += end - start
        yield iter([bytes(10 if (position + 1) % ROW == 0 else 48 for position in range(start, end))])


def test_25_gigabytes_of_hashes_make_as_many_parts_as_an_audience_takes_files() -> None:
    rows = 25_000_000_000 // ROW
    read = LineEnds()

    ranges = cut(rows * ROW, range_bytes(as_file(HASHES), None, any_reading("email_sha256")), read)

    assert len(ranges) == 497
    assert len(ranges) <= MOST_PARTS
    assert (ranges[0].start, ranges[-1].end) == (0, rows * ROW)
    assert all(before.end == after.start for before, after in itertools.pairwise(ranges))
    assert all(each.start % ROW == each.end % ROW == 0 for each in ranges)
    assert max(each.end - each.start for each in ranges) <= PART_BYTES
    assert read.bytes_read < 40_000_000
    check = merge(_clean(each) for each in ranges)
    assert check.tally.valid == rows
    assert refusal(check, max_invalid_ratio=0) is None


def _clean(each: ByteRange) -> FileCheck:
    rows = (each.end - each.start) // ROW
    return FileCheck(Tally(read=rows, valid=rows), (Part(1, each.start, each.end, rows, each.end - each.start),))


def test_more_parts_than_an_audience_takes_files_are_refused_with_the_arithmetic() -> None:
    parts = tuple(Part(number, 0, 0, 1, PART_BYTES) for number in range(1, MOST_PARTS + 2))
    allowed = FileCheck(Tally(read=MOST_PARTS, valid=MOST_PARTS), parts[:-1])
    refused = refusal(FileCheck(Tally(read=501, valid=501), parts), max_invalid_ratio=0)

    assert refusal(allowed, max_invalid_ratio=0) is None
    assert refused is not None
    assert refused.reason == "file_too_large"
    assert "501 parts of at most 50,331,648 bytes (25,216,155,648 bytes of rows in all)" in str(refused)
    assert "500 files an audience (25,165,824,000 bytes)" in str(refused)


@pytest.mark.parametrize(
    ("format_name", "line", "least", "most"),
    [
        ("email_sha256", HASHES[0], PART_BYTES, PART_BYTES),
        # 21 bytes become 65.
        ("email", "jane.doe@example.com", 14_000_000, 16_000_000),
        # Of 200 bytes, 65 are sent.
        ("multiple_types", f"{HASHES[0]},{'x' * 134}", 140_000_000, 160_000_000),
    ],
)
def test_a_range_is_as_long_as_makes_one_part(format_name: str, line: str, least: int, most: int) -> None:
    reading = any_reading(format_name)
    head = "\n".join([*(["email_sha256,note"] if format_name == "multiple_types" else []), *[line] * 300, ""]).encode()

    assert least <= range_bytes(head, find_layout(head, reading), reading) <= most


def test_what_a_range_sends_is_no_longer_than_a_part_where_the_rows_grow() -> None:
    reading = any_reading("email")
    content = "".join(f"somebody.{number}@example.com\n" for number in range(5_000)).encode()

    longest = range_bytes(content[: 1 << 16], find_layout(content, reading), reading, part_bytes=30_000)
    check, parts = check_in_ranges(content, reading, longest)

    assert check.tally.valid == 5_000
    assert all(25_000 < len(part) <= 30_000 for part in parts[:-1])
