import functools
import io
import logging
from collections.abc import Callable, Iterator

import pytest
from moto import mock_aws

from lambdas.observability import logger
from local.emulator.server import EmulatorServer
from test.support.events import EventsPipeline, LiveEvents
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
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


@pytest.fixture
def new_pipeline(tiktok: EmulatorServer, aws: None) -> Callable[..., Pipeline]:
    return functools.partial(Pipeline, tiktok)


@pytest.fixture
def pipeline(new_pipeline: Callable[..., Pipeline]) -> Pipeline:
    return new_pipeline()


@pytest.fixture
def new_events(tiktok: EmulatorServer, aws: None) -> Callable[..., EventsPipeline]:
    return functools.partial(EventsPipeline, tiktok)


@pytest.fixture
def events(new_events: Callable[..., EventsPipeline]) -> EventsPipeline:
    return new_events()


@pytest.fixture
def new_live(tiktok: EmulatorServer, aws: None) -> Callable[..., LiveEvents]:
    return functools.partial(LiveEvents, tiktok)


@pytest.fixture
def live(new_live: Callable[..., LiveEvents]) -> LiveEvents:
    return new_live()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that the function writes to its log, formatted as in Lambda."""
    stream = io.StringIO()
    recorder = logging.StreamHandler(stream)
    recorder.setFormatter(logger.registered_formatter)
    sources = [logging.getLogger(logger.service), logging.getLogger()]
    for source in sources:
        source.addHandler(recorder)
    yield stream
    for source in sources:
        source.removeHandler(recorder)
