"""Rows of an audience file: cleans them, counts what cannot be sent, and plans the parts.

Works on blocks of whole lines, so that memory does not depend on the size of the file. A block that is clean already,
the usual case, is recognised by a few operations over the whole of it; only other blocks are looked at line by line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

# 50 MB is the smallest of TikTok's documented limits for one file (API reference section 3.1).
PART_BYTES = 48 * 2**20
_LONGEST_LINE = 1 << 10  # bytes that are kept of a line; an identifier has 64
_LINE_NUMBERS = 100  # kept for each reason
_HASH_LENGTH = 64
_ROW = _HASH_LENGTH + 1
_HEX = b"0123456789abcdef"
_BOM = b"\xef\xbb\xbf"
# gzip, zip (and Excel), bzip2, xz, zstd, Parquet, Avro: full of @ signs that belong to no address.
_BINARY = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PAR1", b"Obj\x01")


class RowReason(StrEnum):
    """Why a row is not sent."""

    PLAIN_EMAIL = "plain_email"
    PLAIN_PHONE = "plain_phone"
    PLAIN_DEVICE_ID = "plain_device_id"
    NOT_UTF8 = "not_utf8"
    TOO_LONG = "too_long"
    SEVERAL_COLUMNS = "several_columns"
    WRONG_LENGTH = "wrong_length"
    NOT_HEX = "not_hex"


PLAIN_REASONS = frozenset({RowReason.PLAIN_EMAIL, RowReason.PLAIN_PHONE, RowReason.PLAIN_DEVICE_ID})


@dataclass(frozen=True)
class Block:
    """Whole lines of a file: ``data`` came from the bytes ``start`` up to ``end``."""

    start: int
    end: int
    data: bytes


@dataclass(frozen=True)
class Part:
    """A slice of a file that is uploaded alone: source bytes ``start`` up to ``end``, ``bytes`` once cleaned."""

    number: int
    start: int
    end: int
    rows: int
    bytes: int


@dataclass
class Tally:
    """What was counted. ``read`` is the number of rows: lines that are neither blank nor the header."""

    read: int = 0
    valid: int = 0
    blank: int = 0
    header: bool = False
    invalid: dict[str, int] = field(default_factory=dict)
    invalid_lines: dict[str, list[int]] = field(default_factory=dict)

    def refuse(self, reason: RowReason, line_number: int) -> None:
        """Count a row that is not sent."""
        self.read += 1
        self.invalid[reason] = self.invalid.get(reason, 0) + 1
        lines = self.invalid_lines.setdefault(reason, [])
        if len(lines) < _LINE_NUMBERS:
            lines.append(line_number)


@dataclass(frozen=True)
class FileCheck:
    """The result of reading a file to its end."""

    tally: Tally
    parts: tuple[Part, ...]


def blocks(chunks: Iterable[bytes], start: int = 0) -> Iterator[Block]:
    """Cut a stream of bytes into blocks that end with a line end (or with the stream).

    Of a line longer than any row could be, only the head is kept, so that it is counted but never held.
    """
    head, position, skipping = b"", start, False
    for chunk in chunks:
        end_of_lines = chunk.rfind(b"\n") + 1
        if not end_of_lines:
            position += len(chunk)
            if not skipping:
                head += chunk[: _LONGEST_LINE + 1 - len(head)]
                skipping = len(head) > _LONGEST_LINE
            continue
        lines, rest = chunk[:end_of_lines], chunk[end_of_lines:]
        if skipping:
            lines = lines[lines.index(b"\n") :]
        end = position + end_of_lines
        yield Block(start, end, head + lines)
        head, skipping = rest[: _LONGEST_LINE + 1], len(rest) > _LONGEST_LINE
        start, position = end, position + len(chunk)
    if head:
        yield Block(start, position, head)


class RowCleaner:
    """Turns blocks into what is sent: lower-case hex, one a line, LF, no header. Keeps the tally.

    ``at_start`` says whether the first block is the beginning of the file, where a BOM and a header line may stand.
    """

    def __init__(self, *, at_start: bool = True) -> None:
        self.tally = Tally()
        self._line = 0
        self._at_start = at_start
        self._header_possible = at_start
        self._is_binary = False

    def clean(self, block: bytes) -> bytes:
        """The valid rows of a block, each ending with LF. Everything else is counted."""
        rows, rest = divmod(len(block), _ROW)
        if rest == 0 and block[_HASH_LENGTH::_ROW] == b"\n" * rows and len(block.translate(None, _HEX)) == rows:
            self._at_start = self._header_possible = False
            self._line += rows
            self.tally.read += rows
            self.tally.valid += rows
            return block
        return self._clean_lines(block)

    def _clean_lines(self, block: bytes) -> bytes:
        if self._at_start:
            self._is_binary = block.startswith(_BINARY)
            block = block.removeprefix(_BOM)
            self._at_start = False
        lines = block.split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        clean: list[bytes] = []
        for line in lines:
            self._line += 1
            if self._is_binary:
                self.tally.refuse(RowReason.NOT_UTF8, self._line)
                continue
            if len(line) > _LONGEST_LINE:
                # Judged by its head alone, whole or not, so that the cut into chunks cannot change the verdict.
                self.tally.refuse(_reason(line), self._line)
                self._header_possible = False
                continue
            value = _unwrap(line)
            if _is_hash(value):
                clean.append(value.lower())
                self._header_possible = False
            elif not value:
                self.tally.blank += 1
            elif self._header_possible and _is_header(value):
                self.tally.header = True
                self._header_possible = False
            else:
                self.tally.refuse(_reason(value), self._line)
                self._header_possible = False
        self.tally.read += len(clean)
        self.tally.valid += len(clean)
        return b"".join(value + b"\n" for value in clean)


def check_file(chunks: Iterable[bytes], part_bytes: int = PART_BYTES) -> FileCheck:
    """Read a file to its end; count its rows and cut it into parts of at most ``part_bytes`` once cleaned.

    Parts end where blocks end, so ``part_bytes`` must not be smaller than a cleaned block.
    """
    cleaner = RowCleaner()
    parts: list[Part] = []
    start = end = size = rows = 0
    for block in blocks(chunks):
        before = cleaner.tally.valid
        length = len(cleaner.clean(block.data))
        if size and size + length > part_bytes:
            parts.append(Part(len(parts) + 1, start, end, rows, size))
            start, size, rows = end, 0, 0
        end = block.end
        size += length
        rows += cleaner.tally.valid - before
    if rows:
        parts.append(Part(len(parts) + 1, start, end, rows, size))
    return FileCheck(cleaner.tally, tuple(parts))


def clean_part(chunks: Iterable[bytes], part: Part) -> Iterator[bytes]:
    """The cleaned content of a part, from the chunks of its source bytes."""
    cleaner = RowCleaner(at_start=part.start == 0)
    for block in blocks(chunks, part.start):
        yield cleaner.clean(block.data)


_IS_HASH = re.compile(rb"[0-9A-Fa-f]{64}").fullmatch
_IS_HEX = re.compile(r"[0-9A-Fa-f]+").fullmatch
_BLANKS = b" \t\r\v\f\x00"
_SEPARATORS = re.compile(r"[,;\t|]")
# A name of a column: letters first, and no more digits than a name has ("email_sha256", "hash_2026_11").
_IS_NAME = re.compile(r"(?!(?:\D*\d){7})[^\W\d][\w .:/()#-]{0,63}").fullmatch
_ADDRESS = re.compile(r"[^\s@]\s*(?:@|%40)\s*[^\s@]").search
_DEVICE_ID = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])").search
_DASHES = re.compile(r"[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_DATES = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?(?!\d)")
_SHORTEST_PHONE = 7
_PHONES = re.compile(r"(?<![0-9A-Za-z])\(?\+?\d(?:[\s()./-]{0,3}\d){6,14}(?![0-9A-Za-z])").search


def _is_hash(value: bytes) -> bool:
    return _IS_HASH(value) is not None


def _unwrap(line: bytes) -> bytes:
    value = line.strip(_BLANKS)
    if len(value) >= 2 and value[0] == value[-1] and value[:1] in (b'"', b"'"):
        value = value[1:-1].strip(_BLANKS)
    if value and (value[0] > 127 or value[-1] > 127):
        try:
            return value.decode().strip().strip("\ufeff\u200b").strip().encode()
        except UnicodeDecodeError:
            return value
    return value


def _is_header(value: bytes) -> bool:
    """Whether a first line names columns, rather than being a row that went wrong."""
    if not _is_utf8(value) or _reason(value) in PLAIN_REASONS:
        return False
    names = [name.strip(" \"'") for name in _SEPARATORS.split(value.decode())]
    return all(_IS_NAME(name) and not (_IS_HEX(name) and len(name) >= 16) for name in names)


def _reason(value: bytes) -> RowReason:
    text = _readable(value[:_LONGEST_LINE])
    plain = _plain_reason(text)
    if plain is not None:
        return plain
    if len(value) > _LONGEST_LINE:
        return RowReason.TOO_LONG
    if b"\x00" in value or not _is_utf8(value):
        return RowReason.NOT_UTF8
    if _SEPARATORS.search(text):
        return RowReason.SEVERAL_COLUMNS
    return RowReason.WRONG_LENGTH if _IS_HEX(text) else RowReason.NOT_HEX


def _readable(head: bytes) -> str:
    """A row as a person would read it: one form for the variants under which an address or a number may hide."""
    # UTF-16 read as bytes has a NUL beside every character.
    head = head.replace(b"\x00", b"")
    if head.isascii():
        return head.decode()
    text = unicodedata.normalize("NFKC", head.decode(errors="replace"))
    return _DASHES.sub("-", "".join(each for each in text if unicodedata.category(each) != "Cf"))


def _plain_reason(text: str) -> RowReason | None:
    """What plain personal data a row seems to hold, anywhere in it."""
    if ("@" in text or "%40" in text) and _ADDRESS(text):
        return RowReason.PLAIN_EMAIL
    if len(text) >= _SHORTEST_PHONE:
        if _DEVICE_ID(text):
            return RowReason.PLAIN_DEVICE_ID
        if _PHONES(_DATES.sub(" ", text)):
            return RowReason.PLAIN_PHONE
    return None


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
