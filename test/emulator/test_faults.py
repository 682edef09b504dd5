"""Each kind of misbehaviour, and what the call has changed afterwards."""

import socket
import time
from typing import Any

import pytest
import requests

from local.emulator.server import EmulatorServer

from .driver import CUSTOM_AUDIENCE, Driver, digests

CREATE = CUSTOM_AUDIENCE + "create/"


@pytest.fixture
def file_path(tiktok: Driver) -> str:
    return tiktok.file_path(digests(1_000))


def fault(tiktok: Driver, kind: str, path: str = "custom_audience/create", **more: object) -> None:
    tiktok.control("POST", "faults", [{"path": path, "kind": kind, **more}])


def count(tiktok: Driver) -> int:
    return len(tiktok.emulator.ask("audiences")["audiences"])


def last_request(tiktok: Driver) -> Any:
    return tiktok.control("GET", "requests")["requests"][-1]


def test_a_code_is_answered_so_many_times_and_commits_nothing(tiktok: Driver, file_path: str) -> None:
    fault(tiktok, "code", code=51003, times=2)
    assert [tiktok.create([file_path])["code"] for _ in range(3)] == [51003, 51003, 0]
    assert count(tiktok) == 1


def test_an_http_status_comes_with_a_page_and_commits_nothing(tiktok: Driver, file_path: str) -> None:
    fault(tiktok, "http", status=502)
    response = tiktok.request("POST", CREATE, json={"file_paths": [file_path]})
    assert response.status_code == 502
    assert response.headers["Content-Type"].startswith("text/html")
    assert (last_request(tiktok)["code"], last_request(tiktok)["http_status"]) == (None, 502)
    assert count(tiktok) == 0


def test_a_slow_call_answers_normally(tiktok: Driver, file_path: str) -> None:
    fault(tiktok, "slow", seconds=0.2)
    started = time.monotonic()
    assert tiktok.create([file_path])["code"] == 0
    assert time.monotonic() - started >= 0.2
    assert count(tiktok) == 1


def test_a_timeout_never_answers_and_commits_nothing(tiktok: Driver, file_path: str) -> None:
    fault(tiktok, "timeout")
    with pytest.raises(requests.ReadTimeout):
        requests.post(tiktok.emulator.url + CREATE, json={"file_paths": [file_path]}, timeout=0.2)
    assert last_request(tiktok)["code"] is None
    assert count(tiktok) == 0
    assert tiktok.create([file_path])["code"] == 0


def test_a_held_connection_is_let_go_when_the_emulator_stops() -> None:
    with EmulatorServer() as emulator:
        Driver(emulator).control("POST", "faults", [{"path": "list", "kind": "timeout"}])
        host, port = emulator.url.removeprefix("http://").split(":")
        connection = socket.create_connection((host, int(port)), timeout=5)
        connection.sendall(b"GET /open_api/v1.3/dmp/custom_audience/list/ HTTP/1.1\r\nHost: x\r\n\r\n")
        deadline = time.monotonic() + 5
        while not emulator.ask("requests")["requests"]:
            assert time.monotonic() < deadline
    with connection:
        assert connection.recv(1) == b""


def test_a_drop_before_the_commit_changes_nothing(tiktok: Driver, file_path: str) -> None:
    fault(tiktok, "drop_before_commit")
    with pytest.raises(requests.ConnectionError):
        tiktok.create([file_path])
    assert count(tiktok) == 0
    assert last_request(tiktok)["code"] is None


def test_a_drop_after_the_commit_has_created_the_audience(tiktok: Driver, file_path: str) -> None:
    fault(tiktok, "drop_after_commit")
    with pytest.raises(requests.ConnectionError):
        tiktok.create([file_path])
    assert count(tiktok) == 1
    assert last_request(tiktok)["code"] is None
    assert last_request(tiktok)["fault"] == "drop_after_commit"


def test_a_large_upload_can_be_dropped(tiktok: Driver) -> None:
    fault(tiktok, "drop_after_commit", path="file/upload/")
    with pytest.raises(requests.ConnectionError):
        tiktok.upload(b"x" * 3_000_000)


def test_faults_are_used_in_the_order_of_the_list(tiktok: Driver) -> None:
    tiktok.control(
        "POST",
        "faults",
        [
            {"path": "list", "kind": "code", "code": 40100},
            {"path": "/list/", "kind": "code", "code": 50000},
            {"path": "get", "kind": "code", "code": 60001},
        ],
    )
    assert [tiktok.list()["code"] for _ in range(3)] == [40100, 50000, 0]
    assert tiktok.control("GET", "faults")["faults"] == [{"path": "get", "times": 1, "kind": "code", "code": 60001}]


def test_a_new_list_takes_the_place_of_the_old_one(tiktok: Driver) -> None:
    fault(tiktok, "code", path="list", code=50000, times=100)
    assert tiktok.list()["code"] == 50000
    tiktok.control("POST", "faults", [])
    assert tiktok.list()["code"] == 0


@pytest.mark.parametrize(
    "faults",
    [
        {},
        ["list"],
        [{"path": "list"}],
        [{"kind": "code", "code": 1}],
        [{"path": "list", "kind": "surprise"}],
        [{"path": "list", "kind": ["code"]}],
        [{"path": "list", "kind": "code"}],
        [{"path": "list", "kind": "code", "code": "50000"}],
        [{"path": "list", "kind": "http"}],
        [{"path": "list", "kind": "http", "status": 99}],
        [{"path": "list", "kind": "slow"}],
        [{"path": "list", "kind": "slow", "seconds": -1}],
        [{"path": "list", "kind": "timeout", "times": 0}],
        [{"path": "list", "kind": "timeout", "time": 2}],
    ],
)
def test_a_malformed_fault_is_refused_and_the_old_ones_stay(tiktok: Driver, faults: object) -> None:
    fault(tiktok, "code", path="list", code=50000)
    response = requests.post(f"{tiktok.emulator.url}/_control/faults", json=faults, timeout=10)
    assert response.status_code == 400
    assert response.json()["error"]
    assert tiktok.list()["code"] == 50000
