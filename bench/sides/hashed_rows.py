"""Reads a file of hashes on one core.

``md5`` hashes its bytes; ``connector`` validates and cleans its rows, and splits and hashes what is sent.
"""

from __future__ import annotations

import hashlib
import io
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.measuring import report, stay_on_one_core
from lambdas.audiences.formats import FORMATS
from lambdas.audiences.rows.check import check_file, clean_part
from lambdas.audiences.rows.reading import Reading

_CHUNK_BYTES = 1 << 20


def hash_alone(path: Path) -> int:
    """One MD5 over everything; returns how many bytes were hashed."""
    signature, size = hashlib.md5(usedforsecurity=False), 0
    for chunk in _read(path, 0, None):
        signature.update(chunk)
        size += len(chunk)
    return size


def prepare(path: Path) -> int:
    """Everything that the activation does with the rows, but for sending them; returns how many are valid."""
    reading = Reading(FORMATS["email_sha256"])
    check = check_file(_read(path, 0, None), reading)
    content = io.BytesIO()
    for part in check.parts:
        content.seek(0)
        for rows in clean_part(_read(path, part.start, part.end), part, check, reading):
            content.write(rows)
        content.truncate()
        with content.getbuffer() as buffer:
            hashlib.md5(buffer, usedforsecurity=False).hexdigest()
    return check.tally.valid


def _read(path: Path, start: int, end: int | None) -> Iterator[bytes]:
    left = (path.stat().st_size if end is None else end) - start
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while left and (chunk := file.read(min(_CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk


if __name__ == "__main__":
    stay_on_one_core()
    work = {"md5": hash_alone, "connector": prepare}[sys.argv[1]]
    began = time.perf_counter()
    done = work(Path(sys.argv[2]))
    report(seconds=time.perf_counter() - began, done=done)
