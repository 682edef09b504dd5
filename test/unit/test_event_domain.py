import pytest

from lambdas.events.delivery import Delivery, Progress, State
from lambdas.events.domain import Destination, is_settings_key, parse_key, parse_object, rejected_key
from lambdas.events.file_check import FileCheck
from lambdas.events.rows.check import EventRules
from lambdas.events.rows.file_rows import LARGEST_FILE
from lambdas.events.source_settings import SourceSettings
from lambdas.files.documents import OnInvalidRow
from lambdas.files.file_types import Compression, FileType, Layout
from lambdas.files.tally import Tally
from lambdas.objects import ObjectVersion
from lambdas.tiktok.errors import InvalidInput
from lambdas.tiktok.models import EventSource

PIXEL = "C4ABCDEFGHIJKLMNOPQR"


@pytest.mark.parametrize(
    ("key", "destination", "id_"),
    [
        (f"events/web/{PIXEL}/a.csv", Destination(EventSource.WEB, PIXEL), PIXEL),
        ("events/web/Our shop/a.csv", Destination(EventSource.WEB, "Our shop"), None),
        (f"events/web/{PIXEL.lower()}/a.csv", Destination(EventSource.WEB, PIXEL.lower()), None),
        (
            "events/app/7000000000000000101/a.csv",
            Destination(EventSource.APP, "7000000000000000101"),
            "7000000000000000101",
        ),
        ("events/offline/Läden 2026/a.csv", Destination(EventSource.OFFLINE, "Läden 2026"), None),
        ("events/offline/2026/a.csv", Destination(EventSource.OFFLINE, "2026"), None),
        (
            "events/offline/7000000000000000201/2026/11/21/a.csv",
            Destination(EventSource.OFFLINE, "7000000000000000201"),
            "7000000000000000201",
        ),
        (
            "events/crm/7000000000000000301/a.csv",
            Destination(EventSource.CRM, "7000000000000000301"),
            "7000000000000000301",
        ),
    ],
)
def test_a_key_names_the_event_source_by_its_id_or_a_name(key: str, destination: Destination, id_: str | None) -> None:
    assert parse_key(key).destination == destination
    assert destination.id == id_


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("a.csv", FileType()),
        ("a.JSONL", FileType(Layout.JSON_LINES)),
        ("a.ndjson.gz", FileType(Layout.JSON_LINES, Compression.GZIP)),
        ("a.b.csv.gz", FileType(Layout.LINES_OR_DELIMITED, Compression.GZIP)),
    ],
)
def test_the_end_of_the_name_tells_how_a_file_is_read(file: str, expected: FileType) -> None:
    assert parse_key(f"events/web/{PIXEL}/{file}").file_type == expected


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (f"events/web/{PIXEL}", "bad_key"),
        (f"events/web/{PIXEL}/", "bad_key"),
        (f"events//{PIXEL}/a.csv", "bad_key"),
        (f"events/web/{PIXEL}//a.csv", "bad_key"),
        (f"events/web/{PIXEL}/a", "bad_key"),
        (f"event/web/{PIXEL}/a.csv", "bad_key"),
        (f"events/web/{PIXEL}/\ud800.csv", "bad_key"),
        (f"events/Web/{PIXEL}/a.csv", "bad_event_source"),
        (f"events/web/{'x' * 129}/a.csv", "bad_event_source"),
        ("events/web/a\tb/a.csv", "bad_event_source"),
        ("events/web/ /a.csv", "bad_event_source"),
        ("events/app/com.example.app/a.csv", "bad_event_source"),
        ("events/crm/Leads/a.csv", "bad_event_source"),
    ],
)
def test_any_other_key_is_refused(key: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_key(key)

    assert raised.value.reason == reason


def test_a_file_that_no_function_could_check_in_its_time_is_refused() -> None:
    key = f"events/web/{PIXEL}/a.csv"
    assert parse_object(ObjectVersion("b", key, "1", LARGEST_FILE, ""))

    with pytest.raises(InvalidInput) as raised:
        parse_object(ObjectVersion("b", key, "1", LARGEST_FILE + 1, ""))

    assert raised.value.reason == "file_too_large"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (f"events/web/{PIXEL}/source.json", True),
        (f"events/web/{PIXEL}/more/source.json", False),
        ("events/web//source.json", False),
        ("events/web/source.json", False),
        (f"tiktok/web/{PIXEL}/source.json", False),
    ],
)
def test_settings_lie_beside_the_files(key: str, expected: bool) -> None:
    assert is_settings_key(key) is expected


def test_the_ledger_remembers_all_of_a_delivery() -> None:
    delivery = Delivery(
        state=State.CHECKED,
        attempts=2,
        started_at="2026-11-21T12:00:00Z",
        checked_at=1.5,
        settings=SourceSettings({"a": "email"}, {"b": "Purchase"}, OnInvalidRow.REFUSE, True, "TEST1", "GB", "them"),
        rules=EventRules(EventSource.WEB, 28, "GB", {"a": "email"}, {"b": "Purchase"}, True),
        check=FileCheck(Tally(read=3, valid=2, invalid={"x": 1}, invalid_lines={"x": [2]}), 1, 2, ["y"]),
        advertiser_id="7",
        source_id=PIXEL,
        has_begun=True,
        has_written_back=True,
        progress=Progress(3, (5, 7), 1, 1, {"code 40002: no": (1, 2)}, "2026"),
        last_error="z",
    )

    assert Delivery.from_document(delivery.to_document()) == delivery
    assert Delivery.from_document({}) == Delivery()
    assert Delivery.from_document(Delivery().to_document()) == Delivery()


def test_a_key_that_leaves_no_room_for_its_receipt_or_its_rejected_events_is_refused() -> None:
    fits = ObjectVersion("b", f"events/web/x/{'a' * 950}.csv", "v" * 32, 1, "")
    assert rejected_key(ObjectVersion("b", "events/web/x/a.csv", "v1", 1, "")) == "rejected/events/web/x/a.csv/v1.jsonl"
    assert parse_object(fits)

    with pytest.raises(InvalidInput) as raised:
        parse_object(ObjectVersion("b", f"events/web/x/{'a' * 970}.csv", "v" * 32, 1, ""))

    assert raised.value.reason == "bad_key"
