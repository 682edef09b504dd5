"""Recognises plain personal data and names of columns, and says why a value is no hash. Pure."""

from __future__ import annotations

import re
import unicodedata

from lambdas.audiences.rows.reasons import PLAIN_REASONS, RowReason

LONGEST_VALUE = 1 << 10  # bytes that are looked at; an identifier has far fewer

SEPARATORS = re.compile(r"[,;\t|]")
_IS_HEX = re.compile(r"[0-9A-Fa-f]+").fullmatch
# A name of a column: letters first, and no more digits than a name has ("email_sha256", "hash_2026_11").
_IS_NAME = re.compile(r"(?!(?:\D*\d){7})[^\W\d][\w .:/()#-]{0,63}").fullmatch
_ADDRESS = re.compile(r"[^\s@]\s*(?:@|%40)\s*[^\s@]").search
_DEVICE_ID = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])").search
_DASHES = re.compile(r"[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_DATES = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?(?!\d)")
_SHORTEST_PHONE = 7
_PHONES = re.compile(r"(?<![0-9A-Za-z])\(?\+?\d(?:[\s()./-]{0,3}\d){6,14}(?![0-9A-Za-z])").search


def reason_of(value: bytes) -> RowReason:
    """Why a value that is no hash is not sent; plain personal data comes first.

    A value that is too long is judged by its head, whether there is more of it or not.
    """
    text = readable(value[:LONGEST_VALUE])
    plain = plain_reason(text)
    if plain is not None:
        return plain
    if len(value) > LONGEST_VALUE:
        return RowReason.TOO_LONG
    if b"\x00" in value or not is_utf8(value):
        return RowReason.NOT_UTF8
    if SEPARATORS.search(text):
        return RowReason.SEVERAL_COLUMNS
    return RowReason.WRONG_LENGTH if _IS_HEX(text) else RowReason.NOT_HEX


def is_header(value: bytes) -> bool:
    """Whether a first line names columns, rather than being a row that went wrong."""
    if not is_utf8(value) or reason_of(value) in PLAIN_REASONS:
        return False
    return all(is_name(name.strip(" \"'")) for name in SEPARATORS.split(value.decode()))


def is_name(text: str) -> bool:
    """Whether a text could be the name of a column, and is no hash."""
    return bool(_IS_NAME(text)) and not (_IS_HEX(text) and len(text) >= 16)


def readable(head: bytes) -> str:
    """A value as a person would read it: one form for the variants under which an address or a number may hide."""
    # UTF-16 read as bytes has a NUL beside every character.
    head = head.replace(b"\x00", b"")
    if head.isascii():
        return head.decode()
    text = unicodedata.normalize("NFKC", head.decode(errors="replace"))
    return _DASHES.sub("-", "".join(each for each in text if unicodedata.category(each) != "Cf"))


def plain_reason(text: str) -> RowReason | None:
    """What plain personal data a value seems to hold, anywhere in it."""
    if ("@" in text or "%40" in text) and _ADDRESS(text):
        return RowReason.PLAIN_EMAIL
    if len(text) >= _SHORTEST_PHONE:
        # Neither is without a hyphen, and few values have one.
        has_hyphen = "-" in text
        if has_hyphen and _DEVICE_ID(text):
            return RowReason.PLAIN_DEVICE_ID
        if _PHONES(_DATES.sub(" ", text) if has_hyphen else text):
            return RowReason.PLAIN_PHONE
    return None


def is_utf8(value: bytes) -> bool:
    """Whether bytes are text."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
