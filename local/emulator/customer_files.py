"""What a customer file holds: from the bytes of an upload to the identifiers in it (API reference section 3.3)."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .answers import ApiError, Code

MULTIPLE_TYPES = "MULTIPLE_TYPES"
AUDIENCE_TYPES = (
    "EMAIL_SHA256",
    "PHONE_SHA256",
    "FIRST_SHA256",
    "FIRST_MD5",
    "IDFA_SHA256",
    "IDFA_MD5",
    "GAID_SHA256",
    "GAID_MD5",
    MULTIPLE_TYPES,
)
"""calculate_type in create: API reference section 3.2."""
UPLOAD_TYPES = (*AUDIENCE_TYPES, "MAID_SHA256", "MAID_MD5")
"""calculate_type in file/upload: the same, and two synonyms."""

_SYNONYMS = {"MAID_SHA256": "FIRST_SHA256", "MAID_MD5": "FIRST_MD5"}
_SHA256_BYTES, _MD5_BYTES = 32, 16
_RAW_DEVICE_ID = "maid"
_COLUMN_BYTES = {
    _RAW_DEVICE_ID: _MD5_BYTES,
    "maid_sha256": _SHA256_BYTES,
    "maid_md5": _MD5_BYTES,
    "email_sha256": _SHA256_BYTES,
    "phone_sha256": _SHA256_BYTES,
}
_COLUMN_REPEATS = 3
_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_ ]{0,31}")
_LINE_END = ord("\n")
_HEXADECIMAL = frozenset(b"0123456789abcdefABCDEF")


def audience_type_of(upload_type: str) -> str:
    """The calculate_type that an audience made of such files has."""
    return _SYNONYMS.get(upload_type, upload_type)


@dataclass
class Identifiers:
    """The identifiers of a file, packed end to end: millions of separate objects would be too large to keep."""

    sha256: bytes = b""
    md5: bytes = b""

    def __iter__(self) -> Iterator[bytes]:
        for packed, width in ((self.sha256, _SHA256_BYTES), (self.md5, _MD5_BYTES)):
            for start in range(0, len(packed), width):
                yield packed[start : start + width]

    def as_set(self) -> set[bytes]:
        """The different identifiers."""
        return set(self)


@dataclass(frozen=True)
class CustomerFile:
    """A file that was uploaded. It belongs to one advertiser and can be used until it expires."""

    file_path: str
    advertiser_id: str
    calculate_type: str
    uploaded_at: float
    identifiers: Identifiers = field(repr=False)


def parse_content(content: bytes, calculate_type: str) -> Identifiers:
    """Read the identifiers, or refuse the file with 40909."""
    text = content.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    end = len(text)
    while end and text[end - 1] == _LINE_END:
        end -= 1
    end_of_header = text.find(b"\n", 0, end)
    header = text[: end if end_of_header < 0 else end_of_header]
    first = min(len(header) + 1, end)
    if calculate_type == MULTIPLE_TYPES:
        return _parse_columns(header, text[first:end])
    # Not copied: a text may be as large as all other memory of the emulator.
    rows = memoryview(text)[first if _is_header(header) else 0 : end]
    width = _MD5_BYTES if calculate_type.endswith("_MD5") else _SHA256_BYTES
    packed = _parse_column(rows, width, calculate_type)
    return Identifiers(md5=packed) if width == _MD5_BYTES else Identifiers(sha256=packed)


def _parse_columns(header: bytes, rows: bytes) -> Identifiers:
    names = header.decode("utf-8", "replace").lower().split(",")
    for name in names:
        if name not in _COLUMN_BYTES or names.count(name) > _COLUMN_REPEATS:
            raise _wrong_content("the header names a column that is unknown or given more than 3 times")
    if not rows:
        raise ApiError(Code.FILE_EMPTY, "The file is empty.")
    fields = [row.split(b",") for row in rows.split(b"\n")]
    if set(map(len, fields)) != {len(names)}:
        raise _wrong_content("each row must have as many fields as the header")
    if b"" in (row.strip(b",") for row in rows.split(b"\n")):
        raise _wrong_content("a row holds no identifier")
    sha256: list[bytes] = []
    md5: list[bytes] = []
    for name, column in zip(names, zip(*fields, strict=True), strict=True):
        given = b"\n".join(filter(None, column))
        if not given:
            continue
        if name == _RAW_DEVICE_ID:
            sha256.append(_parse_device_ids(given))
        else:
            width = _COLUMN_BYTES[name]
            (md5 if width == _MD5_BYTES else sha256).append(_parse_column(given, width, name))
    return Identifiers(sha256=b"".join(sha256), md5=b"".join(md5))


def _parse_device_ids(rows: bytes) -> bytes:
    """Raw device ids count as the SHA-256 of their lower-case spelling, so that they meet hashed ones."""
    _parse_column(rows.replace(b"-", b""), _MD5_BYTES, "MAID")
    return b"".join(hashlib.sha256(row).digest() for row in rows.lower().split(b"\n"))


def _parse_column(rows: bytes | memoryview, width: int, what: str) -> bytes:
    """Decode one hash per line, all at once: a loop over the lines of a 50 MB file would take many times as long."""
    if not rows:
        raise ApiError(Code.FILE_EMPTY, "The file is empty.")
    digits, stride = 2 * width, 2 * width + 1
    count, rest = divmod(len(rows) + 1, stride)
    packed = b""
    if rest == 0 and bytes(rows[digits::stride]) == b"\n" * (count - 1):
        try:
            packed = bytes.fromhex(str(rows, "ascii"))
        except ValueError:
            packed = b""
    # fromhex skips blanks wherever they are, so a result of full length proves that there are none inside a line.
    if len(packed) != count * width or not packed:
        raise _wrong_content(f"each line must hold {digits} hexadecimal characters for {what}")
    return packed


def _is_header(line: bytes) -> bool:
    """A name, as in `EMAIL_SHA256` or `Email`. Nothing else: a broken first identifier must not pass for a header."""
    return bool(_NAME.fullmatch(line)) and not _HEXADECIMAL.issuperset(line)


def _wrong_content(reason: str) -> ApiError:
    message = f"The content of the file does not match the calculate_type: {reason}."
    return ApiError(Code.FILE_CALCULATE_TYPE_WRONG, message)
