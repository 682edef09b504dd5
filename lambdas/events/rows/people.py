"""Reads what identifies a person: normalised, and hashed where TikTok asks for it.

The suppression list was filled by the rules for audiences, so that one identifier may stand there under several hashes:
a ``Probe`` for each is added. What is bad is left out, with its reason; the event is worth sending without it. Pure.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

from lambdas.events.rows.event import Probe
from lambdas.events.rows.fields import Field, Form
from lambdas.events.rows.reasons import EventReason, InvalidEvent
from lambdas.events.rows.values import LONGEST_TEXT, LONGEST_TTCLID, as_text, has_controls
from lambdas.identifiers.device_ids import normalise_device_id, normalise_gaid_for_events, normalise_idfa_for_events
from lambdas.identifiers.emails import audience_variants, normalise_email_for_events
from lambdas.identifiers.hashing import find_hash, md5_hex, sha256_hex
from lambdas.identifiers.models import IdentifierSpace, InvalidIdentifier, PhoneRule, Reason
from lambdas.identifiers.persons import (
    normalise_country,
    normalise_external_id,
    normalise_name,
    normalise_place,
    normalise_zip_code,
)
from lambdas.identifiers.phones import normalise_phone
from lambdas.identifiers.reading import read_as_written
from lambdas.identifiers.usual_phones import read_usual_phone

MOST_VALUES = 10  # of one person's e-mail addresses, phone numbers or external ids
_LONGEST_IDENTIFIER = 1_000
_REMEMBERED = 1 << 14  # texts of each kind: one person causes many events, and many people live in one city

Probes = list[Probe]
# What is sent for a text, and the probes that belong to it.
Found = tuple[str, tuple[Probe, ...]]
ReadText = Callable[[str], Found]
# Takes a value, the probes and the reasons of what is left out, adds to both, and gives what is sent, or None.
ReadMember = Callable[[Any, Probes, list[str]], Any]

_IS_SHA256 = re.compile(r"[0-9a-fA-F]{64}").fullmatch
# As it is sent. The library takes four times as long to find that out.
_IS_USUAL_IP = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!\Z)|\Z)){4}").fullmatch
_IS_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,8}").fullmatch
_ATT_STATUS = frozenset({"AUTHORIZED", "DENIED", "NOT_DETERMINED", "RESTRICTED", "NOT_APPLICABLE"})
_NOTHING = frozenset({Reason.EMPTY, Reason.NULL_WORD})
_SEVERAL = frozenset({Form.EMAIL, Form.PHONE, Form.EXTERNAL_ID})


class _LeftOut(ValueError):
    """A value that is not sent, for a reason that is not about identifiers alone."""

    def __init__(self, reason: EventReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def member_reader(field: Field, default_country: str | None) -> ReadMember:
    """How the values of a member of the user are read, as they are written."""
    if field.form is Form.ATT_STATUS:
        return _read_att_status
    if field.form is Form.PHONE:
        read: ReadText = functools.partial(_read_phone, default_country)
    elif field.form is Form.EMAIL:
        read = _read_email
    elif field.form is Form.IDFA:
        read = functools.partial(_read_device_id, normalise_idfa_for_events, field.member)
    elif field.form is Form.GAID:
        read = functools.partial(_read_device_id, normalise_gaid_for_events, field.member)
    elif field.form is Form.TOKEN:
        read = functools.partial(_read_token, LONGEST_TTCLID if field.name == "ttclid" else LONGEST_TEXT)
    else:
        read = _READERS[field.form]
    return _reader(read, takes_several=field.form in _SEVERAL)


def hash_reader(field: Field) -> ReadMember:
    """How the values of a member's twin are read, which are hashed already."""
    return _reader(functools.partial(_read_hash, field), takes_several=field.form in _SEVERAL)


def _reader(read: ReadText, *, takes_several: bool) -> ReadMember:
    def read_one(value: Any, probes: Probes, left_out: list[str]) -> str | None:
        try:
            sent, found = read(value if isinstance(value, str) else _text(value))
        except InvalidIdentifier as error:
            if error.reason not in _NOTHING:
                left_out.append(error.reason)
            return None
        except _LeftOut as error:
            left_out.append(error.reason)
            return None
        if found:
            probes += found
        return sent

    def read_several(value: Any, probes: Probes, left_out: list[str]) -> Any:
        if not isinstance(value, list):
            return read_one(value, probes, left_out)
        if len(value) > MOST_VALUES:
            left_out.append(EventReason.TOO_MANY_VALUES)
            return None
        several = [read_one(each, probes, left_out) for each in value if each is not None]
        return list(dict.fromkeys(each for each in several if each is not None)) or None

    return read_several if takes_several else read_one


def _text(value: Any) -> str:
    text = as_text(value)
    if text is None:
        raise _LeftOut(EventReason.NOT_TEXT)
    return text


def _expect_identifier(text: str) -> None:
    if len(text) > _LONGEST_IDENTIFIER:
        raise _LeftOut(EventReason.TOO_LONG_VALUE)


def _read_email(text: str) -> Found:
    _expect_identifier(text)
    if "@" not in text and (known := find_hash(text)):
        return known, (_probe(IdentifierSpace.EMAIL_SHA256, known, "email"),)
    return _hashed(audience_variants(normalise_email_for_events(text)), IdentifierSpace.EMAIL_SHA256, "email")


def _read_phone(default_country: str | None, text: str) -> Found:
    _expect_identifier(text)
    usual = read_usual_phone(text)
    if usual is not None:
        return _hashed((usual, usual[1:]), IdentifierSpace.PHONE_SHA256, "phone")
    found = _hash_phone(text, default_country)
    if isinstance(found, Reason):
        raise InvalidIdentifier(found)
    return found


@functools.lru_cache(maxsize=_REMEMBERED)
def _hash_phone(text: str, default_country: str | None) -> Found | Reason:
    try:
        known = find_hash(text)
        if known:
            return known, (_probe(IdentifierSpace.PHONE_SHA256, known, "phone"),)
        numbers = normalise_phone(text, PhoneRule.BOTH, default_country=default_country)
    except InvalidIdentifier as error:
        return error.reason
    return _hashed(numbers, IdentifierSpace.PHONE_SHA256, "phone")


def _read_device_id(normalise: Callable[[str], str], member: str, text: str) -> Found:
    _expect_identifier(text)
    known = find_hash(text)
    if known:
        return known, (_probe(IdentifierSpace.DEVICE_SHA256, known, member),)
    # Audiences hash the text in lower case.
    lower = normalise_device_id(text)
    return normalise(text), (
        _probe(IdentifierSpace.DEVICE_SHA256, sha256_hex(lower), member),
        _probe(IdentifierSpace.DEVICE_MD5, md5_hex(lower), member),
    )


_SPACES: Mapping[Form, IdentifierSpace] = {
    Form.EMAIL: IdentifierSpace.EMAIL_SHA256,
    Form.PHONE: IdentifierSpace.PHONE_SHA256,
    Form.IDFA: IdentifierSpace.DEVICE_SHA256,
    Form.GAID: IdentifierSpace.DEVICE_SHA256,
}


def _read_hash(field: Field, text: str) -> Found:
    _expect_identifier(text)
    known = text.lower() if _IS_SHA256(text) else find_hash(text)
    if known is None:
        raise _LeftOut(EventReason.NOT_HASHED)
    space = _SPACES.get(field.form)
    return known, () if space is None else (_probe(space, known, field.member),)


def _hashed(texts: tuple[str, ...], space: IdentifierSpace, member: str) -> Found:
    """The hash of the first text is sent; the suppression list is asked about all."""
    probes = tuple([Probe(space, hashlib.sha256(text.encode()).digest(), member) for text in texts])
    return probes[0].digest.hex(), probes


def _probe(space: IdentifierSpace, digest: str, member: str) -> Probe:
    return Probe(space, bytes.fromhex(digest), member)


def _read_external_id(text: str) -> Found:
    _expect_identifier(text)
    written = normalise_external_id(text)
    # Of another length it may be an id, as a UUID without dashes is.
    return written.lower() if _IS_SHA256(written) else sha256_hex(written), ()


def _read_name(text: str) -> Found:
    _expect_identifier(text)
    return _hash_name(text), ()


@functools.lru_cache(maxsize=_REMEMBERED)
def _hash_name(text: str) -> str:
    return find_hash(text) or sha256_hex(normalise_name(text))


def _read_zip_code(text: str) -> Found:
    _expect_identifier(text)
    return find_hash(text) or sha256_hex(normalise_zip_code(text)), ()


def _read_place(text: str) -> Found:
    _expect_identifier(text)
    return _place(text), ()


@functools.lru_cache(maxsize=_REMEMBERED)
def _place(text: str) -> str:
    return normalise_place(text)


def _read_country(text: str) -> Found:
    _expect_identifier(text)
    return normalise_country(text), ()


def _read_token(longest: int, text: str) -> Found:
    written = read_as_written(text)
    if len(written) > longest:
        raise _LeftOut(EventReason.TOO_LONG_VALUE)
    # An address in the wrong column would leave as it is.
    if has_controls(written) or "@" in written:
        raise _LeftOut(EventReason.BAD_TEXT)
    return written, ()


def _read_ip(text: str) -> Found:
    written = read_as_written(text)
    if _IS_USUAL_IP(written):
        return written, ()
    try:
        return _canonical_address(written), ()
    except ValueError:
        raise _LeftOut(EventReason.BAD_IP) from None


@functools.lru_cache(maxsize=_REMEMBERED)
def _canonical_address(text: str) -> str:
    if "%" in text:  # a zone, which has a meaning on one machine only
        raise ValueError
    return str(ipaddress.ip_address(text))


def _read_locale(text: str) -> Found:
    # Both mobile systems give it with underscores.
    written = read_as_written(text).replace("_", "-")
    if not _IS_LOCALE(written):
        raise _LeftOut(EventReason.BAD_LOCALE)
    return written, ()


def _read_att_status(value: Any, _probes: Probes, _left_out: list[str]) -> str | None:
    status = value.strip().upper() if isinstance(value, str) else None
    if status == "":
        return None
    if status not in _ATT_STATUS:
        raise InvalidEvent(
            EventReason.BAD_ATT_STATUS,
            f"att_status is to be one of {', '.join(sorted(_ATT_STATUS))}: it says whether tracking is allowed.",
        )
    return status


_READERS: Mapping[Form, ReadText] = {
    Form.EXTERNAL_ID: _read_external_id,
    Form.NAME: _read_name,
    Form.ZIP_CODE: _read_zip_code,
    Form.PLACE: _read_place,
    Form.COUNTRY: _read_country,
    Form.IP: _read_ip,
    Form.LOCALE: _read_locale,
}
