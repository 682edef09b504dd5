"""Turns the fields of a row into an event as TikTok takes it, or says why there is none. Pure.

The names of a row's fields are looked up once for each set of names, not for each row: rows of one file are alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdas.events.rows.columns import Columns
from lambdas.events.rows.event import DENIED, CheckedEvent, Denied, is_identified
from lambdas.events.rows.fields import FIELDS, REQUIRED, Meaning
from lambdas.events.rows.names import check_mapped, check_name
from lambdas.events.rows.people import ReadMember, hash_reader, member_reader
from lambdas.events.rows.reasons import EventReason, InvalidEvent
from lambdas.events.rows.values import Read, as_yes_no, check_age, read_event_id, read_time, reader_of
from lambdas.tiktok.models import EventSource

# Changes with every release that finds another event, or none, in the same row.
_VERSION = 1
MOST_IGNORED = 100
_FEW_PLANS = 32
_MOST_PLANS = 1024
_MOST_WIDE_NAMES = 500
_MOST_NAMES = 1024
# Letters first, and no more digits than a name has. Anything else may be a value of a file without a header.
_IS_SHOWN = re.compile(r"(?!(?:\D*\d){7})[^\W\d][\w .:/()#-]{0,63}").fullmatch
_NOT_SHOWN = "(not shown)"
_READ_HERE = frozenset({"consent", "event", "event_time", "event_id", "limited_data_use"})


@dataclass(frozen=True)
class EventRules:
    """How the rows of one event source are read.

    ``columns`` leads from the user's own name of a column to ours, matched exactly first, then as names are compared;
    ``events`` from the user's own name of an event to TikTok's, which is then taken as it is. ``default_country`` (ISO
    3166, two letters) is where a number without "+" is dialled. ``needs_consent`` refuses a row that says nothing of
    consent.
    """

    source: EventSource
    max_age_days: int
    default_country: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    events: Mapping[str, str] = field(default_factory=dict)
    needs_consent: bool = False
    version: int = _VERSION

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> EventRules:
        """The inverse of ``dataclasses.asdict``, also after a way through JSON."""
        return cls(**{**document, "source": EventSource(document["source"])})


@dataclass
class _Plan:
    """How rows with the same names are read: which of their fields are what.

    ``repeated`` are names that mean the same. ``user`` has for each member its raw field, if any, and its twin, if any.
    """

    consent: list[str] = field(default_factory=list)
    repeated: list[list[str]] = field(default_factory=list)
    event: str | None = None
    event_time: str | None = None
    event_id: str | None = None
    limited_data_use: str | None = None
    user: list[tuple[str | None, str, ReadMember, str | None, ReadMember]] = field(default_factory=list)
    groups: list[tuple[str, list[tuple[str, str, Read]]]] = field(default_factory=list)


class EventChecker:
    """Checks rows of one source at one time. ``now`` is in seconds since the epoch.

    ``ignored`` are names of fields that are not known, or not for this source, at most 100. ``has_consent`` and
    ``lacks_consent`` say whether there was a row that says something of consent, and one that does not.
    """

    def __init__(self, rules: EventRules, *, now: float) -> None:
        self.ignored: set[str] = set()
        self.has_consent = False
        self.lacks_consent = False
        self._rules = rules
        self._now = now
        self._columns = Columns(rules.columns)
        self._plans: dict[tuple[str, ...], _Plan] = {}
        self._wide_names: dict[str, None] = {}
        self._wide: _Plan | None = None
        self._names: dict[str, str] = {}
        self._has_limited_data_use = rules.source in FIELDS["limited_data_use"].sources
        self._required = [
            (each.group, each.member, reason, f"{_NEEDED[rules.source].split()[0]} events need {name}.")
            for name, (sources, reason) in REQUIRED.items()
            if rules.source in sources and (each := FIELDS[name]).group
        ]

    def check(self, fields: Mapping[str, Any]) -> CheckedEvent | Denied:
        """The event of a row whose fields are named, with texts (CSV) or JSON values.

        Raises:
            InvalidEvent: it cannot be sent; the reason is the first that was found.
        """
        plan = self._plan_for(fields)
        told = [fields[key] for key in plan.consent if key in fields]
        if told:
            self.has_consent = True
            if not _is_granted(told):
                return DENIED
        else:
            self.lacks_consent = True
            if self._rules.needs_consent:
                raise InvalidEvent(EventReason.BAD_CONSENT, "The event says nothing of consent, and others do.")
        if plan.repeated:
            fields = _without_empty_repeats(fields, plan.repeated)
            plan = self._plan_for(fields)
        get = fields.get
        payload: dict[str, Any] = {"event": self._read_name(get(plan.event) if plan.event else None)}
        payload["event_time"], was_in_milliseconds = self._read_time(get(plan.event_time) if plan.event_time else None)
        event = CheckedEvent(payload, was_in_milliseconds=was_in_milliseconds)
        if plan.event_id is not None:
            value = get(plan.event_id)
            event.event_id = None if value is None or value == "" else read_event_id(value)
        if plan.limited_data_use is not None:
            event.limited_data_use = self._read_limited_data_use(get(plan.limited_data_use))
        self._read_user(event, plan, fields)
        for group, members in plan.groups:
            found: dict[str, Any] = {}
            for key, member, read in members:
                value = get(key)
                if value is None or value == "":
                    continue
                sent = read(value)
                if sent is not None:
                    found[member] = sent
            if found:
                payload[group] = found
        for group, member, reason, need in self._required:
            if member not in payload.get(group, ()):
                raise InvalidEvent(reason, need)
        if not is_identified(self._rules.source, payload):
            bad = f" Left out: {', '.join(event.left_out)}." if event.left_out else ""
            raise InvalidEvent(EventReason.NO_IDENTIFIER, _NEEDED[self._rules.source] + bad)
        return event

    def _read_name(self, value: Any) -> str:
        if value is None or value == "" or (isinstance(value, str) and not value.strip()):
            raise InvalidEvent(EventReason.MISSING_EVENT, "The event has no name: fill the field event.")
        if not isinstance(value, str):
            raise InvalidEvent(EventReason.BAD_EVENT, "event is to be a text.")
        known = self._names.get(value)
        if known is not None:
            return known
        given = value.strip()
        mapped = self._rules.events.get(value) or self._rules.events.get(given)
        name = check_mapped(self._rules.source, mapped) if mapped is not None else check_name(self._rules.source, given)
        if len(self._names) < _MOST_NAMES:
            self._names[value] = name
        return name

    def _read_time(self, value: Any) -> tuple[int, bool]:
        if value is None or (isinstance(value, str) and not value.strip()):
            raise InvalidEvent(EventReason.MISSING_EVENT_TIME, "The event has no time: fill the field event_time.")
        moment, was_in_milliseconds = read_time(value)
        check_age(moment, now=self._now, max_age_days=self._rules.max_age_days)
        return moment, was_in_milliseconds

    def _read_limited_data_use(self, value: Any) -> bool | None:
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        limited = as_yes_no(value)
        if limited is None:
            raise InvalidEvent(EventReason.BAD_LIMITED_DATA_USE, "limited_data_use is to be true or false.")
        if self._has_limited_data_use:
            return limited
        if limited:
            raise InvalidEvent(
                EventReason.LIMITED_DATA_USE_UNSUPPORTED,
                f"TikTok knows no limited data use for {self._rules.source} events, so it could not be honoured.",
            )
        return None

    def _read_user(self, event: CheckedEvent, plan: _Plan, fields: Mapping[str, Any]) -> None:
        user: dict[str, Any] = {}
        probes, left_out = event.probes, event.left_out
        for key, member, read, twin, read_twin in plan.user:
            sent = None
            already_left_out = len(left_out)
            value = fields.get(key) if key is not None else None
            if value is not None and value != "":
                sent = read(value, probes, left_out)
            if sent is None and twin is not None and len(left_out) == already_left_out:
                value = fields.get(twin)
                if value is not None and value != "":
                    sent = read_twin(value, probes, left_out)
            if sent is not None:
                user[member] = sent
        if user:
            event.payload["user"] = user

    def _plan_for(self, fields: Mapping[str, Any]) -> _Plan:
        names = tuple(fields)
        plan = self._plans.get(names)
        if plan is None:
            if len(self._plans) >= _FEW_PLANS:
                # JSON that leaves out what is empty has a set of names for nearly each row.
                wide = self._wide_plan(names)
                if wide is not None:
                    return wide
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            plan = self._plans[names] = self._make_plan(names)
        return plan

    def _wide_plan(self, names: tuple[str, ...]) -> _Plan | None:
        """A plan for all names that were seen lately, which fits every row that has no others.

        None where two of them stand for the same: what a row means must not depend on the rows before it.
        """
        if not self._wide_names.keys() >= set(names):
            if len(self._wide_names) > _MOST_WIDE_NAMES:
                self._wide_names = {}
            self._wide_names |= dict.fromkeys(names)
            all_names = tuple(self._wide_names)
            self._wide = self._make_plan(all_names) if self._columns.are_distinct(all_names) else None
        return self._wide

    def _make_plan(self, names: tuple[str, ...]) -> _Plan:
        found, unknown = self._columns.find(names)
        source = self._rules.source
        plan = _Plan(
            consent=found.pop(Meaning(FIELDS["consent"]), []),
            repeated=[keys for meaning, keys in found.items() if len(keys) > 1 and source in meaning.field.sources],
        )
        if plan.repeated:
            return plan  # which are read is known when they are looked at
        raw = {meaning.field.name: keys[0] for meaning, keys in found.items() if not meaning.is_hashed}
        twins = {meaning.field.name: keys[0] for meaning, keys in found.items() if meaning.is_hashed}
        plan.event, plan.event_time = raw.get("event"), raw.get("event_time")
        plan.event_id, plan.limited_data_use = raw.get("event_id"), raw.get("limited_data_use")
        groups: dict[str, list[tuple[str, str, Read]]] = {}
        for each in FIELDS.values():
            key, twin = raw.get(each.name), twins.get(each.name)
            if source not in each.sources:
                unknown += [name for name in (key, twin) if name is not None]
            elif each.name in _READ_HERE:
                pass
            elif each.group == "user":
                if key is not None or twin is not None:
                    read = member_reader(each, self._rules.default_country)
                    plan.user.append((key, each.member, read, twin, hash_reader(each)))
            elif key is not None:
                groups.setdefault(each.group, []).append((key, each.member, reader_of(each)))
        plan.groups = list(groups.items())
        for name in unknown:
            if len(self.ignored) < MOST_IGNORED:
                self.ignored.add(name if _IS_SHOWN(name) else _NOT_SHOWN)
        return plan


_NEEDED = {
    EventSource.WEB: "Web events need ttclid, ttp, email, phone or external_id, or ip and user_agent together.",
    EventSource.APP: "App events need idfa, gaid, email or phone, or ip and user_agent together.",
    EventSource.OFFLINE: "Offline events need email or phone.",
    EventSource.CRM: "CRM events need lead_id.",
}


def _is_granted(values: list[Any]) -> bool:
    """Whether every consent of a row is granted. Raises InvalidEvent ``bad_consent`` for any other word."""
    words = [value.strip().lower() if isinstance(value, str) else None for value in values]
    if "denied" in words:
        return False
    if any(word != "granted" for word in words):
        raise InvalidEvent(EventReason.BAD_CONSENT, "consent is to be granted or denied, in every row that has it.")
    return True


def _without_empty_repeats(fields: Mapping[str, Any], repeated: list[list[str]]) -> Mapping[str, Any]:
    dropped: set[str] = set()
    for keys in repeated:
        filled = [key for key in keys if fields[key] is not None and fields[key] != ""]
        if len(filled) > 1:
            raise InvalidEvent(EventReason.REPEATED_KEY, "Two fields of the row mean the same. Leave one.")
        dropped.update(key for key in keys if key != (filled or keys)[0])
    return {key: value for key, value in fields.items() if key not in dropped}
