"""From a raw value to its hash, in lower-case hex. A value that is a hash already is passed on, never hashed again."""

from __future__ import annotations

import hashlib
import re

from lambdas.identifiers.device_ids import normalise_device_id
from lambdas.identifiers.emails import normalise_email, normalise_email_for_events
from lambdas.identifiers.models import EmailRule, HashAlgorithm, InvalidIdentifier, PhoneRule, Reason
from lambdas.identifiers.phones import normalise_phone, normalise_phone_for_events
from lambdas.identifiers.reading import read_value

_ALGORITHMS = {64: HashAlgorithm.SHA256, 32: HashAlgorithm.MD5}
_IS_HASH = re.compile(r"[0-9a-f]{64}|[0-9a-f]{32}").fullmatch


def sha256_hex(text: str) -> str:
    """The SHA-256 hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def md5_hex(text: str) -> str:
    """The MD5 hash of a text, for the formats of TikTok's that ask for it."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


_HASHERS = {HashAlgorithm.SHA256: sha256_hex, HashAlgorithm.MD5: md5_hex}


def find_hash(raw: str | None, algorithm: HashAlgorithm = HashAlgorithm.SHA256) -> str | None:
    """The value in lower case if it is a hash already (64 or 32 hex digits), otherwise None.

    A hash of the other algorithm is refused: its text is unknown, and its own hash would match nobody.
    """
    text = read_value(raw)
    if not _IS_HASH(text):
        return None
    if _ALGORITHMS[len(text)] is not algorithm:
        raise InvalidIdentifier(Reason.UNFIT_HASH)
    return text


def hash_email(raw: str | None, rule: EmailRule = EmailRule.PLAIN) -> tuple[str, ...]:
    """The hashes of an e-mail address for an audience, the most likely to match first."""
    known = find_hash(raw)
    return (known,) if known else tuple(map(sha256_hex, normalise_email(raw, rule)))


def hash_phone(
    raw: str | None, rule: PhoneRule = PhoneRule.PLUS, *, default_country: str | None = None
) -> tuple[str, ...]:
    """The hashes of a phone number for an audience, the most likely to match first."""
    known = find_hash(raw)
    return (known,) if known else tuple(map(sha256_hex, normalise_phone(raw, rule, default_country=default_country)))


def hash_device_id(raw: str | None, algorithm: HashAlgorithm = HashAlgorithm.SHA256) -> str:
    """The hash of a device id for an audience."""
    return find_hash(raw, algorithm) or _HASHERS[algorithm](normalise_device_id(raw))


def hash_email_for_events(raw: str | None) -> str:
    """The hash of an e-mail address for the Events API."""
    return find_hash(raw) or sha256_hex(normalise_email_for_events(raw))


def hash_phone_for_events(raw: str | None, *, default_country: str | None = None) -> str:
    """The hash of a phone number for the Events API."""
    return find_hash(raw) or sha256_hex(normalise_phone_for_events(raw, default_country=default_country))
