"""One attempt at a delivery, and what it has written down so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lambdas.attempts import expect_time_for
from lambdas.audiences.audience_settings import AudienceSettings
from lambdas.audiences.delivery import Delivery
from lambdas.audiences.domain import Target
from lambdas.audiences.rows.check import Part, clean_part, source_span
from lambdas.audiences.rows.reading import Reading
from lambdas.objects import ObjectVersion
from lambdas.tiktok.errors import ConnectorError

if TYPE_CHECKING:
    from lambdas.ports import Ledger, ObjectStore


@dataclass
class Attempt:
    """What is done for one object version in one invocation. ``key`` is where the ledger keeps what was done.

    ``is_confirmed`` says that somebody has confirmed what would otherwise be held.
    """

    ledger: Ledger
    key: str
    version: ObjectVersion
    owner: str
    seconds_left: Callable[[], float]
    delivery: Delivery
    target: Target | None = None
    reading: Reading | None = None
    settings: AudienceSettings = field(default_factory=AudienceSettings)
    is_confirmed: bool = False
    has_progressed: bool = False

    def record(self, **changes: Any) -> None:
        """Change the delivery and write it down. Raises ConnectorError."""
        self.delivery = replace(self.delivery, **changes)
        self.ledger.save(self.key, self.delivery.to_document(), owner=self.owner)

    def lose_uploads(self) -> None:
        """TikTok has lost what was uploaded: all of it is uploaded again. Raises ConnectorError."""
        self.record(uploads=(), edition=self.delivery.edition + 1)

    def cleaned_rows(self, objects: ObjectStore) -> Iterator[bytes]:
        """All rows of the object once it is checked, as they are sent. Raises ConnectorError."""
        assert self.delivery.check is not None
        for part in self.delivery.check.parts:
            yield from self.cleaned_part(objects, part)

    def cleaned_part(self, objects: ObjectStore, part: Part) -> Iterator[bytes]:
        """The rows of one part. Raises ConnectorError."""
        assert self.delivery.check is not None
        assert self.reading is not None
        with objects.read(self.version, source_span(part, self.reading)) as chunks:
            yield from clean_part(chunks, part, self.delivery.check, self.reading)

    def expect_time_for(self, step: str) -> None:
        """Raises NotReady when too little time is left: what is done is written down, and another run goes on there.

        Raises RetryableError when this run got nowhere, because another would get as far.
        """
        expect_time_for(step, self.seconds_left(), has_progressed=self.has_progressed)

    def note(self, error: ConnectorError, **changes: Any) -> None:
        """Write down an error that is about to be raised, if that is possible: it must not be replaced by another."""
        with suppress(ConnectorError):
            self.record(last_error=f"{error.reason}: {error}", **changes)
