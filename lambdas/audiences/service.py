"""Delivers one object to one custom audience: check, upload, apply, account.

Every step is written to the ledger once it is done, so that whoever comes after a crash goes on from there. What may
have happened without being written down is either harmless when repeated (an upload, an APPEND) or looked up first
(a create).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from lambdas.audiences.audience_writer import AudienceWriter
from lambdas.audiences.delivery import Applied, Delivery, State, UploadedPart, receipt, timestamp
from lambdas.audiences.domain import Target, parse_object, refusal
from lambdas.audiences.ports import AudienceApi, Clock, CredentialSource, Ledger, ObjectStore
from lambdas.audiences.rows import Part, check_file, clean_part
from lambdas.objects import ObjectVersion
from lambdas.tiktok.errors import (
    ConnectorError,
    FileExpired,
    NotReady,
    PermissionMissing,
    RejectedError,
    RetryableError,
    TikTokRejected,
    TokenRejected,
    UnexpectedError,
)
from lambdas.tiktok.models import Credentials

# Time that must be left to start on a part or on the last step: for the calls, with time-outs and retries.
STEP_SECONDS = 180


class Result(StrEnum):
    """How an activation ended."""

    DELIVERED = "delivered"
    ALREADY_DELIVERED = "already delivered"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Outcome:
    """The end of an activation, with what it did."""

    result: Result
    delivery: Delivery | None = None


@dataclass
class _Run:
    """One attempt at a delivery, and what it has written down so far."""

    ledger: Ledger
    version: ObjectVersion
    owner: str
    seconds_left: Callable[[], float]
    delivery: Delivery
    target: Target | None = None
    has_progressed: bool = False

    def record(self, **changes: Any) -> None:
        """Change the delivery and write it down. Raises ConnectorError."""
        self.delivery = replace(self.delivery, **changes)
        self.ledger.save(self.version.id, self.delivery.to_document(), owner=self.owner)

    def expect_time_for(self, step: str) -> None:
        """Raises NotReady when too little time is left: what is done is written down, and another run goes on there.

        Raises RetryableError when this run got nowhere, because another would get as far.
        """
        if self.seconds_left() >= STEP_SECONDS:
            return
        text = f"The function's time is up before {step}"
        if self.has_progressed:
            raise NotReady(f"{text}; it goes on there.", wait_seconds=0)
        raise RetryableError(f"{text}, and nothing was achieved in it.", reason=NotReady.reason)

    def note(self, error: ConnectorError, **changes: Any) -> None:
        """Write down an error that is about to be raised, if that is possible: it must not be replaced by another."""
        with suppress(ConnectorError):
            self.record(last_error=f"{error.reason}: {error}", **changes)


class Activation:
    """The use case. ``api_for`` makes the audience calls for given credentials."""

    def __init__(
        self,
        *,
        objects: ObjectStore,
        deliveries: Ledger,
        audiences: Ledger,
        credentials: CredentialSource,
        api_for: Callable[[Credentials], AudienceApi],
        clock: Clock,
        supported: Collection[str],
        max_invalid_ratio: float,
    ) -> None:
        self._objects = objects
        self._deliveries = deliveries
        self._audiences = audiences
        self._credentials = credentials
        self._api_for = api_for
        self._clock = clock
        self._supported = supported
        self._max_invalid_ratio = max_invalid_ratio

    def activate(self, version: ObjectVersion, *, owner: str, seconds_left: Callable[[], float]) -> Outcome:
        """Bring one object version to TikTok, or find that it is there already.

        ``owner`` names this invocation; ``seconds_left`` says how long it may go on. A rejection has its receipt by the
        time it is raised.

        Raises:
            ConnectorError: of the class that says what to do next.
        """
        if version.is_folder_marker:
            return Outcome(Result.IGNORED)
        with self._held(self._deliveries, version.id, owner, seconds_left()) as document:
            delivery = Delivery.from_document(document)
            if delivery.state is State.FINISHED:
                return Outcome(Result.ALREADY_DELIVERED, delivery)
            run = _Run(self._deliveries, version, owner, seconds_left, delivery)
            try:
                self._deliver(run)
            except RejectedError as error:
                if version.can_have_receipt:
                    self._write_receipt(run, error)
                # A replay may come after an update that checks, and so cuts, otherwise.
                run.note(error, state=State.REJECTED, check=None, uploads=())
                raise
            except NotReady as error:
                # Nothing failed, so this was no attempt.
                run.note(error, attempts=run.delivery.attempts - 1)
                raise
            except ConnectorError as error:
                run.note(error)
                raise
            return Outcome(Result.DELIVERED, run.delivery)

    def last_error(self, version: ObjectVersion, *, owner: str) -> str:
        """What the last attempt that could report an error said, if any. Raises NotReady while one is at work."""
        with self._held(self._deliveries, version.id, owner, 1) as document:
            return Delivery.from_document(document).last_error

    def _deliver(self, run: _Run) -> None:
        run.record(attempts=run.delivery.attempts + 1, started_at=run.delivery.started_at or self._now())
        run.target = parse_object(run.version, self._supported)
        if run.delivery.applied is None:
            credentials = self._credentials.current()
            try:
                self._bring_to_tiktok(run, credentials)
            except (TokenRejected, PermissionMissing, TikTokRejected):
                # The secret may have been mended since this function read it.
                mended = self._credentials.refresh()
                if mended == credentials:
                    raise
                self._bring_to_tiktok(run, mended)
        self._write_receipt(run)
        run.record(state=State.FINISHED, last_error="")

    def _bring_to_tiktok(self, run: _Run, credentials: Credentials) -> None:
        api = self._api_for(credentials)
        if run.delivery.advertiser_id != credentials.advertiser_id:
            run.record(advertiser_id=credentials.advertiser_id, uploads=())
        self._check(run)
        try:
            self._upload(run, api)
            run.record(applied=self._apply(run, api), state=State.APPLIED)
        except FileExpired as error:
            run.record(uploads=())
            raise FileExpired(f"{error} All parts are uploaded again.") from None

    def _check(self, run: _Run) -> None:
        if run.delivery.check is None:
            with self._objects.read(run.version) as chunks:
                run.delivery = replace(run.delivery, check=check_file(chunks))
            run.has_progressed = True
        assert run.delivery.check is not None
        refused = refusal(run.delivery.check, max_invalid_ratio=self._max_invalid_ratio)
        if refused:
            raise refused
        run.record(state=State.CHECKED)

    def _upload(self, run: _Run, api: AudienceApi) -> None:
        assert run.target is not None
        for part in run.delivery.missing_parts():
            run.expect_time_for(f"part {part.number}")
            uploaded = api.upload_file(
                # Not kept in a name: the next part must not be read while this one is still in memory.
                self._read_part(run, part),
                name=f"part-{part.number:04d}.csv",
                calculate_type=run.target.calculate_type,
            )
            receipt_of_part = UploadedPart(part.number, uploaded.file_path, uploaded.request_id)
            run.record(uploads=(*run.delivery.uploads, receipt_of_part))
            run.has_progressed = True
        run.expect_time_for("the last step")

    def _read_part(self, run: _Run, part: Part) -> io.BytesIO:
        content = io.BytesIO()
        with self._objects.read(run.version, (part.start, part.end)) as chunks:
            for rows in clean_part(chunks, part):
                content.write(rows)
        if content.tell() != part.bytes:
            # A version never changes, so the check was made by an older release of the row cleaner.
            run.record(check=None, uploads=(), state=State.STARTED)
            raise UnexpectedError(f"Part {part.number} is not what the check found; the file is checked again.")
        return content

    def _apply(self, run: _Run, api: AudienceApi) -> Applied:
        assert run.target is not None
        writer = AudienceWriter(
            api,
            self._audiences,
            self._clock,
            advertiser_id=run.delivery.advertiser_id,
            seconds_left=run.seconds_left,
        )
        return writer.append(run.target, [part.file_path for part in run.delivery.uploads], owner=run.version.id)

    @contextmanager
    def _held(self, ledger: Ledger, key: str, owner: str, seconds: float) -> Iterator[dict[str, Any]]:
        document = ledger.claim(key, owner=owner, seconds=seconds)
        try:
            yield document
        finally:
            ledger.release(key, owner=owner)

    def _now(self) -> str:
        return timestamp(self._clock.now())

    def _write_receipt(self, run: _Run, error: RejectedError | None = None) -> None:
        document = receipt(run.version, run.target, run.delivery, finished_at=self._now(), error=error)
        self._objects.write_json(run.version.receipt_key, document)
