"""The pages of list."""

import pytest

from .driver import Driver, digests


def names(answer: dict[str, object]) -> list[str]:
    return [row["name"] for row in answer["data"]["list"]]  # type: ignore[index]


def test_the_newest_come_first_ten_to_a_page(tiktok: Driver) -> None:
    tiktok.emulator.tell("seed", {"audiences": 25, "prefix": "n"})
    answer = tiktok.list()
    assert names(answer) == [f"n{number}" for number in range(25, 15, -1)]
    assert answer["data"]["page_info"] == {"page": 1, "page_size": 10, "total_number": 25, "total_page": 3}


def test_all_pages_together_hold_each_audience_once(tiktok: Driver) -> None:
    tiktok.emulator.tell("seed", {"audiences": 250, "prefix": "n"})
    found = [name for page in (1, 2, 3) for name in names(tiktok.list(page=page, page_size=100))]
    assert found == [f"n{number}" for number in range(250, 0, -1)]


def test_a_page_beyond_the_end_is_empty(tiktok: Driver) -> None:
    tiktok.emulator.tell("seed", {"audiences": 3})
    answer = tiktok.list(page=2)
    assert answer["code"] == 0
    assert answer["data"] == {
        "list": [],
        "page_info": {"page": 2, "page_size": 10, "total_number": 3, "total_page": 1},
    }


@pytest.mark.parametrize(("field", "value"), [("page", "0"), ("page", "x"), ("page_size", "0"), ("page_size", "101")])
def test_a_page_out_of_range_is_40002_and_named(tiktok: Driver, field: str, value: str) -> None:
    answer = tiktok.list(**{field: value})
    assert answer["code"] == 40002
    assert answer["message"].startswith(f"{field}:")


def test_a_list_can_be_limited_to_some_ids(tiktok: Driver) -> None:
    seeded = tiktok.emulator.tell("seed", {"audiences": 3, "prefix": "n"})["audiences"]
    wanted = [seeded[0]["audience_id"], seeded[2]["audience_id"], "123"]
    assert names(tiktok.list(custom_audience_ids=wanted)) == ["n3", "n1"]
    assert tiktok.list(custom_audience_ids=["1"] * 101)["code"] == 40002


def test_a_new_audience_can_be_made_to_appear_late(tiktok: Driver) -> None:
    tiktok.emulator.tell("settings", {"list_lag_seconds": 30})
    audience_id = tiktok.audience_of(digests(1_000))
    assert tiktok.list()["data"]["page_info"]["total_number"] == 0
    assert tiktok.details(audience_id)["audience_id"] == audience_id
    tiktok.emulator.tell("clock", {"advance_seconds": 30})
    assert tiktok.list()["data"]["page_info"]["total_number"] == 1
