"""Versions of objects in S3, as every pipeline that starts with a file knows them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from lambdas.contracts import RECEIPTS_PREFIX

LONGEST_KEY = 1024  # bytes, S3's limit
LARGEST_DOCUMENT = 64 << 10  # bytes of a document that people write, such as an audience's settings
UNVERSIONED = "null"  # S3's version id where there are no versions


@dataclass(frozen=True)
class ObjectVersion:
    """One version of an object in S3, as its notification announces it.

    ``size`` in bytes, ``arrived_at`` ISO 8601 to the second, ``sequencer`` in hex: it orders versions of one key.
    """

    bucket: str
    key: str
    version_id: str
    size: int
    arrived_at: str
    sequencer: str = ""

    @property
    def id(self) -> str:
        """The content-based name under which the ledger knows this version."""
        return f"{self.bucket}/{self.key}#{self.version_id}"

    @property
    def is_folder_marker(self) -> bool:
        """Whether this only makes a folder show up in a console (S3's own, or the one that Hadoop tools leave)."""
        return self.size == 0 and self.key.endswith(("/", "_$folder$"))

    @property
    def receipt_key(self) -> str:
        """Where the receipt of this version is written."""
        return f"{RECEIPTS_PREFIX}{self.key}/{self.version_id}.json"

    @property
    def can_have_receipt(self) -> bool:
        """Whether S3 would take the receipt's key."""
        return len(self.receipt_key.encode(errors="surrogatepass")) <= LONGEST_KEY
