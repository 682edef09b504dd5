"""Everything about the emulator's behaviour that a test may want to differ."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace


class UnknownSettingError(ValueError):
    """No setting of that name exists."""


class InvalidSettingError(ValueError):
    """The value does not fit the setting."""


@dataclass(frozen=True)
class Settings:
    """The defaults are TikTok's, as far as they are known. A rate of None is unlimited."""

    minimum_audience_size: int = 1_000
    valid_after_seconds: float = 3_600
    list_lag_seconds: float = 0
    match_rate: float = 1.0
    max_audiences: int = 400
    max_file_size_bytes: int = 250 * 1024 * 1024
    file_path_lifetime_seconds: float = 24 * 3_600
    foreign_file_path_code: int = 40905
    queries_per_second: int | None = 10
    queries_per_minute: int | None = 600
    queries_per_day: int | None = 864_000
    streaming_queries_per_second: int | None = 10_000
    streaming_queries_per_minute: int | None = 600_000
    streaming_queries_per_day: int | None = 864_000_000
    max_mapping_entries: int = 10_000
    max_mapping_bytes: int = 10 * 1024 * 1024
    refuse_update_while_processing: bool = False
    refuse_mismatched_files: bool = False
    ignore_unknown_ids_in_delete: bool = False
    event_queries_per_second: int | None = 1_000
    event_queries_per_minute: int | None = 600_000
    event_queries_per_day: int | None = 86_400_000
    max_event_request_bytes: int = 5 * 1024 * 1024
    max_offline_event_sets: int = 10
    max_kept_events: int = 10_000
    max_event_age_seconds: int | None = None
    max_event_lead_seconds: int | None = None
    unknown_event_source_code: int = 40002
    refuse_times_in_milliseconds: bool = False
    refuse_custom_offline_events: bool = True
    refuse_plain_identifiers: bool = False
    refuse_partner_names: bool = False
    refuse_app_events: bool = False
    require_user_of_web_events: bool = False
    accept_the_rest_of_a_bad_request: bool = False
    documented_event_statuses: bool = False

    def with_changes(self, changes: Mapping[str, object]) -> "Settings":
        """A copy with some settings changed, all of them or none."""
        types = {field.name: field.type for field in fields(self)}
        for name, value in changes.items():
            if name not in types:
                raise UnknownSettingError(f"unknown setting {name!r}; known are: {', '.join(sorted(types))}")
            _check(name, types[name], value)
        return replace(self, **changes)  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, object]:
        """Name and value of every setting."""
        return asdict(self)


def _check(name: str, kind: object, value: object) -> None:
    if kind is bool:
        if not isinstance(value, bool):
            raise InvalidSettingError(f"{name} must be true or false")
        return
    if value is None and kind == int | None:
        return
    accepted = (int, float) if kind is float else (int,)
    if isinstance(value, bool) or not isinstance(value, accepted):
        raise InvalidSettingError(f"{name} must be {'a number' if kind is float else 'a whole number'}")
    if not 0 <= value < float("inf"):
        raise InvalidSettingError(f"{name} must not be negative")
    if name == "match_rate" and value > 1:
        raise InvalidSettingError("match_rate must be between 0 and 1")
