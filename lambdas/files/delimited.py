"""Names of columns, and lines of delimited fields. Pure."""

from __future__ import annotations

import csv
import functools


@functools.lru_cache(maxsize=4096)
def bare_name(name: str) -> str:
    """A column's name as it is compared: letters and digits alone, in lower case."""
    return "".join(each for each in name.lower() if each.isalnum())


def split_line(text: str, delimiter: str) -> list[str] | None:
    """The fields of a line; None when its quotes do not match."""
    if '"' not in text:
        return text.split(delimiter)
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        return None
