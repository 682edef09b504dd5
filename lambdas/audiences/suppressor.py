"""Puts the identifiers of a file on the suppression list, and takes them out of every audience.

First the list, then the audiences, each in a turn of its own. Whoever adds people to an audience registers its name
before reading the list, and reads the list again in its turn: so either it leaves these identifiers out, or its
audience is found here, and they are removed after it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lambdas.audiences.attempt import Attempt
from lambdas.audiences.audience_writer import Turn
from lambdas.audiences.delivery import Applied
from lambdas.audiences.history import Change, Entry
from lambdas.audiences.routes import STREAMED_AUDIENCE
from lambdas.audiences.rows.stream_entries import StreamEntry
from lambdas.audiences.tools import Tools
from lambdas.files.streams import ByteStream
from lambdas.identifiers.models import IdentifierSpace
from lambdas.tiktok.errors import ConnectorError, FileExpired, RetryableError
from lambdas.tiktok.models import Action, AudienceListing, CalculateType, CustomAudience, IdSchema, MappingAction

if TYPE_CHECKING:
    from lambdas.audiences.ports import Registry
    from lambdas.ports import ObjectStore, SuppressionList

# Which customer files can hold identifiers of a space; the column's name where there are several.
_TYPES = {
    IdentifierSpace.EMAIL_SHA256: {"EMAIL_SHA256"},
    IdentifierSpace.PHONE_SHA256: {"PHONE_SHA256"},
    IdentifierSpace.DEVICE_SHA256: {"IDFA_SHA256", "GAID_SHA256", "FIRST_SHA256", "MAID_SHA256"},
    IdentifierSpace.DEVICE_MD5: {"IDFA_MD5", "GAID_MD5", "FIRST_MD5", "MAID_MD5"},
}
_COLUMNS = {
    IdentifierSpace.EMAIL_SHA256: "email_SHA256",
    IdentifierSpace.PHONE_SHA256: "phone_SHA256",
    IdentifierSpace.DEVICE_SHA256: "MAID_SHA256",
    IdentifierSpace.DEVICE_MD5: "MAID_MD5",
}
# A device id may be in either slot of a person.
_SCHEMAS = {
    IdentifierSpace.EMAIL_SHA256: (IdSchema.EMAIL_SHA256,),
    IdentifierSpace.PHONE_SHA256: (IdSchema.PHONE_SHA256,),
    IdentifierSpace.DEVICE_SHA256: (IdSchema.IDFA_SHA256, IdSchema.AAID_SHA256),
    IdentifierSpace.DEVICE_MD5: (IdSchema.IDFA_MD5, IdSchema.AAID_MD5),
}


class Suppressor:
    """Works through the audiences that the registry names."""

    def __init__(self, suppressions: SuppressionList, registry: Registry, objects: ObjectStore) -> None:
        self._suppressions = suppressions
        self._registry = registry
        self._objects = objects

    def suppress(self, attempt: Attempt, advertisers: Sequence[Tools]) -> None:
        """Check a suppression file, list its identifiers, and remove them. Goes on where an earlier attempt got to.

        Raises:
            InvalidInput: the file is refused.
            NotReady: the time is up, or an audience or the list is being changed by others.
            ConnectorError: TikTok's answers.
        """
        advertisers[0].preparation.check(attempt)
        assert attempt.target is not None
        space = attempt.target.format.space
        assert space is not None
        assert attempt.delivery.check is not None
        count = sum(part.bytes for part in attempt.delivery.check.parts) // (2 * space.digest_bytes + 1)
        digests = io.BufferedReader(ByteStream(self._digests(attempt)))
        self._suppressions.add(attempt.version, space, digests, count)
        failures: list[ConnectorError] = []
        for tools in advertisers:
            self._remove_everywhere(tools, attempt, space, failures)
        if failures:
            # What another try may mend comes first.
            raise next((each for each in failures if isinstance(each, RetryableError)), failures[0])

    def _remove_everywhere(
        self, tools: Tools, attempt: Attempt, space: IdentifierSpace, failures: list[ConnectorError]
    ) -> None:
        """Remove from every audience of an advertiser. One that fails must not protect the others."""
        advertiser_id = tools.writer.advertiser_id
        done = {applied.audience for applied in attempt.delivery.applied if applied.advertiser_id == advertiser_id}
        try:
            names = [name for name in self._registry.names(advertiser_id) if name not in done]
            listing = tools.api.audiences.list_audiences() if names else AudienceListing((), True)
        except ConnectorError as error:
            failures.append(error)
            return
        for name in names:
            listed = [audience for audience in listing.audiences if audience.name == name and audience.is_creator]
            if listed and not any(_can_hold(audience, space) for audience in listed):
                continue
            attempt.expect_time_for(f"the audience {name}")
            try:
                self._remove_from_name(name, listing, tools, attempt, space)
            except ConnectorError as error:
                failures.append(error)

    def _remove_from_name(
        self, name: str, listing: AudienceListing, tools: Tools, attempt: Attempt, space: IdentifierSpace
    ) -> None:
        with tools.writer.turn(name, attempt.version.id) as turn:
            audience = tools.writer.find(turn, listing, also_renamed=True)
            if audience is not None and _can_hold(audience, space):
                applied = self._remove_from(audience, turn, tools, attempt, space)
                attempt.record(applied=(*attempt.delivery.applied, applied))
                attempt.has_progressed = True

    def _remove_from(
        self, audience: CustomAudience, turn: Turn, tools: Tools, attempt: Attempt, space: IdentifierSpace
    ) -> Applied:
        if audience.audience_type == STREAMED_AUDIENCE:
            schema = _SCHEMAS[space]
            label = f"{tools.writer.advertiser_id}/{audience.audience_id}"
            request_id = tools.streamer.send(
                attempt,
                label,
                audience.audience_id,
                MappingAction.DELETE,
                schema,
                self._entries(attempt, len(schema)),
            )
            assert attempt.delivery.check is not None
            tools.writer.note_removed(turn, attempt.delivery.check.tally.valid)
            return Applied(
                turn.name, audience.audience_id, Change.REMOVE, request_id, advertiser_id=tools.writer.advertiser_id
            )
        try:
            request_id = self._apply(audience, tools, attempt, space, anew=False)
        except FileExpired:
            request_id = self._apply(audience, tools, attempt, space, anew=True)
        assert attempt.delivery.check is not None
        entry = Entry(attempt.version, Change.REMOVE, rows=attempt.delivery.check.tally.valid)
        return tools.writer.removed(turn, audience, entry, request_id)

    def _apply(
        self, audience: CustomAudience, tools: Tools, attempt: Attempt, space: IdentifierSpace, *, anew: bool
    ) -> str:
        has_columns = audience.calculate_type == CalculateType.MULTIPLE_TYPES
        file_paths = tools.preparation.upload_as(
            attempt,
            CalculateType(audience.calculate_type),
            f"{_COLUMNS[space]}\n".encode() if has_columns else b"",
            tools.writer.advertiser_id,
            anew=anew,
        )
        return tools.api.audiences.update(audience.audience_id, action=Action.REMOVE, file_paths=file_paths)

    def _digests(self, attempt: Attempt) -> Iterator[bytes]:
        for rows in attempt.cleaned_rows(self._objects):
            yield bytes.fromhex(rows.decode())

    def _entries(self, attempt: Attempt, slots: int) -> Iterator[StreamEntry]:
        number = 0
        for rows in attempt.cleaned_rows(self._objects):
            for row in rows.decode().split():
                number += 1
                yield StreamEntry(number, (row,) * slots, ())


def _can_hold(audience: CustomAudience, space: IdentifierSpace) -> bool:
    """Whether identifiers of a space can be in an audience; all kinds can in one that is streamed or has columns."""
    return (
        audience.audience_type == STREAMED_AUDIENCE
        or audience.calculate_type == CalculateType.MULTIPLE_TYPES
        or audience.calculate_type in _TYPES[space]
    )
