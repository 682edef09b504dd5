"""What is done for one range of a large object: the rows are checked, and once the whole file is accepted, uploaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lambdas.attempts import held
from lambdas.audiences.attempt import Attempt
from lambdas.audiences.delivery import Delivery, State
from lambdas.audiences.domain import parse_key, refusal
from lambdas.audiences.large_objects.distribution import Work, found_ranges, range_key
from lambdas.audiences.readings import Readings
from lambdas.audiences.rows.check import check_range
from lambdas.audiences.rows.columns import Columns
from lambdas.audiences.rows.ranges import ByteRange, merge
from lambdas.audiences.uploader import Uploader
from lambdas.contracts import CALCULATE_TYPES
from lambdas.tiktok.errors import ConnectorError, PreparationFailed, RejectedError

if TYPE_CHECKING:
    from lambdas.ports import Ledger, ObjectStore


class RangeWorker:
    """Works in one invocation, named ``owner``, which ends in ``seconds_left``."""

    def __init__(
        self,
        work: Work,
        readings: Readings,
        uploader: Uploader,
        objects: ObjectStore,
        ledger: Ledger,
        *,
        owner: str,
        seconds_left: Callable[[], float],
    ) -> None:
        self._work = work
        self._readings = readings
        self._uploader = uploader
        self._objects = objects
        self._ledger = ledger
        self._owner = owner
        self._seconds_left = seconds_left
        self._target = parse_key(work.version.key, CALCULATE_TYPES)

    def check(self, range_: ByteRange, columns: Columns | None) -> int:
        """Check the rows of a range, unless that was done; returns how many are valid. Raises ConnectorError."""
        with self._attempt(range_) as attempt:
            self._check(attempt, range_, columns)
            assert attempt.delivery.check is not None
            return attempt.delivery.check.tally.valid

    def is_refused(self) -> bool:
        """Whether the file as a whole is not to be uploaded; its delivery will say why. Raises ConnectorError."""
        limits = self._work.limits
        if limits is None:
            return False
        check = merge(each.check for each in found_ranges(self._ledger, self._work) if each.check)
        refused = refusal(
            check,
            self._target.format,
            max_invalid_ratio=limits.max_invalid_ratio,
            on_invalid_row=limits.on_invalid_row,
        )
        return refused is not None

    def upload(self, range_: ByteRange, columns: Columns | None) -> int:
        """Upload the parts of a range that TikTok does not have; returns how many it has. Raises ConnectorError."""
        with self._attempt(range_) as attempt:
            self._check(attempt, range_, columns)
            self._uploader.upload(attempt)
            return len(attempt.delivery.uploads)

    def _check(self, attempt: Attempt, range_: ByteRange, columns: Columns | None) -> None:
        if attempt.delivery.check is not None:
            return
        assert attempt.reading is not None
        with self._objects.read(self._work.version, (range_.start, range_.end)) as chunks:
            check = check_range(chunks, range_.start, columns, attempt.reading)
        attempt.record(check=check, state=State.CHECKED, last_error="")
        attempt.has_progressed = True

    @contextmanager
    def _attempt(self, range_: ByteRange) -> Iterator[Attempt]:
        work = self._work
        reading, suppression = self._readings.new(self._target, work.country)
        is_outdated = (reading.fingerprint, suppression) != (work.prepared_with, work.suppression)
        key = range_key(work, range_)
        with held(self._ledger, key, owner=self._owner, seconds=self._seconds_left()) as document:
            attempt = Attempt(
                self._ledger,
                key,
                work.version,
                self._owner,
                self._seconds_left,
                Delivery.from_document(document),
                target=self._target,
                reading=reading,
            )
            if is_outdated:
                changed = PreparationFailed("The suppression list or the deployment has changed.")
                attempt.note(changed, state=State.OUTDATED)
                raise changed
            try:
                yield attempt
            except RejectedError as error:
                attempt.note(error, state=State.REJECTED)
                raise
            except ConnectorError as error:
                attempt.note(error)
                raise
            if attempt.delivery.last_error:
                attempt.record(last_error="", state=State.CHECKED)
