"""What TikTok's API speaks of, as frozen types. Ids are decimal strings."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class CalculateType(StrEnum):
    """What an uploaded file holds (API reference section 3.2). Wire values, case-sensitive."""

    EMAIL_SHA256 = "EMAIL_SHA256"
    PHONE_SHA256 = "PHONE_SHA256"
    IDFA_SHA256 = "IDFA_SHA256"
    GAID_SHA256 = "GAID_SHA256"
    FIRST_SHA256 = "FIRST_SHA256"


class Action(StrEnum):
    """What an update does with its files (section 3.5). TikTok's default is REPLACE: always send it."""

    APPEND = "APPEND"
    REMOVE = "REMOVE"
    REPLACE = "REPLACE"


@dataclass(frozen=True)
class Credentials:
    """An access token and the advertiser it acts for. The token never shows in a representation."""

    access_token: str = field(repr=False)
    advertiser_id: str


@dataclass(frozen=True)
class CustomAudience:
    """A custom audience, as list and get show it (sections 3.6 and 3.7). Texts are empty where TikTok gives none.

    ``is_creator`` is false for an audience that another advertiser shares.
    """

    audience_id: str
    name: str
    audience_type: str
    calculate_type: str
    is_creator: bool


@dataclass(frozen=True)
class AudienceListing:
    """The custom audiences that were listed, and whether they certainly are all."""

    audiences: tuple[CustomAudience, ...]
    is_whole: bool


@dataclass(frozen=True)
class UploadedFile:
    """TikTok's receipt for an uploaded file: 16 characters, usable by the uploading advertiser only (section 3.1)."""

    file_path: str
    request_id: str


@dataclass(frozen=True)
class CreatedAudience:
    """The answer to a create (section 3.4)."""

    audience_id: str
    request_id: str
