"""The function's environment."""

import pytest

from lambdas.contracts import Env
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
    Env.REQUESTS_PER_SECOND: "8",
    Env.MAX_CONCURRENCY: "4",
    Env.LEDGER_RETENTION_DAYS: "60",
}


def test_a_whole_environment_is_read() -> None:
    settings = ActivationSettings.from_environment(GOOD)

    assert settings.supported_calculate_types == {"EMAIL_SHA256", "PHONE_SHA256"}
    assert settings.request_interval_seconds == 0.5


def test_all_functions_together_keep_the_rate() -> None:
    settings = ActivationSettings.from_environment({**GOOD, Env.REQUESTS_PER_SECOND: "3", Env.MAX_CONCURRENCY: "7"})

    assert settings.max_concurrency / settings.request_interval_seconds == pytest.approx(3)


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
        (Env.REQUESTS_PER_SECOND, "0"),
        (Env.REQUESTS_PER_SECOND, "nan"),
        (Env.MAX_CONCURRENCY, "0"),
        (Env.MAX_INVALID_RATIO, "-0.1"),
    ],
)
def test_a_wrong_value_is_named(name: Env, value: str) -> None:
    with pytest.raises(FatalError, match=name):
        ActivationSettings.from_environment({**GOOD, name: value})
