"""What checking a file offline is made of, whatever it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from rich.table import Table

from cli.terminal import table
from lambdas.tiktok.errors import InvalidInput

# As the functions read from S3, because the parts of an audience file end where chunks allow it.
_CHUNK_BYTES = 1 << 20
_SHOWN_LINES = 10


@dataclass
class Chunks:
    """A stream in chunks; ``size`` counts its bytes."""

    stream: IO[bytes]
    size: int = 0

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.stream.read(_CHUNK_BYTES):
            self.size += len(chunk)
            yield chunk


def refusal_of(parse: Callable[[], object]) -> InvalidInput | None:
    """Why something is refused, if so."""
    try:
        parse()
    except InvalidInput as error:
        return error
    return None


def reason_table(title: str, things: str, reasons: Mapping[str, Mapping[str, Any]]) -> Table:
    """How many for each reason, and at which lines; ``reasons`` are as in a receipt."""
    rows = [(reason, found["count"], _lines(found["lines"], found["count"])) for reason, found in reasons.items()]
    return table("", (title, things, "At lines"), rows)


def _lines(lines: list[int], found: int) -> str:
    shown = ", ".join(map(str, lines[:_SHOWN_LINES]))
    return f"{shown} and others" if found > _SHOWN_LINES else shown
