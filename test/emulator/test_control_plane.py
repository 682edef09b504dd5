"""The control plane, the page for people and the command that starts it all."""

import re
import signal
import subprocess
import sys

import pytest
import requests

from local.emulator.behaviours import behaviours
from local.emulator.server import EmulatorServer

from .driver import Driver, digests, sha256_of


def test_reset_forgets_everything_but_the_last_id(tiktok: Driver) -> None:
    before = tiktok.audience_of(digests(1_000))
    tiktok.control("POST", "settings", {"minimum_audience_size": 5})
    tiktok.control("POST", "clock", {"advance_seconds": 10_000})
    tiktok.control("POST", "faults", [{"path": "list", "kind": "timeout"}])
    moved = tiktok.control("GET", "clock")["now"]
    assert tiktok.control("POST", "reset", {}) == {}
    assert tiktok.control("GET", "audiences") == {"audiences": []}
    assert tiktok.control("GET", "requests") == {"requests": []}
    assert tiktok.control("GET", "settings")["minimum_audience_size"] == 1_000
    assert tiktok.control("GET", "clock")["now"] < moved - 9_000
    assert tiktok.list()["code"] == 0
    assert tiktok.audience_of(digests(1_000)) > before


def test_reset_keeps_the_settings_of_the_start(tiktok: Driver) -> None:
    tiktok.control("POST", "reset", {})
    assert tiktok.control("GET", "settings")["queries_per_second"] is None


def test_seeded_audiences_are_valid_at_once_and_numbered_from_1(tiktok: Driver) -> None:
    tiktok.control("POST", "seed", {"audiences": 2, "prefix": "crm "})
    rows = tiktok.list()["data"]["list"]
    assert [(row["name"], row["is_valid"], row["cover_num"]) for row in rows] == [
        ("crm 2", True, 1_000),
        ("crm 1", True, 1_000),
    ]


def test_a_seeded_audience_takes_the_type_of_its_first_file(tiktok: Driver) -> None:
    audience_id, other = (row["audience_id"] for row in tiktok.emulator.tell("seed", {"audiences": 2})["audiences"])
    before = tiktok.held(other)["members_sha256"]
    tiktok.update(audience_id, file_paths=[tiktok.file_path(digests(10), "PHONE_SHA256")], action="APPEND")
    assert (tiktok.held(audience_id)["members"], tiktok.held(audience_id)["calculate_type"]) == (1_010, "PHONE_SHA256")
    assert (tiktok.held(other)["members"], tiktok.held(other)["members_sha256"]) == (1_000, before)


def test_members_sha256_tells_who_is_in(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(1_000))
    assert tiktok.control("GET", "audiences")["audiences"] == [
        {
            "audience_id": audience_id,
            "advertiser_id": tiktok.emulator.advertiser_id,
            "name": "people",
            "audience_type": "Customer File Audience",
            "audience_sub_type": "NORMAL",
            "calculate_type": "EMAIL_SHA256",
            "retention_in_days": None,
            "members": 1_000,
            "members_sha256": sha256_of(digests(1_000)),
            "is_valid": False,
            "error_msg": None,
        }
    ]
    tiktok.update(audience_id, file_paths=[tiktok.file_path(digests(5, start=1_000))], action="APPEND")
    assert tiktok.held(audience_id)["members_sha256"] == sha256_of(digests(1_005))


def test_members_tells_which_of_some_identifiers_an_audience_holds(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(1_000))
    inside, outside = digests(2, start=999)
    asked = {"audience_id": audience_id, "ids": [outside, inside.upper()]}
    assert tiktok.control("POST", "members", asked) == {"members": [{"id": inside.upper(), "slot": None}]}


def test_an_audience_loses_people_by_itself_at_once_and_its_history_does_not_tell(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(1_500))
    tiktok.let_it_process()
    history = tiktok.row(audience_id)["audience_history"]

    assert tiktok.control("POST", "shrink", {"audience_id": audience_id, "members": 400}) == {"members": 1_100}

    details = tiktok.details(audience_id)
    assert (details["cover_num"], details["is_valid"], details["error_msg"]) == (1_100, True, None)
    assert tiktok.row(audience_id)["audience_history"] == history


def test_an_audience_that_loses_too_many_people_is_no_longer_valid(tiktok: Driver) -> None:
    (seeded,) = tiktok.emulator.tell("seed", {"audiences": 1})["audiences"]

    tiktok.control("POST", "shrink", {"audience_id": seeded["audience_id"], "members": 1})

    details = tiktok.details(seeded["audience_id"])
    assert (details["cover_num"], details["is_valid"]) == (999, False)
    assert "fewer than 1000" in details["error_msg"]


def test_an_empty_audience_has_the_digest_of_nothing(tiktok: Driver) -> None:
    tiktok.emulator.tell("seed", {"audiences": 1, "members": 0})
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tiktok.emulator.ask("audiences")["audiences"][0]["members_sha256"] == empty


def test_requests_are_told_in_the_order_of_arrival(tiktok: Driver) -> None:
    tiktok.list(page=7)
    tiktok.create([])
    told = tiktok.control("GET", "requests")["requests"]
    assert [(request["method"], request["path"], request["code"]) for request in told] == [
        ("GET", "/open_api/v1.3/dmp/custom_audience/list/", 0),
        ("POST", "/open_api/v1.3/dmp/custom_audience/create/", 40002),
    ]


def test_the_control_plane_is_bound_by_no_rate_limit(tiktok: Driver) -> None:
    tiktok.control("POST", "settings", {"queries_per_second": 1})
    for _ in range(5):
        tiktok.control("GET", "clock")
    assert tiktok.list()["code"] == 0


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("settings", {"minimum_size": 1}),
        ("settings", {"minimum_audience_size": "5"}),
        ("settings", {"minimum_audience_size": 1.5}),
        ("settings", {"valid_after_seconds": -1}),
        ("settings", {"refuse_mismatched_files": 1}),
        ("settings", {"match_rate": 2}),
        ("settings", {"max_audiences": None}),
        ("settings", []),
        ("clock", {}),
        ("clock", {"advance_seconds": -1}),
        ("clock", {"advance_seconds": "60"}),
        ("seed", {}),
        ("seed", {"audiences": 401}),
        ("seed", {"audiences": 1, "calculate_type": "EMAIL"}),
        ("seed", {"audiences": 1, "advertiser_id": 7}),
        ("tokens", {"token": "x", "state": "lost"}),
        ("tokens", {"token": "x", "scopes": ["everything"]}),
        ("tokens", {"state": "active"}),
        ("poison", {}),
        ("poison", {"ids": "00"}),
        ("poison", {"ids": ["0 0"]}),
        ("poison", {"ids": [7]}),
        ("members", {"audience_id": "123", "ids": []}),
        ("members", {"ids": []}),
        ("shrink", {"audience_id": "123", "members": 1}),
        ("shrink", {"members": 1}),
        ("reset", {"all": True}),
        ("nonsense", {}),
    ],
)
def test_bad_input_is_status_400_with_a_reason(tiktok: Driver, command: str, body: object) -> None:
    response = requests.post(f"{tiktok.emulator.url}/_control/{command}", json=body, timeout=10)
    assert response.status_code == 400
    assert response.json()["error"]


def test_an_unknown_setting_is_refused_whole_and_the_known_are_named(tiktok: Driver) -> None:
    body = {"minimum_audience_size": 5, "typo": 1}
    response = requests.post(f"{tiktok.emulator.url}/_control/settings", json=body, timeout=10)
    assert "valid_after_seconds" in response.json()["error"]
    assert tiktok.emulator.ask("settings")["minimum_audience_size"] == 1_000


def test_a_body_that_is_no_json_is_status_400(tiktok: Driver) -> None:
    assert requests.post(f"{tiktok.emulator.url}/_control/seed", data=b"{", timeout=10).status_code == 400


def test_the_page_escapes_the_names_of_audiences(tiktok: Driver) -> None:
    tiktok.audience_of(digests(1_000), name="<script>alert('x')</script>")
    tiktok.request("GET", "/open_api/<img src=x>")
    page = requests.get(tiktok.emulator.url, timeout=10)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<script" not in page.text
    assert "<img" not in page.text
    assert "&lt;script&gt;" in page.text


def test_the_page_needs_nothing_from_elsewhere(tiktok: Driver) -> None:
    tiktok.emulator.tell("seed", {"audiences": 3})
    page = requests.get(tiktok.emulator.url, timeout=10).text
    assert not re.search(r"(src|href)=.(?!data:,|/[^/])|url\(|https?://", page)


def test_the_page_says_what_is_documented_and_what_is_guessed(tiktok: Driver) -> None:
    page = requests.get(tiktok.emulator.url, timeout=10).text
    assert list(behaviours()) == ["Documented by TikTok", "Guessed"]
    assert all(len(items) > 10 for items in behaviours().values())
    assert "REPLACES the whole content" in page


def test_two_emulators_know_nothing_of_one_another() -> None:
    with EmulatorServer() as first, EmulatorServer() as second:
        first.tell("seed", {"audiences": 1})
        assert second.ask("audiences") == {"audiences": []}


def test_the_command_prints_where_it_listens_and_ends_when_told_to() -> None:
    command = [sys.executable, "-m", "local.emulator", "--port", "0", "--set", "minimum_audience_size=7"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        printed = dict(re.split(r":\s+", process.stdout.readline().strip(), maxsplit=1) for _ in range(3))
        settings = requests.get(printed["address"] + "/_control/settings", timeout=10).json()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert settings["minimum_audience_size"] == 7
    assert printed["access token"] == "emulator-access-token"
    assert printed["advertiser id"] == "7000000000000000001"


def test_the_command_names_the_settings_that_it_knows() -> None:
    command = [sys.executable, "-m", "local.emulator", "--port", "0", "--set", "typo=7"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    assert ended.returncode == 2
    assert "minimum_audience_size" in ended.stderr
