"""The text of a phone number that is hashed: E.164, with or without its "+". API reference section 5.1.

What a number is, is left to the library ``phonenumbers`` and its data on every country. A number must be valid there,
not only of a possible length: that keeps a national number of one country from passing as one of another, and
placeholders out. Its data ages, so the package is to be kept up to date.
"""

from __future__ import annotations

import re

from lambdas.identifiers.models import InvalidIdentifier, PhoneRule, Reason
from lambdas.identifiers.reading import read_value

_LONGEST_NUMBER = 250  # characters that the library reads
_LONGEST_EXTENSION = 6  # what follows a number and has more digits is another number
_DECIMAL = re.compile(r"\+?[0-9]+\.0").fullmatch
_EXTENSION = re.compile(r"[^\W\d_]+[\s.:=]*\d+\Z")


def normalise_phone(
    raw: str | None, rule: PhoneRule = PhoneRule.PLUS, *, default_country: str | None = None
) -> tuple[str, ...]:
    """The texts of a number that are hashed for an audience: one, or two by ``PhoneRule.BOTH``.

    ``default_country`` (ISO 3166, two letters) is where a number without "+" is dialled; without it such a number is
    refused, also one that starts with 00, for no country is ever guessed. An extension is left out.
    """
    number = _e164(raw, default_country)
    if rule is PhoneRule.PLUS:
        return (number,)
    if rule is PhoneRule.NO_PLUS:
        return (number[1:],)
    return (number, number[1:])


def normalise_phone_for_events(raw: str | None, *, default_country: str | None = None) -> str:
    """The text of a number that is hashed for the Events API: E.164 with "+"."""
    return _e164(raw, default_country)


def is_known_country(code: str) -> bool:
    """Whether a code can be a ``default_country``."""
    import phonenumbers

    return code.upper() in phonenumbers.SUPPORTED_REGIONS


def _e164(raw: str | None, default_country: str | None) -> str:
    # Imported here, for its import takes longer than all else that a function without phone numbers does.
    import phonenumbers

    if default_country is not None and not is_known_country(default_country):
        raise ValueError("default_country is not an ISO 3166 code of two letters")
    text = read_value(raw)
    if len(text) > _LONGEST_NUMBER:
        raise InvalidIdentifier(Reason.MALFORMED_PHONE)
    if _DECIMAL(text):
        # A column of numbers as pandas and spreadsheets export it; the library would take the 0 for a digit.
        text = text[:-2]
    # The library turns letters into digits (1-800-FLOWERS) or drops them, and so makes other numbers of typing errors.
    # They are let through only as the word before an extension, and in the parameters of a tel: URI (RFC 3966).
    subscriber = text.removeprefix("tel:").partition(";")[0]
    digits = _EXTENSION.sub("", subscriber)
    if any(character.isalpha() for character in digits):
        raise InvalidIdentifier(Reason.MALFORMED_PHONE)
    try:
        number = phonenumbers.parse(text, default_country.upper() if default_country else None)
    except phonenumbers.NumberParseException as error:
        countryless = error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE and "+" not in text
        reason = Reason.PHONE_WITHOUT_COUNTRY if countryless else Reason.MALFORMED_PHONE
        raise InvalidIdentifier(reason) from None
    extension = number.extension or ""
    spelt_in_letters = digits != subscriber and (not extension or phonenumbers.is_alpha_number(subscriber))
    if spelt_in_letters or len(extension) > _LONGEST_EXTENSION or not phonenumbers.is_valid_number(number):
        raise InvalidIdentifier(Reason.MALFORMED_PHONE)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
