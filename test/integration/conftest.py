from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws

from local.emulator.server import EmulatorServer
from test.support.pipeline import Pipeline
from test.support.stage import REGION

UNLIMITED = {"queries_per_second": None, "queries_per_minute": None, "queries_per_day": None}


@pytest.fixture(scope="session")
def tiktok_server() -> Iterator[EmulatorServer]:
    with EmulatorServer() as server:
        yield server


@pytest.fixture
def tiktok(tiktok_server: EmulatorServer) -> EmulatorServer:
    tiktok_server.tell("reset")
    # The function's own clock is a fake that skips its pauses, so the emulator's real one cannot judge the rate here.
    tiktok_server.tell("settings", UNLIMITED)
    return tiktok_server


@pytest.fixture
def new_pipeline(tiktok: EmulatorServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Pipeline]]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():

        def make(**settings: Any) -> Pipeline:
            return Pipeline(tiktok, **settings)

        yield make


@pytest.fixture
def pipeline(new_pipeline: Callable[..., Pipeline]) -> Pipeline:
    return new_pipeline()
