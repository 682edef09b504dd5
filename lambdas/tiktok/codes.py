"""TikTok's return codes, sorted into the classes of ``errors`` (API reference section 1.5). A literal table.

A code that is not listed is rejected when it is a 40xxx, retried otherwise, and marked as unlisted, to be counted.
"""

from __future__ import annotations

from enum import Enum


class Kind(Enum):
    """What a code means for the caller."""

    RATE_LIMITED = "rate limited"
    UNAVAILABLE = "unavailable"
    TOKEN = "token"  # noqa: S105 - a kind of code
    PERMISSION = "permission"
    FILE_EXPIRED = "file expired"
    REJECTED = "rejected"


_KINDS: dict[Kind, tuple[int | range, ...]] = {
    Kind.RATE_LIMITED: (40016, 40100, 40132, 40133, 61000),
    Kind.UNAVAILABLE: (
        *(40200, 40201, 40202),  # task error, task not ready, write conflict
        *(40700, 40902),  # internal validation call failed, fetch timed out
        40900,  # the MD5 is computed from the very bytes that are sent, so a mismatch happened on the way
        *(50000, 50002, range(51000, 51100), range(52000, 52004), range(52100, 52104), range(52201, 52205)),
        60001,  # maintenance
    ),
    Kind.TOKEN: (40102, 40103, 40104, 40105, 40107, 40110, 40114, 40131, 40309),
    Kind.PERMISSION: (40001, 40113, 40117, 40118, 40119, 40124, 40125, 40130, 40301),
    Kind.FILE_EXPIRED: (40905, 40910),
    Kind.REJECTED: (
        20001,  # partial success is never plain success
        *(40000, 40002, 40003, 40006, 40007, 40008, 40009, 40010, 40011, 40012, 40013, 40014),
        *(40050, 40051, 40052, 40053, 40061, 40062, 40063, 40101, 40106, 40108, 40109, 40112, 40115, 40116),
        *(40120, 40121, 40122, 40126, 40127, 40128, 40129, 40300, 40302, 40400, 40502),
        *(40901, 40903, 40904, 40906, 40907, 40908, 40909, range(40911, 40917), 41000, 41001, 41002),
        *(53102, 53103, 70001),
    ),
}

KIND_BY_CODE: dict[int, Kind] = {
    code: kind
    for kind, entries in _KINDS.items()
    for entry in entries
    for code in (entry if isinstance(entry, range) else (entry,))
}


def kind_of(code: int) -> tuple[Kind, bool]:
    """The kind of a return code other than 0, and whether the table lists it."""
    listed = KIND_BY_CODE.get(code)
    if listed is not None:
        return listed, True
    return (Kind.REJECTED if 40000 <= code < 41000 else Kind.UNAVAILABLE), False
