"""What a part holds on the streaming route: a person a line. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class StreamEntry:
    """A person on the streaming route: an identifier or "" for each column of the id_schema.

    ``line`` is the row's line in the file, ``audiences`` are the further audiences that the row names.
    """

    line: int
    identifiers: tuple[str, ...]
    audiences: tuple[str, ...]


def render_entry(line: int, identifiers: tuple[str, ...], audiences: tuple[str, ...]) -> str:
    """One line of a part."""
    return json.dumps([line, identifiers, audiences], ensure_ascii=False, separators=(",", ":")) + "\n"


def parse_entry(line: bytes) -> StreamEntry:
    """The inverse of ``render_entry``."""
    number, identifiers, audiences = json.loads(line)
    return StreamEntry(number, tuple(identifiers), tuple(audiences))
