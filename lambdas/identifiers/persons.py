"""What the Events API takes of a person beside address, number and device: an external id, names, and where they live.

TikTok publishes no exact rule for names and places (API reference section 5.1). These are the ones that integrators
share: names and zip codes without blanks, in lower case, hashed; places of letters and digits alone, not hashed.
"""

from __future__ import annotations

import re
import unicodedata

from lambdas.identifiers.models import InvalidIdentifier, Reason
from lambdas.identifiers.reading import SPACES, read_as_written, read_value

_BLANKS = dict.fromkeys(map(ord, SPACES + "\t"))
_BLANKS_AND_DASHES = {**_BLANKS, **dict.fromkeys(map(ord, "-\u2010\u2011\u2012\u2013\u2014\u2212"))}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]").search
_DIGITS_OF_A_NUMBER = 7
# Of any script; without its marks, a text in one like Devanagari would be another.
_LETTERS_MARKS_DIGITS = frozenset("LMN")


def normalise_external_id(raw: str | None) -> str:
    """The text of an external id that is hashed: trimmed, its case kept."""
    text = read_as_written(raw)
    if _CONTROLS(text):
        raise InvalidIdentifier(Reason.MALFORMED_EXTERNAL_ID)
    return text


def normalise_name(raw: str | None) -> str:
    """The text of a first or last name that is hashed: lower case, composed (NFC), without blanks."""
    return _reduce(raw, _BLANKS, Reason.MALFORMED_NAME)


def normalise_zip_code(raw: str | None) -> str:
    """The text of a zip code that is hashed: lower case, without blanks and dashes."""
    return _reduce(raw, _BLANKS_AND_DASHES, Reason.MALFORMED_ZIP_CODE)


def normalise_place(raw: str | None) -> str:
    """A city or a state as it is sent, not hashed: its letters and digits, in lower case.

    What looks like an e-mail address or a phone number is refused: columns may be mixed up, and this one is not hashed.
    """
    text = read_value(raw)
    if "@" in text or sum(each.isdigit() for each in text) >= _DIGITS_OF_A_NUMBER:
        raise InvalidIdentifier(Reason.MALFORMED_PLACE)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    place = "".join(each for each in text if each.isalnum() or unicodedata.category(each)[0] in _LETTERS_MARKS_DIGITS)
    if not place:
        raise InvalidIdentifier(Reason.MALFORMED_PLACE)
    return place


def normalise_country(raw: str | None) -> str:
    """A country as it is sent, like a place. Namibia's code is a word for nothing elsewhere."""
    if (raw or "").strip().lower() == "na":
        return "na"
    return normalise_place(raw)


def _reduce(raw: str | None, left_out: dict[int, None], reason: Reason) -> str:
    text = read_value(raw).translate(left_out)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if not text or _CONTROLS(text):
        raise InvalidIdentifier(reason)
    return text
