"""Serves the emulator over HTTP, in a thread of its own."""

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from .application import Application
from .control_plane import ControlPlane
from .credentials import DEFAULT_ACCESS_TOKEN, DEFAULT_ADVERTISER_ID
from .settings import Settings
from .world import World

DEFAULT_HOST = "127.0.0.1"


class EmulatorServer:
    """An emulated TikTok.

    Use it as a context manager, or call `start` and `stop`:

        with EmulatorServer() as emulator:
            emulator.tell("seed", {"audiences": 3})
            client = TikTokClient(base_url=emulator.url, access_token=emulator.access_token)
    """

    def __init__(
        self,
        port: int = 0,
        host: str = DEFAULT_HOST,
        *,
        access_token: str = DEFAULT_ACCESS_TOKEN,
        advertiser_id: str = DEFAULT_ADVERTISER_ID,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        self.access_token = access_token
        self.advertiser_id = advertiser_id
        self.world = World(Settings().with_changes(settings or {}), access_token, advertiser_id)
        self._host = host
        self._port = port
        self._application = Application(self.world)
        self._control_plane = ControlPlane(self.world)
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address, without a final slash."""
        if self._server is None:
            raise RuntimeError("the emulator has no address before it was started")
        return f"http://{self._host}:{self._server.server_port}"

    def start(self) -> Self:
        """Listen, and answer from now on."""
        self._application.stopping.clear()
        self._server = make_server(
            self._host, self._port, self._application, threaded=True, request_handler=_SilentRequestHandler
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="tiktok-emulator", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Let go of every held connection and stop listening. What is remembered stays readable."""
        self._application.stopping.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = self._thread = None

    def tell(self, command: str, body: Any = None) -> dict[str, Any]:
        """A POST to the control plane without the detour over HTTP: `tell("clock", {"advance_seconds": 3600})`."""
        return self._control_plane.carry_out("POST", command, {} if body is None else body)

    def ask(self, command: str) -> dict[str, Any]:
        """A GET from the control plane without the detour over HTTP: `ask("audiences")`."""
        return self._control_plane.carry_out("GET", command, {})

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


class _SilentRequestHandler(WSGIRequestHandler):
    """Keeps quiet about requests; errors of ours still reach the log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: GET requests of the control plane tells what was asked."""
