"""Dirty inputs for every format: what is sent of them, and what is counted under which reason."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from lambdas.audiences.domain import refusal
from lambdas.audiences.formats import FORMATS
from lambdas.identifiers.hashing import md5_hex, sha256_hex
from lambdas.identifiers.models import EmailRule, PhoneRule
from lambdas.tiktok.errors import InvalidInput
from test.support.audience_files import any_reading, read_file
from test.support.builders import any_hashes

ONE, TWO, THREE = any_hashes(3, seed="formats")
MD5_ONE, MD5_TWO = md5_hex("one"), md5_hex("two")
JANE, JANE_HASH = "Jane.Doe+tag@Example.com", sha256_hex("jane.doe+tag@example.com")
JANE_OLDER = sha256_hex("janedoe@example.com")
PHONE, PHONE_HASH, PHONE_NO_PLUS = "+44 20 7183 8750", sha256_hex("+442071838750"), sha256_hex("442071838750")
DEVICE = "5F3A2B18-9C4D-4E7F-B8E2-17D3A1E69B25"
DEVICE_HASH = sha256_hex(DEVICE.lower())
ZERO = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Case:
    """A file, and what is expected of it: the lines sent, and the rows by reason."""

    format: str
    content: str
    sent: list[Any]
    invalid: dict[str, int] = field(default_factory=dict)
    partial: dict[str, int] = field(default_factory=dict)
    name: str = "file.csv"
    rules: dict[str, Any] = field(default_factory=dict)


SHA256_FORMATS = [name for name in FORMATS if name.endswith("_sha256")]
MD5_FORMATS = [name for name in FORMATS if name.endswith("_md5")]

PLAIN_LISTS = [
    *(
        Case(
            name,
            f"{name}\r\n{ONE.upper()}\r\n\n{MD5_ONE}\nnull\n{TWO},{TWO}\n\u00e9\n",
            [ONE],
            {"wrong_length": 1, "not_hex": 2, "several_columns": 1},
        )
        for name in SHA256_FORMATS
    ),
    *(
        Case(
            name,
            f"{name}\n{MD5_ONE.upper()}\n{ONE}\n{MD5_TWO}\nnull\n",
            [MD5_ONE, MD5_TWO],
            {"wrong_length": 1, "not_hex": 1},
        )
        for name in MD5_FORMATS
    ),
    Case(
        "email",
        f"email\n{JANE}\n\n  \nnull\nnobody\n{ONE}\n{MD5_ONE}\na@b.example,Jane\n",
        [JANE_HASH, ONE],
        {"null_word": 1, "malformed_email": 1, "unfit_hash": 1, "several_columns": 1},
    ),
    Case(
        "email",
        f"{JANE}\njoe@example.com\n",
        [JANE_HASH, JANE_OLDER, sha256_hex("joe@example.com")],
        rules={"email_rule": EmailRule.BOTH},
    ),
    Case(
        "phone",
        f"{PHONE}\n020 7183 8750\n+1\nNaN\n",
        [PHONE_HASH],
        {"phone_without_country": 1, "malformed_phone": 1, "null_word": 1},
    ),
    Case(
        "phone",
        "020 7183 8750\n",
        [PHONE_HASH, PHONE_NO_PLUS],
        rules={"phone_rule": PhoneRule.BOTH, "default_country": "GB"},
    ),
    *(
        Case(
            name,
            f"{name}\n{DEVICE}\n{ZERO}\nabc\n{ONE}\n",
            [DEVICE_HASH, ONE],
            {"zero_device_id": 1, "malformed_device_id": 1},
        )
        for name in ("idfa", "gaid")
    ),
]

CHOSEN_COLUMNS = [
    *(
        Case(name, f"name,{name},city\nJane Doe,{ONE},x\nJoe,,y\n", [ONE], {"no_identifier": 1})
        for name in SHA256_FORMATS
    ),
    *(Case(name, f"name;{name}\nJane Doe;{MD5_ONE}\n", [MD5_ONE]) for name in MD5_FORMATS),
    Case("email_sha256", f"id;Hashed E-mail;mail\n1;{ONE};jane@example.com\n2;{TWO};\n", [ONE, TWO]),
    Case("email_sha256", f"id|email\n{TWO}|{ONE}\n", [ONE]),
    Case("email_sha256", f"phone\tEmail_SHA256\n+442071838750\t{ONE}\n\t{TWO}\t\n", [ONE], {"wrong_field_count": 1}),
    Case("email_sha256", f"phone,x\temail\n,\t{ONE}\n", [ONE], name="file.tsv"),
    Case(
        "email_sha256",
        f'name,email\n"Doe, Jane","{ONE}"\n"Doe, Joe,{TWO}\nMax "the" Doe,{THREE}\n,null\n,,\n',
        [ONE, THREE],
        {"bad_quotes": 1, "no_identifier": 1},
    ),
    Case(
        "email_sha256",
        f"a,email\nx,{ONE[1:]}\ny,{MD5_ONE}\nz,zz\nx,{'a' * 2000}\n",
        [],
        {"wrong_length": 2, "not_hex": 1, "too_long": 1},
    ),
    Case("email_sha256", f"a,email\nx,jane@example.com\ny,{ONE}\n", [ONE], {"plain_email": 1}),
    Case(
        "email",
        f"name,email\nJane,{JANE}\nJoe,\nMax,null\nMia,mia\n",
        [JANE_HASH],
        {"no_identifier": 2, "malformed_email": 1},
    ),
    Case("phone", f"msisdn,x\n{PHONE},\n", [PHONE_HASH]),
    Case("gaid", f"AAID,x\n{DEVICE},\n", [DEVICE_HASH]),
]

JSON_LINES = [
    Case(
        "email_sha256",
        f'{{"name": "Jane", "Email_SHA256": "{ONE.upper()}"}}\n"{TWO}"\n\n{{"name": "Joe"}}\n[1]\nnonsense\n'
        f'{{"email_sha256": null}}\n{{"email_sha256": true}}\n{{"email_sha256": 12}}\n{{"email_sha256": "\\ud800"}}\n',
        [ONE, TWO],
        {"no_identifier": 2, "not_json": 2, "not_text": 1, "wrong_length": 1, "not_utf8": 1},
        name="file.jsonl",
    ),
    Case("maid_md5", f'{{"maid": "{MD5_ONE}"}}\n', [MD5_ONE], name="file.ndjson"),
    Case(
        "phone",
        '{"phone": 442071838750}\n{"phone": 1.5}\n',
        [PHONE_HASH],
        {"not_text": 1},
        name="file.jsonl",
        rules={"default_country": "GB"},
    ),
    Case("email", f'"{JANE}"\n', [JANE_HASH], name="file.jsonl"),
]

MULTIPLE_TYPES = [
    Case(
        "multiple_types",
        f"name,EMAIL_sha256,phone_sha256,IDFA_md5\nJane,{ONE},{TWO},{MD5_ONE}\nJoe,{ONE},,\nMax,,null,\nMia,zz,{TWO},{ONE}\nTom,zz,,\nx,{ONE}\n",
        ["email_SHA256,phone_SHA256,MAID_MD5", f"{ONE},{TWO},{MD5_ONE}", f"{ONE},,", f",{TWO},"],
        {"no_identifier": 1, "not_hex": 1, "wrong_field_count": 1},
        {"not_hex": 1},
    ),
    Case(
        "multiple_types",
        f"email_sha256;maid_sha256;email_sha256;email\n{ONE};{TWO};{THREE};{JANE}\n;;;{JANE}\n{ONE};;{ONE};\n",
        [
            "email_SHA256,email_SHA256,email_SHA256,MAID_SHA256",
            f"{ONE},{THREE},{JANE_HASH},{TWO}",
            f",,{JANE_OLDER},",
            f"{JANE_HASH},,,",
            f"{JANE_OLDER},,,",
            f"{ONE},,,",
        ],
        rules={"email_rule": EmailRule.BOTH},
    ),
    Case(
        "multiple_types",
        f"email_sha256,phone\njane@example.com,{PHONE}\n{ONE},{PHONE}\n",
        ["email_SHA256,phone_SHA256", f"{ONE},{PHONE_HASH}"],
        {"plain_email": 1},
    ),
    Case("multiple_types", f"phone_sha256\n{ONE}\n{TWO},{ONE}\n", ["phone_SHA256", ONE], {"several_columns": 1}),
    Case(
        "multiple_types",
        f'{{"email_sha256": ["{ONE}", "{TWO}"], "x": 1}}\n'
        f'{{"gaid": "{DEVICE}", "email_sha256": ""}}\n{{"phone_sha256": ["a", "b", "c", "d"]}}\n'
        '{"x": 1}\n'
        f'{{"email_sha256": ["{ONE}", "{TWO}", "{THREE}"], "email": "{JANE}"}}\n',
        ["email_SHA256,email_SHA256,MAID_SHA256", f"{ONE},{TWO},", f",,{DEVICE_HASH}"],
        {"too_many_values": 2, "no_identifier": 1},
        name="file.jsonl",
    ),
]

STREAMING = [
    Case(
        "streaming",
        f"email_sha256,gaid_sha256,audiences\n{ONE},,\n,{TWO},Foodies; Cooks ;Foodies\n{ONE},{TWO},{'x' * 71}\n"
        f",,Foodies\n{ONE},{TWO},jane@example.com\n{ONE},q,\n",
        [[2, [ONE, ""], []], [3, ["", TWO], ["Foodies", "Cooks"]], [7, [ONE, ""], []]],
        {"bad_audience_name": 2, "no_identifier": 1},
        {"not_hex": 1},
    ),
    Case(
        "streaming",
        f"aaid,aaid_sha256,aaid_md5,email\n{DEVICE},{DEVICE_HASH},,\n{DEVICE},{TWO},{MD5_ONE},{JANE}\n",
        [[2, [DEVICE_HASH, "", ""], []], [3, [DEVICE_HASH, MD5_ONE, JANE_HASH], []], [3, [TWO, "", JANE_OLDER], []]],
        rules={"email_rule": EmailRule.BOTH},
    ),
    Case(
        "streaming",
        f'{{"phone": "{PHONE}", "audiences": ["a", "b"]}}\n'
        f'{{"idfa_md5": "{MD5_ONE}", "audiences": "c;d"}}\n{{"idfa_md5": "{MD5_ONE}", "audiences": [1]}}\n',
        [[1, [PHONE_HASH, ""], ["a", "b"]], [2, ["", MD5_ONE], ["c", "d"]]],
        {"bad_audience_name": 1},
        name="file.jsonl",
    ),
]

CASES = [*PLAIN_LISTS, *CHOSEN_COLUMNS, *JSON_LINES, *MULTIPLE_TYPES, *STREAMING]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.format}-{case.name}")
def test_every_row_is_sent_or_counted_under_its_reason(case: Case) -> None:
    check, parts = read_file(case.content.encode(), any_reading(case.format, case.name, **case.rules))

    lines = [line for part in parts for line in part.decode().splitlines()]
    assert [json.loads(line) for line in lines] == case.sent if case.format == "streaming" else lines == case.sent
    tally = check.tally
    assert tally.invalid == case.invalid
    assert tally.partial == case.partial
    assert [part.bytes for part in check.parts] == [len(part) for part in parts]
    assert tally.read == tally.valid + tally.invalid_rows + tally.suppressed


def test_every_format_has_cases() -> None:
    assert {case.format for case in CASES} == set(FORMATS)


@pytest.mark.parametrize(
    ("format_name", "content", "reason"),
    [
        ("email_sha256", f"name,city\nJane,London\n{ONE},x\n", "no_such_column"),
        ("multiple_types", "name,city\nJane,London\n", "no_such_column"),
        ("streaming", "name,audiences\nJane,London\n", "no_such_column"),
        ("multiple_types", f"{ONE},{TWO}\n", "no_header"),
        ("multiple_types", f"jane@example.com,{TWO}\n", "no_header"),
        ("multiple_types", "\ufeff\n\n", "no_header"),
        ("streaming", f"{ONE}\n", "no_header"),
        ("streaming", "x" * 100_000, "no_header"),
        ("multiple_types", f"email,email_sha256,email,email_sha256\n,{ONE},,\n", "too_many_columns"),
        (
            "streaming",
            "email_sha256,audiences\n" + "".join(f"{ONE},a{number}\n" for number in range(21)),
            "too_many_audiences",
        ),
    ],
)
def test_a_file_whose_columns_do_not_fit_is_refused_whole(format_name: str, content: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read_file(content.encode(), any_reading(format_name))

    assert raised.value.reason == reason
    assert not any(secret in str(raised.value) for secret in ("Jane", "jane", ONE, "London"))


@pytest.mark.parametrize("content", ['{"name": "Jane"}\n{}\n', '{"name": "jane@example.com"}\n'])
def test_json_lines_that_never_name_a_known_column_are_refused_whole(content: str) -> None:
    with pytest.raises(InvalidInput, match="email_sha256") as raised:
        read_file(content.encode(), any_reading("email_sha256", "file.jsonl"))

    assert raised.value.reason == "no_such_column"


@pytest.mark.parametrize(
    ("format_name", "name", "content"),
    [
        ("email", "file.csv", f"{ONE}\n"),
        ("phone", "file.jsonl", f'"{PHONE}"\n'),
        ("multiple_types", "file.csv", f"email_sha256,Email\n{ONE},\n"),
        ("multiple_types", "file.jsonl", f'{{"email_sha256": "{ONE}"}}\n{{"gaid": "{DEVICE}"}}\n'),
        ("streaming", "file.csv", f"gaid\n{DEVICE}\n"),
    ],
)
def test_raw_identifiers_are_refused_whole_unless_they_are_allowed(format_name: str, name: str, content: str) -> None:
    with pytest.raises(InvalidInput, match=r"allow_raw_identifiers.*cdk\.context\.json") as raised:
        read_file(content.encode(), any_reading(format_name, name, allow_raw_identifiers=False))

    assert raised.value.reason == "raw_identifiers_not_allowed"


def test_a_plain_address_in_a_hashed_column_refuses_the_file_and_in_another_column_does_not() -> None:
    reading = any_reading("email_sha256")
    harmless, _ = read_file(f"mail,email_sha256\njane@example.com,{ONE}\n".encode(), reading)
    harmful, _ = read_file(f"mail,email_sha256\n{ONE},jane@example.com\n".encode(), reading)

    refused = refusal(harmful, reading.format, max_invalid_ratio=1)

    assert refusal(harmless, reading.format, max_invalid_ratio=0) is None
    assert refused
    assert refused.reason == "plain_personal_data"


def test_other_columns_may_hold_bytes_that_are_no_text() -> None:
    content = b"name,email_sha256\nM\xfcller," + ONE.encode() + b"\nx," + TWO.encode()[:-1] + b"\xfc\n"

    check, parts = read_file(content, any_reading("email_sha256"))

    assert parts == [f"{ONE}\n".encode()]
    assert check.tally.invalid == {"not_utf8": 1}


@pytest.mark.parametrize("size", [1000, 1 << 15, 1 << 20])
def test_a_line_longer_than_any_is_counted_and_not_held(size: int) -> None:
    content = f"name,email\nJane,{ONE}\n{'x' * (1 << 18)},{TWO}\n{'x' * 60_000},{THREE}\n".encode()

    check, parts = read_file(content, any_reading("email_sha256"), size=size)

    assert check.tally.invalid == {"too_long": 1}
    assert check.tally.invalid_lines == {"too_long": [3]}
    assert parts == [f"{ONE}\n{THREE}\n".encode()]


VECTORS = {
    "email": ("alice_abc@gmail.com", "848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f"),
    "phone": ("+12133734253", "9f7ec22d72092cd3c0b58726ed9c2d91b92e51a3f29837508fb2948bb22dd2fd"),
    "gaid": (DEVICE, "83dc3f5f32b9472613b0f038d36f22585a609d018af6f6067f50da318bf354bd"),
}


@pytest.mark.parametrize("name", VECTORS)
def test_tiktoks_published_hashes_come_out_of_a_raw_file(name: str) -> None:
    value, expected = VECTORS[name]

    assert read_file(f"{value}\n".encode(), any_reading(name))[1] == [f"{expected}\n".encode()]


def test_the_number_and_the_address_of_the_help_centre_come_out_by_its_rules() -> None:
    _, emails = read_file(b" JaneDoe@Gmail.com \n", any_reading("email"))
    _, phones = read_file(b"+374 93 828222\n", any_reading("phone", phone_rule=PhoneRule.NO_PLUS))

    assert emails == [b"d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69\n"]
    assert phones == [b"65b7e6dcf6f4310f8d7cbfbd78289a753062fb054d6664fb9aaac5df66a422d4\n"]
