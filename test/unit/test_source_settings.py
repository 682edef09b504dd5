"""The settings of one event source: what they may say, how wrong ones are told, and that the documents say the same."""

import json
import re
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.contracts import ADVERTISER_ALIAS
from lambdas.events.domain import is_settings_key, parse_destination
from lambdas.events.rows.fields import FIELDS
from lambdas.events.source_settings import WITH_LIMITED_DATA_USE, SourceSettings, parse_settings
from lambdas.files.documents import OnInvalidRow
from lambdas.tiktok.errors import InvalidInput
from lambdas.tiktok.models import EventSource

DOCS = Path(__file__).resolve().parents[2] / "docs"
SECTION = (DOCS / "event-files.md").read_text(encoding="utf-8").partition("\n## Settings\n")[2].partition("\n## ")[0]
SCHEMA: dict[str, Any] = json.loads((DOCS / "source.schema.json").read_text(encoding="utf-8"))
PROPERTIES: dict[str, dict[str, Any]] = SCHEMA["properties"]
KEY = "events/web/Shop/source.json"
TYPES: dict[str, type] = {"string": str, "boolean": bool, "object": dict}


def parsed(document: object, source: EventSource = EventSource.WEB) -> SourceSettings:
    return parse_settings(source)(json.dumps(document).encode(), KEY)


def refusal_of(content: bytes, source: EventSource = EventSource.WEB) -> str:
    with pytest.raises(InvalidInput) as raised:
        parse_settings(source)(content, KEY)
    assert raised.value.reason == "bad_source_settings"
    assert KEY in str(raised.value)
    assert "replay" in str(raised.value)
    return str(raised.value)


def fits_the_schema(document: dict[str, Any]) -> bool:
    """What JSON Schema says, of the few words that our schema is made of."""

    def fits(rules: dict[str, Any], value: Any) -> bool:
        if "type" in rules and type(value) is not TYPES[rules["type"]]:
            return False
        if "enum" in rules and value not in rules["enum"]:
            return False
        if "pattern" in rules and not re.search(rules["pattern"].replace("$", r"\Z"), value):
            return False
        if isinstance(value, str):
            return bool(rules.get("minLength", 0) <= len(value) <= rules.get("maxLength", len(value)))
        if not isinstance(value, dict):
            return True
        others = rules.get("additionalProperties", {})
        return len(value) <= rules.get("maxProperties", len(value)) and all(
            fits(rules.get("propertyNames", {}), name)
            and (
                fits(rules["properties"][name], each)
                if name in rules.get("properties", {})
                else others is not False and fits(others, each)
            )
            for name, each in value.items()
        )

    return fits(SCHEMA, document)


def words_of(rules: Any) -> set[str]:
    """The words that a schema is made of, but for the names of what it describes."""
    if not isinstance(rules, dict):
        return set()
    words = set(rules)
    for word, inner in rules.items():
        for each in inner.values() if word == "properties" else [inner]:
            words |= words_of(each)
    return words


def test_no_settings_are_the_deployments() -> None:
    assert parsed({}) == parsed({"mapping": {}}) == SourceSettings()
    assert SourceSettings().on_invalid_row is OnInvalidRow.SKIP


def test_every_setting_is_read() -> None:
    document = {
        "mapping": {"columns": {"Kundenmail": "E-Mail", "sha": "email_sha256"}, "events": {"Kauf": "Purchase"}},
        "on_invalid_row": "refuse",
        "limited_data_use": True,
        "test_event_code": "TEST12345",
        "default_country": "at",
        "advertiser": "acme-2",
    }

    settings = parsed(document)

    assert settings == SourceSettings(
        {"Kundenmail": "E-Mail", "sha": "email_sha256"},
        {"Kauf": "Purchase"},
        OnInvalidRow.REFUSE,
        True,
        "TEST12345",
        "AT",
        "acme-2",
    )


def test_settings_survive_the_ledger() -> None:
    settings = parsed({"mapping": {"events": {"Kauf": "Purchase"}}, "on_invalid_row": "refuse", "advertiser": "a"})

    assert SourceSettings.from_document(json.loads(json.dumps(asdict(settings)))) == settings


@pytest.mark.parametrize("source", EventSource)
def test_limited_data_use_can_be_asked_for_where_tiktok_knows_it(source: EventSource) -> None:
    assert parsed({"limited_data_use": False}, source).limited_data_use is False
    if source in WITH_LIMITED_DATA_USE:
        assert parsed({"limited_data_use": True}, source).limited_data_use is True
    else:
        told = refusal_of(b'{"limited_data_use": true}', source)
        assert f"limited_data_use cannot be true: TikTok knows it for web and app only, not for {source}" in told


@pytest.mark.parametrize("name", [name for field in FIELDS.values() for name in (field.name, *field.aliases)])
def test_every_name_of_a_column_can_be_mapped_to(name: str) -> None:
    assert parsed({"mapping": {"columns": {"own": name}}}).columns == {"own": name}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is not JSON"),
        (b'{"mapping": NaN}', "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b"\xff\xfe{\x00}\x00", "is not UTF-8"),
        (b"{}" + b" " * (64 << 10), "has more than 64 KiB"),
    ],
)
def test_a_file_that_is_no_json_object_is_told_so(content: bytes, told: str) -> None:
    assert f"the file {told}" in refusal_of(content)


LONG = "x" * 101
BAD_MAPPINGS: list[Any] = [None, [], "email", {"column": {}}, {"columns": {}, "people": {}}]
BAD_NAMES: list[Any] = [None, [], "email", [["own", "email"]], {"own": 1}, {"own": {}}]
BAD_COLUMNS: list[Any] = [*BAD_NAMES, {"own": ""}, {"": "email"}, {LONG: "email"}, {"own": "jane"}, {"jane@x.com": 1}]
BAD_EVENTS: list[Any] = [*BAD_NAMES, {"own": ""}, {"": "Purchase"}, {"own": LONG}]
TOO_MANY = {f"own {number}": "Purchase" for number in range(201)}
WRONG: list[tuple[str, Any]] = [
    *[("mapping", value) for value in BAD_MAPPINGS],
    *[("mapping", {"columns": value}) for value in BAD_COLUMNS],
    *[("mapping", {"events": value}) for value in (*BAD_EVENTS, TOO_MANY)],
    *[("on_invalid_row", value) for value in ("Skip", "", None, True)],
    *[("limited_data_use", value) for value in ("true", 1, None)],
    *[("test_event_code", value) for value in ("", LONG, "TEST\n", 12345, None)],
    *[("default_country", value) for value in ("XX", "USA", "", None)],
    *[("advertiser", value) for value in ("", "a b", "x" * 65, "jane@example.com", None)],
]


@pytest.mark.parametrize(("key", "value"), WRONG, ids=lambda part: repr(part)[:30])
def test_a_wrong_value_is_told_by_its_key_and_not_repeated(key: str, value: object) -> None:
    told = refusal_of(json.dumps({key: value}).encode())

    assert f"{key} has to be " in told
    assert "jane" not in told


def test_a_name_that_is_mapped_twice_is_refused() -> None:
    told = refusal_of(b'{"mapping": {"columns": {"own": "email", "own": "phone"}}}')

    assert "at most 200 names, each once" in told


def test_all_problems_are_told_at_once() -> None:
    told = refusal_of(b'{"test_event_code": 1, "advertiser": "a", "advertiser": "b", "mappings": {}}')

    assert "test_event_code has to be " in told
    assert "advertiser is there 2 times" in told
    assert "'mappings' is unknown (is it 'mapping'?)" in told
    assert all(name in told for name in PROPERTIES), "the known keys are listed"


NAMES = st.sampled_from(["own", "Kauf", "email", "E-Mail", "", "x" * 100, LONG])
VALUES = st.sampled_from(["email", "phone_sha256", "E-Mail", "", 1, None])
NAMES_BY_NAME = st.one_of(st.dictionaries(NAMES, VALUES, max_size=3), st.none(), st.just("email"))


@given(
    st.dictionaries(
        st.sampled_from([*PROPERTIES, "other"]),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.text(alphabet="USgb_.-1 ", max_size=3).filter(lambda text: len(text) != 2),
            st.sampled_from(["US", "gb", "DE", "skip", "refuse", "a" * 64, "a" * 65, "a" * 100, LONG]),
            st.dictionaries(st.sampled_from(["columns", "events", "other"]), NAMES_BY_NAME, max_size=2),
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
        parse_settings(EventSource.APP)(content, KEY)


def test_table_schema_and_code_name_the_same_keys_in_the_same_order() -> None:
    told = refusal_of(b'{"other": 1}')

    assert re.findall(r"^\| `(\w+)` \|", SECTION, flags=re.MULTILINE) == list(PROPERTIES)
    assert f"known are {', '.join(PROPERTIES)}" in told
    assert SCHEMA["additionalProperties"] is False


def test_the_schema_is_made_of_words_that_are_tested_here() -> None:
    tested = {"type", "enum", "pattern", "minLength", "maxLength", "maxProperties", "propertyNames"}
    assert words_of(SCHEMA) <= tested | {"$schema", "title", "description", "properties", "additionalProperties"}
    assert PROPERTIES["advertiser"]["pattern"] == f"^{ADVERTISER_ALIAS}$"


def test_the_example_of_the_page_is_right() -> None:
    example = re.search(r"```json\n(.*?)```", SECTION, flags=re.DOTALL)
    assert example is not None

    settings = parse_settings(EventSource.WEB)(example[1].encode(), KEY)

    assert list(json.loads(example[1])) == list(PROPERTIES)
    assert settings.events


def test_the_settings_of_an_event_source_lie_beside_its_files() -> None:
    destination = parse_destination("offline", "Shops & phone")

    assert destination.settings_key == "events/offline/Shops & phone/source.json"
    assert is_settings_key(destination.settings_key)


@pytest.mark.parametrize(
    "key",
    [
        "events/source.json",
        "events/web/source.json",
        "events/web//source.json",
        "events/web/Shop/2026/source.json",
        "events/web/Shop/Source.json",
        "events/web/Shop/source.json/",
        "tiktok/web/Shop/source.json",
        "",
    ],
)
def test_other_keys_are_no_settings(key: str) -> None:
    assert not is_settings_key(key)
