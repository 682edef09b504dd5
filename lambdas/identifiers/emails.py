"""The text of an e-mail address that is hashed. TikTok contradicts itself: API reference section 5.1.

Both channels take lower case. Beyond TikTok's words, which speak of blanks, case, tags and dots only:

- Full-width forms become plain ones, and composed and decomposed letters become one (NFC), as RFC 8265 section 3.3
  prescribes for user names. Other compatibility characters (ligatures, mathematical letters) are refused rather than
  mapped: no mailbox is spelt with them.
- An internationalised domain is hashed as it is written, in letters or as ``xn--``. TikTok names no form, and a
  conversion would change the hash that the same address has elsewhere.
- The shape is checked without quoted local parts, comments, address literals and hosts without a dot. Dots may stand
  anywhere before the ``@``: Japanese operators have given out such addresses.
"""

from __future__ import annotations

import functools
import re
import unicodedata

from lambdas.identifiers.models import EmailRule, InvalidIdentifier, Reason
from lambdas.identifiers.reading import SPACES, read_value

# Limits of RFC 5321 section 4.5.3.1, in octets.
_LONGEST_LOCAL_PART = 64
_LONGEST_ADDRESS = 254

_OTHER = "\x80-\U0010ffff"  # judged by category, below
_LABEL = rf"[a-z0-9{_OTHER}](?:[a-z0-9{_OTHER}-]{{0,61}}[a-z0-9{_OTHER}])?"
_ADDRESS = (
    rf"\.*[a-z0-9!#$%&'*+/=?^_`{{|}}~{_OTHER}-][a-z0-9!#$%&'*+/=?^_`{{|}}~.{_OTHER}-]*"
    rf"@(?:{_LABEL}\.)+(?![0-9-]+\Z)(?=..){_LABEL}"
)
# Small and caseless letters, marks and digits (RFC 8264 section 4.2, less capitals).
_CATEGORIES = frozenset({"Ll", "Lm", "Lo", "Mn", "Mc", "Nd"})
_SPACES = dict.fromkeys(map(ord, SPACES))


def normalise_email(raw: str | None, rule: EmailRule = EmailRule.PLAIN) -> tuple[str, ...]:
    """The texts of an address that are hashed for an audience: one, or two by ``EmailRule.BOTH``.

    Spaces are removed wherever they stand, as TikTok asks. A tab or a line end inside is refused: it separates values.
    """
    plain = _check(read_value(raw).translate(_SPACES))
    if rule is EmailRule.PLAIN:
        return (plain,)
    if rule is EmailRule.BOTH:
        return audience_variants(plain)
    older = _older(plain)
    if older is None:
        raise InvalidIdentifier(Reason.MALFORMED_EMAIL)
    return (older,)


def audience_variants(text: str) -> tuple[str, ...]:
    """The texts that audiences may hash of an address, by ``EmailRule.BOTH``, given the text for the Events API."""
    older = _older(text)
    return (text,) if older in (None, text) else (text, older)


def normalise_email_for_events(raw: str | None) -> str:
    """The text of an address that is hashed for the Events API: trimmed, lower case. A space inside is refused."""
    return _check(read_value(raw))


def _older(plain: str) -> str | None:
    local_part, _, domain = plain.partition("@")
    local_part = local_part.partition("+")[0].replace(".", "")
    return f"{local_part}@{domain}" if local_part else None


@functools.cache
def _address_pattern() -> re.Pattern[str]:
    # Compiled when the first address comes: it takes longer than importing most modules does, and hashes need none.
    return re.compile(_ADDRESS)


def _check(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if not _address_pattern().fullmatch(text) or not (text.isascii() or _is_spelt_plainly(text)):
        raise InvalidIdentifier(Reason.MALFORMED_EMAIL)
    octets = text.encode()
    if len(octets) > _LONGEST_ADDRESS or octets.index(b"@") > _LONGEST_LOCAL_PART:
        raise InvalidIdentifier(Reason.MALFORMED_EMAIL)
    return text


def _is_spelt_plainly(text: str) -> bool:
    return unicodedata.is_normalized("NFKC", text) and all(
        character.isascii() or unicodedata.category(character) in _CATEGORIES for character in text
    )
