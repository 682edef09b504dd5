"""Reads a listing to its end, and tells whether it is the whole of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambdas.tiktok.errors import TikTokUnavailable

Entry = Mapping[str, Any]
_SCANS = 3
_LONGEST = 1000  # pages; far above what 400 audiences take, so that a wrong total cannot keep us forever


def read_listing(fetch_page: Callable[[int], Mapping[str, Any]], *, identity: str) -> tuple[list[Entry], bool]:
    """The entries of a paged listing, each once, and whether they are all.

    ``fetch_page`` takes a page number from 1 and returns ``data`` with ``list`` and ``page_info`` (API reference
    section 1.3). A deletion between two pages shifts entries forward, over the edge of a page, and a page may come
    short: so a listing is whole only when it has as many entries as were announced, and the announced number did not
    fall on the way. (Something new shifts entries back, where they are seen again.)

    Raises:
        TikTokUnavailable: a page does not have the documented shape.
    """
    entries: list[Entry] = []
    for _ in range(_SCANS):
        entries, announced = _scan(fetch_page, identity)
        if len(entries) >= announced[0] and announced == sorted(announced):
            return entries, True
    return entries, False


def _scan(fetch_page: Callable[[int], Mapping[str, Any]], identity: str) -> tuple[list[Entry], list[int]]:
    found: dict[str, Entry] = {}
    announced: list[int] = []
    for number in range(1, _LONGEST + 1):
        data = fetch_page(number)
        try:
            entries: Sequence[Entry] = data.get("list") or []
            last = int(data["page_info"]["total_page"])
            announced.append(int(data["page_info"]["total_number"]))
            found.update({str(entry[identity]): entry for entry in entries})
        except (KeyError, TypeError, ValueError, OverflowError):
            raise TikTokUnavailable(
                f"Page {number} of TikTok's listing does not have the documented shape.", may_have_happened=False
            ) from None
        if not entries or number >= last:
            break
    return list(found.values()), announced
