"""How events of one event source are read and sent at the moment: by its settings, and the deployment's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lambdas.contracts import Metric
from lambdas.events.batches import Packing
from lambdas.events.domain import Destination
from lambdas.events.event_sources import EventSources
from lambdas.events.rows.check import EventRules
from lambdas.events.rows.fields import is_consent
from lambdas.events.sender import Address, Sender
from lambdas.events.source_settings import WITH_LIMITED_DATA_USE, SourceSettings, parse_settings
from lambdas.files.documents import load
from lambdas.identifiers.models import IdentifierSpace
from lambdas.tiktok.models import Credentials, EventSource

if TYPE_CHECKING:
    from lambdas.events.ports import Advertiser
    from lambdas.ports import Clock, CredentialSource, KeptSettings, Ledger, ObjectStore, Suppressed, SuppressionList


# Of people. Devices are known of apps alone; each filter takes memory.
_ASKED = frozenset({IdentifierSpace.EMAIL_SHA256, IdentifierSpace.PHONE_SHA256})


@dataclass(frozen=True)
class Deployment:
    """What the deployment decides, where an event source's settings say nothing else."""

    max_age_days: Mapping[EventSource, int]
    default_country: str | None = None
    limited_data_use: bool = False
    partner_name: str | None = None
    may_create_sources: bool = False
    thread_count: int = 5

    def rules(self, source: EventSource, settings: SourceSettings) -> EventRules:
        """How events are checked."""
        return EventRules(
            source=source,
            max_age_days=self.max_age_days[source],
            default_country=settings.default_country or self.default_country,
            columns=settings.columns,
            events=settings.events,
            needs_consent=any(is_consent(column) for column in settings.columns.values()),
        )


class Preparation:
    """Works in one invocation. ``api_for`` makes the calls for given credentials; ``count`` adds to a metric."""

    def __init__(
        self,
        deployment: Deployment,
        *,
        objects: ObjectStore,
        kept_settings: KeptSettings,
        suppressions: SuppressionList,
        credentials: CredentialSource,
        sources: Ledger,
        api_for: Callable[[Credentials], Advertiser],
        count: Callable[[Metric, int], None],
        clock: Clock,
    ) -> None:
        self._deployment = deployment
        self._objects = objects
        self._kept_settings = kept_settings
        self._suppressions = suppressions
        self._sources = sources
        self._clock = clock
        self.credentials = credentials
        self.api_for = api_for
        self.count = count
        self.thread_count = deployment.thread_count

    def settings(self, destination: Destination) -> SourceSettings:
        """What ``source.json`` says, or last said. Raises InvalidInput, ConnectorError."""
        parse = parse_settings(destination.source)
        given = load(
            self._objects,
            self._kept_settings,
            destination.settings_key,
            destination.settings_name,
            parse,
            # Events that only were a test would arrive nowhere, for ever.
            recall=lambda settings: replace(settings, test_event_code=None),
        )
        return given or SourceSettings()

    def rules(self, destination: Destination, settings: SourceSettings) -> EventRules:
        """How events are checked."""
        return self._deployment.rules(destination.source, settings)

    def find_source(
        self, destination: Destination, credentials: Credentials, *, owner: str, seconds_left: Callable[[], float]
    ) -> str:
        """The id of the event source. Raises as ``EventSources.find``."""
        sources = EventSources(
            self.api_for(credentials).sources,
            self._sources,
            self._clock,
            advertiser_id=credentials.advertiser_id,
            may_create=self._deployment.may_create_sources,
        )
        return sources.find(destination, owner=owner, seconds_left=seconds_left)

    def new_sender(self, credentials: Credentials, seconds_left: Callable[[], float]) -> Sender:
        """Sends with given credentials."""
        return Sender(
            self.api_for(credentials).events,
            thread_count=self._deployment.thread_count,
            seconds_left=seconds_left,
            count=self.count,
        )

    def address(self, destination: Destination, source_id: str, settings: SourceSettings) -> Address:
        """Where requests go."""
        return Address(destination.source, source_id, settings.test_event_code, self._deployment.partner_name)

    def packing(self, destination: Destination, source_id: str, settings: SourceSettings) -> Packing:
        """How events become requests, without those who are suppressed now. Raises ConnectorError."""
        manifest = self._suppressions.current()
        asked = _ASKED if destination.source is not EventSource.APP else frozenset(IdentifierSpace)
        loaded: dict[IdentifierSpace, Suppressed | None] = {
            space: self._suppressions.load_filter(manifest, space) for space in manifest.filters if space in asked
        }
        suppressed = {space: each for space, each in loaded.items() if each is not None}
        return Packing(destination.source, source_id, suppressed, self._limited_data_use(destination, settings))

    def _limited_data_use(self, destination: Destination, settings: SourceSettings) -> bool | None:
        """What holds for events that say nothing of it themselves; None where nothing is to be said."""
        if destination.source not in WITH_LIMITED_DATA_USE:
            return None
        return (
            settings.limited_data_use
            if settings.limited_data_use is not None
            else self._deployment.limited_data_use or None
        )
