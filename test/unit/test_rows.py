"""The row cleaner: what is sent, what is counted, and that no input gets past it."""

import gzip
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambdas.audiences.formats import FORMATS
from lambdas.audiences.rows.check import FileCheck, check_file, clean_part
from lambdas.audiences.rows.reading import Reading
from lambdas.files.blocks import blocks
from lambdas.tiktok.errors import InvalidInput
from test.support.builders import any_hashes, as_file

EMAILS = Reading(FORMATS["email_sha256"])
ONE, TWO, THREE = any_hashes(3, seed="rows")


def chunked(content: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def sent(content: bytes, check: FileCheck, size: int = 1 << 20) -> bytes:
    return b"".join(
        piece
        for part in check.parts
        for piece in clean_part(chunked(content[part.start : part.end], size), part, check, EMAILS)
    )


@pytest.mark.parametrize(
    "content",
    [
        f"{ONE}\n{TWO}\n",
        f"{ONE}\n{TWO}",
        f"{ONE}\r\n{TWO}\r\n",
        f"\ufeff{ONE}\n{TWO}\n",
        f"\ufeffemail_sha256\r\n{ONE}\r\n{TWO}",
        f"Email Address\n{ONE}\n{TWO}\n",
        f'"hash"\n"{ONE}"\n"{TWO}"\n',
        f"  {ONE}\t\n\t'{TWO}'  \n",
        f'" {ONE} "\n{TWO}\n',
        f"\n\n{ONE}\n\n   \n{TWO}\n\n",
        f"{ONE.upper()}\n{TWO[:32].upper()}{TWO[32:]}\n",
        f"\u00a0{ONE}\u00a0\n{TWO}\u200b\n",
        f"\n \r\nE-mail (SHA-256)\n{ONE}\n{TWO}\n",
    ],
)
def test_harmless_dirt_is_cleaned(content: str) -> None:
    source = content.encode()

    check = check_file([source], EMAILS)

    assert sent(source, check) == f"{ONE}\n{TWO}\n".encode()
    assert check.tally.read == check.tally.valid == 2
    assert check.tally.invalid == {}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("jane@example.com", "plain_email"),
        ("JANE.DOE+tag@EXAMPLE.COM", "plain_email"),
        (f"{ONE},jane@example.com", "plain_email"),
        ("Jane Doe <jane@example.com>", "plain_email"),
        ("jane%40example.com", "plain_email"),
        ("jane\uff20example.com", "plain_email"),
        ("mailto:jane@example.com", "plain_email"),
        ("+442071838750", "plain_phone"),
        ("+44 20 7183 8750", "plain_phone"),
        ("(020) 7183-8750", "plain_phone"),
        ("tel:+44-20-7183-8750", "plain_phone"),
        ("0044.20.7183.8750", "plain_phone"),
        ("\uff10\uff12\uff10\uff17\uff11\uff18\uff13\uff18", "plain_phone"),
        (f"{ONE};02071838750", "plain_phone"),
        ("5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25", "plain_device_id"),
        ("{5F3A2B18-9C4D-4E7F-B8E2-17D3A1E69B25}", "plain_device_id"),
        (f"{ONE}|5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25", "plain_device_id"),
        ("jane @ example.com", "plain_email"),
        ("+44\u201120\u20117183\u20118750", "plain_phone"),
        ("+1 555 123 4567 x12", "plain_phone"),
        ("phone: +15551234567", "plain_phone"),
        ("+44 2071\u200b838750", "plain_phone"),
        ("'@A.AC", "plain_email"),
        ("o|@example.com", "plain_email"),
        ("5f3a2b18\u20119c4d\u20114e7f\u2011b8e2\u201117d3a1e69b25", "plain_device_id"),
        ("IDFA:5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25", "plain_device_id"),
        ("2024-01-01", "not_hex"),
        ("2024-01-01 12:30:00", "not_hex"),
        ("7000000000000000001", "wrong_length"),
        (ONE[:-1], "wrong_length"),
        (ONE + "0", "wrong_length"),
        ("d41d8cd98f00b204e9800998ecf8427e", "wrong_length"),
        (f"{ONE},{TWO}", "several_columns"),
        (f"{ONE}\t", "valid"),
        (f"{ONE},", "several_columns"),
        (f"0x{ONE[2:]}", "not_hex"),
        ("null", "not_hex"),
        (f"{ONE[:-1]}g", "not_hex"),
        (f"sha256:{ONE}", "not_hex"),
        ("x" * 5000, "too_long"),
        ("x" * 900 + "jane@example.com" + "y" * 5000, "plain_email"),
    ],
)
def test_every_other_row_is_counted_with_its_reason_and_line(row: str, reason: str) -> None:
    source = f"{ONE}\n\n{row}\n{TWO}\n".encode()

    tally = check_file([source], EMAILS).tally

    if reason == "valid":
        assert tally.invalid == {}
    else:
        assert tally.invalid == {reason: 1}
        assert tally.invalid_lines == {reason: [3]}


@pytest.mark.parametrize("row", [b"\xff\xfe\x80", b"caf\xe9", (ONE.encode("utf-16"))])
def test_a_row_that_is_not_utf8_is_counted_as_such(row: bytes) -> None:
    tally = check_file([f"{ONE}\n".encode() + row + b"\n"], EMAILS).tally

    assert list(tally.invalid) == ["not_utf8"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_plain_addresses_are_seen_through_other_encodings(encoding: str) -> None:
    tally = check_file(["jane@example.com\njoe@example.com\n".encode(encoding)], EMAILS).tally

    assert tally.valid == 0
    assert "plain_email" in tally.invalid


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ("jane@example.com", "plain_email"),
        ("a0000000-8cf0-41bd-b23e-10b96e40000d", "plain_device_id"),
        ("name,a0000000-8cf0-41bd-b23e-10b96e40000d", "plain_device_id"),
        ("tel:442071838750", "plain_phone"),
        ("tel: 020 7183 8750", "plain_phone"),
        ("phone 442071838750", "plain_phone"),
        ("id442071838750", "not_hex"),
    ],
)
def test_plain_data_on_the_first_line_is_no_header(first: str, reason: str) -> None:
    tally = check_file([f"{first}\n{ONE}\n".encode()], EMAILS).tally

    assert not tally.header
    assert tally.invalid_lines == {reason: [1]}


@pytest.mark.parametrize(
    "header", ["email", "EMAIL_SHA256", "Phone (E.164, SHA-256)", "hash_2026_11", "Kundenliste", "e-mail;id", '"maid"']
)
def test_a_name_of_columns_on_the_first_line_is_a_header(header: str) -> None:
    tally = check_file([f"{header}\n{ONE}\n".encode()], EMAILS).tally

    assert tally.header
    assert tally.invalid == {}


@pytest.mark.parametrize("magic", [b"PK\x03\x04", b"BZh", b"PAR1"])
def test_a_binary_file_is_not_taken_for_addresses(magic: bytes) -> None:
    tally = check_file([magic + gzip.compress(as_file(any_hashes(20_000)))], EMAILS).tally

    assert tally.valid == 0
    assert set(tally.invalid) == {"not_utf8"}


@pytest.mark.parametrize("content", [gzip.compress(as_file(any_hashes(20))), b"\x28\xb5\x2f\xfd..."])
def test_a_compressed_file_under_a_plain_name_is_refused_with_the_remedy(content: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"let it end in \.(gz|zst)") as raised:
        check_file(chunked(content, 3), EMAILS)

    assert raised.value.reason == "damaged_file"


def test_only_the_first_line_can_be_a_header() -> None:
    tally = check_file([f"email\n{ONE}\nemail\n".encode()], EMAILS).tally

    assert tally.header
    assert tally.invalid_lines == {"not_hex": [3]}


def test_the_first_hundred_line_numbers_of_a_reason_are_kept() -> None:
    tally = check_file([f"{ONE}\n".encode() + b"nonsense\n" * 250], EMAILS).tally

    assert tally.invalid == {"not_hex": 250}
    assert tally.invalid_lines == {"not_hex": list(range(2, 102))}


def test_line_numbers_go_on_over_clean_blocks() -> None:
    clean = as_file(any_hashes(100))

    tally = check_file(chunked(clean + b"nonsense\n" + clean + b"nonsense\n", 650), EMAILS).tally

    assert tally.invalid_lines == {"not_hex": [101, 202]}


def test_a_large_file_is_cut_at_line_ends_into_parts_of_the_given_size() -> None:
    source = as_file(any_hashes(1000)).replace(b"\n", b"\r\n")

    check = check_file(chunked(source, 700), EMAILS, part_bytes=100 * 65)

    assert [part.number for part in check.parts] == list(range(1, len(check.parts) + 1))
    assert all(part.bytes <= 100 * 65 for part in check.parts)
    assert sum(part.rows for part in check.parts) == 1000
    assert [part.start for part in check.parts[1:]] == [part.end for part in check.parts[:-1]]
    assert sent(source, check, size=333) == source.replace(b"\r\n", b"\n")


def test_what_is_kept_of_an_endless_line_is_short() -> None:
    endless = (b"x" * 65_536 for _ in range(100))

    longest = max(len(block.data) for block in blocks(endless))

    assert longest < 1 << 17


hash_rows = st.integers(0, 9).map(lambda number: any_hashes(10, seed="any")[number].encode())
rows = st.one_of(
    hash_rows,
    hash_rows.map(bytes.upper),
    hash_rows.map(lambda row: b' "' + row + b'"\r'),
    st.binary(max_size=80),
    st.text(max_size=40).map(lambda text: text.encode(errors="replace")),
    st.sampled_from([b"", b"jane@example.com", b"+442071838750", b"email", b"\xef\xbb\xbf", b"x" * 1024, b"y" * 3000]),
    st.integers(1000, 1030).map(lambda length: b" " * length + ONE.encode()),
)
# What begins like a compressed file is refused before a row is read.
COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
files = st.lists(rows, max_size=30).map(b"\n".join).filter(lambda content: not content.startswith(COMPRESSED))


@given(files, st.integers(1, 4000), st.integers(1, 4000))
def test_whatever_a_file_holds_rows_read_are_rows_valid_and_invalid(source: bytes, size: int, other: int) -> None:
    check = check_file(chunked(source, size), EMAILS, part_bytes=5 * 65)

    tally = check.tally
    assert tally.read == tally.valid + sum(tally.invalid.values())
    lines = source.removeprefix(b"\xef\xbb\xbf")
    assert tally.read + tally.blank + tally.header == lines.count(b"\n") + (not lines.endswith(b"\n") and lines != b"")
    assert sum(part.rows for part in check.parts) == tally.valid
    content = sent(source, check, other)
    assert len(content) == sum(part.bytes for part in check.parts) == tally.valid * 65
    assert all(len(row) == 64 and row == row.lower() for row in content.splitlines())


@given(files, st.integers(1, 4000))
def test_the_cut_into_chunks_does_not_change_the_verdict(source: bytes, size: int) -> None:
    assert check_file(chunked(source, size), EMAILS).tally == check_file([source] if source else [], EMAILS).tally


@given(st.lists(rows, max_size=10), st.emails(), st.lists(rows, max_size=10))
@example([b"BZh"], "5@A.Pn", [])
def test_no_plain_address_is_ever_overlooked(before: list[bytes], address: str, after: list[bytes]) -> None:
    source = b"\n".join([*before, address.encode(), *after])

    tally = check_file([source], EMAILS).tally

    assert tally.invalid.get("plain_email", 0) >= 1


def _peak_bytes(rows: int) -> int:
    block = as_file(any_hashes(1000, seed="memory")).replace(b"\n", b"\r\n")
    tracemalloc.start()
    check = check_file((block for _ in range(rows // 1000)), EMAILS, part_bytes=80_000)
    for part in check.parts:
        for _ in clean_part((block for _ in range(10)), part, check, EMAILS):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert check.tally.valid == rows
    return peak


def test_memory_does_not_grow_with_the_file() -> None:
    small, large = _peak_bytes(5_000), _peak_bytes(100_000)

    assert large < small * 1.2
