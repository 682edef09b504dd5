"""What events belong to: pixels and offline event sets (API reference section 7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdas.tiktok.client import TikTokClient
from lambdas.tiktok.errors import TikTokUnavailable
from lambdas.tiktok.models import EventSource, NamedEventSource
from lambdas.tiktok.pagination import read_listing
from lambdas.tiktok.protocol import Request, id_in

_PAGE_SIZE = 20  # the largest that /pixel/list/ takes
_DESCRIPTION = "Created by the TikTok Ads connector for AWS"


class EventSourceApi:
    """The calls of one advertiser. Only pixels (web) and offline event sets have names to look up."""

    def __init__(self, client: TikTokClient) -> None:
        self._client = client

    def list_sources(self, source: EventSource, name: str) -> tuple[list[NamedEventSource], bool]:
        """The event sources that may have a name, and whether they certainly are all.

        Pixels are filtered by TikTok, which finds similar names too; of offline event sets it gives all there are.
        Raises ConnectorError.
        """
        if source is EventSource.OFFLINE:
            return self._list_offline_sets(), True
        pixels, is_whole = read_listing(lambda page: self._page_of_pixels(name, page), identity="pixel_id")
        return [_named(pixel, "pixel_code", "pixel_name") for pixel in pixels], is_whole

    def create(self, source: EventSource, name: str) -> str:
        """Create an event source; returns its id: the pixel code, or the id of the offline event set.

        Names are not unique at TikTok, so a create whose outcome is unknown is never repeated here: it raises
        TikTokUnavailable with ``may_have_happened``, and the caller looks the name up. Raises ConnectorError.
        """
        if source is EventSource.OFFLINE:
            body = {"advertiser_id": self._client.advertiser_id, "name": name, "description": _DESCRIPTION}
            path, id_name = "offline/create", "event_set_id"
        else:
            body = {"advertiser_id": self._client.advertiser_id, "pixel_name": name}
            path, id_name = "pixel/create", "pixel_code"
        return id_in(self._client.call(Request("POST", f"{path}/", body=body), repeatable=False), id_name, path)

    def _page_of_pixels(self, name: str, page: int) -> Mapping[str, Any]:
        query = {
            "advertiser_id": self._client.advertiser_id,
            "name": name,
            "page": str(page),
            "page_size": str(_PAGE_SIZE),
        }
        data = self._client.call(Request("GET", "pixel/list/", query=query)).data
        return {"list": data.get("pixels"), "page_info": data.get("page_info")}

    def _list_offline_sets(self) -> list[NamedEventSource]:
        query = {"advertiser_id": self._client.advertiser_id}
        data = self._client.call(Request("GET", "offline/get/", query=query)).data
        return [_named(each, "event_set_id", "name") for each in data.get("event_set_list") or ()]


def _named(entry: Mapping[str, Any], id_name: str, name: str) -> NamedEventSource:
    try:
        return NamedEventSource(str(entry[id_name]), str(entry[name]))
    except (KeyError, TypeError):
        raise TikTokUnavailable(
            "An entry of TikTok's listing of event sources does not have the documented shape.", may_have_happened=False
        ) from None
