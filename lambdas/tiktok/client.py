"""Joins protocol, transport, pacing and retries into calls."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from lambdas.tiktok.errors import RetryableError
from lambdas.tiktok.models import Credentials
from lambdas.tiktok.protocol import Answer, Reply, Request, decipher
from lambdas.tiktok.retry import RetryPolicy
from lambdas.tiktok.transport import Transport


class Pacer(Protocol):
    """Says when the next request may start."""

    def wait(self) -> None:
        """Return when the next request may start."""
        ...


class TikTokClient:
    """Makes calls for one advertiser. Needs no logger: retries are reported through ``on_retry(error, attempt)``."""

    def __init__(
        self,
        transport: Transport,
        credentials: Credentials,
        *,
        pacer: Pacer,
        retry: RetryPolicy | None = None,
        on_retry: Callable[[RetryableError, int], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.advertiser_id = credentials.advertiser_id
        self._transport = transport
        self._token = credentials.access_token
        self._pacer = pacer
        self._retry = retry or RetryPolicy()
        self._on_retry = on_retry
        self._sleep = sleep

    def call(self, request: Request, *, repeatable: bool = True) -> Reply:
        """Send a request and decipher the answer, with brief retries.

        ``repeatable`` is false for what must not be carried out twice: it is then repeated only when it is certain that
        TikTok did nothing.

        Raises:
            ConnectorError: see ``decipher`` and ``Transport.send``.
        """

        def attempt() -> Reply:
            self._pacer.wait()
            answer = self._transport.send(request, self._token)
            # TikTok may quote the token; it goes before a message is cut or otherwise masked.
            body = answer.body.replace(self._token.encode(), b"token")
            return decipher(Answer(answer.status, body), request.path)

        return self._retry.call(attempt, repeatable=repeatable, sleep=self._sleep, on_retry=self._on_retry)
