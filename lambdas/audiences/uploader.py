"""Uploads the parts of an object, or of a range of it, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from lambdas.audiences.attempt import Attempt
from lambdas.audiences.delivery import Delivery, State, UploadedPart
from lambdas.audiences.part_contents import PartContent, read_parts
from lambdas.audiences.rows.check import Part
from lambdas.tiktok.errors import UnexpectedError
from lambdas.tiktok.models import CalculateType

if TYPE_CHECKING:
    from lambdas.audiences.ports import AudienceApi
    from lambdas.ports import Clock, ObjectStore

# How long TikTok keeps a file is not documented; until then its file_path is used again.
FILE_LIFETIME_SECONDS = 12 * 3600


class Uploader:
    """Uploads for one advertiser in one invocation."""

    def __init__(self, api: AudienceApi, objects: ObjectStore, clock: Clock) -> None:
        self._api = api
        self._objects = objects
        self._clock = clock

    def may_have(self, delivery: Delivery) -> bool:
        """Whether TikTok may still have what was uploaded."""
        return not delivery.uploads or self._clock.now() - delivery.uploaded_at <= FILE_LIFETIME_SECONDS

    def upload(self, attempt: Attempt, upload_type: CalculateType | None = None, first_line: bytes = b"") -> None:
        """Upload the parts of a checked object that TikTok does not have, as the type of its format or another.

        Raises:
            NotReady: the time is up.
            ConnectorError: TikTok's answers.
        """
        if not self.may_have(attempt.delivery):
            attempt.record(uploads=())
        assert attempt.target is not None
        upload_type = upload_type or attempt.target.format.upload_type
        assert upload_type is not None
        parts = attempt.delivery.missing_parts()
        if parts:
            attempt.expect_time_for(f"part {parts[0].number}")

        def read(part: Part) -> Iterator[bytes]:
            return attempt.cleaned_part(self._objects, part)

        with closing(read_parts(parts, read, first_line)) as contents:
            for content in contents:
                self._upload_part(attempt, content, upload_type, len(first_line) + content.part.bytes)

    def _upload_part(
        self, attempt: Attempt, content: PartContent, upload_type: CalculateType, expected_bytes: int
    ) -> None:
        number = content.part.number
        attempt.expect_time_for(f"part {number}")
        if content.bytes != expected_bytes:
            # A version never changes, so the check was made by an older release of the row cleaner.
            attempt.record(check=None, uploads=(), state=State.STARTED)
            raise UnexpectedError(f"Part {number} is not what the check found; the file is checked again.")
        uploaded = self._api.upload_file(
            content.stream, name=f"part-{number:04d}.csv", calculate_type=upload_type, signature=content.signature
        )
        receipt_of_part = UploadedPart(number, uploaded.file_path, uploaded.request_id)
        first = {} if attempt.delivery.uploads else {"uploaded_at": self._clock.now()}
        attempt.record(uploads=(*attempt.delivery.uploads, receipt_of_part), **first)
        attempt.has_progressed = True
