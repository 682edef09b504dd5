"""Writes the two test audiences beside it: 2,000 hashed phone numbers and 2,000 hashed e-mail addresses.

    python -m test.tiktok.make_test_audiences

Nobody has them: North America keeps 555-01xx for fiction, and example.com is reserved (RFC 2606).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

ROWS = 2_000
_NUMBERS_PER_AREA = 100
_FIRST_AREA = 201
FOLDER = Path(__file__).parent


def phone_numbers() -> list[str]:
    """E.164, with the plus sign (API reference section 5)."""
    return [f"+1{_FIRST_AREA + row // _NUMBERS_PER_AREA}55501{row % _NUMBERS_PER_AREA:02d}" for row in range(ROWS)]


def email_addresses() -> list[str]:
    """Trimmed and in lower case."""
    return [f"foodie.{row:04d}@example.com" for row in range(ROWS)]


def hashed(identifiers: list[str]) -> str:
    """One SHA-256 in lower-case hex a line."""
    return "".join(f"{hashlib.sha256(each.encode()).hexdigest()}\n" for each in identifiers)


FILES = {
    "test_foodies_phone_sha256_audience.csv": phone_numbers,
    "test_foodies_email_sha256_audience.csv": email_addresses,
}


if __name__ == "__main__":
    for name, identifiers in FILES.items():
        (FOLDER / name).write_text(hashed(identifiers()), encoding="ascii", newline="\n")
