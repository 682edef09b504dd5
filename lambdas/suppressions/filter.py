"""A Bloom filter over digests: is this identifier suppressed? Never a wrong no; rarely a wrong yes."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Self

# At the end, so that the bits are probed where they were read: a header before them would cost a copy, or an addition
# at every probe. In the machine's own byte order, as the words of the digests are: a filter of the other order is
# taken for none.
_TRAILER = struct.Struct("=IHHQ")
_FORMAT = 0x54_53_46_31  # "TSF1"
_WORD_BYTES = 8
_PROBES = 8
_BYTES_PER_ENTRY = 2
# Below it, bytes per entry say nothing, and a few bits would let probes fall together.
_SMALLEST_BYTES = 1024
_MASKS = bytes(1 << bit for bit in range(8))


class SuppressionFilter:
    """Digests of one width (bytes, a multiple of 8 from 16), of which it remembers bits only.

    2 bytes an entry, the trailer's 16 included, from 512 entries on; 1 KiB below. A digest that is not suppressed is
    taken for one that is at a rate of 0.06 % (0.08 % below 1,000 entries): 8 probes into 16 bits an entry make
    (1 - e^(-8/16))^8 = 0.00057. The best number for so many bits is 11 (0.00046), but 8 leave the bits 39 % full
    instead of 50 %, so that a test ends after 1.6 probes and not after 2, and a build takes a quarter less.

    Digests are uniform already, so nothing is hashed again: the first two words of 64 bits give the first probe and the
    step to the next (Kirsch and Mitzenmacher, "Less Hashing, Same Performance", 2006).
    """

    __slots__ = ("_bits", "_size", "count", "digest_bytes")

    def __init__(self, content: bytes | bytearray) -> None:
        """Wrap what ``to_bytes`` gave, without a copy.

        Raises:
            ValueError: it is no filter, is cut off, or was written by another version of this module.
        """
        try:
            known, probes, digest_bytes, count = _TRAILER.unpack_from(content, len(content) - _TRAILER.size)
        except struct.error:
            raise ValueError("The content is too short for a suppression filter.") from None
        if (known, probes, digest_bytes % _WORD_BYTES) != (_FORMAT, _PROBES, 0) or digest_bytes < 2 * _WORD_BYTES:
            raise ValueError("The content is not a suppression filter of this version.")
        if len(content) != _length(count):
            raise ValueError(f"The suppression filter of {count} entries has {len(content)} bytes: it is cut off.")
        self._bits = content
        self._size = 8 * (len(content) - _TRAILER.size)
        self.count: int = count
        self.digest_bytes: int = digest_bytes

    @classmethod
    def build(cls, digests: Iterable[bytes], digest_bytes: int, count: int) -> Self:
        """Take in ``count`` packed digests, in blocks that may be cut anywhere.

        Needs the memory of the filter and of one block.

        Raises:
            ValueError: there are more or fewer digests than ``count``: some of them would be missing in the filter.
        """
        content = bytearray(_length(count))
        _TRAILER.pack_into(content, len(content) - _TRAILER.size, _FORMAT, _PROBES, digest_bytes, count)
        built = cls(content)
        taken = sum(built._take_in(block) for block in _whole_digests(digests, digest_bytes))
        if taken != count:
            raise ValueError(f"{count} digests were announced, but {taken} came.")
        return built

    @classmethod
    def from_bytes(cls, content: bytes | bytearray) -> Self:
        """Read what ``to_bytes`` gave. Raises ValueError."""
        return cls(content)

    def to_bytes(self) -> bytes | bytearray:
        """The filter as it is stored: the very bytes that it works on."""
        return self._bits

    def positions(self, block: bytes) -> list[int]:
        """The positions, from 0, of those among packed digests that may be suppressed.

        The hot path: it costs next to nothing but time for a block in which nothing is.

        Raises:
            ValueError: the block does not hold whole digests.
        """
        words, stride = self._words(block)
        bits, size, masks = self._bits, self._size, _MASKS
        found = []
        for position, word in enumerate(words[::stride]):
            place = word % size
            if bits[place >> 3] & masks[place & 7]:
                step = words[position * stride + 1] % size
                for _ in range(_PROBES - 1):
                    place = (place + step) % size
                    if not bits[place >> 3] & masks[place & 7]:
                        break
                else:
                    found.append(position)
        return found

    def __contains__(self, digest: bytes) -> bool:
        """Whether a single digest may be suppressed. Raises ValueError when it has another width."""
        if len(digest) != self.digest_bytes:
            raise ValueError(f"A digest of {len(digest)} bytes was asked of a filter of {self.digest_bytes}.")
        return bool(self.positions(digest))

    def _take_in(self, block: memoryview) -> int:
        words, stride = self._words(block)
        bits, size, masks = self._bits, self._size, _MASKS
        assert isinstance(bits, bytearray)
        firsts, steps = words[::stride], words[1::stride]
        for place, step in zip(firsts, steps, strict=True):
            for _ in range(_PROBES):
                place %= size
                bits[place >> 3] |= masks[place & 7]
                place += step
        return len(firsts)

    def _words(self, block: bytes | memoryview) -> tuple[memoryview, int]:
        """The 64-bit words of packed digests, and how many a digest has."""
        if len(block) % self.digest_bytes:
            raise ValueError(f"A block of {len(block)} bytes does not hold whole digests of {self.digest_bytes}.")
        return memoryview(block).cast("B").cast("Q"), self.digest_bytes // _WORD_BYTES


def _length(count: int) -> int:
    """How many bytes a filter of so many entries has."""
    return max(_BYTES_PER_ENTRY * count, _SMALLEST_BYTES)


def _whole_digests(blocks: Iterable[bytes], digest_bytes: int) -> Iterator[memoryview]:
    """The same bytes, cut between digests. What is left over at the end is no digest, and is refused."""
    rest = b""
    for block in blocks:
        view = memoryview(block).cast("B")
        if rest:
            missing = digest_bytes - len(rest)
            rest += view[:missing]
            view = view[missing:]
            if len(rest) < digest_bytes:
                continue
            yield memoryview(rest)
        whole = len(view) - len(view) % digest_bytes
        yield view[:whole]
        rest = bytes(view[whole:])
    if rest:
        raise ValueError(f"The digests end amid one: {len(rest)} bytes are left over.")
