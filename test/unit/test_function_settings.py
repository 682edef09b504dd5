"""The function's environment."""

import pytest

from lambdas.contracts import EMAIL_RULES, EVENT_SOURCES, PHONE_RULES, Env
from lambdas.identifiers.models import EmailRule, PhoneRule
from lambdas.settings import ActivationSettings, EventSettings
from lambdas.tiktok.errors import FatalError
from lambdas.tiktok.models import EventSource

GOOD: dict[str, str] = {
    Env.BUCKET: "data",
    Env.LEDGER_TABLE: "ledger",
    Env.SECRET_ID: "secret",
    Env.QUEUE_URL: "queue",
    Env.DEAD_LETTER_QUEUE_URL: "dead-letters",
    Env.TIKTOK_API_URL: "https://business-api.tiktok.com",
    Env.SUPPORTED_CALCULATE_TYPES: "EMAIL_SHA256,PHONE_SHA256",
    Env.MAX_INVALID_RATIO: "0.01",
    Env.MAX_RECEIVE_COUNT: "5",
    Env.RETRY_DELAY_SECONDS: "15",
    Env.REQUEST_INTERVAL_SECONDS: "0.5",
    Env.LEDGER_RETENTION_DAYS: "60",
    Env.ALLOW_RAW_IDENTIFIERS: "false",
    Env.DEFAULT_COUNTRY: "",
    Env.EMAIL_RULE: "plain",
    Env.PHONE_RULE: "plus",
    Env.THREAD_COUNT: "5",
    Env.ALLOW_AUDIENCE_DELETION: "false",
    Env.LARGE_OBJECT_BYTES: "2147483648",
    Env.STATE_MACHINE_ARN: "arn:aws:states:us-east-1:123456789012:stateMachine:large",
}
GOOD_FOR_EVENTS: dict[str, str] = {
    Env.BUCKET: "data",
    Env.LEDGER_TABLE: "ledger",
    Env.SECRET_ID: "secret",
    Env.QUEUE_URL: "queue",
    Env.DEAD_LETTER_QUEUE_URL: "dead-letters",
    Env.TIKTOK_API_URL: "https://business-api.tiktok.com",
    Env.MAX_RECEIVE_COUNT: "5",
    Env.RETRY_DELAY_SECONDS: "15",
    Env.REQUEST_INTERVAL_SECONDS: "10",
    Env.LEDGER_RETENTION_DAYS: "60",
    Env.DEFAULT_COUNTRY: "",
    Env.THREAD_COUNT: "5",
    Env.PARTNER_NAME: "",
    Env.LIMITED_DATA_USE: "false",
    Env.CREATE_MISSING_EVENT_SOURCES: "false",
    Env.MAX_EVENT_AGE_DAYS: "web=28,app=28,offline=28,crm=28",
}


def test_a_whole_environment_is_read() -> None:
    settings = ActivationSettings.from_environment(GOOD)

    assert settings.supported_calculate_types == {"EMAIL_SHA256", "PHONE_SHA256"}
    assert settings.request_interval_seconds == 0.5
    assert settings.default_country is None
    assert (settings.email_rule, settings.phone_rule) == (EmailRule.PLAIN, PhoneRule.PLUS)
    assert not settings.allow_raw_identifiers
    assert not settings.allow_audience_deletion


def test_what_was_switched_on_is_on() -> None:
    environment = {
        **GOOD,
        Env.ALLOW_RAW_IDENTIFIERS: "true",
        Env.ALLOW_AUDIENCE_DELETION: "true",
        Env.DEFAULT_COUNTRY: "GB",
        Env.THREAD_COUNT: "10",
    }
    settings = ActivationSettings.from_environment(environment)

    assert settings.allow_raw_identifiers
    assert settings.allow_audience_deletion
    assert (settings.default_country, settings.thread_count) == ("GB", 10)


def test_the_contract_names_the_rules_and_the_sources_of_events_that_there_are() -> None:
    assert set(EMAIL_RULES) == set(EmailRule)
    assert set(PHONE_RULES) == set(PhoneRule)
    assert set(EVENT_SOURCES) == set(EventSource)


def test_a_whole_environment_of_a_function_for_events_is_read() -> None:
    settings = EventSettings.from_environment(GOOD_FOR_EVENTS)

    assert (settings.queue_url, settings.dead_letter_queue_url) == ("queue", "dead-letters")
    assert (settings.max_receive_count, settings.retry_delay_seconds, settings.thread_count) == (5, 15, 5)
    assert settings.default_country is None
    assert settings.partner_name is None
    assert not settings.limited_data_use
    assert not settings.create_missing_event_sources
    assert settings.max_event_age_days == {"web": 28, "app": 28, "offline": 28, "crm": 28}


def test_what_was_chosen_for_events_is_read() -> None:
    environment = {
        **GOOD_FOR_EVENTS,
        Env.PARTNER_NAME: "Example Agency",
        Env.LIMITED_DATA_USE: "true",
        Env.CREATE_MISSING_EVENT_SOURCES: "true",
        Env.MAX_EVENT_AGE_DAYS: "crm=90,web=7,offline=28,app=1",
        Env.DEFAULT_COUNTRY: "GB",
    }
    settings = EventSettings.from_environment(environment)

    assert settings.partner_name == "Example Agency"
    assert settings.limited_data_use
    assert settings.create_missing_event_sources
    assert settings.max_event_age_days == {"web": 7, "app": 1, "offline": 28, "crm": 90}
    assert settings.default_country == "GB"


def test_every_problem_is_named_at_once() -> None:
    environment = {**GOOD, Env.MAX_INVALID_RATIO: "2", Env.MAX_RECEIVE_COUNT: "many", Env.QUEUE_URL: ""}
    del environment[Env.BUCKET]

    with pytest.raises(FatalError) as raised:
        ActivationSettings.from_environment(environment)

    for name in (Env.BUCKET, Env.MAX_INVALID_RATIO, Env.MAX_RECEIVE_COUNT, Env.QUEUE_URL):
        assert name in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (Env.SUPPORTED_CALCULATE_TYPES, "EMAIL"),
        (Env.REQUEST_INTERVAL_SECONDS, "0"),
        (Env.REQUEST_INTERVAL_SECONDS, "nan"),
        (Env.MAX_RECEIVE_COUNT, "0"),
        (Env.MAX_INVALID_RATIO, "-0.1"),
        (Env.ALLOW_RAW_IDENTIFIERS, "True"),
        (Env.ALLOW_AUDIENCE_DELETION, ""),
        (Env.DEFAULT_COUNTRY, "XX"),
        (Env.DEFAULT_COUNTRY, "USA"),
        (Env.EMAIL_RULE, "newer"),
        (Env.PHONE_RULE, ""),
        (Env.LARGE_OBJECT_BYTES, "0"),
        (Env.THREAD_COUNT, "0"),
        (Env.THREAD_COUNT, "11"),
    ],
)
def test_a_wrong_value_is_named(name: Env, value: str) -> None:
    with pytest.raises(FatalError, match=name):
        ActivationSettings.from_environment({**GOOD, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (Env.MAX_EVENT_AGE_DAYS, "28"),
        (Env.MAX_EVENT_AGE_DAYS, "web=28,app=28,offline=28"),
        (Env.MAX_EVENT_AGE_DAYS, "web=28,app=28,offline=28,crm=28,web=7"),
        (Env.MAX_EVENT_AGE_DAYS, "web=0,app=28,offline=28,crm=28"),
        (Env.MAX_EVENT_AGE_DAYS, "web,app,offline,crm"),
        (Env.LIMITED_DATA_USE, ""),
        (Env.CREATE_MISSING_EVENT_SOURCES, "yes"),
        (Env.THREAD_COUNT, "11"),
        (Env.DEFAULT_COUNTRY, "XX"),
    ],
)
def test_a_wrong_value_for_events_is_named(name: Env, value: str) -> None:
    with pytest.raises(FatalError, match=name):
        EventSettings.from_environment({**GOOD_FOR_EVENTS, name: value})
