"""Device ids: which text is hashed, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.identifiers.device_ids import (
    normalise_device_id,
    normalise_gaid_for_events,
    normalise_idfa_for_events,
)
from lambdas.identifiers.models import InvalidIdentifier

DEVICE_ID = "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"


def outcome(raw: str | None) -> str:
    try:
        return normalise_device_id(raw)
    except InvalidIdentifier as error:
        return error.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (DEVICE_ID, DEVICE_ID),
        (DEVICE_ID.upper(), DEVICE_ID),
        (f" {DEVICE_ID}\r\n", DEVICE_ID),
        (f'"{DEVICE_ID}"', DEVICE_ID),
        (f"\ufeff{DEVICE_ID}\u200b", DEVICE_ID),
        ("{" + DEVICE_ID.upper() + "}", DEVICE_ID),
        ("\uff15" + DEVICE_ID[1:], DEVICE_ID),
        ("00000000-0000-0000-0000-000000000000", "zero_device_id"),
        ("{00000000-0000-0000-0000-000000000000}", "zero_device_id"),
        (None, "empty"),
        ("", "empty"),
        (" ' ' ", "empty"),
        ("NULL", "null_word"),
        ("none", "null_word"),
        ("NaN", "null_word"),
        ("n/a", "null_word"),
        # Without its dashes it could be an MD5 hash.
        (DEVICE_ID.replace("-", ""), "malformed_device_id"),
        ("0" * 32, "malformed_device_id"),
        (DEVICE_ID[:-1], "malformed_device_id"),
        (DEVICE_ID + "0", "malformed_device_id"),
        ("g" + DEVICE_ID[1:], "malformed_device_id"),
        (f"{DEVICE_ID},{DEVICE_ID}", "malformed_device_id"),
        (f"{DEVICE_ID[:8]} {DEVICE_ID[8:]}", "malformed_device_id"),
        (DEVICE_ID.replace("-", "\u2013"), "malformed_device_id"),
        ("\u0665" + DEVICE_ID[1:], "malformed_device_id"),
        ("{" + DEVICE_ID, "malformed_device_id"),
        ("{", "malformed_device_id"),
        ("{}", "malformed_device_id"),
        (f"urn:uuid:{DEVICE_ID}", "malformed_device_id"),
        ("jane@example.com", "malformed_device_id"),
        ("+442071838750", "malformed_device_id"),
    ],
)
def test_a_device_id_becomes_lower_case_or_is_refused(raw: str | None, expected: str) -> None:
    assert outcome(raw) == expected


def test_unhashed_events_take_an_idfa_in_capitals_and_a_gaid_in_small_letters() -> None:
    assert normalise_idfa_for_events(f" {DEVICE_ID}") == DEVICE_ID.upper()
    assert normalise_gaid_for_events(f" {DEVICE_ID.upper()}") == DEVICE_ID


@given(st.text() | st.uuids().map(str) | st.uuids().map(lambda uuid: f" {{{uuid}}}".upper()))
def test_any_text_is_normalised_for_good_or_refused(raw: str) -> None:
    try:
        text = normalise_device_id(raw)
    except InvalidIdentifier:
        return
    assert normalise_device_id(text) == text == text.lower()
    assert len(text) == len(text.strip()) == len(DEVICE_ID)
