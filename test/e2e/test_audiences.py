"""The deployed stack, from an object in S3 to what TikTok has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lambdas.contracts import CREDENTIAL_PLACEHOLDER
from test.e2e.connector import Connector
from test.support.builders import any_hashes, as_file, members_digest


@pytest.fixture(autouse=True)
def quiet(deployed: Connector) -> Iterator[None]:
    yield
    deployed.control("faults", [])


def test_a_file_becomes_an_audience_and_a_second_one_is_appended(deployed: Connector) -> None:
    name = "Foodies & Friends + 100% \N{SLICE OF PIZZA}?#\nsecond line"
    first, second = any_hashes(1500), any_hashes(1200)

    created = deployed.wait_for_receipt(deployed.upload(f"tiktok/{name}/phone_sha256/first.csv", as_file(first)))
    appended = deployed.wait_for_receipt(deployed.upload(f"tiktok/{name}/PHONE_SHA256/second.csv", as_file(second)))

    [audience] = deployed.audiences(name)
    assert audience["members_sha256"] == members_digest(first + second)
    assert (created["action"], appended["action"]) == ("CREATE", "APPEND")
    assert created["audience"]["id"] == appended["audience"]["id"] == audience["audience_id"]


def test_a_file_of_120_mb_goes_up_in_three_parts(deployed: Connector) -> None:
    hashes = any_hashes(1_850_000)
    content = as_file(hashes)
    assert len(content) > 120_000_000

    receipt = deployed.wait_for_receipt(deployed.upload("tiktok/Large/email_sha256/large.csv", content), seconds=180)

    assert len(receipt["parts"]) == 3
    assert all(part["bytes"] <= 48 * 2**20 for part in receipt["parts"])
    assert receipt["rows"]["sent"] == len(hashes)
    [audience] = deployed.audiences("Large")
    assert audience["members"] == len(hashes)
    assert audience["members_sha256"] == members_digest(hashes)


def test_a_raw_email_file_is_refused_and_nothing_is_sent(deployed: Connector) -> None:
    key = "tiktok/Raw/email_sha256/raw.csv"
    before = len(deployed.control("requests")["requests"])

    receipt = deployed.wait_for_receipt(deployed.upload(key, b"email\njane@example.com\njoe@example.com\n"))

    assert (receipt["status"], receipt["reason"]) == ("rejected", "plain_personal_data")
    assert deployed.wait_for_dead_letter(key)["reason"] == "plain_personal_data"
    assert len(deployed.control("requests")["requests"]) == before


def test_a_bad_key_goes_to_the_dead_letters_with_what_was_expected(deployed: Connector) -> None:
    key = "tiktok/Foodies/email_sha512/file.csv"
    deployed.upload(key, as_file(any_hashes(3)))

    letter = deployed.wait_for_dead_letter(key)

    assert letter["reason"] == "unsupported_format"
    assert "email_sha256" in letter["detail"]


def test_a_replay_delivers_once_the_secret_is_filled_in(deployed: Connector) -> None:
    key = "tiktok/Late credentials/email_sha256/file.csv"
    hashes = any_hashes(1100)
    deployed.deployed.put_credentials(CREDENTIAL_PLACEHOLDER, CREDENTIAL_PLACEHOLDER)
    # A warm function keeps the credentials that worked; a rejected token makes it read the secret again.
    deployed.control("tokens", {"token": "emulator-access-token", "state": "revoked"})
    try:
        receipt_key = deployed.upload(key, as_file(hashes))
        letter = deployed.wait_for_dead_letter(key)
    finally:
        deployed.control("tokens", {"token": "emulator-access-token", "state": "active"})
        deployed.deployed.put_credentials()
    assert letter["reason"] == "credentials_not_set"
    assert not deployed.audiences("Late credentials")

    deployed.replay("--key", key)

    deployed.wait_for_delivery(receipt_key)
    [audience] = deployed.audiences("Late credentials")
    assert audience["members_sha256"] == members_digest(hashes)


def test_twenty_files_for_one_new_name_at_once_make_one_audience(deployed: Connector) -> None:
    files = [any_hashes(100) for _ in range(20)]

    receipts = [
        deployed.upload(f"tiktok/Twenty/email_sha256/{number}.csv", as_file(hashes))
        for number, hashes in enumerate(files)
    ]

    for key in receipts:
        assert deployed.wait_for_receipt(key, seconds=120)["status"] == "delivered"
    [audience] = deployed.audiences("Twenty")
    assert audience["members_sha256"] == members_digest(value for hashes in files for value in hashes)


def test_all_functions_together_keep_the_request_rate(deployed: Connector) -> None:
    deployed.control("reset", {})
    receipts = [
        deployed.upload(f"tiktok/Rate {number}/email_sha256/file.csv", as_file(any_hashes(10))) for number in range(12)
    ]

    for key in receipts:
        deployed.wait_for_receipt(key)

    moments = sorted(request["at"] for request in deployed.control("requests")["requests"])
    busiest = max(sum(start <= moment < start + 1 for moment in moments) for start in moments)
    assert len(moments) >= 36
    assert busiest <= 10, "TikTok's basic tier"


def test_what_lies_outside_the_prefix_never_reaches_the_queue(deployed: Connector) -> None:
    outside = deployed.upload("elsewhere/email_sha256/file.csv", as_file(any_hashes(3)))
    inside = deployed.upload("tiktok/Inside/email_sha256/file.csv", as_file(any_hashes(3)))

    deployed.wait_for_receipt(inside)

    assert deployed.receipt(outside) is None
    listing = deployed.s3.list_objects_v2(Bucket=deployed.bucket, Prefix="receipts/elsewhere")
    assert "Contents" not in listing


def test_a_throttled_message_ends_in_the_dead_letters_with_its_last_error(deployed: Connector) -> None:
    key = "tiktok/Throttled/email_sha256/file.csv"
    deployed.control("faults", [{"path": "file/upload", "times": 1000, "kind": "code", "code": 40100}])
    receipt_key = deployed.upload(key, as_file(any_hashes(3)))

    letter = deployed.wait_for_dead_letter(key)

    assert letter["reason"] == "rate_limited"
    assert "40100" in letter["detail"]
    deployed.control("faults", [])
    deployed.replay("--reason", "rate_limited")
    assert deployed.wait_for_receipt(receipt_key)["status"] == "delivered"
