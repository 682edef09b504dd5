"""The envelope, the return codes and the order in which a call is checked."""

import re

import pytest

from .driver import CUSTOM_AUDIENCE, Driver

LIST = CUSTOM_AUDIENCE + "list"
STRANGER = "7000000000000000999"


def test_success_has_the_four_members_and_says_ok(tiktok: Driver) -> None:
    response = tiktok.request("GET", LIST + "/", params={"advertiser_id": tiktok.emulator.advertiser_id})
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    answer = response.json()
    assert set(answer) == {"code", "message", "request_id", "data"}
    assert (answer["code"], answer["message"]) == (0, "OK")
    assert re.fullmatch(r"[0-9]{14}[0-9A-F]{20}", answer["request_id"])


def test_the_final_slash_makes_no_difference(tiktok: Driver) -> None:
    advertiser_id = tiktok.emulator.advertiser_id
    assert tiktok.get(LIST, advertiser_id=advertiser_id)["code"] == 0
    assert tiktok.get(LIST + "/", advertiser_id=advertiser_id)["code"] == 0


def test_errors_come_with_status_200_and_empty_data(tiktok: Driver) -> None:
    response = tiktok.request("GET", LIST)
    assert response.status_code == 200
    assert response.json()["code"] == 40002
    assert response.json()["data"] == {}


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/open_api/v1.3/no/such/endpoint/", 40400),
        ("GET", "/elsewhere", 40400),
        ("POST", LIST, 40400),
        ("GET", CUSTOM_AUDIENCE + "create/", 40400),
        ("GET", "/open_api/v1.2/dmp/custom_audience/list/", 40051),
    ],
)
def test_the_route_is_checked_before_the_token(tiktok: Driver, method: str, path: str, code: int) -> None:
    tiktok.headers = {}
    assert tiktok.request(method, path).json()["code"] == code


@pytest.mark.parametrize("headers", [{}, {"Access-Token": ""}, {"Authorization": "Bearer emulator-access-token"}])
def test_a_missing_token_is_40104(tiktok: Driver, headers: dict[str, str]) -> None:
    tiktok.headers = headers
    assert tiktok.get(LIST)["code"] == 40104


def test_an_unknown_token_is_40105_with_the_recorded_text(tiktok: Driver) -> None:
    tiktok.headers = {"Access-Token": "somebody-elses"}
    answer = tiktok.get(LIST)
    assert (answer["code"], answer["message"]) == (40105, "Access token is incorrect or has been revoked.")


@pytest.mark.parametrize(("state", "code"), [("revoked", 40105), ("expired", 40102), ("active", 0)])
def test_a_token_is_as_good_as_its_state(tiktok: Driver, state: str, code: int) -> None:
    tiktok.control("POST", "tokens", {"token": tiktok.emulator.access_token, "state": state})
    assert tiktok.list()["code"] == code


def test_a_missing_scope_is_found_before_wrong_parameters(tiktok: Driver) -> None:
    tiktok.control("POST", "tokens", {"token": tiktok.emulator.access_token, "scopes": ["read_audiences"]})
    assert tiktok.create([])["code"] == 40001
    assert tiktok.list()["code"] == 0


def test_wrong_parameters_are_found_before_an_unknown_advertiser(tiktok: Driver) -> None:
    answer = tiktok.get(LIST, advertiser_id=STRANGER, page_size=101)
    assert answer["code"] == 40002
    assert answer["message"].startswith("page_size:")


def test_an_unknown_advertiser_is_40002_with_the_recorded_text(tiktok: Driver) -> None:
    answer = tiktok.get(LIST, advertiser_id=STRANGER)
    assert answer["code"] == 40002
    assert answer["message"] == f"The advertiser {STRANGER} doesn't exist or has been deleted."


def test_a_foreign_advertiser_is_40001_with_the_recorded_text(tiktok: Driver) -> None:
    tiktok.control("POST", "seed", {"audiences": 1, "advertiser_id": STRANGER})
    answer = tiktok.get(LIST, advertiser_id=STRANGER)
    assert (answer["code"], answer["message"]) == (40001, f"No permission to operate advertiser: {STRANGER}")


def test_a_second_token_opens_a_second_advertiser(tiktok: Driver) -> None:
    tiktok.control("POST", "tokens", {"token": "second", "advertiser_ids": [STRANGER]})
    tiktok.headers = {"Access-Token": "second"}
    assert tiktok.get(LIST, advertiser_id=STRANGER)["code"] == 0
    assert tiktok.list()["code"] == 40001


@pytest.mark.parametrize("advertiser_id", [7000000000000000001, "70000x", "", "1" * 20, None, ["7"], "٣"])
def test_an_id_must_be_a_text_of_digits(tiktok: Driver, advertiser_id: object) -> None:
    answer = tiktok.create(["0" * 16], advertiser_id=advertiser_id)
    assert answer["code"] == 40002
    assert answer["message"].startswith("advertiser_id:")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'"text"'])
def test_a_body_that_is_no_json_object_is_40002(tiktok: Driver, body: bytes) -> None:
    response = tiktok.request(
        "POST", CUSTOM_AUDIENCE + "create/", data=body, headers={"Content-Type": "application/json"}
    )
    assert response.json()["code"] == 40002


def test_a_body_of_another_content_type_is_40002(tiktok: Driver) -> None:
    response = tiktok.request("POST", CUSTOM_AUDIENCE + "delete/", data="{}", headers={"Content-Type": "text/plain"})
    assert response.json()["code"] == 40002


def test_unknown_fields_are_ignored(tiktok: Driver) -> None:
    tiktok.emulator.tell("seed", {"audiences": 1})
    assert tiktok.list(favourite_colour="green")["code"] == 0


def test_the_large_body_of_a_refused_call_does_not_wedge_the_connection(tiktok: Driver) -> None:
    response = tiktok.request("POST", "/open_api/v1.3/nowhere/", data=b"x" * 5_000_000)
    assert response.json()["code"] == 40400


def test_a_chunked_body_is_understood(tiktok: Driver) -> None:
    pieces = iter([b'{"advertiser_id": "', tiktok.emulator.advertiser_id.encode(), b'", "custom_audience_ids": ["1"]}'])
    response = tiktok.request(
        "POST", CUSTOM_AUDIENCE + "delete/", data=pieces, headers={"Content-Type": "application/json"}
    )
    assert response.json()["message"] == "Parameter error: invalid audience ID"


def test_advertiser_info_answers_the_fields_that_are_asked_for(tiktok: Driver) -> None:
    advertiser_id = tiktok.emulator.advertiser_id
    answer = tiktok.get(
        "/open_api/v1.3/advertiser/info/", advertiser_ids=[advertiser_id], fields=["status", "currency"]
    )
    assert answer["data"]["list"] == [{"status": "STATUS_ENABLE", "currency": "GBP"}]
    full = tiktok.get("/open_api/v1.3/advertiser/info/", advertiser_ids=[advertiser_id])
    assert full["data"]["list"][0]["advertiser_id"] == advertiser_id
    assert tiktok.get("/open_api/v1.3/advertiser/info/", advertiser_ids=[STRANGER])["code"] == 40002


def test_the_advertisers_of_a_token_are_told(tiktok: Driver) -> None:
    path = "/open_api/v1.3/oauth2/advertiser/get/"
    answer = tiktok.get(path, app_id="any", secret="any")  # noqa: S106
    assert [row["advertiser_id"] for row in answer["data"]["list"]] == [tiktok.emulator.advertiser_id]
    assert tiktok.get(path, app_id="any")["code"] == 40002
