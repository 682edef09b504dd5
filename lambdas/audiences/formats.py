"""The formats of audience files: what a key's third segment says of the rows, and of the audience. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lambdas.identifiers.models import HashAlgorithm, IdentifierKind, IdentifierSpace
from lambdas.tiktok.models import CalculateType

LONGEST_STREAMED_NAME = 70  # characters; a longer one is cut on the streaming route, API reference section 4.1


class Route(StrEnum):
    """How identifiers get into an audience at TikTok. An audience takes one route only."""

    CUSTOMER_FILE = "customer file"
    STREAMING = "streaming"


@dataclass(frozen=True)
class Format:
    """What a file holds. ``upload_type`` is what TikTok is told of an uploaded file, and None on the streaming route.

    ``kind`` and ``algorithm`` describe the one column of identifiers; they are None where a header names several.
    """

    name: str
    route: Route = Route.CUSTOMER_FILE
    upload_type: CalculateType | None = None
    kind: IdentifierKind | None = None
    algorithm: HashAlgorithm | None = None
    is_raw: bool = False

    @property
    def audience_type(self) -> CalculateType | None:
        """What an audience made of such files is said to hold: create knows no MAID (API reference section 3.2)."""
        return _SAME_CONTENT.get(self.upload_type, self.upload_type) if self.upload_type else None

    @property
    def space(self) -> IdentifierSpace | None:
        """The space of the one column's hashes, None where a header names several columns."""
        if self.kind is None or self.algorithm is None:
            return None
        return IdentifierSpace.of(self.kind, self.algorithm)


# FIRST and MAID are two words for the same content.
_SAME_CONTENT = {
    CalculateType.MAID_SHA256: CalculateType.FIRST_SHA256,
    CalculateType.MAID_MD5: CalculateType.FIRST_MD5,
}


def _hashed(kind: IdentifierKind, upload_type: CalculateType) -> Format:
    algorithm = HashAlgorithm(upload_type.rsplit("_", 1)[1].lower())
    return Format(upload_type.lower(), upload_type=upload_type, kind=kind, algorithm=algorithm)


def _raw(name: str, kind: IdentifierKind, upload_type: CalculateType) -> Format:
    return Format(name, upload_type=upload_type, kind=kind, algorithm=HashAlgorithm.SHA256, is_raw=True)


STREAMING = Format("streaming", route=Route.STREAMING)
_ALL = (
    _hashed(IdentifierKind.EMAIL, CalculateType.EMAIL_SHA256),
    _hashed(IdentifierKind.PHONE, CalculateType.PHONE_SHA256),
    _hashed(IdentifierKind.DEVICE, CalculateType.IDFA_SHA256),
    _hashed(IdentifierKind.DEVICE, CalculateType.IDFA_MD5),
    _hashed(IdentifierKind.DEVICE, CalculateType.GAID_SHA256),
    _hashed(IdentifierKind.DEVICE, CalculateType.GAID_MD5),
    _hashed(IdentifierKind.DEVICE, CalculateType.FIRST_SHA256),
    _hashed(IdentifierKind.DEVICE, CalculateType.FIRST_MD5),
    _hashed(IdentifierKind.DEVICE, CalculateType.MAID_SHA256),
    _hashed(IdentifierKind.DEVICE, CalculateType.MAID_MD5),
    Format("multiple_types", upload_type=CalculateType.MULTIPLE_TYPES),
    _raw("email", IdentifierKind.EMAIL, CalculateType.EMAIL_SHA256),
    _raw("phone", IdentifierKind.PHONE, CalculateType.PHONE_SHA256),
    _raw("idfa", IdentifierKind.DEVICE, CalculateType.IDFA_SHA256),
    _raw("gaid", IdentifierKind.DEVICE, CalculateType.GAID_SHA256),
    STREAMING,
)
FORMATS = {each.name: each for each in _ALL}
