"""Stands in for the compiled half of awslambdaric on systems that have no wheel of it (macOS).

The folder is put at the end of a function's import path, so that the real module wins where it is installed. It holds
nothing else, because functions could import whatever lies here.
"""

from __future__ import annotations

import http.client
import os

HEADERS = (
    "Lambda-Runtime-Aws-Request-Id",
    "Lambda-Runtime-Trace-Id",
    "Lambda-Runtime-Invoked-Function-Arn",
    "Lambda-Runtime-Client-Context",
    "Lambda-Runtime-Cognito-Identity",
    "Lambda-Runtime-Aws-Tenant-Id",
    "Content-Type",
)
DEADLINE = "Lambda-Runtime-Deadline-Ms"

_user_agent = ""


def initialize_client(user_agent: str, *_: object) -> None:
    global _user_agent
    _user_agent = user_agent


def next() -> tuple[bytes, dict[str, str | int | None]]:
    body, answered = _request("GET", "next")
    headers: dict[str, str | int | None] = {name: answered.get(name) for name in HEADERS}
    return body, headers | {DEADLINE: int(answered[DEADLINE])}


def post_invocation_result(request_id: str, content: bytes, content_type: str = "application/json", *_: object) -> None:
    _request("POST", f"{request_id}/response", content, content_type)


def post_error(request_id: str, error: str, *_: object) -> None:
    _request("POST", f"{request_id}/error", error.encode(), "application/json")


def _request(
    method: str, path: str, body: bytes | None = None, content_type: str = ""
) -> tuple[bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        headers = {"User-Agent": _user_agent} | ({"Content-Type": content_type} if content_type else {})
        connection.request(method, f"/2018-06-01/runtime/invocation/{path}", body, headers)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status >= 400:
        raise RuntimeError(f"the runtime API answered {answer.status} to {method} {path}")
    return content, answer.headers
