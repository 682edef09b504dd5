"""How files are read at the moment: by the deployment's rules, and without those who are suppressed by now."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lambdas.audiences.domain import Target
from lambdas.audiences.rows.reading import Reading, RowRules
from lambdas.identifiers.models import IdentifierSpace
from lambdas.suppressions.models import Manifest

if TYPE_CHECKING:
    from lambdas.ports import Suppressed, SuppressionList


class Readings:
    """Made from the deployment's rules and the suppression list."""

    def __init__(self, suppressions: SuppressionList, rules: RowRules) -> None:
        self._suppressions = suppressions
        self._rules = rules

    def suppression(self) -> str:
        """The revision of the suppression list as it is now. Raises ConnectorError."""
        return self._suppressions.current().revision

    def new(self, target: Target, country: str | None) -> tuple[Reading, str]:
        """How a file is read, and the revision of the suppression list in it. Raises ConnectorError.

        ``country`` is the audience's own default for raw phone numbers.
        """
        # Whoever is removed may be on the list; TikTok has to be told all the same.
        manifest = self._suppressions.current() if target.change.adds_people else None
        reading = Reading(
            target.format,
            target.file_type,
            replace(self._rules, default_country=country) if country else self._rules,
            self._filters(manifest) if manifest else {},
        )
        return reading, manifest.revision if manifest else ""

    def _filters(self, manifest: Manifest) -> dict[IdentifierSpace, Suppressed]:
        loaded = ((space, self._suppressions.load_filter(manifest, space)) for space in manifest.filters)
        return {space: each for space, each in loaded if each is not None}
