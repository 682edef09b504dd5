"""Streaming audiences: created empty, and filled entry by entry through segment mappings (API reference section 4)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from lambdas.tiktok.client import TikTokClient
from lambdas.tiktok.models import CreatedAudience, IdSchema, MappingAction
from lambdas.tiktok.protocol import Request, id_in

LONGEST_NAME = 70  # characters; TikTok cuts a longer name (section 4.1), so that it would not be found again
# TikTok documents no limit of a mapping; these are what others keep to (section 4.2).
MOST_ENTRIES = 1_000
MOST_BODY_BYTES = 1_000_000
_ENVELOPE_BYTES = 1_000  # of a body beside its entries
_LONGEST_ID = 20  # digits of an audience id
_HEX = {digits: re.compile(f"[0-9a-f]{{{digits}}}") for digits in (32, 64)}

Entry = Sequence[str]  # one person's identifiers, aligned with the schema; "" for one that the person does not have


class SegmentApi:
    """The streaming calls of one advertiser."""

    def __init__(self, client: TikTokClient) -> None:
        self._client = client

    def create(self, name: str) -> CreatedAudience:
        """Create an empty streaming audience (section 4.1).

        Names are not unique at TikTok, so a create whose outcome is unknown is never repeated here: it raises
        TikTokUnavailable with ``may_have_happened``, and the caller looks the name up. Raises ConnectorError, and
        ValueError for a name that TikTok would cut.
        """
        if not 1 <= len(name) <= LONGEST_NAME:
            raise ValueError(f"the name of a streaming audience has 1 to {LONGEST_NAME} characters, not {len(name)}")
        body = {"advertiser_id": self._client.advertiser_id, "action": "create", "custom_audience_name": name}
        reply = self._client.call(Request("POST", "segment/audience/", body=body), repeatable=False)
        return CreatedAudience(id_in(reply, "audience_id", "segment/audience"), reply.request_id)

    def map(self, action: MappingAction, schema: Sequence[IdSchema], entries: Sequence[Entry], audience_id: str) -> str:
        """Add people to a streaming audience, or delete them from it; returns the request id (section 4.2).

        ``entries`` are at most 1,000, each with one identifier (lower-case hex) or "" for every column of the schema.
        All are checked before anything is sent: an identifier in another's slot would be another person's. Adding and
        deleting twice is as once, so the call may be repeated.

        Raises:
            ValueError: an entry does not fit the schema, or there are too many. Names the entry, never an identifier.
            ConnectorError: TikTok's answers; it takes all entries or none.
        """
        _expect_schema(schema)
        if not 1 <= len(entries) <= MOST_ENTRIES:
            raise ValueError(f"a mapping takes 1 to {MOST_ENTRIES} entries, not {len(entries)}")
        for number, entry in enumerate(entries, start=1):
            _expect_to_fit(number, entry, schema)
        body = {
            "advertiser_ids": [self._client.advertiser_id],
            "action": action,
            "id_schema": list(schema),
            "batch_data": [[_element(value, audience_id) for value in entry] for entry in entries],
        }
        size = len(json.dumps(body))
        if size > MOST_BODY_BYTES:
            raise ValueError(f"the mapping's body has {size} bytes, more than {MOST_BODY_BYTES}")
        return self._client.call(Request("POST", "segment/mapping/", body=body)).request_id

    def most_entries(self, schema: Sequence[IdSchema]) -> int:
        """How many entries of a schema one mapping takes, whatever they hold: 1,000, or as many as fit into 1 MB.

        It depends on the schema alone, so that whoever goes on after a crash finds the same batches.
        """
        _expect_schema(schema)
        largest = [_element("f" * _digits(slot), "9" * _LONGEST_ID) for slot in schema]
        return min(MOST_ENTRIES, (MOST_BODY_BYTES - _ENVELOPE_BYTES) // (len(json.dumps(largest)) + len(", ")))


def _element(value: str, audience_id: str) -> dict[str, Any]:
    return {"id": value, "audience_ids": [audience_id]} if value else {}


def _digits(slot: IdSchema) -> int:
    return 64 if slot.endswith("_SHA256") else 32


def _expect_schema(schema: Sequence[IdSchema]) -> None:
    if not schema or len(set(schema)) < len(schema):
        raise ValueError(f"an id_schema names each column once, and at least one; not {', '.join(schema) or 'none'}")


def _expect_to_fit(number: int, entry: Entry, schema: Sequence[IdSchema]) -> None:
    if len(entry) != len(schema):
        raise ValueError(f"entry {number} has {len(entry)} identifiers for the {len(schema)} columns of the schema")
    if not any(entry):
        raise ValueError(f"entry {number} has no identifier")
    for slot, value in zip(schema, entry, strict=True):
        if value and not _HEX[_digits(slot)].fullmatch(value):
            raise ValueError(f"entry {number} holds no {slot}: {_digits(slot)} digits of lower-case hex are due")
