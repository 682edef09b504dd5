"""Makes the rows of an object ready to be applied: check them, leave out who is suppressed, upload the parts."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from lambdas.audiences.attempt import Attempt, held
from lambdas.audiences.audience_settings import AudienceSettings, parse, settings_key
from lambdas.audiences.delivery import NOTHING_SENT, Delivery, State, UploadedPart
from lambdas.audiences.domain import Target, parse_key, refusal
from lambdas.audiences.formats import Route
from lambdas.audiences.history import Change, Entry
from lambdas.audiences.ports import AudienceApi, Clock, Ledger, ObjectStore, Registry, SuppressionList
from lambdas.audiences.rows.check import PART_BYTES, FileCheck, Part, check_file
from lambdas.audiences.rows.reading import Reading, RowRules, Suppressed
from lambdas.contracts import CALCULATE_TYPES
from lambdas.identifiers.models import IdentifierSpace
from lambdas.objects import ObjectVersion
from lambdas.suppressions.models import Manifest
from lambdas.tiktok.errors import InvalidInput, UnexpectedError
from lambdas.tiktok.models import CalculateType

# A part is what is read again after an interruption, but no unit of sending on the streaming route.
_STREAMED_PART_BYTES = 8 * 2**20
# How long TikTok keeps a file is not documented; until then its file_path is used again.
FILE_LIFETIME_SECONDS = 12 * 3600


class Preparation:
    """Works for one advertiser in one invocation. ``repeats`` is the ledger of what is uploaded once more."""

    def __init__(
        self,
        api: AudienceApi,
        *,
        objects: ObjectStore,
        repeats: Ledger,
        registry: Registry,
        suppressions: SuppressionList,
        rules: RowRules,
        max_invalid_ratio: float,
        clock: Clock,
    ) -> None:
        self._api = api
        self._objects = objects
        self._repeats = repeats
        self._registry = registry
        self._suppressions = suppressions
        self._rules = rules
        self._max_invalid_ratio = max_invalid_ratio
        self._clock = clock

    def suppression(self) -> str:
        """The revision of the suppression list as it is now. Raises ConnectorError."""
        return self._suppressions.current().revision

    def prepare(self, attempt: Attempt) -> None:
        """Check the rows and upload them, from where an earlier attempt got to.

        Raises:
            InvalidInput: the file is refused.
            NotReady: the time is up.
            ConnectorError: TikTok's answers.
        """
        target = _target(attempt)
        self.check(attempt)
        if target.format.route is Route.CUSTOMER_FILE:
            self._upload(attempt)

    def check(self, attempt: Attempt) -> None:
        """Check the rows. Raises InvalidInput when the file is refused, and ConnectorError."""
        target = _target(attempt)
        self._check(attempt)
        refused = refusal(
            _checked(attempt),
            target.format,
            max_invalid_ratio=self._max_invalid_ratio
            if attempt.settings.max_invalid_ratio is None
            else attempt.settings.max_invalid_ratio,
            on_invalid_row=attempt.settings.on_invalid_row,
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
            file_paths=tuple(part.file_path for part in delivery.uploads),
            uploaded_at=delivery.uploaded_at,
            suppression=delivery.suppression,
        )

    def repeat(self, entry: Entry, owner: Attempt, audience: str) -> Entry:
        """Upload the rows of an object once more, without who is suppressed by now. Raises as ``prepare``.

        Without ``uploaded_at``, what was uploaded for the same plan before does not count either: TikTok has lost it.
        """
        with self.repeating(entry, owner, audience) as attempt:
            if not entry.uploaded_at:
                attempt.record(uploads=())
            if entry.change is Change.REPLACE and not _checked(attempt).tally.valid:
                raise InvalidInput("Everybody in it is suppressed by now.", reason="all_rows_suppressed")
            self._upload(attempt)
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
            self._upload(attempt, upload_type, first_line)
            return tuple(part.file_path for part in attempt.delivery.uploads)

    @contextmanager
    def repeating(self, entry: Entry, owner: Attempt, audience: str) -> Iterator[Attempt]:
        """An attempt at doing an object's change to an audience once more, on behalf of another object."""
        target = parse_key(entry.version.key, CALCULATE_TYPES)
        # What an earlier plan has streamed does not count for this one.
        key = f"{entry.id} in {owner.delivery.advertiser_id}/{audience} by plan {entry.plan}"
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

    @contextmanager
    def _attempt(self, key: str, version: ObjectVersion, target: Target, owner: Attempt) -> Iterator[Attempt]:
        with held(self._repeats, key, owner=owner.owner, seconds=owner.seconds_left()) as document:
            delivery = Delivery.from_document(document)
            yield Attempt(self._repeats, key, version, owner.owner, owner.seconds_left, delivery, target=target)

    def _check(self, attempt: Attempt) -> None:
        """Read the rows, unless that was done in the same way, and TikTok may still have what was uploaded."""
        target = _target(attempt)
        # Whoever is removed may be on the list; TikTok has to be told all the same.
        manifest = self._suppressions.current() if target.change.adds_people else None
        country = attempt.settings.default_country
        reading = Reading(
            target.format,
            target.file_type,
            replace(self._rules, default_country=country) if country else self._rules,
            self._filters(manifest) if manifest else {},
        )
        suppression = manifest.revision if manifest else ""
        delivery = attempt.delivery
        if (delivery.prepared_with, delivery.suppression) != (reading.fingerprint, suppression):
            attempt.record(prepared_with=reading.fingerprint, suppression=suppression, check=None, **NOTHING_SENT)
        elif delivery.uploads and self._clock.now() - delivery.uploaded_at > FILE_LIFETIME_SECONDS:
            attempt.record(uploads=())
        attempt.reading = reading
        if attempt.delivery.check is not None:
            return
        is_streamed = target.format.route is Route.STREAMING
        with self._objects.read(attempt.version) as chunks:
            check = check_file(chunks, reading, part_bytes=_STREAMED_PART_BYTES if is_streamed else PART_BYTES)
        attempt.delivery = replace(attempt.delivery, check=check)
        attempt.has_progressed = True

    def _filters(self, manifest: Manifest) -> dict[IdentifierSpace, Suppressed]:
        loaded = ((space, self._suppressions.load_filter(manifest, space)) for space in manifest.filters)
        return {space: each for space, each in loaded if each is not None}

    def _upload(self, attempt: Attempt, upload_type: CalculateType | None = None, first_line: bytes = b"") -> None:
        upload_type = upload_type or _target(attempt).format.upload_type
        assert upload_type is not None
        for part in attempt.delivery.missing_parts():
            attempt.expect_time_for(f"part {part.number}")
            uploaded = self._api.upload_file(
                # Not kept in a name: the next part must not be read while this one is still in memory.
                self._read_part(attempt, part, first_line),
                name=f"part-{part.number:04d}.csv",
                calculate_type=upload_type,
            )
            receipt_of_part = UploadedPart(part.number, uploaded.file_path, uploaded.request_id)
            first = {} if attempt.delivery.uploads else {"uploaded_at": self._clock.now()}
            attempt.record(uploads=(*attempt.delivery.uploads, receipt_of_part), **first)
            attempt.has_progressed = True
        attempt.expect_time_for("the last step")

    def _read_part(self, attempt: Attempt, part: Part, first_line: bytes) -> io.BytesIO:
        content = io.BytesIO()
        content.write(first_line)
        for rows in attempt.cleaned_part(self._objects, part):
            content.write(rows)
        if content.tell() != len(first_line) + part.bytes:
            # A version never changes, so the check was made by an older release of the row cleaner.
            attempt.record(check=None, uploads=(), state=State.STARTED)
            raise UnexpectedError(f"Part {part.number} is not what the check found; the file is checked again.")
        return content


def load_settings(objects: ObjectStore, registry: Registry, audience: str) -> AudienceSettings:
    """What ``audience.json`` says, or last said: it expires like an upload. Raises InvalidInput, ConnectorError."""
    key = settings_key(audience)
    content = objects.read_current(key)
    if content is None:
        kept = registry.kept_settings(audience)
        return AudienceSettings() if kept is None else parse(kept, key)
    settings = parse(content, key)
    registry.keep_settings(audience, content)
    return settings


def _target(attempt: Attempt) -> Target:
    assert attempt.target is not None
    return attempt.target


def _checked(attempt: Attempt) -> FileCheck:
    assert attempt.delivery.check is not None
    return attempt.delivery.check
