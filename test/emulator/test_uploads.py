"""What file/upload accepts, and what each refusal is called."""

import hashlib
import os
import time
from typing import Any

import pytest

from .driver import Driver, digests, lines, sha256_of


def test_an_upload_answers_a_file_path_of_16_characters(tiktok: Driver) -> None:
    answer = tiktok.upload(lines(digests(3)))
    assert answer["code"] == 0
    assert len(answer["data"]["file_path"]) == 16
    assert int(answer["data"]["file_path"], 16) >= 0


def test_the_same_file_twice_gives_two_file_paths(tiktok: Driver) -> None:
    assert tiktok.file_path(digests(3)) != tiktok.file_path(digests(3))


def test_a_wrong_signature_is_40900(tiktok: Driver) -> None:
    assert tiktok.upload(lines(digests(3)), file_signature="0" * 32)["code"] == 40900


def test_an_upper_case_signature_is_accepted(tiktok: Driver) -> None:
    content = lines(digests(3))
    assert tiktok.upload(content, file_signature=hashlib.md5(content).hexdigest().upper())["code"] == 0  # noqa: S324


@pytest.mark.parametrize("name", ["people.zip", "people.CSV", "people", "people.csv.gz"])
def test_a_name_that_does_not_end_in_csv_or_txt_is_40908(tiktok: Driver, name: str) -> None:
    assert tiktok.upload(lines(digests(3)), name=name)["code"] == 40908


def test_a_txt_file_is_accepted(tiktok: Driver) -> None:
    assert tiktok.upload(lines(digests(3)), name="people.txt")["code"] == 0


def test_an_empty_file_is_40906(tiktok: Driver) -> None:
    assert tiktok.upload(b"")["code"] == 40906


@pytest.mark.parametrize("content", [b"EMAIL_SHA256", b"EMAIL_SHA256\n", b"\n"])
def test_a_file_without_identifiers_is_40906(tiktok: Driver, content: bytes) -> None:
    assert tiktok.upload(content)["code"] == 40906


def test_a_file_over_the_limit_is_40907_and_one_at_the_limit_is_not(tiktok: Driver) -> None:
    content = lines(digests(3))
    tiktok.emulator.tell("settings", {"max_file_size_bytes": len(content)})
    assert tiktok.upload(content)["code"] == 0
    assert tiktok.upload(lines(digests(4)))["code"] == 40907


def test_a_body_far_over_the_limit_is_read_to_its_end_and_refused(tiktok: Driver) -> None:
    tiktok.emulator.tell("settings", {"max_file_size_bytes": 100})
    assert tiktok.upload(b"x" * 40 * 1024 * 1024)["code"] == 40907


@pytest.mark.parametrize(
    "content",
    [
        lines(digests(3)),
        lines(digests(3)).rstrip(b"\n"),
        lines(digests(3)).upper(),
        lines(digests(3)).replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + lines(digests(3)),
        b"EMAIL_SHA256\n" + lines(digests(3)),
        b"\xef\xbb\xbfEmail\r\n" + lines(digests(3)),
    ],
    ids=["plain", "no newline at the end", "upper case", "CRLF", "BOM", "header", "BOM, header and CRLF"],
)
def test_every_tolerated_spelling_holds_the_same_people(tiktok: Driver, content: bytes) -> None:
    file_path = tiktok.upload(content)["data"]["file_path"]
    audience_id = tiktok.create([file_path])["data"]["custom_audience_id"]
    assert tiktok.held(audience_id)["members"] == 3
    assert tiktok.held(audience_id)["members_sha256"] == sha256_of(digests(3))


@pytest.mark.parametrize(
    "content",
    [
        lines([*digests(3), "somebody@example.com"]),
        lines(["somebody@example.com", *digests(3)]),
        lines([*digests(3), "", *digests(2, start=3)]),
        lines(digests(3, kind="md5")),
        lines([digests(1)[0][:-1]]),
        lines([digests(1)[0][:-2] + "  ", *digests(1)]),
        lines([digests(1)[0][:-1] + "g", *digests(1)] * 2),
        lines([f'"{digests(1)[0]}"'] * 2),
        lines([f"{digests(1)[0]},{digests(1)[0]}"] * 2),
        lines([digests(1)[0] + digests(1)[0]]),
        lines([digests(1)[0] + " "] * 2),
    ],
    ids=[
        "mail",
        "mail first",
        "blank line",
        "MD5",
        "63",
        "blanks",
        "not hex",
        "quoted",
        "columns",
        "128",
        "trailing blank",
    ],
)
def test_content_that_does_not_fit_the_type_is_40909(tiktok: Driver, content: bytes) -> None:
    assert tiktok.upload(content)["code"] == 40909


@pytest.mark.parametrize("calculate_type", ["FIRST_MD5", "IDFA_MD5", "GAID_MD5", "MAID_MD5"])
def test_md5_types_take_32_characters(tiktok: Driver, calculate_type: str) -> None:
    assert tiktok.upload(lines(digests(3, kind="md5")), calculate_type)["code"] == 0
    assert tiktok.upload(lines(digests(3)), calculate_type)["code"] == 40909


@pytest.mark.parametrize("calculate_type", ["email_sha256", "AAID_SHA256", "FIRST_NORMAL", "8", None])
def test_an_unknown_calculate_type_is_40002(tiktok: Driver, calculate_type: str) -> None:
    answer = tiktok.upload(lines(digests(3)), calculate_type)
    assert answer["code"] == 40002
    assert answer["message"].startswith("calculate_type:")


def test_maid_is_a_type_of_uploads_and_a_synonym_of_first(tiktok: Driver) -> None:
    file_path = tiktok.file_path(digests(1_000), "MAID_SHA256")
    assert tiktok.create([file_path], calculate_type="MAID_SHA256")["code"] == 40002
    audience_id = tiktok.create([file_path], calculate_type="FIRST_SHA256")["data"]["custom_audience_id"]
    assert tiktok.held(audience_id)["members"] == 1_000


@pytest.mark.parametrize("missing", ["advertiser_id", "calculate_type", "file_signature"])
def test_a_missing_field_is_40002_and_named(tiktok: Driver, missing: str) -> None:
    changed: dict[str, Any] = {missing: None}
    answer = tiktok.upload(lines(digests(3)), **changed)
    assert (answer["code"], answer["message"]) == (40002, f"{missing}: Missing data for required field.")


def test_multiple_types_counts_every_column(tiktok: Driver) -> None:
    mails, phones = digests(2), digests(2, start=2)
    device, md5 = "AEBE52E7-03EE-455A-B3C4-E57283966239", digests(1, kind="md5")[0]
    content = (
        f"EMAIL_sha256,phone_SHA256,MAID,MAID_MD5\n{mails[0]},{phones[0]},{device},\n{mails[1]},{phones[1]},,{md5}\n"
    )
    file_path = tiktok.upload(content.encode(), "MULTIPLE_TYPES")["data"]["file_path"]
    audience_id = tiktok.create([file_path], calculate_type="MULTIPLE_TYPES")["data"]["custom_audience_id"]
    hashed = hashlib.sha256(device.lower().encode()).hexdigest()
    assert tiktok.held(audience_id)["members_sha256"] == sha256_of([*mails, *phones, hashed, md5])


@pytest.mark.parametrize(
    "content",
    [
        "{sha}\n",
        "email_SHA256,colour\n{sha},green\n",
        "email_SHA256,phone_SHA256\n{sha}\n",
        "email_SHA256,phone_SHA256\n{sha},{sha},{sha}\n",
        "email_SHA256,phone_SHA256\n,\n",
        "email_SHA256,email_SHA256,email_SHA256,email_SHA256\n{sha},,,\n",
        "MAID\nnot-a-device-id\n",
    ],
    ids=["no header", "unknown", "short row", "long row", "nobody", "four times", "device"],
)
def test_multiple_types_demands_a_header_and_rows_of_its_width(tiktok: Driver, content: str) -> None:
    answer = tiktok.upload(content.format(sha=digests(1)[0]).encode(), "MULTIPLE_TYPES")
    assert answer["code"] in (40909, 40906)


def test_a_file_of_many_megabytes_is_read_in_a_moment(tiktok: Driver) -> None:
    content = os.urandom(32 * 200_000).hex("\n", 32).encode()
    started = time.monotonic()
    file_path = tiktok.upload(content)["data"]["file_path"]
    assert time.monotonic() - started < 5
    audience_id = tiktok.create([file_path])["data"]["custom_audience_id"]
    assert tiktok.held(audience_id)["members"] == 200_000
