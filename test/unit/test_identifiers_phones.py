"""Phone numbers: which text is hashed, that no country is guessed, and what is refused."""

import subprocess
import sys

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.identifiers.models import InvalidIdentifier, PhoneRule
from lambdas.identifiers.phones import is_known_country, normalise_phone, normalise_phone_for_events


def outcome(raw: str | None, country: str | None = None, rule: PhoneRule = PhoneRule.PLUS) -> str:
    try:
        return " ".join(normalise_phone(raw, rule, default_country=country))
    except InvalidIdentifier as error:
        return error.reason


def outcome_for_events(raw: str | None, country: str | None) -> str:
    try:
        return normalise_phone_for_events(raw, default_country=country)
    except InvalidIdentifier as error:
        return error.reason


@pytest.mark.parametrize(
    ("raw", "country", "expected"),
    [
        ("+442071838750", None, "+442071838750"),
        ("  +44 20 7183 8750\t", None, "+442071838750"),
        ('"+44-20-7183-8750"', None, "+442071838750"),
        ("'+442071838750", None, "+442071838750"),
        ("\ufeff+442071838750", None, "+442071838750"),
        ("+44.20.7183.8750", None, "+442071838750"),
        ("+44 (0)20 7183 8750", None, "+442071838750"),
        ("+1 (213) 373-4253", None, "+12133734253"),
        ("tel:+44-20-7183-8750", None, "+442071838750"),
        ("TEL:+442071838750", None, "+442071838750"),
        ("tel:+44-20-7183-8750;ext=12", None, "+442071838750"),
        ("tel:020-7183-8750;phone-context=+44", None, "+442071838750"),
        ("\uff0b\uff14\uff14\uff12\uff10\uff17\uff11\uff18\uff13\uff18\uff17\uff15\uff10", None, "+442071838750"),
        ("+\u0664\u0664\u0662\u0660\u0667\u0661\u0668\u0663\u0668\u0667\u0665\u0660", None, "+442071838750"),
        ("+44 20 7183 8750 ext. 12", None, "+442071838750"),
        ("+442071838750x12", None, "+442071838750"),
        ("+44 20 7183 8750 #12", None, "+442071838750"),
        ("+39 02 1234567", None, "+39021234567"),
        ("+37493828222", None, "+37493828222"),
        # Signs around a number are no part of it.
        ("\ud800\U0001f4f1 +442071838750\x00", None, "+442071838750"),
        # In another country than the default, "+" decides.
        ("+442071838750", "US", "+442071838750"),
        ("020 7183 8750", "GB", "+442071838750"),
        ("020 7183 8750", "gb", "+442071838750"),
        ("(020) 7183-8750 ext 12", "GB", "+442071838750"),
        ("\uff10\uff12\uff10\uff17\uff11\uff18\uff13\uff18\uff17\uff15\uff10", "GB", "+442071838750"),
        ("442071838750", "GB", "+442071838750"),
        ("0037493828222", "GB", "+37493828222"),
        ("011 374 93 828222", "US", "+37493828222"),
        ("213-373-4253", "US", "+12133734253"),
        ("12133734253", "US", "+12133734253"),
        ("02 1234567", "IT", "+39021234567"),
        # A column of numbers, as pandas exports it.
        ("4930123456.0", "DE", "+4930123456"),
        # No country is guessed.
        ("020 7183 8750", None, "phone_without_country"),
        ("442071838750", None, "phone_without_country"),
        ("37493828222", None, "phone_without_country"),
        ("0037493828222", None, "phone_without_country"),
        ("020 7183 8750 ext. 12", None, "phone_without_country"),
        ("tel:020-7183-8750;phone-context=example.com", None, "phone_without_country"),
        # A number of another country than the default is no number.
        ("37493828222", "US", "malformed_phone"),
        ("2133734253", "GB", "malformed_phone"),
        # Nothing at all, and words for it.
        (None, "GB", "empty"),
        ("  ", "GB", "empty"),
        ('""', "GB", "empty"),
        ("None", "GB", "null_word"),
        ("nan", "GB", "null_word"),
        ("N/A", "GB", "null_word"),
        # Not a number, or not one alone.
        ("+", "GB", "malformed_phone"),
        ("0", "GB", "malformed_phone"),
        ("12", "GB", "malformed_phone"),
        ("911", "US", "malformed_phone"),
        ("+44207183", None, "malformed_phone"),
        ("+1231234567", None, "malformed_phone"),
        ("+10000000000", None, "malformed_phone"),
        ("+999123456789", None, "malformed_phone"),
        ("00000000000", "US", "malformed_phone"),
        ("4.42072E+11", "GB", "malformed_phone"),
        ("2024-05-01", "US", "malformed_phone"),
        ("call +442071838750 now", None, "malformed_phone"),
        ("p:+442071838750", None, "malformed_phone"),
        ("+44 2o7 183 8750", None, "malformed_phone"),
        ("+49 30 o2345678", None, "malformed_phone"),
        ("1-800-FLOWERS", "US", "malformed_phone"),
        ("1-800-FLOWERS x12", "US", "malformed_phone"),
        ("1-800-FLOWERSx12", "US", "malformed_phone"),
        ("+442071838750;jane", None, "malformed_phone"),
        ("+442071838750, +442071838751", None, "malformed_phone"),
        ("+442071838750;447400123456", None, "malformed_phone"),
        ("+442071838750/447400123456", None, "malformed_phone"),
        ("jane@example.com", "US", "malformed_phone"),
        ("5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25", "US", "malformed_phone"),
        ("1" * 10_000, "US", "malformed_phone"),
        ("a" * 200_000, "US", "malformed_phone"),
    ],
)
def test_a_number_becomes_e164_or_is_refused(raw: str | None, country: str | None, expected: str) -> None:
    assert outcome(raw, country) == expected
    assert outcome_for_events(raw, country) == expected


def test_the_rule_says_whether_the_plus_is_hashed() -> None:
    assert outcome("+37493828222", rule=PhoneRule.PLUS) == "+37493828222"
    assert outcome("+37493828222", rule=PhoneRule.NO_PLUS) == "37493828222"
    assert outcome("+37493828222", rule=PhoneRule.BOTH) == "+37493828222 37493828222"


def test_an_unknown_default_country_is_the_settings_fault() -> None:
    with pytest.raises(ValueError, match="default_country") as caught:
        normalise_phone("+442071838750", default_country="UK")

    assert not isinstance(caught.value, InvalidIdentifier)
    assert is_known_country("GB")
    assert is_known_country("gb")
    assert not any(map(is_known_country, ["UK", "XX", "ZZ", "GBR", "001", ""]))


def test_a_refusal_does_not_hold_the_number() -> None:
    with pytest.raises(InvalidIdentifier) as caught:
        normalise_phone("+44 20 7183 875x0")

    assert str(caught.value) == caught.value.reason == "malformed_phone"
    assert caught.value.__cause__ is None


COUNTRIES = st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS))
FORMATS = st.sampled_from([0, 1, 2, 3])  # E.164, international, national, RFC 3966


@st.composite
def any_number(draw: st.DrawFn) -> tuple[str, str]:
    country = draw(COUNTRIES)
    example = phonenumbers.example_number(country)
    assert example is not None
    return phonenumbers.format_number(example, draw(FORMATS)), country


@given(any_number())
def test_a_number_of_any_country_in_any_writing_is_read(number_and_country: tuple[str, str]) -> None:
    number, country = number_and_country

    (text,) = normalise_phone(number, default_country=country)

    assert normalise_phone(text) == (text,)
    assert phonenumbers.parse(text).country_code == phonenumbers.country_code_for_region(country)


DIGITS = st.from_regex(r"\+?[0-9 ().-]{4,16}", fullmatch=True)


@given(st.text() | DIGITS | DIGITS.map("tel:{}".format), st.none() | COUNTRIES)
def test_any_text_is_normalised_for_good_or_refused(raw: str, country: str | None) -> None:
    try:
        with_plus, without = normalise_phone(raw, PhoneRule.BOTH, default_country=country)
    except InvalidIdentifier:
        return
    assert with_plus == "+" + without
    assert without.isascii()
    assert without.isdigit()
    assert normalise_phone(with_plus) == normalise_phone(with_plus, default_country=country) == (with_plus,)
    assert normalise_phone_for_events(raw, default_country=country) == with_plus
    assert country is not None or "+" in raw or "\uff0b" in raw


def test_the_library_is_not_loaded_before_a_number_is_read() -> None:
    code = "import sys, lambdas.identifiers.hashing; sys.exit('phonenumbers' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
