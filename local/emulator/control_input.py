"""Reads what the control plane is given, and refuses it with a reason."""

from typing import Any, TypeVar

from .answers import Json
from .credentials import Scope, TokenState
from .event_specification import Source

Word = TypeVar("Word", Scope, TokenState, Source)


class ControlError(ValueError):
    """The control plane was asked for something that it does not understand."""


def refuse_unknown(given: Json, known: set[str]) -> None:
    """That no member is a typing mistake."""
    unknown = set(given) - known
    if unknown:
        raise ControlError(f"unknown: {', '.join(sorted(unknown))}; known are: {', '.join(sorted(known)) or 'none'}")


def whole_number(given: Json, name: str, low: int, high: int, default: int | None) -> int:
    """A whole number within its bounds; required if there is no default."""
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ControlError(f"{name} must be a whole number from {low} to {high}")
    return value


def text_of(given: Json, name: str, default: str | None) -> str:
    """A text that a page can show; required if there is no default."""
    value = given.get(name, default)
    if not isinstance(value, str) or not value.isprintable():
        raise ControlError(f"{name} must be a text of printable characters")
    return value


def list_of(given: Json, name: str, default: Any) -> list[Any]:
    """A list of anything; required if the default is None."""
    value = given.get(name, default)
    if not isinstance(value, list):
        raise ControlError(f"{name} must be a list")
    return list(value)


def texts_of(given: Json, name: str, default: list[str] | None) -> list[str]:
    """A list of texts; required if the default is None."""
    value = list_of(given, name, default)
    if not all(isinstance(item, str) for item in value):
        raise ControlError(f"{name} must be a list of texts")
    return value


def digits(name: str, value: object) -> str:
    """An id."""
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 19:
        raise ControlError(f"{name} must be a text of 1 to 19 digits")
    return value


def hexadecimal(name: str, value: object) -> bytes:
    """The bytes that a text spells. fromhex skips blanks, so the length proves that there are none."""
    try:
        decoded = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        decoded = b""
    if not isinstance(value, str) or not decoded or len(value) != 2 * len(decoded):
        raise ControlError(f"{name} must hold texts of hexadecimal characters")
    return decoded


def word(words: type[Word], name: str, value: object) -> Word:
    """One of a few words."""
    try:
        return words(str(value))
    except ValueError:
        raise ControlError(f"{name} must be one of: {', '.join(words)}") from None
