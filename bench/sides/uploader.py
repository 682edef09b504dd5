"""The script that somebody would write in an hour: downloads a file of hashes whole, checks it line by line, posts it.

With ``unchecked`` it posts what it has downloaded, cut at line ends. It takes nobody's place: no ledger, no retries, no
order, no receipt.
"""

from __future__ import annotations

import hashlib
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

import requests

from bench.measuring import report

_API = "/open_api/v1.3/dmp/custom_audience/"
_PART_BYTES = 48 * 2**20
_ROW_BYTES = 65
_IS_HASH = re.compile(rb"[0-9a-f]{64}").fullmatch


def upload(object_url: str, tiktok_url: str, token: str, advertiser_id: str, name: str, *, is_checked: bool) -> Any:
    """Make an audience of the file; returns how many seconds were spent before the last call, and in it."""
    began = time.perf_counter()
    content = requests.get(object_url, timeout=60).content
    parts = _checked_parts(content) if is_checked else _parts(content)
    tiktok = requests.Session()
    tiktok.headers["Access-Token"] = token
    file_paths = []
    for number, part in enumerate(parts, start=1):
        form = {
            "advertiser_id": advertiser_id,
            "calculate_type": "EMAIL_SHA256",
            "file_signature": hashlib.md5(part, usedforsecurity=False).hexdigest(),
        }
        file = {"file": (f"part-{number}.csv", part)}
        answer = tiktok.post(f"{tiktok_url}{_API}file/upload/", data=form, files=file, timeout=60)
        file_paths.append(answer.json()["data"]["file_path"])
    sent = time.perf_counter()
    body = {
        "advertiser_id": advertiser_id,
        "custom_audience_name": name,
        "calculate_type": "EMAIL_SHA256",
        "file_paths": file_paths,
    }
    answer = tiktok.post(f"{tiktok_url}{_API}create/", json=body, timeout=600)
    if answer.json()["code"] != 0:
        raise RuntimeError(answer.text)
    return sent - began, time.perf_counter() - sent


def _checked_parts(content: bytes) -> Iterator[bytes]:
    rows = []
    for line in content.split(b"\n"):
        value = line.strip().strip(b'"').lower()
        if _IS_HASH(value):
            rows.append(value)
    rows_in_part = _PART_BYTES // _ROW_BYTES
    for start in range(0, len(rows), rows_in_part):
        yield b"\n".join(rows[start : start + rows_in_part]) + b"\n"


def _parts(content: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(content):
        end = content.rfind(b"\n", start, start + _PART_BYTES) + 1
        yield content[start:end]
        start = end


if __name__ == "__main__":
    side, *where = sys.argv[1:]
    seconds, last_call = upload(*where, is_checked=side == "checked")
    report(seconds=seconds, last_call_seconds=last_call)
