"""The settings of one audience: what ``tiktok/<audience>/audience.json`` may say. Pure.

`docs/audience.schema.json` says the same to editors and validators, and `docs/audience-settings.md` to people.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lambdas.contracts import AUDIENCES_PREFIX
from lambdas.files.documents import OnInvalidRow, alias, country, one_of, ratio, read_document, whole_number
from lambdas.tiktok.errors import InvalidInput
from lambdas.tiktok.models import AudienceSubType

_FILE = "audience.json"
_LONGEST_RETENTION_DAYS = 365  # API reference section 3.4
_MOST_ROWS = 1_000_000_000


@dataclass(frozen=True)
class AudienceSettings:
    """What holds for one audience. None: what the deployment says, or TikTok, or nothing.

    ``advertiser`` is an alias of the secret. ``min_rows`` and ``max_shrink_ratio`` guard a replace. ``default_country``
    is in upper case.
    """

    retention_in_days: int | None = None
    max_invalid_ratio: float | None = None
    on_invalid_row: OnInvalidRow = OnInvalidRow.SKIP
    default_country: str | None = None
    advertiser: str | None = None
    audience_sub_type: AudienceSubType | None = None
    min_rows: int | None = None
    max_shrink_ratio: float | None = None


def settings_key(audience: str) -> str:
    """Where the settings of an audience lie."""
    return f"{AUDIENCES_PREFIX}{audience}/{_FILE}"


def is_settings_key(key: str) -> bool:
    """Whether an object holds the settings of an audience, and so no rows."""
    prefix, _, rest = key.partition("/")
    audience, _, file = rest.partition("/")
    return f"{prefix}/" == AUDIENCES_PREFIX and audience != "" and file == _FILE


def parse(content: bytes, key: str) -> AudienceSettings:
    """Read the settings that lie under a key.

    Raises:
        InvalidInput: ``bad_audience_settings``, with the key and every problem. No value is repeated.
    """
    values, problems = read_document(content, _READERS)
    if problems:
        raise InvalidInput(
            f"The settings {key} are wrong: {'; '.join(problems)}. Nothing was sent. Mend them "
            "(docs/audience-settings.md), then replay.",
            reason="bad_audience_settings",
        )
    return AudienceSettings(**values)


_READERS: dict[str, Callable[[Any], object]] = {
    "retention_in_days": whole_number(1, _LONGEST_RETENTION_DAYS),
    "max_invalid_ratio": ratio,
    "on_invalid_row": one_of(OnInvalidRow),
    "default_country": country,
    "advertiser": alias,
    "audience_sub_type": one_of(AudienceSubType),
    "min_rows": whole_number(1, _MOST_ROWS),
    "max_shrink_ratio": ratio,
}
