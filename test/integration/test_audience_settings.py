"""Every setting of one audience, from audience.json to what TikTok shows or the receipt says."""

import json
from collections.abc import Callable

import pytest

from local.emulator.server import EmulatorServer
from test.support.builders import any_hashes, as_file, members_digest
from test.support.pipeline import Pipeline
from test.support.stage import BUCKET

PEOPLE = any_hashes(100, seed="settings")
SETTINGS, FILE = "tiktok/Foodies/audience.json", "tiktok/Foodies/email_sha256/{}.csv"
OTHER_ADVERTISER = "7000000000000000079"


@pytest.fixture
def small(new_pipeline: Callable[..., Pipeline], tiktok: EmulatorServer) -> Pipeline:
    """A pipeline where a few people are enough for an audience."""
    tiktok.tell("settings", {"minimum_audience_size": 0})
    return new_pipeline(minimum_size=0, allow_raw_identifiers=True)


def reasons(pipeline: Pipeline) -> list[str]:
    return [letter.reason for letter in pipeline.queue.dead_letters]


@pytest.mark.parametrize(
    ("name", "value", "default"),
    [("retention_in_days", 30, None), ("audience_sub_type", "REACH_FREQUENCY", "NORMAL")],
)
@pytest.mark.parametrize("is_set", [True, False])
def test_what_tiktok_keeps_of_an_audience_is_as_it_was_set(
    small: Pipeline, name: str, value: object, default: object, is_set: bool
) -> None:
    if is_set:
        small.put_audience_settings("Foodies", **{name: value})
    small.upload(FILE.format(1), as_file(PEOPLE))

    small.run()

    [audience] = small.audiences()
    assert audience[name] == (value if is_set else default)


@pytest.mark.parametrize(("ratio", "expected"), [(0.1, []), (0.09, ["too_many_invalid_rows"])])
def test_the_ratio_of_invalid_rows_is_the_audiences_own(small: Pipeline, ratio: float, expected: list[str]) -> None:
    small.put_audience_settings("Foodies", max_invalid_ratio=ratio)
    small.upload(FILE.format(1), as_file([*PEOPLE[:9], "nonsense"]))

    small.run()

    assert reasons(small) == expected
    assert len(small.audiences()) == (not expected)


@pytest.mark.parametrize(("word", "expected"), [("skip", []), ("refuse", ["invalid_rows_refused"])])
def test_an_invalid_row_is_skipped_or_refuses_its_file(small: Pipeline, word: str, expected: list[str]) -> None:
    small.put_audience_settings("Foodies", on_invalid_row=word, max_invalid_ratio=1)
    small.upload(FILE.format(1), as_file([*PEOPLE[:9], "nonsense"]))

    small.run()

    assert reasons(small) == expected


@pytest.mark.parametrize(("country", "number"), [("US", "+12133734253"), ("gb", "+442071838750")])
def test_a_phone_number_without_a_country_belongs_to_the_audiences_own(
    small: Pipeline, country: str, number: str
) -> None:
    national = {"US": "(213) 373-4253", "gb": "020 7183 8750"}[country]
    small.change_settings(default_country="DE")
    small.put_audience_settings("Foodies", default_country=country)
    small.upload("tiktok/Foodies/phone/1.csv", as_file([national]))
    small.upload("tiktok/Known/phone/1.csv", as_file([number]))

    small.run()

    assert not reasons(small), small.queue.dead_letters
    first, second = small.audiences()
    assert first["members_sha256"] == second["members_sha256"]


def test_the_advertiser_is_the_one_of_the_alias(small: Pipeline, tiktok: EmulatorServer) -> None:
    both = [small.emulator.advertiser_id, OTHER_ADVERTISER]
    tiktok.tell("tokens", {"token": small.emulator.access_token, "state": "active", "advertiser_ids": both})
    small.put_audience_settings("Foodies", advertiser="abroad")
    version = small.upload(FILE.format(1), as_file(PEOPLE))
    small.run()
    assert reasons(small) == ["unknown_advertiser"]
    assert not small.calls()

    small.put_credentials(small.emulator.access_token, both[0], advertisers={"abroad": OTHER_ADVERTISER})
    small.replay()
    small.run()

    assert not reasons(small)
    assert [audience["advertiser_id"] for audience in small.audiences()] == [OTHER_ADVERTISER]
    assert (small.receipt(version) or {})["advertiser_id"] == OTHER_ADVERTISER


@pytest.mark.parametrize(
    ("settings", "rows", "reason"),
    [
        ({"min_rows": 60}, 60, None),
        ({"min_rows": 61}, 60, "too_few_rows"),
        ({"max_shrink_ratio": 0.4}, 60, None),
        ({"max_shrink_ratio": 0.39}, 60, "would_shrink"),
        ({"max_shrink_ratio": 0}, 100, None),
    ],
)
@pytest.mark.parametrize("action", ["replace", "append"])
def test_a_replace_and_nothing_else_is_held_at_its_limits(
    small: Pipeline, settings: dict[str, float], rows: int, reason: str | None, action: str
) -> None:
    small.put_audience_settings("Foodies", **settings)
    small.upload(FILE.format(1), as_file(PEOPLE))
    small.upload(FILE.format(f"{action}/2"), as_file(PEOPLE[:rows]))

    small.run()

    held = reason is not None and action == "replace"
    assert reasons(small) == ([reason] if held else [])
    [audience] = small.audiences()
    assert audience["members_sha256"] == members_digest(PEOPLE if held or action == "append" else PEOPLE[:rows])
    if held:
        small.replay(confirmed=True)
        small.run()
        [audience] = small.audiences()
        assert audience["members_sha256"] == members_digest(PEOPLE[:rows])


def test_the_settings_themselves_trigger_nothing(small: Pipeline) -> None:
    version = small.upload(SETTINGS, b'{"retention_in_days": 3}')

    small.run()

    assert not reasons(small)
    assert not small.calls()
    assert small.receipt(version) is None


def test_wrong_settings_are_told_by_key_with_the_next_file_and_can_be_mended(small: Pipeline) -> None:
    small.upload(SETTINGS, b'{"retention_in_days": 366, "min_row": 3, "on_invalid_row": "skip"}')
    version = small.upload(FILE.format(1), as_file(PEOPLE))
    small.run()
    assert reasons(small) == ["bad_audience_settings"]
    detail = small.queue.dead_letters[0].detail
    assert all(word in detail for word in (SETTINGS, "retention_in_days", "min_row", "min_rows"))
    assert "on_invalid_row has" not in detail
    assert not small.calls()

    small.put_audience_settings("Foodies", retention_in_days=365, min_rows=3)
    small.replay()
    small.run()

    assert not reasons(small)
    [audience] = small.audiences()
    assert audience["retention_in_days"] == 365
    assert (small.receipt(version) or {})["status"] == "delivered"


def test_settings_hold_after_their_object_is_gone_and_end_with_empty_ones(small: Pipeline) -> None:
    small.put_audience_settings("Foodies", on_invalid_row="refuse", max_invalid_ratio=1)
    small.upload(FILE.format(1), as_file(PEOPLE))
    small.run()
    small.s3.delete_object(Bucket=BUCKET, Key=SETTINGS)
    small.change_settings(max_invalid_ratio=1)
    small.upload(FILE.format(2), as_file([*PEOPLE, "nonsense"]))
    small.run()
    assert reasons(small) == ["invalid_rows_refused"]

    small.put_audience_settings("Foodies")
    small.replay()
    small.run()

    assert not reasons(small)


def test_settings_concern_no_other_audience(small: Pipeline) -> None:
    small.put_audience_settings("Foodies", on_invalid_row="refuse", max_invalid_ratio=1)
    small.change_settings(max_invalid_ratio=1)
    small.upload("tiktok/Others/email_sha256/1.csv", as_file([*PEOPLE, "nonsense"]))

    small.run()

    assert not reasons(small)


def test_every_key_of_the_settings_has_a_test_here() -> None:
    with open("docs/audience.schema.json", encoding="utf-8") as file:
        known = set(json.load(file)["properties"]) - {"$schema"}
    with open(__file__, encoding="utf-8") as file:
        tests = file.read()

    assert {name for name in known if name not in tests} == set()
