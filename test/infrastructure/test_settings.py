"""The deployer's answers: what is accepted, and how wrong ones are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields
from typing import Any, get_type_hints

import pytest

from lambdas.attempts import STEP_SECONDS
from lambdas.contracts import CALCULATE_TYPES, EVENT_SOURCES
from stacks.settings import Settings, SettingsError
from test.infrastructure.synthesis import committed_answers, feature_flags


def problems_of(context: dict[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        Settings.from_context(context)
    return [problem.key for problem in raised.value.problems]


def test_the_committed_answers_are_the_defaults() -> None:
    assert Settings.from_context(committed_answers()) == Settings()


def test_every_answer_is_in_the_file_but_the_name_of_a_second_copy() -> None:
    assert {field.name for field in fields(Settings)} - set(committed_answers()) == {"stack_name"}


def test_an_empty_context_gives_the_defaults() -> None:
    assert Settings.from_context({}) == Settings()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().max_concurrency = 5  # type: ignore[misc]


def test_strings_from_the_command_line_mean_the_same_as_values_from_the_file() -> None:
    spoken = {
        "supported_calculate_types": "email_sha256, GAID_SHA256",
        "max_invalid_ratio": "0.5",
        "tiktok_requests_per_second": "10",
        "max_receive_count": "3",
        "data_retention_days": "90",
        "retry_delay_seconds": " 30 ",
        "max_concurrency": "2",
        "large_object_bytes": "1073741824",
        "part_concurrency": "1",
        "audiences_enabled": "False",
        "audience_watch_enabled": "false",
        "expiry_warning_days": "30",
        "allow_raw_identifiers": "TRUE",
        "allow_audience_deletion": "true",
        "default_country": " gb ",
        "email_rule": "Both",
        "phone_rule": " no_plus",
        "thread_count": "7",
        "events_enabled": "true",
        "create_missing_event_sources": "True",
        "events_bus_source": " shop/checkout ",
        "max_event_age_days": "web=7, App=28,offline=28 ,crm=90",
        "limited_data_use": "TRUE",
        "partner_name": " Example Agency ",
    }
    written = {
        "supported_calculate_types": ["EMAIL_SHA256", "GAID_SHA256"],
        "max_invalid_ratio": 0.5,
        "tiktok_requests_per_second": 10,
        "max_receive_count": 3,
        "data_retention_days": 90,
        "retry_delay_seconds": 30,
        "max_concurrency": 2,
        "large_object_bytes": 2**30,
        "part_concurrency": 1,
        "audiences_enabled": False,
        "audience_watch_enabled": False,
        "expiry_warning_days": 30,
        "allow_raw_identifiers": True,
        "allow_audience_deletion": True,
        "default_country": "GB",
        "email_rule": "both",
        "phone_rule": "no_plus",
        "thread_count": 7,
        "events_enabled": True,
        "create_missing_event_sources": True,
        "events_bus_source": "shop/checkout",
        "max_event_age_days": {"web": 7, "app": 28, "offline": 28, "crm": 90},
        "limited_data_use": True,
        "partner_name": "Example Agency",
    }
    assert Settings.from_context(spoken) == Settings.from_context(written)


def test_calculate_types_are_taken_in_any_letter_case_and_order_and_only_once() -> None:
    settings = Settings.from_context({"supported_calculate_types": ["first_sha256", "Email_SHA256", "EMAIL_SHA256"]})
    assert settings.supported_calculate_types == ("EMAIL_SHA256", "FIRST_SHA256")


@pytest.mark.parametrize(
    ("key", "least", "most"),
    [
        ("max_invalid_ratio", 0, 1),
        ("tiktok_requests_per_second", 2, 50),
        ("max_receive_count", 1, 100),
        ("data_retention_days", 1, 3650),
        ("retry_delay_seconds", 1, 900),
        ("max_concurrency", 2, 50),
        ("thread_count", 1, 10),
        ("large_object_bytes", 2**20, 2**32),
        ("part_concurrency", 1, 40),
        ("expiry_warning_days", 1, 365),
    ],
)
def test_both_ends_of_a_range_are_accepted(key: str, least: float, most: float) -> None:
    context = {"tiktok_requests_per_second": 50}
    assert getattr(Settings.from_context({**context, key: least}), key) == least
    assert getattr(Settings.from_context({**context, key: str(most)}), key) == most


@pytest.mark.parametrize("days", [1, "1", 3650, "3650"])
def test_one_number_of_days_is_for_events_of_every_source(days: object) -> None:
    ages = Settings.from_context({"max_event_age_days": days}).max_event_age_days
    assert ages == dict.fromkeys(EVENT_SOURCES, int(str(days)))


WRONG: list[tuple[str, object]] = [
    *[("tiktok_data_bucket_name", name) for name in ("ab", "Upper", "under_score", "a.dot", "-x-", "x" * 64, None, 7)],
    *[("tiktok_data_bucket_name", name) for name in ("xn--bucket", "my-bucket-s3alias")],
    *[("cred_secret_name", name) for name in ("", " ", "with space", "x" * 513, None)],
    *[("supported_calculate_types", types) for types in ([], "", ["MD5"], "EMAIL_SHA256,", [1], None, {"a": 1})],
    *[("max_invalid_ratio", ratio) for ratio in (-0.01, 1.01, "nan", "1%", "", None, True, [0.1])],
    *[("tiktok_requests_per_second", rate) for rate in (0, -1, 50.5, "inf", "fast", False)],
    *[("max_receive_count", count) for count in (0, 101, 2.5, "five", True)],
    *[("data_retention_days", days) for days in (0, 3651, "30 days")],
    *[("retry_delay_seconds", seconds) for seconds in (0, 901, "nan")],
    *[("max_concurrency", concurrency) for concurrency in (1, 51, "1e400")],
    *[("large_object_bytes", size) for size in (2**20 - 1, 2**32 + 1, "2 GiB")],
    *[("part_concurrency", concurrency) for concurrency in (0, 41, 1.5)],
    *[("audience_watch_enabled", switch) for switch in ("hourly", 0, None)],
    *[("expiry_warning_days", days) for days in (0, 366, "soon", True)],
    *[("audiences_enabled", switch) for switch in ("yes", 1, "", None)],
    *[("alarm_email", address) for address in ("nobody", "a@b", "a@b.c, d@e.f", None)],
    *[("allow_raw_identifiers", switch) for switch in ("on", 0, None)],
    *[("allow_audience_deletion", switch) for switch in ("on", 0, None)],
    *[("default_country", country) for country in ("USA", "U", "1A", "ÄÖ", "US,GB", None, 1)],
    *[("email_rule", rule) for rule in ("", "newer", "plus", None, True)],
    *[("phone_rule", rule) for rule in ("", "plain", "no plus", None, ["plus"])],
    *[("thread_count", count) for count in (0, 11, 1.5, "many", True)],
    *[("events_enabled", switch) for switch in ("yes", 1, None)],
    *[("create_missing_event_sources", switch) for switch in ("on", 0, None)],
    *[("limited_data_use", switch) for switch in ("on", 0, None)],
    *[("events_bus_source", source) for source in ("aws.s3", "AWS.me", "my shop", "a:b", "x" * 129, "ä", None, 1)],
    *[("max_event_age_days", days) for days in (0, 3651, 2.5, True, "", "a week", None, [28])],
    *[("max_event_age_days", days) for days in ("web=7", "web=7,app=7,offline=7,crm=0", "web=,app=7,offline=7,crm=7")],
    *[("max_event_age_days", {"web": 1, "app": 1, "offline": 1, "crm": day}) for day in (0, None, "x", True)],
    ("max_event_age_days", {}),
    ("max_event_age_days", {"web": 1, "app": 1, "offline": 1}),
    ("max_event_age_days", {"web": 1, "app": 1, "offline": 1, "crm": 1, "shop": 1}),
    *[("partner_name", name) for name in ("x" * 51, "Ä", "a\tb", None, 7)],
    *[("stack_name", name) for name in ("", "1st", "under_score", "x" * 129)],
]


@pytest.mark.parametrize(("key", "value"), WRONG, ids=lambda part: repr(part)[:30])
def test_a_wrong_answer_is_told_with_key_value_and_what_was_expected(key: str, value: object) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_context({key: value})
    (problem,) = raised.value.problems
    assert (problem.key, problem.value) == (key, value)
    assert problem.expected
    assert f"{key}: {value!r} is wrong, expected {problem.expected}" in str(raised.value)


def test_all_wrong_answers_are_told_at_once() -> None:
    assert sorted(problems_of(dict(WRONG))) == sorted(field.name for field in fields(Settings))


def test_the_unknown_among_the_calculate_types_are_named() -> None:
    with pytest.raises(SettingsError, match="not 'MD5', 'SHA1'"):
        Settings.from_context({"supported_calculate_types": ["md5", "email_sha256", "sha1"]})


@pytest.mark.parametrize("key", ["max_recieve_count", "MAX_RECEIVE_COUNT", "max-receive-count", "max_receive_counts"])
def test_a_misspelled_key_is_told_together_with_the_right_one(key: str) -> None:
    with pytest.raises(SettingsError, match="max_receive_count"):
        Settings.from_context({key: 7})


def test_keys_of_the_cdk_and_of_others_are_left_alone() -> None:
    others = {"aws:cdk:enable-path-metadata": True, "availability-zones:account=1:region=x": ["a"], "owner": "team"}
    assert Settings.from_context({**feature_flags(), **others}) == Settings()


def test_every_answer_has_the_type_that_its_field_declares() -> None:
    settings = Settings.from_context(committed_answers())
    hints = get_type_hints(Settings)
    assert hints.pop("supported_calculate_types") == tuple[str, ...]
    assert hints.pop("max_event_age_days") == Mapping[str, int]
    assert {name: type(getattr(settings, name)) for name in hints} == hints


def test_all_calculate_types_of_the_contract_are_supported_at_first() -> None:
    assert Settings().supported_calculate_types == CALCULATE_TYPES


def test_functions_that_share_a_low_rate_may_not_be_many() -> None:
    without_events = {"tiktok_requests_per_second": 2, "events_enabled": False}
    with pytest.raises(SettingsError) as raised:
        Settings.from_context({"max_concurrency": 15, **without_events})

    [problem] = raised.value.problems
    assert (problem.key, problem.value) == ("max_concurrency", 15)
    assert problem.expected.startswith("at most 7.2 times tiktok_requests_per_second")
    assert Settings.from_context({"max_concurrency": 14, **without_events}).max_concurrency == 14
    with pytest.raises(SettingsError, match="max_concurrency: 5 is wrong, expected at most 2 times tiktok_requests"):
        Settings.from_context({"max_concurrency": 5, "tiktok_requests_per_second": 2})
    assert Settings.from_context({"max_concurrency": 4, "tiktok_requests_per_second": 2}).max_concurrency == 4
    with pytest.raises(SettingsError, match="part_concurrency: 13 is wrong, expected at most 12 times"):
        Settings.from_context({"part_concurrency": 13, "max_concurrency": 2, "tiktok_requests_per_second": 1})


def test_a_live_event_can_wait_for_two_requests_about_its_event_source() -> None:
    slowest = Settings.from_context({"max_concurrency": 4, "tiktok_requests_per_second": 2})
    assert 2 * slowest.event_interval_seconds < 300 - STEP_SECONDS


def test_all_functions_together_keep_the_rate() -> None:
    settings = Settings.from_context({"tiktok_requests_per_second": 3, "max_concurrency": 6, "part_concurrency": 9})

    audiences = 6 / settings.delivery_interval_seconds + 9 / settings.part_interval_seconds
    event_sources = (6 + 6) / settings.event_interval_seconds
    assert audiences + event_sources + 1 / settings.watch_interval_seconds == pytest.approx(3)
