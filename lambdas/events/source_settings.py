"""The settings of one event source: what ``events/<source>/<event source>/source.json`` may say. Pure.

`docs/source.schema.json` says the same to editors and validators, and `docs/event-files.md` to people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdas.events.rows.fields import meaning_of
from lambdas.files.documents import OnInvalidRow, Pairs, Unfit, alias, country, one_of, read_document, switch
from lambdas.tiktok.errors import InvalidInput
from lambdas.tiktok.models import EventSource

_LONGEST_TEST_CODE = 100
_MOST_RENAMED = 200
_LONGEST_NAME = 100
WITH_LIMITED_DATA_USE = (EventSource.WEB, EventSource.APP)  # API reference section 6.1


@dataclass(frozen=True)
class SourceSettings:
    """What holds for one event source. None: what the deployment says, or nothing.

    ``columns`` and ``events`` map a user's own names to the connector's columns and TikTok's events. ``advertiser`` is
    an alias of the secret.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    events: Mapping[str, str] = field(default_factory=dict)
    on_invalid_row: OnInvalidRow = OnInvalidRow.SKIP
    limited_data_use: bool | None = None
    test_event_code: str | None = None
    default_country: str | None = None
    advertiser: str | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> SourceSettings:
        """The inverse of ``dataclasses.asdict``, also after a way through JSON."""
        return cls(**{**document, "on_invalid_row": OnInvalidRow(document["on_invalid_row"])})


def parse_settings(source: EventSource) -> Callable[[bytes, str], SourceSettings]:
    """Reads the settings of an event source of a kind, from their content; also takes the key that they lie under.

    That raises InvalidInput ``bad_source_settings``, with the key and every problem. No value is repeated.
    """

    def parse(content: bytes, key: str) -> SourceSettings:
        values, problems = read_document(content, _READERS)
        if values.get("limited_data_use") and source not in WITH_LIMITED_DATA_USE:
            problems.append(f"limited_data_use cannot be true: TikTok knows it for web and app only, not for {source}")
        if problems:
            raise InvalidInput(
                f"The settings {key} are wrong: {'; '.join(problems)}. Nothing was sent. Mend them "
                "(docs/event-files.md), then replay.",
                reason="bad_source_settings",
            )
        mapping = values.pop("mapping", {})
        return SourceSettings(**values, **mapping)

    return parse


def _test_code(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_TEST_CODE or not value.isprintable():
        raise Unfit(f"a text of 1 to {_LONGEST_TEST_CODE} printable characters")
    return value


def _names(value: Any, what: str) -> dict[str, str]:
    """An object of texts by text, each key once."""
    if not isinstance(value, Pairs):
        raise Unfit(f"an object whose {what} is an object of names by your own names")
    names = dict(value)
    if len(names) > _MOST_RENAMED or any(times > 1 for times in Counter(name for name, _ in value).values()):
        raise Unfit(f"an object whose {what} has at most {_MOST_RENAMED} names, each once")
    if not all(
        isinstance(name, str) and 1 <= len(name) <= _LONGEST_NAME and name.isprintable() and name.strip()
        for pair in value
        for name in pair
    ):
        raise Unfit(f"an object whose {what} maps texts of 1 to {_LONGEST_NAME} printable characters to such texts")
    return names


def _mapping(value: Any) -> dict[str, dict[str, str]]:
    given = [name for name, _ in value] if isinstance(value, Pairs) else [""]
    if not set(given) <= {"columns", "events"} or len(set(given)) < len(given):
        raise Unfit('an object with "columns" and "events", each at most once, and nothing else')
    mapping = {name: _names(names, name) for name, names in value}
    for name in mapping.get("columns", {}).values():
        if meaning_of(name) is None:
            raise Unfit(
                "an object whose columns lead from your own names to those of docs/event-files.md, and to nothing else"
            )
    return mapping


_READERS: dict[str, Callable[[Any], Any]] = {
    "mapping": _mapping,
    "on_invalid_row": one_of(OnInvalidRow),
    "limited_data_use": switch,
    "test_event_code": _test_code,
    "default_country": country,
    "advertiser": alias,
}
