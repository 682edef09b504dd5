"""Reads a file of web events in JSON lines on one core.

``json`` parses each row and writes it again; ``connector`` validates and hashes it, gives it an id, packs it into
requests and hands their bodies to a transport that throws them away.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from bench.files import EVENTS_NOW
from bench.measuring import report, stay_on_one_core
from lambdas.events.batches import Packing
from lambdas.events.file_check import FileCheck, Reading, check_rows, judged_rows
from lambdas.events.rows.check import EventRules
from lambdas.events.rows.event import CheckedEvent
from lambdas.files.file_types import FileType, Layout
from lambdas.tiktok.client import TikTokClient
from lambdas.tiktok.events import EventApi
from lambdas.tiktok.models import Credentials, EventSource
from lambdas.tiktok.protocol import Answer, Request
from lambdas.tiktok.rate import NoPacer

_CHUNK_BYTES = 1 << 20
_SOURCE, _SOURCE_ID = EventSource.WEB, "BENCHMARKPIXEL000001"
_OK = b'{"code": 0, "message": "OK", "request_id": "1", "data": {}}'


class _NoTransport:
    """Takes every request, and says that all is well."""

    def __init__(self) -> None:
        self.requests = 0

    def send(self, request: Request, access_token: str) -> Answer:
        """See the transport."""
        assert request.json
        self.requests += 1
        return Answer(200, _OK)


def parse_and_write(path: Path) -> int:
    """What the standard library takes for the rows alone; returns how many there are."""
    with path.open() as file:
        return len([None for line in file if json.dumps(json.loads(line))])


def prepare(path: Path) -> int:
    """Everything that is done with the rows to send them; returns how many events were in requests."""
    transport = _NoTransport()
    api = EventApi(TikTokClient(transport, Credentials("token", "1"), pacer=NoPacer()))
    packing = Packing(_SOURCE, _SOURCE_ID, {}, None)
    sent = 0
    for group in packing.groups(_events(path)):
        for request in group.requests:
            api.track(_SOURCE, _SOURCE_ID, [parcel.body for parcel in request])
            sent += len(request)
    return sent


def check_and_prepare(path: Path) -> int:
    """A delivery's two ways through a file: all of it is checked before anything is sent."""
    deque(check_rows(_read(path), _READING, FileCheck()), maxlen=0)
    return prepare(path)


_READING = Reading(FileType(Layout.JSON_LINES), EventRules(_SOURCE, max_age_days=28), now=EVENTS_NOW)


def _events(path: Path) -> Iterator[tuple[int, CheckedEvent]]:
    for row, outcome in judged_rows(_read(path), _READING):
        assert isinstance(outcome, CheckedEvent)
        yield row.line, outcome


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


if __name__ == "__main__":
    stay_on_one_core()
    work = {"json": parse_and_write, "connector": prepare, "twice": check_and_prepare}[sys.argv[1]]
    # Of the processor: this has a single thread, and waits for nothing.
    began = time.process_time()
    done = work(Path(sys.argv[2]))
    report(seconds=time.process_time() - began, done=done)
