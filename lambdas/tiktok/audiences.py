"""Customer-file audiences (API reference section 3)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from lambdas.tiktok.client import TikTokClient
from lambdas.tiktok.errors import TikTokRejected, TikTokUnavailable
from lambdas.tiktok.models import Action, AudienceListing, CalculateType, CreatedAudience, CustomAudience, UploadedFile
from lambdas.tiktok.pagination import read_listing
from lambdas.tiktok.protocol import FileField, Reply, Request

_ROOT = "dmp/custom_audience/"
_PAGE_SIZE = 100  # the largest that list takes (section 3.6)
_READ_BYTES = 1 << 20
_UNKNOWN_ID = {40002, 40007}


class AudienceApi:
    """The audience calls of one advertiser."""

    def __init__(self, client: TikTokClient) -> None:
        self._client = client

    def upload_file(self, content: BinaryIO, *, name: str, calculate_type: CalculateType) -> UploadedFile:
        """Upload one file of identifiers, LF-terminated lower-case hex (section 3.1).

        ``name`` must end in ``.csv`` or ``.txt`` and hold nothing personal. Repeating an upload only makes another
        file_path. Raises ConnectorError.
        """
        content.seek(0)
        signature = hashlib.md5(usedforsecurity=False)
        while block := content.read(_READ_BYTES):
            signature.update(block)
        reply = self._client.call(
            Request(
                "POST",
                _ROOT + "file/upload/",
                form={
                    "advertiser_id": self._client.advertiser_id,
                    "calculate_type": calculate_type,
                    "file_signature": signature.hexdigest(),
                    "name": name,
                },
                file=FileField(name, content),
            )
        )
        return UploadedFile(_id_in(reply, "file_path", "file/upload"), reply.request_id)

    def list_audiences(self) -> AudienceListing:
        """Every custom audience of the advertiser, own and shared, from all pages (section 3.6).

        Raises ConnectorError.
        """

        def fetch(page: int) -> Mapping[str, Any]:
            query = {
                "advertiser_id": self._client.advertiser_id,
                "page": str(page),
                "page_size": str(_PAGE_SIZE),
            }
            return self._client.call(Request("GET", _ROOT + "list/", query=query)).data

        entries, is_whole = read_listing(fetch, identity="audience_id")
        return AudienceListing(tuple(_audience(entry) for entry in entries), is_whole)

    def find_audience(self, audience_id: str) -> CustomAudience | None:
        """One custom audience by its id, or None when TikTok does not know it (section 3.7). Raises ConnectorError."""
        query = {
            "advertiser_id": self._client.advertiser_id,
            "custom_audience_ids": json.dumps([audience_id]),
            "history_size": "1",
        }
        try:
            reply = self._client.call(Request("GET", _ROOT + "get/", query=query))
        except TikTokRejected as error:
            # Whether an unknown id is an error or leaves its row out is not documented.
            if error.code in _UNKNOWN_ID:
                return None
            raise
        found = [entry.get("audience_details") for entry in reply.data.get("list") or []]
        return next(
            (_audience(entry) for entry in found if entry and str(entry.get("audience_id")) == audience_id), None
        )

    def create(self, name: str, *, calculate_type: CalculateType, file_paths: Sequence[str]) -> CreatedAudience:
        """Create an audience of fewer than 50 uploaded files (section 3.4).

        Names are not unique at TikTok, so a create whose outcome is unknown is never repeated here: it raises
        TikTokUnavailable with ``may_have_happened``, and the caller looks the name up. Raises ConnectorError.
        """
        body = {
            "advertiser_id": self._client.advertiser_id,
            "custom_audience_name": name,
            "calculate_type": calculate_type,
            "file_paths": list(file_paths),
        }
        reply = self._client.call(Request("POST", _ROOT + "create/", body=body), repeatable=False)
        return CreatedAudience(_id_in(reply, "custom_audience_id", "create"), reply.request_id)

    def update(self, audience_id: str, *, action: Action, file_paths: Sequence[str]) -> str:
        """Apply fewer than 50 uploaded files to an audience; returns the request id (section 3.5).

        Raises ConnectorError.
        """
        body = {
            "advertiser_id": self._client.advertiser_id,
            "custom_audience_id": audience_id,
            "action": action,
            "file_paths": list(file_paths),
        }
        return self._client.call(Request("POST", _ROOT + "update/", body=body)).request_id


def _id_in(reply: Reply, name: str, call: str) -> str:
    value = reply.data.get(name)
    if not value:
        raise TikTokUnavailable(
            f"TikTok answered {call} with success but no {name} [request {reply.request_id}].", may_have_happened=True
        )
    return str(value)


def _audience(entry: Mapping[str, Any]) -> CustomAudience:
    return CustomAudience(
        audience_id=str(entry["audience_id"]),
        name=_text(entry.get("name")),
        # List and get do not name this alike.
        audience_type=_text(entry.get("audience_type") or entry.get("type")),
        calculate_type=_text(entry.get("calculate_type")),
        is_creator=entry.get("is_creator") is not False,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
