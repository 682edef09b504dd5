"""External ids, names and places: which text is hashed or sent, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.identifiers.emails import audience_variants, normalise_email, normalise_email_for_events
from lambdas.identifiers.models import EmailRule, InvalidIdentifier
from lambdas.identifiers.persons import (
    normalise_country,
    normalise_external_id,
    normalise_name,
    normalise_place,
    normalise_zip_code,
)

NORMALISERS = (normalise_external_id, normalise_name, normalise_zip_code, normalise_place, normalise_country)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("user_123", "user_123"),
        (" User_123\r\n", "User_123"),
        ("\ufeff7\u00a0", "7"),
        ("'quoted'", "'quoted'"),
        ("a b", "a b"),
    ],
)
def test_an_external_id_is_trimmed_and_keeps_its_case(raw: str, text: str) -> None:
    assert normalise_external_id(raw) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Jane", "jane"),
        (" Mary Ann\t", "maryann"),
        ("O'Neil-Smith", "o'neil-smith"),
        ("ZOE\u0308", "zo\u00eb"),
        ("\uff2aane", "jane"),
        ("\u7530\u4e2d\u3000\u592a\u90ce", "\u7530\u4e2d\u592a\u90ce"),
    ],
)
def test_a_name_is_lower_case_without_blanks(raw: str, text: str) -> None:
    assert normalise_name(raw) == text


@pytest.mark.parametrize(
    ("raw", "text"), [("94105-1234", "941051234"), ("SW1A 1AA", "sw1a1aa"), (" 01\u20130017 ", "010017")]
)
def test_a_zip_code_has_neither_blanks_nor_dashes(raw: str, text: str) -> None:
    assert normalise_zip_code(raw) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("New York", "newyork"),
        ("Saint-\u00c9tienne 2", "saint\u00e9tienne2"),
        ("\u0926\u093f\u0932\u094d\u0932\u0940", "\u0926\u093f\u0932\u094d\u0932\u0940"),
        ("D.C.", "dc"),
    ],
)
def test_a_place_is_letters_and_digits_of_any_script(raw: str, text: str) -> None:
    assert normalise_place(raw) == normalise_country(raw) == text


@pytest.mark.parametrize("normalise", NORMALISERS)
@pytest.mark.parametrize(("raw", "reason"), [(None, "empty"), (" \t", "empty"), ("NULL", "null_word")])
def test_nothing_is_not_taken_for_a_value(normalise: object, raw: str | None, reason: str) -> None:
    assert callable(normalise)
    with pytest.raises(InvalidIdentifier, match=reason):
        normalise(raw)


def test_namibia_is_no_word_for_nothing() -> None:
    assert normalise_country(" NA") == "na"
    with pytest.raises(InvalidIdentifier, match="null_word"):
        normalise_place("NA")


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_normalised_for_good_or_refused(raw: str) -> None:
    for normalise in NORMALISERS:
        try:
            text = normalise(raw)
        except InvalidIdentifier:
            continue
        text.encode()
        assert text == text.strip()


@given(st.emails())
def test_audiences_know_an_address_for_events_under_these_texts(raw: str) -> None:
    try:
        text = normalise_email_for_events(raw)
    except InvalidIdentifier:
        return
    assert audience_variants(text) == normalise_email(raw, EmailRule.BOTH)
