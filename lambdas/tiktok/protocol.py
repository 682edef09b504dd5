"""TikTok's wire format, without I/O: what a request is, and how an answer is deciphered (API reference section 1)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from lambdas.tiktok.codes import Kind, kind_of
from lambdas.tiktok.errors import (
    ConnectorError,
    FileExpired,
    PermissionMissing,
    RateLimited,
    TikTokRejected,
    TikTokUnavailable,
    TokenRejected,
)

_MESSAGE_LIMIT = 300
# The calls of the scope Measurement (section 2.3).
_MEASURES = ("event/", "pixel/", "offline/", "crm/", "app/")
# Answers quote what was sent: hashes, tokens and addresses must not travel on into messages and logs.
_NOT_IN_REQUEST_ID = re.compile(r"[^0-9A-Za-z-]")
_SENSITIVE = re.compile(
    r"[0-9A-Fa-f]{20,}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
    r"|\S+@\S+|(?<!\d)\+?\d(?:[ ().-]?\d){7,14}(?!\d)"
)


@dataclass(frozen=True)
class FileField:
    """The file of a multipart request: its name, and a seekable stream of its bytes."""

    name: str
    content: BinaryIO


@dataclass(frozen=True)
class Request:
    """One call. ``path`` is relative to the API's base and ends with a slash. ``json`` is a body that is encoded."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    file: FileField | None = None
    json: bytes | None = None


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP, undeciphered."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Reply:
    """A successful answer: the envelope's ``data`` and ``request_id``."""

    data: Mapping[str, Any]
    request_id: str


def decipher(answer: Answer, path: str) -> Reply:
    """Turn an answer into a reply, or raise the error that its code stands for.

    Logical errors come with HTTP 200 and a code other than 0, and some come with 4xx, so the body decides (sections
    1.3 and 1.4). A body that is no envelope is a proxy speaking: transient.

    Raises:
        ConnectorError: of the class that ``codes`` gives the code.
    """
    try:
        envelope = json.loads(answer.body)
        code = envelope["code"]
    except (ValueError, TypeError, KeyError, RecursionError):
        code = None
    if not isinstance(code, int) or isinstance(code, bool):
        raise TikTokUnavailable(
            f"TikTok answered {path} with HTTP {answer.status} and no envelope.", may_have_happened=True
        )
    request_id = _NOT_IN_REQUEST_ID.sub("", str(envelope.get("request_id", "")))[:40]
    if code == 0:
        data = envelope.get("data")
        return Reply(data if isinstance(data, dict) else {}, request_id)
    raise _error(code, str(envelope.get("message", "")), request_id, path)


def id_in(reply: Reply, name: str, call: str) -> str:
    """The id of this name in an answer. Raises TikTokUnavailable, with ``may_have_happened``, when it is missing."""
    value = reply.data.get(name)
    if not value:
        raise TikTokUnavailable(
            f"TikTok answered {call} with success but no {name} [request {reply.request_id}].", may_have_happened=True
        )
    return str(value)


def masked(message: str) -> str:
    """A text of TikTok's, cut to 300 characters and without whatever could be an identifier or a token.

    Half a surrogate pair, which JSON can hold and no log, queue or table, becomes a question mark.
    """
    return _SENSITIVE.sub("…", message.encode(errors="replace").decode())[:_MESSAGE_LIMIT]


def _error(code: int, message: str, request_id: str, path: str) -> ConnectorError:
    kind, listed = kind_of(code)
    unlisted = "" if listed else " (an unlisted code)"
    text = f"TikTok answered {path} with code {code}{unlisted}: {masked(message)} [request {request_id}]"
    error: ConnectorError
    match kind:
        case Kind.RATE_LIMITED:
            error = RateLimited(text)
        case Kind.UNAVAILABLE:
            error = TikTokUnavailable(text, may_have_happened=True)
        case Kind.TOKEN:
            error = TokenRejected(f"{text} Put a valid ACCESS_TOKEN into the secret, then replay.")
        case Kind.PERMISSION:
            scope = "Measurement" if path.startswith(_MEASURES) else "Audience Management"
            named = "Is the event source's id right? If so, give" if path == "event/track/" else "Give"
            error = PermissionMissing(
                f"{text} {named} the token the scope {scope} and a role on the advertiser, then replay."
            )
        case Kind.FILE_EXPIRED:
            error = FileExpired(text)
        case Kind.REJECTED:
            error = TikTokRejected(text)
    error.code = code
    error.said = masked(message)
    error.listed = listed
    return error
