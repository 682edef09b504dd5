"""What is suppressed: spaces of identifiers, the sources that fill them, and the manifest of both."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from lambdas.contracts import SUPPRESSION_LIST_PREFIX
from lambdas.identifiers.models import IdentifierSpace

MANIFEST_KEY = f"{SUPPRESSION_LIST_PREFIX}manifest.json"
_FORMAT = 1


def prefix_of(space: IdentifierSpace) -> str:
    """What all keys of a space in S3 begin with."""
    return f"{SUPPRESSION_LIST_PREFIX}{space.value}/"


@dataclass(frozen=True)
class Source:
    """One file's identifiers of one space. A file of several columns is a source of several spaces.

    ``bucket``, ``key`` and ``version_id`` are the file's, ``digests_key`` is where its packed digests lie; times are
    ISO 8601.
    """

    space: IdentifierSpace
    bucket: str
    key: str
    version_id: str
    count: int
    arrived_at: str
    added_at: str
    digests_key: str

    @property
    def id(self) -> str:
        """The content-based name of the file."""
        return f"{self.bucket}/{self.key}#{self.version_id}"


@dataclass(frozen=True)
class StoredFilter:
    """Where the filter of a space lies, over how many entries, and its length in bytes."""

    key: str
    etag: str
    count: int
    size: int


@dataclass(frozen=True)
class Manifest:
    """The truth about the list. ``revision`` changes with every change, and is empty before the first."""

    revision: str = ""
    sources: tuple[Source, ...] = ()
    filters: Mapping[IdentifierSpace, StoredFilter] = field(default_factory=dict)

    def sources_of(self, space: IdentifierSpace) -> tuple[Source, ...]:
        """The sources of a space, in the order in which they were added."""
        return tuple(source for source in self.sources if source.space is space)

    def find(self, source_id: str, space: IdentifierSpace) -> Source | None:
        """The source that a file is in a space, if it is one."""
        return next((source for source in self.sources_of(space) if source.id == source_id), None)

    def changed(
        self, revision: str, space: IdentifierSpace, sources: tuple[Source, ...], stored: StoredFilter | None
    ) -> Manifest:
        """The manifest with other sources in one space, and the filter over them."""
        filters = {each: kept for each, kept in self.filters.items() if each is not space}
        if stored is not None:
            filters[space] = stored
        others = tuple(source for source in self.sources if source.space is not space)
        return Manifest(revision, (*others, *sources), filters)

    def to_document(self) -> dict[str, Any]:
        """As it is stored, in JSON."""
        return {
            "format": _FORMAT,
            "revision": self.revision,
            "sources": [asdict(source) for source in self.sources],
            "filters": {space.value: asdict(stored) for space, stored in self.filters.items()},
        }

    @classmethod
    def from_document(cls, document: Any) -> Self:
        """Read what ``to_document`` gave.

        Raises:
            ValueError: it is no manifest, or one of another version of this module.
        """
        try:
            if document["format"] != _FORMAT:
                raise ValueError
            return cls(
                revision=document["revision"],
                sources=tuple(
                    Source(**{**source, "space": IdentifierSpace(source["space"])}) for source in document["sources"]
                ),
                filters={
                    IdentifierSpace(space): StoredFilter(**stored) for space, stored in document["filters"].items()
                },
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError("It is no manifest of a suppression list, or one of another version.") from None


def digests_prefix(space: IdentifierSpace, source_id: str) -> str:
    """What the key of a file's packed digests begins with. The file's own name may be too long for a part of a key."""
    return f"{prefix_of(space)}sources/{hashlib.sha256(source_id.encode()).hexdigest()[:32]}/"
