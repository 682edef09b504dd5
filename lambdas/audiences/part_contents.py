"""Reads the parts of a file into memory, each with its signature, the next one while the last is being sent.

Two buffers take turns, so memory is that of two parts, and is taken from the system once.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from lambdas.audiences.rows.check import Part


@dataclass(frozen=True)
class PartContent:
    """What is sent of a part: ``signature`` is the MD5 of the stream's bytes, in hex."""

    part: Part
    stream: io.BytesIO = field(repr=False)
    bytes: int
    signature: str


def read_parts(
    parts: Sequence[Part], read: Callable[[Part], Iterable[bytes]], first_line: bytes = b""
) -> Generator[PartContent, None, None]:
    """The content of each part, in order, begun with ``first_line``. It holds until the next one is asked for.

    Of several parts, ``read`` is called in a thread. Raises what it raises, when that part's turn has come.
    """
    buffers = (io.BytesIO(), io.BytesIO())

    def fill(position: int) -> PartContent:
        stream, signature = buffers[position % 2], hashlib.md5(usedforsecurity=False)
        stream.seek(0)
        stream.write(first_line)
        signature.update(first_line)
        for rows in read(parts[position]):
            stream.write(rows)
            signature.update(rows)
        stream.truncate()
        return PartContent(parts[position], stream, stream.tell(), signature.hexdigest())

    if len(parts) < 2:
        yield from map(fill, range(len(parts)))
        return
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming = thread.submit(fill, 0)
        for following in range(1, len(parts)):
            content = coming.result()
            coming = thread.submit(fill, following)
            yield content
        yield coming.result()
