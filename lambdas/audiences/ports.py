"""What this pipeline needs from the world outside, beside what every pipeline does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Protocol

from lambdas.audiences.history import Entry, History
from lambdas.contracts import AudienceMetric, Metric
from lambdas.executions import ExecutionStatus
from lambdas.ports import KeptSettings
from lambdas.tiktok.models import (
    Action,
    AudienceDetails,
    AudienceListing,
    AudienceOutcome,
    AudienceSubType,
    CalculateType,
    CreatedAudience,
    CustomAudience,
    IdSchema,
    MappingAction,
    UploadedFile,
)


class Registry(KeptSettings, Protocol):
    """What is known of all audiences: their names, once written to, and their last settings. Strongly consistent."""

    def add(self, advertiser_id: str, name: str) -> None:
        """Register a name. Raises ConnectorError."""
        ...

    def names(self, advertiser_id: str) -> Sequence[str]:
        """All names of an advertiser. Raises ConnectorError."""
        ...


class AudienceApi(Protocol):
    """TikTok's audience calls for one advertiser. All raise ConnectorError."""

    def upload_file(
        self, content: BinaryIO, *, name: str, calculate_type: CalculateType, signature: str | None = None
    ) -> UploadedFile:
        """Upload one file. ``signature`` is its MD5 in hex, if that is known."""
        ...

    def list_audiences(self) -> AudienceListing:
        """List all audiences, over all pages."""
        ...

    def find_audience(self, audience_id: str) -> CustomAudience | None:
        """One audience by its id, or None when TikTok does not know it."""
        ...

    def find_details(self, audience_ids: Sequence[str]) -> Mapping[str, AudienceDetails]:
        """Those of these audiences that TikTok knows, by their ids, with its complaints about their changes."""
        ...

    def find_outcome(self, audience_id: str, *, since: str | None) -> AudienceOutcome | None:
        """What became of the changes to an audience, or None when TikTok does not know it."""
        ...

    def create(
        self,
        name: str,
        *,
        calculate_type: CalculateType,
        file_paths: Sequence[str],
        retention_in_days: int | None = None,
        audience_sub_type: AudienceSubType | None = None,
    ) -> CreatedAudience:
        """Create an audience; never repeats a call whose outcome is unknown."""
        ...

    def update(self, audience_id: str, *, action: Action, file_paths: Sequence[str]) -> str:
        """Apply files to an audience; returns the request id."""
        ...

    def update_sub_type(self, audience_id: str) -> str:
        """Turn an audience from NORMAL into REACH_FREQUENCY; returns the request id."""
        ...

    def delete(self, audience_id: str) -> str:
        """Delete an audience; returns the request id. One that is gone counts as deleted."""
        ...


class SegmentApi(Protocol):
    """TikTok's streaming calls for one advertiser. All raise ConnectorError."""

    def create(self, name: str) -> CreatedAudience:
        """Create an empty audience; never repeats a call whose outcome is unknown."""
        ...

    def map(
        self, action: MappingAction, schema: Sequence[IdSchema], entries: Sequence[Sequence[str]], audience_id: str
    ) -> str:
        """Add people to an audience, or take them out; returns the request id."""
        ...

    def most_entries(self, schema: Sequence[IdSchema]) -> int:
        """How many entries of a schema one mapping takes."""
        ...


class Advertiser(Protocol):
    """The calls that act for one advertiser."""

    @property
    def audiences(self) -> AudienceApi:
        """Audiences and files."""
        ...

    @property
    def segments(self) -> SegmentApi:
        """Streaming."""
        ...


class Route(Protocol):
    """How rows get into audiences, on behalf of one object. All raise ConnectorError."""

    def creates_filled(self, entry: Entry, /) -> bool:
        """Whether an audience is created from all of the entry's rows, rather than empty or from some of them."""
        ...

    def has_minimum(self, entry: Entry, /) -> bool:
        """Whether TikTok does not carry out a change that would leave too few people."""
        ...

    def expect_to_fit(self, audience: CustomAudience, entry: Entry, history: History, /) -> None:
        """Raises InvalidInput when the audience must not have the change."""
        ...

    def make_ready(self, name: str, entry: Entry, /) -> Entry:
        """The entry in a form that can be carried out now."""
        ...

    def create(self, name: str, entry: Entry, /) -> CreatedAudience:
        """Create an audience, with all of the entry's rows in it if ``creates_filled``."""
        ...

    def carry_out(self, name: str, audience_id: str, entry: Entry, /) -> str:
        """Carry out the entry's change; returns the request id."""
        ...

    def complete(self, name: str, audience_id: str, entry: Entry, /) -> str:
        """Carry out what ``create`` left of the entry's change, right after it; returns the request id."""
        ...

    def delete(self, audience_id: str, /) -> str:
        """Delete an audience; returns the request id."""
        ...


class Executions(Protocol):
    """Runs of the state machine that prepares large objects. All raise ConnectorError."""

    def start(self, name: str, document: Mapping[str, Any]) -> None:
        """Start an execution. One of this name that was started before is left alone."""
        ...

    def find(self, name: str) -> ExecutionStatus | None:
        """The status of an execution, or None when there is none of this name."""
        ...


class StatusFiles(Protocol):
    """The histories of audiences, as files."""

    def read(self, key: str) -> bytes:
        """A file, empty when there is none. Raises RetryableError or FatalError."""
        ...

    def write(self, key: str, content: bytes) -> None:
        """Put a file in place of the one before. Raises RetryableError or FatalError."""
        ...


class WatchObserver(Protocol):
    """Told at once what a look at the audiences finds: whoever stops the function must not silence that."""

    def count(self, metric: Metric) -> None:
        """Add one to a metric."""
        ...

    def show(
        self, metric: AudienceMetric, value: float, *, advertiser_id: str, audience: str, audience_id: str
    ) -> None:
        """Set a metric of one audience."""
        ...

    def warn(self, text: str, **fields: object) -> None:
        """Write to the log."""
        ...
