"""A TikTok that answers what a test wants, without a socket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambdas.tiktok.client import TikTokClient
from lambdas.tiktok.models import Credentials
from lambdas.tiktok.protocol import Answer, Request

Envelope = Mapping[str, Any]


class ScriptedTikTok:
    """Answers by the end of the path, each answer once and the last one for ever; remembers what it was asked."""

    def __init__(self, **answers: list[Envelope | Exception]) -> None:
        self.answers = answers
        self.requests: list[Request] = []

    def send(self, request: Request, access_token: str) -> Answer:
        """The transport's call."""
        self.requests.append(request)
        script = self.answers.get(request.path.rstrip("/").rsplit("/", 1)[-1], [{}])
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, Exception):
            raise answer
        envelope = {"code": 0, "message": "OK", "request_id": "2026", "data": {}, **answer}
        return Answer(200, json.dumps(envelope).encode())

    @property
    def bodies(self) -> list[Mapping[str, Any]]:
        """The JSON bodies that it got."""
        return [request.body for request in self.requests if request.body is not None]

    def client(self, advertiser_id: str = "7000000000000000001") -> TikTokClient:
        """A client that speaks to it, without pauses."""
        return TikTokClient(self, Credentials("token", advertiser_id), pacer=_NoPacer(), sleep=lambda _: None)


class _NoPacer:
    def wait(self) -> None: ...


def listing(*audiences: Envelope, total: int | None = None) -> Envelope:
    """An answer to list."""
    count = len(audiences) if total is None else total
    return {"data": {"list": list(audiences), "page_info": {"total_number": count, "total_page": 1}}}
