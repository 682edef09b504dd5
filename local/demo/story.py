"""What the demo shows of audiences, step by step. A step's docstring is its promise; it returns what was seen."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from local.cloud.embedded_aws import ROOT
from local.demo.stage import Stage, expect
from local.demo.telling import Step


def _hashes(count: int, kind: str) -> list[str]:
    return [hashlib.sha256(f"{kind}/{number}".encode()).hexdigest() for number in range(count)]


TEST_AUDIENCES = ROOT / "test" / "tiktok"
PHONES = (TEST_AUDIENCES / "test_foodies_phone_sha256_audience.csv").read_text(encoding="ascii").split()
EMAILS = (TEST_AUDIENCES / "test_foodies_email_sha256_audience.csv").read_text(encoding="ascii").split()
MORE_PHONES = _hashes(500, "more phones")
DEVICES = _hashes(2_000, "devices")
NEWSLETTER = "Newsletter & Friends (50 %)"
# An hour is what TikTok takes to process an audience; before, it does not show how many people are in it.
PROCESSING_SECONDS = 3_700


def summarise(stage: Stage, console: Console) -> None:
    """What TikTok has."""
    table = Table(title="Custom audiences, as TikTok has them", title_justify="left")
    for column in ("audience", "id", "type", "members", "valid"):
        table.add_column(column, justify="right" if column == "members" else "left")
    for audience in stage.audiences():
        is_streamed = audience["audience_type"] == "Partner"
        table.add_row(
            audience["name"],
            audience["audience_id"],
            "streamed" if is_streamed else audience["calculate_type"],
            f"{audience['members']:,}",
            "yes" if audience["is_valid"] else "no",
        )
    console.print(table)
    console.print()


def upload_without_credentials(stage: Stage) -> str:
    """An upload before the secret is filled in is kept, with the remedy."""
    stage.upload("tiktok/Foodies/phone_sha256/monday.csv", _file(PHONES))
    stage.refused("tiktok/Foodies/phone_sha256/monday.csv", "credentials_not_set")
    return "dead-letter queue: credentials_not_set"


def fill_in_credentials_and_replay(stage: Stage) -> str:
    """With credentials in the secret, a replay delivers it."""
    stage.put_credentials()
    stage.command("replay", "--yes", "--queue", "audiences", "--reason", "credentials_not_set")
    receipt = stage.delivered("tiktok/Foodies/phone_sha256/monday.csv")
    stage.expect_members("Foodies", PHONES)
    return _account(receipt)


def append_to_the_audience(stage: Stage) -> str:
    """A second file for the same name is appended, not made a second audience."""
    receipt = stage.deliver("tiktok/Foodies/phone_sha256/tuesday.csv", _file(MORE_PHONES))
    stage.expect_members("Foodies", PHONES + MORE_PHONES)
    return _account(receipt)


def create_from_a_dirty_file(stage: Stage) -> str:
    """A file with a BOM, a header, CRLF, quotes, upper case and bad rows is cleaned and counted."""
    dirty = [f'"{row.upper()}"' for row in EMAILS[:1000]] + ["", "not a hash", *EMAILS[1000:]]
    content = "\ufeffEmail address\r\n" + "\r\n".join(dirty)
    receipt = stage.deliver(f"tiktok/{NEWSLETTER}/Email_SHA256/export.csv", content.encode())
    stage.expect_members(NEWSLETTER, EMAILS)
    expect(receipt["rows"]["invalid_by_reason"] == {"not_hex": {"count": 1, "lines": [1003]}}, "other counts")
    return _account(receipt)


def create_from_compressed_columns(stage: Stage) -> str:
    """A compressed export with several columns brings every identifier of a person."""
    rows = [f"{number};{email};{phone}\n" for number, (email, phone) in enumerate(zip(EMAILS, PHONES, strict=True))]
    content = gzip.compress("".join(["customer;email_sha256;phone_sha256\n", *rows]).encode())
    receipt = stage.deliver("tiktok/Customers/multiple_types/export.csv.gz", content)
    stage.expect_members("Customers", EMAILS + PHONES)
    return _account(receipt)


def refuse_plain_addresses(stage: Stage) -> str:
    """A file with plain e-mail addresses is refused whole, and nothing is sent."""
    key = "tiktok/Mistake/email_sha256/raw.csv"
    asked = len(stage.requests())
    stage.upload(key, b"email\njane@example.com\njoe@example.com\n")
    stage.refused(key, "plain_personal_data")
    expect(len(stage.requests()) == asked, "TikTok was asked something")
    return "dead-letter queue: plain_personal_data"


def refuse_a_wrong_key(stage: Stage) -> str:
    """A key that names no known format says what was expected."""
    key = "tiktok/Foodies/email_sha512/file.csv"
    stage.upload(key, _file(EMAILS))
    return f"dead-letter queue: {stage.refused(key, 'unsupported_format')}"


def survive_tiktoks_faults(stage: Stage) -> str:
    """TikTok throttles, fails, and cuts the connection after creating: still one audience."""
    stage.control(
        "faults",
        [
            {"path": "file/upload", "times": 2, "kind": "code", "code": 40100},
            {"path": "list", "kind": "http", "status": 502},
            {"path": "create", "kind": "drop_after_commit"},
        ],
    )
    receipt = stage.deliver("tiktok/Loyal customers/email_sha256/all.csv", _file(EMAILS))
    stage.expect_members("Loyal customers", EMAILS)
    return _account(receipt)


def deliver_many_at_once(stage: Stage) -> str:
    """Ten files for one new name, at once, make one audience with all their members."""
    files = [_hashes(200, f"file {number}") for number in range(10)]
    keys = [f"tiktok/Ten at once/gaid_sha256/{number}.csv" for number in range(10)]
    for key, rows in zip(keys, files, strict=True):
        stage.upload(key, _file(rows))
    for key in keys:
        stage.delivered(key)
    stage.expect_members("Ten at once", [row for rows in files for row in rows])
    return f"{sum(map(len, files)):,} members from {len(files)} files"


def let_tiktok_process(stage: Stage) -> str:
    """An hour later, on the emulator's clock, TikTok has processed them."""
    stage.control("clock", {"advance_seconds": PROCESSING_SECONDS})
    audiences = stage.audiences()
    expect(all(audience["is_valid"] for audience in audiences), "an audience is not valid")
    return f"{len(audiences)} audiences are valid"


def remove_from_the_audience(stage: Stage) -> str:
    """Who opts out is removed from the audience."""
    receipt = stage.deliver("tiktok/Foodies/phone_sha256/remove/opted-out.csv", _file(PHONES[:500]))
    stage.expect_members("Foodies", PHONES[500:] + MORE_PHONES)
    return _account(receipt)


def hold_a_replace_until_it_is_confirmed(stage: Stage) -> str:
    """A replace that would shrink the audience by more than its audience.json allows waits for a confirmation."""
    key = "tiktok/Foodies/phone_sha256/replace/june.csv"
    stage.upload("tiktok/Foodies/audience.json", json.dumps({"max_shrink_ratio": 0.3}).encode())
    stage.upload(key, _file(PHONES[800:]))
    stage.refused(key, "would_shrink")
    stage.expect_members("Foodies", PHONES[500:] + MORE_PHONES)
    stage.command("replay", "--yes", "--queue", "audiences", "--reason", "would_shrink", "--key", key, "--confirm")
    receipt = stage.delivered(key)
    stage.expect_members("Foodies", PHONES[800:])
    return _account(receipt)


def stream_two_columns(stage: Stage) -> str:
    """Streamed rows keep each identifier in its slot, and some go to a further audience."""
    devices = [""] * 100 + DEVICES[100:]
    further = ["Streamed VIPs"] * 1_200 + [""] * 800
    rows = [",".join(row) for row in zip(EMAILS, devices, further, strict=True)]
    receipt = stage.deliver("tiktok/Streamed/streaming/crm.csv", _file(["email_sha256,aaid_sha256,audiences", *rows]))
    stage.expect_members("Streamed", _slots(EMAIL_SHA256=EMAILS, AAID_SHA256=DEVICES[100:]))
    stage.expect_members("Streamed VIPs", _slots(EMAIL_SHA256=EMAILS[:1_200], AAID_SHA256=DEVICES[100:1_200]))
    return _account(receipt)


def suppress(stage: Stage) -> str:
    """Who is on the suppression list leaves every audience, and no later file brings them back."""
    objectors, others = EMAILS[:200], EMAILS[200:]
    listed = stage.deliver("suppression/email_sha256/objections.csv", _file(objectors))
    again = stage.deliver(f"tiktok/{NEWSLETTER}/email_sha256/again.csv", _file(EMAILS))
    stage.expect_members(NEWSLETTER, others)
    stage.expect_members("Loyal customers", others)
    stage.expect_members("Customers", others + PHONES)
    stage.expect_members("Streamed", _slots(EMAIL_SHA256=others, AAID_SHA256=DEVICES[100:]))
    stage.expect_members("Streamed VIPs", _slots(EMAIL_SHA256=EMAILS[200:1_200], AAID_SHA256=DEVICES[100:1_200]))
    suppressed = again["rows"]["suppressed"]
    expect(suppressed >= len(objectors), f"{suppressed} rows were left out")
    return f"removed from {len(listed['applied'])} audiences; {suppressed} rows left out of the next file"


def let_tiktok_process_again(stage: Stage) -> str:
    """Another hour later, TikTok has processed the changes as well."""
    return let_tiktok_process(stage)


STEPS: tuple[Step, ...] = (
    upload_without_credentials,
    fill_in_credentials_and_replay,
    append_to_the_audience,
    create_from_a_dirty_file,
    create_from_compressed_columns,
    refuse_plain_addresses,
    refuse_a_wrong_key,
    survive_tiktoks_faults,
    deliver_many_at_once,
    let_tiktok_process,
    remove_from_the_audience,
    hold_a_replace_until_it_is_confirmed,
    stream_two_columns,
    suppress,
    let_tiktok_process_again,
)


def _file(rows: Iterable[str]) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def _slots(**hashes: list[str]) -> list[str]:
    """Members as a streaming audience has them."""
    return [f"{slot}:{value}" for slot, values in hashes.items() for value in values]


def _account(receipt: dict[str, Any]) -> str:
    rows = receipt["rows"]
    return (
        f"receipt: {receipt['action']} {receipt['audience']['id']}, {rows['read']:,} rows read, {rows['sent']:,} sent, "
        f"{rows['invalid']:,} invalid"
    )
