"""Streaming audiences: what is sent, and what never is."""

import json

import pytest

from lambdas.tiktok import segments
from lambdas.tiktok.errors import TikTokUnavailable
from lambdas.tiktok.models import IdSchema, MappingAction
from lambdas.tiktok.segments import MOST_BODY_BYTES, SegmentApi
from test.support.builders import any_hashes
from test.support.transports import Envelope, ScriptedTikTok

EMAIL, PHONE, IDFA_MD5 = IdSchema.EMAIL_SHA256, IdSchema.PHONE_SHA256, IdSchema.IDFA_MD5
MAYBE = TikTokUnavailable("cut off", may_have_happened=True)
A, B, C = any_hashes(3, seed="entry")
ADD = MappingAction.ADD


def test_a_streaming_audience_is_created_by_its_name() -> None:
    tiktok = ScriptedTikTok(audience=[{"data": {"audience_id": "5"}}])

    created = SegmentApi(tiktok.client("1")).create("Foodies")

    assert (created.audience_id, created.request_id) == ("5", "2026")
    assert [request.path for request in tiktok.requests] == ["segment/audience/"]
    assert tiktok.bodies == [{"advertiser_id": "1", "action": "create", "custom_audience_name": "Foodies"}]


@pytest.mark.parametrize("answer", [MAYBE, {"data": {}}, {"code": 50002}])
def test_a_create_whose_outcome_is_unknown_is_not_repeated(answer: Envelope | Exception) -> None:
    tiktok = ScriptedTikTok(audience=[answer])

    with pytest.raises(TikTokUnavailable) as raised:
        SegmentApi(tiktok.client()).create("Foodies")

    assert raised.value.may_have_happened
    assert len(tiktok.requests) == 1


@pytest.mark.parametrize("name", ["", "x" * 71])
def test_a_name_that_tiktok_would_cut_is_never_sent(name: str) -> None:
    tiktok = ScriptedTikTok()

    with pytest.raises(ValueError, match="1 to 70"):
        SegmentApi(tiktok.client()).create(name)

    assert not tiktok.requests


@pytest.mark.parametrize("action", list(MappingAction))
def test_every_identifier_goes_into_its_own_slot_and_a_missing_one_keeps_its_place(action: MappingAction) -> None:
    tiktok = ScriptedTikTok()

    request_id = SegmentApi(tiktok.client("1")).map(
        action, [PHONE, IDFA_MD5, EMAIL], [("", C[:32], A), (B, "", "")], "5"
    )

    assert request_id == "2026"
    assert [request.path for request in tiktok.requests] == ["segment/mapping/"]
    assert json.loads(json.dumps(tiktok.bodies)) == [
        {
            "advertiser_ids": ["1"],
            "action": str(action),
            "id_schema": ["PHONE_SHA256", "IDFA_MD5", "EMAIL_SHA256"],
            "batch_data": [
                [{}, {"id": C[:32], "audience_ids": ["5"]}, {"id": A, "audience_ids": ["5"]}],
                [{"id": B, "audience_ids": ["5"]}, {}, {}],
            ],
        }
    ]


def test_a_mapping_whose_answer_was_lost_is_repeated() -> None:
    tiktok = ScriptedTikTok(mapping=[MAYBE, {}])

    SegmentApi(tiktok.client()).map(ADD, [EMAIL], [(A,)], "5")

    assert tiktok.bodies[0] == tiktok.bodies[1]


@pytest.mark.parametrize(
    ("schema", "entries", "told"),
    [
        ([EMAIL], [(A,), (B, C)], "entry 2 has 2 identifiers for the 1 columns"),
        ([EMAIL, PHONE], [(A,)], "entry 1 has 1 identifiers for the 2 columns"),
        ([EMAIL, PHONE], [(A, B), ("", "")], "entry 2 has no identifier"),
        ([EMAIL, IDFA_MD5], [(A, B)], "entry 1 holds no IDFA_MD5"),
        ([EMAIL], [(A[:32],)], "entry 1 holds no EMAIL_SHA256"),
        ([EMAIL], [(A.upper(),)], "entry 1 holds no EMAIL_SHA256"),
        ([EMAIL], [(A + "\n",)], "entry 1 holds no EMAIL_SHA256"),
        ([EMAIL], [("x" * 64,)], "entry 1 holds no EMAIL_SHA256"),
        ([EMAIL], [("jane.doe@example.com",)], "entry 1 holds no EMAIL_SHA256"),
        ([EMAIL, EMAIL], [(A, B)], "each column once"),
        ([], [()], "each column once"),
        ([EMAIL], [], "1 to 1000 entries, not 0"),
        ([EMAIL], [(A,)] * 1001, "1 to 1000 entries, not 1001"),
    ],
)
def test_what_does_not_fit_is_never_sent_and_names_no_identifier(
    schema: list[IdSchema], entries: list[tuple[str, ...]], told: str
) -> None:
    tiktok = ScriptedTikTok()

    with pytest.raises(ValueError, match=told) as raised:
        SegmentApi(tiktok.client()).map(ADD, schema, entries, "5")

    assert not tiktok.requests
    assert not any(value[:10] in str(raised.value) for entry in entries for value in entry if value)


def test_a_body_that_is_too_large_is_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    tiktok = ScriptedTikTok()
    api = SegmentApi(tiktok.client())
    api.map(ADD, [EMAIL], [(A,)], "5")
    monkeypatch.setattr(segments, "MOST_BODY_BYTES", len(json.dumps(tiktok.bodies[0])))

    api.map(ADD, [EMAIL], [(A,)], "5")
    with pytest.raises(ValueError, match="bytes"):
        api.map(ADD, [EMAIL], [(A,)], "55")

    assert len(tiktok.requests) == 2


def test_the_largest_batch_there_is_fits_into_a_mapping() -> None:
    schema = list(IdSchema)
    entry = tuple("f" * (64 if slot.endswith("SHA256") else 32) for slot in schema)
    tiktok = ScriptedTikTok()
    api = SegmentApi(tiktok.client("9" * 20))

    api.map(ADD, schema, [entry] * 1000, "9" * 20)

    assert api.most_entries(schema) == 1000

    assert len(json.dumps(tiktok.bodies[0])) <= MOST_BODY_BYTES


@pytest.mark.parametrize("most_bytes", [2_000, 10_000, 100_000])
def test_smaller_bodies_take_fewer_entries(monkeypatch: pytest.MonkeyPatch, most_bytes: int) -> None:
    monkeypatch.setattr(segments, "MOST_BODY_BYTES", most_bytes)
    tiktok = ScriptedTikTok()
    api = SegmentApi(tiktok.client())
    most = api.most_entries([EMAIL, PHONE])

    api.map(ADD, [EMAIL, PHONE], [(A, B)] * most, "9" * 20)

    assert 1 <= most < 1000
    assert len(json.dumps(tiktok.bodies[0])) <= most_bytes
