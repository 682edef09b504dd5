"""What TikTok's API speaks of, as frozen types. Ids are decimal strings."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class CalculateType(StrEnum):
    """What an uploaded file holds (API reference section 3.2). Wire values, case-sensitive."""

    EMAIL_SHA256 = "EMAIL_SHA256"
    PHONE_SHA256 = "PHONE_SHA256"
    IDFA_SHA256 = "IDFA_SHA256"
    IDFA_MD5 = "IDFA_MD5"
    GAID_SHA256 = "GAID_SHA256"
    GAID_MD5 = "GAID_MD5"
    FIRST_SHA256 = "FIRST_SHA256"
    FIRST_MD5 = "FIRST_MD5"
    MAID_SHA256 = "MAID_SHA256"
    MAID_MD5 = "MAID_MD5"
    MULTIPLE_TYPES = "MULTIPLE_TYPES"


class IdSchema(StrEnum):
    """What a column of a segment mapping holds (section 4.2). Not a calculate type: Android ids are AAID here."""

    EMAIL_SHA256 = "EMAIL_SHA256"
    PHONE_SHA256 = "PHONE_SHA256"
    IDFA_SHA256 = "IDFA_SHA256"
    AAID_SHA256 = "AAID_SHA256"
    IDFA_MD5 = "IDFA_MD5"
    AAID_MD5 = "AAID_MD5"


class MappingAction(StrEnum):
    """What a segment mapping does with its entries (section 4.2)."""

    ADD = "add"
    DELETE = "delete"


class Action(StrEnum):
    """What an update does with its files (section 3.5). TikTok's default is REPLACE: always send it."""

    APPEND = "APPEND"
    REMOVE = "REMOVE"
    REPLACE = "REPLACE"


class AudienceSubType(StrEnum):
    """What an audience can be used for (section 3.4). NORMAL can become REACH_FREQUENCY, and never goes back."""

    NORMAL = "NORMAL"
    REACH_FREQUENCY = "REACH_FREQUENCY"


MOST_EVENTS = 1_000  # of one request (section 6.1)
# All events of one request together. TikTok documents no limit; integrators keep requests below 1 MB (section 4.2).
MOST_EVENT_BYTES = 998_000
LONGEST_PIXEL_NAME = 40  # characters (section 7.1)
MOST_OFFLINE_SETS = 10  # of one advertiser (section 7.2)


class EventSource(StrEnum):
    """Where events happened (section 6.1). Wire values."""

    WEB = "web"
    APP = "app"
    OFFLINE = "offline"
    CRM = "crm"


@dataclass(frozen=True)
class NamedEventSource:
    """A pixel or an offline event set (section 7). ``id`` is what events name it by: for a pixel, its code."""

    id: str
    name: str


@dataclass(frozen=True)
class Credentials:
    """An access token and the advertiser it acts for. The token never shows in a representation."""

    access_token: str = field(repr=False)
    advertiser_id: str


@dataclass(frozen=True)
class CustomAudience:
    """A custom audience, as list and get show it (sections 3.6 and 3.7). Texts are empty where TikTok gives none.

    ``is_creator`` is false for an audience that another advertiser shares. ``cover_num`` is the number of people that
    TikTok matched, 0 while it does not say. ``audience_sub_type`` and ``error_msg``, why an update failed afterwards,
    are in what get shows; the message is masked like every other of TikTok's. ``expires_at`` is in seconds since the
    epoch, None where TikTok does not say.
    """

    audience_id: str
    name: str
    audience_type: str
    calculate_type: str
    is_creator: bool
    cover_num: int
    is_valid: bool
    error_msg: str
    audience_sub_type: str
    expires_at: float | None = None


@dataclass(frozen=True)
class Complaint:
    """What TikTok says against one change of an audience, once it was processed (section 3.7).

    ``at`` is the time of the change in seconds since the epoch, None where it cannot be read; ``text`` is masked.
    """

    at: float | None
    text: str


@dataclass(frozen=True)
class AudienceDetails:
    """An audience as get shows it, and TikTok's complaints about its changes."""

    audience: CustomAudience
    complaints: tuple[Complaint, ...]


@dataclass(frozen=True)
class AudienceOutcome:
    """What became of the changes to an audience (section 3.7), and the size that TikTok shows.

    ``complaint`` is of a single change, ``error`` of the audience as it is; "" when there is none. ``latest`` is the
    time of the newest change, in TikTok's own clock and words; "" when none is shown.
    """

    complaint: str
    error: str
    size: int
    latest: str


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
