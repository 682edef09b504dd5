"""Everything that a user can do, as scenes: what is there before, what is done, and who must be where in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from lambdas import composition
from lambdas.contracts import SUPPRESSION_LIST_PREFIX
from lambdas.objects import ObjectVersion
from local.emulator.server import EmulatorServer
from test.support.builders import any_hashes, as_file, members_digest, slots_digest
from test.support.memory_ledger import MemoryLedger, MemoryRegistry, Table
from test.support.pipeline import Pipeline
from test.support.stage import BUCKET

FILES, STREAM, ABROAD = "Foodies", "Streamed", "Abroad"
OTHER_ADVERTISER = "7000000000000000077"
BATCH = 10  # entries of a mapping, so that a few rows make several
PEOPLE = any_hashes(60, seed="scenes")
OLD, NEW = PEOPLE[:30], PEOPLE[20:45]
_UNLIMITED = {"queries_per_second": None, "queries_per_minute": None, "queries_per_day": None}

Digests = dict[tuple[str, str], str]
"""The emulator's fingerprint of the members, by the last digits of the advertiser's id and the name."""


@dataclass(frozen=True)
class Upload:
    """An object, and the second at which it arrived."""

    key: str
    content: bytes
    second: int


@dataclass(frozen=True)
class Scene:
    """``calls`` are those of TikTok that ``then`` makes. ``expected`` is computed from the whole, in order."""

    before: tuple[Upload, ...]
    then: Upload
    calls: tuple[str, ...]
    expected: Digests = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)


def by_file(people: Iterable[str], second: int, action: str = "append", audience: str = FILES) -> Upload:
    """A file of one identifier a line."""
    return Upload(f"tiktok/{audience}/email_sha256/{action}/{second}.csv", as_file(people), second)


def by_stream(people: Iterable[str], second: int, action: str = "add") -> Upload:
    """A streaming file."""
    return Upload(f"tiktok/{STREAM}/streaming/{action}/{second}.csv", b"email_sha256\n" + as_file(people), second)


def _files(people: Iterable[str]) -> Digests:
    return {("usual", FILES): members_digest(people)}


def _streamed(people: Iterable[str]) -> Digests:
    return {("usual", STREAM): slots_digest(EMAIL_SHA256=people)}


def _without(people: Iterable[str], others: Iterable[str]) -> list[str]:
    gone = set(others)
    return [one for one in people if one not in gone]


_SUPPRESSED = PEOPLE[5:25]
_BY_FILE = ("file/upload", "custom_audience/list", "custom_audience/update")
_BY_STREAM = ("custom_audience/list", "segment/mapping")

SCENES = {
    "append": Scene((by_file(OLD, 1),), by_file(NEW, 2), _BY_FILE, _files(OLD + NEW)),
    "remove": Scene((by_file(OLD, 1),), by_file(NEW, 2, "remove"), _BY_FILE, _files(_without(OLD, NEW))),
    "replace": Scene((by_file(OLD, 1),), by_file(NEW, 2, "replace"), _BY_FILE, _files(NEW)),
    "replace on nothing": Scene(
        (), by_file(NEW, 2, "replace"), ("file/upload", "custom_audience/list", "custom_audience/create"), _files(NEW)
    ),
    "late append before a remove": Scene(
        (by_file(OLD, 1), by_file(PEOPLE[:25], 5, "remove")),
        by_file(NEW, 3),
        _BY_FILE,
        _files(_without(OLD + NEW, PEOPLE[:25])),
    ),
    "late replace before both": Scene(
        (by_file(OLD, 1), by_file(PEOPLE[50:55], 4), by_file(PEOPLE[40:52], 5, "remove")),
        by_file(NEW, 3, "replace"),
        _BY_FILE,
        _files(_without(NEW + PEOPLE[50:55], PEOPLE[40:52])),
    ),
    "stream": Scene(
        (), by_stream(NEW, 2), ("custom_audience/list", "segment/audience", "segment/mapping"), _streamed(NEW)
    ),
    "stream delete": Scene(
        (by_stream(OLD, 1),), by_stream(NEW, 2, "delete"), _BY_STREAM, _streamed(_without(OLD, NEW))
    ),
    "late stream before a delete": Scene(
        (by_stream(PEOPLE[:9], 1), by_stream(PEOPLE[:7], 5, "delete")),
        by_stream(PEOPLE[5:20], 3),
        _BY_STREAM,
        _streamed(PEOPLE[7:20]),
    ),
    "suppression": Scene(
        (
            by_file(OLD, 1),
            by_stream(OLD, 2),
            by_file(OLD, 3, audience=ABROAD),
        ),
        Upload("suppression/email_sha256/5.csv", as_file(_SUPPRESSED), 5),
        ("file/upload", "custom_audience/list", "custom_audience/update", "segment/mapping"),
        {
            **_files(_without(OLD, _SUPPRESSED)),
            **_streamed(_without(OLD, _SUPPRESSED)),
            ("other", ABROAD): members_digest(_without(OLD, _SUPPRESSED)),
        },
        settings={ABROAD: {"advertiser": "abroad"}},
    ),
    "deletion of an audience": Scene(
        (by_file(OLD, 1),),
        Upload(f"tiktok/{FILES}/streaming/delete_audience/2.txt", b"", 2),
        ("custom_audience/list", "custom_audience/delete"),
    ),
}


class Stage:
    """One pipeline for many scenes, with nothing left of the one before. The ledger is in memory."""

    def __init__(self, new_pipeline: Callable[..., Pipeline], tiktok: EmulatorServer, **settings: Any) -> None:
        self._tiktok = tiktok
        self._table = Table()
        self.pipeline = new_pipeline(
            minimum_size=0, allow_audience_deletion=True, dynamodb=self._table, **{"thread_count": 1, **settings}
        )

    def set(self, scene: Scene) -> None:
        """Clear the stage, and do what comes before the scene."""
        pipeline = self.pipeline
        self._table.items.clear()
        self._table.registered.clear()
        self._table.settings.clear()
        pipeline.queue.messages.clear()
        pipeline.queue.dead_letters.clear()
        for prefix in (SUPPRESSION_LIST_PREFIX, "tiktok/"):
            for entry in pipeline.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", []):
                pipeline.s3.delete_object(Bucket=BUCKET, Key=entry["Key"])
        self._tiktok.tell("reset")
        self._tiktok.tell("settings", {**_UNLIMITED, "minimum_audience_size": 0})
        both = [pipeline.emulator.advertiser_id, OTHER_ADVERTISER]
        token = pipeline.emulator.access_token
        self._tiktok.tell("tokens", {"token": token, "state": "active", "advertiser_ids": both})
        pipeline.put_credentials(token, both[0], advertisers={"abroad": OTHER_ADVERTISER})
        pipeline.change_settings()
        for audience, settings in scene.settings.items():
            pipeline.put_audience_settings(audience, **settings)
        for upload in scene.before:
            self.upload(upload)
            pipeline.run()
        assert not pipeline.queue.dead_letters, pipeline.queue.dead_letters

    def upload(self, upload: Upload) -> ObjectVersion:
        """Put an object of a scene."""
        return self.pipeline.upload(upload.key, upload.content, second=upload.second)

    def found(self) -> Digests:
        """What TikTok has."""
        return {
            ("other" if audience["advertiser_id"] == OTHER_ADVERTISER else "usual", audience["name"]): audience[
                "members_sha256"
            ]
            for audience in self.pipeline.audiences()
        }

    def assert_delivered(self, scene: Scene, version: ObjectVersion, told: str) -> None:
        """That the object has its receipt, nothing else is left, and everybody is where they must be."""
        assert not self.pipeline.queue.dead_letters, (told, self.pipeline.queue.dead_letters)
        receipt = self.pipeline.receipt(version)
        assert receipt is not None, told
        assert receipt["status"] == "delivered", (told, receipt)
        assert self.found() == scene.expected, told


def use_memory_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the function keep its ledger in memory, and send small batches."""
    monkeypatch.setattr(composition, "DynamoLedger", MemoryLedger)
    monkeypatch.setattr(composition, "DynamoRegistry", MemoryRegistry)
    monkeypatch.setattr("lambdas.tiktok.segments.MOST_ENTRIES", BATCH)
