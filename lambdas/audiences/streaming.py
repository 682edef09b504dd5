"""Streams the rows of an object to an audience: in batches, several at a time, from where an earlier attempt got to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

from lambdas.audiences.attempt import Attempt
from lambdas.audiences.rows.stream_entries import StreamEntry, parse_entry
from lambdas.tiktok.errors import TikTokRejected
from lambdas.tiktok.models import IdSchema, MappingAction

if TYPE_CHECKING:
    from lambdas.audiences.ports import SegmentApi
    from lambdas.ports import ObjectStore

# More bad entries than this are no matter of single entries.
MOST_REFUSED = 50


class Streamer:
    """Sends for one advertiser in one invocation, with at most ``thread_count`` requests at a time."""

    def __init__(self, api: SegmentApi, objects: ObjectStore, *, thread_count: int) -> None:
        self._api = api
        self._objects = objects
        self._thread_count = thread_count

    def send_rows(self, attempt: Attempt, name: str, audience_id: str, plan: int, action: MappingAction) -> str:
        """Send all rows of a checked file that concern an audience. Returns the last request id; raises as ``send``.

        What was sent for another ``plan``, or to another audience of the name, does not count.
        """
        assert attempt.delivery.check is not None
        schema = attempt.delivery.check.id_schema
        label = f"{audience_id} plan {plan}"
        return self.send(attempt, label, audience_id, action, schema, self._entries(attempt, name))

    def send(
        self,
        attempt: Attempt,
        label: str,
        audience_id: str,
        action: MappingAction,
        schema: Sequence[IdSchema],
        entries: Iterator[StreamEntry],
    ) -> str:
        """Send entries, always the same for one ``label``; what was sent is written down after each round of requests.

        A batch that TikTok refuses is halved until the bad entries are found; they are counted by line, and the others
        are sent. Repeating a batch does no harm. Returns the last request id.

        Raises:
            TikTokRejected: TikTok refuses more than single entries.
            ConnectorError: TikTok's other answers.
        """
        done = attempt.delivery.streamed.get(label, 0)
        request_id = ""
        refused: list[int] = []

        def send(batch: Sequence[StreamEntry]) -> str:
            return self._send(batch, schema, audience_id, action, refused)

        remaining = islice(entries, done, None)
        size = self._api.most_entries(schema)
        pending = iter(lambda: list(islice(remaining, size)), [])
        with ThreadPoolExecutor(max_workers=self._thread_count) as pool:
            while batch_round := list(islice(pending, self._thread_count)):
                attempt.expect_time_for("the next rows")
                request_id = next(filter(None, reversed(list(pool.map(send, batch_round)))), request_id)
                done += sum(map(len, batch_round))
                if refused and len(refused) == done:
                    # Not a matter of single entries, though there are only a few.
                    raise TikTokRejected(f"TikTok refuses every one of {done} entries.")
                attempt.record(
                    streamed={**attempt.delivery.streamed, label: done},
                    refused=attempt.delivery.refused.with_lines(sorted(refused)),
                )
                attempt.has_progressed = True
        return request_id

    def _entries(self, attempt: Attempt, name: str) -> Iterator[StreamEntry]:
        """The entries for one audience, in the order of the file."""
        assert attempt.target is not None
        is_first = name == attempt.target.audience
        for block in attempt.cleaned_rows(self._objects):
            for line in block.splitlines():
                entry = parse_entry(line)
                if is_first or name in entry.audiences:
                    yield entry

    def _send(
        self,
        batch: Sequence[StreamEntry],
        schema: Sequence[IdSchema],
        audience_id: str,
        action: MappingAction,
        refused: list[int],
    ) -> str:
        """Send a batch, or its halves when TikTok refuses it. Adds the lines of single refused entries to ``refused``.

        All threads share that list, so that together they stop when too much is refused.
        """
        request_id = ""
        halves = [batch]
        while halves:
            half = halves.pop()
            try:
                request_id = self._api.map(action, schema, [entry.identifiers for entry in half], audience_id)
            except TikTokRejected:
                if len(half) == 1:
                    refused.append(half[0].line)
                else:
                    middle = len(half) // 2
                    halves += [half[middle:], half[:middle]]
                if len(refused) > MOST_REFUSED:
                    # Not a matter of single entries: the audience, the token's rights, the request itself.
                    raise
        return request_id
