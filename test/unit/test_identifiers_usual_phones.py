"""What the short way reads of phone numbers is what the long way reads; and it leaves alone what it does not know."""

from __future__ import annotations

import random

import phonenumbers
import pytest

from lambdas.identifiers.models import InvalidIdentifier
from lambdas.identifiers.phones import normalise_phone
from lambdas.identifiers.usual_phones import read_usual_phone

_CODES = phonenumbers.COUNTRY_CODE_TO_REGION_CODE


def _examples() -> list[str]:
    """Numbers of every kind in every country, as the library gives them."""
    found = []
    for code, regions in _CODES.items():
        for region in regions:
            for kind in phonenumbers.PhoneNumberType.values():
                example = (
                    phonenumbers.example_number_for_non_geo_entity(code)
                    if region == "001"
                    else phonenumbers.example_number_for_type(region, kind)
                )
                if example is not None:
                    found.append(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164))
    return sorted(set(found))


_EXAMPLES = _examples()


def _long_way(text: str) -> str | None:
    try:
        return normalise_phone(text)[0]
    except InvalidIdentifier:
        return None


def _mistyped(number: str, source: random.Random) -> str:
    characters = list(number)
    for _ in range(source.randrange(4)):
        position = source.randrange(1, len(characters))
        what = source.choice(("another", "one more", "none", "punctuation"))
        if what == "another":
            characters[position] = source.choice("0123456789")
        elif what == "one more":
            characters.insert(position, source.choice("0123456789"))
        elif what == "none":
            characters.pop(position)
        else:
            characters.insert(position, source.choice(" ()-."))
    return "".join(characters)


def _any_number(source: random.Random) -> str:
    return f"+{source.choice(list(_CODES))}{source.randrange(10 ** source.randrange(4, 14))}"


@pytest.mark.parametrize("seed", range(4))
def test_what_is_read_the_short_way_is_what_the_library_reads(seed: int) -> None:
    source = random.Random(seed)  # noqa: S311
    texts = [_mistyped(example, source) for example in _EXAMPLES] + [_any_number(source) for _ in range(1000)]

    read = {text: number for text in texts if (number := read_usual_phone(text)) is not None}

    assert len(read) > 200
    assert read == {text: _long_way(text) for text in read}


@pytest.mark.parametrize(
    "text",
    ["+1 (213) 373-4253", "+1.213.373.4250", "+44 7400 123456", "+49 151 23456789", "+33612345678", " +390612345678 "],
)
def test_usual_numbers_of_people_are_read_the_short_way(text: str) -> None:
    assert read_usual_phone(text) == _long_way(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "2133734253",
        "0012133734253",
        "+44 (0)7400 123456",
        "+4915123456789.0",
        "+1 213 373 4253 ext. 5",
        "tel:+12133734253",
        "+12133734253;ext=5",
        "\uff0b12133734253",
        "+1213373425",
        "+999123456789",
        "+",
        "",
    ],
)
def test_anything_else_is_left_to_the_library(text: str) -> None:
    assert read_usual_phone(text) is None
