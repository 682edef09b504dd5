"""What a look at an audience makes of what was remembered of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lambdas.audiences.history import Change, Entry, History
from lambdas.audiences.watch.domain import (
    FILED_LINES,
    KEPT_LINES,
    Known,
    Line,
    Look,
    Touches,
    Watch,
    filed,
    find_watched,
    missed,
    seen,
)
from lambdas.tiktok.models import AudienceDetails, AudienceListing, Complaint, CustomAudience
from test.support.builders import any_version

NOW = 1_800_000_000.0
HOUR, DAY = 3_600.0, 86_400.0
AUDIENCE = CustomAudience("5", "Foodies", "Customer File Audience", "EMAIL_SHA256", True, 2_000, True, "", "NORMAL")


def touched(*changes: tuple[Change, float, int]) -> Touches:
    """By these changes: what, when, how many rows."""
    entries = tuple(
        Entry(replace(any_version(), sequencer=str(number)), change, rows, applied_at=at)
        for number, (change, at, rows) in enumerate(changes)
    )
    return Touches.from_document({"history": json.loads(json.dumps(History(entries).to_document()))})


LONG_AGO = touched((Change.APPEND, NOW - 100 * DAY, 2_500))


@dataclass
class Watched:
    """An audience that is looked at, again and again."""

    watch: Watch = field(default_factory=Watch)
    touches: Touches = LONG_AGO
    warning_days: float = 14

    def look(
        self, hours: float, *, complaints: tuple[Complaint, ...] = (), is_detailed: bool = True, **shown: Any
    ) -> Line | None:
        """So many hours after the beginning; the line that it made, if any."""
        look = Look(NOW + hours * HOUR, replace(AUDIENCE, **shown), complaints, self.touches, is_detailed)
        before = self.watch.lines
        self.watch = seen(
            Watch.from_document(json.loads(json.dumps(self.watch.to_document()))),
            look,
            advertiser_id="7",
            name="Foodies",
            expiry_warning_seconds=self.warning_days * DAY,
        )
        return None if self.watch.lines == before else self.watch.last

    def conditions(self, hours: float, **shown: Any) -> tuple[list[str], list[str]]:
        """Those that hold after a look, and those that it tells."""
        line = self.look(hours, **shown)
        assert self.watch.last is not None
        return [str(each) for each in self.watch.last.conditions], [
            str(each) for each in (line.new_conditions if line else ())
        ]


def test_the_first_look_makes_a_line_and_the_next_one_only_if_something_changed() -> None:
    watched = Watched()

    first, second, third = watched.look(0), watched.look(1), watched.look(2, cover_num=2_100)

    assert first is not None
    assert second is None
    assert third is not None
    assert (first.number, third.number) == (1, 2)
    assert first.to_document() == {
        "number": 1,
        "at": "2027-01-15T08:00:00.000Z",
        "advertiser_id": "7",
        "audience": "Foodies",
        "audience_id": "5",
        "exists": True,
        "is_valid": True,
        "cover_num": 2_000,
        "rows": 2_500,
        "matched_share": 0.8,
        "error": None,
        "expires_at": None,
        "touched_at": "2026-10-07T08:00:00.000Z",
        "is_followed": False,
        "conditions": (),
        "new_conditions": (),
    }


@pytest.mark.parametrize("hours", [0, 1])
def test_a_look_that_is_older_than_what_is_known_changes_nothing(hours: float) -> None:
    watched = Watched()
    watched.look(2)
    newer = watched.watch

    assert watched.look(hours, cover_num=7) is None
    assert watched.watch == newer


def test_what_was_touched_is_followed_for_72_hours() -> None:
    touches = touched((Change.APPEND, NOW, 10), (Change.REMOVE, NOW + 10 * HOUR, 3))

    assert touches.recent(NOW + 81 * HOUR)
    assert not touches.recent(NOW + 82 * HOUR)


def test_what_a_suppression_removed_is_a_touch_and_a_remove() -> None:
    touches = Touches.from_document({"suppressed": [[NOW, 7]]})

    assert touches.recent(NOW + HOUR) == (NOW,)
    assert (touches.rows_removed(NOW - 1), touches.rows_removed(NOW)) == (7, 0)


def test_rows_are_those_since_the_last_fresh_start() -> None:
    touches = touched((Change.APPEND, 1, 10), (Change.REPLACE, 2, 20), (Change.APPEND, 3, 5), (Change.REMOVE, 4, 3))

    assert touches.rows == 25
    assert Touches.from_document({}) == Touches()


# Failed ---------------------------------------------------------------------------------------------------------


def test_an_error_is_told_once_and_its_end_is_a_change() -> None:
    watched = Watched()

    assert watched.conditions(0) == ([], [])
    assert watched.conditions(1, error_msg="wrong type") == (["failed"], ["failed"])
    assert watched.conditions(2, error_msg="wrong type") == (["failed"], [])
    assert watched.watch.last is not None
    assert watched.watch.last.error == "wrong type"
    assert watched.conditions(3, error_msg="another") == (["failed"], ["failed"])
    assert watched.conditions(4) == ([], [])
    assert watched.conditions(5, error_msg="wrong type") == (["failed"], ["failed"])


def test_a_number_that_moves_in_an_error_makes_no_new_failure() -> None:
    watched = Watched()

    assert watched.conditions(0, error_msg="only 900 people") == (["failed"], ["failed"])
    assert watched.conditions(1, error_msg="only 901 people") == (["failed"], [])
    assert watched.watch.last is not None
    assert watched.watch.last.error == "only 901 people"


def test_a_complaint_about_a_recent_change_is_told_once_also_when_another_change_went_well() -> None:
    watched = Watched(touches=touched((Change.APPEND, NOW, 10), (Change.APPEND, NOW + HOUR, 10)))
    complaint = Complaint(NOW + 1, "not of this type")

    assert watched.conditions(2, complaints=(complaint,)) == (["failed"], ["failed"])
    assert watched.conditions(3, complaints=(complaint,)) == (["failed"], [])
    second = Complaint(NOW + HOUR, "not of this type")
    assert watched.conditions(4, complaints=(complaint, second)) == (["failed"], ["failed"])
    # Nothing is followed any more.
    assert watched.conditions(74, complaints=(complaint, second)) == ([], [])


def test_what_is_said_of_the_audience_and_of_the_change_is_one_failure() -> None:
    watched = Watched(touches=touched((Change.APPEND, NOW, 10)))
    complaint = Complaint(NOW, "too few")

    assert watched.conditions(1, complaints=(complaint,)) == (["failed"], ["failed"])
    assert watched.conditions(2, complaints=(complaint,), error_msg="too few") == (["failed"], [])


def test_a_look_without_details_neither_ends_a_failure_nor_has_it_told_anew() -> None:
    watched = Watched(touches=touched((Change.APPEND, NOW, 10)))
    complaint = Complaint(NOW, "not of this type")

    watched.look(0, complaints=(complaint,), error_msg="wrong type")
    assert watched.conditions(1, is_detailed=False) == (["failed"], [])
    assert watched.conditions(2, complaints=(complaint,), error_msg="wrong type") == (["failed"], [])
    assert [line.error for line in watched.watch.lines] == ["wrong type"]
    assert watched.conditions(3) == ([], [])
    assert watched.conditions(4, is_detailed=False) == ([], [])


@pytest.mark.parametrize("at", [NOW - DAY, None])
def test_a_complaint_about_what_was_done_before_or_at_no_known_time_is_none(at: float | None) -> None:
    watched = Watched(touches=touched((Change.APPEND, NOW, 10)))

    assert watched.conditions(1, complaints=(Complaint(at, "old"),)) == ([], [])


def test_an_audience_of_many_people_that_is_not_valid_for_72_hours_has_failed() -> None:
    watched = Watched()

    assert watched.conditions(0, is_valid=False) == ([], [])
    assert watched.conditions(71, is_valid=False) == ([], [])
    assert watched.conditions(72, is_valid=False) == (["failed"], ["failed"])
    assert watched.conditions(73) == ([], [])


def test_the_time_for_becoming_valid_counts_from_when_there_are_enough_people() -> None:
    watched = Watched()

    assert watched.conditions(0, is_valid=False, cover_num=900) == ([], [])
    assert watched.conditions(100, is_valid=False, cover_num=1_400) == ([], [])
    assert watched.conditions(172, is_valid=False, cover_num=1_400) == (["failed"], ["failed"])


# Too small ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_valid", [True, False])
def test_an_audience_that_stays_below_1000_people_for_72_hours_is_too_small(is_valid: bool) -> None:
    watched = Watched(touches=touched((Change.APPEND, NOW, 900)))

    assert watched.conditions(1, cover_num=0, is_valid=False) == ([], [])
    assert watched.conditions(40, cover_num=900, is_valid=is_valid) == ([], [])
    assert watched.conditions(73, cover_num=900, is_valid=is_valid) == (["too_small"], ["too_small"])
    assert watched.conditions(74, cover_num=950, is_valid=is_valid) == (["too_small"], [])
    assert watched.conditions(75, cover_num=1_000) == ([], [])


def test_a_file_every_day_does_not_keep_a_small_audience_from_being_told() -> None:
    watched = Watched()
    for day in range(4):
        watched.touches = touched(*((Change.APPEND, NOW + each * DAY, 10) for each in range(day + 1)))
        told = watched.conditions(24 * day + 1, cover_num=10 * day, is_valid=False)

    assert told == (["too_small"], ["too_small"])


def test_an_audience_that_has_expired_is_neither_failed_nor_too_small() -> None:
    watched = Watched(warning_days=0)
    watched.look(0, expires_at=NOW + HOUR)

    assert watched.conditions(2, expires_at=NOW + HOUR, is_valid=False) == (["expiring"], ["expiring"])
    assert watched.conditions(100, expires_at=NOW + HOUR, is_valid=False) == (["expiring"], [])


# Shrunk ---------------------------------------------------------------------------------------------------------


def test_an_audience_that_nobody_took_out_of_has_shrunk_when_a_fifth_is_gone() -> None:
    watched = Watched()
    watched.look(0)

    assert watched.conditions(1, cover_num=1_600) == ([], [])
    assert watched.conditions(2, cover_num=1_599) == (["shrunk"], ["shrunk"])
    assert watched.conditions(3, cover_num=1_400) == (["shrunk"], [])
    # What is so for 72 hours is how it is; from then on the new size counts.
    assert watched.conditions(74, cover_num=1_400) == ([], [])
    assert watched.conditions(75, cover_num=1_119) == (["shrunk"], ["shrunk"])
    assert watched.conditions(76, cover_num=1_300) == ([], [])


def test_a_size_that_moves_about_the_limit_is_told_once() -> None:
    watched = Watched()
    watched.look(0)

    told = [watched.conditions(1 + hour, cover_num=1_599 if hour % 2 == 0 else 1_601)[1] for hour in range(20)]

    assert told == [["shrunk"], *[[]] * 19]
    assert watched.conditions(21, cover_num=1_799) == (["shrunk"], [])
    assert watched.conditions(22, cover_num=1_800) == ([], [])


def test_shrinking_by_little_every_hour_is_noticed_as_well() -> None:
    watched = Watched()
    told = [watched.conditions(hour, cover_num=2_000 - 20 * hour)[1] for hour in range(40)]

    assert told.index(["shrunk"]) == 21
    assert told.count(["shrunk"]) == 1


def test_a_shrinking_while_nobody_looked_is_noticed() -> None:
    watched = Watched()
    watched.look(0)

    assert watched.conditions(500, cover_num=1_000) == (["shrunk"], ["shrunk"])


@pytest.mark.parametrize("hours_before", [0, 71])
def test_what_a_remove_of_the_72_hours_before_may_have_taken_out_is_no_shrinking(hours_before: float) -> None:
    watched = Watched(touches=touched((Change.REMOVE, NOW - hours_before * HOUR, 500)))
    watched.look(0)

    assert watched.conditions(1, cover_num=1_200) == ([], [])
    assert watched.conditions(2, cover_num=1_199) == (["shrunk"], ["shrunk"])


def test_a_remove_from_long_ago_explains_nothing() -> None:
    watched = Watched(touches=touched((Change.REMOVE, NOW - 73 * HOUR, 500)))
    watched.look(0)

    assert watched.conditions(1, cover_num=1_500) == (["shrunk"], ["shrunk"])


def test_where_more_was_removed_than_the_ledger_remembers_nothing_counts_as_shrinking() -> None:
    watched = Watched()
    watched.look(0)
    history = History()
    # One each five minutes, of two people: more than are remembered.
    for number in range(600):
        at = NOW + number * 300
        arrived_at = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        version = replace(any_version(), key=f"tiktok/Foodies/email_sha256/remove/{number}.csv", arrived_at=arrived_at)
        history = history.with_entry(Entry(version, Change.REMOVE, 2, applied_at=at))
    assert history.forgotten
    watched.touches = Touches.from_document({"history": json.loads(json.dumps(history.to_document()))})

    assert watched.conditions(50, cover_num=1_020) == ([], [])
    assert watched.conditions(50 + 90, cover_num=1_020) == ([], [])
    assert watched.conditions(50 + 91, cover_num=100) == (["shrunk"], ["shrunk"])


def test_after_a_replace_any_size_is_expected_for_72_hours() -> None:
    watched = Watched()
    watched.look(0)
    watched.touches = touched((Change.REPLACE, NOW + HOUR, 1_000))

    assert watched.conditions(2, cover_num=1_000) == ([], [])
    assert watched.conditions(74, cover_num=1_000) == ([], [])
    assert watched.conditions(75, cover_num=700) == (["shrunk"], ["shrunk"])


def test_a_size_that_tiktok_does_not_say_after_a_change_is_no_shrinking() -> None:
    watched = Watched()
    watched.look(0)
    watched.touches = touched((Change.APPEND, NOW + HOUR, 1_000))

    assert watched.conditions(2, cover_num=0) == ([], [])
    assert watched.conditions(3, cover_num=1_500) == (["shrunk"], ["shrunk"])


def test_a_valid_audience_of_nobody_is_a_size_that_tiktok_does_not_say() -> None:
    watched = Watched()
    watched.look(0)

    assert watched.conditions(1, cover_num=0) == ([], [])
    assert watched.conditions(2) == ([], [])
    assert watched.conditions(3, cover_num=0, is_valid=False) == (["shrunk"], ["shrunk"])


def test_an_audience_that_has_expired_has_not_shrunk_and_begins_anew_with_a_new_date() -> None:
    watched = Watched(warning_days=0)
    watched.look(0, expires_at=NOW + HOUR)

    assert watched.conditions(2, expires_at=NOW + HOUR, is_valid=False, cover_num=0)[0] == ["expiring"]
    assert watched.conditions(3, expires_at=NOW + 365 * DAY, cover_num=1_100) == ([], [])
    assert watched.conditions(4, expires_at=NOW + 365 * DAY, cover_num=800)[0] == ["shrunk"]


# Expiring -------------------------------------------------------------------------------------------------------


def test_an_audience_that_expires_soon_is_told_once_until_its_expiry_moves_away() -> None:
    watched = Watched(warning_days=14)
    soon, late = NOW + 15 * DAY, NOW + 90 * DAY

    assert watched.conditions(0, expires_at=soon) == ([], [])
    assert watched.conditions(24, expires_at=soon) == (["expiring"], ["expiring"])
    assert watched.conditions(25, expires_at=soon) == (["expiring"], [])
    assert watched.conditions(26, expires_at=late) == ([], [])
    assert watched.conditions(24 * 80, expires_at=late) == (["expiring"], ["expiring"])


def test_an_expiry_that_moves_with_each_use_makes_a_line_a_day() -> None:
    watched = Watched()
    lines = [watched.look(hour, expires_at=NOW + 365 * DAY + hour * HOUR) for hour in range(97)]

    assert [number for number, line in enumerate(lines) if line] == [0, 24, 48, 72, 96]


# Which audience ---------------------------------------------------------------------------------------------------


def test_an_audience_that_is_gone_is_told_once_and_a_new_one_of_its_name_begins_anew() -> None:
    watched = Watched()
    watched.look(0)
    watched.look(1, cover_num=1_000)
    for hours in (2, 3):
        watched.watch = missed(watched.watch, NOW + hours * HOUR)

    gone = watched.watch.last
    assert gone is not None
    assert (gone.number, gone.exists, gone.audience_id, gone.conditions) == (3, False, "5", ())
    assert watched.conditions(4, cover_num=10, audience_id="6") == ([], [])
    assert [line.number for line in watched.watch.lines] == [1, 2, 3, 4]


def test_an_audience_that_the_list_left_out_for_a_while_is_back_with_what_was_told_of_it() -> None:
    watched = Watched()
    watched.look(0)
    assert watched.conditions(1, error_msg="wrong type", expires_at=NOW)[1] == ["failed", "expiring"]
    watched.watch = missed(watched.watch, NOW + 2 * HOUR)
    gone = watched.watch.last
    assert gone is not None
    assert (gone.exists, gone.conditions, gone.error) == (False, (), None)

    assert watched.conditions(3, is_detailed=False, expires_at=NOW) == (["failed", "expiring"], [])
    assert watched.conditions(4, error_msg="wrong type", expires_at=NOW) == (["failed", "expiring"], [])
    assert [(line.exists, line.error) for line in watched.watch.lines[-2:]] == [(False, None), (True, "wrong type")]


def test_an_audience_in_place_of_another_is_not_measured_by_that() -> None:
    watched = Watched()
    watched.look(0, error_msg="wrong type")

    assert watched.conditions(1, audience_id="6", cover_num=1_000, error_msg="wrong type") == (["failed"], ["failed"])


def test_an_audience_that_was_never_seen_cannot_be_missed() -> None:
    assert missed(Watch(), NOW) == Watch()


def listing(*audiences: tuple[str, str]) -> AudienceListing:
    found = tuple(replace(AUDIENCE, audience_id=audience_id, name=name) for audience_id, name in audiences)
    return AudienceListing((*found, replace(AUDIENCE, audience_id="0", is_creator=False)), is_whole=True)


@pytest.mark.parametrize(
    ("audiences", "known", "expected"),
    [
        ((("5", "Foodies"), ("6", "Others")), {}, ["5"]),
        ((("5", "Foodies"), ("6", "Foodies")), {}, ["5", "6"]),
        ((("5", "Foodies"), ("6", "Foodies")), {"audience_id": "6"}, ["6"]),
        ((("5", "Renamed"),), {"audience_id": "5"}, ["5"]),
        ((("5", "Renamed"), ("6", "Foodies")), {"audience_id": "5"}, ["6"]),
        ((("5", "Foodies"),), {"deleted": ["5"]}, []),
        ((), {"audience_id": "5"}, []),
    ],
)
def test_the_audience_of_a_name_is_the_one_that_files_go_to(
    audiences: tuple[tuple[str, str], ...], known: dict[str, Any], expected: list[str]
) -> None:
    remembered = Known.from_document(known)
    assert [audience.audience_id for audience in find_watched(listing(*audiences), "Foodies", remembered)] == expected


def test_details_that_tiktok_leaves_out_are_made_up_for_by_the_list() -> None:
    newer = replace(AUDIENCE, cover_num=7)
    complaints = (Complaint(NOW, "x"),)

    assert Look.at_listed(NOW, AUDIENCE, None, LONG_AGO) == Look(NOW, AUDIENCE, (), LONG_AGO, is_detailed=False)
    with_details = Look.at_listed(NOW, AUDIENCE, AudienceDetails(newer, complaints), LONG_AGO)
    assert with_details == Look(NOW, newer, complaints, LONG_AGO)


# What is kept ---------------------------------------------------------------------------------------------------


def test_the_ledger_keeps_the_newest_lines_and_knows_what_was_told() -> None:
    watched = Watched()
    for hour in range(KEPT_LINES + 3):
        watched.look(hour, cover_num=2_000 + hour)
        if hour == KEPT_LINES:
            watched.watch = watched.watch.all_told()

    assert [line.number for line in watched.watch.lines] == list(range(4, KEPT_LINES + 4))
    assert [line.number for line in watched.watch.untold] == [KEPT_LINES + 2, KEPT_LINES + 3]
    assert watched.watch.all_told().untold == ()


def a_line(number: int, advertiser_id: str = "7") -> Line:
    return Line(number, f"2026-11-21T12:00:0{number % 10}.000Z", advertiser_id, "Foodies", "5")


def test_a_line_is_in_the_file_once_however_often_it_is_written() -> None:
    once = filed(b"", [a_line(1), a_line(2)])
    more = filed(once, [a_line(2), a_line(3), a_line(3, advertiser_id="8")])

    assert more.startswith(once)
    written = [json.loads(line) for line in more.splitlines()]
    assert [(line["advertiser_id"], line["number"]) for line in written] == [("7", 1), ("7", 2), ("7", 3), ("8", 3)]
    assert filed(more, [a_line(3)]) == more


def test_the_file_keeps_its_newest_lines_and_what_somebody_else_wrote_into_it() -> None:
    notes = b'a note\n[1]\n{"advertiser_id": [], "number": {}, "at": 1}\n'
    noted = filed(notes, [a_line(1)])
    assert noted.startswith(notes + b"{")

    full = filed(noted, [a_line(number) for number in range(2, FILED_LINES + 1)])

    assert len(full.splitlines()) == FILED_LINES
    assert not full.startswith(b"a note")
