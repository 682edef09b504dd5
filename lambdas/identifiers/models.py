"""What the rules for identifiers speak of: why a value is refused, and which of TikTok's rules is followed."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a value is not hashed. Stable codes for receipts and metrics."""

    EMPTY = "empty"
    NULL_WORD = "null_word"
    MALFORMED_EMAIL = "malformed_email"
    MALFORMED_PHONE = "malformed_phone"
    PHONE_WITHOUT_COUNTRY = "phone_without_country"
    MALFORMED_DEVICE_ID = "malformed_device_id"
    ZERO_DEVICE_ID = "zero_device_id"
    UNFIT_HASH = "unfit_hash"
    MALFORMED_EXTERNAL_ID = "malformed_external_id"
    MALFORMED_NAME = "malformed_name"
    MALFORMED_ZIP_CODE = "malformed_zip_code"
    MALFORMED_PLACE = "malformed_place"


class InvalidIdentifier(ValueError):
    """A value that is not hashed. Holds the reason alone, never the value."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class EmailRule(StrEnum):
    """Which text of an address is hashed for an audience; TikTok has published two (API reference section 5.1).

    ``PLAIN``: no blanks, lower case. ``OLDER``: also without ``+tag``, and without any dot before the ``@``.
    ``BOTH``: the plain text, then the older one where it differs.
    """

    PLAIN = "plain"
    OLDER = "older"
    BOTH = "both"


class PhoneRule(StrEnum):
    """Which text of a number is hashed for an audience; TikTok has published two (API reference section 5.1).

    ``PLUS``: E.164. ``NO_PLUS``: E.164 without its "+", as in the hash that the help centre prints.
    ``BOTH``: with "+", then without.
    """

    PLUS = "plus"
    NO_PLUS = "no_plus"
    BOTH = "both"


class HashAlgorithm(StrEnum):
    """TikTok takes MD5 for device ids only (API reference section 3.2)."""

    SHA256 = "sha256"
    MD5 = "md5"


class IdentifierKind(StrEnum):
    """What an identifier is, before it is hashed. IDFA, GAID and AAID are all device ids."""

    EMAIL = "email"
    PHONE = "phone"
    DEVICE = "device"


class IdentifierSpace(StrEnum):
    """Identifiers that have the same content: a person has one hash in every format of a space.

    Of the ids of devices, idfa, gaid (aaid), first and maid are the same content.
    """

    EMAIL_SHA256 = "EMAIL_SHA256"
    PHONE_SHA256 = "PHONE_SHA256"
    DEVICE_SHA256 = "DEVICE_SHA256"
    DEVICE_MD5 = "DEVICE_MD5"

    @classmethod
    def of(cls, kind: IdentifierKind, algorithm: HashAlgorithm) -> IdentifierSpace:
        """The space of a kind's hashes."""
        return cls(f"{kind}_{algorithm}".upper())

    @property
    def digest_bytes(self) -> int:
        """How long a raw digest is."""
        return 16 if self is IdentifierSpace.DEVICE_MD5 else 32
