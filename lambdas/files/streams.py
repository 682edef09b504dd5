"""Bytes that are made as they are read. Pure."""

from __future__ import annotations

import io
from collections.abc import Iterator


class ByteStream(io.RawIOBase):
    """Bytes that are made as they are read."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source = source
        self._left = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer as far as what is there goes."""
        while not self._left:
            following = next(self._source, None)
            if following is None:
                return 0
            self._left = following
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count
