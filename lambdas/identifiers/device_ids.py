"""The text of an advertising id (IDFA, GAID) that is hashed. API reference section 5.1."""

from __future__ import annotations

import re

from lambdas.identifiers.models import InvalidIdentifier, Reason
from lambdas.identifiers.reading import read_value

_IS_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}").fullmatch
# What a device gives whose owner has limited ad tracking: it is everybody's, and nobody's.
_ZERO = "00000000-0000-0000-0000-000000000000"


def normalise_device_id(raw: str | None) -> str:
    """The text of a device id that is hashed for an audience: lower case, as in the hash that the help centre prints.

    Its dashes are required: 32 hex digits alone could as well be an MD5 hash.
    """
    text = read_value(raw)
    if text[0] == "{" and text[-1] == "}":
        text = text[1:-1]
    if not _IS_UUID(text):
        raise InvalidIdentifier(Reason.MALFORMED_DEVICE_ID)
    if text == _ZERO:
        raise InvalidIdentifier(Reason.ZERO_DEVICE_ID)
    return text


def normalise_idfa_for_events(raw: str | None) -> str:
    """An IDFA as the Events API takes it unhashed: upper case."""
    return normalise_device_id(raw).upper()


def normalise_gaid_for_events(raw: str | None) -> str:
    """A GAID as the Events API takes it unhashed: lower case."""
    return normalise_device_id(raw)
