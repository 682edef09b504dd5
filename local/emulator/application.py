"""The WSGI application: finds the endpoint, checks in TikTok's order, and misbehaves where it was asked to."""

import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from . import advertiser_api, console, custom_audience_api, event_api, event_source_api, events_page, segment_api
from .answers import DOCUMENTED_EVENT_STATUSES, INJECTED_MESSAGES, ApiError, Code, Json, envelope
from .calls import Call, form_call, json_call, query_call
from .control_input import ControlError
from .control_plane import PREFIX as CONTROL_PREFIX
from .control_plane import ControlPlane
from .credentials import Scope
from .faults import Fault, Kind
from .rate_limits import Quota
from .world import RecordedRequest, World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

API_PREFIX = "/open_api/"
VERSION = "v1.3"
_PIECE_BYTES = 1024 * 1024
_HELD_SECONDS = 300
_GLANCE_SECONDS = 0.05
_BODY_MARGIN_BYTES = 16 * 1024 * 1024


class Content(Enum):
    """Where an endpoint finds its parameters."""

    QUERY = "GET"
    JSON = "POST"
    FORM = "POST with a file"


@dataclass(frozen=True)
class Endpoint:
    """One endpoint, the scope it asks for, and who answers."""

    content: Content
    scope: Scope
    answer: Callable[[World, Call], Json]
    quota: Quota = Quota.GENERAL

    @property
    def method(self) -> str:
        """The only method that it answers."""
        return "GET" if self.content is Content.QUERY else "POST"


ENDPOINTS = {
    "dmp/custom_audience/file/upload": Endpoint(Content.FORM, Scope.WRITE_AUDIENCES, custom_audience_api.upload_file),
    "dmp/custom_audience/create": Endpoint(Content.JSON, Scope.WRITE_AUDIENCES, custom_audience_api.create_audience),
    "dmp/custom_audience/update": Endpoint(Content.JSON, Scope.WRITE_AUDIENCES, custom_audience_api.update_audience),
    "dmp/custom_audience/delete": Endpoint(Content.JSON, Scope.WRITE_AUDIENCES, custom_audience_api.delete_audiences),
    "dmp/custom_audience/list": Endpoint(Content.QUERY, Scope.READ_AUDIENCES, custom_audience_api.list_audiences),
    "dmp/custom_audience/get": Endpoint(Content.QUERY, Scope.READ_AUDIENCES, custom_audience_api.get_audiences),
    "segment/audience": Endpoint(Content.JSON, Scope.WRITE_AUDIENCES, segment_api.change_segment, Quota.STREAMING),
    "segment/mapping": Endpoint(Content.JSON, Scope.WRITE_AUDIENCES, segment_api.map_identifiers, Quota.STREAMING),
    "event/track": Endpoint(Content.JSON, Scope.SEND_EVENTS, event_api.track_events, Quota.EVENTS),
    "pixel/list": Endpoint(Content.QUERY, Scope.MANAGE_EVENT_SOURCES, event_source_api.list_pixels),
    "pixel/create": Endpoint(Content.JSON, Scope.MANAGE_EVENT_SOURCES, event_source_api.create_pixel),
    "offline/get": Endpoint(Content.QUERY, Scope.MANAGE_EVENT_SOURCES, event_source_api.get_offline_event_sets),
    "offline/create": Endpoint(Content.JSON, Scope.MANAGE_EVENT_SOURCES, event_source_api.create_offline_event_set),
    "crm/list": Endpoint(Content.QUERY, Scope.MANAGE_EVENT_SOURCES, event_source_api.list_crm_event_sets),
    "app/list": Endpoint(Content.QUERY, Scope.MANAGE_EVENT_SOURCES, event_source_api.list_apps),
    "advertiser/info": Endpoint(Content.QUERY, Scope.READ_ADVERTISERS, advertiser_api.advertiser_info),
    "oauth2/advertiser/get": Endpoint(Content.QUERY, Scope.READ_ADVERTISERS, advertiser_api.authorised_advertisers),
}


class Application:
    """Three doors: TikTok's API, the control plane, and the pages for people."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.control_plane = ControlPlane(world)
        self.stopping = threading.Event()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        if request.path.startswith(CONTROL_PREFIX):
            response = self._answer_control(request)
        elif request.path == "/" and request.method in ("GET", "HEAD"):
            response = Response(console.render(self.world), mimetype="text/html")
        elif request.path == events_page.PATH and request.method in ("GET", "HEAD"):
            response = Response(events_page.render(self.world), mimetype="text/html")
        else:
            response = self._answer_api(request)
        return response(environ, start_response)

    def _answer_control(self, request: Request) -> Response:
        body = self._read_body(request)
        try:
            answer = self.control_plane.handle(request.method, request.path.removeprefix(CONTROL_PREFIX), body)
        except ControlError as error:
            return _json({"error": str(error)}, status=400)
        return _json(answer)

    def _answer_api(self, request: Request) -> Response:
        recorded = self.world.record_request(request.method, request.path)
        body = self._read_body(request)
        fault = self.world.take_fault(request.path)
        if fault is not None:
            recorded.fault = fault.kind.value
            early = self._suffer(fault, request, recorded)
            if early is not None:
                return early
        try:
            answer = envelope(Code.OK, "OK", self._carry_out(request, body))
        except ApiError as error:
            answer = envelope(error.code, error.message)
        if fault is not None and fault.kind is Kind.DROP_AFTER_COMMIT:
            _drop(request)
        return self._coded(recorded, answer)

    def _carry_out(self, request: Request, body: bytes) -> Json:
        endpoint = _find_endpoint(request)
        world = self.world
        with world.lock:
            token = world.authenticate(request.headers.get("Access-Token", ""))
            world.admit(token, endpoint.scope, endpoint.quota)
            largest = world.settings.max_file_size_bytes
        content_type = request.headers.get("Content-Type", "")
        if endpoint.content is Content.QUERY:
            return endpoint.answer(world, query_call(token, request.args.to_dict()))
        if endpoint.content is Content.JSON:
            return endpoint.answer(world, json_call(token, content_type, body))
        if len(body) > largest + _BODY_MARGIN_BYTES:
            raise ApiError(Code.FILE_TOO_LARGE, f"The file is larger than {largest} bytes.")
        return endpoint.answer(world, form_call(token, content_type, body))

    def _read_body(self, request: Request) -> bytes:
        """Read it to the end, for a connection closed with unread bytes loses the answer. Keep what may be of use."""
        with self.world.lock:
            largest = self.world.settings.max_file_size_bytes + 2 * _BODY_MARGIN_BYTES
        length = request.content_length
        if length is None and not request.environ.get("wsgi.input_terminated"):
            return b""
        stream = request.environ["wsgi.input"]
        pieces: list[bytes] = []
        received = kept = 0
        while length is None or received < length:
            piece = stream.read(_PIECE_BYTES if length is None else min(_PIECE_BYTES, length - received))
            if not piece:
                break
            received += len(piece)
            if kept < largest:
                kept += len(piece)
                pieces.append(piece)
        if length is not None and received < length:
            raise ConnectionAbortedError("the client went away before it had sent everything")
        return b"".join(pieces)

    def _suffer(self, fault: Fault, request: Request, recorded: RecordedRequest) -> Response | None:
        """The answer that the fault makes, or None if the call goes on."""
        if fault.kind is Kind.CODE:
            message = fault.message or INJECTED_MESSAGES.get(fault.code, "Injected fault.")
            return self._coded(recorded, envelope(fault.code, message))
        if fault.kind is Kind.HTTP:
            recorded.http_status = fault.status
            page = f"<html><head><title>{fault.status}</title></head><body><h1>{fault.status}</h1></body></html>\n"
            return Response(page, status=fault.status, mimetype="text/html")
        if fault.kind is Kind.SLOW and self.stopping.wait(fault.seconds):
            _drop(request)
        if fault.kind is Kind.TIMEOUT:
            self._hold(request)
            _drop(request)
        if fault.kind is Kind.DROP_BEFORE_COMMIT:
            _drop(request)
        return None

    def _coded(self, recorded: RecordedRequest, answer: Json) -> Response:
        with self.world.lock:
            settings = self.world.settings
        recorded.code, recorded.http_status = answer["code"], 200
        if settings.documented_event_statuses and recorded.path.rstrip("/").endswith("/event/track"):
            recorded.http_status = DOCUMENTED_EVENT_STATUSES.get(answer["code"], 200)
        return _json(answer, recorded.http_status)

    def _hold(self, request: Request) -> None:
        """Say nothing until the client gives up."""
        connection = request.environ["werkzeug.socket"]
        deadline = time.monotonic() + _HELD_SECONDS
        while time.monotonic() < deadline and not self.stopping.is_set():
            readable, _, _ = select.select([connection], [], [], _GLANCE_SECONDS)
            if readable:
                try:
                    if not connection.recv(1, socket.MSG_PEEK):
                        return
                except OSError:
                    return
                self.stopping.wait(_GLANCE_SECONDS)


def _find_endpoint(request: Request) -> Endpoint:
    version, _, name = request.path.removeprefix(API_PREFIX).partition("/")
    if request.path.startswith(API_PREFIX) and version != VERSION and name.rstrip("/") in ENDPOINTS:
        raise ApiError(Code.INVALID_VERSION, f"The API version {version} is not supported.")
    endpoint = ENDPOINTS.get(name.removesuffix("/")) if request.path.startswith(API_PREFIX) else None
    if endpoint is None or request.method != endpoint.method:
        raise ApiError(Code.ROUTE_NOT_FOUND, "The requested route does not exist.")
    return endpoint


def _json(answer: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(answer), status=status, content_type="application/json")


def _drop(request: Request) -> None:
    """Cut the connection. The shutdown reaches the client at once; the exception keeps werkzeug from answering."""
    with contextlib.suppress(OSError):
        request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("the connection was cut on purpose")
