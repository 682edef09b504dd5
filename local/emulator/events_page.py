"""The page of the received events, in the manner of an events manager: what came, and how well it is identified."""

import itertools
from collections.abc import Iterable
from html import escape
from typing import Any

from .answers import Json
from .clock import in_gmt
from .event_sources import EventSource
from .events import EventLog, Outcome, ReceivedEvent
from .identification import IDENTIFIERS, Identification
from .pages import frame, table, tile_list
from .world import World

PATH = "/events"
SHOWN_EVENTS = 20
SHOWN_NAMES = 100
SHOWN_CHARACTERS = 4
SHOWN_IDENTIFIERS = (
    "lead_id",
    "email",
    "phone",
    "external_id",
    "ttclid",
    "ttp",
    "ip",
    "user_agent",
    "idfa",
    "idfv",
    "gaid",
    "att_status",
)
_PILLS = {Outcome.COUNTED: "good", Outcome.MERGED: "busy", Outcome.DROPPED: "bad", Outcome.TEST: "busy"}


def render(world: World) -> str:
    """The whole page. Names and bodies are other people's input, so every value is escaped."""
    with world.lock:
        now = world.clock.now()
        sources = sorted(world.event_sources.all(), key=lambda kept: not _is_used(kept))
        body = "".join(_section(event_source) for event_source in sources)
    return frame("Events manager", now, body, ("Audiences", "/"))


def _is_used(event_source: EventSource) -> bool:
    return any(event_source.log.counts().values())


def _section(event_source: EventSource) -> str:
    log = event_source.log
    about = f"{event_source.source} · {event_source.event_source_id} · advertiser {event_source.advertiser_id}"
    heading = f"<h2>{escape(event_source.name)}</h2><p class='quiet'>{escape(about)}</p>"
    if not _is_used(event_source):
        return f"<section>{heading}<p class='nothing'>No events yet.</p></section>"
    tiles = [(name.replace("_", " ").capitalize(), f"{count:,}") for name, count in log.counts().items()]
    return (
        f"<section>{heading}<ul class='tiles'>{tile_list(tiles)}</ul>"
        f"<div class='columns'><div><h3>Events</h3>{_names(log)}</div>"
        f"<div><h3>Identification</h3>{_identification(log.identification)}</div></div>"
        f"<h3>Latest events</h3>{_latest(log.kept)}"
        f"<h3>Test events</h3>{_latest(log.kept_tests)}</section>"
    )


def _names(log: EventLog) -> str:
    shown = (Outcome.COUNTED, Outcome.MERGED, Outcome.DROPPED)
    busiest = sorted(log.by_event.items(), key=lambda item: (-item[1].total(), item[0]))[:SHOWN_NAMES]
    rows = [
        f"<tr><td><strong>{escape(_cut(name, 60))}</strong></td>"
        + "".join(f"<td class='number'>{outcomes[outcome]:,}</td>" for outcome in shown)
        + "</tr>"
        for name, outcomes in busiest
    ]
    return table(("Event", *(outcome.capitalize() for outcome in shown)), rows, "Nothing counted yet.")


def _identification(identification: Identification) -> str:
    if not identification.events:
        return "<p class='nothing'>Nothing counted yet.</p>"
    rows = [
        f"<tr><td>{escape(name)}</td><td class='number'>{identification.share(name):.1%}</td></tr>"
        for name in IDENTIFIERS[identification.source]
    ]
    unidentified = identification.unidentified_share()
    status = "bad" if unidentified else "good"
    rows.append(f"<tr><td>none</td><td><span class='pill {status}'>{unidentified:.1%}</span></td></tr>")
    hashed = identification.hashed_share()
    if hashed is not None:
        status = "good" if hashed == 1 else "bad"
        values = f"{identification.hashes:,} hashes, {identification.plain_values:,} plain values"
        rows.append(
            f"<tr><td>well-formed hashes<p class='quiet'>{values}</p></td>"
            f"<td><span class='pill {status}'>{hashed:.1%}</span></td></tr>"
        )
    return table(("Identifier", "Share of counted events"), rows, "")


def _latest(received: Iterable[ReceivedEvent]) -> str:
    newest = itertools.islice(reversed(list(received)), SHOWN_EVENTS)
    return table(("Time", "Event", "Outcome", "Identifiers"), [_event_row(event) for event in newest], "None.")


def _event_row(received: ReceivedEvent) -> str:
    outcome = f"<span class='pill {_PILLS[received.outcome]}'>{received.outcome}</span>"
    if received.test_event_code is not None:
        outcome += f"<p class='quiet'>{escape(_cut(received.test_event_code, 40))}</p>"
    event_id = received.body.get("event_id") or "no event_id"
    return (
        f"<tr><td class='number'>{in_gmt(received.received_at)}</td>"
        f"<td><b>{escape(_cut(received.body['event'], 60))}</b><p class='quiet'>{escape(_cut(event_id, 20))}</p></td>"
        f"<td>{outcome}</td><td>{_identifiers(received.body)}</td></tr>"
    )


def _identifiers(event: Json) -> str:
    """Shortened: the page may be shown to others, and a plain address may be among them."""
    given: Json = {**(event.get("lead") or {}), **(event.get("user") or {})}
    shown = [(name, given[name]) for name in SHOWN_IDENTIFIERS if given.get(name)]
    return "<br>".join(f"{name} <code>{escape(_shortened(value))}</code>" for name, value in shown)


def _shortened(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shortened(item) for item in value[:3]) + (", …" if len(value) > 3 else "")
    text = str(value)
    return f"{text[: min(SHOWN_CHARACTERS, len(text) // 2)]}…"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
