"""The key grammar, and when a file is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.audiences.domain import Target, parse_key, parse_object, refusal
from lambdas.audiences.formats import FORMATS
from lambdas.audiences.rows.check import LARGEST_CUT_FILE, LARGEST_FILE, FileCheck, Part, check_file
from lambdas.audiences.rows.reading import Reading
from lambdas.contracts import CALCULATE_TYPES
from lambdas.files.documents import OnInvalidRow
from lambdas.files.file_types import parse_file_type
from lambdas.files.tally import Tally
from lambdas.tiktok.errors import InvalidInput
from lambdas.tiktok.models import CalculateType
from test.support.builders import any_hashes, any_version, as_file

SUPPORTED = frozenset(CALCULATE_TYPES)
EMAILS = Reading(FORMATS["email_sha256"])


def test_the_contract_and_tiktoks_enum_name_the_same_types() -> None:
    assert set(CALCULATE_TYPES) == set(CalculateType)


@pytest.mark.parametrize("name", ["email_sha256", "EMAIL_SHA256", "Email_Sha256"])
def test_a_format_is_read_in_any_letter_case(name: str) -> None:
    assert parse_key(f"tiktok/Foodies/{name}/file.csv", SUPPORTED).format is FORMATS["email_sha256"]


@pytest.mark.parametrize(
    "audience",
    ["a", "x" * 128, "two words", "100%", "a+b", "a&b=c", "%2F", "美食家", "\N{SLICE OF PIZZA}", "..", " padded "],
)
def test_a_name_is_taken_as_it_comes(audience: str) -> None:
    assert parse_key(f"tiktok/{audience}/gaid_sha256/f.csv", SUPPORTED) == Target(audience, FORMATS["gaid_sha256"])


@pytest.mark.parametrize(
    ("key", "most"),
    [
        ("tiktok/a/email_sha256/f.csv", LARGEST_CUT_FILE),
        ("tiktok/a/email_sha256/f.csv.gz", LARGEST_FILE),
        ("tiktok/a/streaming/f.csv", LARGEST_FILE),
        ("suppression/email_sha256/f.csv", LARGEST_FILE),
    ],
)
def test_a_file_far_too_large_is_refused_without_being_read(key: str, most: int) -> None:
    parse_object(any_version(key, size=most), SUPPORTED)
    with pytest.raises(InvalidInput) as raised:
        parse_object(any_version(key, size=most + 1), SUPPORTED)

    assert raised.value.reason == "file_too_large"


def test_a_format_of_letters_that_only_look_alike_is_refused() -> None:
    with pytest.raises(InvalidInput):
        parse_key("tiktok/Foodies/email_\u017fha256/file.csv", SUPPORTED)


@pytest.mark.parametrize(
    ("word", "action"), [("append", "APPEND"), ("Remove", "REMOVE"), ("REPLACE", "REPLACE"), ("rePlace", "REPLACE")]
)
def test_an_action_is_read_in_any_letter_case(word: str, action: str) -> None:
    assert parse_key(f"tiktok/Foodies/email_sha256/{word}/file.csv", SUPPORTED).action == action


@pytest.mark.parametrize(("word", "action"), [("add", "APPEND"), ("Delete", "REMOVE")])
def test_streaming_has_words_of_its_own_for_the_actions(word: str, action: str) -> None:
    assert parse_key(f"tiktok/Foodies/streaming/{word}/file.csv", SUPPORTED).action == action


def test_a_whole_audience_is_deleted_by_the_word_for_it_alone() -> None:
    assert parse_key("tiktok/Foodies/streaming/delete_audience/file.csv", SUPPORTED).deletes_audience
    with pytest.raises(InvalidInput, match="append, remove, replace"):
        parse_key("tiktok/Foodies/email_sha256/delete_audience/file.csv", SUPPORTED)


def test_a_name_that_streaming_would_cut_is_refused() -> None:
    with pytest.raises(InvalidInput, match="1 to 70"):
        parse_key(f"tiktok/{'x' * 71}/streaming/file.csv", SUPPORTED)


def test_a_format_that_the_deployment_does_not_accept_is_refused_with_those_that_it_does() -> None:
    with pytest.raises(InvalidInput, match="phone_sha256") as raised:
        parse_key("tiktok/Foodies/email_sha256/file.csv", {"PHONE_SHA256"})

    assert raised.value.reason == "unsupported_format"


@given(st.text(max_size=60) | st.lists(st.text(max_size=10), max_size=6).map("/".join).map("tiktok/{}".format))
def test_no_key_crashes_the_grammar(key: str) -> None:
    refused = None
    try:
        parse_object(any_version(key), SUPPORTED)
    except InvalidInput as error:
        refused = error

    assert refused is None or refused.reason in {"bad_key", "unsupported_format"}


@given(st.text(min_size=1, max_size=128, alphabet=st.characters(codec="utf-8", exclude_characters="/")))
def test_every_name_that_tiktok_takes_is_accepted(audience: str) -> None:
    assert parse_key(f"tiktok/{audience}/email_sha256/file.csv", SUPPORTED).audience == audience


@pytest.mark.parametrize(
    ("invalid", "ratio", "refused"),
    [
        (29, 0.29, False),
        (0, 0.0, False),
        (1, 0.0, True),
        (1, 0.01, False),
        (2, 0.01, True),
        (50, 0.5, False),
        (51, 0.5, True),
    ],
)
def test_a_file_is_refused_above_the_ratio_of_invalid_rows(invalid: int, ratio: float, refused: bool) -> None:
    check = check_file([as_file(any_hashes(100 - invalid)) + b"nonsense\n" * invalid], EMAILS)

    assert (refusal(check, max_invalid_ratio=ratio) is not None) == refused


def test_one_plain_row_refuses_a_file_whatever_the_ratio() -> None:
    check = check_file([as_file(any_hashes(10_000)) + b"jane@example.com\n"], EMAILS)

    error = refusal(check, max_invalid_ratio=1.0)

    assert error is not None
    assert error.reason == "plain_personal_data"
    assert "line 10001" in str(error)
    assert "jane" not in str(error)


def test_the_limit_of_parts_does_not_hold_on_the_streaming_route() -> None:
    parts = tuple(Part(number, 0, 1, 1, 65) for number in range(1, 1000))

    assert refusal(FileCheck(Tally(read=9, valid=9), parts), FORMATS["streaming"], max_invalid_ratio=0) is None


@pytest.mark.parametrize(
    "tally",
    [
        Tally(100, 99, invalid={"not_hex": 1}, invalid_lines={"not_hex": [7]}),
        Tally(100, 100, partial={"not_hex": 1}, partial_lines={"not_hex": [7]}),
    ],
)
def test_rows_that_are_invalid_or_lack_a_field_count_against_the_ratio_and_can_refuse_the_file(tally: Tally) -> None:
    check = FileCheck(tally, ())

    refused = refusal(check, max_invalid_ratio=1, on_invalid_row=OnInvalidRow.REFUSE)
    too_many = refusal(check, max_invalid_ratio=0.009)

    assert refusal(check, max_invalid_ratio=0.01) is None
    assert refused
    assert too_many
    assert (refused.reason, too_many.reason) == ("invalid_rows_refused", "too_many_invalid_rows")
    assert "not_hex: 1, first at line 7" in str(refused)


def test_suppressed_rows_are_no_faults() -> None:
    check = FileCheck(Tally(100, 1, suppressed=99), ())

    assert refusal(check, max_invalid_ratio=0, on_invalid_row=OnInvalidRow.REFUSE) is None


def test_a_raw_format_is_refused_before_it_is_read_unless_it_is_allowed() -> None:
    version = any_version("tiktok/Foodies/email/people.csv")

    with pytest.raises(InvalidInput) as raised:
        parse_object(version, SUPPORTED)

    assert raised.value.reason == "raw_identifiers_not_allowed"
    assert parse_object(version, SUPPORTED, allow_raw_identifiers=True).format.is_raw


def test_a_file_type_belongs_to_what_a_key_asks_for() -> None:
    assert parse_key("tiktok/Foodies/email_sha256/remove/x.TSV.gz", SUPPORTED).file_type == parse_file_type("x.tsv.gz")


def test_the_object_that_deletes_an_audience_may_be_empty_and_have_any_name() -> None:
    assert parse_object(any_version("tiktok/Foodies/streaming/delete_audience/now", size=0), SUPPORTED).deletes_audience


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_without_a_valid_row_is_told_what_its_format_expects(name: str) -> None:
    error = refusal(FileCheck(Tally(), ()), FORMATS[name], max_invalid_ratio=0)

    assert error
    words = {"sha256": "SHA-256", "md5": "MD5", "email": "e-mail", "phone": "phone number"}
    assert words.get(name.rsplit("_", 1)[-1], "device id" if FORMATS[name].kind else "email_sha256") in str(error)
