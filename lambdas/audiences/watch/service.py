"""Looks at what TikTok made of the audiences, and tells what changed.

Whatever changed is first written into the ledger as a line of the audience's history, and only then told: in the
history's file, on the event bus and in the metrics. Who comes after a crash tells first what was not told yet. So a
line is in the file exactly once, and on the bus and in the metrics at least once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from lambdas.attempts import held
from lambdas.audiences.watch.domain import (
    Condition,
    Known,
    Line,
    Look,
    Watch,
    filed,
    find_watched,
    missed,
    seen,
    status_key,
)
from lambdas.contracts import Announcement, AudienceMetric, Metric
from lambdas.tiktok.errors import ConnectorError, FatalError, NotReady, RetryableError
from lambdas.tiktok.models import AudienceDetails, AudienceListing, Credentials

if TYPE_CHECKING:
    from lambdas.audiences.ports import AudienceApi, Registry, StatusFiles, WatchObserver
    from lambdas.ports import Clock, CredentialSource, EventBus, Ledger

# For the calls of one audience, with their time-outs.
_LEAST_SECONDS = 60
_NOT_LOOKED_AT = "an audience was not looked at"
_HOUR_SECONDS = 3_600
_DAY_SECONDS = 86_400
_METRICS = {
    Condition.FAILED: Metric.AUDIENCES_FAILED,
    Condition.SHRUNK: Metric.AUDIENCES_SHRUNK,
    Condition.TOO_SMALL: Metric.AUDIENCES_TOO_SMALL,
    Condition.EXPIRING: Metric.AUDIENCES_EXPIRING,
}


class Watcher:
    """The use case. ``api_for`` makes the calls for given credentials; ``audiences`` is only read.

    What runs in a context of ``guarded`` raises nothing but ConnectorError.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        credentials: CredentialSource,
        api_for: Callable[[Credentials], AudienceApi],
        audiences: Ledger,
        watches: Ledger,
        files: StatusFiles,
        bus: EventBus,
        observer: WatchObserver,
        clock: Clock,
        guarded: Callable[[], AbstractContextManager[None]],
        expiry_warning_days: int,
    ) -> None:
        self._registry = registry
        self._credentials = credentials
        self._api_for = api_for
        self._audiences = audiences
        self._watches = watches
        self._files = files
        self._bus = bus
        self._observer = observer
        self._clock = clock
        self._guarded = guarded
        self._expiry_warning_seconds = expiry_warning_days * _DAY_SECONDS

    def look(self, *, owner: str, seconds_left: Callable[[], float]) -> None:
        """Look once at every audience that a file was ever for, of every advertiser of the secret.

        ``owner`` names this invocation; ``seconds_left`` says how long it may go on. What fails keeps nothing else from
        being looked at.

        Raises:
            ConnectorError: one of those that failed, once all the others are done: one for a person, if there is any.
        """
        advertisers = self._credentials.advertisers()
        # Each hour begins with another: should the time be up, it is not always the same ones that are left.
        first = int(self._clock.now() // _HOUR_SECONDS) % len(advertisers)
        failures: list[ConnectorError] = []
        for credentials in (*advertisers[first:], *advertisers[:first]):
            advertiser_id = credentials.advertiser_id
            with self._one_of_many(failures, "an advertiser was not looked at", advertiser_id=advertiser_id):
                self._look_at(credentials, owner, seconds_left, failures)
        if failures:
            raise next((error for error in failures if isinstance(error, FatalError)), failures[0])

    @contextmanager
    def _one_of_many(self, failures: list[ConnectorError], text: str, **what: str) -> Iterator[None]:
        """Something that must not keep others from being looked at, whether TikTok, AWS or a defect fails it."""
        try:
            with self._guarded():
                yield
        except NotReady:
            pass  # Another look is at it, and tells.
        except ConnectorError as error:
            self._observer.warn(text, **what, reason=error.reason, detail=str(error))
            failures.append(error)

    def _look_at(
        self,
        credentials: Credentials,
        owner: str,
        seconds_left: Callable[[], float],
        failures: list[ConnectorError],
    ) -> None:
        advertiser_id = credentials.advertiser_id
        names = self._registry.names(advertiser_id)
        if not names:
            return
        _expect_time(seconds_left)
        api = self._api_for(credentials)
        at = self._clock.now()
        listing = api.list_audiences()
        known: dict[str, Known] = {}
        for name in names:
            _expect_time(seconds_left)
            with self._one_of_many(failures, _NOT_LOOKED_AT, advertiser_id=advertiser_id, audience=name):
                known[name] = Known.from_document(self._audiences.read(f"{advertiser_id}/{name}"))
        ids = {audience.audience_id for name in known for audience in find_watched(listing, name, known[name])}
        details = api.find_details(sorted(ids))
        for name in known:
            _expect_time(seconds_left)
            with self._one_of_many(failures, _NOT_LOOKED_AT, advertiser_id=advertiser_id, audience=name):
                last = self._follow(
                    f"{advertiser_id}/{name}",
                    _judge(at, advertiser_id, name, known[name], listing, details, self._expiry_warning_seconds),
                    owner=owner,
                    seconds=seconds_left(),
                )
                # Nobody at all, and not valid: TikTok does not say yet.
                if last and last.exists and known[name].touches.recent(at) and (last.is_valid or last.cover_num):
                    self._show(last)

    def _follow(self, key: str, judge: Callable[[Watch], Watch], *, owner: str, seconds: float) -> Line | None:
        """Write down what a look has changed, and tell it, with whatever was not told before; what holds now."""
        before = Watch.from_document(self._watches.read(key))
        if judge(before) == before and not before.untold:
            return before.last  # As nearly always: nothing is written.
        with held(self._watches, key, owner=owner, seconds=seconds) as document:
            before = Watch.from_document(document)
            after = judge(before)
            if after != before:
                self._watches.save(key, after.to_document(), owner=owner)
            if after.untold:
                self._tell(after.untold, owner=owner, seconds=seconds)
                self._watches.save(key, after.all_told().to_document(), owner=owner)
            return after.last

    def _tell(self, lines: tuple[Line, ...], *, owner: str, seconds: float) -> None:
        key = status_key(lines[-1].audience)
        # Audiences of one name, of several advertisers, share a file.
        with held(self._watches, key, owner=owner, seconds=seconds):
            content = self._files.read(key)
            longer = filed(content, lines)
            if longer != content:
                self._files.write(key, longer)
        for line in lines:
            self._bus.publish(Announcement.STATUS, {**line.to_document(), "history_key": key})
            for condition in line.new_conditions:
                self._observer.count(_METRICS[Condition(condition)])
            if line.new_conditions:
                self._observer.warn("an audience needs somebody", **line.to_document())

    def _show(self, line: Line) -> None:
        told: dict[AudienceMetric, float | None] = {
            AudienceMetric.SIZE: line.cover_num,
            AudienceMetric.MATCHED_SHARE: line.matched_share,
        }
        for metric, value in told.items():
            if value is not None:
                self._observer.show(
                    metric,
                    value,
                    advertiser_id=line.advertiser_id,
                    audience=line.audience,
                    audience_id=line.audience_id,
                )


def _judge(
    at: float,
    advertiser_id: str,
    name: str,
    known: Known,
    listing: AudienceListing,
    details: Mapping[str, AudienceDetails],
    expiry_warning_seconds: float,
) -> Callable[[Watch], Watch]:
    """What a look makes of the memory of an audience."""
    found = find_watched(listing, name, known)

    def judge(watch: Watch) -> Watch:
        if not found:
            return missed(watch, at) if listing.is_whole else watch
        # Files for a name that several audiences have are refused; it is gone on with the one that was seen before.
        followed = [audience for audience in found if watch.last and audience.audience_id == watch.last.audience_id]
        if len(found) > 1 and not followed:
            return watch
        audience = (followed or found)[0]
        look = Look.at_listed(at, audience, details.get(audience.audience_id), known.touches)
        return seen(watch, look, advertiser_id=advertiser_id, name=name, expiry_warning_seconds=expiry_warning_seconds)

    return judge


def _expect_time(seconds_left: Callable[[], float]) -> None:
    if seconds_left() < _LEAST_SECONDS:
        raise RetryableError("The function's time is up before all audiences were looked at.", reason=NotReady.reason)
