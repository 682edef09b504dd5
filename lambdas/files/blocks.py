"""The bytes of an object as blocks of whole lines, decompressed on the way. Pure.

Memory does not depend on the size of the file (zstd alone may ask for a window of up to 128 MiB, when it was compressed
with its options for that).
"""

from __future__ import annotations

import functools
import importlib
import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from lambdas.files.file_types import Compression
from lambdas.tiktok.errors import InvalidInput

LONGEST_LINE = 1 << 16  # bytes that are kept of a line
HEAD_BYTES = 1 << 16  # in which a header must stand
_STEP = 1 << 20
_KEPT_BYTES = 1 << 23
_MAGIC = {Compression.GZIP: b"\x1f\x8b", Compression.ZSTD: b"\x28\xb5\x2f\xfd"}
_NAME_ENDS = {Compression.GZIP: ".gz", Compression.ZSTD: ".zst"}


@dataclass(frozen=True)
class Block:
    """Whole lines of a file: ``data`` came from the bytes ``start`` up to ``end``, after decompression."""

    start: int
    end: int
    data: bytes


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
                head += chunk[: LONGEST_LINE + 1 - len(head)]
                skipping = len(head) > LONGEST_LINE
            continue
        first = chunk.index(b"\n") if skipping else 0
        end = position + end_of_lines
        # Copied once: reading is most of what a clean file costs.
        yield Block(start, end, b"".join((head, memoryview(chunk)[first:end_of_lines])))
        head = chunk[end_of_lines : end_of_lines + LONGEST_LINE + 1]
        skipping = len(head) > LONGEST_LINE
        start, position = end, position + len(chunk)
    if head:
        yield Block(start, position, head)


def peek(chunks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes of a stream, at least ``HEAD_BYTES`` if it has so many, and the stream from its beginning."""
    source = iter(chunks)
    seen: list[bytes] = []
    size = 0
    while size < HEAD_BYTES and (chunk := next(source, None)) is not None:
        seen.append(chunk)
        size += len(chunk)
    return b"".join(seen)[:HEAD_BYTES], itertools.chain(seen, source)


def in_slices(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same stream in chunks of at most ``size``."""
    for chunk in chunks:
        for start in range(0, len(chunk), size):
            yield chunk[start : start + size]


def between(chunks: Iterable[bytes], start: int, end: int) -> Iterator[bytes]:
    """The bytes ``start`` up to ``end`` of a stream."""
    position = 0
    for chunk in chunks:
        piece = chunk[max(0, start - position) : max(0, end - position)]
        position += len(chunk)
        if piece:
            yield piece
        if position >= end:
            return


def expand(chunks: Iterable[bytes], compression: Compression, *, most_bytes: int) -> Iterator[bytes]:
    """The decompressed bytes, in chunks of at most 1 MiB; what is not compressed passes as it is.

    Raises:
        InvalidInput: ``damaged_file``, ``file_too_large`` (so that a small file cannot expand without end) or
            ``unsupported_compression``.
    """
    if compression is Compression.NONE:
        return iter(chunks)
    opener = _open_gzip if compression is Compression.GZIP else _zstd_opener()
    return _expand(chunks, compression, opener, most_bytes)


def expect_plain(head: bytes) -> None:
    """Raises InvalidInput ``damaged_file`` for compressed bytes under a name that does not say so."""
    for compression, magic in _MAGIC.items():
        if head.startswith(magic):
            raise InvalidInput(
                f"The file is compressed ({compression}), but its name does not say so: let it end in "
                f"{_NAME_ENDS[compression]}. Nothing was sent.",
                reason="damaged_file",
            )


class _Stream(Protocol):
    """One gzip member or zstd frame."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def read(self, data: bytes) -> Iterator[bytes]:
        """What ``data`` decompresses to, in pieces of at most 1 MiB."""
        ...


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def read(self, data: bytes) -> Iterator[bytes]:
        while True:
            piece = self._inner.decompress(data, _STEP)
            if piece:
                yield piece
            data = self._inner.unconsumed_tail
            # Output may be left inside although all input is used up; an empty piece says that there is none.
            if self._inner.eof or (not data and len(piece) < _STEP):
                return


class _Zstd:
    def __init__(self, new: Callable[[], Any]) -> None:
        self._inner = new()

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        data: bytes = self._inner.unused_data
        return data

    def read(self, data: bytes) -> Iterator[bytes]:
        while True:
            piece: bytes = self._inner.decompress(data, _STEP)
            if piece:
                yield piece
            data = b""
            if self._inner.eof or self._inner.needs_input:
                return


@dataclass(frozen=True)
class _Opener:
    new: Callable[[], _Stream]
    error: type[Exception]


_open_gzip = _Opener(_Gzip, zlib.error)


@functools.cache
def _zstd_opener() -> _Opener:
    # The standard library has it from Python 3.14 on, which Lambda runs.
    for name in ("compression.zstd", "backports.zstd"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        return _Opener(functools.partial(_Zstd, module.ZstdDecompressor), module.ZstdError)
    raise InvalidInput(
        "zstd can be read from Python 3.14 on, or with the package backports.zstd: use gzip (.gz), or upload the file "
        "as it is. Nothing was sent.",
        reason="unsupported_compression",
    )


def _expand(chunks: Iterable[bytes], compression: Compression, opener: _Opener, most_bytes: int) -> Iterator[bytes]:
    stream = opener.new()
    is_open, size = True, 0
    for chunk in chunks:
        rest = chunk
        while rest:
            if not is_open:
                # Tape and block devices pad with zeros, which gzip's own tool passes over.
                rest = rest.lstrip(b"\x00")
                if not rest:
                    break
                stream, is_open = opener.new(), True
            try:
                for piece in stream.read(rest):
                    size += len(piece)
                    if size > most_bytes:
                        raise _too_large(most_bytes)
                    yield piece
            except opener.error:
                raise _damaged(compression, "is something else, or damaged") from None
            rest = b""
            if stream.eof:
                rest, is_open = stream.unused_data, False
    if is_open:
        raise _damaged(compression, "is cut off")


def _damaged(compression: Compression, what: str) -> InvalidInput:
    return InvalidInput(
        f"By its name the file is compressed ({compression}), but it {what}. Upload it whole again, under a name that "
        "fits its content. Nothing was sent.",
        reason="damaged_file",
    )


def _too_large(most_bytes: int) -> InvalidInput:
    return InvalidInput(
        f"The file decompresses to more than {most_bytes:,} bytes. Split it into several files. Nothing was sent.",
        reason="file_too_large",
    )


def _keep_freed_memory() -> None:
    """Let the allocator keep what a block frees for the next one: taken anew, memory costs more than reading a block.

    glibc does so up to the size of the largest piece that was ever freed (mallopt(3), M_MMAP_THRESHOLD), and keeps
    twice as much of the heap. What is never written to costs nothing.
    """
    bytes(_KEPT_BYTES)


_keep_freed_memory()
