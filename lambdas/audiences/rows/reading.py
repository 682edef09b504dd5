"""Everything that decides what a row of a file becomes. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from lambdas.audiences.formats import Format
from lambdas.files.file_types import FileType
from lambdas.identifiers.models import EmailRule, IdentifierSpace, PhoneRule

if TYPE_CHECKING:
    from lambdas.ports import Suppressed

# Changes with every release that cleans the same row otherwise.
_RULES_OF_CLEANING = 2


@dataclass(frozen=True)
class RowRules:
    """How raw identifiers are read, if they are allowed. ``default_country`` is an ISO 3166 code of two letters."""

    allow_raw_identifiers: bool = False
    email_rule: EmailRule = EmailRule.PLAIN
    phone_rule: PhoneRule = PhoneRule.PLUS
    default_country: str | None = None


@dataclass(frozen=True)
class Reading:
    """How a file is read. Where ``suppressed`` has no entry for a space, nobody is suppressed in it."""

    format: Format
    file_type: FileType = field(default_factory=FileType)
    rules: RowRules = field(default_factory=RowRules)
    suppressed: Mapping[IdentifierSpace, Suppressed] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Changes when the cleaned bytes of a file might; but not with who is suppressed."""
        decisive = [_RULES_OF_CLEANING, self.format.name, asdict(self.file_type), asdict(self.rules)]
        return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:16]
