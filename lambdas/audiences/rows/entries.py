"""Cleans rows that are looked at field by field: several columns, JSON lines, raw identifiers. Pure.

A row becomes one line of what is sent, or more when a person has more identifiers than one line takes: variants of a
raw value (``EmailRule.BOTH``), and on the streaming route a second identifier of one kind. Rows are counted, not lines.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lambdas.audiences.formats import LONGEST_STREAMED_NAME, Format, Route
from lambdas.audiences.rows.columns import (
    AUDIENCES,
    EMPTY_LINE,
    MOST_REPEATS,
    Columns,
    Source,
    raw_not_allowed,
    sources,
)
from lambdas.audiences.rows.hash_lines import BOM, HEX_DIGITS
from lambdas.audiences.rows.plain import LONGEST_VALUE, SEPARATORS, readable, reason_of
from lambdas.audiences.rows.reading import Reading, RowRules
from lambdas.audiences.rows.reasons import PLAIN_REASONS, RowReason
from lambdas.audiences.rows.stream_entries import render_entry
from lambdas.files.blocks import LONGEST_LINE
from lambdas.files.delimited import bare_name, split_line
from lambdas.files.tally import Tally
from lambdas.identifiers.hashing import hash_device_id, hash_email, hash_phone
from lambdas.identifiers.models import EmailRule, IdentifierKind, IdentifierSpace, InvalidIdentifier, Reason
from lambdas.identifiers.reading import read_value
from lambdas.tiktok.errors import InvalidInput
from lambdas.tiktok.models import IdSchema

MOST_AUDIENCES = 20  # further ones that one file may name
_IS_HASH = {each: re.compile(rf"[0-9A-Fa-f]{{{digits}}}").fullmatch for each, digits in HEX_DIGITS.items()}
# An address that needs no more than lower case, and the blanks around it taken off. Every part of one so short has a
# length that is allowed. Others are looked at by the rules of ``identifiers.emails``, which say the same of these.
_LONGEST_USUAL = 64
_BLANKS = b" \t\r"
_IS_USUAL_ADDRESS = re.compile(
    rb"[a-z0-9][a-z0-9.!#$%&'*+/=?^_`{|}~-]*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,}"
).fullmatch
_SURROGATES = re.compile(r"[\ud800-\udfff]").search
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]").search

Cell = tuple[str, ...]
# One field of a row: a text, or why there is none.
Field = tuple[Source, str | RowReason]


@dataclass
class _Row:
    """A row of which something can be sent: for each slot its hashes, the first of which make one line together."""

    line: int
    cells: list[Cell]
    audiences: Cell
    left_out: str | None


class EntryCleaner:
    """Turns blocks into what is sent, and keeps the tally.

    ``slots`` are the columns that are sent; without them, all that the file may fill. ``used`` says which were filled,
    ``foreign_rows`` how many rows were JSON objects without any known key.
    """

    def __init__(
        self,
        reading: Reading,
        columns: Columns,
        *,
        slots: Sequence[str] | None = None,
        at_start: bool = True,
        lines_before: int = 0,
    ) -> None:
        self.tally = Tally()
        self.line = lines_before
        self.lines_sent = 0
        self.slots = _possible_slots(reading.format, columns)
        self.used = [False] * len(self.slots)
        self.audiences: dict[str, None] = {}
        self.foreign_rows = 0
        self._reading = reading
        self._format = reading.format
        self._columns = columns
        self._sent = _positions(self.slots, self.slots if slots is None else slots)
        self._known = sources(reading.format)
        self._picked = [self._known[name] for name in columns.names]
        self._spaces = _spaces_of(self._known.values(), self.slots)
        self._is_plain_list = not columns.delimiter and not columns.is_json
        self._holds_addresses = self._is_plain_list and _is_list_of_addresses(reading)
        self._at_start = at_start
        self._header_expected = at_start and columns.has_header
        self._render = _RENDERERS[_kind_of(reading.format)]

    def clean(self, block: bytes) -> bytes:
        """What is sent of the rows of a block, as lines that end with LF. Everything else is counted."""
        if self._at_start:
            block = block.removeprefix(BOM)
            self._at_start = False
        lines = block.split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        if self._holds_addresses and not self._header_expected:
            return "".join(self._clean_addresses(lines)).encode()
        rows = [row for row in map(self._clean_line, lines) if row is not None]
        return "".join(self._send(rows)).encode()

    def _clean_line(self, line: bytes) -> _Row | None:
        """A row; None when there is nothing to send, which is counted."""
        self.line += 1
        if not line.strip(EMPTY_LINE):
            self.tally.blank += 1
            return None
        if self._header_expected:
            self._header_expected = False
            self.tally.header = True
            return None
        return self._read(line)

    def _clean_addresses(self, lines: list[bytes]) -> Iterator[str]:
        """What is sent of a list of e-mail addresses: those of the usual shape are hashed at once."""
        run: list[str] = []
        for line in lines:
            value = line.strip(_BLANKS).lower()
            if len(line) <= _LONGEST_USUAL and _IS_USUAL_ADDRESS(value):
                run.append(hashlib.sha256(value).hexdigest())
                continue
            yield from self._send_run(run)
            run = []
            row = self._clean_line(line)
            if row is not None:
                yield from self._send([row])
        yield from self._send_run(run)

    def _send_run(self, run: list[str]) -> Iterator[str]:
        if not run:
            return
        self.line += len(run)
        suppressed = self._reading.suppressed.get(self._spaces[0])
        found = set(suppressed.positions(bytes.fromhex("".join(run)))) if suppressed else set()
        self.tally.accept(len(run), suppressed=len(found))
        sent = [value for number, value in enumerate(run) if number not in found] if found else run
        if sent:
            self.used[0] = True
            self.lines_sent += len(sent)
            yield "\n".join(sent) + "\n"

    def _read(self, line: bytes) -> _Row | None:
        """A row; None when it is blank after all, or refused, and counted."""
        taken = self._take_apart(line)
        if isinstance(taken, RowReason):
            self.tally.refuse(taken, self.line)
            return None
        fields, names = taken
        found: dict[str, list[Cell]] = {}
        bad: str | None = None
        for source, text in fields:
            hashes = text if isinstance(text, RowReason) else _hash(source, text, self._reading.rules)
            if not isinstance(hashes, str):
                if hashes and hashes not in found.setdefault(source.slot, []):
                    found[source.slot].append(hashes)
            elif hashes in PLAIN_REASONS:
                self.tally.refuse(hashes, self.line)
                return None
            elif hashes == Reason.EMPTY and self._is_plain_list and self._format.is_raw:
                self.tally.blank += 1
                return None
            elif hashes not in _NOTHING or (self._is_plain_list and self._format.is_raw):
                bad = bad or self._explain(hashes, source, text)
        audiences = _audience_names(names)
        if not found:
            self.tally.refuse(bad or RowReason.NO_IDENTIFIER, self.line)
        elif audiences is None:
            self.tally.refuse(RowReason.BAD_AUDIENCE_NAME, self.line)
        else:
            cells = self._cells(found)
            if cells is not None:
                return _Row(self.line, cells, audiences, bad)
            self.tally.refuse(RowReason.TOO_MANY_VALUES, self.line)
        return None

    def _explain(self, reason: str, source: Source, text: str) -> str:
        several = source.is_raw and self._is_plain_list and SEPARATORS.search(text)
        return RowReason.SEVERAL_COLUMNS if several else reason

    def _cells(self, found: dict[str, list[Cell]]) -> list[Cell] | None:
        """The hashes of each slot; None when there are more than there are slots for them."""
        if _kind_of(self._format) is not _Kind.TABLE:
            return [tuple(dict.fromkeys(itertools.chain(*found.get(slot, ())))) for slot in self.slots]
        left = {slot: iter(cells) for slot, cells in found.items()}
        cells: list[Cell] = [next(left[slot], ()) if slot in left else () for slot in self.slots]
        return None if any(next(rest, None) for rest in left.values()) else cells

    def _take_apart(self, line: bytes) -> tuple[list[Field], list[Any]] | RowReason:
        if len(line) > LONGEST_LINE:
            return RowReason.TOO_LONG
        if self._columns.is_json:
            return self._take_json_apart(line)
        text = line.decode(errors="surrogateescape").removesuffix("\r")
        columns = self._columns
        texts = split_line(text, columns.delimiter) if columns.delimiter else [text]
        if texts is None:
            return RowReason.BAD_QUOTES
        if len(texts) != columns.fields:
            return RowReason.WRONG_FIELD_COUNT
        names = [] if columns.audiences is None else [texts[columns.audiences]]
        return [
            (source, texts[position]) for source, position in zip(self._picked, columns.positions, strict=True)
        ], names

    def _take_json_apart(self, line: bytes) -> tuple[list[Field], list[Any]] | RowReason:
        try:
            row = json.loads(line.decode())
        except UnicodeDecodeError:
            return RowReason.NOT_UTF8
        except (ValueError, RecursionError):
            return RowReason.NOT_JSON
        if isinstance(row, str) and self._format.kind is not None:
            return [(next(iter(self._known.values())), row)], []
        if not isinstance(row, dict):
            return RowReason.NOT_JSON
        named: dict[str, list[Any]] = {}
        for key, value in row.items():
            named.setdefault(bare_name(key), []).extend(value if isinstance(value, list) else [value])
        names = [name for name in self._known if name in named]
        if self._format.kind is not None:
            names = names[:1]
        self.foreign_rows += not names
        if any(self._known[name].is_raw for name in names) and not self._reading.rules.allow_raw_identifiers:
            raise raw_not_allowed()
        fields: list[Field] = []
        for name in names:
            given = [value for value in named[name] if value is not None]
            if len(given) > MOST_REPEATS:
                return RowReason.TOO_MANY_VALUES
            fields += [(self._known[name], _text(value)) for value in given]
        further = named.get(AUDIENCES, []) if self._format.route is Route.STREAMING else []
        return fields, [value for value in further if value is not None]

    def _send(self, rows: list[_Row]) -> Iterator[str]:
        suppressed = self._find_suppressed(rows)
        self.tally.accept(len(rows), suppressed=len(suppressed))
        for number, row in enumerate(rows):
            if number in suppressed:
                continue
            if row.left_out:
                self.tally.curtail(row.left_out, row.line)
            for position, cell in enumerate(row.cells):
                self.used[position] = self.used[position] or bool(cell)
            self._note(row.audiences)
            for line in itertools.zip_longest(*(row.cells[position] for position in self._sent), fillvalue=""):
                self.lines_sent += 1
                yield self._render(row, line)

    def _note(self, audiences: Iterable[str]) -> None:
        self.audiences.update(dict.fromkeys(audiences))
        if len(self.audiences) > MOST_AUDIENCES:
            raise InvalidInput(
                f"The column {AUDIENCES} names more than {MOST_AUDIENCES} different audiences. Split the file. "
                "Nothing was sent.",
                reason="too_many_audiences",
            )

    def _find_suppressed(self, rows: list[_Row]) -> set[int]:
        found: set[int] = set()
        for space, suppressed in self._reading.suppressed.items():
            positions = [position for position, each in enumerate(self._spaces) if each is space]
            owned = [
                (number, value)
                for number, row in enumerate(rows)
                for position in positions
                for value in row.cells[position]
            ]
            if owned:
                digests = bytes.fromhex("".join(value for _, value in owned))
                found.update(owned[position][0] for position in suppressed.positions(digests))
        return found


class _Kind(StrEnum):
    """What the lines of a part look like."""

    LIST = "one identifier a line"
    TABLE = "columns"
    ENTRIES = "entries"


def _kind_of(format_: Format) -> _Kind:
    if format_.route is Route.STREAMING:
        return _Kind.ENTRIES
    return _Kind.TABLE if format_.kind is None else _Kind.LIST


def _render_list(_row: _Row, line: Cell) -> str:
    return f"{line[0]}\n"


def _render_table(_row: _Row, line: Cell) -> str:
    return ",".join(line) + "\n"


def _render_entry(row: _Row, line: Cell) -> str:
    return render_entry(row.line, line, row.audiences)


_RENDERERS: dict[_Kind, Callable[[_Row, Cell], str]] = {
    _Kind.LIST: _render_list,
    _Kind.TABLE: _render_table,
    _Kind.ENTRIES: _render_entry,
}
# Bytes of an empty field.
_EMPTY_FIELD = {_Kind.LIST: 0, _Kind.TABLE: len(","), _Kind.ENTRIES: len(',""')}


def header_line(format_: Format, slots: Sequence[str]) -> bytes:
    """What stands at the beginning of every part."""
    return f"{','.join(slots)}\n".encode() if _kind_of(format_) is _Kind.TABLE else b""


def empty_field_bytes(format_: Format) -> int:
    """How much shorter a line gets for each column less that was empty in it."""
    return _EMPTY_FIELD[_kind_of(format_)]


def _possible_slots(format_: Format, columns: Columns) -> tuple[str, ...]:
    known = sources(format_)
    if columns.is_json:
        if format_.route is Route.STREAMING:
            return tuple(IdSchema)
        repeats = MOST_REPEATS if format_.kind is None else 1
        return tuple(slot for slot in dict.fromkeys(each.slot for each in known.values()) for _ in range(repeats))
    slots = [known[name].slot for name in columns.names]
    if format_.route is Route.STREAMING:
        return tuple(dict.fromkeys(slots))
    return tuple(sorted(slots, key=slots.index))


def _is_list_of_addresses(reading: Reading) -> bool:
    format_ = reading.format
    is_raw_list = format_.is_raw and _kind_of(format_) is _Kind.LIST
    return is_raw_list and format_.kind is IdentifierKind.EMAIL and reading.rules.email_rule is EmailRule.PLAIN


def _positions(possible: Sequence[str], sent: Sequence[str]) -> list[int]:
    """Where the slots that are sent stand among the possible ones: of equal ones, the first."""
    return [position for position, slot in enumerate(possible) if possible[:position].count(slot) < sent.count(slot)]


def _spaces_of(known: Iterable[Source], slots: Sequence[str]) -> list[IdentifierSpace]:
    by_slot = {each.slot: each.space for each in known}
    return [by_slot[slot] for slot in slots]


# In columns, these say that a person has no such identifier.
_NOTHING = frozenset({Reason.EMPTY, Reason.NULL_WORD})


def _hash(source: Source, text: str, rules: RowRules) -> Cell | RowReason | Reason:
    """The hashes of a field: one, or two when a rule gives variants; or why there is none."""
    if not source.is_raw:
        is_hash = _IS_HASH[source.algorithm]
        if is_hash(text):
            return (text.lower(),)
        try:
            value = read_value(text)
        except InvalidIdentifier as error:
            return error.reason
        return (value,) if is_hash(value) else reason_of(text.strip().encode(errors="surrogatepass"))
    if len(text) > LONGEST_VALUE:
        return RowReason.TOO_LONG
    if not text.isascii() and _SURROGATES(text):
        return RowReason.NOT_UTF8
    try:
        if source.kind is IdentifierKind.EMAIL:
            return hash_email(text, rules.email_rule)
        if source.kind is IdentifierKind.PHONE:
            return hash_phone(text, rules.phone_rule, default_country=rules.default_country)
        return (hash_device_id(text, source.algorithm),)
    except InvalidIdentifier as error:
        return error.reason


def _text(value: Any) -> str | RowReason:
    """The text of a JSON value."""
    if isinstance(value, str):
        return value
    # Phone numbers are often written as numbers.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else RowReason.NOT_TEXT


def _audience_names(given: list[Any]) -> Cell | None:
    """The names in a field: separated by ";" in a text, or single in an array. None when one of them cannot be one."""
    names: dict[str, None] = {}
    for text in given:
        if not isinstance(text, str):
            return None
        for name in text.split(";"):
            name = name.strip()
            if name and not _can_be_a_name(name):
                return None
            if name:
                names[name] = None
    return tuple(names)


def _can_be_a_name(name: str) -> bool:
    if len(name) > LONGEST_STREAMED_NAME or _SURROGATES(name) or _CONTROLS(name):
        return False
    # An audience is never called after a person: names go into receipts and to TikTok.
    return reason_of(readable(name.encode()).encode()) is not RowReason.PLAIN_EMAIL
