"""How well events are identified: which of the identifiers that matter they carry (API reference section 6.2)."""

from collections import Counter
from dataclasses import dataclass, field

from .answers import Json
from .event_specification import Source, is_hash, values_of

HASHED = ("email", "phone", "external_id")
ADDRESS = "ip with user_agent"
"""Either of them alone tells nobody from somebody else."""

IDENTIFIERS = {
    Source.WEB: ("email", "phone", "external_id", "ttclid", "ttp", ADDRESS),
    Source.APP: ("idfa", "gaid", "idfv", "ip", "user_agent", "att_status", "email", "phone"),
    Source.OFFLINE: ("email", "phone"),
    Source.CRM: ("lead_id", "email", "phone"),
}
"""What the page tells of each source."""

SUFFICIENT = {**IDENTIFIERS, Source.APP: ("idfa", "gaid")}
"""An event with none of these is not matched with anybody."""


def identifiers_in(source: Source, event: Json) -> set[str]:
    """Names of the identifiers that the event has. One that should be a hash and is none does not count."""
    user, lead = event.get("user") or {}, event.get("lead") or {}
    return {name for name in IDENTIFIERS[source] if _has(name, user, lead)}


def _has(name: str, user: Json, lead: Json) -> bool:
    if name in HASHED:
        return any(is_hash(value) for value in values_of(user.get(name)))
    if name == ADDRESS:
        return bool(user.get("ip") and user.get("user_agent"))
    return bool((lead if name == "lead_id" else user).get(name))


@dataclass
class Identification:
    """The shares, over the events that counted."""

    source: Source
    events: int = 0
    unidentified: int = 0
    hashes: int = 0
    plain_values: int = 0
    by_identifier: Counter[str] = field(default_factory=Counter)

    def add(self, event: Json) -> None:
        """Take one more event into account."""
        found = identifiers_in(self.source, event)
        self.events += 1
        self.by_identifier.update(found)
        self.unidentified += found.isdisjoint(SUFFICIENT[self.source])
        user = event.get("user") or {}
        for name in HASHED:
            for value in values_of(user.get(name)):
                if is_hash(value):
                    self.hashes += 1
                else:
                    self.plain_values += 1

    def share(self, identifier: str) -> float:
        """Share of the events that carry it, from 0 to 1."""
        return self.by_identifier[identifier] / self.events if self.events else 0.0

    def unidentified_share(self) -> float:
        """Share of the events that cannot be matched with anybody."""
        return self.unidentified / self.events if self.events else 0.0

    def hashed_share(self) -> float | None:
        """Share of well-formed hashes among the values that should be hashes; None if there are no such values."""
        values = self.hashes + self.plain_values
        return self.hashes / values if values else None

    def as_dict(self) -> Json:
        """The shares in the words of the control plane."""
        return {
            "events": self.events,
            "unidentified": self.unidentified,
            "hashes": self.hashes,
            "plain_values": self.plain_values,
            "identifiers": {name: self.by_identifier[name] for name in IDENTIFIERS[self.source]},
        }
