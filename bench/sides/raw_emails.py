"""Turns a file of raw e-mail addresses into hashes: ``naive`` in one line, ``connector`` by the rules, on one core.

``pool`` is the connector's way in two processes, each with half of the blocks.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.measuring import report, stay_on_one_core
from lambdas.audiences.formats import FORMATS
from lambdas.audiences.rows.check import check_file
from lambdas.audiences.rows.reading import Reading, RowRules

_CHUNK_BYTES = 1 << 20
_READING = Reading(FORMATS["email"], rules=RowRules(allow_raw_identifiers=True))


def hash_naively(path: Path) -> int:
    """What a script would do; returns how many rows there are."""
    with path.open() as file:
        return len([hashlib.sha256(line.strip().lower().encode()).hexdigest() for line in file])


def hash_by_the_rules(path: Path) -> int:
    """Validated, normalised, hashed, counted and planned as parts; returns how many rows are valid."""
    return check_file(_read(path), _READING).tally.valid


def hash_in_two_processes(path: Path) -> int:
    """The same work on two cores; what one of them has read has to be carried to the other."""
    with ProcessPoolExecutor(2) as pool:
        return sum(pool.map(_hash_chunk, _read(path)))


def _hash_chunk(chunk: bytes) -> int:
    return check_file([chunk], _READING).tally.valid


def _read(path: Path) -> Iterator[bytes]:
    """Chunks of whole lines."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk + file.readline()


if __name__ == "__main__":
    side = sys.argv[1]
    if side != "pool":
        stay_on_one_core()
    work = {"naive": hash_naively, "connector": hash_by_the_rules, "pool": hash_in_two_processes}[side]
    began = time.perf_counter()
    rows = work(Path(sys.argv[2]))
    report(seconds=time.perf_counter() - began, rows=rows, cores=1 if side != "pool" else os.cpu_count())
