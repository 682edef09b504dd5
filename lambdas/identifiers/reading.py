"""Reads a raw value out of its field: what surrounds it is taken off, and what stands for nothing is refused."""

from __future__ import annotations

import unicodedata

from lambdas.identifiers.models import InvalidIdentifier, Reason

_CONTROLS = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029"  # they separate fields and lines


def _span(first: int, last: int) -> str:
    return "".join(map(chr, range(first, last + 1)))


# Spaces, and the invisible characters that come along when text is copied (soft hyphen, zero width, direction marks).
SPACES = (
    " \xa0\xad\u061c\u1680\u180e"
    + _span(0x2000, 0x200F)
    + _span(0x202A, 0x202F)
    + _span(0x205F, 0x2064)
    + _span(0x2066, 0x206F)
    + "\u3000\ufeff"
)
_QUOTES = "\"'`\u00ab\u00bb\u2018\u2019\u201c\u201d"
_BLANKS = SPACES + _CONTROLS
_EDGES = _BLANKS + _QUOTES

# What databases, spreadsheets and pandas write for nothing. None of them is an identifier of any kind.
NULL_WORDS = frozenset(
    {
        "null",
        "(null)",
        "<null>",
        "none",
        "<none>",
        "nan",
        "<na>",
        "na",
        "n/a",
        "#n/a",
        "nil",
        "undefined",
        "\\n",
        "-",
        "--",
    }
)

# Full-width and half-width forms, which East Asian keyboards give, become the characters that they stand for (the
# width mapping rule of RFC 8264 section 5.2.1).
_WIDTHS = {code: unicodedata.normalize("NFKC", chr(code)) for code in (0x3000, *range(0xFF01, 0xFFEF))}


def read_value(raw: str | None) -> str:
    """The value without surrounding blanks and quotes, in plain width and lower case; every kind ignores case.

    Raises ``InvalidIdentifier`` for nothing at all, and for a word that stands for it.
    """
    text = raw or ""
    if not text.isascii():
        text = text.translate(_WIDTHS)
    text = text.strip(_EDGES).lower()
    if not text:
        raise InvalidIdentifier(Reason.EMPTY)
    if text in NULL_WORDS:
        raise InvalidIdentifier(Reason.NULL_WORD)
    return text


def read_as_written(raw: str | None) -> str:
    """The value without surrounding blanks, and otherwise as it is written. Raises as ``read_value`` does."""
    text = (raw or "").strip(_BLANKS)
    if not text:
        raise InvalidIdentifier(Reason.EMPTY)
    if text.lower() in NULL_WORDS:
        raise InvalidIdentifier(Reason.NULL_WORD)
    return text
