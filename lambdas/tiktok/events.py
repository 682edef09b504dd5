"""Events of people, sent to the Events API 2.0 (API reference section 6)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lambdas.tiktok.client import TikTokClient
from lambdas.tiktok.models import MOST_EVENT_BYTES, MOST_EVENTS, EventSource
from lambdas.tiktok.protocol import Request

_ENVELOPE_BYTES = 2_000  # of a body beside its events
_MOST_BODY_BYTES = MOST_EVENT_BYTES + _ENVELOPE_BYTES


class EventApi:
    """The event calls of one token."""

    def __init__(self, client: TikTokClient) -> None:
        self._client = client

    def track(
        self,
        source: EventSource,
        source_id: str,
        events: Sequence[bytes],
        *,
        test_event_code: str | None = None,
        partner_name: str | None = None,
    ) -> str:
        """Send events, each an element of ``data`` in JSON; returns the request id (section 6.1).

        ``source_id`` is the pixel code, TikTok's app id, or the id of an offline or CRM event set. TikTok drops what
        has an ``event_id`` that it has seen within 48 hours (section 6.4), so the call may be repeated within them.

        Raises:
            ValueError: there are too many events for one request, or too many bytes.
            ConnectorError: TikTok's answers; one bad event fails the whole request.
        """
        if not 1 <= len(events) <= MOST_EVENTS:
            raise ValueError(f"a request takes 1 to {MOST_EVENTS} events, not {len(events)}")
        envelope: dict[str, Any] = {"event_source": source, "event_source_id": source_id}
        if test_event_code:
            envelope["test_event_code"] = test_event_code
        if partner_name:
            envelope["partner_name"] = partner_name
        # Each event was encoded once, to know its size and its id: together they are millions.
        body = b"".join((json.dumps(envelope).encode()[:-1], b', "data": [', b",".join(events), b"]}"))
        if len(body) > _MOST_BODY_BYTES:
            raise ValueError(f"the body has {len(body)} bytes, more than {_MOST_BODY_BYTES}")
        return self._client.call(Request("POST", "event/track/", json=body)).request_id
