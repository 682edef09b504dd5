"""Drives the emulator over HTTP in plain requests: no client of ours may decide what the answers mean."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import requests

from local.emulator.server import EmulatorServer

CUSTOM_AUDIENCE = "/open_api/v1.3/dmp/custom_audience/"
SEGMENT = "/open_api/v1.3/segment/"
API = "/open_api/v1.3/"
TRACK = API + "event/track/"
SECONDS = 10
EVENT_SOURCE_IDS = {
    "web": "EMULATEDPIXEL0000001",
    "app": "7000000000000000101",
    "offline": "7000000000000000201",
    "crm": "7000000000000000301",
}
NEEDED = {
    "web": {"page": {"url": "https://shop.example/basket"}},
    "app": {"app": {"app_id": "com.example.shop"}},
    "offline": {},
    "crm": {"lead": {"lead_id": "lead 1"}},
}
EVENT_TIME = 1_790_000_000


def digests(count: int, start: int = 0, kind: str = "sha256") -> list[str]:
    """Different hexadecimal identifiers, the same ones for the same numbers."""
    return [hashlib.new(kind, f"person {number}".encode()).hexdigest() for number in range(start, start + count)]


def lines(identifiers: Iterable[str]) -> bytes:
    return "".join(f"{identifier}\n" for identifier in identifiers).encode()


def sha256_of(identifiers: Iterable[str]) -> str:
    """What the control plane calls members_sha256."""
    return hashlib.sha256("\n".join(sorted(identifiers)).encode()).hexdigest()


def slots_sha256(**identifiers: Iterable[str]) -> str:
    """What the control plane calls members_sha256 of a segment audience: `slots_sha256(EMAIL_SHA256=digests(3))`."""
    return sha256_of(f"{slot}:{identifier}" for slot, given in identifiers.items() for identifier in given)


def column(identifiers: Iterable[str], *audience_ids: str) -> list[list[dict[str, object]]]:
    """batch_data for an id_schema of one kind."""
    return [[{"id": identifier, "audience_ids": list(audience_ids)}] for identifier in identifiers]


def any_event(source: str = "web", **changed: Any) -> dict[str, Any]:
    """An event that has what it needs; a member that is changed to None is left out."""
    event = {"event": "Purchase", "event_time": EVENT_TIME, **NEEDED[source], **changed}
    return {name: value for name, value in event.items() if value is not None}


class Driver:
    """Calls the endpoints with the default credentials, unless told otherwise."""

    def __init__(self, emulator: EmulatorServer) -> None:
        self.emulator = emulator
        self.headers = {"Access-Token": emulator.access_token}

    def get(self, path: str, **query: Any) -> Any:
        texts = {name: json.dumps(value) if isinstance(value, list) else value for name, value in query.items()}
        return self.request("GET", path, params=texts).json()

    def post(self, path: str, body: object) -> Any:
        return self.request("POST", path, json=body).json()

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return requests.request(method, self.emulator.url + path, headers=headers, timeout=SECONDS, **options)

    def control(self, method: str, command: str, body: object = None) -> Any:
        response = requests.request(method, f"{self.emulator.url}/_control/{command}", json=body, timeout=SECONDS)
        assert response.status_code == 200, response.text
        return response.json()

    def upload(
        self, content: bytes, calculate_type: str = "EMAIL_SHA256", name: str = "people.csv", **changed: Any
    ) -> Any:
        form = {
            "advertiser_id": self.emulator.advertiser_id,
            "calculate_type": calculate_type,
            "file_signature": hashlib.md5(content).hexdigest(),  # noqa: S324 - TikTok's choice
            **changed,
        }
        form = {field: value for field, value in form.items() if value is not None}
        files = {"file": (name, content, "text/csv")}
        return self.request("POST", CUSTOM_AUDIENCE + "file/upload/", data=form, files=files).json()

    def file_path(self, identifiers: Iterable[str], calculate_type: str = "EMAIL_SHA256") -> str:
        return str(self.upload(lines(identifiers), calculate_type)["data"]["file_path"])

    def create(self, file_paths: object, name: str = "people", **changed: Any) -> Any:
        body = {
            "advertiser_id": self.emulator.advertiser_id,
            "custom_audience_name": name,
            "file_paths": file_paths,
            "calculate_type": "EMAIL_SHA256",
            **changed,
        }
        return self.post(CUSTOM_AUDIENCE + "create/", body)

    def audience_of(self, identifiers: Iterable[str], **changed: Any) -> str:
        return str(self.create([self.file_path(identifiers)], **changed)["data"]["custom_audience_id"])

    def update(self, audience_id: str, **changes: Any) -> Any:
        body = {"advertiser_id": self.emulator.advertiser_id, "custom_audience_id": audience_id, **changes}
        return self.post(CUSTOM_AUDIENCE + "update/", body)

    def delete(self, *audience_ids: str) -> Any:
        body = {"advertiser_id": self.emulator.advertiser_id, "custom_audience_ids": list(audience_ids)}
        return self.post(CUSTOM_AUDIENCE + "delete/", body)

    def segment(self, **fields: Any) -> Any:
        body = {"advertiser_id": self.emulator.advertiser_id, **fields}
        return self.post(SEGMENT + "audience/", body)

    def segment_audience(self, name: str = "stream", **fields: Any) -> str:
        return str(self.segment(custom_audience_name=name, **fields)["data"]["audience_id"])

    def map(self, id_schema: object, batch_data: object, **fields: Any) -> Any:
        body = {
            "advertiser_ids": [self.emulator.advertiser_id],
            "id_schema": id_schema,
            "batch_data": batch_data,
            **fields,
        }
        return self.post(SEGMENT + "mapping/", body)

    def track(self, data: object, source: str = "web", **changed: Any) -> Any:
        body = {"event_source": source, "event_source_id": EVENT_SOURCE_IDS.get(source), "data": data, **changed}
        return self.post(TRACK, body)

    def received(self, source: str = "web", event_source_id: str | None = None) -> Any:
        """What an event source was sent, as the control plane tells it."""
        asked = {"event_source": source, "event_source_id": event_source_id or EVENT_SOURCE_IDS[source]}
        return self.emulator.tell("events", asked)

    def advance(self, seconds: float) -> None:
        self.emulator.tell("clock", {"advance_seconds": seconds})

    def add_event_source(self, source: str, name: str, **changed: Any) -> str:
        given = {"event_source": source, "name": name, **changed}
        return str(self.emulator.tell("event_sources", given)["event_source_id"])

    def list(self, **query: Any) -> Any:
        return self.get(CUSTOM_AUDIENCE + "list/", **{"advertiser_id": self.emulator.advertiser_id, **query})

    def details(self, audience_id: str) -> Any:
        return self.row(audience_id)["audience_details"]

    def row(self, audience_id: str, **query: Any) -> Any:
        answer = self.get(
            CUSTOM_AUDIENCE + "get/",
            advertiser_id=self.emulator.advertiser_id,
            custom_audience_ids=[audience_id],
            **query,
        )
        (row,) = answer["data"]["list"]
        return row

    def held(self, audience_id: str) -> Any:
        """What TikTok has, as the control plane tells it."""
        audiences = self.emulator.ask("audiences")["audiences"]
        return next(audience for audience in audiences if audience["audience_id"] == audience_id)

    def let_it_process(self) -> None:
        self.emulator.tell("clock", {"advance_seconds": 3_600})
