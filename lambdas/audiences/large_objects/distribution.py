"""Prepares an object that one function cannot handle, by many at once: each checks and uploads a range of its bytes.

The message of the object stays in the queue meanwhile: it looks, every now and then, how the execution is doing, and
the delivery goes on once all is there. So whatever becomes of the execution, the object is not lost. What was done for
a range is written down, and not done again by another execution for the same work.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from lambdas.attempts import held
from lambdas.audiences.attempt import Attempt
from lambdas.audiences.delivery import Delivery, State, UploadedPart
from lambdas.audiences.domain import Target
from lambdas.audiences.rows.check import PART_BYTES, FileCheck, find_layout
from lambdas.audiences.rows.ranges import ByteRange, cut, merge, range_bytes
from lambdas.audiences.rows.reading import Reading
from lambdas.contracts import PLANS_PREFIX
from lambdas.executions import ExecutionStatus
from lambdas.files.blocks import HEAD_BYTES
from lambdas.files.documents import OnInvalidRow
from lambdas.objects import ObjectVersion
from lambdas.tiktok.errors import InvalidInput, PreparationFailed, UnderWay

if TYPE_CHECKING:
    from lambdas.audiences.ports import Executions
    from lambdas.ports import Ledger, ObjectStore

# Of the ledger: what is written here says whose turn it is, because the request rate is for one execution at a time.
_TURN = "turn"


@dataclass(frozen=True)
class Limits:
    """When a file is refused for its rows."""

    max_invalid_ratio: float
    on_invalid_row: OnInvalidRow = OnInvalidRow.SKIP


@dataclass(frozen=True)
class Work:
    """What is to be prepared, and how. ``limits`` are None where the file was accepted before.

    ``key`` is that of the attempt which needs it; ``country`` is where raw phone numbers without "+" are dialled.
    """

    key: str
    version: ObjectVersion
    advertiser_id: str
    prepared_with: str
    suppression: str
    edition: int = 0
    country: str | None = None
    limits: Limits | None = None

    @property
    def id(self) -> str:
        """A name made from everything that what is prepared depends on."""
        decisive = [self.key, self.advertiser_id, self.prepared_with, self.suppression, self.edition]
        return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:40]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The inverse of ``dataclasses.asdict``, also after a way through JSON."""
        limits = document["limits"]
        return cls(
            **{
                **document,
                "version": ObjectVersion(**document["version"]),
                "limits": limits and Limits(limits["max_invalid_ratio"], OnInvalidRow(limits["on_invalid_row"])),
            }
        )


class Distribution:
    """``ledger`` keeps the plan of each work, and a delivery for each of its ranges."""

    def __init__(
        self,
        objects: ObjectStore,
        ledger: Ledger,
        executions: Executions,
        *,
        large_object_bytes: int,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._objects = objects
        self._ledger = ledger
        self._executions = executions
        self._large_object_bytes = large_object_bytes
        self._part_bytes = part_bytes

    def takes(self, version: ObjectVersion, target: Target) -> bool:
        """Whether an object is to be prepared in this way."""
        return version.size > self._large_object_bytes and target.can_be_cut

    def check(self, attempt: Attempt, work: Work, reading: Reading) -> FileCheck:
        """The check of the whole object.

        Raises:
            UnderWay: it is being made.
            InvalidInput: the file is refused.
            PreparationFailed: it could not be made.
            ConnectorError: AWS's answers.
        """
        found = self._finished(attempt, work, reading, lambda each: each.check is not None)
        return merge(each.check for each in found if each.check)

    def uploads(
        self, attempt: Attempt, work: Work, reading: Reading, is_usable: Callable[[Delivery], bool]
    ) -> tuple[tuple[UploadedPart, ...], float]:
        """The uploaded parts of the whole object, and since when TikTok has the first of them. Raises as ``check``.

        ``is_usable`` says whether all of what was uploaded for a range may be with TikTok still.
        """
        found = self._finished(
            attempt,
            work,
            reading,
            lambda each: each.check is not None and not each.missing_parts() and is_usable(each),
        )
        parts = [part for each in found for part in each.uploads]
        numbered = tuple(replace(part, number=number) for number, part in enumerate(parts, 1))
        return numbered, min((each.uploaded_at for each in found if each.uploads), default=0.0)

    def _finished(
        self, attempt: Attempt, work: Work, reading: Reading, is_done: Callable[[Delivery], bool]
    ) -> list[Delivery]:
        """What was done for each range, once all are done; until then an execution works on it, one after another."""
        status = self._executions.find(_execution(attempt, work)) if attempt.delivery.run else None
        if status is ExecutionStatus.RUNNING:
            raise _under_way()
        ranges = found_ranges(self._ledger, work)
        if ranges and all(map(is_done, ranges)):
            return ranges
        # While a release is deployed, the functions may differ in their rules; then this is tried until they agree.
        is_outdated = status is ExecutionStatus.FAILED and any(each.state is State.OUTDATED for each in ranges)
        if status not in (None, ExecutionStatus.SUCCEEDED) and not is_outdated:
            # A replay starts another.
            attempt.record(run=attempt.delivery.run + 1)
            raise _failure(ranges, status)
        if status is not None or not attempt.delivery.run:
            attempt.record(run=attempt.delivery.run + 1)
        self._start(attempt, work, reading)
        raise _under_way()

    def _start(self, attempt: Attempt, work: Work, reading: Reading) -> None:
        columns = self._plan(attempt, work, reading)
        name = _execution(attempt, work)
        seconds = attempt.seconds_left()
        with held(self._ledger, _TURN, owner=attempt.owner, seconds=seconds) as turn:
            other = turn.get("execution", name)
            if other != name and self._executions.find(other) is ExecutionStatus.RUNNING:
                raise UnderWay("Another large object is being prepared.")
            self._ledger.save(_TURN, {"execution": name}, owner=attempt.owner)
            document = {
                "work": asdict(work),
                "columns": columns,
                "plan": _plan_key(work),
            }
            self._executions.start(name, document)

    def _plan(self, attempt: Attempt, work: Work, reading: Reading) -> dict[str, Any] | None:
        """Cut the object, unless that was done, and write down where; returns how its lines are taken apart."""
        with held(self._ledger, work.id, owner=attempt.owner, seconds=attempt.seconds_left()) as plan:
            if not plan:
                with self._objects.read(work.version, (0, min(HEAD_BYTES, work.version.size))) as chunks:
                    head = b"".join(chunks)
                layout = find_layout(head, reading)
                ranges = cut(
                    work.version.size,
                    range_bytes(head, layout, reading, self._part_bytes),
                    lambda start, end: self._objects.read(work.version, (start, end)),
                )
                plan = {"ends": [each.end for each in ranges], "columns": asdict(layout) if layout else None}
                self._ledger.save(work.id, plan, owner=attempt.owner)
            # For each execution: a version that was replaced is kept for longer than an object of that age.
            self._objects.write_json(_plan_key(work), [asdict(each) for each in _planned(plan)])
        columns: dict[str, Any] | None = plan["columns"]
        return columns


def found_ranges(ledger: Ledger, work: Work) -> list[Delivery]:
    """What was done for each range of a work, in their order; none before it is planned. Raises ConnectorError."""
    ranges = _planned(ledger.read(work.id))
    return [Delivery.from_document(ledger.read(range_key(work, each))) for each in ranges]


def range_key(work: Work, range_: ByteRange) -> str:
    """Where the ledger keeps what was done for a range."""
    return f"{work.id}/{range_.start}-{range_.end}"


def as_range(document: Mapping[str, Any]) -> ByteRange:
    """An item of the plan."""
    return ByteRange(int(document["number"]), int(document["start"]), int(document["end"]))


def _planned(plan: Mapping[str, Any]) -> list[ByteRange]:
    ends: list[int] = plan.get("ends", [])
    return [ByteRange(number, start, end) for number, (start, end) in enumerate(itertools.pairwise([0, *ends]), 1)]


def _plan_key(work: Work) -> str:
    return f"{PLANS_PREFIX}{work.id}.json"


def _execution(attempt: Attempt, work: Work) -> str:
    return f"{work.id}-{attempt.delivery.run}"


def _under_way() -> UnderWay:
    return UnderWay("The parts of this large object are being prepared.")


def _failure(ranges: Sequence[Delivery], status: ExecutionStatus | None) -> InvalidInput | PreparationFailed:
    refused = next((each for each in ranges if each.state is State.REJECTED), None)
    # Of an execution that was stopped, or ran out of time, it may be an earlier one's.
    if refused is not None and status is ExecutionStatus.FAILED:
        reason, _, text = refused.last_error.partition(": ")
        return InvalidInput(text, reason=reason)
    number, error = next(
        ((number, each.last_error) for number, each in enumerate(ranges, 1) if each.last_error),
        (0, ""),
    )
    done = sum(each.check is not None and not each.missing_parts() for each in ranges)
    what = "" if status is ExecutionStatus.FAILED and error else f"its execution ended as {status}"
    if error:
        what += f"{'; the last error was of ' if what else ''}range {number}: {error}"
    return PreparationFailed(
        f"The object could not be prepared ({what}). {done} of {len(ranges)} ranges are uploaded; a replay does only "
        "what is missing. Nothing was applied."
    )
