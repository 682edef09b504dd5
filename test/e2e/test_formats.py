"""The deployed stack: files that are not one hash a line, and rows that are streamed."""

from __future__ import annotations

import gzip

import pytest

from lambdas.identifiers.hashing import sha256_hex
from test.e2e.connector import Connector
from test.support.builders import any_hashes, as_file, members_digest, slots_digest

# A suppression list is applied to audiences of several columns as well, and waits where the size is not known.
pytestmark = pytest.mark.usefixtures("sizes_are_shown_at_once")


def test_raw_addresses_are_hashed_before_they_leave(deployed: Connector) -> None:
    addresses = [f"reader.{number}@example.com" for number in range(1_200)]
    shouted = "".join(f" {address.upper()} \n" for address in addresses)

    receipt = deployed.deliver("tiktok/Readers/email/readers.txt", f"E-mail\n{shouted}nan\n\n".encode())

    [audience] = deployed.audiences("Readers")
    assert audience["calculate_type"] == "EMAIL_SHA256"
    assert audience["members_sha256"] == members_digest(map(sha256_hex, addresses))
    assert (receipt["rows"]["sent"], receipt["rows"]["invalid"]) == (1_200, 1)


def test_a_compressed_file_of_several_columns_gives_every_identifier_of_a_person(deployed: Connector) -> None:
    emails, others, phones = any_hashes(1_200), any_hashes(1_200), any_hashes(1_200)
    rows = zip(range(1_200), emails, phones, others, strict=True)
    lines = ["customer;email_sha256;phone_sha256;email_sha256", *(";".join(map(str, row)) for row in rows)]

    receipt = deployed.deliver(
        "tiktok/Customers/multiple_types/customers.csv.gz", gzip.compress("\r\n".join(lines).encode())
    )

    [audience] = deployed.audiences("Customers")
    assert audience["calculate_type"] == "MULTIPLE_TYPES"
    assert audience["members_sha256"] == members_digest(emails + others + phones)
    assert receipt["rows"]["sent"] == 1_200


def test_streamed_rows_keep_their_slots_reach_further_audiences_and_are_deleted_again(deployed: Connector) -> None:
    emails, devices = any_hashes(2_500), any_hashes(2_500)
    without_device = devices[:100]
    rows = [
        f"{email},{'' if device in without_device else device},{'VIP; Streamed friends' if number < 1_500 else ''}"
        for number, (email, device) in enumerate(zip(emails, devices, strict=True))
    ]

    added = deployed.deliver(
        "tiktok/Streamed/streaming/1.csv", "\n".join(["email_sha256,aaid_sha256,audiences", *rows]).encode()
    )
    deleted = deployed.deliver("tiktok/Streamed/streaming/delete/2.csv", b"email_sha256\n" + as_file(emails[:1_100]))

    [streamed], [vip], [friends] = (deployed.audiences(name) for name in ("Streamed", "VIP", "Streamed friends"))
    assert streamed["members_sha256"] == slots_digest(EMAIL_SHA256=emails[1_100:], AAID_SHA256=devices[100:])
    assert vip["members_sha256"] == friends["members_sha256"]
    assert vip["members_sha256"] == slots_digest(EMAIL_SHA256=emails[:1_500], AAID_SHA256=devices[100:1_500])
    assert [applied["action"] for applied in added["applied"]] == ["CREATE"] * 3
    assert (added["rows"]["sent"], deleted["action"], deleted["rows"]["sent"]) == (2_500, "REMOVE", 1_100)
