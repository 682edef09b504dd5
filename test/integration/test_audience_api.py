"""The audience calls against the emulated TikTok."""

import io

import pytest

from lambdas.tiktok.audiences import AudienceApi
from lambdas.tiktok.client import TikTokClient
from lambdas.tiktok.errors import ConnectorError
from lambdas.tiktok.models import AudienceSubType, CalculateType, Credentials
from lambdas.tiktok.transport import HttpTransport
from local.emulator.server import EmulatorServer
from test.support.builders import any_advertiser_id, any_audience_file


class NoPacer:
    def wait(self) -> None: ...


def api_of(tiktok: EmulatorServer, advertiser_id: str | None = None) -> AudienceApi:
    credentials = Credentials(tiktok.access_token, advertiser_id or tiktok.advertiser_id)
    return AudienceApi(TikTokClient(HttpTransport(tiktok.url), credentials, pacer=NoPacer(), sleep=lambda _: None))


def an_audience(
    api: AudienceApi, *, retention_in_days: int | None = None, audience_sub_type: AudienceSubType | None = None
) -> str:
    uploaded = api.upload_file(
        io.BytesIO(any_audience_file()), name="part.csv", calculate_type=CalculateType.EMAIL_SHA256
    )
    return api.create(
        "Foodies",
        calculate_type=CalculateType.EMAIL_SHA256,
        file_paths=[uploaded.file_path],
        retention_in_days=retention_in_days,
        audience_sub_type=audience_sub_type,
    ).audience_id


def sub_type_of(api: AudienceApi, audience_id: str) -> str:
    found = api.find_audience(audience_id)
    assert found is not None
    return found.audience_sub_type


def test_an_audience_gets_the_retention_and_the_sub_type_that_were_asked_for(tiktok: EmulatorServer) -> None:
    api = api_of(tiktok)

    audience_id = an_audience(api, retention_in_days=90, audience_sub_type=AudienceSubType.REACH_FREQUENCY)

    assert sub_type_of(api, audience_id) == "REACH_FREQUENCY"
    with pytest.raises(ConnectorError, match="retention_in_days"):
        an_audience(api, retention_in_days=366)


def test_the_sub_type_changes_once_and_a_second_time_does_no_harm(tiktok: EmulatorServer) -> None:
    api = api_of(tiktok)
    audience_id = an_audience(api)
    assert sub_type_of(api, audience_id) == "NORMAL"

    for _ in range(2):
        api.update_sub_type(audience_id)

    assert sub_type_of(api, audience_id) == "REACH_FREQUENCY"


def test_a_deleted_audience_is_gone_and_can_be_deleted_again(tiktok: EmulatorServer) -> None:
    api = api_of(tiktok)
    audience_id = an_audience(api)

    assert api.delete(audience_id)
    assert api.delete(audience_id) == ""

    assert api.find_audience(audience_id) is None


def test_nothing_counts_as_deleted_for_an_advertiser_that_does_not_exist(tiktok: EmulatorServer) -> None:
    audience_id = an_audience(api_of(tiktok))

    with pytest.raises(ConnectorError):
        api_of(tiktok, any_advertiser_id()).delete(audience_id)
