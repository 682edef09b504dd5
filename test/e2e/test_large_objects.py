"""Objects that are worked on by many functions, through the template's own state machine."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from typing import IO

import pytest

from lambdas.contracts import Output
from lambdas.objects import ObjectVersion
from test.e2e.connector import Connector
from test.support.builders import notification_of
from test.support.waiting import wait_until

ROW_BYTES = 65
GIGABYTE_ROWS = 1_000_000_000 // ROW_BYTES
# Two ranges, the second of them short.
LARGE_ROWS = 1_100_000
# A gigabyte goes through this machine several times.
SECONDS = 900
_ROWS_AT_ONCE = 200_000


def rows(first: int, count: int) -> Iterator[bytes]:
    """Lines of distinct hashes in ascending order, many at once."""
    for start in range(first, first + count, _ROWS_AT_ONCE):
        numbers = range(start, min(start + _ROWS_AT_ONCE, first + count))
        yield "".join(f"{number:064x}\n" for number in numbers).encode()


def digest_of(first: int, count: int) -> str:
    """The emulator's fingerprint of exactly these members: they are sorted already."""
    digest = hashlib.sha256()
    for number, lines in enumerate(rows(first, count)):
        digest.update(b"\n" * (number > 0) + lines[:-1])
    return digest.hexdigest()


def upload(deployed: Connector, key: str, first: int, count: int) -> str:
    """Put a large object; returns where its receipt will be."""
    file: IO[bytes]
    with tempfile.TemporaryFile() as file:
        for lines in rows(first, count):
            file.write(lines)
        file.seek(0)
        deployed.s3.upload_fileobj(file, deployed.bucket, key)
    version = deployed.s3.head_object(Bucket=deployed.bucket, Key=key)["VersionId"]
    return f"receipts/{key}/{version}.json"


def announcement_of(deployed: Connector, key: str) -> str:
    """What the rule puts into the queue for the newest version of an object."""
    head = deployed.s3.head_object(Bucket=deployed.bucket, Key=key)
    arrived_at = head["LastModified"].strftime("%Y-%m-%dT%H:%M:%SZ")
    return notification_of(ObjectVersion(deployed.bucket, key, head["VersionId"], head["ContentLength"], arrived_at))


def executions(deployed: Connector) -> list[str]:
    """How the executions for the last large objects are doing, the newest first."""
    client = deployed.deployed.client("stepfunctions")
    listing = client.list_executions(stateMachineArn=deployed.deployed.outputs[Output.STATE_MACHINE])
    return [each["status"] for each in listing["executions"] if "mapRunArn" not in each]


def uploads(deployed: Connector) -> int:
    calls = deployed.control("requests")["requests"]
    return sum(call["path"].endswith("file/upload/") and call["code"] == 0 for call in calls)


@pytest.mark.timeout(2 * SECONDS)
def test_a_gigabyte_is_delivered_in_ranges_once_however_often_it_is_announced(deployed: Connector) -> None:
    before, key = uploads(deployed), "tiktok/Gigabyte/email_sha256/everybody.csv"
    earlier = len(executions(deployed))
    receipt_key = upload(deployed, key, 0, GIGABYTE_ROWS)
    announcement = announcement_of(deployed, key)
    wait_until(lambda: len(executions(deployed)) > earlier, SECONDS)
    deployed.send(announcement)

    receipt = deployed.wait_for_receipt(receipt_key, SECONDS)
    deployed.send(announcement)
    wait_until(lambda: deployed.waiting_messages() == 0, SECONDS)

    assert (receipt["status"], receipt["action"]) == ("delivered", "CREATE")
    assert receipt["rows"]["read"] == receipt["rows"]["sent"] == GIGABYTE_ROWS
    assert len(receipt["parts"]) == 20
    assert sum(part["rows"] for part in receipt["parts"]) == GIGABYTE_ROWS
    [audience] = deployed.audiences("Gigabyte")
    assert audience["members_sha256"] == digest_of(0, GIGABYTE_ROWS)
    assert uploads(deployed) - before == 20
    assert executions(deployed)[0] == "SUCCEEDED"
    assert len(executions(deployed)) == earlier + 1
    assert deployed.receipt_keys(key) == [receipt_key]


@pytest.mark.timeout(SECONDS)
def test_a_part_that_fails_for_good_is_a_dead_letter_and_a_replay_uploads_only_what_is_missing(
    deployed: Connector,
) -> None:
    before, key = uploads(deployed), "tiktok/Interrupted/email_sha256/large.csv"
    passes = {"path": "upload", "kind": "slow", "seconds": 0}
    deployed.control("faults", [passes, {"path": "upload", "times": 10_000, "kind": "code", "code": 40700}])
    receipt_key = upload(deployed, key, 0, LARGE_ROWS)

    letter = deployed.wait_for_dead_letter(key, SECONDS)

    assert letter["reason"] == "preparation_failed"
    assert "1 of 2 ranges are uploaded" in letter["detail"]
    assert executions(deployed)[0] == "FAILED"
    assert not deployed.audiences("Interrupted")
    deployed.control("faults", [])
    assert uploads(deployed) - before == 1

    deployed.replay("--key", key)
    receipt = deployed.wait_for_delivery(receipt_key, SECONDS)

    assert receipt["rows"]["sent"] == LARGE_ROWS
    [audience] = deployed.audiences("Interrupted")
    assert audience["members_sha256"] == digest_of(0, LARGE_ROWS)
    assert uploads(deployed) - before == 2
    assert executions(deployed)[0] == "SUCCEEDED"


def test_a_large_file_with_too_many_invalid_rows_is_refused_without_an_upload(deployed: Connector) -> None:
    before, key = uploads(deployed), "tiktok/Refused/idfa_md5/none.csv"
    upload(deployed, key, 0, LARGE_ROWS)

    letter = deployed.wait_for_dead_letter(key, SECONDS)

    assert letter["reason"] == "no_valid_rows"
    assert executions(deployed)[0] == "SUCCEEDED"
    assert uploads(deployed) == before
    deployed.command("discard", "--yes", "--key", key)
    wait_until(lambda: deployed.dead_letter() is None)
