"""What is asked of TikTok's audience calls, and how their answers are read."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lambdas.tiktok.audiences import AudienceApi
from lambdas.tiktok.errors import TikTokRejected, TikTokUnavailable
from lambdas.tiktok.models import AudienceSubType, CalculateType
from lambdas.tiktok.protocol import Answer, Request
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


def test_the_details_of_many_audiences_are_asked_for_by_the_hundred() -> None:
    tiktok = ScriptedTikTok(get=[{"data": {"list": []}}])

    assert AudienceApi(tiktok.client()).find_details([str(number) for number in range(201)]) == {}

    asked = [json.loads(request.query["custom_audience_ids"]) for request in tiktok.requests]
    assert [len(ids) for ids in asked] == [100, 100, 1]
    assert [audience_id for ids in asked for audience_id in ids] == [str(number) for number in range(201)]


def test_details_tell_when_an_audience_expires_and_what_was_wrong_with_which_change() -> None:
    [quoted] = any_hashes(1)
    entry = {
        "audience_details": {"audience_id": "5", "cover_num": 7, "expired_time": "2026-11-21 12:00:00"},
        "audience_history": [
            {"action": "create", "msg": None, "opt_time": "2025-11-21 12:00:00"},
            {"action": "append", "msg": f"bad row {quoted}", "opt_time": "2025-11-21 12:00:01"},
            {"action": "remove", "msg": "too few", "opt_time": "soon"},
            "nonsense",
        ],
    }
    tiktok = ScriptedTikTok(get=[{"data": {"list": [entry, {"audience_details": {"audience_id": "9"}}]}}])

    details = AudienceApi(tiktok.client()).find_details(["5"])

    assert list(details) == ["5"]
    assert details["5"].audience.cover_num == 7
    assert details["5"].audience.expires_at == datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
    masked, unreadable = details["5"].complaints
    assert masked.at == datetime(2025, 11, 21, 12, 0, 1, tzinfo=UTC).timestamp()
    assert masked.text.startswith("bad row")
    assert quoted[:10] not in masked.text
    assert (unreadable.at, unreadable.text) == (None, "too few")


@pytest.mark.parametrize(
    "given",
    [None, 7, "", "2026-11-21", "0000-00-00 00:00:00", "0001-01-01 00:00:00", "1970-01-01 00:00:00"],
)
def test_an_expiry_that_cannot_be_read_or_is_none_is_none(given: object) -> None:
    tiktok = ScriptedTikTok(list=[listing({"audience_id": "5", "expired_time": given})])

    [audience] = AudienceApi(tiktok.client()).list_audiences().audiences

    assert audience.expires_at is None


@pytest.mark.parametrize(
    "rows", [7, "x", {"5": {}}, [None, "x", 7, {"audience_details": "x"}, {"audience_details": []}]]
)
def test_details_that_do_not_have_the_documented_shape_are_left_out(rows: object) -> None:
    good = {"audience_details": {"audience_id": "5"}, "audience_history": rows}
    listed = [*rows, good] if isinstance(rows, list) else rows
    tiktok = ScriptedTikTok(get=[{"data": {"list": listed}}, {"data": {"list": [good]}}])

    assert list(AudienceApi(tiktok.client()).find_details(["5"])) == (["5"] if isinstance(rows, list) else [])
    assert AudienceApi(tiktok.client()).find_details(["5"])["5"].complaints == ()


@pytest.mark.parametrize("code", [40002, 40007])
def test_an_unknown_id_does_not_keep_the_others_from_being_seen(code: int) -> None:
    class Strict(ScriptedTikTok):
        def send(self, request: Request, access_token: str) -> Answer:
            ids = json.loads(request.query["custom_audience_ids"])
            rows = [{"audience_details": {"audience_id": audience_id}} for audience_id in ids]
            self.answers["get"] = [{"code": code} if "gone" in ids else {"data": {"list": rows}}]
            return super().send(request, access_token)

    details = AudienceApi(Strict().client()).find_details(["1", "gone", "3", "4"])

    assert list(details) == ["1", "3", "4"]
