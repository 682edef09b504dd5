"""Parts are read into memory one ahead of the one that is sent."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator

import pytest

from lambdas.audiences.part_contents import read_parts
from lambdas.audiences.rows.check import Part

PARTS = tuple(Part(number, 0, 0, rows=1, bytes=number) for number in range(1, 6))


def rows_of(part: Part) -> Iterator[bytes]:
    yield from (b"%d" % part.number for _ in range(part.number))


@pytest.mark.parametrize("count", range(6))
def test_each_part_is_read_whole_and_in_order_with_its_signature(count: int) -> None:
    contents = [
        (content.part, content.stream.getvalue(), content.bytes, content.signature)
        for content in read_parts(PARTS[:count], rows_of, b"header\n")
    ]

    whole = [b"header\n" + b"%d" % part.number * part.number for part in PARTS[:count]]
    md5 = [hashlib.md5(each, usedforsecurity=False).hexdigest() for each in whole]
    assert contents == list(zip(PARTS[:count], whole, map(len, whole), md5, strict=True))


def test_a_part_that_is_shorter_than_the_one_before_has_nothing_of_it_left() -> None:
    contents = [content.stream.getvalue() for content in read_parts(PARTS[::-1], rows_of)]

    assert contents == [b"55555", b"4444", b"333", b"22", b"1"]


def test_the_next_part_is_read_while_one_is_sent_but_not_the_one_after() -> None:
    begun = [threading.Event() for _ in PARTS]

    def read(part: Part) -> Iterator[bytes]:
        begun[part.number - 1].set()
        yield b"row\n"

    for content in read_parts(PARTS, read):
        following = content.part.number
        if following < len(PARTS):
            assert begun[following].wait(timeout=30)
        assert not any(each.is_set() for each in begun[following + 1 :])


def test_a_single_part_is_read_by_the_caller_itself() -> None:
    readers = []

    def read(part: Part) -> Iterator[bytes]:
        readers.append(threading.current_thread())
        yield b"row\n"

    list(read_parts(PARTS[:1], read))

    assert readers == [threading.current_thread()]


def test_what_goes_wrong_with_a_part_is_raised_when_its_turn_comes() -> None:
    def read(part: Part) -> Iterator[bytes]:
        if part.number == 3:
            raise OSError("gone")
        yield b"row\n"

    contents = read_parts(PARTS, read)

    assert [next(contents).part.number, next(contents).part.number] == [1, 2]
    with pytest.raises(OSError, match="gone"):
        next(contents)
