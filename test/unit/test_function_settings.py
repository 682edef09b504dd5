"""The function's environment."""

import pytest

from lambdas.contracts import EMAIL_RULES, PHONE_RULES, Env
from lambdas.identifiers.models import EmailRule, PhoneRule
from lambdas.settings import ActivationSettings
from lambdas.tiktok.errors import FatalError

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


def test_the_contract_names_the_rules_that_there_are() -> None:
    assert set(EMAIL_RULES) == set(EmailRule)
    assert set(PHONE_RULES) == set(PhoneRule)


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
