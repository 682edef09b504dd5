"""The settings of one audience: what they may say, how wrong ones are told, and that the documents say the same."""

import json
import re
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.audiences.audience_settings import (
    AudienceSettings,
    is_settings_key,
    parse,
    settings_key,
)
from lambdas.contracts import ADVERTISER_ALIAS
from lambdas.files.documents import OnInvalidRow
from lambdas.tiktok.errors import InvalidInput
from lambdas.tiktok.models import AudienceSubType

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "audience-settings.md").read_text(encoding="utf-8")
SCHEMA: dict[str, Any] = json.loads((DOCS / "audience.schema.json").read_text(encoding="utf-8"))
PROPERTIES: dict[str, dict[str, Any]] = SCHEMA["properties"]
KEY = "tiktok/Foodies/audience.json"
TYPES: dict[str, tuple[type, ...]] = {"integer": (int, float), "number": (int, float), "string": (str,)}


def parsed(document: object) -> AudienceSettings:
    return parse(json.dumps(document).encode(), KEY)


def refusal_of(content: bytes) -> str:
    with pytest.raises(InvalidInput) as raised:
        parse(content, KEY)
    assert raised.value.reason == "bad_audience_settings"
    assert KEY in str(raised.value)
    assert "replay" in str(raised.value)
    return str(raised.value)


def fits_the_schema(document: dict[str, Any]) -> bool:
    """What JSON Schema says, of the few words that our schema is made of."""

    def fits(rules: dict[str, Any], value: Any) -> bool:
        pattern: str = rules.get("pattern", "").replace("$", r"\Z")
        if type(value) not in TYPES[rules["type"]]:
            return False
        if rules["type"] == "integer" and value != int(value):
            return False
        return (
            ("minimum" not in rules or rules["minimum"] <= value <= rules["maximum"])
            and ("enum" not in rules or value in rules["enum"])
            and ("pattern" not in rules or re.search(pattern, value) is not None)
        )

    return all(key in PROPERTIES and fits(PROPERTIES[key], value) for key, value in document.items())


def test_no_settings_are_the_deployments() -> None:
    assert parsed({}) == AudienceSettings()
    assert AudienceSettings().on_invalid_row is OnInvalidRow.SKIP


def test_every_setting_is_read() -> None:
    document = {
        "retention_in_days": 365,
        "max_invalid_ratio": 0.25,
        "on_invalid_row": "refuse",
        "default_country": "gb",
        "advertiser": "acme-2",
        "audience_sub_type": "REACH_FREQUENCY",
        "min_rows": 1000,
        "max_shrink_ratio": 1,
    }

    settings = parsed(document)

    assert settings == AudienceSettings(
        365, 0.25, OnInvalidRow.REFUSE, "GB", "acme-2", AudienceSubType.REACH_FREQUENCY, 1000, 1.0
    )
    assert isinstance(settings.max_shrink_ratio, float)


def test_a_byte_order_mark_does_no_harm() -> None:
    assert parse(b'\xef\xbb\xbf{"min_rows": 5}', KEY).min_rows == 5


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{'min_rows': 5}", "not JSON"),
        (b'{"min_rows": 5,}', "not JSON"),
        (b'{"max_invalid_ratio": NaN}', "not JSON"),
        (b'{"max_invalid_ratio": Infinity}', "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b'[["min_rows", 5]]', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'"min_rows"', "not a JSON object"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b'{"min_rows": "\xe9"}', "not UTF-8"),
        (b"{}" + b" " * (64 << 10), "64 KiB"),
    ],
)
def test_a_file_that_is_no_json_object_is_told_so(content: bytes, told: str) -> None:
    assert f"the file {'is ' if told[0] == 'n' else 'has more than '}{told}" in refusal_of(content)


def test_a_file_of_exactly_the_largest_size_is_read() -> None:
    assert parse(b"{}".ljust(64 << 10), KEY) == AudienceSettings()


WRONG: list[tuple[str, Any]] = [
    *[("retention_in_days", value) for value in (0, 366, 1.5, "30", True, None, [30], -1, 1e400, 10**30)],
    *[("max_invalid_ratio", value) for value in (-0.1, 1.1, "0.1", False, None, {"a": 1})],
    *[("on_invalid_row", value) for value in ("Skip", "", None, True, 1, ["skip"])],
    *[("default_country", value) for value in ("XX", "USA", "", "U\n", "US\n", "Ü1", "ſt", None, 44)],
    *[("advertiser", value) for value in ("", "a b", "x" * 65, "acme\n", "jane@example.com", None, 7)],
    *[("audience_sub_type", value) for value in ("normal", "", None, False)],
    *[("min_rows", value) for value in (0, 1_000_000_001, 2.5, True, "5", None)],
    *[("max_shrink_ratio", value) for value in (-1, 1.01, True, "1", None)],
]


@pytest.mark.parametrize(("key", "value"), WRONG, ids=lambda part: repr(part)[:30])
def test_a_wrong_value_is_told_by_its_key_and_not_repeated(key: str, value: object) -> None:
    told = refusal_of(json.dumps({key: value}).replace("Infinity", "1e400").encode())

    assert f"{key} has to be " in told
    assert "jane" not in told


def test_all_problems_are_told_at_once() -> None:
    content = b'{"retention_in_days": 0, "min_rows": 1, "min_rows": 0, "advertizer": "acme", "on_invalid_row": "drop"}'

    told = refusal_of(content)

    assert "retention_in_days has to be a whole number from 1 to 365" in told
    assert "min_rows is there 2 times" in told
    assert "'advertizer' is unknown (is it 'advertiser'?)" in told
    assert "on_invalid_row has to be one of 'skip', 'refuse'" in told
    assert all(field.name in told for field in fields(AudienceSettings)), "the known keys are listed"


@pytest.mark.parametrize("key", ["jane.doe@example.com", "+442071838750", "a" * 64, "5f3a2b18-9c4d", "\ud800", ""])
def test_an_unknown_key_that_does_not_look_like_one_is_not_repeated(key: str) -> None:
    told = refusal_of(json.dumps({key: 1}).encode())

    assert "a key that is not shown here is unknown" in told
    assert not key or key not in told


def test_many_unknown_keys_are_counted() -> None:
    told = refusal_of(json.dumps({"x" * length: 1 for length in range(1, 26)}).encode())

    assert "15 more keys are unknown" in told
    assert len(told) < 1000


@given(
    st.dictionaries(
        st.sampled_from([*PROPERTIES, "other"]),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-2, 370),
            st.integers(),
            st.floats(-0.5, 1.5),
            st.sampled_from([1.0, 30.0, 365.0, 1e9, 1e20, 1e-300, -0.0]),
            st.text(alphabet="USgb_.-1 \n", max_size=3).filter(lambda text: len(text) != 2),
            st.sampled_from(["US", "gb", "DE", "skip", "refuse", "NORMAL", "REACH_FREQUENCY", "a" * 64, "a" * 65]),
            st.lists(st.just("skip"), max_size=1),
        ),
        max_size=3,
    )
)
def test_the_code_takes_exactly_what_the_schema_allows(document: dict[str, Any]) -> None:
    try:
        parsed(document)
        is_taken = True
    except InvalidInput:
        is_taken = False

    assert is_taken == fits_the_schema(document)


@given(st.binary(max_size=200))
def test_no_content_is_more_than_wrong(content: bytes) -> None:
    with suppress(InvalidInput):
        parse(content, KEY)


def test_table_schema_and_code_name_the_same_keys_in_the_same_order() -> None:
    names = [field.name for field in fields(AudienceSettings)]

    assert list(PROPERTIES) == names
    assert re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE) == names
    assert SCHEMA["additionalProperties"] is False


def test_the_schema_is_made_of_words_that_are_tested_here() -> None:
    words = {word for rules in PROPERTIES.values() for word in rules}
    assert words <= {"description", "type", "minimum", "maximum", "enum", "pattern"}
    assert PROPERTIES["advertiser"]["pattern"] == f"^{ADVERTISER_ALIAS}$"


@pytest.mark.parametrize("key", PROPERTIES)
def test_the_table_gives_the_limits_of_the_schema(key: str) -> None:
    rules = PROPERTIES[key]
    row = re.search(rf"^\| `{key}` \| (.*?) \|", PAGE, flags=re.MULTILINE)
    assert row is not None
    if "minimum" in rules:
        kind = "whole number" if rules["type"] == "integer" else "number"
        assert row[1] == f"{kind}, {rules['minimum']} to {rules['maximum']}"
    elif "enum" in rules:
        assert row[1] == " or ".join(f"`{word}`" for word in rules["enum"])
    else:
        assert {"default_country": "two letters of ISO 3166", "advertiser": "1 to 64 letters"}[key] in row[1]


def test_the_example_of_the_page_is_right() -> None:
    example = re.search(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)
    assert example is not None
    assert parse(example[1].encode(), KEY).advertiser == "acme"


def test_the_settings_of_an_audience_lie_beside_its_formats() -> None:
    assert settings_key("Foodies & friends") == "tiktok/Foodies & friends/audience.json"
    assert is_settings_key(settings_key("audience.json"))


@pytest.mark.parametrize(
    "key",
    [
        "tiktok/audience.json",
        "tiktok//audience.json",
        "tiktok/Foodies/email_sha256/audience.json",
        "tiktok/Foodies/Audience.json",
        "tiktok/Foodies/audience.json/",
        "TikTok/Foodies/audience.json",
        "receipts/Foodies/audience.json",
        "audience.json",
        "",
    ],
)
def test_other_keys_are_no_settings(key: str) -> None:
    assert not is_settings_key(key)
