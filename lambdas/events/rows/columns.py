"""What the names of columns mean: the user's own by a mapping, ours as names are compared. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lambdas.events.rows.fields import Form, Meaning, meaning_of
from lambdas.files.delimited import bare_name


class Columns:
    """What the names of a row's fields mean, by a mapping from the user's own names to ours.

    Raises:
        ValueError: a column is mapped to no field of ours; whoever reads the mapping asks ``meaning_of`` first.
    """

    def __init__(self, mapping: Mapping[str, str]) -> None:
        self._exact: dict[str, Meaning] = {}
        for own, ours in mapping.items():
            meaning = meaning_of(ours)
            if meaning is None:
                raise ValueError("a column is mapped to a name that is no field of an event")
            self._exact[own] = meaning
        self._compared = {bare_name(own): meaning for own, meaning in self._exact.items()}

    def are_distinct(self, names: Sequence[str]) -> bool:
        """Whether no two of the names stand for the same."""
        found = [meaning for meaning in map(self._meaning_of, names) if meaning is not None]
        return len(set(found)) == len(found)

    def _meaning_of(self, name: str) -> Meaning | None:
        return self._mapped(name) or meaning_of(name)

    def _mapped(self, name: str) -> Meaning | None:
        return self._exact.get(name) or self._compared.get(bare_name(name))

    def find(self, names: Sequence[str]) -> tuple[dict[Meaning, list[str]], list[str]]:
        """The names of each meaning, and those without one.

        Where one is mapped to a meaning, another that merely sounds like it has none; but consent is denied by all.
        """
        mapped: dict[Meaning, list[str]] = {}
        sounding: dict[Meaning, list[str]] = {}
        unknown: list[str] = []
        for name in names:
            meaning = self._mapped(name)
            kept = mapped
            if meaning is None:
                meaning, kept = meaning_of(name), sounding
            if meaning is None:
                unknown.append(name)
            else:
                kept.setdefault(meaning, []).append(name)
        for meaning, keys in sounding.items():
            if meaning not in mapped:
                mapped[meaning] = keys
            elif meaning.field.form is Form.CONSENT:
                mapped[meaning] += keys
            else:
                unknown += keys
        return mapped, unknown
