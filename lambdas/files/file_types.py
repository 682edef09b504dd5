"""What the name of an object says of its bytes: how lines are laid out, and how they are compressed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lambdas.tiktok.errors import InvalidInput


class Layout(StrEnum):
    """What a line of a file is."""

    LINES_OR_DELIMITED = "lines or delimited"
    TABS = "tabs"
    JSON_LINES = "JSON lines"


class Compression(StrEnum):
    """How a file is packed."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


@dataclass(frozen=True)
class FileType:
    """How the bytes of a file are to be read."""

    layout: Layout = Layout.LINES_OR_DELIMITED
    compression: Compression = Compression.NONE


LAYOUTS = {
    ".csv": Layout.LINES_OR_DELIMITED,
    ".txt": Layout.LINES_OR_DELIMITED,
    ".tsv": Layout.TABS,
    ".jsonl": Layout.JSON_LINES,
    ".ndjson": Layout.JSON_LINES,
}
COMPRESSIONS = {".gz": Compression.GZIP, ".zst": Compression.ZSTD}


def parse_file_type(file_name: str) -> FileType:
    """Read the ends of a file's name, in any letter case: ``.csv``, ``.jsonl.gz`` and the like.

    Raises:
        InvalidInput: ``bad_key``, naming what is accepted.
    """
    # Unicode has letters beyond ASCII whose lower case is one of ASCII.
    stem, dot, end = file_name.rpartition(".")
    compression = COMPRESSIONS.get(f".{end.lower()}", Compression.NONE) if end.isascii() else Compression.NONE
    if compression is not Compression.NONE:
        stem, dot, end = stem.rpartition(".")
    layout = LAYOUTS.get(f"{dot}{end.lower()}") if end.isascii() else None
    if layout is None:
        raise InvalidInput(
            f"The file's name must end in {', '.join(LAYOUTS)}, or in one of these and {' or '.join(COMPRESSIONS)} "
            "when it is compressed.",
            reason="bad_key",
        )
    return FileType(layout, compression)
