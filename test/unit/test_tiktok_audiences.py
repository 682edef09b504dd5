"""What is asked of TikTok's audience calls, and how their answers are read."""

from typing import Any

import pytest

from lambdas.tiktok.audiences import AudienceApi
from lambdas.tiktok.errors import TikTokRejected, TikTokUnavailable
from lambdas.tiktok.models import AudienceSubType, CalculateType
from test.support.builders import any_hashes
from test.support.transports import Envelope, ScriptedTikTok, listing

CREATED: Envelope = {"data": {"custom_audience_id": "5"}}
MAYBE = TikTokUnavailable("cut off", may_have_happened=True)


def test_a_create_says_nothing_of_what_nobody_asked_for() -> None:
    tiktok = ScriptedTikTok(create=[CREATED])

    AudienceApi(tiktok.client()).create("name", calculate_type=CalculateType.EMAIL_SHA256, file_paths=["a" * 16])

    assert set(tiktok.bodies[0]) == {"advertiser_id", "custom_audience_name", "calculate_type", "file_paths"}


def test_a_create_takes_retention_and_sub_type() -> None:
    tiktok = ScriptedTikTok(create=[CREATED])

    AudienceApi(tiktok.client()).create(
        "name",
        calculate_type=CalculateType.EMAIL_SHA256,
        file_paths=["a" * 16],
        retention_in_days=90,
        audience_sub_type=AudienceSubType.REACH_FREQUENCY,
    )

    assert tiktok.bodies[0]["retention_in_days"] == 90
    assert tiktok.bodies[0]["audience_sub_type"] == "REACH_FREQUENCY"


def test_a_change_of_the_sub_type_changes_nothing_else() -> None:
    tiktok = ScriptedTikTok()

    assert AudienceApi(tiktok.client("1")).update_sub_type("5") == "2026"

    assert tiktok.bodies == [
        {"advertiser_id": "1", "custom_audience_id": "5", "audience_sub_type": "REACH_FREQUENCY"},
    ]


def test_an_audience_is_deleted_by_its_id_and_a_lost_answer_is_asked_for_again() -> None:
    tiktok = ScriptedTikTok(delete=[MAYBE, {}])

    assert AudienceApi(tiktok.client("1")).delete("5") == "2026"

    assert tiktok.bodies == [{"advertiser_id": "1", "custom_audience_ids": ["5"]}] * 2


@pytest.mark.parametrize("code", [40002, 40007])
@pytest.mark.parametrize("by_id", [{"data": {"list": []}}, {"code": 40002}])
def test_an_unknown_id_counts_as_deleted(code: int, by_id: Envelope) -> None:
    tiktok = ScriptedTikTok(delete=[{"code": code}], list=[listing({"audience_id": "6"})], get=[by_id])

    assert AudienceApi(tiktok.client()).delete("5") == ""


@pytest.mark.parametrize(
    "answers",
    [
        {"delete": [{"code": 40003}]},
        {"delete": [{"code": 40002}], "list": [listing({"audience_id": "5"})]},
        {"delete": [{"code": 40002}], "list": [listing(total=1)]},
        {
            "delete": [{"code": 40002}],
            "list": [listing()],
            "get": [{"data": {"list": [{"audience_details": {"audience_id": "5"}}]}}],
        },
        {"delete": [{"code": 40002}], "list": [{"code": 40002}]},
    ],
    ids=["another error", "listed", "list cut short", "known by its id", "advertiser unknown"],
)
def test_a_refused_delete_of_what_may_be_there_is_an_error(answers: dict[str, Any]) -> None:
    with pytest.raises(TikTokRejected):
        AudienceApi(ScriptedTikTok(**answers).client()).delete("5")


def test_the_state_of_an_audience_is_read() -> None:
    details = {
        "audience_id": "5",
        "cover_num": 1234,
        "is_valid": True,
        "error_msg": "fewer than 1,000 people would remain",
        "audience_sub_type": "REACH_FREQUENCY",
    }
    tiktok = ScriptedTikTok(get=[{"data": {"list": [{"audience_details": details}]}}])

    audience = AudienceApi(tiktok.client()).find_audience("5")

    assert audience is not None
    assert (audience.cover_num, audience.is_valid) == (1234, True)
    assert audience.error_msg == "fewer than 1,000 people would remain"
    assert audience.audience_sub_type == "REACH_FREQUENCY"


@pytest.mark.parametrize("cover_num", [None, "1,000", "1000", True, -1, [], float("nan"), float("inf")])
def test_a_size_that_is_no_number_is_none(cover_num: object) -> None:
    tiktok = ScriptedTikTok(list=[listing({"audience_id": "5", "cover_num": cover_num})])

    [audience] = AudienceApi(tiktok.client()).list_audiences().audiences

    assert audience.cover_num == 0


@pytest.mark.parametrize("odd", [{}, {"is_valid": None, "error_msg": None, "audience_sub_type": None}, {"is_valid": 1}])
def test_an_audience_of_which_tiktok_says_little_is_not_valid_and_has_no_error(odd: Envelope) -> None:
    tiktok = ScriptedTikTok(list=[listing({"audience_id": "5", **odd})])

    [audience] = AudienceApi(tiktok.client()).list_audiences().audiences

    assert not audience.is_valid
    assert (audience.error_msg, audience.audience_sub_type) == ("", "")


def test_an_error_that_quotes_a_row_is_masked() -> None:
    [quoted] = any_hashes(1)
    tiktok = ScriptedTikTok(list=[listing({"audience_id": "5", "error_msg": f"bad row {quoted} " + "x" * 500})])

    [audience] = AudienceApi(tiktok.client()).list_audiences().audiences

    assert quoted[:10] not in audience.error_msg
    assert len(audience.error_msg) <= 300
