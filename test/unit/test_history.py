"""Whatever order changes are applied in, the audience ends as if it had been the order of their arrival."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.audiences.history import Change, Entry, History
from lambdas.objects import ObjectVersion

PEOPLE = "abcdef"


def an_entry(change: Change, second: int, *, name: str = "", sequencer: str = "") -> Entry:
    """A change that arrived in some second."""
    version = ObjectVersion("data", name or f"{change}-{second}", "1", 1, f"2026-11-22T12:00:{second:02}Z", sequencer)
    return Entry(version, change)


@dataclass
class FakeAudience:
    """Sets of people, and what each object holds."""

    holds: dict[str, set[str]]
    members: set[str] = field(default_factory=set)
    history: History = field(default_factory=History)

    def carry_out(self, entry: Entry) -> None:
        """Do to the members what the entry says."""
        match entry.change:
            case Change.APPEND:
                self.members |= self.holds[entry.id]
            case Change.REMOVE:
                self.members -= self.holds[entry.id]
            case Change.REPLACE:
                self.members = set(self.holds[entry.id])
            case Change.DELETE:
                self.members = set()

    def finish(self, steps: int | None = None) -> None:
        """Carry out what is pending, or only so many steps of it before a crash."""
        while self.history.pending and steps != 0:
            entry = self.history.pending[0]
            self.carry_out(entry)
            if steps == 1:
                return
            self.history = History.from_document(self.history.with_done(replace(entry, applied_at=1.0)).to_document())
            steps = None if steps is None else steps - 1

    def take(self, entry: Entry, crash_after: int | None = None) -> None:
        """A delivery of an object."""
        self.finish()
        known = self.history.find(entry.id)
        if (known and known.is_applied) or self.history.is_superseded(entry):
            return
        self.history = self.history.with_new(entry)
        self.finish(crash_after)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[tuple[Entry, set[str]]], list[tuple[int, int | None]]]:
    """Changes with what they hold, and deliveries of them: shuffled, repeated and interrupted."""
    count = draw(st.integers(1, 7))
    changes = [
        (
            an_entry(draw(st.sampled_from(list(Change))), draw(st.integers(0, 4)), name=str(number)),
            draw(st.sets(st.sampled_from(PEOPLE), max_size=4)),
        )
        for number in range(count)
    ]
    order = draw(st.permutations([*range(count), *draw(st.lists(st.integers(0, count - 1), max_size=4))]))
    return changes, [(number, draw(st.none() | st.integers(1, 3))) for number in order]


@settings(max_examples=500)
@given(deliveries())
def test_the_membership_is_that_of_the_order_of_arrival(
    drawn: tuple[list[tuple[Entry, set[str]]], list[tuple[int, int | None]]],
) -> None:
    changes, order = drawn
    audience = FakeAudience({entry.id: people for entry, people in changes})
    expected = FakeAudience(audience.holds)
    for entry, _ in sorted(changes, key=lambda change: change[0].order):
        expected.carry_out(entry)

    for number, crash_after in order:
        audience.take(changes[number][0], crash_after)
    audience.finish()

    assert audience.members == expected.members


def test_within_one_second_a_replace_comes_first_and_a_remove_last() -> None:
    entries = [an_entry(change, 0) for change in (Change.REMOVE, Change.APPEND, Change.REPLACE)]

    ordered = sorted(entries, key=lambda entry: entry.order)

    assert [entry.change for entry in ordered] == [Change.REPLACE, Change.APPEND, Change.REMOVE]


def test_versions_of_one_key_within_one_second_follow_the_sequencer() -> None:
    older = an_entry(Change.APPEND, 0, name="key", sequencer="0FF")
    newer = an_entry(Change.APPEND, 0, name="key", sequencer="0A00")

    assert older.order < newer.order


def test_a_long_history_is_cut_and_what_would_undo_the_forgotten_part_is_too_late() -> None:
    history = History()
    for number in range(300):
        version = ObjectVersion("data", f"key {number}", "1", 1, f"2026-11-22T{number // 60:02}:{number % 60:02}:00Z")
        entry = Entry(version, Change.REMOVE if number == 10 else Change.APPEND, file_paths=("0" * 16,) * 49)
        history = history.with_new(entry)
        history = history.with_done(replace(entry, applied_at=1.0))

    assert len(str(history.to_document())) < 300_000
    assert history.is_too_late(Entry(ObjectVersion("data", "key", "1", 1, "2026-11-22T00:09:59Z"), Change.APPEND))
    assert not history.is_too_late(Entry(ObjectVersion("data", "key", "1", 1, "2026-11-22T00:10:01Z"), Change.APPEND))
    assert history.is_too_late(Entry(ObjectVersion("data", "key", "1", 1, "2026-11-22T00:10:01Z"), Change.REMOVE))


def test_a_forgotten_replace_still_supersedes() -> None:
    order = an_entry(Change.REPLACE, 5).order

    assert History(forgotten={Change.REPLACE: order}).is_superseded(an_entry(Change.APPEND, 4))
    assert not History(forgotten={Change.REPLACE: order}).is_superseded(an_entry(Change.APPEND, 6))


def test_when_the_audience_is_gone_only_removes_are_remembered() -> None:
    entries = tuple(an_entry(change, 0) for change in (Change.REPLACE, Change.APPEND, Change.REMOVE))

    assert [entry.change for entry in History(entries).after_loss().entries] == [Change.REMOVE]


def test_a_late_change_is_not_followed_by_what_came_over_the_other_route() -> None:
    remove = an_entry(Change.REMOVE, 2, name="tiktok/Foodies/streaming/delete/2.csv")
    appended = an_entry(Change.APPEND, 1, name="tiktok/Foodies/email_sha256/1.csv")
    deletion = an_entry(Change.DELETE, 0, name="tiktok/Foodies/streaming/delete_audience/0.txt")

    assert [entry.id for entry in History((remove,)).with_new(appended).pending] == [appended.id]
    assert [entry.id for entry in History((appended, remove)).with_new(deletion).pending] == [deletion.id, appended.id]
