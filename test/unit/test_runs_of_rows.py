"""The fast path of the row cleaner: it gives what looking at every line by itself gives, however a file is cut."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lambdas.audiences.formats import FORMATS
from lambdas.audiences.rows.hash_lines import BLANKS, BOM, HashLineCleaner
from lambdas.audiences.rows.plain import LONGEST_VALUE, is_header, reason_of
from lambdas.files.tally import Tally
from lambdas.identifiers.models import HashAlgorithm
from test.support.audience_files import SuppressedHashes, any_reading, read_file
from test.support.builders import any_hashes, as_file

HASHES = any_hashes(40, seed="runs")
BINARY = (b"BZh", b"PK\x03\x04", b"\xfd7zXZ", b"PAR1", b"Obj\x01")
SUPPRESSED = SuppressedHashes(HASHES[3:6])


def line_by_line(source: bytes, suppressed: SuppressedHashes | None = None) -> tuple[bytes, Tally]:
    """What is sent of a file, and what is counted, without any care for speed."""
    tally, clean = Tally(), []
    header_possible = True
    for number, line in enumerate(_lines(source.removeprefix(BOM)), start=1):
        if source.startswith(BINARY):
            address = re.fullmatch(rb"[!-?A-~]+@[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)+", line.strip(BLANKS))
            tally.refuse("plain_email" if address and len(line) <= LONGEST_VALUE else "not_utf8", number)
            continue
        value = line if len(line) > LONGEST_VALUE else _undressed(line)
        if not value:
            tally.blank += 1
            continue
        if re.fullmatch(rb"[0-9A-Fa-f]{64}", value):
            is_out = suppressed is not None and bool(suppressed.positions(bytes.fromhex(value.decode())))
            tally.accept(1, suppressed=int(is_out))
            clean.append(b"" if is_out else value.lower() + b"\n")
        elif header_possible and len(value) <= LONGEST_VALUE and is_header(value):
            tally.header = True
        else:
            tally.refuse(reason_of(value), number)
        header_possible = False
    return b"".join(clean), tally


def _lines(text: bytes) -> list[bytes]:
    lines = text.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def _undressed(line: bytes) -> bytes:
    value = line.strip(BLANKS)
    if len(value) >= 2 and value[:1] == value[-1:] and value[:1] in (b'"', b"'"):
        value = value[1:-1].strip(BLANKS)
    if value and (value[0] > 127 or value[-1] > 127):
        try:
            return value.decode().strip().strip("\ufeff\u200b").strip().encode()
        except UnicodeDecodeError:
            return value
    return value


def _dressed(hashes: Iterable[str], dress: str) -> bytes:
    return "".join(dress.format(value) for value in hashes).encode()


hashes = st.lists(st.sampled_from(HASHES), max_size=9)
dresses = st.sampled_from(["{}\n", "{}\r\n", '"{}"\n', '"{}"\r\n', "'{}'\n", " {}\n", "{}\r\r\n", '{}"\n', '"{}\n'])
runs = st.builds(_dressed, hashes, dresses)
dirt = st.one_of(
    st.sampled_from(
        [b"", b"\n", b"\r\n", BOM, b"BZh", b'"', b"email\n", b"jane@example.com\n", b"+442071838750\r\n", b"x" * 1100]
    ),
    st.binary(max_size=70).map(lambda line: line + b"\n"),
    st.sampled_from(HASHES).map(lambda value: value[1:].encode() + b"\n"),
    st.sampled_from(HASHES).map(lambda value: value.encode() + b"0\n"),
    st.sampled_from(HASHES).map(lambda value: value[:-1].encode() + b"G\n"),
)
stretches = st.one_of(runs, runs.map(bytes.upper), dirt)
files = st.lists(stretches, max_size=12).map(b"".join)


@given(files, st.integers(1, 3000), st.booleans())
@example(b"BZh\n" + as_file(HASHES), 70, False)
@example(_dressed(HASHES, '"{}"\r\n').upper() + b"2024-01-01T12:30\n" + as_file(HASHES), 400, True)
def test_runs_of_rows_give_what_each_row_by_itself_gives(source: bytes, size: int, suppresses: bool) -> None:
    suppressed = SUPPRESSED if suppresses else None
    space = FORMATS["email_sha256"].space
    assert space is not None
    reading = any_reading("email_sha256", suppressed={space: suppressed} if suppressed else None)
    assume(not source.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")))  # compressed: refused whole

    check, parts = read_file(source, reading, part_bytes=8 * 65 + 3000, size=size)

    assert (b"".join(parts), check.tally) == line_by_line(source, suppressed)


@pytest.mark.parametrize("dress", ["{}\n", "{}\r\n", '"{}"\n', '"{}"\r\n'])
@pytest.mark.parametrize("rows", [1, 2, 3, 1023, 1024, 1025, 5000])
def test_a_run_of_any_length_is_cleaned_whole(dress: str, rows: int) -> None:
    values = any_hashes(rows, seed="run")
    cleaner = HashLineCleaner(HashAlgorithm.SHA256, None)

    assert cleaner.clean(b"\n" + _dressed(values, dress) + b"nonsense\n") == as_file(values)

    assert cleaner.tally.valid == rows
    assert cleaner.tally.invalid_lines == {"not_hex": [rows + 2]}


def test_a_block_that_is_clean_is_passed_on_as_it_is() -> None:
    block = as_file(HASHES)

    assert HashLineCleaner(HashAlgorithm.SHA256, None).clean(block) is block


def test_hashes_of_32_digits_run_as_well() -> None:
    values = [value[:32] for value in HASHES]
    reading = any_reading("gaid_md5")
    source = _dressed(values, '"{}"\r\n') + b"\n" + as_file(values).upper()

    for size in (100, 1000, 10_000):
        check, parts = read_file(source, reading, size=size)
        assert b"".join(parts) == as_file(values) * 2
        assert check.tally.blank == 1
