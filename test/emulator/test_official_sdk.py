"""TikTok's own client drives the emulator: a witness that has never seen this code."""

import hashlib
from pathlib import Path
from typing import Any

import business_api_client
import pytest
from business_api_client.rest import ApiException

from .driver import EVENT_SOURCE_IDS, Driver, column, digests, lines

TOKEN = "emulator-access-token"  # noqa: S105
ADVERTISER = "7000000000000000001"


@pytest.fixture
def client(tiktok: Driver) -> Any:
    configuration = business_api_client.Configuration()
    configuration.host = tiktok.emulator.url
    configuration.proxy = None
    return business_api_client.ApiClient(configuration)


@pytest.fixture
def audiences(client: Any) -> Any:
    return business_api_client.AudienceApi(client)


def upload(audiences: Any, folder: Path, identifiers: list[str]) -> str:
    content = lines(identifiers)
    file = folder / "people.csv"
    file.write_bytes(content)
    answer = audiences.dmp_custom_audience_file_upload(
        access_token=TOKEN,
        advertiser_id=ADVERTISER,
        file=str(file),
        file_signature=hashlib.md5(content).hexdigest(),  # noqa: S324
        calculate_type="EMAIL_SHA256",
        file_name="people.csv",
    )
    return str(answer["data"]["file_path"])


def create(audiences: Any, file_path: str) -> str:
    body = business_api_client.CustomAudienceCreateBody(
        advertiser_id=ADVERTISER,
        custom_audience_name="from the official SDK",
        calculate_type="EMAIL_SHA256",
        file_paths=[file_path],
    )
    answer = audiences.dmp_custom_audience_create(access_token=TOKEN, body=body)
    return str(answer["data"]["custom_audience_id"])


def test_the_official_sdk_can_take_an_audience_through_its_life(audiences: Any, tiktok: Driver, tmp_path: Path) -> None:
    audience_id = create(audiences, upload(audiences, tmp_path, digests(1_000)))
    appended = business_api_client.CustomAudienceUpdateBody(
        advertiser_id=ADVERTISER,
        custom_audience_id=audience_id,
        action="APPEND",
        file_paths=[upload(audiences, tmp_path, digests(1_000, start=500))],
    )
    audiences.dmp_custom_audience_update(access_token=TOKEN, body=appended)
    tiktok.let_it_process()

    listed = audiences.dmp_custom_audience_list(advertiser_id=ADVERTISER, access_token=TOKEN, page=1, page_size=100)
    assert [(row["audience_id"], row["cover_num"]) for row in listed["data"]["list"]] == [(audience_id, 1_500)]
    got = audiences.dmp_custom_audience_get(
        advertiser_id=ADVERTISER, custom_audience_ids=[audience_id, "123"], access_token=TOKEN
    )
    (row,) = got["data"]["list"]
    assert row["audience_details"]["is_valid"] is True
    assert [entry["action"] for entry in row["audience_history"]] == ["create", "append"]

    deleted = business_api_client.CustomAudienceDeleteBody(advertiser_id=ADVERTISER, custom_audience_ids=[audience_id])
    audiences.dmp_custom_audience_delete(access_token=TOKEN, body=deleted)
    assert tiktok.list()["data"]["list"] == []


def test_the_official_sdk_replaces_unless_it_is_told_otherwise(audiences: Any, tiktok: Driver, tmp_path: Path) -> None:
    audience_id = create(audiences, upload(audiences, tmp_path, digests(1_000)))
    body = business_api_client.CustomAudienceUpdateBody(
        advertiser_id=ADVERTISER,
        custom_audience_id=audience_id,
        file_paths=[upload(audiences, tmp_path, digests(1_100, start=1_000))],
    )
    audiences.dmp_custom_audience_update(access_token=TOKEN, body=body)
    assert tiktok.held(audience_id)["members"] == 1_100


def test_the_official_sdk_reads_and_deletes_a_segment(audiences: Any, tiktok: Driver) -> None:
    audience_id = tiktok.segment_audience()
    tiktok.map(["EMAIL_SHA256"], column(digests(1_000), audience_id))
    tiktok.let_it_process()
    (listed,) = audiences.dmp_custom_audience_list(advertiser_id=ADVERTISER, access_token=TOKEN)["data"]["list"]
    assert (listed["audience_type"], listed["is_valid"], listed["cover_num"]) == ("Partner", True, 1_000)
    got = audiences.dmp_custom_audience_get(
        advertiser_id=ADVERTISER, custom_audience_ids=[audience_id], access_token=TOKEN
    )
    assert got["data"]["list"][0]["audience_details"]["type"] == "Partner"
    deleted = business_api_client.CustomAudienceDeleteBody(advertiser_id=ADVERTISER, custom_audience_ids=[audience_id])
    audiences.dmp_custom_audience_delete(access_token=TOKEN, body=deleted)
    assert tiktok.emulator.ask("audiences") == {"audiences": []}


def test_the_official_sdk_sees_an_error_in_a_code(audiences: Any) -> None:
    with pytest.raises(Exception, match="40105"):
        audiences.dmp_custom_audience_list(advertiser_id=ADVERTISER, access_token="unknown")  # noqa: S106


def test_the_official_sdk_sees_an_injected_status(audiences: Any, tiktok: Driver) -> None:
    tiktok.emulator.tell("faults", [{"path": "list", "kind": "http", "status": 502}])
    with pytest.raises(ApiException) as caught:
        audiences.dmp_custom_audience_list(advertiser_id=ADVERTISER, access_token=TOKEN)
    assert caught.value.status == 502


def test_the_official_sdk_finds_the_advertisers(client: Any) -> None:
    authorised = business_api_client.AuthenticationApi(client).oauth2_advertiser_get(
        app_id="any",
        secret="any",  # noqa: S106
        access_token=TOKEN,
    )
    assert [row["advertiser_id"] for row in authorised["data"]["list"]] == [ADVERTISER]
    info = business_api_client.AccountManagementApi(client).advertiser_info(
        advertiser_ids=[ADVERTISER], access_token=TOKEN
    )
    assert info["data"]["list"][0]["status"] == "STATUS_ENABLE"


def test_the_official_sdk_makes_and_lists_pixels(client: Any) -> None:
    measurement = business_api_client.MeasurementApi(client)
    made = [
        measurement.pixel_create(
            access_token=TOKEN,
            body=business_api_client.PixelCreateBody(
                advertiser_id=ADVERTISER, pixel_name=f"pixel {number}", pixel_category="ONLINE_STORE"
            ),
        )["data"]["pixel_code"]
        for number in range(20)
    ]
    filtering = business_api_client.FilteringPixelList(available_for_catalog_only=False)
    listed = [
        pixel["pixel_code"]
        for page in (1, 2)
        for pixel in measurement.pixel_list(ADVERTISER, TOKEN, page=page, page_size=20, filtering=filtering)["data"][
            "pixels"
        ]
    ]
    assert listed == [EVENT_SOURCE_IDS["web"], *made]
    (found,) = measurement.pixel_list(ADVERTISER, TOKEN, code=made[7])["data"]["pixels"]
    assert found["pixel_name"] == "pixel 7"


def test_the_official_sdk_makes_and_gets_offline_event_sets(client: Any) -> None:
    measurement = business_api_client.MeasurementApi(client)
    body = business_api_client.OfflineCreateBody(advertiser_id=ADVERTISER, name="shops", description="all of them")
    event_set_id = measurement.offline_create(access_token=TOKEN, body=body)["data"]["event_set_id"]
    got = measurement.offline_get(access_token=TOKEN, advertiser_id=ADVERTISER, event_set_ids=[event_set_id])
    (event_set,) = got["data"]["event_set_list"]
    assert (event_set["name"], event_set["auto_tracking"]) == ("shops", False)
    assert len(measurement.offline_get(access_token=TOKEN)["data"]["event_set_list"]) == 2


def test_the_official_sdk_lists_apps(client: Any) -> None:
    (app,) = business_api_client.APPManagementApi(client).app_list(ADVERTISER, TOKEN)["data"]["apps"]
    assert app["app_id"] == EVENT_SOURCE_IDS["app"]
