"""Customer-file audiences (API reference section 3)."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO

from lambdas.tiktok.client import TikTokClient
from lambdas.tiktok.errors import TikTokRejected
from lambdas.tiktok.models import (
    Action,
    AudienceDetails,
    AudienceListing,
    AudienceOutcome,
    AudienceSubType,
    CalculateType,
    Complaint,
    CreatedAudience,
    CustomAudience,
    UploadedFile,
)
from lambdas.tiktok.pagination import read_listing
from lambdas.tiktok.protocol import FileField, Request, id_in, masked

_ROOT = "dmp/custom_audience/"
_PAGE_SIZE = 100  # the largest that list takes (section 3.6)
_MOST_IDS = 100  # the most that get takes (section 3.7)
_HISTORY_SIZE = 100  # the largest that get takes
_TIME = "%Y-%m-%d %H:%M:%S"  # GMT (section 3.6)
# Programs write "no time" as the beginning of their calendar, in the year 1 or 1970.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_READ_BYTES = 1 << 20
_UNKNOWN_ID = {40002, 40007}


class AudienceApi:
    """The audience calls of one advertiser."""

    def __init__(self, client: TikTokClient) -> None:
        self._client = client

    def upload_file(
        self, content: BinaryIO, *, name: str, calculate_type: CalculateType, signature: str | None = None
    ) -> UploadedFile:
        """Upload one file of identifiers, LF-terminated lower-case hex (section 3.1).

        ``name`` must end in ``.csv`` or ``.txt`` and hold nothing personal. ``signature`` is the MD5 of the content, in
        hex, where it was made on the way. Repeating an upload only makes another file_path. Raises ConnectorError.
        """
        reply = self._client.call(
            Request(
                "POST",
                _ROOT + "file/upload/",
                form={
                    "advertiser_id": self._client.advertiser_id,
                    "calculate_type": calculate_type,
                    "file_signature": signature or _md5(content),
                    "name": name,
                },
                file=FileField(name, content),
            )
        )
        return UploadedFile(id_in(reply, "file_path", "file/upload"), reply.request_id)

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
        entry = self._get([audience_id], history_size=1).get(audience_id)
        return _audience(entry["audience_details"]) if entry else None

    def find_details(self, audience_ids: Sequence[str]) -> Mapping[str, AudienceDetails]:
        """Those of these audiences that TikTok knows, by their ids, in requests of up to 100 (section 3.7).

        Raises ConnectorError.
        """
        found: dict[str, AudienceDetails] = {}
        for first in range(0, len(audience_ids), _MOST_IDS):
            entries = self._get(audience_ids[first : first + _MOST_IDS], history_size=_HISTORY_SIZE)
            for audience_id, entry in entries.items():
                complaints = tuple(
                    Complaint(_moment(row.get("opt_time")), masked(_text(row.get("msg"))))
                    for row in _changes(entry)
                    if _text(row.get("msg"))
                )
                found[audience_id] = AudienceDetails(_audience(entry["audience_details"]), complaints)
        return found

    def find_outcome(self, audience_id: str, *, since: str | None) -> AudienceOutcome | None:
        """What became of the changes to an audience, or None when TikTok does not know it (section 3.7).

        ``since`` is the ``latest`` of an earlier outcome: complaints of older changes do not count. Without it, none of
        single changes do. Raises ConnectorError.
        """
        entry = self._get([audience_id], history_size=_HISTORY_SIZE).get(audience_id)
        if entry is None:
            return None
        details = _audience(entry["audience_details"])
        changes = list(_changes(entry))
        complaints = [
            masked(_text(row.get("msg")))
            for row in changes
            if since is not None and _text(row.get("opt_time")) >= since and _text(row.get("msg"))
        ]
        latest = max((_text(row.get("opt_time")) for row in changes), default="")
        return AudienceOutcome(next(iter(complaints), ""), details.error_msg, details.cover_num, latest)

    def _get(self, audience_ids: Sequence[str], *, history_size: int) -> dict[str, Mapping[str, Any]]:
        query = {
            "advertiser_id": self._client.advertiser_id,
            "custom_audience_ids": json.dumps(list(audience_ids)),
            "history_size": str(history_size),
        }
        try:
            reply = self._client.call(Request("GET", _ROOT + "get/", query=query))
        except TikTokRejected as error:
            # Whether an unknown id is an error or leaves its row out is not documented.
            if error.code not in _UNKNOWN_ID:
                raise
            if len(audience_ids) < 2:
                return {}
            # It must not keep the others from being seen.
            half = len(audience_ids) // 2
            first, second = (
                self._get(ids, history_size=history_size) for ids in (audience_ids[:half], audience_ids[half:])
            )
            return first | second
        found = {}
        for entry in _rows(reply.data.get("list")):
            details = entry.get("audience_details")
            if isinstance(details, Mapping) and str(details.get("audience_id")) in audience_ids:
                found[str(details["audience_id"])] = entry
        return found

    def create(
        self,
        name: str,
        *,
        calculate_type: CalculateType,
        file_paths: Sequence[str],
        retention_in_days: int | None = None,
        audience_sub_type: AudienceSubType | None = None,
    ) -> CreatedAudience:
        """Create an audience of fewer than 50 uploaded files (section 3.4). ``retention_in_days``: 1 to 365.

        Names are not unique at TikTok, so a create whose outcome is unknown is never repeated here: it raises
        TikTokUnavailable with ``may_have_happened``, and the caller looks the name up. Raises ConnectorError.
        """
        body: dict[str, Any] = {
            "advertiser_id": self._client.advertiser_id,
            "custom_audience_name": name,
            "calculate_type": calculate_type,
            "file_paths": list(file_paths),
        }
        if retention_in_days is not None:
            body["retention_in_days"] = retention_in_days
        if audience_sub_type is not None:
            body["audience_sub_type"] = audience_sub_type
        reply = self._client.call(Request("POST", _ROOT + "create/", body=body), repeatable=False)
        return CreatedAudience(id_in(reply, "custom_audience_id", "create"), reply.request_id)

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

    def update_sub_type(self, audience_id: str) -> str:
        """Turn an audience from NORMAL into REACH_FREQUENCY, the one change there is; returns the request id.

        TikTok ignores any other change of the same call (section 3.5). Raises ConnectorError.
        """
        body = {
            "advertiser_id": self._client.advertiser_id,
            "custom_audience_id": audience_id,
            "audience_sub_type": AudienceSubType.REACH_FREQUENCY,
        }
        return self._client.call(Request("POST", _ROOT + "update/", body=body)).request_id

    def delete(self, audience_id: str) -> str:
        """Delete an audience (section 3.8); returns the request id, "" when there was nothing to delete.

        Raises ConnectorError.
        """
        body = {"advertiser_id": self._client.advertiser_id, "custom_audience_ids": [audience_id]}
        try:
            return self._client.call(Request("POST", _ROOT + "delete/", body=body)).request_id
        except TikTokRejected as error:
            # Whether an unknown id is an error is not documented, and these codes are of other errors as well.
            if error.code in _UNKNOWN_ID and self._is_gone(audience_id):
                return ""
            raise

    def _is_gone(self, audience_id: str) -> bool:
        """Whether an audience is certainly not there: neither in the whole list nor by its id. Raises ConnectorError.

        An audience that was just created may be in neither yet.
        """
        listing = self.list_audiences()
        if not listing.is_whole or any(audience.audience_id == audience_id for audience in listing.audiences):
            return False
        return self.find_audience(audience_id) is None


def _md5(content: BinaryIO) -> str:
    content.seek(0)
    signature = hashlib.md5(usedforsecurity=False)
    while block := content.read(_READ_BYTES):
        signature.update(block)
    return signature.hexdigest()


def _audience(entry: Mapping[str, Any]) -> CustomAudience:
    return CustomAudience(
        audience_id=str(entry["audience_id"]),
        name=_text(entry.get("name")),
        # List and get do not name this alike.
        audience_type=_text(entry.get("audience_type") or entry.get("type")),
        calculate_type=_text(entry.get("calculate_type")),
        is_creator=entry.get("is_creator") is not False,
        cover_num=_count(entry.get("cover_num")),
        is_valid=entry.get("is_valid") is True,
        error_msg=masked(_text(entry.get("error_msg"))),
        audience_sub_type=_text(entry.get("audience_sub_type")),
        expires_at=_moment(entry.get("expired_time")),
    )


def _changes(entry: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return _rows(entry.get("audience_history"))


def _rows(value: object) -> Iterator[Mapping[str, Any]]:
    return (row for row in value if isinstance(row, Mapping)) if isinstance(value, list) else iter(())


def _moment(value: object) -> float | None:
    try:
        moment = datetime.strptime(_text(value), _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp() if moment >= _EARLIEST else None


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        return 0
    return int(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
