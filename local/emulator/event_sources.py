"""What events belong to: pixels, apps, offline and CRM event sets (API reference section 7)."""

import secrets
import string
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import ClassVar

from .event_specification import Source
from .events import EventLog

DEFAULT_PIXEL_CODE = "EMULATEDPIXEL0000001"
DEFAULT_TIKTOK_APP_ID = "7000000000000000101"
DEFAULT_OFFLINE_EVENT_SET_ID = "7000000000000000201"
DEFAULT_CRM_EVENT_SET_ID = "7000000000000000301"
DEFAULT_PIXEL_ID = "7000000000000000401"
PIXEL_CODE_LENGTH = 20
_CODE_CHARACTERS = string.ascii_uppercase + string.digits


@dataclass
class EventSource:
    """One of them. `event_source_id` is its name in /event/track/: of a pixel, the code and not the pixel_id."""

    source: ClassVar[Source]

    event_source_id: str
    advertiser_id: str
    name: str
    created_at: float
    listed_from: float = 0
    log: EventLog = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.log = EventLog(self.source)


@dataclass
class Pixel(EventSource):
    """A pixel, which collects the events of a web site."""

    source: ClassVar[Source] = Source.WEB

    pixel_id: str = ""
    category: str | None = None
    partner_name: str | None = None


@dataclass
class TikTokApp(EventSource):
    """An app, under the id that TikTok gave it."""

    source: ClassVar[Source] = Source.APP


@dataclass
class OfflineEventSet(EventSource):
    """Events that happened in shops and on the phone."""

    source: ClassVar[Source] = Source.OFFLINE

    description: str = ""
    auto_tracking: bool = False


@dataclass
class CrmEventSet(EventSource):
    """What became of leads."""

    source: ClassVar[Source] = Source.CRM


_KINDS: dict[Source, type[EventSource]] = {
    kind.source: kind for kind in (Pixel, TikTokApp, OfflineEventSet, CrmEventSet)
}


class EventSources:
    """All of them, in the order of their creation."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._sources: dict[tuple[Source, str], EventSource] = {}

    def all(self) -> list[EventSource]:
        """Every one, oldest first."""
        return list(self._sources.values())

    def find(self, source: Source, event_source_id: str) -> EventSource | None:
        """The one of this name, whosever it is."""
        return self._sources.get((source, event_source_id))

    def add(self, event_source: EventSource) -> None:
        """Take in one whose id is not in use."""
        self._sources[event_source.source, event_source.event_source_id] = event_source

    def pixels(self, advertiser_id: str, now: float) -> list[Pixel]:
        """The pixels that the advertiser's list shows, oldest first."""
        return [shown for shown in self._shown([advertiser_id], now) if isinstance(shown, Pixel)]

    def apps(self, advertiser_id: str, now: float) -> list[TikTokApp]:
        """The apps that the advertiser's list shows, oldest first."""
        return [shown for shown in self._shown([advertiser_id], now) if isinstance(shown, TikTokApp)]

    def offline_event_sets(self, advertiser_ids: Collection[str], now: float) -> list[OfflineEventSet]:
        """The offline event sets that these advertisers' lists show, oldest first."""
        return [shown for shown in self._shown(advertiser_ids, now) if isinstance(shown, OfflineEventSet)]

    def crm_event_sets(self, advertiser_id: str, now: float) -> list[CrmEventSet]:
        """The CRM event sets that the advertiser's list shows, oldest first."""
        return [shown for shown in self._shown([advertiser_id], now) if isinstance(shown, CrmEventSet)]

    def count(self, source: Source, advertiser_id: str) -> int:
        """How many the advertiser has, shown or not."""
        return sum(kept.source is source and kept.advertiser_id == advertiser_id for kept in self._sources.values())

    def new_pixel(self, advertiser_id: str, name: str, now: float, code: str | None = None) -> Pixel:
        """A pixel, not taken in yet, with a code of 20 characters unless one is given."""
        code = code or "".join(secrets.choice(_CODE_CHARACTERS) for _ in range(PIXEL_CODE_LENGTH))
        return Pixel(code, advertiser_id, name, now, pixel_id=self._new_id())

    def new_event_source(
        self, source: Source, advertiser_id: str, name: str, now: float, event_source_id: str | None = None
    ) -> EventSource:
        """One of any kind, not taken in yet."""
        if source is Source.WEB:
            return self.new_pixel(advertiser_id, name, now, event_source_id)
        return _KINDS[source](event_source_id or self._new_id(), advertiser_id, name, now)

    def add_defaults(self, advertiser_id: str, now: float) -> None:
        """One of each kind, always under the same ids."""
        self.add(Pixel(DEFAULT_PIXEL_CODE, advertiser_id, "Emulated pixel", now, pixel_id=DEFAULT_PIXEL_ID))
        self.add(TikTokApp(DEFAULT_TIKTOK_APP_ID, advertiser_id, "Emulated app", now))
        self.add(OfflineEventSet(DEFAULT_OFFLINE_EVENT_SET_ID, advertiser_id, "Emulated shops", now))
        self.add(CrmEventSet(DEFAULT_CRM_EVENT_SET_ID, advertiser_id, "Emulated CRM", now))

    def _shown(self, advertiser_ids: Collection[str], now: float) -> list[EventSource]:
        return [
            kept for kept in self._sources.values() if kept.advertiser_id in advertiser_ids and kept.listed_from <= now
        ]
