from collections.abc import Iterator

import pytest

from local.emulator.server import EmulatorServer

from .driver import Driver

UNLIMITED = {"queries_per_second": None, "queries_per_minute": None}


@pytest.fixture
def emulator() -> Iterator[EmulatorServer]:
    with EmulatorServer(settings=UNLIMITED) as server:
        yield server


@pytest.fixture
def tiktok(emulator: EmulatorServer) -> Driver:
    return Driver(emulator)
