"""Reads the parameters of a call strictly, refusing with 40002 and the field's name (API reference section 9.1)."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from .answers import parameter_error

_ID = re.compile(r"[0-9]{1,19}", re.ASCII)
_MISSING = "Missing data for required field."


class Parameters:
    """The members of a JSON body, or the fields of a query or a form, where every scalar is written as text."""

    def __init__(self, values: Mapping[str, Any], *, written_as_text: bool) -> None:
        self._values = values
        self._written_as_text = written_as_text

    @classmethod
    def from_json(cls, body: bytes) -> "Parameters":
        """Read the body of a POST."""
        try:
            values = json.loads(body)
        except (ValueError, RecursionError):
            raise parameter_error("The request body is not valid JSON.") from None
        if not isinstance(values, dict):
            raise parameter_error("The request body must be a JSON object.")
        return cls(values, written_as_text=False)

    def has(self, name: str) -> bool:
        """Whether the parameter was given; null counts as not given."""
        return self._values.get(name) is not None

    def identifier(self, name: str) -> str:
        """A required id: a text of 1 to 19 decimal digits (API reference section 1.2)."""
        return as_id(name, self._required(name))

    def identifiers(self, name: str, low: int, high: int) -> list[str]:
        """A required list of ids."""
        items = self.items(name, low, high)
        return [as_id(f"{name}.{position}", item) for position, item in enumerate(items)]

    def text(self, name: str, low: int, high: int) -> str:
        """A required text of so many characters."""
        return as_text(name, self._required(name), low, high)

    def texts(self, name: str, low: int, high: int, *, length: int | None = None) -> list[str]:
        """A required list of texts, each of exactly `length` characters if that is given."""
        items = self.items(name, low, high)
        shortest, longest = (length, length) if length is not None else (0, 1_000)
        return [as_text(f"{name}.{position}", item, shortest, longest) for position, item in enumerate(items)]

    def choice(self, name: str, choices: Collection[str], default: str | None = None, *, any_case: bool = False) -> str:
        """One of a few words, spelled exactly so unless any letter case will do; required if there is no default."""
        if default is not None and not self.has(name):
            return default
        return _as_choice(name, self._required(name), choices, any_case)

    def choice_list(self, name: str, choices: Collection[str]) -> list[str]:
        """A required list of a few words in any letter case, none of them twice."""
        items = self.items(name, 1, len(choices))
        chosen = [_as_choice(f"{name}.{position}", item, choices, True) for position, item in enumerate(items)]
        if len(set(chosen)) < len(chosen):
            raise parameter_error(f"{name}: Must not hold duplicates.")
        return chosen

    def number(self, name: str, low: int, high: int | None, default: int) -> int:
        """An optional whole number within its bounds."""
        if not self.has(name):
            return default
        value = self._values[name]
        if self._written_as_text and isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise parameter_error(f"{name}: Not a valid integer.")
        if value < low or (high is not None and value > high):
            bound = f"greater than or equal to {low}" + (
                f" and less than or equal to {high}" if high is not None else ""
            )
            raise parameter_error(f"{name}: Must be {bound}.")
        return value

    def flag(self, name: str) -> bool:
        """An optional yes or no, false by default."""
        value = self._values.get(name, False)
        if not isinstance(value, bool | None):
            raise parameter_error(f"{name}: Not a valid boolean.")
        return bool(value)

    def items(self, name: str, low: int, high: int) -> list[Any]:
        """A required list of so many items, whatever they are."""
        value = self._required(name)
        if self._written_as_text:
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                raise parameter_error(f"{name}: Not a valid list.") from None
        if not isinstance(value, list):
            raise parameter_error(f"{name}: Not a valid list.")
        if not low <= len(value) <= high:
            raise parameter_error(f"{name}: Length must be between {low} and {high}.")
        return value

    def _required(self, name: str) -> Any:
        value = self._values.get(name)
        if value is None or (value == "" and self._written_as_text):
            raise parameter_error(f"{name}: {_MISSING}")
        return value


def as_id(where: str, value: Any) -> str:
    """The value, if it is a text of 1 to 19 decimal digits."""
    if not isinstance(value, str):
        raise parameter_error(f"{where}: Not a valid string.")
    if not _ID.fullmatch(value):
        raise parameter_error(f"{where}: Must be a string of 1 to 19 digits.")
    return value


def as_text(where: str, value: Any, low: int, high: int) -> str:
    """The value, if it is a text of so many characters."""
    if not isinstance(value, str) or is_broken(value):
        raise parameter_error(f"{where}: Not a valid string.")
    if not low <= len(value) <= high:
        wanted = f"Length must be {low}." if low == high else f"Length must be between {low} and {high}."
        raise parameter_error(f"{where}: {wanted}")
    return value


def _as_choice(where: str, value: Any, choices: Collection[str], any_case: bool) -> str:
    if isinstance(value, str):
        for choice in choices:
            if value == choice or (any_case and value.lower() == choice.lower()):
                return choice
    raise parameter_error(f"{where}: Must be one of: {', '.join(choices)}.")


def is_broken(text: str) -> bool:
    """Whether it holds half a surrogate pair, which JSON can spell and no answer and no page could repeat."""
    return any("\ud800" <= character <= "\udfff" for character in text)
