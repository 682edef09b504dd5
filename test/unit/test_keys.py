"""The key grammar, and when a file is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.audiences.domain import Target, parse_key, parse_object, refusal
from lambdas.audiences.rows import FileCheck, Part, Tally, check_file
from lambdas.contracts import CALCULATE_TYPES
from lambdas.tiktok.errors import InvalidInput
from lambdas.tiktok.models import CalculateType
from test.support.builders import any_hashes, any_version, as_file

SUPPORTED = frozenset(CALCULATE_TYPES)


def test_the_contract_and_tiktoks_enum_name_the_same_types() -> None:
    assert set(CALCULATE_TYPES) == set(CalculateType)


@pytest.mark.parametrize("name", ["email_sha256", "EMAIL_SHA256", "Email_Sha256"])
def test_a_format_is_read_in_any_letter_case(name: str) -> None:
    assert parse_key(f"tiktok/Foodies/{name}/file.csv", SUPPORTED).calculate_type is CalculateType.EMAIL_SHA256


@pytest.mark.parametrize(
    "audience",
    ["a", "x" * 128, "two words", "100%", "a+b", "a&b=c", "%2F", "美食家", "\N{SLICE OF PIZZA}", "..", " padded "],
)
def test_a_name_is_taken_as_it_comes(audience: str) -> None:
    assert parse_key(f"tiktok/{audience}/gaid_sha256/f.csv", SUPPORTED) == Target(audience, CalculateType.GAID_SHA256)


def test_a_file_far_too_large_is_refused_without_being_read() -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_object(any_version(size=5 * 2**30), SUPPORTED)

    assert raised.value.reason == "file_too_large"


def test_a_format_of_letters_that_only_look_alike_is_refused() -> None:
    with pytest.raises(InvalidInput):
        parse_key("tiktok/Foodies/email_\u017fha256/file.csv", SUPPORTED)


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
    check = check_file([as_file(any_hashes(100 - invalid)) + b"nonsense\n" * invalid])

    assert (refusal(check, max_invalid_ratio=ratio) is not None) == refused


def test_one_plain_row_refuses_a_file_whatever_the_ratio() -> None:
    check = check_file([as_file(any_hashes(10_000)) + b"jane@example.com\n"])

    error = refusal(check, max_invalid_ratio=1.0)

    assert error is not None
    assert error.reason == "plain_personal_data"
    assert "line 10001" in str(error)
    assert "jane" not in str(error)


@pytest.mark.parametrize(("count", "refused"), [(49, False), (50, True)])
def test_a_file_that_needs_more_parts_than_one_call_takes_is_refused(count: int, refused: bool) -> None:
    parts = tuple(Part(number, 0, 1, 1, 65) for number in range(1, count + 1))

    error = refusal(FileCheck(Tally(read=count, valid=count), parts), max_invalid_ratio=0)

    assert (error is not None) == refused
    assert error is None or error.reason == "file_too_large"
