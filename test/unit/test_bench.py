"""The benchmark measures with the same files every time, and calls a target met only when the median is."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.files import EVENTS_NOW, LINE_BYTES, write_emails, write_events, write_hashes
from bench.measuring import Comparison, ratios
from bench.report import write
from bench.sides import events
from lambdas.audiences.domain import refusal
from lambdas.events.file_check import Reading, judged_rows
from lambdas.events.rows.check import EventRules
from lambdas.events.rows.event import CheckedEvent
from lambdas.files.file_types import FileType, Layout
from lambdas.tiktok.models import EventSource
from test.support.audience_files import any_reading, read_file


@pytest.mark.parametrize("is_dirty", [False, True])
def test_the_same_seed_gives_the_same_file(tmp_path: Path, is_dirty: bool) -> None:
    one, other = tmp_path / "one", tmp_path / "other"

    rows = write_hashes(one, 10**5, is_dirty=is_dirty)
    write_hashes(other, 10**5, is_dirty=is_dirty)

    assert one.read_bytes() == other.read_bytes()
    assert one.read_bytes().count(b"\n") == rows == 10**5 // LINE_BYTES


def test_a_dirty_file_has_one_dirty_row_in_a_hundred_and_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "dirty"
    rows = write_hashes(file, 2 * 10**6, is_dirty=True)

    check, parts = read_file(file.read_bytes(), any_reading("email_sha256"))

    unchanged = set(file.read_bytes().split(b"\n")) & set(parts[0].split(b"\n"))
    assert 0.007 < 1 - len(unchanged) / rows < 0.013
    assert 0 < check.tally.invalid_rows < 0.005 * rows
    assert refusal(check, max_invalid_ratio=0.01) is None


def test_every_address_that_is_measured_with_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "emails"
    write_emails(file, 500)

    assert read_file(file.read_bytes(), any_reading("email"))[0].tally.valid == 500


@pytest.mark.parametrize("options", [{}, {"as_uris": True}, {"recur": True}], ids=["distinct", "uris", "recur"])
def test_every_event_that_is_measured_with_is_valid_and_whole(tmp_path: Path, options: dict[str, bool]) -> None:
    file, other = tmp_path / "events", tmp_path / "other"
    write_events(file, 600, **options)
    write_events(other, 600, **options)
    assert file.read_bytes() == other.read_bytes()

    reading = Reading(FileType(Layout.JSON_LINES), EventRules(EventSource.WEB, 28), EVENTS_NOW)
    outcomes = [outcome for _, outcome in judged_rows([file.read_bytes()], reading)]

    checked = [outcome for outcome in outcomes if isinstance(outcome, CheckedEvent)]
    assert len(checked) == 600
    assert not any(event.left_out for event in checked)
    people = {event.payload["user"]["external_id"] for event in checked}
    assert (len(people) < 600) is options.get("recur", False)


def test_both_sides_go_through_all_events(tmp_path: Path) -> None:
    file = tmp_path / "events"
    write_events(file, 1200)

    assert events.parse_and_write(file) == events.prepare(file) == events.check_and_prepare(file) == 1200


@pytest.mark.parametrize(
    ("target", "at_most", "is_met"), [(2, False, True), (2.1, False, False), (2, True, True), (1.9, True, False)]
)
def test_a_target_is_met_by_the_median(target: float, at_most: bool, is_met: bool) -> None:
    assert Comparison("what", [1, 2, 9], target, at_most=at_most).is_met is is_met


def test_ratios_are_taken_turn_by_turn() -> None:
    assert ratios([{"seconds": 6}, {"seconds": 2}], [{"seconds": 3}, {"seconds": 4}], "seconds") == [2, 0.5]


def test_results_say_what_was_not_met(tmp_path: Path) -> None:
    file = tmp_path / "results.md"

    write(file, [Comparison("slow", [0.4], 0.5), Comparison("told", [0.4])], scale="a file", notes="Notes.")

    text = file.read_text()
    assert "| slow | ≥ 0.5× | 0.40× | 0.40–0.40 (1) | **no** |" in text
    assert "| told | — | 0.40× | 0.40–0.40 (1) | — |" in text
    assert str(tmp_path) not in text
