"""The sliding windows."""

import pytest

from local.emulator.answers import ApiError
from local.emulator.rate_limits import RateLimiter
from local.emulator.settings import Settings

from .driver import Driver

SETTINGS = Settings()


def admitted(limiter: RateLimiter, now: float, app_id: str = "app", settings: Settings = SETTINGS) -> bool:
    try:
        limiter.admit(app_id, now, settings)
    except ApiError as error:
        return error.code != 40100
    return True


def test_the_eleventh_call_in_a_second_is_refused() -> None:
    limiter = RateLimiter()
    assert [admitted(limiter, 0.05 * call) for call in range(11)] == [True] * 10 + [False]


def test_the_window_slides() -> None:
    limiter = RateLimiter()
    assert all(admitted(limiter, 0.5) for _ in range(10))
    assert not admitted(limiter, 1.25)
    assert admitted(limiter, 1.5)


def test_refused_calls_do_not_count() -> None:
    limiter = RateLimiter()
    for _ in range(30):
        admitted(limiter, 0)
    assert all(admitted(limiter, 1.0) for _ in range(10))


def test_the_601st_call_in_a_minute_is_refused() -> None:
    limiter = RateLimiter()
    assert all(admitted(limiter, second) for second in range(59) for _ in range(10))
    assert [admitted(limiter, 59 + call / 100) for call in range(10)] == [True] * 10
    assert not admitted(limiter, 59.99 + 0.001)
    assert admitted(limiter, 60)


def test_a_day_has_its_own_limit() -> None:
    limiter = RateLimiter()
    settings = Settings(queries_per_day=3)
    assert [admitted(limiter, 3_600.0 * hour, settings=settings) for hour in range(4)] == [True, True, True, False]
    assert admitted(limiter, 86_400, settings=settings)


def test_each_app_has_windows_of_its_own() -> None:
    limiter = RateLimiter()
    assert all(admitted(limiter, 0, "one") for _ in range(10))
    assert admitted(limiter, 0, "two")


@pytest.fixture
def strict(tiktok: Driver) -> Driver:
    tiktok.control("POST", "settings", {"queries_per_second": 2})
    return tiktok


def test_over_http_the_limit_is_40100_with_status_200(strict: Driver) -> None:
    responses = [strict.request("GET", "/open_api/v1.3/dmp/custom_audience/list/") for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 200]
    assert [response.json()["code"] for response in responses] == [40002, 40002, 40100]
    assert "Retry-After" not in responses[-1].headers
    strict.control("POST", "clock", {"advance_seconds": 1})
    assert strict.list()["code"] == 0


def test_the_rate_is_checked_after_the_token_and_before_the_scope(strict: Driver) -> None:
    strict.list()
    strict.list()
    strict.control("POST", "tokens", {"token": strict.emulator.access_token, "scopes": []})
    assert strict.list()["code"] == 40100
    strict.headers = {"Access-Token": "unknown"}
    assert strict.list()["code"] == 40105
