"""The life of a custom audience: created, changed, listed, expired, deleted."""

import pytest

from .driver import CUSTOM_AUDIENCE, Driver, digests, sha256_of

DAY = 86_400


def test_create_answers_a_new_and_larger_id_each_time(tiktok: Driver) -> None:
    ids = [tiktok.audience_of(digests(1_000)) for _ in range(3)]
    assert ids == sorted(set(ids))
    assert all(len(audience_id) == 19 for audience_id in ids)


def test_two_audiences_may_have_one_name(tiktok: Driver) -> None:
    assert tiktok.audience_of(digests(1_000), name="twins") != tiktok.audience_of(digests(1_000), name="twins")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("custom_audience_name", ""),
        ("custom_audience_name", "x" * 129),
        ("custom_audience_name", None),
        ("custom_audience_name", 7),
        ("custom_audience_name", "\ud800"),
        ("file_paths", []),
        ("file_paths", None),
        ("file_paths", "0" * 16),
        ("file_paths", ["0" * 15]),
        ("file_paths", ["0" * 17]),
        ("file_paths", ["0" * 16] * 501),
        ("calculate_type", "EMAIL"),
        ("calculate_type", "MAID_SHA256"),
        ("audience_sub_type", "normal"),
        ("retention_in_days", 0),
        ("retention_in_days", 366),
        ("retention_in_days", "30"),
        ("retention_in_days", True),
        ("audience_enhancement", "no"),
    ],
)
def test_a_wrong_field_in_create_is_40002_and_named(tiktok: Driver, field: str, value: object) -> None:
    body = {
        "advertiser_id": tiktok.emulator.advertiser_id,
        "custom_audience_name": "people",
        "file_paths": ["0" * 16],
        "calculate_type": "EMAIL_SHA256",
    }
    answer = tiktok.post(CUSTOM_AUDIENCE + "create/", {**body, field: value})
    assert answer["code"] == 40002
    assert answer["message"].startswith(f"{field}")
    assert tiktok.emulator.ask("audiences") == {"audiences": []}


def test_a_name_of_128_characters_and_500_file_paths_are_accepted(tiktok: Driver) -> None:
    file_path = tiktok.file_path(digests(1_000))
    assert tiktok.create([file_path] * 500, name="é" * 128)["code"] == 0


def test_an_unknown_file_path_is_40905_and_nothing_is_created(tiktok: Driver) -> None:
    assert tiktok.create([tiktok.file_path(digests(1_000)), "0" * 16])["code"] == 40905
    assert tiktok.emulator.ask("audiences") == {"audiences": []}


def test_a_file_path_expires_after_a_day(tiktok: Driver) -> None:
    file_path = tiktok.file_path(digests(1_000))
    tiktok.emulator.tell("clock", {"advance_seconds": DAY - 60})
    assert tiktok.create([file_path])["code"] == 0
    tiktok.emulator.tell("clock", {"advance_seconds": 61})
    assert tiktok.create([file_path])["code"] == 40910


def test_a_file_of_another_advertiser_cannot_be_used(tiktok: Driver) -> None:
    other = "7000000000000000002"
    both = [tiktok.emulator.advertiser_id, other]
    tiktok.emulator.tell("tokens", {"token": tiktok.emulator.access_token, "advertiser_ids": both})
    file_path = tiktok.file_path(digests(1_000))
    assert tiktok.create([file_path], advertiser_id=other)["code"] == 40905
    tiktok.emulator.tell("settings", {"foreign_file_path_code": 40001})
    assert tiktok.create([file_path], advertiser_id=other)["code"] == 40001


def test_the_401st_audience_is_40002(tiktok: Driver) -> None:
    tiktok.emulator.tell("seed", {"audiences": 400})
    file_path = tiktok.file_path(digests(1_000))
    assert tiktok.create([file_path])["code"] == 40002
    tiktok.delete(tiktok.list()["data"]["list"][0]["audience_id"])
    assert tiktok.create([file_path])["code"] == 0


def test_a_new_audience_becomes_valid_after_an_hour(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(1_200))
    assert tiktok.held(audience_id)["members"] == 1_200
    assert (tiktok.details(audience_id)["is_valid"], tiktok.details(audience_id)["cover_num"]) == (False, 0)
    tiktok.emulator.tell("clock", {"advance_seconds": 3_500})
    assert tiktok.details(audience_id)["is_valid"] is False
    tiktok.emulator.tell("clock", {"advance_seconds": 100})
    assert (tiktok.details(audience_id)["is_valid"], tiktok.details(audience_id)["cover_num"]) == (True, 1_200)


def test_an_audience_below_the_minimum_stays_invalid_and_says_why(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(999))
    tiktok.let_it_process()
    details = tiktok.details(audience_id)
    assert (details["is_valid"], details["cover_num"]) == (False, 999)
    assert "1000" in details["error_msg"]


def test_the_minimum_is_a_setting(tiktok: Driver) -> None:
    tiktok.emulator.tell("settings", {"minimum_audience_size": 3})
    audience_id = tiktok.audience_of(digests(3))
    tiktok.let_it_process()
    assert tiktok.details(audience_id)["is_valid"] is True


def test_update_without_action_replaces_everything(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(1_500))
    tiktok.update(audience_id, file_paths=[tiktok.file_path(digests(1_000, start=5_000))])
    assert tiktok.held(audience_id)["members_sha256"] == sha256_of(digests(1_000, start=5_000))


def test_append_adds_only_what_is_not_yet_there(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(1_000))
    file_path = tiktok.file_path(digests(1_000, start=500))
    for _ in range(2):
        assert tiktok.update(audience_id, file_paths=[file_path], action="APPEND")["data"] == {}
    assert tiktok.held(audience_id)["members_sha256"] == sha256_of(digests(1_500))


def test_remove_takes_away_only_what_is_there(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(2_000))
    tiktok.update(audience_id, file_paths=[tiktok.file_path(digests(1_000, start=1_500))], action="REMOVE")
    assert tiktok.held(audience_id)["members_sha256"] == sha256_of(digests(1_500))


@pytest.mark.parametrize("action", ["REMOVE", "REPLACE"])
def test_an_update_that_would_leave_too_few_is_accepted_and_fails_afterwards(tiktok: Driver, action: str) -> None:
    audience_id = tiktok.audience_of(digests(1_200))
    tiktok.let_it_process()
    answer = tiktok.update(audience_id, file_paths=[tiktok.file_path(digests(201))], action=action)
    assert answer["code"] == 0
    assert tiktok.held(audience_id)["members_sha256"] == sha256_of(digests(1_200))
    assert tiktok.details(audience_id)["error_msg"] is None
    tiktok.let_it_process()
    row = tiktok.row(audience_id)
    assert "1000" in row["audience_details"]["error_msg"]
    assert (row["audience_details"]["is_valid"], row["audience_details"]["cover_num"]) == (True, 1_200)
    assert [entry["action"] for entry in row["audience_history"]] == ["create", action.lower()]
    assert "1000" in row["audience_history"][-1]["msg"]


def test_a_remove_that_leaves_exactly_the_minimum_is_carried_out(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(1_200))
    tiktok.update(audience_id, file_paths=[tiktok.file_path(digests(200))], action="REMOVE")
    assert tiktok.held(audience_id)["members"] == 1_000


def test_an_append_is_carried_out_below_the_minimum_and_repairs_the_audience(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(10))
    tiktok.update(audience_id, file_paths=[tiktok.file_path(digests(10, start=10))], action="APPEND")
    assert tiktok.held(audience_id)["members"] == 20
    tiktok.update(audience_id, file_paths=[tiktok.file_path(digests(1_000, start=20))], action="APPEND")
    tiktok.let_it_process()
    assert tiktok.details(audience_id)["error_msg"] is None
    assert tiktok.details(audience_id)["is_valid"] is True


def test_an_audience_of_files_of_another_type_never_becomes_valid(tiktok: Driver) -> None:
    file_path = tiktok.file_path(digests(1_000), "PHONE_SHA256")
    answer = tiktok.create([file_path])
    assert answer["code"] == 0
    audience_id = answer["data"]["custom_audience_id"]
    tiktok.let_it_process()
    assert tiktok.details(audience_id)["is_valid"] is False
    assert "EMAIL_SHA256" in tiktok.details(audience_id)["error_msg"]
    tiktok.update(audience_id, file_paths=[tiktok.file_path(digests(1_000))])
    tiktok.let_it_process()
    assert tiktok.details(audience_id)["is_valid"] is True


def test_an_update_with_files_of_another_type_is_accepted_and_not_carried_out(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(1_000))
    file_path = tiktok.file_path(digests(1_000, start=1_000), "PHONE_SHA256")
    assert tiktok.update(audience_id, file_paths=[file_path], action="APPEND")["code"] == 0
    assert tiktok.held(audience_id)["members"] == 1_000
    tiktok.let_it_process()
    row = tiktok.row(audience_id)
    assert row["audience_details"]["is_valid"] is True
    assert row["audience_details"]["error_msg"] == row["audience_history"][-1]["msg"] is not None


def test_files_of_another_type_can_be_refused_at_once(tiktok: Driver) -> None:
    tiktok.emulator.tell("settings", {"refuse_mismatched_files": True})
    phones = tiktok.file_path(digests(1_000), "PHONE_SHA256")
    assert tiktok.create([phones])["code"] == 40909
    audience_id = tiktok.audience_of(digests(1_000))
    assert tiktok.update(audience_id, file_paths=[phones])["code"] == 40909


def test_an_update_while_processing_is_refused_only_if_set_so(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(1_000))
    file_path = tiktok.file_path(digests(1_000))
    assert tiktok.update(audience_id, file_paths=[file_path], action="APPEND")["code"] == 0
    tiktok.emulator.tell("settings", {"refuse_update_while_processing": True})
    assert tiktok.update(audience_id, file_paths=[file_path], action="APPEND")["code"] == 40002
    tiktok.let_it_process()
    assert tiktok.update(audience_id, file_paths=[file_path], action="APPEND")["code"] == 0


@pytest.mark.parametrize(
    "changes",
    [{}, {"action": "APPEND"}, {"file_paths": []}, {"file_paths": ["0" * 16], "action": "append"}, {"action": "ADD"}],
)
def test_an_update_that_makes_no_sense_is_40002(tiktok: Driver, changes: dict[str, object]) -> None:
    assert tiktok.update(tiktok.audience_of(digests(1_000)), **changes)["code"] == 40002


def test_unknown_audiences_cannot_be_updated_or_deleted(tiktok: Driver) -> None:
    for answer in (tiktok.update("123", custom_audience_name="x"), tiktok.delete("123")):
        assert (answer["code"], answer["message"]) == (40002, "Parameter error: invalid audience ID")
    tiktok.emulator.tell("settings", {"ignore_unknown_ids_in_delete": True})
    assert tiktok.delete("123")["code"] == 0


def test_a_rename_needs_no_file_and_no_action(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(1_000))
    assert tiktok.update(audience_id, custom_audience_name="renamed")["code"] == 0
    assert tiktok.details(audience_id)["name"] == "renamed"
    assert tiktok.held(audience_id)["members"] == 1_000


def test_a_new_sub_type_makes_update_ignore_everything_else(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(1_000))
    file_path = tiktok.file_path(digests(1_000, start=1_000))
    tiktok.update(audience_id, file_paths=[file_path], action="APPEND", audience_sub_type="REACH_FREQUENCY")
    assert tiktok.held(audience_id)["members"] == 1_000
    assert tiktok.details(audience_id)["audience_sub_type"] == "REACH_FREQUENCY"
    assert tiktok.update(audience_id, audience_sub_type="NORMAL")["code"] == 40002


def test_delete_is_all_or_nothing_and_final(tiktok: Driver) -> None:
    first, second = tiktok.audience_of(digests(1_000)), tiktok.audience_of(digests(1_000))
    assert tiktok.delete(first, "123")["code"] == 40002
    assert tiktok.list()["data"]["page_info"]["total_number"] == 2
    assert tiktok.delete(first)["data"] == {}
    assert [row["audience_id"] for row in tiktok.list()["data"]["list"]] == [second]
    assert tiktok.delete(first)["code"] == 40002


def test_get_leaves_out_unknown_ids(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(1_000))
    answer = tiktok.get(
        CUSTOM_AUDIENCE + "get/",
        advertiser_id=tiktok.emulator.advertiser_id,
        custom_audience_ids=["123", audience_id],
    )
    assert [row["audience_details"]["audience_id"] for row in answer["data"]["list"]] == [audience_id]


def test_history_size_keeps_the_newest_entries(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(1_000))
    tiktok.update(audience_id, custom_audience_name="renamed")
    history = tiktok.row(audience_id, history_size=1)["audience_history"]
    assert [(entry["action"], entry["editor"]) for entry in history] == [("rename", "open_api")]


def test_retention_is_a_fixed_date_and_ends_validity(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(1_000), retention_in_days=90)
    tiktok.let_it_process()
    assert (tiktok.details(audience_id)["is_expiring"], tiktok.details(audience_id)["is_valid"]) == (False, True)
    expires = tiktok.details(audience_id)["expired_time"]
    tiktok.emulator.tell("clock", {"advance_seconds": 31 * DAY})
    tiktok.update(audience_id, custom_audience_name="used again")
    assert tiktok.details(audience_id)["is_expiring"] is True
    assert tiktok.details(audience_id)["expired_time"] == expires
    tiktok.emulator.tell("clock", {"advance_seconds": 60 * DAY})
    assert (tiktok.details(audience_id)["is_expiring"], tiktok.details(audience_id)["is_valid"]) == (False, False)


def test_without_retention_every_change_gives_another_365_days(tiktok: Driver) -> None:
    audience_id = tiktok.audience_of(digests(1_000))
    tiktok.emulator.tell("clock", {"advance_seconds": 364 * DAY})
    tiktok.update(audience_id, custom_audience_name="used again")
    tiktok.emulator.tell("clock", {"advance_seconds": 364 * DAY})
    assert tiktok.details(audience_id)["is_valid"] is True
    tiktok.emulator.tell("clock", {"advance_seconds": 2 * DAY})
    assert tiktok.details(audience_id)["is_valid"] is False


def test_match_rate_lowers_the_size_shown(tiktok: Driver) -> None:
    tiktok.emulator.tell("settings", {"match_rate": 0.5})
    audience_id = tiktok.audience_of(digests(2_500))
    tiktok.let_it_process()
    assert tiktok.details(audience_id)["cover_num"] == 1_250
