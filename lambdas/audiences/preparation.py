"""Makes the rows of an object ready to be applied: check them, leave out who is suppressed, upload the parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from lambdas.attempts import held
from lambdas.audiences.attempt import Attempt
from lambdas.audiences.audience_settings import AudienceSettings, parse, settings_key
from lambdas.audiences.delivery import NOTHING_SENT, Delivery, State
from lambdas.audiences.domain import Target, parse_key, refusal
from lambdas.audiences.formats import Route
from lambdas.audiences.history import Change, Entry
from lambdas.audiences.large_objects.distribution import Distribution, Limits, Work
from lambdas.audiences.readings import Readings
from lambdas.audiences.rows.check import PART_BYTES, FileCheck, check_file
from lambdas.audiences.uploader import Uploader
from lambdas.contracts import CALCULATE_TYPES
from lambdas.files.documents import load
from lambdas.objects import ObjectVersion
from lambdas.tiktok.errors import InvalidInput, PreparationFailed
from lambdas.tiktok.models import CalculateType

if TYPE_CHECKING:
    from lambdas.audiences.ports import Registry
    from lambdas.ports import KeptSettings, Ledger, ObjectStore

# A part is what is read again after an interruption, but no unit of sending on the streaming route.
_STREAMED_PART_BYTES = 8 * 2**20
_IN_RANGES = " in ranges"


class Preparation:
    """Works for one advertiser in one invocation. ``repeats`` is the ledger of what is uploaded once more."""

    def __init__(
        self,
        uploader: Uploader,
        *,
        advertiser_id: str,
        readings: Readings,
        distribution: Distribution,
        objects: ObjectStore,
        repeats: Ledger,
        registry: Registry,
        max_invalid_ratio: float,
    ) -> None:
        self._uploader = uploader
        self._advertiser_id = advertiser_id
        self._readings = readings
        self._distribution = distribution
        self._objects = objects
        self._repeats = repeats
        self._registry = registry
        self._max_invalid_ratio = max_invalid_ratio

    def suppression(self) -> str:
        """The revision of the suppression list as it is now. Raises ConnectorError."""
        return self._readings.suppression()

    def prepare(self, attempt: Attempt) -> None:
        """Check the rows and upload them, from where an earlier attempt got to.

        Raises:
            InvalidInput: the file is refused.
            NotReady: the time is up, or others are at it.
            ConnectorError: TikTok's answers.
        """
        target = _target(attempt)
        self.check(attempt)
        if target.format.route is Route.CUSTOMER_FILE:
            self._bring(attempt)

    def check(self, attempt: Attempt) -> None:
        """Check the rows. Raises InvalidInput when the file is refused, and ConnectorError."""
        target, given = _target(attempt), attempt.settings
        ratio = self._max_invalid_ratio if given.max_invalid_ratio is None else given.max_invalid_ratio
        self._check(attempt, Limits(ratio, given.on_invalid_row))
        refused = refusal(
            _checked(attempt), target.format, max_invalid_ratio=ratio, on_invalid_row=given.on_invalid_row
        )
        if refused:
            raise refused
        attempt.record(state=State.CHECKED)

    def entry(self, attempt: Attempt) -> Entry:
        """What is to be remembered of a prepared object."""
        delivery = attempt.delivery
        return Entry(
            attempt.version,
            _target(attempt).change,
            rows=delivery.check.tally.valid if delivery.check else 0,
            file_paths=_file_paths(attempt),
            uploaded_at=delivery.uploaded_at,
            suppression=delivery.suppression,
        )

    def repeat(self, entry: Entry, owner: Attempt, audience: str) -> Entry:
        """Upload the rows of an object once more, without who is suppressed by now. Raises as ``prepare``.

        Without ``uploaded_at``, TikTok has lost the entry's files.
        """
        with self.repeating(entry, owner, audience) as attempt:
            if not entry.uploaded_at and entry.file_paths == _file_paths(attempt):
                attempt.lose_uploads()
            if entry.change is Change.REPLACE and not _checked(attempt).tally.valid:
                raise InvalidInput("Everybody in it is suppressed by now.", reason="all_rows_suppressed")
            self._bring(attempt)
            return entry.prepared_as(self.entry(attempt))

    def upload_as(
        self, owner: Attempt, upload_type: CalculateType, first_line: bytes, advertiser_id: str, *, anew: bool
    ) -> tuple[str, ...]:
        """Upload the rows of a checked file as another type; returns the file_paths. Raises as ``prepare``.

        ``anew``: what was uploaded before does not count, because TikTok has lost it.
        """
        assert owner.target is not None
        key = f"{owner.version.id} as {upload_type} for {advertiser_id}"
        with self._attempt(key, owner.version, owner.target, owner) as attempt:
            checked = owner.delivery
            attempt.delivery = replace(
                attempt.delivery,
                prepared_with=checked.prepared_with,
                suppression=checked.suppression,
                check=checked.check,
                uploads=attempt.delivery.uploads if attempt.delivery.prepared_with == checked.prepared_with else (),
            )
            self._check(attempt)
            if anew:
                attempt.record(uploads=())
            self._uploader.upload(attempt, upload_type, first_line)
            attempt.expect_time_for("the last step")
            return _file_paths(attempt)

    @contextmanager
    def repeating(self, entry: Entry, owner: Attempt, audience: str) -> Iterator[Attempt]:
        """An attempt at doing an object's change to an audience once more, on behalf of another object."""
        target = parse_key(entry.version.key, CALCULATE_TYPES)
        key = f"{entry.id} in {owner.delivery.advertiser_id}/{audience}"
        if entry.is_streamed:
            # What an earlier plan has streamed does not count for this one; what was uploaded for it does.
            key += f" by plan {entry.plan}"
        with self._attempt(key, entry.version, target, owner) as attempt:
            try:
                attempt.settings = load_settings(self._objects, self._registry, target.audience)
                self._check(attempt)
                yield attempt
            except InvalidInput as error:
                raise InvalidInput(
                    f"The newer file {entry.version.key} (version {entry.version.version_id}) would have to be applied "
                    f"again after this one, but cannot be: {error}",
                    reason="repeat_impossible",
                ) from None
            except PreparationFailed as error:
                raise PreparationFailed(
                    f"The newer file {entry.version.key} (version {entry.version.version_id}) has to be applied again "
                    f"after this one. {error}"
                ) from None

    @contextmanager
    def _attempt(self, key: str, version: ObjectVersion, target: Target, owner: Attempt) -> Iterator[Attempt]:
        with held(self._repeats, key, owner=owner.owner, seconds=owner.seconds_left()) as document:
            delivery = Delivery.from_document(document)
            yield Attempt(self._repeats, key, version, owner.owner, owner.seconds_left, delivery, target=target)

    def _check(self, attempt: Attempt, limits: Limits | None = None) -> None:
        """Read the rows, unless that was done in the same way."""
        target = _target(attempt)
        attempt.reading, suppression = self._readings.new(target, attempt.settings.default_country)
        in_ranges = self._distribution.takes(attempt.version, target)
        # What was found in ranges has other parts, and does not say how lines are taken apart.
        prepared_with = attempt.reading.fingerprint + (_IN_RANGES if in_ranges else "")
        if (attempt.delivery.prepared_with, attempt.delivery.suppression) != (prepared_with, suppression):
            attempt.record(prepared_with=prepared_with, suppression=suppression, check=None, **NOTHING_SENT)
        if attempt.delivery.check is not None:
            return
        if in_ranges:
            check = self._distribution.check(attempt, self._work(attempt, limits), attempt.reading)
        else:
            check = self._read_rows(attempt)
        attempt.delivery = replace(attempt.delivery, check=check)
        attempt.has_progressed = True

    def _read_rows(self, attempt: Attempt) -> FileCheck:
        assert attempt.reading is not None
        is_streamed = _target(attempt).format.route is Route.STREAMING
        with self._objects.read(attempt.version) as chunks:
            return check_file(chunks, attempt.reading, part_bytes=_STREAMED_PART_BYTES if is_streamed else PART_BYTES)

    def _work(self, attempt: Attempt, limits: Limits | None = None) -> Work:
        delivery = attempt.delivery
        assert attempt.reading is not None
        return Work(
            attempt.key,
            attempt.version,
            self._advertiser_id,
            attempt.reading.fingerprint,
            delivery.suppression,
            delivery.edition,
            attempt.settings.default_country,
            limits,
        )

    def _bring(self, attempt: Attempt) -> None:
        """See to it that TikTok has all parts, whoever uploads them."""
        assert attempt.reading is not None
        if not self._distribution.takes(attempt.version, _target(attempt)):
            self._uploader.upload(attempt)
        elif attempt.delivery.missing_parts() or not self._uploader.may_have(attempt.delivery):
            uploads, since = self._distribution.uploads(
                attempt, self._work(attempt), attempt.reading, self._uploader.may_have
            )
            attempt.record(uploads=uploads, uploaded_at=since)
        attempt.expect_time_for("the last step")


def load_settings(objects: ObjectStore, kept: KeptSettings, audience: str) -> AudienceSettings:
    """What ``audience.json`` says, or last said. Raises InvalidInput, ConnectorError."""
    return load(objects, kept, settings_key(audience), audience, parse) or AudienceSettings()


def _target(attempt: Attempt) -> Target:
    assert attempt.target is not None
    return attempt.target


def _file_paths(attempt: Attempt) -> tuple[str, ...]:
    return tuple(part.file_path for part in attempt.delivery.uploads)


def _checked(attempt: Attempt) -> FileCheck:
    assert attempt.delivery.check is not None
    return attempt.delivery.check
