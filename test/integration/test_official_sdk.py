"""TikTok's own client reads back what the pipeline has sent."""

from collections.abc import Callable
from typing import Any

import business_api_client
import pytest

from local.emulator.server import EmulatorServer
from test.support.builders import any_hashes, as_file
from test.support.pipeline import Pipeline

PEOPLE = any_hashes(3_000, seed="official")


@pytest.fixture
def audiences(tiktok: EmulatorServer) -> Any:
    configuration = business_api_client.Configuration()
    configuration.host = tiktok.url
    configuration.proxy = None
    return business_api_client.AudienceApi(business_api_client.ApiClient(configuration))


def test_the_official_sdk_finds_each_audience_with_its_type_size_and_history(
    new_pipeline: Callable[..., Pipeline], tiktok: EmulatorServer, audiences: Any
) -> None:
    tiktok.tell("settings", {"valid_after_seconds": 0})
    pipeline = new_pipeline()
    for action, people in (("append", PEOPLE), ("remove", PEOPLE[:500]), ("replace", PEOPLE[:1_200])):
        pipeline.upload(f"tiktok/Foodies/maid_sha256/{action}/1.csv", as_file(people))
        pipeline.run()
    for action, people in (("add", PEOPLE[:2_100]), ("delete", PEOPLE[:100])):
        pipeline.upload(f"tiktok/Streamed/streaming/{action}/1.csv", b"phone_sha256\n" + as_file(people))
        pipeline.run()
    assert not pipeline.queue.dead_letters

    who = {"advertiser_id": tiktok.advertiser_id, "access_token": tiktok.access_token}
    listed = audiences.dmp_custom_audience_list(**who, page=1, page_size=100)["data"]["list"]
    rows = {row["name"]: row for row in listed}
    ids = [row["audience_id"] for row in listed]
    got = audiences.dmp_custom_audience_get(**who, custom_audience_ids=ids)["data"]["list"]
    histories = {row["audience_details"]["name"]: [entry["action"] for entry in row["audience_history"]] for row in got}

    assert {name: (row["audience_type"], row["cover_num"], row["is_valid"]) for name, row in rows.items()} == {
        "Foodies": ("Customer File Audience", 1_200, True),
        "Streamed": ("Partner", 2_000, True),
    }
    assert rows["Foodies"]["calculate_type"] == "FIRST_SHA256"
    assert histories["Foodies"] == ["create", "remove", "replace"]
