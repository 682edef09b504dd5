"""Writes the files that are measured with. The same seed gives the same bytes, on every machine."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

LINE_BYTES = 65  # a SHA-256 in hex, and LF
_BATCH_ROWS = 1 << 14
DIRTY_SHARE = 0.01

# Harmless dirt, but for the last, which is refused. No plain data: for that, a file would be refused whole.
_DIRT: tuple[Callable[[bytes], bytes], ...] = (
    bytes.upper,
    lambda row: b'"' + row + b'"',
    lambda row: row + b"\r",
    lambda row: b"  " + row + b"\t",
    lambda row: b"x" + row[1:],
)


def write_hashes(path: Path, size: int, *, is_dirty: bool = False, seed: int = 1) -> int:
    """A file of about ``size`` bytes, a SHA-256 in each line; returns how many rows it has.

    When it is dirty, 1 % of the rows, spread over all of it: in capitals, in quotes, ended with CRLF, between blanks,
    or no hash at all, one as often as the other.
    """
    source = random.Random(seed)  # noqa: S311 - nothing is kept secret with it
    count = size // LINE_BYTES
    with path.open("wb") as file:
        for start in range(0, count, _BATCH_ROWS):
            rows = min(_BATCH_ROWS, count - start)
            text = source.randbytes(32 * rows).hex("\n", 32).encode() + b"\n"
            file.write(_soiled(text, source) if is_dirty else text)
    return count


def write_emails(path: Path, rows: int, *, seed: int = 1) -> None:
    """A file of raw e-mail addresses as people write them: some in capitals, some between blanks."""
    source = random.Random(seed)  # noqa: S311
    with path.open("w") as file:
        for number in range(rows):
            address = f"{source.choice(_NAMES)}.{source.choice(_NAMES)}{number}@{source.choice(_DOMAINS)}"
            file.write(f"{source.choice(_MANNERS)(address)}\n")


def _soiled(text: bytes, source: random.Random) -> bytes:
    lines = text.split(b"\n")[:-1]
    for number in range(len(lines)):
        if source.random() < DIRTY_SHARE:
            lines[number] = source.choice(_DIRT)(lines[number])
    return b"\n".join(lines) + b"\n"


_NAMES = ("anna", "bela", "chidi", "dolores", "emre", "fatima", "george", "hanako", "ines", "jamal")
_DOMAINS = ("example.com", "mail.example.org", "example.co.uk", "example.net")
_MANNERS: tuple[Callable[[str], str], ...] = (str, str, str, str.title, str.upper, lambda text: f" {text} ")
