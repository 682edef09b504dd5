"""From a raw value to its hash: TikTok's printed examples, and that no hash is hashed again."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.identifiers.hashing import (
    find_hash,
    hash_device_id,
    hash_email,
    hash_email_for_events,
    hash_phone,
    hash_phone_for_events,
    md5_hex,
    sha256_hex,
)
from lambdas.identifiers.models import EmailRule, HashAlgorithm, InvalidIdentifier, PhoneRule

# API reference section 5.1.
ALICE = "848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f"
ALICES_PHONE = "9f7ec22d72092cd3c0b58726ed9c2d91b92e51a3f29837508fb2948bb22dd2fd"
USER_123 = "80fba0ae1c48e3978e43e4efc365e14e12ea0c830ba8ba5b9a2dafc7e3f2ab8b"
HELP_CENTRE_PHONE = "65b7e6dcf6f4310f8d7cbfbd78289a753062fb054d6664fb9aaac5df66a422d4"
HELP_CENTRE_EMAIL = "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69"
HELP_CENTRE_DEVICE_ID = "83dc3f5f32b9472613b0f038d36f22585a609d018af6f6067f50da318bf354bd"

DEVICE_ID = "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"
MD5 = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("alice_abc@gmail.com", ALICE),
        ("+12133734253", ALICES_PHONE),
        ("user_123", USER_123),
        ("37493828222", HELP_CENTRE_PHONE),
        ("janedoe@gmail.com", HELP_CENTRE_EMAIL),
        (DEVICE_ID, HELP_CENTRE_DEVICE_ID),
    ],
)
def test_the_hashes_that_tiktok_prints_are_sha256(text: str, printed: str) -> None:
    assert sha256_hex(text) == printed


def test_the_events_rules_give_the_hashes_that_tiktok_prints() -> None:
    assert hash_email_for_events(" Alice_ABC@gmail.com ") == ALICE
    assert hash_phone_for_events("+1 (213) 373-4253") == ALICES_PHONE
    assert hash_phone_for_events("213-373-4253", default_country="US") == ALICES_PHONE


def test_the_audience_rules_give_the_hashes_that_the_help_centre_prints() -> None:
    assert hash_email("Jane Doe@Gmail.com") == (HELP_CENTRE_EMAIL,)
    assert hash_email("jane.doe+news@gmail.com", EmailRule.OLDER) == (HELP_CENTRE_EMAIL,)
    assert hash_phone("+374 93 828222", PhoneRule.NO_PLUS) == (HELP_CENTRE_PHONE,)
    assert hash_phone("+374 93 828222", PhoneRule.BOTH) == (sha256_hex("+37493828222"), HELP_CENTRE_PHONE)
    assert hash_device_id(DEVICE_ID.upper()) == HELP_CENTRE_DEVICE_ID


def test_both_rules_hash_the_plain_text_first() -> None:
    assert hash_email("jane.doe@gmail.com", EmailRule.BOTH) == (sha256_hex("jane.doe@gmail.com"), HELP_CENTRE_EMAIL)
    assert hash_email("janedoe@gmail.com", EmailRule.BOTH) == (HELP_CENTRE_EMAIL,)


def test_a_device_id_is_hashed_by_md5_where_the_format_asks_for_it() -> None:
    assert md5_hex("") == "d41d8cd98f00b204e9800998ecf8427e"
    assert hash_device_id(f" {DEVICE_ID.upper()} ", HashAlgorithm.MD5) == md5_hex(DEVICE_ID)


@pytest.mark.parametrize("raw", [ALICE, ALICE.upper(), f' "{ALICE}"\r\n', f"\ufeff{ALICE[:9].upper()}{ALICE[9:]}"])
def test_a_hash_is_passed_on_in_lower_case(raw: str) -> None:
    assert find_hash(raw) == ALICE
    assert hash_email(raw, EmailRule.BOTH) == (ALICE,)
    assert hash_phone(raw, PhoneRule.BOTH, default_country="US") == (ALICE,)
    assert hash_device_id(raw) == ALICE
    assert hash_email_for_events(raw) == hash_phone_for_events(raw) == ALICE


def test_a_hash_of_the_other_algorithm_is_refused() -> None:
    for refused in (
        lambda: hash_email(MD5),
        lambda: hash_phone(MD5, default_country="US"),
        lambda: hash_device_id(MD5),
        lambda: hash_device_id(DEVICE_ID.replace("-", "")),
        lambda: hash_device_id(ALICE, HashAlgorithm.MD5),
        lambda: hash_email_for_events(MD5),
        lambda: hash_phone_for_events(MD5),
    ):
        with pytest.raises(InvalidIdentifier, match=r"\Aunfit_hash\Z"):
            refused()
    assert hash_device_id(MD5.upper(), HashAlgorithm.MD5) == MD5


@pytest.mark.parametrize("hexadecimal", [ALICE[:-1], ALICE + "0", ALICE[:40], MD5[:-1], f"sha256:{ALICE}", "0x" + MD5])
def test_hex_of_another_length_is_no_identifier_either(hexadecimal: str) -> None:
    assert find_hash(hexadecimal) is None
    with pytest.raises(InvalidIdentifier, match="malformed_email"):
        hash_email(hexadecimal)
    with pytest.raises(InvalidIdentifier, match="malformed_phone"):
        hash_phone(hexadecimal, default_country="US")
    with pytest.raises(InvalidIdentifier, match="malformed_device_id"):
        hash_device_id(hexadecimal)


@pytest.mark.parametrize("raw", [None, "", "  ", '""', "NULL", "'none'", "NaN", "n/a", "\\N"])
def test_nothing_is_never_hashed(raw: str | None) -> None:
    for refused in (
        lambda: find_hash(raw),
        lambda: hash_email(raw),
        lambda: hash_phone(raw, default_country="US"),
        lambda: hash_device_id(raw),
        lambda: hash_email_for_events(raw),
        lambda: hash_phone_for_events(raw, default_country="US"),
    ):
        with pytest.raises(InvalidIdentifier, match=r"\A(empty|null_word)\Z"):
            refused()


RAW = (
    st.text()
    | st.emails()
    | st.uuids().map(str)
    | st.from_regex(r"\+?[0-9 ().-]{6,16}", fullmatch=True)
    | st.from_regex(r"[0-9a-fA-F]{64}|[0-9a-fA-F]{32}", fullmatch=True)
)


@given(RAW)
def test_the_hash_of_a_hash_never_happens(raw: str) -> None:
    def repeat(value: str) -> tuple[str, ...]:
        emails, phones = hash_email(value, EmailRule.BOTH), hash_phone(value, PhoneRule.BOTH, default_country="US")
        events = hash_email_for_events(value), hash_phone_for_events(value, default_country="US")
        return (*emails, *phones, *events, hash_device_id(value))

    hashes: list[str] = []
    with suppress(InvalidIdentifier):
        hashes += hash_email(raw, EmailRule.BOTH)
    with suppress(InvalidIdentifier):
        hashes += hash_phone(raw, PhoneRule.BOTH, default_country="US")
    with suppress(InvalidIdentifier):
        hashes.append(hash_device_id(raw))
    with suppress(InvalidIdentifier):
        hashes.append(hash_email_for_events(raw))
    for value in hashes:
        assert len(value) == 64
        assert set(repeat(value)) == {value} == set(repeat(value.upper()))


@given(RAW)
def test_md5_hashes_are_not_hashed_again_either(raw: str) -> None:
    try:
        value = hash_device_id(raw, HashAlgorithm.MD5)
    except InvalidIdentifier:
        return
    assert len(value) == 32
    assert hash_device_id(value.upper(), HashAlgorithm.MD5) == value
