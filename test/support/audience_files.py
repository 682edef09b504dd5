"""Reads audience files as the service does, without S3."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from lambdas.audiences.formats import FORMATS
from lambdas.audiences.rows.check import PART_BYTES, FileCheck, check_file, clean_part, source_span
from lambdas.audiences.rows.reading import Reading, RowRules
from lambdas.files.file_types import parse_file_type
from lambdas.identifiers.models import IdentifierSpace


class SuppressedHashes:
    """Knows exactly these hashes (hex)."""

    def __init__(self, hashes: Iterable[str]) -> None:
        self._digests = {bytes.fromhex(each) for each in hashes}
        self._width = len(next(iter(self._digests)))

    def positions(self, digests: bytes) -> list[int]:
        """Which of the packed digests are known."""
        starts = range(0, len(digests), self._width)
        assert len(digests) % self._width == 0
        return [number for number, start in enumerate(starts) if digests[start : start + self._width] in self._digests]


def any_reading(
    format_name: str,
    file_name: str = "file.csv",
    *,
    suppressed: dict[IdentifierSpace, SuppressedHashes] | None = None,
    **rules: Any,
) -> Reading:
    """How a file is read; raw identifiers are allowed."""
    return Reading(
        FORMATS[format_name],
        parse_file_type(file_name),
        replace(RowRules(allow_raw_identifiers=True), **rules),
        suppressed or {},
    )


def chunked(content: bytes, size: int) -> Iterator[bytes]:
    """The content in chunks, as it comes from S3."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


def read_file(
    content: bytes, reading: Reading, *, part_bytes: int = PART_BYTES, size: int = 1 << 20
) -> tuple[FileCheck, list[bytes]]:
    """The check of a file, and what is sent in each of its parts."""
    check = check_file(chunked(content, size), reading, part_bytes)
    parts = []
    for part in check.parts:
        start, end = source_span(part, reading) or (0, len(content))
        parts.append(b"".join(clean_part(chunked(content[start:end], size), part, check, reading)))
    return check, parts
