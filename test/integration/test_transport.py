"""The transport against a real socket."""

import io
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lambdas.tiktok.errors import TikTokUnavailable
from lambdas.tiktok.protocol import FileField, Request
from lambdas.tiktok.transport import HttpTransport
from local.emulator.server import EmulatorServer

LIST = Request("GET", "dmp/custom_audience/list/", query={"advertiser_id": "7000000000000000001"})


def test_a_refused_connection_certainly_did_nothing() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"

        with pytest.raises(TikTokUnavailable) as raised:
            HttpTransport(address).send(LIST, "token")

    assert not raised.value.may_have_happened


@pytest.mark.parametrize("kind", ["drop_before_commit", "drop_after_commit", "timeout"])
def test_a_lost_answer_may_hide_a_success(tiktok: EmulatorServer, kind: str) -> None:
    tiktok.tell("faults", [{"path": "list", "kind": kind}])

    with pytest.raises(TikTokUnavailable) as raised:
        HttpTransport(tiktok.url, read_seconds=0.2).send(LIST, tiktok.access_token)

    assert raised.value.may_have_happened
    assert tiktok.access_token not in str(raised.value)
    assert tiktok.advertiser_id not in str(raised.value)


def test_the_same_file_can_be_sent_twice(tiktok: EmulatorServer) -> None:
    content = io.BytesIO(b"a" * 64 + b"\n")
    form = {
        "advertiser_id": tiktok.advertiser_id,
        "calculate_type": "EMAIL_SHA256",
        "file_signature": "bd23bf2a6e1f2ef96a1f0b3fa3a0a4d1",
    }
    request = Request("POST", "dmp/custom_audience/file/upload/", form=form, file=FileField("part.csv", content))
    transport = HttpTransport(tiktok.url)

    answers = [transport.send(request, tiktok.access_token).body for _ in range(2)]

    assert all(b"40900" in answer for answer in answers), "the emulator got the whole file and checked its signature"


def test_a_proxy_of_the_environment_is_not_told_the_token(
    tiktok: EmulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    assert HttpTransport(tiktok.url).send(LIST, tiktok.access_token).status == 200


THREADS = 10


class Echo(ThreadingHTTPServer):
    """Answers with what it was sent, once so many requests are under way at once."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), EchoHandler)
        self.all_there = threading.Barrier(THREADS)
        self.connections: set[tuple[str, int]] = set()
        self.foreign_cookies: list[str] = []


class EchoHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Echo

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.connections.add(self.client_address)
        own = f"number={json.loads(body)['number']}"
        if (cookie := self.headers.get("Cookie", own)) != own:
            self.server.foreign_cookies.append(cookie)
        self.server.all_there.wait(timeout=30)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", own)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server
        server.shutdown()
        serving.join()


def test_ten_threads_send_at_once_and_each_gets_its_own_answer(echo: Echo) -> None:
    transport = HttpTransport(f"http://127.0.0.1:{echo.server_port}")

    def send(number: int) -> list[bytes]:
        answers = []
        for turn in range(5):
            request = Request("POST", "segment/mapping/", body={"number": number, "turn": turn})
            answers.append(transport.send(request, "token").body)
        return answers

    with ThreadPoolExecutor(THREADS) as threads:
        answers = list(threads.map(send, range(THREADS)))

    assert answers == [[b'{"number": %d, "turn": %d}' % (n, turn) for turn in range(5)] for n in range(THREADS)]
    assert not echo.foreign_cookies
    assert len(echo.connections) == THREADS, "each thread keeps the connection that it made"
