"""What the ledger remembers and the receipt tells."""

import json
from dataclasses import replace

from lambdas.audiences.delivery import Applied, Delivery, Refusal, State, Status, UploadedPart, receipt
from lambdas.audiences.domain import Target
from lambdas.audiences.formats import FORMATS
from lambdas.audiences.rows.check import check_file
from lambdas.audiences.rows.reading import Reading
from lambdas.receipts import timestamp
from lambdas.tiktok.errors import InvalidInput
from test.support.builders import any_hashes, any_version, as_file

EMAILS = Reading(FORMATS["email_sha256"])
CHECK = check_file([as_file(any_hashes(20)) + b"nonsense\n"], EMAILS, part_bytes=10 * 65)
DELIVERY = Delivery(
    state=State.APPLIED,
    attempts=2,
    started_at="2026-11-21T12:00:01.000Z",
    advertiser_id="7000000000000000001",
    check=CHECK,
    uploads=(UploadedPart(1, "0123456789abcdef", "request-1"),),
    applied=(Applied("Foodies", "42", "APPEND", "request-2", repeated=("a newer one",)),),
    refused=Refusal(1, (7,)),
    streamed={"Foodies": 3},
)
TARGET = Target("Foodies", FORMATS["email_sha256"])


def test_a_delivery_survives_the_way_through_the_ledger() -> None:
    assert Delivery.from_document(json.loads(json.dumps(DELIVERY.to_document()))) == DELIVERY


def test_an_empty_document_is_a_new_delivery() -> None:
    assert Delivery.from_document({}) == Delivery()


def test_a_receipt_accounts_for_every_row() -> None:
    document = receipt(
        any_version(),
        TARGET,
        replace(DELIVERY, refused=Refusal()),
        Status.DELIVERED,
        finished_at="2026-11-21T12:00:02.000Z",
    )

    rows = document["rows"]
    assert rows["read"] == rows["sent"] + rows["invalid"] == 21
    assert rows["withheld"] == 0
    assert rows["invalid_by_reason"] == {"not_hex": {"count": 1, "lines": [21]}}
    assert document["status"] == "delivered"
    assert document["parts"][0]["file_path"] == "0123456789abcdef"


def test_the_receipt_of_a_rejection_says_that_nothing_was_sent() -> None:
    document = receipt(
        any_version(),
        TARGET,
        Delivery(check=CHECK),
        Status.REJECTED,
        finished_at="now",
        error=InvalidInput("too bad", reason="why"),
    )

    assert (document["status"], document["reason"], document["detail"]) == ("rejected", "why", "too bad")
    assert document["rows"]["sent"] == 0
    assert document["rows"]["withheld"] == 20
    assert document["audience"] == {"name": "Foodies", "id": None}


def test_times_are_utc_to_the_millisecond() -> None:
    assert timestamp(1_800_000_000.1234) == "2027-01-15T08:00:00.123Z"
