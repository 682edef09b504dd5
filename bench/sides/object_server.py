"""Stands in for S3: serves one file, whole or a range of it, and takes whatever is put.

Run as a module, it prints its address and serves until its standard input ends.
"""

from __future__ import annotations

import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MISSING = b"<Error><Code>NoSuchKey</Code><Message>There is only the one object.</Message></Error>"
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


class ObjectServer(ThreadingHTTPServer):
    """Serves ``file`` under every key that ends in its name."""

    def __init__(self, file: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.file = file


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ObjectServer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if not path.endswith(f"/{self.server.file.name}"):
            self._answer(404, MISSING)
            return
        size = self.server.file.stat().st_size
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        first, last = (int(asked[1]), int(asked[2])) if asked else (0, size - 1)
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(last - first + 1))
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        with self.server.file.open("rb") as file:
            # Straight from the file to the socket, so that serving takes hardly any time from those that are measured.
            self.connection.sendfile(file, first, last - first + 1)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(200, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


if __name__ == "__main__":
    with ObjectServer(Path(sys.argv[1])) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        sys.stdin.read()
        server.shutdown()
