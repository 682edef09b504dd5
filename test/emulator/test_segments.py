"""Segment audiences: made, filled by mappings, emptied, deleted."""

import pytest
import requests

from local.emulator.behaviours import behaviours
from local.emulator.segments import MappingAction, SegmentAudience, Slot
from local.emulator.settings import Settings

from .driver import SEGMENT, Driver, column, digests, slots_sha256

EMAIL, PHONE = "EMAIL_SHA256", "PHONE_SHA256"
INVALID_AUDIENCE = (40002, "Parameter error: invalid audience ID")
OTHER = "7000000000000000002"
NOBODY = slots_sha256()


def coded(answer: dict[str, object]) -> tuple[object, object]:
    return answer["code"], answer["message"]


def reach(tiktok: Driver, *advertiser_ids: str) -> None:
    """Let the token operate these advertisers."""
    tiktok.control("POST", "tokens", {"token": tiktok.emulator.access_token, "advertiser_ids": list(advertiser_ids)})


# The audience --------------------------------------------------------------------------------------------------------


def test_a_new_segment_looks_like_the_recorded_one(tiktok: Driver) -> None:
    audience_id = tiktok.segment(action="create", custom_audience_name="stream", id_type="EMAIL")["data"]["audience_id"]
    (listed,) = tiktok.list()["data"]["list"]
    row = tiktok.row(audience_id)
    details = row["audience_details"]
    assert (listed["audience_id"], listed["name"]) == (audience_id, "stream")
    assert listed["audience_type"] == details["type"] == "Partner"
    assert listed["calculate_type"] == details["calculate_type"] == "MULTIPLE_TYPES"
    assert (details["is_valid"], details["cover_num"], details["audience_sub_type"]) == (False, 0, "NORMAL")
    assert (details["msg"], details["error_msg"]) == (None, None)
    (entry,) = row["audience_history"]
    assert (entry["action"], entry["action_detail"], entry["editor"], entry["msg"]) == ("create", "0", "open_api", None)


def test_create_is_what_happens_without_an_action(tiktok: Driver) -> None:
    assert tiktok.segment(custom_audience_name="stream")["code"] == 0


def test_two_segments_may_have_one_name(tiktok: Driver) -> None:
    assert tiktok.segment_audience("twins") != tiktok.segment_audience("twins")


@pytest.mark.parametrize(("given", "kept"), [("x" * 70, "x" * 70), ("x" * 71, "x" * 67 + "...")])
def test_a_name_longer_than_70_characters_is_cut(tiktok: Driver, given: str, kept: str) -> None:
    assert tiktok.details(tiktok.segment_audience(given))["name"] == kept


def test_a_segment_appears_in_the_list_after_the_lag(tiktok: Driver) -> None:
    tiktok.emulator.tell("settings", {"list_lag_seconds": 60})
    tiktok.segment_audience()
    assert tiktok.list()["data"]["list"] == []
    tiktok.emulator.tell("clock", {"advance_seconds": 60})
    assert len(tiktok.list()["data"]["list"]) == 1


def test_segments_count_towards_the_400_audiences(tiktok: Driver) -> None:
    tiktok.emulator.tell("settings", {"max_audiences": 2})
    tiktok.audience_of(digests(1_000))
    tiktok.segment_audience()
    assert tiktok.segment(custom_audience_name="one too many")["code"] == 40002
    assert tiktok.create([tiktok.file_path(digests(1_000))])["code"] == 40002


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "custom_audience_name"),
        ({"custom_audience_name": ""}, "custom_audience_name"),
        ({"custom_audience_name": 7}, "custom_audience_name"),
        ({"action": "CREATE", "custom_audience_name": "stream"}, "action"),
        ({"action": "delete"}, "delete_audience_id"),
        ({"action": "delete", "delete_audience_id": 7}, "delete_audience_id"),
        ({"advertiser_id": "x", "custom_audience_name": "stream"}, "advertiser_id"),
    ],
)
def test_a_wrong_field_of_a_segment_is_40002_and_named(tiktok: Driver, fields: dict[str, object], named: str) -> None:
    answer = tiktok.segment(**fields)
    assert answer["code"] == 40002
    assert answer["message"].startswith(f"{named}:")
    assert tiktok.emulator.ask("audiences") == {"audiences": []}


def test_a_segment_is_deleted_at_once_and_only_once(tiktok: Driver) -> None:
    audience_id, kept = tiktok.segment_audience(), tiktok.segment_audience()
    answer = tiktok.segment(action="delete", delete_audience_id=audience_id)
    assert (answer["code"], answer["data"]) == (0, {"audience_id": audience_id})
    assert [row["audience_id"] for row in tiktok.list()["data"]["list"]] == [kept]
    assert coded(tiktok.segment(action="delete", delete_audience_id=audience_id)) == INVALID_AUDIENCE
    tiktok.emulator.tell("settings", {"ignore_unknown_ids_in_delete": True})
    assert tiktok.segment(action="delete", delete_audience_id=audience_id)["code"] == 0


def test_an_audience_of_files_cannot_be_deleted_as_a_segment(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(1_000))
    tiktok.emulator.tell("settings", {"ignore_unknown_ids_in_delete": True})
    assert coded(tiktok.segment(action="delete", delete_audience_id=audience_id)) == INVALID_AUDIENCE


def test_a_segment_can_be_deleted_like_any_custom_audience(tiktok: Driver) -> None:
    audience_id = tiktok.segment_audience()
    assert tiktok.delete(audience_id)["code"] == 0
    assert coded(tiktok.map([EMAIL], column(digests(1), audience_id))) == INVALID_AUDIENCE


def test_a_segment_takes_no_files_but_a_new_name(tiktok: Driver) -> None:
    audience_id = tiktok.segment_audience()
    answer = tiktok.update(audience_id, file_paths=[tiktok.file_path(digests(1_000))], action="APPEND")
    assert answer["code"] == 40002
    assert answer["message"].startswith("file_paths:")
    assert tiktok.held(audience_id)["members"] == 0
    assert tiktok.update(audience_id, custom_audience_name="renamed")["code"] == 0
    assert tiktok.details(audience_id)["name"] == "renamed"


# What a mapping does -------------------------------------------------------------------------------------------------


def test_a_mapping_adds_each_identifier_in_its_slot(tiktok: Driver) -> None:
    audience_id = tiktok.segment_audience()
    email, phone = digests(2)
    (device,) = digests(1, kind="md5")
    to = {"audience_ids": [audience_id]}
    rows = [[{"id": device, **to}, {"id": email.upper(), **to}, {}], [{}, {}, {"id": phone, **to}]]
    answer = tiktok.map(["aaid_md5", EMAIL, "phone_sha256"], rows)
    assert (answer["code"], answer["message"], answer["data"]) == (0, "OK", {})
    held = tiktok.held(audience_id)
    assert held["members"] == 3
    assert held["members_sha256"] == slots_sha256(AAID_MD5=[device], EMAIL_SHA256=[email], PHONE_SHA256=[phone])
    assert held["audience_type"] == "Partner"


def test_an_identifier_in_another_slot_is_another_member(tiktok: Driver) -> None:
    audience_id, (identifier,) = tiktok.segment_audience(), digests(1)
    tiktok.map([PHONE], column([identifier], audience_id))
    assert tiktok.held(audience_id)["members_sha256"] != slots_sha256(EMAIL_SHA256=[identifier])
    tiktok.map([EMAIL], column([identifier], audience_id), action="delete")
    assert tiktok.held(audience_id)["members_sha256"] == slots_sha256(PHONE_SHA256=[identifier])
    asked = {"audience_id": audience_id, "ids": [identifier, digests(1, start=1)[0]]}
    assert tiktok.control("POST", "members", asked) == {"members": [{"id": identifier, "slot": PHONE}]}


def test_adding_twice_and_deleting_what_is_absent_are_successes(tiktok: Driver) -> None:
    audience_id = tiktok.segment_audience()
    for _ in range(2):
        assert tiktok.map([EMAIL], column(digests(5), audience_id), action="add")["code"] == 0
    assert tiktok.map([EMAIL], column(digests(5, start=3), audience_id), action="DELETE")["code"] == 0
    assert tiktok.held(audience_id)["members_sha256"] == slots_sha256(EMAIL_SHA256=digests(3))


def test_one_identifier_may_go_to_several_audiences(tiktok: Driver) -> None:
    first, second = tiktok.segment_audience("first"), tiktok.segment_audience("second")
    rows = [*column(digests(1), first, second), *column(digests(1, start=1), second)]
    assert tiktok.map([EMAIL], rows)["code"] == 0
    assert tiktok.held(first)["members_sha256"] == slots_sha256(EMAIL_SHA256=digests(1))
    assert tiktok.held(second)["members_sha256"] == slots_sha256(EMAIL_SHA256=digests(2))


def test_a_segment_becomes_valid_an_hour_after_it_has_1000_identifiers(tiktok: Driver) -> None:
    audience_id = tiktok.segment_audience()
    tiktok.map([EMAIL], column(digests(999), audience_id))
    tiktok.let_it_process()
    assert (tiktok.details(audience_id)["is_valid"], tiktok.details(audience_id)["cover_num"]) == (False, 999)
    assert "1000" in tiktok.details(audience_id)["error_msg"]
    tiktok.map([PHONE], column(digests(1), audience_id))
    assert tiktok.details(audience_id)["is_valid"] is False
    tiktok.let_it_process()
    assert (tiktok.details(audience_id)["is_valid"], tiktok.details(audience_id)["cover_num"]) == (True, 1_000)
    assert tiktok.details(audience_id)["error_msg"] is None


def test_no_minimum_keeps_a_delete_from_being_carried_out(tiktok: Driver) -> None:
    audience_id = tiktok.segment_audience()
    tiktok.map([EMAIL], column(digests(1_000), audience_id))
    tiktok.let_it_process()
    tiktok.map([EMAIL], column(digests(1_000), audience_id), action="delete")
    assert (tiktok.held(audience_id)["members"], tiktok.held(audience_id)["members_sha256"]) == (0, NOBODY)
    tiktok.let_it_process()
    assert (tiktok.details(audience_id)["is_valid"], tiktok.details(audience_id)["cover_num"]) == (False, 0)


def test_a_stream_of_mappings_shows_no_change_before_its_time(tiktok: Driver) -> None:
    tiktok.emulator.tell("settings", {"minimum_audience_size": 1})
    audience_id = tiktok.segment_audience()
    for number in range(3):
        tiktok.map([EMAIL], column(digests(1, start=number), audience_id))
        tiktok.emulator.tell("clock", {"advance_seconds": 1_200})
    shown = []
    for _ in range(3):
        tiktok.emulator.tell("clock", {"advance_seconds": 100})
        shown.append(tiktok.details(audience_id)["cover_num"])
        tiktok.emulator.tell("clock", {"advance_seconds": 1_100})
    assert shown == [1, 2, 3]


def test_mappings_of_one_second_show_together() -> None:
    settings = Settings(minimum_audience_size=1, valid_after_seconds=3_600)
    audience = SegmentAudience("1", "1", "stream", "MULTIPLE_TYPES", created_at=0)
    for number in range(20):
        member = Slot.EMAIL_SHA256.member(bytes([number]) * 32)
        audience.map(MappingAction.ADD, {member}, now=number / 10, settings=settings)
    shown = [audience.appearance(now).cover_num for now in (3_599, 3_600, 3_601, 3_602)]
    assert shown == [0, 10, 20, 20]


def test_a_mapping_extends_the_life_of_the_segment_and_leaves_no_history(tiktok: Driver) -> None:
    audience_id = tiktok.segment_audience()
    before = tiktok.details(audience_id)["expired_time"]
    tiktok.emulator.tell("clock", {"advance_seconds": 86_400})
    tiktok.map([EMAIL], column(digests(1), audience_id))
    assert tiktok.details(audience_id)["expired_time"] > before
    assert len(tiktok.row(audience_id)["audience_history"]) == 1


# What a mapping refuses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"advertiser_ids": []}, "advertiser_ids"),
        ({"advertiser_ids": None}, "advertiser_ids"),
        ({"action": "append"}, "action"),
        ({"id_schema": None}, "id_schema"),
        ({"id_schema": []}, "id_schema"),
        ({"id_schema": ["GAID_SHA256"]}, "id_schema.0"),
        ({"id_schema": ["EMAIL_SHA256", "email_sha256"]}, "id_schema"),
        ({"batch_data": None}, "batch_data"),
        ({"batch_data": []}, "batch_data"),
    ],
)
def test_a_wrong_field_of_a_mapping_is_40002_and_named(tiktok: Driver, fields: dict[str, object], named: str) -> None:
    rows = column(digests(1), tiktok.segment_audience())
    answer = tiktok.map(**{"id_schema": [EMAIL], "batch_data": rows, **fields})
    assert answer["code"] == 40002
    assert answer["message"].startswith(f"{named}:")


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "0" * 63},
        {"id": "0" * 65},
        {"id": "0" * 32},
        {"id": "x" * 64},
        {"id": " " * 2 + "0" * 62},
        {"id": None},
        {"id": 7},
        {"audience_ids": []},
        {"audience_ids": None},
        {"audience_ids": [7]},
        {"audience_ids": ["123"]},
    ],
    ids=str,
)
@pytest.mark.parametrize("action", ["add", "delete"])
def test_one_bad_entry_refuses_the_whole_call(tiktok: Driver, changed: dict[str, object], action: str) -> None:
    audience_id = tiktok.segment_audience()
    tiktok.map([EMAIL], column(digests(2), audience_id))
    rows = column(digests(3, start=1), audience_id)
    rows[1][0].update(changed)
    answer = tiktok.map([EMAIL], rows, action=action)
    assert answer["code"] == 40002
    assert answer["data"] == {}
    assert tiktok.held(audience_id)["members_sha256"] == slots_sha256(EMAIL_SHA256=digests(2))


def test_each_row_is_exactly_as_long_as_the_schema(tiktok: Driver) -> None:
    audience_id = tiktok.segment_audience()
    (element,) = column(digests(1), audience_id)[0]
    wrong: list[object] = [[element], [element, {}, {}], [], [{}, {}], {}, [element, None], [element, []]]
    for row in wrong:
        assert tiktok.map([EMAIL, PHONE], [[element, {}], row])["code"] == 40002
    assert tiktok.held(audience_id)["members"] == 0


def test_a_refusal_repeats_no_identifier(tiktok: Driver) -> None:
    identifier = digests(1)[0][:-1]
    answer = tiktok.map([EMAIL], column([identifier], tiktok.segment_audience()))
    assert answer["code"] == 40002
    assert identifier not in answer["message"]


def test_identifiers_cannot_be_streamed_to_an_audience_of_files(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(1_000))
    assert coded(tiktok.map([EMAIL], column(digests(1), audience_id))) == INVALID_AUDIENCE


def test_a_mapping_has_a_largest_number_of_people(tiktok: Driver) -> None:
    audience_id = tiktok.segment_audience()
    tiktok.emulator.tell("settings", {"max_mapping_entries": 10})
    assert tiktok.map([EMAIL], column(digests(10), audience_id))["code"] == 0
    assert tiktok.map([EMAIL], column(digests(11), audience_id))["code"] == 40002
    assert tiktok.held(audience_id)["members"] == 10


def test_a_mapping_has_a_largest_body(tiktok: Driver) -> None:
    audience_id = tiktok.segment_audience()
    tiktok.emulator.tell("settings", {"max_mapping_bytes": 1_000})
    assert tiktok.map([EMAIL], column(digests(1), audience_id))["code"] == 0
    assert tiktok.map([EMAIL], column(digests(10), audience_id))["code"] == 40002
    assert tiktok.held(audience_id)["members"] == 1


@pytest.mark.parametrize("action", ["add", "delete"])
def test_a_poisoned_identifier_refuses_every_mapping_that_holds_it(tiktok: Driver, action: str) -> None:
    audience_id = tiktok.segment_audience()
    tiktok.control("POST", "poison", {"ids": [digests(10)[7]]})
    rows = column(digests(10), audience_id)
    assert tiktok.map([EMAIL], rows, action=action)["code"] == 40002
    assert tiktok.held(audience_id)["members"] == 0
    assert [tiktok.map([EMAIL], [row])["code"] for row in rows] == [0] * 7 + [40002] + [0] * 2
    assert tiktok.control("POST", "poison", {"ids": []}) == {}
    assert tiktok.map([EMAIL], rows, action=action)["code"] == 0


def test_reset_takes_the_poison_away(tiktok: Driver) -> None:
    tiktok.control("POST", "poison", {"ids": digests(1)})
    tiktok.control("POST", "reset", {})
    assert tiktok.map([EMAIL], column(digests(1), tiktok.segment_audience()))["code"] == 0


# Several advertisers under one token ---------------------------------------------------------------------------------


def test_one_mapping_reaches_the_segments_of_several_advertisers(tiktok: Driver) -> None:
    own = tiktok.emulator.advertiser_id
    reach(tiktok, own, OTHER)
    mine, theirs = tiktok.segment_audience(), tiktok.segment_audience(advertiser_id=OTHER)
    rows = column(digests(2), mine, theirs)
    assert coded(tiktok.map([EMAIL], rows)) == INVALID_AUDIENCE
    assert tiktok.map([EMAIL], rows, advertiser_ids=[own, OTHER])["code"] == 0
    assert tiktok.held(mine)["members_sha256"] == tiktok.held(theirs)["members_sha256"]
    assert tiktok.held(theirs)["members"] == 2


def test_a_mapping_names_only_advertisers_that_the_token_may_operate(tiktok: Driver) -> None:
    own = tiktok.emulator.advertiser_id
    reach(tiktok, own, OTHER)
    rows = column(digests(2), tiktok.segment_audience())
    reach(tiktok, own)
    assert tiktok.map([EMAIL], rows, advertiser_ids=[own, OTHER])["code"] == 40001
    assert tiktok.map([EMAIL], rows, advertiser_ids=[own, "7000000000000000999"])["code"] == 40002
    assert tiktok.map([EMAIL], rows)["code"] == 0


def test_each_advertiser_has_audiences_of_its_own(tiktok: Driver) -> None:
    reach(tiktok, tiktok.emulator.advertiser_id, OTHER)
    tiktok.emulator.tell("settings", {"max_audiences": 1})
    mine, theirs = tiktok.segment_audience(), tiktok.segment_audience(advertiser_id=OTHER)
    assert [row["audience_id"] for row in tiktok.list()["data"]["list"]] == [mine]
    assert [row["audience_id"] for row in tiktok.list(advertiser_id=OTHER)["data"]["list"]] == [theirs]
    assert coded(tiktok.delete(theirs)) == INVALID_AUDIENCE
    assert coded(tiktok.segment(action="delete", delete_audience_id=theirs)) == INVALID_AUDIENCE
    assert coded(tiktok.update(theirs, custom_audience_name="taken")) == INVALID_AUDIENCE
    query = {"app_id": "1", "secret": "s"}
    reached = tiktok.get("/open_api/v1.3/oauth2/advertiser/get/", **query)["data"]["list"]
    assert [row["advertiser_id"] for row in reached] == [tiktok.emulator.advertiser_id, OTHER]
    info = tiktok.get("/open_api/v1.3/advertiser/info/", advertiser_ids=[OTHER])["data"]["list"]
    assert [row["advertiser_id"] for row in info] == [OTHER]


def test_an_audience_of_files_can_be_made_for_each_advertiser(tiktok: Driver) -> None:
    reach(tiktok, tiktok.emulator.advertiser_id, OTHER)
    file_path = tiktok.upload("\n".join(digests(1_000)).encode(), advertiser_id=OTHER)["data"]["file_path"]
    audience_id = tiktok.create([file_path], advertiser_id=OTHER)["data"]["custom_audience_id"]
    assert tiktok.held(audience_id)["advertiser_id"] == OTHER
    assert tiktok.update(audience_id, advertiser_id=OTHER, custom_audience_name="theirs")["code"] == 0


# Faults, limits and the page -----------------------------------------------------------------------------------------


def test_a_mapping_without_the_scope_is_40001(tiktok: Driver) -> None:
    rows = column(digests(1), tiktok.segment_audience())
    tiktok.control("POST", "tokens", {"token": tiktok.emulator.access_token, "scopes": ["read_audiences"]})
    assert tiktok.map([EMAIL], rows)["code"] == 40001
    assert tiktok.segment(custom_audience_name="stream")["code"] == 40001


@pytest.mark.parametrize(("kind", "members"), [("drop_before_commit", 0), ("drop_after_commit", 2)])
def test_a_dropped_mapping_is_carried_out_or_not(tiktok: Driver, kind: str, members: int) -> None:
    audience_id = tiktok.segment_audience()
    tiktok.control("POST", "faults", [{"path": "segment/mapping", "kind": kind}])
    with pytest.raises(requests.ConnectionError):
        tiktok.map([EMAIL], column(digests(2), audience_id))
    assert tiktok.held(audience_id)["members"] == members


def test_a_drop_after_the_commit_has_created_the_segment(tiktok: Driver) -> None:
    tiktok.control("POST", "faults", [{"path": "segment/audience", "kind": "drop_after_commit"}])
    with pytest.raises(requests.ConnectionError):
        tiktok.segment(custom_audience_name="stream")
    assert [audience["name"] for audience in tiktok.emulator.ask("audiences")["audiences"]] == ["stream"]


def test_a_code_is_answered_by_the_segment_gateway_so_many_times(tiktok: Driver) -> None:
    rows = column(digests(1), tiktok.segment_audience())
    tiktok.control("POST", "faults", [{"path": "segment/mapping", "kind": "code", "code": 51063, "times": 2}])
    assert [tiktok.map([EMAIL], rows)["code"] for _ in range(3)] == [51063, 51063, 0]


def test_streaming_and_other_calls_have_limits_apart(tiktok: Driver) -> None:
    rows = column(digests(1), tiktok.segment_audience())
    tiktok.emulator.tell("settings", {"queries_per_second": 0})
    assert tiktok.list()["code"] == 40100
    assert tiktok.map([EMAIL], rows)["code"] == 0
    tiktok.emulator.tell("settings", {"queries_per_second": None, "streaming_queries_per_second": 0})
    assert tiktok.list()["code"] == 0
    assert tiktok.map([EMAIL], rows)["code"] == 40100


def test_a_segment_is_asked_for_by_post(tiktok: Driver) -> None:
    assert tiktok.get(SEGMENT + "mapping/")["code"] == 40400


def test_the_page_shows_a_segment_and_what_is_guessed_of_it(tiktok: Driver) -> None:
    audience_id = tiktok.segment_audience("<b>stream</b>")
    tiktok.map([EMAIL], column(digests(12), audience_id))
    page = requests.get(tiktok.emulator.url, timeout=10).text
    assert f"{audience_id} · Partner · MULTIPLE_TYPES" in page
    assert "12 held" in page
    assert "<b>stream" not in page
    assert any("segment/audience" in item for item in behaviours()["Guessed"])
