import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from lambdas.audiences.delivery import rows_summary
from lambdas.audiences.domain import refusal
from lambdas.audiences.formats import FORMATS
from lambdas.audiences.rows.check import check_file
from lambdas.audiences.rows.reading import Reading
from test.support.builders import any_audience_file, any_hashes, as_file

EMAILS = Reading(FORMATS["email_sha256"])
HASH = any_hashes(1, seed="validate")[0]
DIRTY = {
    "clean": any_audience_file(rows=500),
    "header, CRLF and upper case": b"\xef\xbb\xbfemail\r\n" + HASH.upper().encode() + b"\r\n\r\n",
    "plain e-mail": as_file(any_hashes(3)) + b"jane@example.com\n",
    "plain phone number": as_file(any_hashes(3)) + b"+49 151 12345678\n",
    "plain device id": b"6D92078A-8246-4BA4-AE5B-76104861E7DC\n",
    "no valid row": b"zz\nabc\n",
    "too many invalid rows": as_file(any_hashes(10)) + b"abc\n",
    "not UTF-8": as_file(any_hashes(300)) + b"\xff\xfe\xff\n",
    "several columns": as_file(any_hashes(300)) + f"{HASH},{HASH}\n".encode(),
    "a line of 3 MiB": as_file(any_hashes(300)) + b"a" * (3 << 20) + b"\n",
    "no line end": HASH.encode(),
    "only blank lines": b"\n\n  \n",
}


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["validate", *arguments], input=stdin)


def file_with(content: bytes, folder: Path) -> str:
    path = folder / "upload.csv"
    path.write_bytes(content)
    return str(path)


def checked(content: bytes, folder: Path, *options: str) -> tuple[dict[str, Any], int]:
    result = run(file_with(content, folder), "--format", "email_sha256", "--json", *options)
    document: dict[str, Any] = json.loads(result.stdout)
    return document, result.exit_code


@pytest.mark.parametrize("content", DIRTY.values(), ids=DIRTY.keys())
def test_the_numbers_and_the_verdict_are_those_of_the_receipt(content: bytes, tmp_path: Path) -> None:
    expected = check_file([content], EMAILS)
    refused = refusal(expected, FORMATS["email_sha256"], max_invalid_ratio=0.01)

    document, exit_code = checked(content, tmp_path)

    assert document["rows"] == rows_summary(expected.tally, sent=0 if refused else expected.tally.valid)
    assert document["accepted"] is (refused is None)
    assert document["reason"] == (refused.reason if refused else None)
    assert document["detail"] == (str(refused) if refused else None)
    assert exit_code == (1 if refused else 0)


def test_the_json_of_an_accepted_file_has_exactly_this_shape(tmp_path: Path) -> None:
    path = file_with(f"{HASH}\n".encode(), tmp_path)

    result = run(path, "--format", "email_sha256", "--json")

    assert json.loads(result.stdout) == {
        "file": path,
        "format": "EMAIL_SHA256",
        "accepted": True,
        "reason": None,
        "detail": None,
        "rows": {
            "read": 1,
            "sent": 1,
            "withheld": 0,
            "suppressed": 0,
            "invalid": 0,
            "invalid_by_reason": {},
            "partial": 0,
            "partial_by_reason": {},
            "blank_lines": 0,
            "header": False,
        },
        "parts": [{"number": 1, "rows": 1, "bytes": 65}],
    }


def test_a_file_that_needs_several_parts_shows_each_of_them(tmp_path: Path) -> None:
    block = any_audience_file(rows=8_000)
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        for _ in range(100):
            file.write(block)

    result = run(str(path), "--format", "email_sha256", "--json")

    parts = json.loads(result.stdout)["parts"]
    assert [part["number"] for part in parts] == [1, 2]
    assert sum(part["rows"] for part in parts) == 800_000
    assert sum(part["bytes"] for part in parts) == path.stat().st_size


def test_an_empty_file_is_refused_like_an_empty_object(tmp_path: Path) -> None:
    document, exit_code = checked(b"", tmp_path)

    assert (document["reason"], exit_code) == ("empty_object", 1)


def test_standard_input_is_checked_as_a_file() -> None:
    result = run("-", "--format", "email_sha256", "--json", stdin=any_audience_file(rows=7))

    assert result.exit_code == 0
    assert json.loads(result.stdout)["rows"]["sent"] == 7


def test_the_tolerated_ratio_of_invalid_rows_can_be_chosen(tmp_path: Path) -> None:
    content = as_file(any_hashes(9)) + b"abc\n"

    assert checked(content, tmp_path)[1] == 1
    assert checked(content, tmp_path, "--max-invalid-ratio", "0.1")[1] == 0


@pytest.mark.parametrize("ratio", ["1.1", "-0.1", "nan", "inf", "much"])
def test_a_ratio_that_is_none_is_a_usage_error(ratio: str, tmp_path: Path) -> None:
    path = file_with(b"x\n", tmp_path)

    assert run(path, "--format", "email_sha256", "--max-invalid-ratio", ratio).exit_code == 2


MD5 = b"d41d8cd98f00b204e9800998ecf8427e\n"
RAW = {"email": b"jane@example.com\n", "phone": b"+44 20 7183 8750\n"}
DEVICE_ID = b"5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25\n"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_taken_in_any_letter_case(name: str, tmp_path: Path) -> None:
    format_ = FORMATS[name]
    content = RAW.get(name, DEVICE_ID) if format_.is_raw else MD5 if name.endswith("md5") else any_audience_file()
    path = file_with(content if format_.kind else b"email_sha256\n" + content, tmp_path)

    for spelling in (name, name.upper(), name.title()):
        result = run(path, "--format", spelling, "--json", "--allow-raw-identifiers")
        assert (result.exit_code, json.loads(result.stdout)["format"]) == (0, name.upper())


def test_raw_identifiers_need_the_setting_and_follow_its_rules(tmp_path: Path) -> None:
    path = file_with(b"Jane.Doe@example.com\n", tmp_path)
    raw = (path, "--format", "email", "--json")

    assert json.loads(run(*raw).stdout)["reason"] == "raw_identifiers_not_allowed"
    document = json.loads(run(*raw, "--allow-raw-identifiers", "--email-rule", "both").stdout)
    assert (document["rows"]["sent"], document["parts"][0]["bytes"]) == (1, 2 * 65)


@pytest.mark.parametrize(("options", "sent"), [((), 0), (("--default-country", "gb"), 1)])
def test_a_national_number_needs_a_country(options: tuple[str, ...], sent: int, tmp_path: Path) -> None:
    path = file_with(b"020 7183 8750\n", tmp_path)

    result = run(path, "--format", "phone", "--json", "--allow-raw-identifiers", *options)

    assert json.loads(result.stdout)["rows"]["sent"] == sent


def test_a_country_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    path = file_with(b"x\n", tmp_path)

    assert run(path, "--format", "phone", "--default-country", "XX").exit_code == 2


def test_a_file_is_read_as_its_name_says(tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps({"email_sha256": HASH}).encode()))

    assert json.loads(run(str(path), "--format", "email_sha256", "--json").stdout)["rows"]["sent"] == 1


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("people.xlsx", b"x", "bad_key"),
        ("people.csv.gz", b"x", "damaged_file"),
        ("people.csv.gz", b"", "empty_object"),
        ("people.csv", b"name,city\nJane,London\n", "no_such_column"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_reason(
    name: str, content: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    result = run(str(path), "--format", "email_sha256", "--json")

    assert (result.exit_code, json.loads(result.stdout)["reason"]) == (1, reason)


def test_usage_errors_have_a_status_of_their_own(tmp_path: Path) -> None:
    path = file_with(any_audience_file(), tmp_path)

    assert run(str(tmp_path / "missing.csv"), "--format", "email_sha256").exit_code == 2
    assert run(str(tmp_path), "--format", "email_sha256").exit_code == 2
    assert run(path, "--format", "email_md5").exit_code == 2
    assert run(path).exit_code == 2


@pytest.mark.parametrize("plain", ["jane.roe@example.com", "+49 151 98765432", "6D92078A-8246-4BA4-AE5B-76104861E7DC"])
def test_no_content_of_a_row_is_ever_shown(plain: str, tmp_path: Path) -> None:
    path = file_with(as_file([HASH]) + plain.encode() + b"\nnonsense-row\n", tmp_path)

    for options in ((), ("--json",)):
        result = run(path, "--format", "email_sha256", *options)
        assert result.exit_code == 1
        assert "plain_personal_data" in result.output
        for secret in (plain, plain[:12], HASH, HASH[:12], "nonsense-row"):
            assert secret not in result.output


def test_people_see_counts_reasons_lines_and_parts(tmp_path: Path) -> None:
    path = file_with(as_file(any_hashes(1_200)) + b"abc\n", tmp_path)

    output = run(path, "--format", "email_sha256").output

    assert f"{path} would be accepted as email_sha256" in output
    assert "1,201" in output
    assert "wrong_length" in output
    assert "1 part planned" in output


def test_a_file_name_cannot_steer_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m\nb.csv"
    path.write_bytes(any_audience_file())

    output = run(str(path), "--format", "email_sha256").output

    assert "\x1b" not in output
    assert "a\\x1b[31m\\nb.csv would be accepted" in output
