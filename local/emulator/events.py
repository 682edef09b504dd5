"""The events of one source: what counts, what is a duplicate, what is kept (API reference section 6.4)."""

import hashlib
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .answers import Json
from .event_specification import Source
from .identification import Identification
from .settings import Settings

MERGE_SECONDS = 5 * 60
DROP_SECONDS = 48 * 3_600


class Outcome(StrEnum):
    """What became of an event that was accepted."""

    COUNTED = "counted"
    MERGED = "merged"
    DROPPED = "dropped"
    TEST = "test"


@dataclass
class ReceivedEvent:
    """One event as it came. `combined` is what it has become by those that were merged into it."""

    received_at: float
    outcome: Outcome
    body: Json = field(repr=False)
    test_event_code: str | None = None
    combined: Json | None = field(default=None, repr=False)
    key: bytes | None = None

    def as_dict(self) -> Json:
        """The event in the words of the control plane."""
        return {
            "received_at": self.received_at,
            "outcome": self.outcome.value,
            "test_event_code": self.test_event_code,
            "body": self.body,
            "combined": self.combined,
        }


class EventLog:
    """Counts are exact, however many events come; bodies are kept of the newest ones only.

    Of every event that may have duplicates it keeps a digest and a time, some 150 bytes.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.outcomes: Counter[Outcome] = Counter()
        self.by_event: dict[str, Counter[Outcome]] = defaultdict(Counter)
        self.refused_requests = 0
        self.identification = Identification(source)
        self.kept: deque[ReceivedEvent] = deque()
        self.kept_tests: deque[ReceivedEvent] = deque()
        self._first_arrivals: dict[bytes, float] = {}
        self._mergeable: dict[bytes, ReceivedEvent] = {}

    def counts(self) -> dict[str, int]:
        """Exact numbers. `received` are the events of accepted requests, those of tests left out."""
        counted, merged, dropped = (
            self.outcomes[outcome] for outcome in (Outcome.COUNTED, Outcome.MERGED, Outcome.DROPPED)
        )
        return {
            "received": counted + merged + dropped,
            "counted": counted,
            "merged": merged,
            "dropped": dropped,
            "test": self.outcomes[Outcome.TEST],
            "refused_requests": self.refused_requests,
        }

    def take_test(self, event: Json, test_event_code: str, now: float, settings: Settings) -> None:
        """Show it to the testers and leave it out of everything else."""
        self.outcomes[Outcome.TEST] += 1
        self.kept_tests.append(ReceivedEvent(now, Outcome.TEST, event, test_event_code))
        while len(self.kept_tests) > settings.max_kept_events:
            self.kept_tests.popleft()

    def take(self, event: Json, now: float, settings: Settings) -> Outcome:
        """Count it, or find that it is a duplicate."""
        key, is_mergeable = self._key_of(event)
        outcome = self._outcome_of(key, is_mergeable, now)
        self.outcomes[outcome] += 1
        self.by_event[event["event"]][outcome] += 1
        received = ReceivedEvent(now, outcome, event, key=key)
        if outcome is Outcome.COUNTED:
            self.identification.add(event)
            if key is not None:
                self._first_arrivals[key] = now
            if key is not None and is_mergeable:
                self._mergeable[key] = received
        elif outcome is Outcome.MERGED and key in self._mergeable:
            first = self._mergeable[key]
            first.combined = combine(first.combined or first.body, event)
        self._keep(received, settings)
        return outcome

    def _key_of(self, event: Json) -> tuple[bytes | None, bool]:
        """By what duplicates are recognised, if at all, and whether they are merged before they are dropped."""
        if event.get("event_id"):
            return _digest("event_id", event["event"], event["event_id"]), True
        ttp = (event.get("user") or {}).get("ttp")
        if self.source is Source.WEB and ttp:
            return _digest("ttp", event["event"], ttp), False
        return None, False

    def _outcome_of(self, key: bytes | None, is_mergeable: bool, now: float) -> Outcome:
        first_at = self._first_arrivals.get(key) if key is not None else None
        if first_at is None:
            return Outcome.COUNTED
        if now - first_at <= MERGE_SECONDS:
            return Outcome.MERGED if is_mergeable else Outcome.DROPPED
        return Outcome.DROPPED if is_mergeable and now - first_at <= DROP_SECONDS else Outcome.COUNTED

    def _keep(self, received: ReceivedEvent, settings: Settings) -> None:
        self.kept.append(received)
        while len(self.kept) > settings.max_kept_events:
            forgotten = self.kept.popleft()
            if forgotten.key is not None and self._mergeable.get(forgotten.key) is forgotten:
                del self._mergeable[forgotten.key]


def combine(first: Json, second: Json) -> Json:
    """Both together, member by member. Where they contradict one another, the first is right."""
    combined = dict(second)
    for name, value in first.items():
        other = second.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            combined[name] = combine(value, other)
        elif value is not None:
            combined[name] = value
    return combined


def _digest(*parts: Any) -> bytes:
    # repr keeps the parts apart, whatever they hold.
    return hashlib.blake2b(repr(parts).encode("ascii", "backslashreplace"), digest_size=16).digest()
