"""The usual way to write a phone number, read in a tenth of the time that the library takes for a text of any kind.

What a number is, is still left to ``phonenumbers``: its patterns are asked, of the country that a calling code belongs
to first of all, and of its fixed lines and mobiles. Whatever else there is, is for ``normalise_phone``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import NamedTuple

# What ends in ".0" may be a number that a spreadsheet has exported.
_IS_USUAL = re.compile(r"\+[1-9][0-9 ().-]{5,30}[0-9](?<!\.0)").fullmatch
_PUNCTUATION = dict.fromkeys(map(ord, " ().-"))

_Match = Callable[[str], re.Match[str] | None]
_Shape = tuple[frozenset[int], _Match]

# Of what a country does not have.
_NONE: _Shape = (frozenset({-1}), re.compile(r"\Z.").fullmatch)


class _Country(NamedTuple):
    """What follows its calling code: has shape ``possible`` and one of ``valid``; each with its lengths (empty: any).

    Where ``is_altered`` holds, the library may take digits away, as the 0 of +44 (0)7400.
    """

    is_altered: _Match | None
    possible: _Shape
    valid: tuple[_Shape, ...]


def read_usual_phone(text: str) -> str | None:
    """The E.164 form, with "+", of a valid number that begins with "+"; None for what ``normalise_phone`` has to read.

    ``normalise_phone`` gives the same for all that is not None.
    """
    text = text.strip()
    if not _IS_USUAL(text):
        return None
    number = text.translate(_PUNCTUATION)
    countries = _countries()
    # No calling code is the beginning of another one.
    for length in (1, 2, 3):
        code = number[1 : length + 1]
        if code in countries:
            rest = number[length + 1 :]
            country = _country(code)
            return number if country is not None and _is_valid(rest, country) else None
    return None


def _is_valid(rest: str, country: _Country) -> bool:
    if (country.is_altered is not None and country.is_altered(rest)) or not _has_shape(rest, country.possible):
        return False
    return any(_has_shape(rest, shape) for shape in country.valid)


def _has_shape(rest: str, shape: _Shape) -> bool:
    lengths, match = shape
    return (not lengths or len(rest) in lengths) and match(rest) is not None


@functools.cache
def _countries() -> frozenset[str]:
    # Imported here for its time, as in ``phones``.
    import phonenumbers

    return frozenset(map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE))


@functools.cache
def _country(calling_code: str) -> _Country | None:
    """The first country of a calling code; None where its data does not suffice to tell a number of it."""
    import phonenumbers

    code = int(calling_code)
    region = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code][0]
    data = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    # One without leading digits is the first whose patterns the library tries.
    if data is None or data.leading_digits is not None:
        return None
    kinds = [data.general_desc, data.fixed_line]
    if not data.same_mobile_and_fixed_line_pattern:
        kinds.append(data.mobile)
    possible, *valid = (
        (frozenset(kind.possible_length), re.compile(kind.national_number_pattern).fullmatch)
        if kind is not None and kind.national_number_pattern
        else _NONE
        for kind in kinds
    )
    altered = data.national_prefix_for_parsing
    return _Country(re.compile(altered).match if altered else None, possible, tuple(valid))
