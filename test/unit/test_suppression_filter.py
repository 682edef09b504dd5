"""The filter of the suppression list: never a wrong no, rarely a wrong yes, two bytes an entry."""

import hashlib
import random
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.identifiers.models import IdentifierSpace
from lambdas.suppressions.filter import SuppressionFilter

WIDTHS = sorted({space.digest_bytes for space in IdentifierSpace})


def some_digests(count: int, width: int = 32, *, seed: int = 1) -> bytes:
    """Packed digests; the same for the same seed."""
    return random.Random(seed).randbytes(count * width)  # noqa: S311 - no secret


def in_blocks(packed: bytes, size: int) -> Iterator[bytes]:
    return (packed[start : start + size] for start in range(0, len(packed), size))


@pytest.mark.parametrize("width", WIDTHS)
@settings(max_examples=60)
@given(data=st.data())
def test_what_is_suppressed_is_always_found(width: int, data: st.DataObject) -> None:
    digests = data.draw(st.lists(st.binary(min_size=width, max_size=width), max_size=60))
    others = data.draw(st.lists(st.binary(min_size=width, max_size=width), max_size=20))
    block_size = data.draw(st.integers(1, 100))

    built = SuppressionFilter.build(in_blocks(b"".join(digests), block_size), width, len(digests))

    asked = data.draw(st.permutations([*digests, *others]))
    expected = {position for position, digest in enumerate(asked) if digest in digests}
    for suppression in (built, SuppressionFilter.from_bytes(bytes(built.to_bytes()))):
        assert expected <= set(suppression.positions(b"".join(asked)))
        assert all(digest in suppression for digest in digests)


@pytest.mark.parametrize("width", WIDTHS)
def test_all_of_many_are_found_and_others_at_the_stated_rate(width: int) -> None:
    count = 100_000
    suppressed = some_digests(count, width)
    suppression = SuppressionFilter.build([suppressed], width, count)

    rate = len(suppression.positions(some_digests(count, width, seed=2))) / count

    assert suppression.positions(suppressed) == list(range(count))
    assert 0.0004 < rate < 0.0008


def test_digests_of_texts_are_as_uniform_as_it_takes() -> None:
    texts = [hashlib.sha256(f"{number}@example.com".encode()).digest() for number in range(40_000)]
    suppression = SuppressionFilter.build(texts[:20_000], 32, 20_000)

    assert len(suppression.positions(b"".join(texts[20_000:]))) / 20_000 < 0.0015


def test_one_and_many_are_answered_alike() -> None:
    suppression = SuppressionFilter.build([some_digests(2_000)], 32, 2_000)
    asked = some_digests(1_000) + some_digests(20_000, seed=3)

    found = suppression.positions(asked)

    assert found == [at for at in range(21_000) if asked[32 * at : 32 * at + 32] in suppression]
    assert len(found) > 1_000


@pytest.mark.parametrize("width", WIDTHS)
def test_a_filter_of_nothing_finds_nothing(width: int) -> None:
    suppression = SuppressionFilter.from_bytes(SuppressionFilter.build([], width, 0).to_bytes())

    assert (suppression.count, suppression.digest_bytes) == (0, width)
    assert suppression.positions(some_digests(1_000, width)) == []
    assert suppression.positions(b"") == []


@pytest.mark.parametrize("count", [512, 1_000, 200_000])
def test_a_filter_takes_two_bytes_an_entry(count: int) -> None:
    suppression = SuppressionFilter.build(in_blocks(some_digests(count, 16), 4096), 16, count)

    assert len(suppression.to_bytes()) == 2 * count


def test_ten_million_entries_take_twenty_million_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its length depends on the number alone; to take so many in would need half a minute.
    monkeypatch.setattr(SuppressionFilter, "_take_in", lambda *_: 10_000_000)

    assert len(SuppressionFilter.build([bytes(32)], 32, 10_000_000).to_bytes()) / 10_000_000 <= 2.0


def test_a_build_and_a_test_need_no_memory_beside_the_filter() -> None:
    count, block, asked = 100_000, some_digests(1_000), some_digests(1_000, seed=4)
    tracemalloc.start()
    suppression = SuppressionFilter.build((block for _ in range(count // 1_000)), 32, count)
    building = tracemalloc.get_traced_memory()[1]
    SuppressionFilter.from_bytes(suppression.to_bytes()).positions(asked)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert building < 2 * count + 20_000
    assert peak < 2 * count + 20_000


def test_a_million_rows_are_tested_in_a_moment() -> None:
    suppression = SuppressionFilter.build([some_digests(50_000)], 32, 50_000)
    rows = some_digests(100_000, seed=5)

    started = time.process_time()
    for _ in range(10):
        suppression.positions(rows)

    # 0.2 to 0.4 microseconds a row when it was written; what is caught here is a slip by an order of magnitude.
    assert time.process_time() - started < 4


@pytest.mark.parametrize(("announced", "came"), [(3, 2), (3, 4), (0, 1), (1, 0)])
def test_other_digests_than_were_announced_are_refused(announced: int, came: int) -> None:
    with pytest.raises(ValueError, match=f"{announced} digests were announced, but {came} came"):
        SuppressionFilter.build([some_digests(came)], 32, announced)


def test_digests_that_end_amid_one_are_refused() -> None:
    with pytest.raises(ValueError, match="5 bytes are left over"):
        SuppressionFilter.build([some_digests(3)[:-27]], 32, 3)


def test_digests_of_another_width_are_refused() -> None:
    suppression = SuppressionFilter.build([some_digests(1)], 32, 1)

    with pytest.raises(ValueError, match="whole digests of 32"):
        suppression.positions(some_digests(1, 16))
    with pytest.raises(ValueError, match="digest of 16 bytes"):
        assert some_digests(1, 16) in suppression
    with pytest.raises(ValueError, match="digest of 64 bytes"):
        assert some_digests(2) in suppression


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:5],
        lambda content: content[:-1],
        lambda content: content[1:],
        lambda content: content + bytes(16),
        lambda content: content[:-16] + content[-16:][::-1],
        lambda content: content[:-16] + b"\x00" + content[-15:],
        lambda content: bytes(len(content)),
    ],
)
def test_what_is_no_whole_filter_is_refused(spoil: object) -> None:
    content = bytes(SuppressionFilter.build([some_digests(600)], 32, 600).to_bytes())

    assert callable(spoil)
    with pytest.raises(ValueError, match="suppression filter"):
        SuppressionFilter.from_bytes(spoil(content))


def test_a_filter_tells_what_it_holds() -> None:
    suppression = SuppressionFilter.from_bytes(SuppressionFilter.build([some_digests(7, 16)], 16, 7).to_bytes())

    assert (suppression.count, suppression.digest_bytes) == (7, 16)
