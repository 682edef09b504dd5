"""Delivers one object: check, upload or stream, apply in order, account.

Every step is written to the ledger once it is done, so that whoever comes after a crash goes on from there. What may
have happened without being written down is either harmless when repeated (an upload, a change, a batch) or looked up
first (a create).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from lambdas.attempts import held
from lambdas.audiences.announcement import ANNOUNCEMENTS, announced
from lambdas.audiences.attempt import Attempt
from lambdas.audiences.audience_settings import is_settings_key
from lambdas.audiences.audience_writer import AudienceWriter
from lambdas.audiences.confirmation import Confirmation
from lambdas.audiences.delivery import NOTHING_SENT, SUPERSEDED, Applied, Delivery, State, Status, receipt
from lambdas.audiences.domain import Target, parse_object
from lambdas.audiences.large_objects.distribution import Distribution
from lambdas.audiences.preparation import Preparation, load_settings
from lambdas.audiences.readings import Readings
from lambdas.audiences.rows.reading import RowRules
from lambdas.audiences.streaming import Streamer
from lambdas.audiences.tools import Tools
from lambdas.audiences.uploader import Uploader
from lambdas.contracts import CALCULATE_TYPES
from lambdas.credentials import with_credentials
from lambdas.objects import ObjectVersion
from lambdas.receipts import timestamp, write_receipt
from lambdas.tiktok.errors import (
    ConnectorError,
    FileExpired,
    InvalidInput,
    NotReady,
    RejectedError,
)
from lambdas.tiktok.models import Credentials

if TYPE_CHECKING:
    from lambdas.audiences.ports import Advertiser, Registry
    from lambdas.ports import Clock, CredentialSource, EventBus, Ledger, ObjectStore, SuppressionList


class Result(StrEnum):
    """How an activation ended."""

    DELIVERED = "delivered"
    SUPERSEDED = "superseded"
    ALREADY_DELIVERED = "already delivered"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Outcome:
    """The end of an activation, with what it did."""

    result: Result
    delivery: Delivery | None = None


@dataclass(frozen=True)
class Ledgers:
    """What is remembered: of each object, of each audience, and of what is done once more."""

    deliveries: Ledger
    audiences: Ledger
    repeats: Ledger


@dataclass(frozen=True)
class Rules:
    """What the deployment decides. ``minimum_size`` is the least that TikTok leaves of an audience after a remove."""

    supported: Collection[str]
    max_invalid_ratio: float
    rows: RowRules = field(default_factory=RowRules)
    thread_count: int = 5
    allow_audience_deletion: bool = False
    minimum_size: int = 1_000


class Activation:
    """The use case. ``api_for`` makes the calls for given credentials."""

    def __init__(
        self,
        *,
        objects: ObjectStore,
        ledgers: Ledgers,
        registry: Registry,
        suppressions: SuppressionList,
        credentials: CredentialSource,
        bus: EventBus,
        api_for: Callable[[Credentials], Advertiser],
        distribution: Distribution,
        clock: Clock,
        rules: Rules,
    ) -> None:
        self._objects = objects
        self._ledgers = ledgers
        self._registry = registry
        self._suppressions = suppressions
        self._credentials = credentials
        self._bus = bus
        self._api_for = api_for
        self._distribution = distribution
        self._clock = clock
        self._rules = rules

    def activate(
        self, version: ObjectVersion, *, owner: str, seconds_left: Callable[[], float], is_confirmed: bool = False
    ) -> Outcome:
        """Bring one object version to TikTok, or find that it is there already.

        ``owner`` names this invocation; ``seconds_left`` says how long it may go on; ``is_confirmed``, that somebody
        has confirmed what is held otherwise. A rejection has its receipt by the time it is raised.

        Raises:
            ConnectorError: of the class that says what to do next.
        """
        if version.is_folder_marker or is_settings_key(version.key):
            return Outcome(Result.IGNORED)
        deliveries = self._ledgers.deliveries
        with held(deliveries, version.id, owner=owner, seconds=seconds_left()) as document:
            delivery = Delivery.from_document(document)
            if delivery.state is State.FINISHED:
                return Outcome(Result.ALREADY_DELIVERED, delivery)
            attempt = Attempt(deliveries, version.id, version, owner, seconds_left, delivery, is_confirmed=is_confirmed)
            try:
                status = self._deliver(attempt)
            except RejectedError as error:
                self._forget(attempt)
                self._account(attempt, Status.REJECTED, error)
                # A replay may come after an update that checks, and so cuts, otherwise.
                attempt.note(error, state=State.REJECTED, check=None, **NOTHING_SENT)
                raise
            except NotReady as error:
                # Nothing failed, so this was no attempt.
                attempt.note(error, attempts=attempt.delivery.attempts - 1)
                raise
            except ConnectorError as error:
                attempt.note(error)
                raise
            return Outcome(Result(status), attempt.delivery)

    def last_error(self, version: ObjectVersion, *, owner: str) -> str:
        """What the last attempt that could report an error said, if any. Raises NotReady while one is at work."""
        with held(self._ledgers.deliveries, version.id, owner=owner, seconds=1) as document:
            return Delivery.from_document(document).last_error

    def _deliver(self, attempt: Attempt) -> Status:
        delivery = attempt.delivery
        attempt.record(attempts=delivery.attempts + 1, started_at=delivery.started_at or self._now())
        # What is at TikTok already is told of, even if the deployment no longer accepts it.
        supported = CALCULATE_TYPES if delivery.applied else self._rules.supported
        attempt.target = target = parse_object(
            attempt.version,
            supported,
            allow_raw_identifiers=bool(delivery.applied) or self._rules.rows.allow_raw_identifiers,
        )
        if target.deletes_audience and not (delivery.applied or self._rules.allow_audience_deletion):
            raise InvalidInput(
                "Audiences are deleted only where allow_audience_deletion is true: set it in cdk.context.json and "
                "deploy, then replay.",
                reason="deletion_not_allowed",
            )
        if delivery.state is not State.APPLIED:
            self._bring_to_tiktok(attempt, target)
        self._confirm(attempt)
        applied = attempt.delivery.applied
        superseded = bool(applied) and all(each.action == SUPERSEDED for each in applied)
        status = Status.SUPERSEDED if superseded else Status.DELIVERED
        self._account(attempt, status)
        attempt.record(state=State.FINISHED, last_error="")
        return status

    def _bring_to_tiktok(self, attempt: Attempt, target: Target) -> None:
        if not target.suppresses:
            attempt.settings = load_settings(self._objects, self._registry, target.audience)
        with_credentials(
            self._credentials,
            attempt.settings.advertiser,
            lambda credentials: self._bring_with(credentials, attempt, target),
        )

    def _bring_with(self, credentials: Credentials, attempt: Attempt, target: Target) -> None:
        if attempt.delivery.advertiser_id != credentials.advertiser_id:
            self._forget(attempt)
            attempt.record(advertiser_id=credentials.advertiser_id, **NOTHING_SENT)
        if target.suppresses:
            # Imported only for such files: it is a part of the cold start.
            from lambdas.audiences.suppressor import Suppressor

            suppressor = Suppressor(self._suppressions, self._registry, self._objects)
            suppressor.suppress(attempt, [self._tools(each, attempt) for each in self._credentials.advertisers()])
        else:
            self._apply(attempt, target, self._tools(credentials, attempt))
        attempt.record(state=State.APPLIED, applied_at=self._clock.now())

    def _apply(self, attempt: Attempt, target: Target, tools: Tools) -> None:
        if not target.deletes_audience:
            tools.preparation.prepare(attempt)
        routes = tools.routes(attempt)
        for name in _audiences(target, attempt.delivery):
            if any(applied.audience == name for applied in attempt.delivery.applied):
                continue
            try:
                applied = tools.writer.apply(name, tools.preparation.entry(attempt), routes)
            except FileExpired as error:
                attempt.lose_uploads()
                raise FileExpired(f"{error} All parts are uploaded again.") from None
            attempt.record(applied=(*attempt.delivery.applied, applied))

    def _tools(self, credentials: Credentials, attempt: Attempt) -> Tools:
        api = self._api_for(credentials)
        return Tools(
            api=api,
            writer=AudienceWriter(
                api.audiences,
                self._ledgers.audiences,
                self._registry,
                self._clock,
                advertiser_id=credentials.advertiser_id,
                seconds_left=attempt.seconds_left,
                minimum_size=self._rules.minimum_size,
            ),
            preparation=Preparation(
                Uploader(api.audiences, self._objects, self._clock),
                advertiser_id=credentials.advertiser_id,
                readings=Readings(self._suppressions, self._rules.rows),
                distribution=self._distribution,
                objects=self._objects,
                repeats=self._ledgers.repeats,
                registry=self._registry,
                max_invalid_ratio=self._rules.max_invalid_ratio,
            ),
            streamer=Streamer(api.segments, self._objects, thread_count=self._rules.thread_count),
            clock=self._clock,
        )

    def _forget(self, attempt: Attempt) -> None:
        """See to it that nobody else applies what was planned for this object. Raises ConnectorError."""
        target, delivery = attempt.target, attempt.delivery
        if target is None or target.suppresses or not delivery.advertiser_id:
            return
        # Nothing is asked of TikTok.
        writer = self._tools(Credentials("", delivery.advertiser_id), attempt).writer
        for name in _audiences(target, delivery):
            writer.forget(name, attempt.version.id)

    def _credentials_of(self, advertiser_id: str) -> Credentials:
        """One token acts for all advertisers."""
        return Credentials(self._credentials.current(None).access_token, advertiser_id)

    def _confirm(self, attempt: Attempt) -> None:
        def tools_of(applied: Applied) -> Tools:
            return self._tools(self._credentials_of(applied.advertiser_id), attempt)

        Confirmation(
            self._clock,
            find_outcome=lambda applied: tools_of(applied).api.audiences.find_outcome(
                applied.audience_id, since=applied.since
            ),
            reopen=lambda applied: tools_of(applied).writer.reopen(applied.audience, attempt.version.id),
        ).confirm(attempt)

    def _now(self) -> str:
        return timestamp(self._clock.now())

    def _account(self, attempt: Attempt, status: Status, error: RejectedError | None = None) -> None:
        """Write the receipt, unless S3 would not take its key, and announce it."""
        document = receipt(
            attempt.version, attempt.target, attempt.delivery, status, finished_at=self._now(), error=error
        )
        key = write_receipt(self._objects, attempt.version, document)
        self._bus.publish(ANNOUNCEMENTS[status], announced(document, receipt_key=key))


def _audiences(target: Target, delivery: Delivery) -> tuple[str, ...]:
    """The names of all audiences that an object concerns, that of its key first."""
    further = delivery.check.audiences if delivery.check else ()
    return tuple(dict.fromkeys((target.audience, *further)))
