"""Cleans files with one hash a line. Pure.

A block that is clean already, the usual case, is recognised by a few operations over the whole of it; only other blocks
are looked at line by line.
"""

from __future__ import annotations

import re

from lambdas.audiences.rows.plain import LONGEST_VALUE, is_header, reason_of
from lambdas.audiences.rows.reading import Suppressed
from lambdas.audiences.rows.tally import RowReason, Tally
from lambdas.identifiers.models import HashAlgorithm

HEX_DIGITS = {HashAlgorithm.SHA256: 64, HashAlgorithm.MD5: 32}
BOM = b"\xef\xbb\xbf"
BLANKS = b" \t\r\v\f\x00"
_HEX = b"0123456789abcdef"
# gzip, zip (and Excel), bzip2, xz, zstd, Parquet, Avro: full of @ signs that belong to no address.
_BINARY = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PAR1", b"Obj\x01")
_ADDRESS_ALONE = re.compile(rb"[!-?A-~]+@[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)+").fullmatch
_IS_HASH = {each: re.compile(rb"[0-9A-Fa-f]{%d}" % digits).fullmatch for each, digits in HEX_DIGITS.items()}


class HashLineCleaner:
    """Turns blocks into what is sent: lower-case hex, one a line, LF, no header. Keeps the tally.

    ``at_start`` says whether the first block is the beginning of the file, where a BOM and a header line may stand.
    """

    def __init__(self, algorithm: HashAlgorithm, suppressed: Suppressed | None, *, at_start: bool = True) -> None:
        self.tally = Tally()
        self.line = 0
        self._digits = HEX_DIGITS[algorithm]
        self._is_hash = _IS_HASH[algorithm]
        self._suppressed = suppressed
        self._at_start = at_start
        self._header_possible = at_start
        self._is_binary = False

    @property
    def lines_sent(self) -> int:
        """How many lines came out."""
        return self.tally.valid

    def clean(self, block: bytes) -> bytes:
        """The rows of a block that are sent, each ending with LF. Everything else is counted."""
        digits = self._digits
        width = digits + 1
        rows, rest = divmod(len(block), width)
        if rest == 0 and block[digits::width] == b"\n" * rows and len(block.translate(None, _HEX)) == rows:
            self._at_start = self._header_possible = False
            self.line += rows
            return self._accept(block, rows)
        clean = self._clean_lines(block)
        return self._accept(b"".join(value + b"\n" for value in clean), len(clean))

    def _clean_lines(self, block: bytes) -> list[bytes]:
        if self._at_start:
            self._is_binary = block.startswith(_BINARY)
            block = block.removeprefix(BOM)
            self._at_start = False
        lines = block.split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        clean: list[bytes] = []
        for line in lines:
            self.line += 1
            if self._is_binary:
                # Text may happen to begin like a binary file.
                is_plain = len(line) <= LONGEST_VALUE and _ADDRESS_ALONE(line.strip(BLANKS))
                self.tally.refuse(RowReason.PLAIN_EMAIL if is_plain else RowReason.NOT_UTF8, self.line)
                continue
            if len(line) > LONGEST_VALUE:
                # Judged by its head alone, whole or not, so that the cut into chunks cannot change the verdict.
                self.tally.refuse(reason_of(line), self.line)
                self._header_possible = False
                continue
            value = _unwrap(line)
            if self._is_hash(value):
                clean.append(value.lower())
                self._header_possible = False
            elif not value:
                self.tally.blank += 1
            elif self._header_possible and is_header(value):
                self.tally.header = True
                self._header_possible = False
            else:
                self.tally.refuse(reason_of(value), self.line)
                self._header_possible = False
        return clean

    def _accept(self, clean: bytes, rows: int) -> bytes:
        found = self._suppressed.positions(bytes.fromhex(clean.decode())) if self._suppressed and rows else []
        if not found:
            self.tally.accept(rows)
            return clean
        width = self._digits + 1
        left_out = sorted(set(found))
        self.tally.accept(rows, suppressed=len(left_out))
        starts = [0, *((position + 1) * width for position in left_out)]
        ends = [*(position * width for position in left_out), len(clean)]
        return b"".join(clean[start:end] for start, end in zip(starts, ends, strict=True))


def _unwrap(line: bytes) -> bytes:
    value = line.strip(BLANKS)
    if len(value) >= 2 and value[0] == value[-1] and value[:1] in (b'"', b"'"):
        value = value[1:-1].strip(BLANKS)
    if value and (value[0] > 127 or value[-1] > 127):
        try:
            return value.decode().strip().strip("\ufeff\u200b").strip().encode()
        except UnicodeDecodeError:
            return value
    return value
