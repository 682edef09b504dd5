"""Cleans files with one hash a line. Pure.

Runs of lines that are alike (clean, or all of them quoted, or ended with CRLF) are recognised by a few operations over
whole buffers; only the other lines are looked at one by one.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambdas.audiences.rows.plain import LONGEST_VALUE, is_header, reason_of
from lambdas.audiences.rows.reasons import RowReason
from lambdas.files.tally import Tally
from lambdas.identifiers.models import HashAlgorithm

if TYPE_CHECKING:
    from lambdas.ports import Suppressed

HEX_DIGITS = {HashAlgorithm.SHA256: 64, HashAlgorithm.MD5: 32}
BOM = b"\xef\xbb\xbf"
BLANKS = b" \t\r\v\f\x00"
_HEX = b"0123456789abcdef"
# gzip, zip (and Excel), bzip2, xz, zstd, Parquet, Avro: full of @ signs that belong to no address.
_BINARY = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PAR1", b"Obj\x01")
_ADDRESS_ALONE = re.compile(rb"[!-?A-~]+@[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)+").fullmatch
_IS_HASH = {each: re.compile(rb"[0-9A-Fa-f]{%d}" % digits).fullmatch for each, digits in HEX_DIGITS.items()}

# What a byte is in the shape of a line: a digit, a digit in capitals, something else; the rest stands for itself.
_DIGIT, _CAPITAL, _OTHER = b"0", b"A", b"x"
_DRESS = b'"\r'
_KINDS = bytes(
    (_DIGIT if byte in _HEX else _CAPITAL if byte in b"ABCDEF" else _OTHER)[0] if byte not in b"\n" + _DRESS else byte
    for byte in range(256)
)
# How a line that holds nothing but a hash begins and ends: as it is sent, and as it often comes.
_ENDS = ((b"", b"\n"), (b"", b"\r\n"), (b'"', b'"\n'), (b'"', b'"\r\n'))
_MOST_STEPS = 11  # up to 1,024 lines at once
_SAMPLE_BYTES = 1 << 12


def is_binary(head: bytes) -> bool:
    """Whether a file that begins so is of a well-known binary kind, and has no row that could be sent."""
    return head.startswith(_BINARY)


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
        self._expect_clean = True

    @property
    def lines_sent(self) -> int:
        """How many lines came out."""
        return self.tally.valid

    def clean(self, block: bytes) -> bytes:
        """The rows of a block that are sent, each ending with LF. Everything else is counted.

        Of a block that is clean as it is, the very same object.
        """
        if self._at_start:
            self._is_binary = is_binary(block)
            block = block.removeprefix(BOM)
            self._at_start = False
        rows = len(block) // (self._digits + 1)
        if rows and self._expect_clean and not self._is_binary and _is_clean(block, self._digits):
            self._pass_rows(rows)
            return self._accept(block, rows)
        clean = b"".join(self._clean_pieces(block))
        # Dirt is seldom alone, and trying a block that is not clean costs more than it saves.
        self._expect_clean = clean == block
        return self._accept(clean, len(clean) // (self._digits + 1))

    def _clean_pieces(self, block: bytes) -> list[bytes]:
        """What is sent of a block: runs of lines that are alike, and single lines."""
        source, kinds = block, block.translate(_KINDS)
        sample = kinds[:_SAMPLE_BYTES]
        if sample.count(_CAPITAL) > len(sample) // self._digits:
            # Too many to look at each by itself. Other lines are judged as they are written all the same.
            source = block.lower()
            kinds = source.translate(_KINDS)
        shapes = {} if self._is_binary else _shapes(self._digits)
        pieces: list[bytes] = []
        position, end = 0, len(block)
        while position < end:
            next_line = block.find(b"\n", position) + 1 or end
            shape = shapes.get(kinds[position:next_line])
            if shape is None:
                pieces.append(self._clean_line(block[position:next_line].removesuffix(b"\n")))
                position = next_line
            else:
                end_of_run = _end_of_run(kinds, position, shape.steps)
                self._pass_rows((end_of_run - position) // (next_line - position))
                run = source[position:end_of_run]
                pieces.append(run.translate(None, _DRESS) if shape.is_dressed else run)
                position = end_of_run
        return pieces

    def _pass_rows(self, rows: int) -> None:
        self._header_possible = False
        self.line += rows

    def _clean_line(self, line: bytes) -> bytes:
        """The one row of a line, with LF, or nothing."""
        self.line += 1
        if self._is_binary:
            # Text may happen to begin like a binary file.
            is_plain = len(line) <= LONGEST_VALUE and _ADDRESS_ALONE(line.strip(BLANKS))
            self.tally.refuse(RowReason.PLAIN_EMAIL if is_plain else RowReason.NOT_UTF8, self.line)
            return b""
        if len(line) > LONGEST_VALUE:
            # Judged by its head alone, whole or not, so that the cut into chunks cannot change the verdict.
            self.tally.refuse(reason_of(line), self.line)
            self._header_possible = False
            return b""
        value = _unwrap(line)
        if not value:
            self.tally.blank += 1
            return b""
        may_be_header, self._header_possible = self._header_possible, False
        if self._is_hash(value):
            return value.lower() + b"\n"
        if may_be_header and is_header(value):
            self.tally.header = True
        else:
            self.tally.refuse(reason_of(value), self.line)
        return b""

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


def _is_clean(block: bytes, digits: int) -> bool:
    rows, rest = divmod(len(block), digits + 1)
    return not rest and block[digits :: digits + 1] == b"\n" * rows and len(block.translate(None, _HEX)) == rows


@dataclass(frozen=True)
class _Shape:
    """How lines that hold nothing but a hash look: the kinds of 1, 2, 4 … of them, each with its length."""

    steps: tuple[tuple[bytes, int], ...]
    is_dressed: bool


@functools.cache
def _shapes(digits: int) -> dict[bytes, _Shape]:
    """The shapes, by the kinds of a single line."""
    shapes = {}
    for begin, end in _ENDS:
        line = begin + _DIGIT * digits + end
        steps = tuple((line * (1 << power), len(line) << power) for power in range(_MOST_STEPS))
        shapes[line] = _Shape(steps, bool(begin) or end != b"\n")
    return shapes


def _end_of_run(kinds: bytes, start: int, steps: tuple[tuple[bytes, int], ...]) -> int:
    """Where the lines of a shape end that begin at ``start``: by growing steps while they succeed, then by smaller."""
    position, taken = start, 0
    for lines, size in steps:
        if not kinds.startswith(lines, position):
            break
        position += size
        taken += 1
    else:
        while kinds.startswith(lines, position):
            position += size
    for lines, size in steps[taken - 1 :: -1] if taken else ():
        if kinds.startswith(lines, position):
            position += size
    return position


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
