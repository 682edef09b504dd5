"""One call to the API, as an endpoint sees it."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from .answers import parameter_error
from .credentials import AccessToken
from .parameters import Parameters


@dataclass(frozen=True)
class UploadedPart:
    """The part of a form that is a file."""

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Call:
    """Who calls, with which parameters."""

    token: AccessToken
    parameters: Parameters
    file: UploadedPart | None = None
    body_bytes: int = 0


def query_call(token: AccessToken, query: Mapping[str, str]) -> Call:
    """A GET: everything is in the query, arrays as JSON (API reference section 1.2)."""
    return Call(token, Parameters(query, written_as_text=True))


def json_call(token: AccessToken, content_type: str, body: bytes) -> Call:
    """A POST of JSON."""
    if parse_options_header(content_type)[0].lower() != "application/json":
        raise parameter_error("The Content-Type must be application/json.")
    return Call(token, Parameters.from_json(body), body_bytes=len(body))


def form_call(token: AccessToken, content_type: str, body: bytes) -> Call:
    """A POST of a form with a file, whose part is named `file` (API reference section 9.3)."""
    mimetype, options = parse_options_header(content_type)
    if mimetype.lower() != "multipart/form-data":
        raise parameter_error("The Content-Type must be multipart/form-data.")
    parser = FormDataParser(stream_factory=lambda *_args, **_kwargs: io.BytesIO(), max_form_memory_size=None)
    _, form, files = parser.parse(io.BytesIO(body), mimetype, len(body), options)
    part = files.get("file")
    # The very bytes, where read() would copy them: a file is large.
    file = UploadedPart(part.filename or "", cast(io.BytesIO, part.stream).getvalue()) if part is not None else None
    return Call(token, Parameters(form, written_as_text=True), file)
