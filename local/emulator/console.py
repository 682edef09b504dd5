"""The page for people, in the manner of an ads manager. It needs nothing but itself."""

import itertools
from html import escape

from . import events_page
from .audiences import Audience
from .behaviours import behaviours
from .clock import in_gmt
from .pages import frame, table, tile_list
from .world import RecordedRequest, World

SHOWN_AUDIENCES = 400
SHOWN_HISTORY = 5
SHOWN_REQUESTS = 50


def render(world: World) -> str:
    """The whole page. Names of audiences are other people's input, so every value is escaped."""
    with world.lock:
        now = world.clock.now()
        audiences = list(itertools.islice(reversed(world.audiences.values()), SHOWN_AUDIENCES))
        rows = [_audience_row(audience, now) for audience in audiences]
        valid = sum(audience.is_valid(now) for audience in world.audiences.values())
        tiles = [
            ("Audiences", f"{len(world.audiences):,}"),
            ("Ready", f"{valid:,}"),
            ("Identifiers", f"{sum(len(audience.members) for audience in world.audiences.values()):,}"),
            ("Files", f"{len(world.files):,}"),
            ("Requests", f"{len(world.requests):,}"),
        ]
        recent = list(itertools.islice(reversed(world.requests), SHOWN_REQUESTS))
        requests = [_request_row(request) for request in recent]
        settings = [
            f"<tr><th>{escape(name)}</th><td>{escape(_spelled(value))}</td></tr>"
            for name, value in world.settings.as_dict().items()
        ]
    body = _BODY.format(
        tiles=tile_list(tiles),
        audiences=table(("Audience", "Status", "Size", "Expires", "History"), rows, "No audiences yet."),
        requests=table(("Time", "Call", "Answer"), requests, "No requests yet."),
        settings="".join(settings),
        behaviours="".join(_section(heading, items) for heading, items in behaviours().items()),
    )
    return frame("Audience manager", now, body, ("Events", events_page.PATH))


def _audience_row(audience: Audience, now: float) -> str:
    appearance = audience.appearance(now)
    if now >= audience.expires_at:
        status, label = "bad", "Expired"
    elif audience.is_valid(now):
        status, label = "good", "Ready"
    elif audience.is_processing(now):
        status, label = "busy", "Processing"
    else:
        status, label = "bad", "Not usable"
    notes = f'<p class="note">{escape(appearance.error_msg)}</p>' if appearance.error_msg else ""
    if audience.is_processing(now) and label == "Ready":
        notes += '<p class="note">An update is processing.</p>'
    history = "".join(
        f"<li><b>{escape(entry.action)}</b> {escape(entry.action_detail)} <time>{in_gmt(entry.opt_time)}</time>"
        f"{_note(entry.shown_msg(now))}</li>"
        for entry in audience.history[: -SHOWN_HISTORY - 1 : -1]
    )
    kind = f"{audience.audience_type} · {audience.calculate_type or 'type open'} · advertiser {audience.advertiser_id}"
    return (
        f"<tr><td><strong>{escape(audience.name)}</strong><p class='quiet'>{escape(audience.audience_id)}"
        f" · {escape(kind)}</p></td>"
        f"<td><span class='pill {status}'>{label}</span>{notes}</td>"
        f"<td class='number'>{appearance.cover_num:,}<p class='quiet'>{len(audience.members):,} held</p></td>"
        f"<td class='number'>{in_gmt(audience.expires_at)[:10]}</td><td><ul>{history}</ul></td></tr>"
    )


def _request_row(request: RecordedRequest) -> str:
    if request.code is None:
        status, answer = "bad" if request.http_status or request.fault else "busy", str(request.http_status or "none")
    else:
        status, answer = "good" if request.code == 0 else "bad", str(request.code)
    fault = f" <span class='quiet'>{escape(request.fault)}</span>" if request.fault else ""
    return (
        f"<tr><td class='number'>{in_gmt(request.at)}</td><td><b>{escape(request.method)}</b> "
        f"<code>{escape(request.path)}</code></td><td><span class='pill {status}'>{answer}</span>{fault}</td></tr>"
    )


def _note(text: str | None) -> str:
    return f'<p class="note">{escape(text)}</p>' if text else ""


def _section(heading: str, items: list[str]) -> str:
    return f"<div><h3>{escape(heading)}</h3><ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul></div>"


def _spelled(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int | float) else "unlimited"


_BODY = """<ul class="tiles">{tiles}</ul>
<section><h2>Custom audiences</h2>{audiences}</section>
<section><h2>Recent requests</h2>{requests}</section>
<section><h2>What is documented, what is guessed</h2><div class="columns">{behaviours}</div></section>
<section><h2>Settings</h2><table class="settings"><tbody>{settings}</tbody></table></section>
"""
