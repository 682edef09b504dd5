"""The rules of the audiences pipeline: what a key means, and when a file is refused. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from lambdas.audiences.rows import PART_BYTES, PLAIN_REASONS, FileCheck, Tally
from lambdas.contracts import AUDIENCES_PREFIX
from lambdas.objects import LONGEST_KEY, ObjectVersion
from lambdas.tiktok.errors import InvalidInput
from lambdas.tiktok.models import CalculateType

LONGEST_NAME = 128  # characters, API reference section 3.4
MOST_PARTS = 49  # "fewer than 50" file_paths a call, section 3.4
# Bytes; whatever is cleaned away from it, a larger file does not fit, so it need not be read to see that.
_LARGEST_FILE = 2 * MOST_PARTS * PART_BYTES
_GRAMMAR = f"{AUDIENCES_PREFIX}<audience>/<format>/<file>.csv"


@dataclass(frozen=True)
class Target:
    """What a key asks for."""

    audience: str
    calculate_type: CalculateType


def parse_key(key: str, supported: Collection[str]) -> Target:
    """Read a key of the grammar ``tiktok/<audience>/<format>/<file>.csv``. Keys are taken as they come, never decoded.

    ``supported`` holds the calculate types that this deployment accepts, in upper case.

    Raises:
        InvalidInput: ``bad_key`` or ``unsupported_format``, saying what was expected.
    """
    try:
        key.encode()
    except UnicodeEncodeError:
        raise InvalidInput("The key is not valid Unicode.", reason="bad_key") from None
    segments = key.split("/")
    formats = ", ".join(sorted(name.lower() for name in supported))
    if len(segments) != 4 or f"{segments[0]}/" != AUDIENCES_PREFIX or not all(segments):
        raise InvalidInput(f"The key does not fit {_GRAMMAR} (formats: {formats}).", reason="bad_key")
    _, audience, format_name, file_name = segments
    if len(audience) > LONGEST_NAME:
        raise InvalidInput(
            f"The audience's name has {len(audience)} characters; TikTok takes 1 to {LONGEST_NAME}.", reason="bad_key"
        )
    # Unicode has letters beyond ASCII whose upper case is one of ASCII.
    if not format_name.isascii() or format_name.upper() not in supported:
        raise InvalidInput(
            f"The format {format_name[:40]!r} is not one of: {formats}. Expected {_GRAMMAR}.",
            reason="unsupported_format",
        )
    if not file_name.lower().endswith(".csv"):
        raise InvalidInput(f"The file's name must end in .csv. Expected {_GRAMMAR}.", reason="bad_key")
    return Target(audience, CalculateType(format_name.upper()))


def parse_object(version: ObjectVersion, supported: Collection[str]) -> Target:
    """Read what an object asks for, before its content is looked at.

    Raises:
        InvalidInput: as ``parse_key``; or ``bad_key`` when the receipt's key would be too long, ``empty_object`` or
            ``file_too_large``.
    """
    target = parse_key(version.key, supported)
    if not version.can_have_receipt:
        longest = LONGEST_KEY - len(version.receipt_key.encode()) + len(version.key.encode())
        raise InvalidInput(f"The key is too long for its receipt's key; use at most {longest} bytes.", reason="bad_key")
    if version.size > _LARGEST_FILE:
        raise InvalidInput(
            f"The object has {version.size:,} bytes; {MOST_PARTS} parts of 48 MiB are what one call to TikTok takes. "
            "Split it into several files; they go into the same audience.",
            reason="file_too_large",
        )
    if version.size == 0:
        raise InvalidInput("The object is empty (0 bytes): one identifier per line is expected.", reason="empty_object")
    return target


def refusal(check: FileCheck, *, max_invalid_ratio: float) -> InvalidInput | None:
    """Why a file is refused whole, if it is. Names reasons, counts and line numbers, never a value."""
    tally = check.tally
    plain = {reason: count for reason, count in tally.invalid.items() if reason in PLAIN_REASONS}
    if plain:
        return InvalidInput(
            f"The file holds plain personal data ({_describe(tally, plain)}). Hash every identifier "
            "with SHA-256 first. Nothing was sent.",
            reason="plain_personal_data",
        )
    if not tally.valid:
        found = f" ({_describe(tally, tally.invalid)})" if tally.invalid else ""
        return InvalidInput(
            f"The file has no valid row{found}: one SHA-256 in hex per line is expected. Nothing was sent.",
            reason="no_valid_rows",
        )
    invalid = tally.read - tally.valid
    # As it was written: in binary, 0.29 of 100 rows would be less than 29.
    if invalid > Decimal(str(max_invalid_ratio)) * tally.read:
        return InvalidInput(
            f"{invalid} of {tally.read} rows are invalid ({_describe(tally, tally.invalid)}), more than "
            f"max_invalid_ratio {max_invalid_ratio:g} allows. Nothing was sent.",
            reason="too_many_invalid_rows",
        )
    if len(check.parts) > MOST_PARTS:
        return InvalidInput(
            f"The file needs {len(check.parts)} parts of 48 MiB, but one call to TikTok takes {MOST_PARTS}. "
            "Split it into several files; they go into the same audience. Nothing was sent.",
            reason="file_too_large",
        )
    return None


def _describe(tally: Tally, counts: Mapping[str, int]) -> str:
    return "; ".join(
        f"{reason}: {count}, first at line {tally.invalid_lines[reason][0]}" for reason, count in sorted(counts.items())
    )
