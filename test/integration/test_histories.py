"""Random histories of one company: whatever happens to the messages, TikTok ends with exactly whom it should have.

Each history uploads files of every action over both routes, deletes audiences, and uploads suppression lists. Their
notifications are shuffled and duplicated, TikTok fails, and the function is killed, or its time is up, at any moment. A
failure prints its seed; ``HISTORIES_SEED`` repeats it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from lambdas import composition
from lambdas.attempts import STEP_SECONDS
from lambdas.tiktok import segments
from lambdas.tiktok.segments import SegmentApi
from local.emulator.server import EmulatorServer
from test.support.builders import any_hashes, as_file, members_digest, notification_of, slots_digest
from test.support.crashes import Tripwire
from test.support.memory_ledger import MemoryLedger, MemoryRegistry, Table
from test.support.pipeline import Pipeline

HISTORIES = 200
SEED = int(os.environ.get("HISTORIES_SEED", "20261122"))
FILES, STREAM, SUPPRESSION = "files", "stream", "suppression"
# Within one second a replace comes first and a remove last.
RANKS = {"delete_audience": 0, "replace": 0, "append": 1, "add": 1, "remove": 2, "delete": 2}


@dataclass(frozen=True)
class Upload:
    """One object of a history."""

    number: int
    audience: str
    action: str
    second: int
    people: tuple[str, ...]

    @property
    def key(self) -> str:
        """Where it is put."""
        if self.audience == SUPPRESSION:
            return f"suppression/email_sha256/{self.number}.csv"
        route = "email_sha256" if self.audience == FILES and self.action != "delete_audience" else "streaming"
        return f"tiktok/{self.audience}/{route}/{self.action}/{self.number}.csv"

    @property
    def content(self) -> bytes:
        """What is put there."""
        header = b"email_sha256\n" if self.audience == STREAM else b""
        return header + as_file(self.people)


@dataclass
class History:
    """A random history, and what it ought to lead to."""

    seed: int
    uploads: list[Upload] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 - a repeatable history
        people = any_hashes(24, seed=self.seed)
        # Somebody is left whatever is suppressed: TikTok cannot replace an audience by nobody.
        never_suppressed, suppressible = people[:4], people[4:]
        for number in range(self.random.randint(3, 7)):
            audience = self.random.choices((FILES, STREAM, SUPPRESSION), (5, 3, 2))[0]
            if audience == SUPPRESSION:
                action, some = "", self.random.sample(suppressible, self.random.randint(1, 6))
            else:
                actions = ("append", "remove", "replace") if audience == FILES else ("add", "delete")
                action = self.random.choice((*actions * 3, "delete_audience"))
                some = self.random.sample(people, self.random.randint(1, 12)) + self.random.sample(never_suppressed, 1)
            self.uploads.append(Upload(number, audience, action, self.random.randint(0, 4), tuple(some)))

    def members(self, audience: str) -> set[str] | None:
        """Who is in an audience when everything was applied in the order of arrival; None when there is no audience."""
        changes = [upload for upload in self.uploads if upload.audience == audience]
        members: set[str] | None = None
        for upload in sorted(changes, key=lambda each: (each.second, RANKS[each.action], each.number)):
            people = set(upload.people)
            if upload.action == "delete_audience":
                members = None
            elif upload.action == "replace":
                members = people
            elif upload.action in ("append", "add"):
                members = (members or set()) | people
            elif members is not None:
                members -= people
        suppressed = {one for upload in self.uploads if upload.audience == SUPPRESSION for one in upload.people}
        return None if members is None else members - suppressed


def play(history: History, pipeline: Pipeline) -> None:
    """Upload everything, then deliver its notifications in any order, some twice, and with interruptions."""
    chance = history.random
    versions = [pipeline.store(upload.key, upload.content, second=upload.second) for upload in history.uploads]
    deliveries = versions + chance.choices(versions, k=chance.randint(0, 3))
    chance.shuffle(deliveries)
    for version in deliveries:
        pipeline.send(notification_of(version))
        if chance.random() < 0.3:
            fault = {"kind": "code", "code": 50000, "times": chance.randint(1, 6)}
            pipeline.emulator.tell(
                "faults", [fault | {"path": chance.choice(("create", "update", "upload", "mapping"))}]
            )
        if chance.random() < 0.4:
            pipeline.arm(Tripwire(kill_at=chance.randint(1, 50)))
        if chance.random() < 0.5:
            pipeline.run()
    pipeline.run()
    # A remove that came before its audience is in the dead-letter queue; its replay must change nothing any more.
    pipeline.replay()
    pipeline.run()


def stream_slowly(monkeypatch: pytest.MonkeyPatch, pipeline: Pipeline) -> None:
    """Batches of three, of which a function has time for a few only."""
    at_once = SegmentApi.map

    def slowly(api: SegmentApi, *given: Any) -> str:
        pipeline.clock.sleep(25)
        return at_once(api, *given)

    monkeypatch.setattr(segments, "MOST_ENTRIES", 3)
    monkeypatch.setattr(SegmentApi, "map", slowly)


@pytest.mark.parametrize("seed", range(SEED, SEED + HISTORIES))
def test_the_membership_is_that_of_the_order_of_arrival(
    new_pipeline: Callable[..., Pipeline], tiktok: EmulatorServer, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(composition, "DynamoLedger", MemoryLedger)
    monkeypatch.setattr(composition, "DynamoRegistry", MemoryRegistry)
    tiktok.tell("settings", {"minimum_audience_size": 0})
    pipeline = new_pipeline(
        minimum_size=0,
        thread_count=1,
        function_seconds=STEP_SECONDS + 60,
        dynamodb=Table(),
        allow_audience_deletion=True,
    )
    stream_slowly(monkeypatch, pipeline)
    history = History(seed)
    random.seed(seed)  # the function spreads its retries

    play(history, pipeline)

    found = {audience["name"]: audience["members_sha256"] for audience in pipeline.audiences()}
    expected = {
        FILES: members_digest(history.members(FILES) or ()),
        STREAM: slots_digest(EMAIL_SHA256=history.members(STREAM) or ()),
    }
    assert found == {name: expected[name] for name in (FILES, STREAM) if history.members(name) is not None}
    assert {letter.reason for letter in pipeline.queue.dead_letters} <= {"audience_missing"}
