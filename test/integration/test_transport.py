"""The transport against a real socket."""

import io
import socket

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
