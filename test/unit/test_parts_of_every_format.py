"""What holds for any file of any format: compressed, cut into chunks and parts, and with people suppressed."""

from __future__ import annotations

import bz2
import gzip
import importlib
import json
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.audiences.domain import refusal
from lambdas.audiences.formats import FORMATS
from lambdas.audiences.rows.check import FileCheck, check_file, clean_part
from lambdas.audiences.rows.reading import Reading
from lambdas.audiences.rows.stream_entries import parse_entry
from lambdas.files import blocks
from lambdas.files.blocks import expand
from lambdas.files.file_types import Compression, FileType, Layout, parse_file_type
from lambdas.identifiers.hashing import md5_hex
from lambdas.identifiers.models import EmailRule, IdentifierSpace, PhoneRule
from lambdas.tiktok.errors import InvalidInput
from test.support.audience_files import SuppressedHashes, any_reading, chunked, read_file
from test.support.builders import any_hashes, as_file

HASHES = any_hashes(8, seed="parts")
ONE, TWO, THREE = HASHES[:3]
MD5 = md5_hex("parts")
VALUES = [
    *HASHES,
    *(MD5, "", "null", "zz", "jane@example.com", "Joe.Doe+x@example.com", "+44 20 7183 8750"),
    *('"', '"a,b"', "a;b", "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25", "\u00e9", "\ud800", "x" * 1100),
]
NAMES = [
    "email_sha256",
    "phone_sha256",
    "idfa_md5",
    "aaid_sha256",
    "maid",
    "email",
    "Phone",
    "audiences",
    "id",
    "x",
    "",
]


def _delimited(rows: list[list[str]], header: list[str], delimiter: str) -> bytes:
    return "\n".join(delimiter.join(row) for row in [header, *rows]).encode(errors="surrogatepass")


def _json_lines(rows: list[list[str]], header: list[str]) -> bytes:
    return "\n".join(json.dumps(dict(zip(header, row, strict=False))) for row in rows).encode()


contents = st.one_of(
    st.tuples(
        st.sampled_from(["file.csv", "file.tsv"]),
        st.builds(
            _delimited,
            st.lists(st.lists(st.sampled_from(VALUES), min_size=2, max_size=4), max_size=12),
            st.lists(st.sampled_from(NAMES), min_size=1, max_size=4),
            st.sampled_from([",", ";", "\t", "|"]),
        ),
    ),
    st.tuples(
        st.just("file.jsonl"),
        st.builds(
            _json_lines,
            st.lists(st.lists(st.sampled_from(VALUES), max_size=4), max_size=12),
            st.lists(st.sampled_from(NAMES), min_size=1, max_size=4),
        ),
    ),
    st.tuples(st.sampled_from(["file.csv", "file.jsonl", "file.csv.gz"]), st.binary(max_size=200)),
)
readings = st.fixed_dictionaries(
    {
        "format_name": st.sampled_from(list(FORMATS)),
        "email_rule": st.sampled_from(EmailRule),
        "phone_rule": st.sampled_from(PhoneRule),
        "allow_raw_identifiers": st.sampled_from([True, True, False]),
        "suppressed": st.sampled_from(
            [
                {},
                {
                    IdentifierSpace.EMAIL_SHA256: SuppressedHashes([ONE]),
                    IdentifierSpace.PHONE_SHA256: SuppressedHashes([ONE]),
                    IdentifierSpace.DEVICE_SHA256: SuppressedHashes([TWO]),
                    IdentifierSpace.DEVICE_MD5: SuppressedHashes([MD5]),
                },
            ]
        ),
    }
)


@settings(max_examples=400)
@given(contents, readings, st.integers(1, 300), st.integers(1, 4000))
def test_no_file_crashes_and_its_parts_together_are_the_whole(
    given_file: tuple[str, bytes], rules: dict[str, Any], size: int, other_size: int
) -> None:
    name, content = given_file
    reading = any_reading(file_name=name, **rules)
    refused = [_refusal(content, reading, each) for each in (size, other_size)]
    assert refused[0] == refused[1]
    if refused[0]:
        return

    whole, one_part = read_file(content, reading, size=other_size)
    check, parts = read_file(content, reading, size=size, part_bytes=400)

    tally = check.tally
    assert tally == whole.tally
    assert tally.read == tally.valid + tally.invalid_rows + tally.suppressed
    assert [part.bytes for part in check.parts] == [len(part) for part in parts]
    assert sum(part.rows for part in check.parts) == tally.valid
    is_table = reading.format.name == "multiple_types"
    together = b"".join(part.split(b"\n", 1)[1] if is_table and number else part for number, part in enumerate(parts))
    assert together == b"".join(one_part)
    assert FileCheck.from_document(json.loads(json.dumps(asdict(check)))) == check
    if reading.suppressed and reading.format.space in (IdentifierSpace.EMAIL_SHA256, IdentifierSpace.PHONE_SHA256):
        assert ONE.encode() not in together


def _refusal(content: bytes, reading: Reading, size: int) -> str:
    try:
        check_file(chunked(content, size), reading)
    except InvalidInput as error:
        return error.reason
    return ""


def test_every_part_of_several_columns_begins_with_the_header() -> None:
    content = b"email_sha256,phone_sha256\n" + b"".join(f"{each},{ONE}\n".encode() for each in any_hashes(50))

    check, parts = read_file(content, any_reading("multiple_types"), size=500, part_bytes=1500)

    assert len(parts) > 4
    assert all(part.startswith(b"email_SHA256,phone_SHA256\n") and len(part) <= 1500 for part in parts)
    assert sum(part.count(b"\n") - 1 for part in parts) == check.tally.valid == 50


def test_the_entries_of_every_part_keep_the_lines_of_the_file() -> None:
    hashes = any_hashes(40)
    content = "email_sha256,aaid_md5,audiences\n\n" + "".join(f"{each},,Foodies\nzz,,\n" for each in hashes)

    check, parts = read_file(content.encode(), any_reading("streaming"), size=200, part_bytes=1000)

    entries = [parse_entry(line) for part in parts for line in part.splitlines()]
    assert len(parts) > 3
    assert check.id_schema == ("EMAIL_SHA256", "AAID_MD5")
    assert check.audiences == ("Foodies",)
    assert [entry.line for entry in entries] == [3 + 2 * number for number in range(40)]
    assert [entry.identifiers for entry in entries] == [(each, "") for each in hashes]
    assert {entry.audiences for entry in entries} == {("Foodies",)}


def test_json_lines_send_only_the_columns_that_came_up() -> None:
    content = f'{{"email_sha256": "{ONE}"}}\n{{"aaid_md5": "{MD5}"}}\n{{"phone_sha256": "zz"}}\n'.encode()

    streaming, _ = read_file(content, any_reading("streaming", "f.jsonl"))
    multiple, _ = read_file(content, any_reading("multiple_types", "f.jsonl"))

    assert streaming.id_schema == ("EMAIL_SHA256", "AAID_MD5")
    assert multiple.slots == ("email_SHA256", "MAID_MD5")


SUPPRESSED = {
    IdentifierSpace.EMAIL_SHA256: SuppressedHashes([TWO]),
    IdentifierSpace.DEVICE_MD5: SuppressedHashes([MD5]),
}


@pytest.mark.parametrize(
    ("format_name", "content", "sent", "suppressed"),
    [
        ("email_sha256", as_file([ONE, TWO, THREE, TWO]), as_file([ONE, THREE]), 2),
        ("email_sha256", as_file([TWO, ONE, TWO]) + b"zz\n", as_file([ONE]), 2),
        ("email_sha256", f"email,x\n{ONE},\n{TWO},\n".encode(), as_file([ONE]), 1),
        ("phone_sha256", as_file([ONE, TWO]), as_file([ONE, TWO]), 0),
        ("gaid_md5", as_file([MD5, md5_hex("x")]), as_file([md5_hex("x")]), 1),
        ("email", as_file([TWO.upper(), ONE]), as_file([ONE]), 1),
        (
            "multiple_types",
            f"email_sha256,idfa_md5,phone_sha256\n{ONE},{MD5},{ONE}\n{ONE},zz,{TWO}\n{TWO},zz,{ONE}\n".encode(),
            f"email_SHA256,MAID_MD5,phone_SHA256\n{ONE},,{TWO}\n".encode(),
            2,
        ),
    ],
)
def test_a_row_with_anybody_suppressed_in_any_column_is_left_out_and_counted(
    format_name: str, content: bytes, sent: bytes, suppressed: int
) -> None:
    check, parts = read_file(content, any_reading(format_name, suppressed=SUPPRESSED))

    assert b"".join(parts) == sent
    assert check.tally.suppressed == suppressed
    assert check.tally.read == check.tally.valid + check.tally.suppressed + check.tally.invalid_rows
    assert check.tally.partial_rows == (1 if format_name == "multiple_types" else 0)


def test_a_file_of_suppressed_people_alone_is_refused_as_that() -> None:
    check, parts = read_file(as_file([TWO, TWO]), any_reading("email_sha256", suppressed=SUPPRESSED))

    refused = refusal(check, max_invalid_ratio=0)

    assert not parts
    assert refused
    assert refused.reason == "all_rows_suppressed"


def test_both_variants_of_a_suppressed_address_are_left_out() -> None:
    known = any_reading("email", email_rule=EmailRule.BOTH)
    older = read_file(b"Joe.Doe@example.com\n", known)[1][0].decode().split()[1]
    suppressed = {IdentifierSpace.EMAIL_SHA256: SuppressedHashes([older])}

    check, parts = read_file(
        b"Joe.Doe@example.com\n", any_reading("email", email_rule=EmailRule.BOTH, suppressed=suppressed)
    )

    assert (check.tally.suppressed, parts) == (1, [])


@pytest.mark.parametrize("name", ["FILE.CSV", "a.b.txt", "file.tsv", "file.jsonl", "file.ndjson.GZ", "file.csv.zst"])
def test_a_file_type_is_read_from_the_end_of_the_name(name: str) -> None:
    parse_file_type(name)


def test_layout_and_compression_are_told_apart() -> None:
    assert parse_file_type("x.NDJSON.gz") == FileType(Layout.JSON_LINES, Compression.GZIP)
    assert parse_file_type("x.tsv.zst") == FileType(Layout.TABS, Compression.ZSTD)


@pytest.mark.parametrize(
    "name", ["file", "file.gz", "file.csv.gz.gz", "file.xlsx", ".", "csv", "file.\u017ft", "file.csv "]
)
def test_another_name_is_refused_with_the_accepted_ones(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"\.csv, \.txt, \.tsv, \.jsonl, \.ndjson") as raised:
        parse_file_type(name)

    assert raised.value.reason == "bad_key"


CLEAN = as_file(any_hashes(2000))


# From Python 3.14 on it is in the standard library, which is what Lambda runs.
zstd = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
PACKED = {
    "one.csv.gz": gzip.compress(CLEAN),
    "several.csv.gz": gzip.compress(CLEAN[:6500]) + gzip.compress(CLEAN[6500:]) + b"\x00" * 512,
    "one.csv.zst": zstd.compress(CLEAN),
    "several.csv.zst": zstd.compress(CLEAN[:6500]) + zstd.compress(CLEAN[6500:]),
}


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize("name", PACKED)
def test_a_compressed_file_becomes_what_it_holds_in_any_cut(name: str, size: int) -> None:
    check, parts = read_file(PACKED[name], any_reading("email_sha256", name), size=size)

    assert b"".join(parts) == CLEAN
    assert check.parts[-1].end == len(CLEAN)


def test_a_gzip_file_of_several_parts_is_read_from_each_parts_position() -> None:
    content = b"".join(HASHES[number % 8].encode() + b"\n" for number in range(80_000))

    check, parts = read_file(gzip.compress(content), any_reading("email_sha256", "f.csv.gz"), part_bytes=2 << 20)

    assert len(check.parts) > 2
    assert b"".join(parts) == content


@pytest.mark.parametrize(
    ("name", "damaged"),
    [
        ("file.csv.gz", gzip.compress(CLEAN)[:-1]),
        ("file.csv.gz", gzip.compress(CLEAN)[:1000]),
        ("file.csv.gz", gzip.compress(CLEAN) + b"more"),
        ("file.csv.gz", gzip.compress(CLEAN)[:2000] + b"\x00\x00\x00" + gzip.compress(CLEAN)[2003:]),
        ("file.csv.gz", CLEAN),
        ("file.csv.gz", zlib.compress(CLEAN)),
        ("file.csv.gz", bz2.compress(CLEAN)),
        ("file.csv.gz", b"\x1f\x8b"),
        ("file.csv.zst", zstd.compress(CLEAN)[:-1]),
        ("file.csv.zst", zstd.compress(CLEAN) + b"more"),
        ("file.csv.zst", CLEAN),
        ("file.csv.zst", b""),
    ],
)
def test_a_damaged_compressed_file_is_refused_whole(name: str, damaged: bytes) -> None:
    with pytest.raises(InvalidInput) as raised:
        read_file(damaged, any_reading("email_sha256", name))

    assert raised.value.reason == "damaged_file"


@pytest.mark.parametrize(("name", "compress"), [("file.csv.gz", gzip.compress), ("file.csv.zst", zstd.compress)])
def test_a_small_file_cannot_expand_without_end(
    monkeypatch: pytest.MonkeyPatch, name: str, compress: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr("lambdas.audiences.rows.check.LARGEST_FILE", 3 << 20)
    bomb = compress(b"\n" * (4 << 20))
    assert len(bomb) < 10_000

    with pytest.raises(InvalidInput) as raised:
        check_file([bomb], any_reading("email_sha256", name))

    assert raised.value.reason == "file_too_large"


def test_without_a_reader_for_zstd_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    blocks._zstd_opener.cache_clear()
    monkeypatch.setattr("lambdas.files.blocks.importlib.import_module", missing)

    with pytest.raises(InvalidInput, match=r"Python 3\.14") as raised:
        expand([b""], Compression.ZSTD, most_bytes=1)

    assert raised.value.reason == "unsupported_compression"


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {"file.csv.gz": gzip.compress, "file.csv.zst": zstd.compress}


def _peak_bytes(name: str, rows: int) -> int:
    packed = COMPRESSORS[name](as_file(HASHES * 500).upper())
    reading = any_reading("email_sha256", name)
    tracemalloc.start()
    check = check_file((packed for _ in range(rows // 4000)), reading, part_bytes=4 << 20)
    for _ in clean_part((packed for _ in range(rows // 4000)), check.parts[-1], check, reading):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert check.tally.valid == rows
    return peak


@pytest.mark.parametrize("name", COMPRESSORS)
def test_memory_does_not_grow_with_a_compressed_file(name: str) -> None:
    small, large = _peak_bytes(name, 40_000), _peak_bytes(name, 400_000)

    assert large < small * 1.2


def test_the_fingerprint_changes_with_all_that_changes_the_cleaned_bytes() -> None:
    different = {
        any_reading("email").fingerprint,
        any_reading("phone").fingerprint,
        any_reading("email", "file.jsonl").fingerprint,
        any_reading("email", email_rule=EmailRule.BOTH).fingerprint,
        any_reading("email", phone_rule=PhoneRule.BOTH).fingerprint,
        any_reading("email", default_country="DE").fingerprint,
    }

    assert len(different) == 6
    assert any_reading("email", suppressed=SUPPRESSED).fingerprint == any_reading("email").fingerprint
