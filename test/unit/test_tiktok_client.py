"""Retries, pacing and whole listings."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lambdas.tiktok.errors import RateLimited, RetryableError, TikTokRejected, TikTokUnavailable
from lambdas.tiktok.pagination import read_listing
from lambdas.tiktok.rate import RequestPacer
from lambdas.tiktok.retry import RetryPolicy
from test.support.clocks import FakeClock

MAYBE = TikTokUnavailable("cut off", may_have_happened=True)
CERTAINLY_NOT = TikTokUnavailable("refused", may_have_happened=False)
LIMITED = RateLimited("slow down")


def failing(errors: list[Exception]) -> Callable[[], str]:
    remaining = list(errors)

    def attempt() -> str:
        if remaining:
            raise remaining.pop(0)
        return "done"

    return attempt


@pytest.mark.parametrize("error", [MAYBE, CERTAINLY_NOT, LIMITED])
def test_a_repeatable_call_is_repeated_with_growing_waits(error: RetryableError) -> None:
    waits: list[float] = []
    heard: list[int] = []

    result = RetryPolicy(attempts=4).call(
        failing([error] * 3), repeatable=True, sleep=waits.append, on_retry=lambda _, attempt: heard.append(attempt)
    )

    assert result == "done"
    assert heard == [1, 2, 3]
    assert 0.5 <= waits[0] < waits[1] < waits[2]


@pytest.mark.parametrize(("error", "repeated"), [(MAYBE, False), (CERTAINLY_NOT, True), (LIMITED, True)])
def test_a_call_that_must_not_happen_twice_is_repeated_only_when_it_did_not_happen(
    error: RetryableError, repeated: bool
) -> None:
    call = failing([error])

    if repeated:
        assert RetryPolicy().call(call, repeatable=False, sleep=lambda _: None) == "done"
    else:
        with pytest.raises(TikTokUnavailable):
            RetryPolicy().call(call, repeatable=False, sleep=lambda _: None)


def test_the_last_error_passes_unwrapped_when_the_attempts_are_used_up() -> None:
    with pytest.raises(RateLimited) as raised:
        RetryPolicy(attempts=3).call(failing([LIMITED] * 3), repeatable=True, sleep=lambda _: None)

    assert raised.value is LIMITED


def test_no_attempt_starts_after_the_total_time() -> None:
    waits: list[float] = []

    with pytest.raises(RateLimited):
        RetryPolicy(attempts=100, total_seconds=1, first_wait_seconds=2, longest_wait_seconds=2).call(
            failing([LIMITED] * 3), repeatable=True, sleep=waits.append
        )

    assert waits == []


def test_a_rejection_is_not_repeated() -> None:
    with pytest.raises(TikTokRejected):
        RetryPolicy().call(failing([TikTokRejected("no")]), repeatable=True, sleep=lambda _: None)


def test_requests_of_one_invocation_are_spaced_from_its_very_start() -> None:
    clock = FakeClock(now=0)
    pacer = RequestPacer(0.5, sleep=clock.sleep, now=clock.now)
    starts = []
    for _ in range(4):
        pacer.wait()
        starts.append(clock.now())

    assert starts == [0.5, 1.0, 1.5, 2.0]


def test_a_slow_call_does_not_earn_a_burst() -> None:
    clock = FakeClock(now=0)
    pacer = RequestPacer(0.5, sleep=clock.sleep, now=clock.now)
    pacer.wait()
    clock.sleep(10)
    starts = []
    for _ in range(3):
        pacer.wait()
        starts.append(clock.now())

    assert starts == [10.5, 11.0, 11.5]


def test_requests_of_several_threads_are_spaced_as_those_of_one() -> None:
    clock = FakeClock(now=0)
    starts: list[float] = []

    def sleep(seconds: float) -> None:
        end = clock.now() + seconds
        # Lets every other thread run: without turns they would fall asleep now, and all start at the same time.
        for _ in range(100):
            time.sleep(0)
        clock.move_to(end)
        starts.append(clock.now())

    pacer = RequestPacer(0.5, sleep=sleep, now=clock.now)
    with ThreadPoolExecutor(max_workers=10) as threads:
        for _ in range(50):
            threads.submit(pacer.wait)

    assert starts == [0.5 * number for number in range(1, 51)]


def pages(
    *contents: list[str], total: int | None = None, last: int | None = None
) -> Callable[[int], Mapping[str, Any]]:
    def fetch(number: int) -> Mapping[str, Any]:
        entries = contents[number - 1] if number <= len(contents) else []
        count = sum(map(len, contents)) if total is None else total
        return {
            "list": [{"id": entry} for entry in entries],
            "page_info": {"total_number": count, "total_page": len(contents) if last is None else last},
        }

    return fetch


def listed(fetch: Callable[[int], Mapping[str, Any]]) -> tuple[list[str], bool]:
    entries, is_whole = read_listing(fetch, identity="id")
    return [entry["id"] for entry in entries], is_whole


def test_every_page_is_read() -> None:
    assert listed(pages(["a", "b"], ["c"], ["d"])) == (["a", "b", "c", "d"], True)


def test_an_empty_listing_is_empty() -> None:
    assert listed(pages([])) == ([], True)


@pytest.mark.parametrize("last", [1, 2, 50])
def test_a_listing_with_fewer_entries_than_it_announces_is_not_whole(last: int) -> None:
    assert listed(pages(["a"], total=99, last=last)) == (["a"], False)


def test_an_empty_page_in_the_middle_is_not_the_end() -> None:
    assert listed(pages(["a", "b"], [], ["c"], total=5)) == (["a", "b"], False)


def test_something_new_between_two_pages_hides_nothing() -> None:
    states = iter([["c", "b", "a"], ["d", "c", "b", "a"]])

    def fetch(number: int) -> Mapping[str, Any]:
        current = next(states)
        return {
            "list": [{"id": entry} for entry in current[(number - 1) * 2 : number * 2]],
            "page_info": {"total_number": len(current), "total_page": 2},
        }

    assert listed(fetch) == (["c", "b", "a"], True)


def test_a_listing_from_which_something_was_deleted_while_it_was_read_is_read_again() -> None:
    scans = iter([["a", "b", "c", "d"], ["b", "c", "d"], ["b", "c", "d"], ["b", "c", "d"]])
    current: list[str] = []

    def fetch(number: int) -> Mapping[str, Any]:
        current[:] = next(scans)
        page = current[(number - 1) * 2 : number * 2]
        return {
            "list": [{"id": entry} for entry in page],
            "page_info": {"total_number": len(current), "total_page": (len(current) + 1) // 2},
        }

    entries, is_whole = listed(fetch)
    assert is_whole
    assert "c" in entries


def test_a_listing_that_keeps_changing_is_never_taken_for_whole() -> None:
    number = iter(range(1000))

    def fetch(_: int) -> Mapping[str, Any]:
        return {"list": [{"id": str(next(number))}], "page_info": {"total_number": 5, "total_page": 1}}

    assert not listed(fetch)[1]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"list": []},
        {"list": [{}], "page_info": {"total_number": 1, "total_page": 1}},
        {"list": 1, "page_info": 1},
        {"list": [], "page_info": {"total_number": 0, "total_page": float("inf")}},
    ],
)
def test_a_listing_of_another_shape_is_an_error(data: Mapping[str, Any]) -> None:
    with pytest.raises(TikTokUnavailable):
        read_listing(lambda _: data, identity="id")
