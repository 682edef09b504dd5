"""The only socket to TikTok. Sends a request once and hands back what came, or says that nothing did."""

from __future__ import annotations

import threading
from typing import Any, Protocol

import requests
from requests.adapters import HTTPAdapter
from requests_toolbelt.multipart.encoder import MultipartEncoder
from urllib3.exceptions import HTTPError, NewConnectionError

from lambdas.tiktok.errors import TikTokUnavailable
from lambdas.tiktok.protocol import Answer, Request

API_PREFIX = "/open_api/v1.3/"
# Far more than a page of a listing has; of a longer answer, which cannot be one of TikTok's, the rest is left.
_MOST_BYTES = 4 << 20
# What is sent at once of a file. The library's own 16 KiB make encoding a part take longer than sending it.
_BLOCK_BYTES = 1 << 18


class Transport(Protocol):
    """Carries one request to TikTok and one answer back."""

    def send(self, request: Request, access_token: str) -> Answer:
        """Send once, without retries. Raises TikTokUnavailable when no answer came."""
        ...


class HttpTransport:
    """A transport over ``requests``, for any number of threads, with one connection pool for the life of each.

    A session is nowhere promised to be safe for threads (psf/requests issue 2766), and requests-toolbelt advises one
    per thread (docs/threading.rst).

    ``connect_seconds`` is also how long sending may stall, ``read_seconds`` how long an answer may.
    """

    def __init__(self, base_url: str, *, connect_seconds: float = 20, read_seconds: float = 30) -> None:
        self._base = base_url.rstrip("/") + API_PREFIX
        self._timeouts = (connect_seconds, read_seconds)
        self._of_thread = threading.local()

    def send(self, request: Request, access_token: str) -> Answer:
        """Send once. A file is streamed from its source, not copied into the body first.

        Raises:
            TikTokUnavailable: no answer came; ``may_have_happened`` is false only when no connection was made.
        """
        headers = {"Access-Token": access_token}
        content: MultipartEncoder | bytes | None = request.json
        if content is not None:
            headers["Content-Type"] = "application/json"
        if request.file is not None:
            request.file.content.seek(0)
            encoder = MultipartEncoder(
                {**(request.form or {}), "file": (request.file.name, request.file.content, "text/csv")}
            )
            content, headers["Content-Type"] = encoder, encoder.content_type
        try:
            response = self._session().request(
                request.method,
                self._base + request.path,
                params=dict(request.query),
                json=request.body,
                data=content,
                headers=headers,
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            )
            with response:
                body = response.raw.read(_MOST_BYTES, decode_content=True)
        except (requests.RequestException, HTTPError) as error:
            sent = not (isinstance(error, requests.ConnectTimeout) or _never_connected(error))
            # The library's text holds the address with its query: only the kind of failure travels on.
            raise TikTokUnavailable(
                f"No answer from TikTok to {request.path}: {type(error).__name__}.", may_have_happened=sent
            ) from None
        return Answer(response.status_code, body)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._of_thread, "session", None)
        if session is None:
            session = self._of_thread.session = requests.Session()
            # Neither a proxy's nor a .netrc's credentials may replace the token of the secret.
            session.trust_env = False
            for scheme in ("https://", "http://"):
                session.mount(scheme, _LargeBlocks())
        return session


class _LargeBlocks(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, blocksize=_BLOCK_BYTES, **options)


def _never_connected(error: requests.RequestException | HTTPError) -> bool:
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", cause), NewConnectionError)
