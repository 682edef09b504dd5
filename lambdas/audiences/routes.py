"""The two ways by which rows get into an audience: as files that TikTok applies, or streamed in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambdas.audiences.attempt import Attempt
from lambdas.audiences.domain import parse_key
from lambdas.audiences.history import Change, Entry, History
from lambdas.audiences.preparation import Preparation
from lambdas.audiences.streaming import Streamer
from lambdas.audiences.uploader import FILE_LIFETIME_SECONDS
from lambdas.contracts import CALCULATE_TYPES
from lambdas.tiktok.errors import InvalidInput, NotReady
from lambdas.tiktok.models import Action, AudienceSubType, CalculateType, CreatedAudience, CustomAudience, MappingAction

if TYPE_CHECKING:
    from lambdas.audiences.ports import Advertiser, AudienceApi
    from lambdas.ports import Clock

# What an audience that is filled by streaming calls itself (API reference section 4).
STREAMED_AUDIENCE = "Partner"
# What cannot take a file (section 3.6): an audience of the same name may be one of these.
_NO_CUSTOMER_FILES = {
    STREAMED_AUDIENCE,
    "Lookalike Audience",
    "Engagement Audience",
    "App Activity Audience",
    "Website Audience",
    "Lead Generation",
    "Rule Business Account",
    "Rule ad shop",
    "Challenge",
    "Preferred Population",
}
_MOST_FILES_A_CALL = 49  # "fewer than 50", section 3.4
_MAPPING_ACTIONS = {Change.APPEND: MappingAction.ADD, Change.REMOVE: MappingAction.DELETE}


class FileRoute:
    """Customer files (API reference section 3), on behalf of one object."""

    def __init__(self, api: AudienceApi, preparation: Preparation, attempt: Attempt, clock: Clock) -> None:
        self._api = api
        self._preparation = preparation
        self._attempt = attempt
        self._clock = clock

    def creates_filled(self, entry: Entry) -> bool:
        """A customer-file audience is created from files, of which one call does not take all if there are many."""
        return len(entry.file_paths) <= _MOST_FILES_A_CALL

    def has_minimum(self, _entry: Entry) -> bool:
        """Below 1,000 people nothing is carried out (section 3.5)."""
        return True

    def expect_to_fit(self, audience: CustomAudience, entry: Entry, history: History) -> None:
        """Raises InvalidInput when the audience cannot take the file, or when the file is held."""
        if audience.audience_type in _NO_CUSTOMER_FILES:
            raise InvalidInput(
                f"The audience {audience.audience_id} of this name is of the type {audience.audience_type}, which "
                "takes no files. Use another audience name.",
                reason="not_a_customer_file",
            )
        held = audience.calculate_type.replace("MAID_", "FIRST_")
        wanted = _audience_type(entry)
        if held not in ("", wanted):
            raise InvalidInput(
                f"The audience {audience.audience_id} of this name holds {held}, the file holds {wanted}. Use the "
                "format that it holds, or another audience name.",
                reason="calculate_type_mismatch",
            )
        if entry.change is Change.REPLACE and not self._attempt.is_confirmed:
            self._expect_no_shrinking(audience, entry, history)

    def make_ready(self, name: str, entry: Entry) -> Entry:
        """The entry with files that TikTok has, without anybody who is suppressed by now. Raises ConnectorError."""
        is_fresh = self._clock.now() - entry.uploaded_at <= FILE_LIFETIME_SECONDS
        if is_fresh and (not entry.change.adds_people or entry.suppression == self._preparation.suppression()):
            return entry
        if entry.id == self._attempt.version.id:
            raise NotReady("The suppression list has changed meanwhile; the file is checked again.", wait_seconds=0)
        return self._preparation.repeat(entry, self._attempt, name)

    def create(self, name: str, entry: Entry) -> CreatedAudience:
        """Create the audience from the entry's files. Raises ConnectorError."""
        settings = self._attempt.settings
        return self._api.create(
            name,
            calculate_type=_audience_type(entry),
            file_paths=entry.file_paths[:_MOST_FILES_A_CALL],
            retention_in_days=settings.retention_in_days,
            audience_sub_type=settings.audience_sub_type,
        )

    def carry_out(self, _name: str, audience_id: str, entry: Entry) -> str:
        """Apply the entry's files; returns the last request id. Raises ConnectorError.

        Repeating all of it does no harm, whichever of several calls an earlier attempt got to.
        """
        if not entry.file_paths and entry.change is not Change.REPLACE:
            return ""  # everybody in it is suppressed by now
        self._widen(audience_id)
        first = entry.file_paths[:_MOST_FILES_A_CALL]
        request_id = self._api.update(audience_id, action=Action(entry.change), file_paths=first)
        further = Action.APPEND if entry.change is Change.REPLACE else Action(entry.change)
        return self._apply_rest(audience_id, entry, further) or request_id

    def complete(self, _name: str, audience_id: str, entry: Entry) -> str:
        """Apply the files that ``create`` left, and no others: an audience takes so many (section 3.4).

        Returns the last request id. Raises ConnectorError.
        """
        return self._apply_rest(audience_id, entry, Action.APPEND)

    def _apply_rest(self, audience_id: str, entry: Entry, action: Action) -> str:
        request_id = ""
        for start in range(_MOST_FILES_A_CALL, len(entry.file_paths), _MOST_FILES_A_CALL):
            files = entry.file_paths[start : start + _MOST_FILES_A_CALL]
            request_id = self._api.update(audience_id, action=action, file_paths=files)
        return request_id

    def delete(self, audience_id: str) -> str:
        """Delete an audience. Raises ConnectorError."""
        return self._api.delete(audience_id)

    def _widen(self, audience_id: str) -> None:
        """Make the audience one for reach and frequency, if its settings say so and it is none yet."""
        if self._attempt.settings.audience_sub_type is AudienceSubType.REACH_FREQUENCY:
            audience = self._api.find_audience(audience_id)
            if audience is not None and audience.audience_sub_type != AudienceSubType.REACH_FREQUENCY:
                self._api.update_sub_type(audience_id)

    def _expect_no_shrinking(self, audience: CustomAudience, entry: Entry, history: History) -> None:
        settings = self._attempt.settings
        remedy = "Nothing was changed. If that is right, replay it with --confirm; if not, discard it."
        if settings.min_rows is not None and entry.rows < settings.min_rows:
            raise InvalidInput(
                f"The file would replace the audience by {entry.rows:,} rows, fewer than min_rows "
                f"{settings.min_rows:,} allows. {remedy}",
                reason="too_few_rows",
            )
        size = audience.cover_num or history.known_rows
        if settings.max_shrink_ratio is not None and entry.rows < size * (1 - settings.max_shrink_ratio):
            raise InvalidInput(
                f"The file would replace an audience of {size:,} people by {entry.rows:,} rows, a smaller share than "
                f"max_shrink_ratio {settings.max_shrink_ratio:g} allows. {remedy}",
                reason="would_shrink",
            )


class StreamingRoute:
    """Segment mappings (API reference section 4), on behalf of one object."""

    def __init__(self, api: Advertiser, streamer: Streamer, preparation: Preparation, attempt: Attempt) -> None:
        self._api = api
        self._streamer = streamer
        self._preparation = preparation
        self._attempt = attempt

    def creates_filled(self, _entry: Entry) -> bool:
        """A streaming audience is created empty."""
        return False

    def has_minimum(self, _entry: Entry) -> bool:
        """Entries are deleted however few are left."""
        return False

    def expect_to_fit(self, audience: CustomAudience, entry: Entry, _history: History) -> None:
        """Raises InvalidInput when the audience is of another kind."""
        if entry.change is not Change.DELETE and audience.audience_type != STREAMED_AUDIENCE:
            raise InvalidInput(
                f"The audience {audience.audience_id} of this name is of the type {audience.audience_type}, which "
                "nothing can be streamed to. Use another audience name, or a file format.",
                reason="not_a_streaming_audience",
            )

    def make_ready(self, name: str, entry: Entry) -> Entry:
        """The entry itself, if it can be sent: from its object, without anybody who is suppressed by then."""
        if entry.change is Change.DELETE:
            return entry
        if entry.id != self._attempt.version.id:
            with self._preparation.repeating(entry, self._attempt, name):
                return entry
        if entry.change.adds_people and entry.suppression != self._preparation.suppression():
            raise NotReady("The suppression list has changed meanwhile; the file is checked again.", wait_seconds=0)
        return entry

    def create(self, name: str, _entry: Entry) -> CreatedAudience:
        """Create an empty audience. Raises ConnectorError."""
        return self._api.segments.create(name)

    def carry_out(self, name: str, audience_id: str, entry: Entry) -> str:
        """Stream the entry's rows; returns the last request id. Raises ConnectorError."""
        action = _MAPPING_ACTIONS[entry.change]
        if entry.id == self._attempt.version.id:
            return self._streamer.send_rows(self._attempt, name, audience_id, entry.plan, action)
        with self._preparation.repeating(entry, self._attempt, name) as repeated:
            return self._streamer.send_rows(repeated, name, audience_id, entry.plan, action)

    def complete(self, name: str, audience_id: str, entry: Entry) -> str:
        """Stream all of the entry's rows; returns the last request id. Raises ConnectorError."""
        return self.carry_out(name, audience_id, entry)


class Routes:
    """Both routes: an audience that was deleted and made anew may have changes of either in its history."""

    def __init__(self, files: FileRoute, streaming: StreamingRoute) -> None:
        self._files = files
        self._streaming = streaming

    def creates_filled(self, entry: Entry) -> bool:
        """As the entry's route has it."""
        return self._of(entry).creates_filled(entry)

    def has_minimum(self, entry: Entry) -> bool:
        """As the entry's route has it."""
        return self._of(entry).has_minimum(entry)

    def expect_to_fit(self, audience: CustomAudience, entry: Entry, history: History) -> None:
        """Raises InvalidInput when the audience must not have the change."""
        self._of(entry).expect_to_fit(audience, entry, history)

    def make_ready(self, name: str, entry: Entry) -> Entry:
        """The entry in a form that can be carried out now. Raises ConnectorError."""
        return self._of(entry).make_ready(name, entry)

    def create(self, name: str, entry: Entry) -> CreatedAudience:
        """Create an audience for the entry. Raises ConnectorError."""
        return self._of(entry).create(name, entry)

    def carry_out(self, name: str, audience_id: str, entry: Entry) -> str:
        """Carry out the entry's change; returns the request id. Raises ConnectorError."""
        return self._of(entry).carry_out(name, audience_id, entry)

    def complete(self, name: str, audience_id: str, entry: Entry) -> str:
        """Carry out what ``create`` left of the entry's change; returns the request id. Raises ConnectorError."""
        return self._of(entry).complete(name, audience_id, entry)

    def delete(self, audience_id: str) -> str:
        """Delete an audience of any kind; returns the request id. Raises ConnectorError."""
        return self._files.delete(audience_id)

    def _of(self, entry: Entry) -> FileRoute | StreamingRoute:
        return self._streaming if entry.is_streamed else self._files


def _audience_type(entry: Entry) -> CalculateType:
    found = parse_key(entry.version.key, CALCULATE_TYPES).format.audience_type
    assert found is not None
    return found
