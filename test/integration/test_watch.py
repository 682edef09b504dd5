"""The audience watch against the emulated TikTok, whose clock the tests move."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from lambdas.audiences.watch import service
from lambdas.contracts import METRIC_NAMESPACE
from lambdas.tiktok.errors import ConnectorError, CredentialsNotSet, RetryableError, UnexpectedError
from local.emulator.audiences import Audience
from local.emulator.server import EmulatorServer
from test.support.builders import any_hashes, as_file
from test.support.crashes import Killed, Tripwire
from test.support.pipeline import Pipeline
from test.support.stage import BUCKET
from test.support.watching import Watching

PEOPLE = any_hashes(1_500, seed="watch")
KEY = "tiktok/Foodies/email_sha256/{}.csv"
CONDITIONS = ("AudiencesFailed", "AudiencesShrunk", "AudiencesTooSmall", "AudiencesExpiring")
OTHER_ADVERTISER = "7000000000000000077"


@pytest.fixture
def watching(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> Watching:
    return Watching(pipeline, capsys)


def upload(watching: Watching, people: list[str], key: str = KEY.format(1)) -> None:
    """Deliver a file, while nobody waits for a confirmation."""
    watching.pipeline.upload(key, as_file(people))
    *_, message = watching.pipeline.queue.messages.values()
    watching.pipeline.deliver(message)
    watching.wait(0)


def conditions(watching: Watching) -> dict[str, float]:
    """How often each condition was told so far."""
    return {metric: watching.told(metric) for metric in CONDITIONS if watching.told(metric)}


def look_each_hour(watching: Watching, hours: int) -> None:
    for _ in range(hours):
        watching.wait(1)
        watching.look()


def test_an_audience_is_followed_from_its_first_file_until_it_is_valid(watching: Watching) -> None:
    upload(watching, PEOPLE)
    watching.look()
    look_each_hour(watching, 2)

    first, valid = watching.lines()
    [audience] = watching.pipeline.audiences()
    assert (first["number"], first["is_valid"], first["cover_num"], first["rows"]) == (1, False, 0, 1_500)
    assert (valid["number"], valid["is_valid"], valid["cover_num"], valid["rows"]) == (2, True, 1_500, 1_500)
    assert valid["audience_id"] == audience["audience_id"]
    assert valid["advertiser_id"] == watching.pipeline.emulator.advertiser_id
    assert (valid["audience"], valid["exists"], valid["error"]) == ("Foodies", True, None)
    assert (valid["conditions"], valid["new_conditions"], valid["is_followed"]) == ([], [], True)
    assert valid["expires_at"] is not None
    assert valid["at"] > first["at"] >= valid["touched_at"]
    assert watching.remembered()["lines"] == [first, valid]
    key = "receipts/tiktok/Foodies/audience-status.jsonl"
    assert watching.announced() == [{**line, "history_key": key} for line in (first, valid)]
    assert conditions(watching) == {}


def test_size_and_matched_share_are_measured_for_each_audience(
    watching: Watching, tiktok: EmulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiktok.tell("settings", {"match_rate": 0.8})
    upload(watching, PEOPLE)
    look_each_hour(watching, 1)

    [size], [share] = watching.measured("AudienceSize"), watching.measured("MatchedShare")
    assert (size["AudienceSize"], share["MatchedShare"]) == ([1_200], [0.8])
    for metric in (size, share):
        assert (metric["advertiser"], metric["audience"]) == (watching.pipeline.emulator.advertiser_id, "Foodies")
        assert metric["_aws"]["CloudWatchMetrics"][0]["Namespace"] == METRIC_NAMESPACE


def test_an_audience_that_is_followed_is_measured_at_every_look_whether_or_not_it_changed(watching: Watching) -> None:
    upload(watching, PEOPLE)
    look_each_hour(watching, 4)

    assert len(watching.lines()) <= 2
    assert [metric["AudienceSize"] for metric in watching.measured("AudienceSize")] == [[1_500]] * 4


def test_a_name_that_cloudwatch_does_not_take_is_measured_by_its_id(watching: Watching) -> None:
    upload(watching, PEOPLE, key="tiktok/Süßes/email_sha256/1.csv")
    look_each_hour(watching, 1)

    [audience] = watching.pipeline.audiences()
    assert {metric["audience"] for metric in watching.measured("AudienceSize")} == {audience["audience_id"]}
    assert len(watching.lines("Süßes")) == 1


def test_an_audience_that_nobody_touches_any_more_is_watched_but_not_measured(watching: Watching) -> None:
    upload(watching, PEOPLE)
    look_each_hour(watching, 1)
    before = len(watching.measured("AudienceSize"))
    watching.wait(80)
    [audience] = watching.pipeline.audiences()
    watching.pipeline.emulator.tell("shrink", {"audience_id": audience["audience_id"], "members": 10})
    watching.look()

    line = watching.lines()[-1]
    assert (line["cover_num"], line["is_followed"]) == (1_490, False)
    assert len(watching.measured("AudienceSize")) == before


def test_an_error_of_tiktoks_is_told_once_and_a_change_that_goes_well_ends_it(watching: Watching) -> None:
    upload(watching, PEOPLE)
    look_each_hour(watching, 1)
    # Accepted, and not carried out: too few would be left.
    upload(watching, PEOPLE[:900], key=KEY.format("remove/2"))
    look_each_hour(watching, 4)

    failed = watching.lines()[-1]
    assert failed["conditions"] == failed["new_conditions"] == ["failed"]
    assert "REMOVE failed" in failed["error"]
    assert (failed["is_valid"], failed["cover_num"]) == (True, 1_500)
    assert conditions(watching) == {"AudiencesFailed": 1}

    upload(watching, any_hashes(2_000), key=KEY.format("replace/3"))
    look_each_hour(watching, 1)
    assert watching.lines()[-1]["cover_num"] == 2_000
    # TikTok's word on the change that failed counts for as long as that is followed.
    look_each_hour(watching, 73)
    assert watching.lines()[-1]["conditions"] == []
    assert conditions(watching) == {"AudiencesFailed": 1}


def test_an_audience_that_stays_too_small_is_told_after_72_hours(watching: Watching) -> None:
    upload(watching, PEOPLE[:900])
    look_each_hour(watching, 72)
    assert watching.lines()[-1]["conditions"] == ["failed"]
    look_each_hour(watching, 1)

    line = watching.lines()[-1]
    assert (line["conditions"], line["new_conditions"]) == (["failed", "too_small"], ["too_small"])
    assert (line["is_valid"], line["cover_num"]) == (False, 900)
    upload(watching, any_hashes(200), key=KEY.format(2))
    look_each_hour(watching, 80)
    assert watching.lines()[-1]["conditions"] == []
    assert conditions(watching) == {"AudiencesFailed": 1, "AudiencesTooSmall": 1}


def test_an_audience_that_loses_people_by_itself_has_shrunk_and_is_told_once(watching: Watching) -> None:
    upload(watching, PEOPLE)
    look_each_hour(watching, 2)
    [audience] = watching.pipeline.audiences()
    watching.pipeline.emulator.tell("shrink", {"audience_id": audience["audience_id"], "members": 400})
    look_each_hour(watching, 3)

    line = watching.lines()[-1]
    assert (line["conditions"], line["new_conditions"], line["cover_num"]) == (["shrunk"], ["shrunk"], 1_100)
    assert conditions(watching) == {"AudiencesShrunk": 1}


@pytest.mark.parametrize(
    "key", [KEY.format("remove/2"), KEY.format("replace/2"), "suppression/email_sha256/2.csv"], ids=str
)
def test_an_audience_that_files_make_smaller_has_not_shrunk(watching: Watching, key: str) -> None:
    upload(watching, PEOPLE)
    look_each_hour(watching, 2)
    upload(watching, PEOPLE[:1_100] if "replace" in key else PEOPLE[:400], key=key)
    look_each_hour(watching, 3)

    assert watching.lines()[-1]["cover_num"] == 1_100
    assert conditions(watching) == {}


def test_a_suppression_explains_why_a_streamed_audience_gets_smaller(
    watching: Watching, tiktok: EmulatorServer
) -> None:
    watching.pipeline.upload("tiktok/Streamed/streaming/1.csv", b"email_sha256\n" + as_file(PEOPLE))
    watching.pipeline.deliver_next()
    look_each_hour(watching, 2)
    upload(watching, PEOPLE[:400], key="suppression/email_sha256/2.csv")
    look_each_hour(watching, 3)

    assert watching.lines("Streamed")[-1]["cover_num"] == 1_100
    assert conditions(watching) == {}


def test_an_audience_that_expires_soon_is_told_once(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    watching = Watching(pipeline, capsys, expiry_warning_days=7)
    pipeline.put_audience_settings("Foodies", retention_in_days=30)
    upload(watching, PEOPLE)
    look_each_hour(watching, 1)
    watching.wait(22 * 24)
    watching.look()
    assert conditions(watching) == {}
    watching.wait(24)
    watching.look()
    look_each_hour(watching, 3)

    line = watching.lines()[-1]
    assert (line["conditions"], line["is_valid"]) == (["expiring"], True)
    assert conditions(watching) == {"AudiencesExpiring": 1}
    watching.wait(8 * 24)
    look_each_hour(watching, 80)
    assert (watching.lines()[-1]["conditions"], watching.lines()[-1]["is_valid"]) == (["expiring"], False)
    assert conditions(watching) == {"AudiencesExpiring": 1}


def test_an_audience_that_was_deleted_at_tiktok_is_told_as_gone(watching: Watching, tiktok: EmulatorServer) -> None:
    upload(watching, PEOPLE)
    look_each_hour(watching, 1)
    [audience] = watching.pipeline.audiences()
    delete_at_tiktok(watching, audience["audience_id"])
    look_each_hour(watching, 2)

    assert len(watching.lines()) == 2
    assert (watching.lines()[-1]["exists"], watching.lines()[-1]["is_valid"]) == (False, False)
    assert conditions(watching) == {}


def delete_at_tiktok(watching: Watching, audience_id: str) -> None:
    emulator = watching.pipeline.emulator
    answer = requests.post(
        f"{emulator.url}/open_api/v1.3/dmp/custom_audience/delete/",
        json={"advertiser_id": emulator.advertiser_id, "custom_audience_ids": [audience_id]},
        headers={"Access-Token": emulator.access_token},
        timeout=10,
    )
    assert answer.json()["code"] == 0


def test_a_name_of_several_audiences_is_left_alone_unless_one_of_them_was_seen_before(
    watching: Watching, tiktok: EmulatorServer
) -> None:
    tiktok.tell("seed", {"audiences": 1, "prefix": "Foodies", "calculate_type": "EMAIL_SHA256"})
    upload(watching, PEOPLE, key="tiktok/Foodies1/email_sha256/1.csv")
    look_each_hour(watching, 1)
    tiktok.tell("seed", {"audiences": 1, "prefix": "Foodies", "calculate_type": "EMAIL_SHA256"})
    look_each_hour(watching, 1)

    assert {line["exists"] for line in watching.lines("Foodies1")} == {True}
    assert len({line["audience_id"] for line in watching.lines("Foodies1")}) == 1


def test_a_list_that_is_cut_short_tells_of_nothing_that_it_is_gone(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(watching, PEOPLE)
    look_each_hour(watching, 1)
    monkeypatch.setattr("lambdas.tiktok.audiences.read_listing", lambda _, **__: ([], False))
    look_each_hour(watching, 1)

    assert len(watching.lines()) == 1


def test_a_look_costs_two_requests_an_advertiser_and_nothing_where_no_file_ever_came(
    watching: Watching, tiktok: EmulatorServer
) -> None:
    watching.look()
    assert watching.pipeline.calls() == []

    for number in range(3):
        upload(watching, PEOPLE, key=f"tiktok/Audience {number}/email_sha256/1.csv")
    before = len(watching.pipeline.calls())
    watching.look()
    assert [call["path"].rsplit("/", 2)[-2] for call in watching.pipeline.calls()[before:]] == ["list", "get"]


def test_two_looks_at_once_tell_everything_once(watching: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    upload(watching, PEOPLE[:900])
    look_each_hour(watching, 1)
    watching.wait(80)
    # The second one begins and ends between the first one's look and what it makes of it.
    judge = service._judge
    nested: list[bool] = []

    def interrupted(*given: Any) -> Any:
        if not nested:
            nested.append(True)
            watching.look()
        return judge(*given)

    monkeypatch.setattr(service, "_judge", interrupted)
    watching.look()

    assert nested
    assert [line["number"] for line in watching.lines()] == [1, 2]
    assert len(watching.announced()) == 2
    assert conditions(watching) == {"AudiencesFailed": 1, "AudiencesTooSmall": 1}


def test_what_another_look_holds_is_left_to_it(watching: Watching) -> None:
    upload(watching, PEOPLE)
    pk = f"watch#{watching.pipeline.emulator.advertiser_id}/Foodies"
    held_until = {"N": str(watching.pipeline.clock.now() + 600)}
    watching.pipeline.dynamodb.put_item(
        TableName="ledger", Item={"pk": {"S": pk}, "held_by": {"S": "another"}, "held_until": held_until}
    )

    watching.look()
    assert watching.lines() == []
    watching.wait(1)
    watching.look()
    assert len(watching.lines()) == 1


def test_a_kill_between_any_two_calls_leaves_no_line_twice_and_nothing_untold(watching: Watching) -> None:
    upload(watching, PEOPLE[:900])
    watching.look()
    for moment in range(1, 60):
        # Each round has something new to tell: the size.
        upload(watching, any_hashes(2), key=KEY.format(f"append/{moment}"))
        watching.wait(2)
        wire = Tripwire(kill_at=moment)
        try:
            watching.look(wire=wire)
        except Killed:
            watching.wait(1)
            watching.look()
        numbers = [line["number"] for line in watching.lines()]
        assert numbers == list(range(1, len(numbers) + 1)), f"killed at {moment}, after {wire.calls[-2:]}"
        announced = [detail["number"] for detail in watching.announced()]
        assert set(announced) == set(numbers), f"killed at {moment}, after {wire.calls[-2:]}"
        assert watching.lines()[-1]["cover_num"] == 900 + 2 * moment
        assert watching.remembered()["told"] == numbers[-1]
        if not wire.dead:
            break
    else:
        raise AssertionError("there are more moments than this test tried")
    assert moment > 10
    sizes = [metric["AudienceSize"][0] for metric in watching.measured("AudienceSize")]
    assert {900 + 2 * each for each in range(1, moment + 1)} <= set(sizes)
    assert watching.told("AudiencesFailed") >= 1


def test_a_bus_that_fails_is_made_up_for_by_the_next_look(watching: Watching) -> None:
    upload(watching, PEOPLE)
    watching.pipeline.bus.failures = ["InternalFailure"]

    watching.wait(1)
    with pytest.raises(RetryableError, match="InternalFailure"):
        watching.look()
    announced = watching.announced()
    watching.look()

    assert announced == []
    assert len(watching.lines()) == len(watching.announced()) == 1


@pytest.fixture
def abroad(new_pipeline: Callable[..., Pipeline], tiktok: EmulatorServer) -> Pipeline:
    """Two advertisers, with an audience of one name each."""
    pipeline = new_pipeline()
    both = [tiktok.advertiser_id, OTHER_ADVERTISER]
    tiktok.tell("tokens", {"token": tiktok.access_token, "state": "active", "advertiser_ids": both})
    pipeline.put_credentials(tiktok.access_token, both[0], advertisers={"abroad": both[1]})
    pipeline.upload(KEY.format(1), as_file(PEOPLE))
    pipeline.run()
    pipeline.put_audience_settings("Foodies", advertiser="abroad")
    pipeline.upload(KEY.format(2), as_file(PEOPLE[:1_200]))
    pipeline.run()
    assert len(pipeline.audiences()) == 2
    return pipeline


def test_audiences_of_one_name_of_two_advertisers_share_a_file_and_are_told_apart(
    abroad: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    watching = Watching(abroad, capsys)
    look_each_hour(watching, 2)

    told = {(line["advertiser_id"], line["number"], line["cover_num"]) for line in watching.lines()}
    assert told == {(abroad.emulator.advertiser_id, 1, 1_500), (OTHER_ADVERTISER, 1, 1_200)}


@pytest.mark.parametrize("hours", [1, 2])
def test_an_advertiser_that_fails_keeps_no_other_from_being_looked_at_and_fails_the_invocation(
    abroad: Pipeline, tiktok: EmulatorServer, capsys: pytest.CaptureFixture[str], hours: int
) -> None:
    watching = Watching(abroad, capsys)
    # Whichever of them an hour begins with.
    watching.wait(hours)
    tiktok.tell("tokens", {"token": tiktok.access_token, "state": "active", "advertiser_ids": [tiktok.advertiser_id]})

    with pytest.raises(ConnectorError, match="No permission"):
        watching.look()

    assert [line["advertiser_id"] for line in watching.lines()] == [tiktok.advertiser_id]
    assert watching.told("Misconfigured") == 1


def test_an_audience_that_fails_keeps_no_other_from_being_looked_at(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("A", "B", "C"):
        upload(watching, PEOPLE, key=f"tiktok/{name}/email_sha256/1.csv")
    watching.pipeline.bus.failures = ["", "InternalFailure"]

    with pytest.raises(RetryableError):
        watching.look()

    assert [len(watching.announced(name)) for name in ("A", "B", "C")] == [1, 0, 1]


@pytest.mark.parametrize("prefix", ["audience#", "watch#"])
def test_an_audience_whose_memory_cannot_be_read_keeps_no_other_from_being_looked_at(
    watching: Watching, prefix: str
) -> None:
    for name in ("A", "B", "C"):
        upload(watching, PEOPLE, key=f"tiktok/{name}/email_sha256/1.csv")
    pk = f"{prefix}{watching.pipeline.emulator.advertiser_id}/B"
    watching.pipeline.dynamodb.update_item(
        TableName="ledger",
        Key={"pk": {"S": pk}},
        UpdateExpression="SET document = :odd",
        ExpressionAttributeValues={":odd": {"S": '{"history": {"entries": [7]}, "lines": 7}'}},
    )

    with pytest.raises(UnexpectedError):
        watching.look()

    assert [len(watching.announced(name)) for name in ("A", "B", "C")] == [1, 0, 1]
    assert watching.told("UnexpectedErrors") == 1


def test_when_the_time_is_up_the_invocation_fails_and_each_hour_begins_with_another_advertiser(
    abroad: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    watching = Watching(abroad, capsys)
    seen = []
    for _ in range(2):
        watching.wait(1)
        # Enough for the requests of one of them, at 1.25 seconds each.
        with pytest.raises(RetryableError, match="time is up"):
            watching.look(seconds=62.6)
        seen.append({line["advertiser_id"] for line in watching.lines()})

    assert len(seen[0]) == 1
    assert len(seen[1]) == 2


def test_before_the_credentials_are_there_a_look_finds_nothing_and_does_not_fail(watching: Watching) -> None:
    watching.pipeline.put_credentials("REPLACE_ME", "REPLACE_ME")

    watching.look()

    assert watching.pipeline.calls() == []
    assert not watching.measured("Misconfigured")


def test_credentials_that_somebody_has_spoilt_ring_their_alarm(watching: Watching) -> None:
    upload(watching, PEOPLE)
    watching.pipeline.put_credentials("", watching.pipeline.emulator.advertiser_id)

    with pytest.raises(CredentialsNotSet):
        watching.look()

    assert watching.told("Misconfigured") == 1


def test_a_token_that_is_refused_rings_its_alarm(watching: Watching, tiktok: EmulatorServer) -> None:
    upload(watching, PEOPLE)
    tiktok.tell("tokens", {"token": tiktok.access_token, "state": "revoked"})

    with pytest.raises(ConnectorError):
        watching.look()

    assert watching.told("TokenRejected") == 1


def test_a_defect_fails_the_invocation_without_printing_what_it_was_about(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defective(*_: object, **__: object) -> None:
        raise ValueError(f"cannot handle {PEOPLE[0]}")

    upload(watching, PEOPLE)
    monkeypatch.setattr(service, "seen", defective)

    with pytest.raises(UnexpectedError) as raised:
        watching.look()

    assert PEOPLE[0][:10] not in str(raised.value)
    assert watching.told("UnexpectedErrors") == 1


def test_nothing_of_a_person_and_no_token_is_in_what_is_told(
    watching: Watching, tiktok: EmulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    quoting = f"row {PEOPLE[0]} of jane.doe@example.com, +44 20 7183 8750 is wrong"
    monkeypatch.setattr(Audience, "_too_small", lambda *_: quoting)
    upload(watching, PEOPLE)
    look_each_hour(watching, 2)

    items = watching.pipeline.dynamodb.scan(TableName="ledger")["Items"]
    told = json.dumps([watching.lines(), watching.announced(), items]) + watching._printed
    assert watching.lines()[-1]["error"].startswith("row …")
    for secret in (PEOPLE[0][:20], "jane", "7183", tiktok.access_token):
        assert secret not in told


def test_outdated_versions_of_a_history_carry_the_tag_by_which_they_go(watching: Watching) -> None:
    upload(watching, PEOPLE)
    watching.look()

    key = "receipts/tiktok/Foodies/audience-status.jsonl"
    tags = watching.pipeline.s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]
    assert tags == [{"Key": "content", "Value": "audience-status"}]
