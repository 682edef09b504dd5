"""Marked identifiers, and the proof that none of them is in anything that can be read afterwards."""

from __future__ import annotations

import hashlib
import io
import json
import re

from test.support.builders import any_hashes
from test.support.stage import Stage

MARKED = any_hashes(1500, seed="marked")
MARKED_ADDRESS = "marked.jane.doe@example.com"
MARKED_NUMBER = "+44 20 7183 8750"
MARKED_DEVICE = "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"
RAW = (MARKED_ADDRESS, "+442071838750", MARKED_DEVICE)
# Pieces, so that no part of a value, nor another spelling of it, goes unseen.
TRACES = (
    "jane",
    "2071838750",
    "7183 8750",
    "5f3a2b18",
    *(hashlib.sha256(each.encode()).hexdigest()[:20] for each in RAW),
)
RAW_LINES = f"{MARKED_ADDRESS},{MARKED_NUMBER},{MARKED_DEVICE}\n".encode()


def assert_nothing_leaked(stage: Stage, printed: str, log: io.StringIO) -> str:
    """That nothing marked is in anything that can be read afterwards, which it returns."""
    names = [entry["Key"] for entry in stage.s3.list_objects_v2(Bucket="data")["Contents"]]
    receipts = [
        stage.s3.get_object(Bucket="data", Key=name)["Body"].read().decode()
        for name in names
        if name.startswith("receipts/")
    ]
    manifests = [
        stage.s3.get_object(Bucket="data", Key=name)["Body"].read().decode()
        for name in names
        if name.startswith("suppression-list/") and name.endswith(".json")
    ]
    items = stage.dynamodb.scan(TableName="ledger")["Items"]
    # What the user put into audience.json is kept as it is, encrypted like the object.
    ledger = json.dumps([item for item in items if not item["pk"]["S"].startswith("settings#")])
    # Its body is as the user sent it.
    letters = [f"{letter.reason} {letter.detail}" for letter in stage.queue.dead_letters]
    announced = json.dumps(stage.bus.entries, ensure_ascii=False)
    told = "\n".join([log.getvalue(), printed, *names, *receipts, *manifests, ledger, *letters, announced])
    assert "CloudWatchMetrics" in printed
    assert log.getvalue(), "there is something to look at"
    assert stage.emulator.access_token not in told
    assert not [trace for trace in TRACES if trace in told.lower()]
    assert not set(re.findall(r"[0-9a-f]{64}", told.lower())) & set(MARKED)
    assert not any(value[:20] in told.lower() for value in MARKED)
    return told
