"""Columns of a file: which names are known, which of them a header names, and what the fields of a line are. Pure.

No field spans lines: a quoted line end is not understood.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from lambdas.audiences.formats import Format, Route
from lambdas.audiences.rows.hash_lines import BLANKS, BOM
from lambdas.audiences.rows.plain import is_header, is_name, is_utf8, reason_of
from lambdas.audiences.rows.reading import Reading
from lambdas.audiences.rows.reasons import PLAIN_REASONS
from lambdas.files.blocks import HEAD_BYTES
from lambdas.files.delimited import bare_name, split_line
from lambdas.files.file_types import Layout
from lambdas.identifiers.models import HashAlgorithm, IdentifierKind, IdentifierSpace
from lambdas.tiktok.errors import InvalidInput
from lambdas.tiktok.models import IdSchema

MOST_REPEATS = 3  # of one name in a header, API reference section 3.3
AUDIENCES = "audiences"
_DELIMITERS = ",;\t|"
_IS_LONG_HEX = re.compile(r"[0-9A-Fa-f]{16,}").fullmatch
EMPTY_LINE = BLANKS + b"\n" + _DELIMITERS.encode()  # a line of nothing else is blank, where there are columns


@dataclass(frozen=True)
class Source:
    """What a column of a user's file holds. ``slot`` is the column that it goes to, in TikTok's spelling."""

    slot: str
    kind: IdentifierKind
    algorithm: HashAlgorithm = HashAlgorithm.SHA256
    is_raw: bool = False

    @property
    def space(self) -> IdentifierSpace:
        """The space of its hashes."""
        return IdentifierSpace.of(self.kind, self.algorithm)


@dataclass(frozen=True)
class Columns:
    """How lines are taken apart. Without a delimiter, a line is one field; in JSON lines, keys name the fields.

    ``names`` are the known columns that are looked at, ``positions`` where they stand, ``fields`` how many there are.
    ``audiences`` is the position of the further audiences' names, if there are any.
    """

    delimiter: str = ""
    fields: int = 1
    has_header: bool = False
    is_json: bool = False
    names: tuple[str, ...] = ()
    positions: tuple[int, ...] = ()
    audiences: int | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The inverse of ``dataclasses.asdict``, also after a way through JSON."""
        return cls(**{**document, "names": tuple(document["names"]), "positions": tuple(document["positions"])})


_EMAIL, _PHONE, _DEVICE = IdentifierKind.EMAIL, IdentifierKind.PHONE, IdentifierKind.DEVICE
_MD5 = HashAlgorithm.MD5
_ANY_DEVICE = ("maid", "device_id", "advertising_id", "mobile_ad_id", "mobile_id")

# What the one column of a format may be called, the likeliest first. The first word is the format's own.
_WORDS = {
    "email": ("email", "email_address", "mail"),
    "phone": ("phone", "phone_number", "mobile", "mobile_phone", "mobile_number", "telephone", "msisdn"),
    "idfa": ("idfa", *_ANY_DEVICE),
    "gaid": ("gaid", "aaid", *_ANY_DEVICE),
    "first": ("first", *_ANY_DEVICE, "idfa", "gaid", "aaid"),
    "maid": (*_ANY_DEVICE, "first", "idfa", "gaid", "aaid"),
}
_ANYTHING = ("identifier", "id", "value")

_MULTIPLE_TYPES = {
    "email_sha256": Source("email_SHA256", _EMAIL),
    "phone_sha256": Source("phone_SHA256", _PHONE),
    **{f"{name}_sha256": Source("MAID_SHA256", _DEVICE) for name in ("maid", "idfa", "gaid", "aaid")},
    **{f"{name}_md5": Source("MAID_MD5", _DEVICE, _MD5) for name in ("maid", "idfa", "gaid", "aaid")},
    "email": Source("email_SHA256", _EMAIL, is_raw=True),
    "phone": Source("phone_SHA256", _PHONE, is_raw=True),
    **{name: Source("MAID_SHA256", _DEVICE, is_raw=True) for name in ("maid", "idfa", "gaid", "aaid")},
}
_STREAMING = {
    "email_sha256": Source(IdSchema.EMAIL_SHA256, _EMAIL),
    "phone_sha256": Source(IdSchema.PHONE_SHA256, _PHONE),
    "idfa_sha256": Source(IdSchema.IDFA_SHA256, _DEVICE),
    "idfa_md5": Source(IdSchema.IDFA_MD5, _DEVICE, _MD5),
    "email": Source(IdSchema.EMAIL_SHA256, _EMAIL, is_raw=True),
    "phone": Source(IdSchema.PHONE_SHA256, _PHONE, is_raw=True),
    "idfa": Source(IdSchema.IDFA_SHA256, _DEVICE, is_raw=True),
    **{f"{name}_sha256": Source(IdSchema.AAID_SHA256, _DEVICE) for name in ("aaid", "gaid")},
    **{f"{name}_md5": Source(IdSchema.AAID_MD5, _DEVICE, _MD5) for name in ("aaid", "gaid")},
    **{name: Source(IdSchema.AAID_SHA256, _DEVICE, is_raw=True) for name in ("aaid", "gaid")},
}


@functools.cache
def sources(format_: Format) -> Mapping[str, Source]:
    """The names that a format's columns may have, as ``bare_name`` gives them, the likeliest first."""
    if format_.route is Route.STREAMING:
        return {bare_name(name): source for name, source in _STREAMING.items()}
    if format_.kind is None:
        return {bare_name(name): source for name, source in _MULTIPLE_TYPES.items()}
    assert format_.upload_type is not None
    assert format_.algorithm is not None
    source = Source(format_.upload_type, format_.kind, format_.algorithm, format_.is_raw)
    return dict.fromkeys(map(bare_name, _names_of_one(format_)), source)


def _names_of_one(format_: Format) -> Iterable[str]:
    words = _WORDS[format_.name.split("_")[0]]
    if not format_.is_raw:
        algorithm = str(format_.algorithm)
        yield format_.name
        for word in words:
            yield from (f"{word}_{algorithm}", f"{algorithm}_{word}", f"hashed_{word}", f"{word}_hash")
            yield f"{word}_hashed"
    yield from words
    if not format_.is_raw:
        yield from (algorithm, "hash", "hashed")
    yield from _ANYTHING


def expected_columns(format_: Format) -> str:
    """The names of columns that a format accepts, for a message."""
    if format_.kind is None:
        known = _STREAMING if format_.route is Route.STREAMING else _MULTIPLE_TYPES
        return ", ".join(known)
    words = _WORDS[format_.name.split("_")[0]]
    names = dict.fromkeys((format_.name, *words, *([] if format_.is_raw else ["hash"]), *_ANYTHING))
    return ", ".join(names)


def find_columns(head: bytes, reading: Reading) -> Columns | None:
    """The columns of a file that begins with ``head``; None for plain lines of one hash each.

    A file with a single kind of identifier has columns when its header and its first row both hold the delimiter.

    Raises:
        InvalidInput: ``no_header``, ``no_such_column``, ``too_many_columns`` or ``raw_identifiers_not_allowed``.
    """
    if reading.format.is_raw and not reading.rules.allow_raw_identifiers:
        raise raw_not_allowed()
    if reading.file_type.layout is Layout.JSON_LINES:
        return Columns(is_json=True)
    first, second = _first_lines(head)
    header = _find_header(first, reading) if first else None
    if reading.format.kind is None:
        return _several(header, reading)
    if header and header.delimiter.encode() in second:
        if not header.names:
            raise no_such_column(reading.format)
        best = min(header.names, key=list(sources(reading.format)).index)
        chosen = header.names.index(best)
        return Columns(
            header.delimiter, header.fields, has_header=True, names=(best,), positions=(header.positions[chosen],)
        )
    if reading.format.is_raw:
        has_header = is_header(_clean_name(first.decode(errors="replace").strip()).encode())
        return Columns(has_header=has_header, names=(bare_name(reading.format.name),), positions=(0,))
    return None


def raw_not_allowed() -> InvalidInput:
    """Something raw is given to a deployment that does not take it."""
    return InvalidInput(
        "The file is to hold raw identifiers, which this deployment does not take: hash them with SHA-256 first, or "
        "set allow_raw_identifiers to true in cdk.context.json, deploy and replay. Nothing was sent.",
        reason="raw_identifiers_not_allowed",
    )


def no_such_column(format_: Format) -> InvalidInput:
    """None of a file's columns is one that is looked for."""
    return InvalidInput(
        f"No column of the file has a name that {format_.name} knows: {expected_columns(format_)}. Nothing was sent.",
        reason="no_such_column",
    )


def _first_lines(head: bytes) -> tuple[bytes, bytes]:
    """The first two lines that hold something; empty where there is none."""
    lines = [line for line in head.removeprefix(BOM).split(b"\n") if line.strip(EMPTY_LINE)]
    if len(lines) == 1 and len(head) == HEAD_BYTES and not head.endswith(b"\n"):
        return b"", b""  # the line goes on
    first, second, *_ = [*lines, b"", b""]
    return first, second


def _find_header(line: bytes, reading: Reading) -> Columns | None:
    """The columns that a first line names, if it does that; of the delimiters, the one that shows most known names."""
    if not is_utf8(line):
        return None
    text = line.decode().removesuffix("\r")
    only_tabs = reading.file_type.layout is Layout.TABS
    several = [each for each in ("\t" if only_tabs else _DELIMITERS) if each in text]
    candidates = [each for each in several if split_line(text, each)] or ([""] if reading.format.kind is None else [])
    found = [_header(text, delimiter, reading.format) for delimiter in candidates]
    return max(
        (each for each in found if each is not None), key=lambda each: (len(each.names), each.fields), default=None
    )


def _header(text: str, delimiter: str, format_: Format) -> Columns | None:
    fields = [_clean_name(each) for each in (split_line(text, delimiter) or [])] if delimiter else [_clean_name(text)]
    known = sources(format_)
    bare = [bare_name(each) for each in fields]
    positions = [position for position, name in enumerate(bare) if name in known]
    if any(_is_value(field) for field in fields):
        return None
    if not positions and not all(is_name(each) for each in fields if each):
        return None
    streaming = format_.route is Route.STREAMING
    return Columns(
        delimiter,
        len(fields),
        has_header=True,
        names=tuple(bare[position] for position in positions),
        positions=tuple(positions),
        audiences=bare.index(AUDIENCES) if streaming and AUDIENCES in bare else None,
    )


def _is_value(field: str) -> bool:
    """Whether a field of a first line is plain personal data or a hash, so that the line is no header."""
    return reason_of(field.encode()) in PLAIN_REASONS or bool(_IS_LONG_HEX(field))


def _clean_name(field: str) -> str:
    return field.strip(" \"'\ufeff")


def _several(header: Columns | None, reading: Reading) -> Columns:
    if header is None:
        raise InvalidInput(
            f"The file has no header row in UTF-8, which {reading.format.name} needs; it names the columns, of: "
            f"{expected_columns(reading.format)}. Nothing was sent.",
            reason="no_header",
        )
    if not header.names:
        raise no_such_column(reading.format)
    known = sources(reading.format)
    picked = [known[name] for name in header.names]
    if any(each.is_raw for each in picked) and not reading.rules.allow_raw_identifiers:
        raise raw_not_allowed()
    slot, repeats = Counter(each.slot for each in picked).most_common(1)[0]
    if reading.format.route is Route.CUSTOMER_FILE and repeats > MOST_REPEATS:
        raise InvalidInput(
            f"{repeats} columns of the file go into {slot}, raw and hashed together; TikTok takes {MOST_REPEATS}. "
            "Nothing was sent.",
            reason="too_many_columns",
        )
    return header
