"""How answers are deciphered, and codes sorted."""

import json

import pytest

from lambdas.tiktok.codes import KIND_BY_CODE, Kind, kind_of
from lambdas.tiktok.errors import (
    ConnectorError,
    FileExpired,
    PermissionMissing,
    RateLimited,
    TikTokRejected,
    TikTokUnavailable,
    TokenRejected,
)
from lambdas.tiktok.protocol import Answer, decipher


def answer(code: object, message: str = "text", status: int = 200, **more: object) -> Answer:
    envelope = {"code": code, "message": message, "request_id": "2026112112000000", "data": {}, **more}
    return Answer(status, json.dumps(envelope).encode())


def test_success_gives_data_and_request_id() -> None:
    reply = decipher(answer(0, data={"file_path": "x"}), "any/")

    assert reply.data == {"file_path": "x"}
    assert reply.request_id == "2026112112000000"


def test_missing_data_is_empty() -> None:
    assert decipher(answer(0, data=None), "any/").data == {}


@pytest.mark.parametrize("status", [200, 400, 401])
@pytest.mark.parametrize(
    ("code", "error"),
    [
        (20001, TikTokRejected),
        (40000, TikTokRejected),
        (40001, PermissionMissing),
        (40002, TikTokRejected),
        (40016, RateLimited),
        (40100, RateLimited),
        (40102, TokenRejected),
        (40104, TokenRejected),
        (40105, TokenRejected),
        (40132, RateLimited),
        (40133, RateLimited),
        (40900, TikTokUnavailable),
        (40905, FileExpired),
        (40908, TikTokRejected),
        (40910, FileExpired),
        (50000, TikTokUnavailable),
        (51003, TikTokUnavailable),
        (51099, TikTokUnavailable),
        (60001, TikTokUnavailable),
        (61000, RateLimited),
        (53102, TikTokRejected),
    ],
)
def test_the_code_decides_and_not_the_status(code: int, error: type[ConnectorError], status: int) -> None:
    with pytest.raises(error) as raised:
        decipher(answer(code, status=status), "any/")

    assert type(raised.value) is error
    assert (raised.value.code, raised.value.listed) == (code, True)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>502 Bad Gateway</html>", b"[]", b"null", b"1", b"{}", b'{"code": "0"}', b'{"code": null}', b"\xff"],
)
def test_what_is_no_envelope_is_transient_and_may_have_happened(body: bytes) -> None:
    with pytest.raises(TikTokUnavailable) as raised:
        decipher(Answer(502, body), "any/")

    assert raised.value.may_have_happened


@pytest.mark.parametrize(("code", "kind"), [(40999, Kind.REJECTED), (51200, Kind.UNAVAILABLE), (-1, Kind.UNAVAILABLE)])
def test_an_unlisted_code_is_sorted_by_its_range_and_marked(code: int, kind: Kind) -> None:
    assert kind_of(code) == (kind, False)


def test_every_code_stands_in_one_class() -> None:
    from lambdas.tiktok import codes

    entries = [
        code
        for kinds in codes._KINDS.values()
        for entry in kinds
        for code in (entry if isinstance(entry, range) else [entry])
    ]
    assert len(entries) == len(KIND_BY_CODE)


@pytest.mark.parametrize(
    "secret", ["848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f", "jane@example.com", "+442071838750"]
)
def test_a_message_that_quotes_an_identifier_loses_it(secret: str) -> None:
    with pytest.raises(TikTokRejected) as raised:
        decipher(answer(40002, f"Row 17: {secret} is not valid for advertiser 7000000000000000001"), "any/")

    assert secret not in str(raised.value)
    assert "7000000000000000001" in str(raised.value)


def test_a_message_is_cut_at_300_characters() -> None:
    with pytest.raises(TikTokRejected) as raised:
        decipher(answer(40002, "word " * 1000), "any/")

    assert len(str(raised.value)) < 400


def test_half_a_character_in_a_message_can_be_written_down() -> None:
    with pytest.raises(TikTokRejected) as raised:
        decipher(Answer(200, b'{"code": 40002, "message": "cut off \\ud83d", "request_id": "1"}'), "path/")

    assert "cut off ?" in str(raised.value)
    assert str(raised.value).encode()
