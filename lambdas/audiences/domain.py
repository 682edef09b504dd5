"""The rules of the audiences pipeline: what a key means, and when a file is refused. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from lambdas.audiences.formats import FORMATS, LONGEST_STREAMED_NAME, Format, Route
from lambdas.audiences.history import Change
from lambdas.audiences.rows.check import LARGEST_CUT_FILE, LARGEST_FILE, MOST_PARTS, PART_BYTES, FileCheck
from lambdas.audiences.rows.columns import expected_columns, raw_not_allowed
from lambdas.audiences.rows.reasons import PLAIN_REASONS
from lambdas.contracts import AUDIENCES_PREFIX, SUPPRESSIONS_PREFIX
from lambdas.files.documents import OnInvalidRow
from lambdas.files.file_types import Compression, FileType, parse_file_type
from lambdas.files.tally import Tally
from lambdas.identifiers.models import HashAlgorithm, IdentifierKind
from lambdas.objects import LONGEST_KEY, ObjectVersion
from lambdas.tiktok.errors import InvalidInput
from lambdas.tiktok.models import Action

LONGEST_NAME = 128  # characters, API reference section 3.4
_GRAMMAR = f"{AUDIENCES_PREFIX}<audience>/<format>/[<action>/]<file>"
_SUPPRESSION_GRAMMAR = f"{SUPPRESSIONS_PREFIX}<format>/<file>"
_FILE_ACTIONS = {action.lower(): action for action in Action}
_STREAMING_ACTIONS = {"add": Action.APPEND, "delete": Action.REMOVE}
_DELETE_AUDIENCE = "delete_audience"


@dataclass(frozen=True)
class Target:
    """What a key asks for. On the streaming route, APPEND is TikTok's add, and REMOVE its delete.

    What ``suppresses`` concerns every audience, and names none.
    """

    audience: str
    format: Format
    action: Action = Action.APPEND
    deletes_audience: bool = False
    file_type: FileType = field(default_factory=FileType)
    suppresses: bool = False

    @property
    def can_be_cut(self) -> bool:
        """Whether ranges of the file can be worked on independently of one another."""
        is_delivered_as_files = self.format.route is Route.CUSTOMER_FILE and not self.suppresses
        return is_delivered_as_files and self.file_type.compression is Compression.NONE

    @property
    def change(self) -> Change:
        """What it does to the audience."""
        return Change.DELETE if self.deletes_audience else Change(self.action)


def parse_key(key: str, supported: Collection[str]) -> Target:
    """Read a key of the grammar ``tiktok/<audience>/<format>/[<action>/]<file>``, which is taken as it is.

    ``supported`` holds the calculate types that this deployment accepts, in upper case.

    An object that asks for the deletion of an audience may have any name.

    Raises:
        InvalidInput: ``bad_key`` or ``unsupported_format``, saying what was expected.
    """
    try:
        key.encode()
    except UnicodeEncodeError:
        raise InvalidInput("The key is not valid Unicode.", reason="bad_key") from None
    segments = key.split("/")
    accepted = [name for name, each in FORMATS.items() if each.upload_type is None or each.upload_type in supported]
    formats = ", ".join(sorted(accepted))
    if len(segments) not in (4, 5) or f"{segments[0]}/" != AUDIENCES_PREFIX or not all(segments):
        raise InvalidInput(f"The key does not fit {_GRAMMAR} (formats: {formats}).", reason="bad_key")
    audience, format_name = segments[1:3]
    # Unicode has letters beyond ASCII whose lower case is one of ASCII.
    if not format_name.isascii() or format_name.lower() not in accepted:
        raise InvalidInput(
            f"The format {format_name[:40]!r} is not one of: {formats}. Expected {_GRAMMAR}.",
            reason="unsupported_format",
        )
    chosen = FORMATS[format_name.lower()]
    longest = LONGEST_STREAMED_NAME if chosen.route is Route.STREAMING else LONGEST_NAME
    if len(audience) > longest:
        raise InvalidInput(
            f"The audience's name has {len(audience)} characters; TikTok takes 1 to {longest} there.", reason="bad_key"
        )
    target = Target(audience, chosen)
    if len(segments) == 5:
        target = _with_action(target, segments[3])
    return target if target.deletes_audience else replace(target, file_type=parse_file_type(segments[-1]))


def parse_suppression_key(key: str) -> Target:
    """Read a key of the grammar ``suppression/<format>/<file>``. Raises InvalidInput as ``parse_key``."""
    segments = key.split("/")
    formats = {name: each for name, each in FORMATS.items() if each.space is not None}
    if len(segments) != 3 or not all(segments):
        raise InvalidInput(
            f"The key does not fit {_SUPPRESSION_GRAMMAR} (formats: {', '.join(formats)}).", reason="bad_key"
        )
    chosen = formats.get(segments[1].lower()) if segments[1].isascii() else None
    if chosen is None:
        raise InvalidInput(
            f"The format {segments[1][:40]!r} is not one of: {', '.join(formats)}. Expected {_SUPPRESSION_GRAMMAR}.",
            reason="unsupported_format",
        )
    return Target("", chosen, Action.REMOVE, file_type=parse_file_type(segments[2]), suppresses=True)


def _with_action(target: Target, word: str) -> Target:
    streaming = target.format.route is Route.STREAMING
    if streaming and word.lower() == _DELETE_AUDIENCE:
        return replace(target, deletes_audience=True)
    actions = _STREAMING_ACTIONS if streaming else _FILE_ACTIONS
    if not word.isascii() or word.lower() not in actions:
        known = ", ".join([*actions, _DELETE_AUDIENCE] if streaming else actions)
        raise InvalidInput(f"The action {word[:40]!r} is not one of: {known}. Expected {_GRAMMAR}.", reason="bad_key")
    return replace(target, action=actions[word.lower()])


def parse_object(version: ObjectVersion, supported: Collection[str], *, allow_raw_identifiers: bool = False) -> Target:
    """Read what an object asks for, before its content is looked at.

    Raises:
        InvalidInput: as ``parse_key``; or ``bad_key`` when the receipt's key would be too long,
            ``raw_identifiers_not_allowed``, ``empty_object`` or ``file_too_large``.
    """
    suppresses = version.key.startswith(SUPPRESSIONS_PREFIX)
    target = parse_suppression_key(version.key) if suppresses else parse_key(version.key, supported)
    if not version.can_have_receipt:
        longest = LONGEST_KEY - len(version.receipt_key.encode()) + len(version.key.encode())
        raise InvalidInput(f"The key is too long for its receipt's key; use at most {longest} bytes.", reason="bad_key")
    if target.deletes_audience:
        return target
    if target.format.is_raw and not allow_raw_identifiers:
        raise raw_not_allowed()
    most = LARGEST_CUT_FILE if target.can_be_cut else LARGEST_FILE
    if version.size > most:
        raise InvalidInput(
            f"The object has {version.size:,} bytes; {most:,} is the most that is read of such a file. "
            "Split it into several files; they go into the same audience.",
            reason="file_too_large",
        )
    if version.size == 0:
        raise InvalidInput(
            f"The object is empty (0 bytes): {_expected(target.format)} is expected.", reason="empty_object"
        )
    return target


def refusal(
    check: FileCheck,
    format_: Format | None = None,
    *,
    max_invalid_ratio: float,
    on_invalid_row: OnInvalidRow = OnInvalidRow.SKIP,
) -> InvalidInput | None:
    """Why a file is refused whole, if it is. Names reasons, counts and line numbers, never a value.

    Partial rows, of which a field could not be sent, count like invalid ones. With ``on_invalid_row`` "refuse" one of
    them is enough.
    """
    tally = check.tally
    plain = {reason: count for reason, count in tally.invalid.items() if reason in PLAIN_REASONS}
    if plain:
        return InvalidInput(
            f"The file holds plain personal data ({_describe(plain, tally.invalid_lines)}). Hash every identifier "
            "first. Nothing was sent.",
            reason="plain_personal_data",
        )
    if not tally.valid and tally.suppressed and not tally.invalid:
        return InvalidInput(
            f"All {tally.suppressed} rows of the file are people on the suppression list. Nothing was sent.",
            reason="all_rows_suppressed",
        )
    if not tally.valid:
        found = f" ({_problems(tally)})" if tally.invalid else ""
        others = f", and {tally.suppressed} are suppressed" if tally.suppressed else ""
        return InvalidInput(
            f"The file has no valid row{found}{others}: {_expected(format_)} is expected. Nothing was sent.",
            reason="no_valid_rows",
        )
    faulty = tally.invalid_rows + tally.partial_rows
    if faulty and on_invalid_row is OnInvalidRow.REFUSE:
        return InvalidInput(
            f"{faulty} of {tally.read} rows are invalid ({_problems(tally)}), and the audience's on_invalid_row is "
            "refuse. Nothing was sent.",
            reason="invalid_rows_refused",
        )
    # As it was written: in binary, 0.29 of 100 rows would be less than 29.
    if faulty > Decimal(str(max_invalid_ratio)) * tally.read:
        return InvalidInput(
            f"{faulty} of {tally.read} rows are invalid ({_problems(tally)}), more than "
            f"max_invalid_ratio {max_invalid_ratio:g} allows. Nothing was sent.",
            reason="too_many_invalid_rows",
        )
    is_streamed = format_ is not None and format_.route is Route.STREAMING
    if len(check.parts) > MOST_PARTS and not is_streamed:
        size = sum(part.bytes for part in check.parts)
        return InvalidInput(
            f"The file makes {len(check.parts)} parts of at most {PART_BYTES:,} bytes ({size:,} bytes of rows in all), "
            f"but TikTok takes {MOST_PARTS} files an audience ({MOST_PARTS * PART_BYTES:,} bytes). Split it into "
            "files for several audiences. Nothing was sent.",
            reason="file_too_large",
        )
    return None


def _expected(format_: Format | None) -> str:
    """What a file of a format holds, as the subject of "is expected"."""
    if format_ is None:
        return "one identifier per line"
    if format_.kind is None:
        return f"a header row that names columns ({expected_columns(format_)}), and a row for each person,"
    if format_.is_raw:
        return f"one {_KINDS[format_.kind]} per line, or in a column with a header,"
    algorithm = {HashAlgorithm.SHA256: "SHA-256", HashAlgorithm.MD5: "MD5", None: "hash"}[format_.algorithm]
    return f"one {algorithm} in hex per line, or in a column with a header,"


_KINDS = {
    IdentifierKind.EMAIL: "e-mail address",
    IdentifierKind.PHONE: "phone number",
    IdentifierKind.DEVICE: "device id",
}


def _problems(tally: Tally) -> str:
    """What is wrong with the rows that are invalid, or sent without one of their fields."""
    partial = _describe(tally.partial, tally.partial_lines)
    texts = (_describe(tally.invalid, tally.invalid_lines), f"sent without a field: {partial}" if partial else "")
    return "; ".join(filter(None, texts))


def _describe(counts: Mapping[str, int], lines: Mapping[str, list[int]]) -> str:
    return "; ".join(f"{reason}: {count}, first at line {lines[reason][0]}" for reason, count in sorted(counts.items()))
