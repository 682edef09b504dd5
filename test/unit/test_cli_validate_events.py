"""``validate --source``: a file of events, checked offline."""

import gzip
import json
import stat
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from lambdas.tiktok.models import EventSource
from test.support.event_rows import LEAST_ROWS, NOW, web_row

# The moment of the rows that are used here.
ARRIVAL = "2026-11-18T12:06:40+01:00"
PERSON = "jane.roe@example.com"


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["validate", *arguments], input=stdin)


def lines(*rows: dict[str, Any] | str) -> bytes:
    return "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows).encode()


def file_with(folder: Path, content: bytes, name: str = "orders.jsonl") -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def checked(path: str, *options: str, source: str = "web") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(run(path, "--source", source, "--now", ARRIVAL, "--json", *options).stdout)
    return document


def test_the_moment_of_the_tests_is_that_of_the_rows() -> None:
    assert datetime.fromisoformat(ARRIVAL).timestamp() == NOW


@pytest.mark.parametrize("source", EventSource)
def test_a_good_file_of_each_source_would_be_sent(source: EventSource, tmp_path: Path) -> None:
    path = file_with(tmp_path, lines(LEAST_ROWS[source], LEAST_ROWS[source]))

    result = run(path, "--source", source.value, "--now", ARRIVAL, "--json")

    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert (document["source"], document["accepted"], document["events"]["sent"]) == (source, True, 2)


def test_the_json_of_a_checked_file_has_exactly_this_shape(tmp_path: Path) -> None:
    rows = (
        web_row(consent="granted", event_time=int(NOW) * 1000, shelf="left"),
        web_row(consent="granted", currency="euros"),
        web_row(consent="denied"),
        web_row(consent="granted", phone="none of these"),
    )
    path = file_with(tmp_path, lines(*rows))

    assert checked(path) == {
        "file": path,
        "source": "web",
        "accepted": True,
        "reason": None,
        "detail": None,
        "events": {
            "read": 4,
            "sent": 2,
            "withheld": 0,
            "invalid": 1,
            "invalid_by_reason": {"bad_currency": {"count": 1, "lines": [2]}},
            "denied": 1,
            "suppressed": 0,
            "refused_by_tiktok": {"count": 0, "by_answer": {}},
            "partial": 1,
            "partial_by_reason": {"malformed_phone": {"count": 1, "lines": [4]}},
            "in_milliseconds": 1,
        },
        "ignored_columns": ["shelf"],
        "rejected": None,
    }


def test_people_see_counts_reasons_with_lines_and_ignored_columns(tmp_path: Path) -> None:
    granted = web_row(consent="granted")
    bad = [granted | {"value": "12,50"}] * 12
    good = [granted | {"shelf": 1}, granted | {"phone": "none of these"}]
    path = file_with(tmp_path, lines(*good, web_row(consent="denied"), *bad))

    result = run(path, "--source", "web", "--now", ARRIVAL)

    assert result.exit_code == 0
    assert f"{path} would be accepted as web events" in result.output
    shown = [line.split() for line in result.output.splitlines()]
    for expected in (
        "read 15",
        "to be sent 2",
        "invalid 12",
        "consent denied 1",
        "without a value 1",
        "bad_value 12 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 and others",
        "malformed_phone 1 2",
        "1 column passed over: shelf",
    ):
        assert expected.split() in shown


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("orders.xlsx", b"x", "bad_key"),
        ("orders.jsonl", b"", "no_events"),
        ("orders.csv", b"", "bad_header"),
        ("orders.csv", b"event,event_time\nPurchase,1\n", "missing_columns"),
        ("orders.csv.gz", b"x", "damaged_file"),
        ("orders.jsonl", b"nonsense\n", "no_valid_event"),
    ],
)
def test_a_file_that_would_be_refused_tells_the_reason(name: str, content: bytes, reason: str, tmp_path: Path) -> None:
    result = run(file_with(tmp_path, content, name), "--source", "web", "--json")

    assert (result.exit_code, json.loads(result.stdout)["reason"]) == (1, reason)
    assert f"would be refused ({reason}) as web events" in run(str(tmp_path / name), "--source", "web").output


def test_a_file_is_read_as_its_name_says(tmp_path: Path) -> None:
    path = file_with(tmp_path, gzip.compress(lines(web_row())), "orders.ndjson.gz")

    assert checked(path)["events"]["sent"] == 1


def test_standard_input_is_a_table() -> None:
    table = b"event;event_time;email\nPurchase;1794990000;jane.roe@example.com\n"

    result = run("-", "--source", "offline", "--now", ARRIVAL, "--json", stdin=table)

    assert json.loads(result.stdout)["events"]["sent"] == 1


def test_the_settings_of_the_event_source_are_followed(tmp_path: Path) -> None:
    settings = {
        "mapping": {"columns": {"what": "event", "tel": "phone"}, "events": {"sold": "Purchase"}},
        "default_country": "gb",
        "on_invalid_row": "refuse",
    }
    beside = file_with(tmp_path, json.dumps(settings).encode(), "source.json")
    row = {"what": "sold", "event_time": NOW, "tel": "020 7183 8750"}
    good, bad = (file_with(tmp_path, lines(row, *more), f"{len(more)}.jsonl") for more in ((), ("nonsense",)))

    assert checked(good, "--settings", beside, source="offline")["events"]["sent"] == 1
    document = checked(bad, "--settings", beside, source="offline")
    assert (document["reason"], document["events"]["withheld"]) == ("invalid_events", 1)


def test_settings_that_are_wrong_refuse_the_file_as_they_would(tmp_path: Path) -> None:
    path = file_with(tmp_path, lines(web_row()))
    beside = file_with(tmp_path, b'{"on_invalid_rows": "skip", "test_event_code": 7}', "source.json")

    result = run(path, "--source", "web", "--settings", beside)

    assert result.exit_code == 1
    assert "would be refused (bad_source_settings)" in result.output
    assert "(is it 'on_invalid_row'?)" in result.output
    assert "test_event_code has to be" in result.output


@pytest.mark.parametrize("option", ["--country", "--default-country"])
def test_a_national_number_needs_a_country(option: str, tmp_path: Path) -> None:
    row = {"event": "Purchase", "event_time": NOW, "phone": "01 5137 0000"}
    path = file_with(tmp_path, lines(row))

    assert checked(path, source="offline")["events"]["invalid_by_reason"].keys() == {"no_identifier"}
    assert checked(path, option, "at", source="offline")["events"]["sent"] == 1


@pytest.mark.parametrize(("days_ago", "options", "sent"), [(27, (), 1), (29, (), 0), (29, ("--max-age-days", "30"), 1)])
def test_an_event_may_be_as_old_as_the_deployment_allows(
    days_ago: int, options: tuple[str, ...], sent: int, tmp_path: Path
) -> None:
    path = file_with(tmp_path, lines(web_row(event_time=NOW - days_ago * 86_400)))

    assert checked(path, *options)["events"]["sent"] == sent


def test_the_present_is_now_unless_told_otherwise(tmp_path: Path) -> None:
    path = file_with(tmp_path, lines(web_row(event_time="2001-01-01T00:00:00Z")))

    result = run(path, "--source", "web", "--json")

    assert json.loads(result.stdout)["events"]["invalid_by_reason"].keys() == {"too_old"}


def test_a_file_that_tells_of_consent_has_to_tell_it_of_everybody(tmp_path: Path) -> None:
    rejected = tmp_path / "rejected.jsonl"
    path = file_with(tmp_path, lines(web_row(), web_row(consent="granted"), web_row(currency="euros"), "{"))

    document = checked(path, "--rejected", str(rejected))

    assert document["events"]["sent"] == 1
    found = [json.loads(line) for line in rejected.read_bytes().splitlines()]
    assert [(line["line"], line["reason"]) for line in found] == [
        (1, "bad_consent"),
        (3, "bad_consent"),
        (4, "not_json"),
    ]


def test_rejected_events_are_written_as_they_would_be_written_back(tmp_path: Path) -> None:
    path = file_with(tmp_path, lines(web_row(), web_row(currency="euros", email=PERSON), "{"))
    rejected = tmp_path / "rejected.jsonl"

    result = run(path, "--source", "web", "--now", ARRIVAL, "--rejected", str(rejected))

    assert f"2 events written to {rejected}" in result.output
    found = [json.loads(line) for line in rejected.read_bytes().splitlines()]
    assert [(line["line"], line["reason"]) for line in found] == [(2, "bad_currency"), (3, "not_json")]
    assert json.loads(found[0]["row"])["email"] == PERSON
    assert stat.S_IMODE(rejected.stat().st_mode) == 0o600


def test_what_an_earlier_check_has_written_does_not_stay(tmp_path: Path) -> None:
    rejected = file_with(tmp_path, b"of an earlier check", "rejected.jsonl")
    good = file_with(tmp_path, lines(web_row()))
    damaged = file_with(tmp_path, gzip.compress(lines("{", web_row()))[:-8], "damaged.jsonl.gz")

    for path in (good, damaged):
        run(path, "--source", "web", "--now", ARRIVAL, "--rejected", rejected)
        assert Path(rejected).read_bytes() == b""


def test_nothing_that_is_read_is_overwritten(tmp_path: Path) -> None:
    content, settings = lines(web_row(), "{"), b"{}"
    path, beside = file_with(tmp_path, content), file_with(tmp_path, settings, "source.json")

    for rejected in (path, beside):
        result = run(path, "--source", "web", "--settings", beside, "--rejected", rejected)
        assert result.exit_code == 2
    assert (Path(path).read_bytes(), Path(beside).read_bytes()) == (content, settings)


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    path = file_with(tmp_path, lines(web_row()))

    result = run(path, "--source", "web", "--rejected", str(tmp_path / "missing" / "rejected.jsonl"))

    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "No such file or directory" in result.output


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--source", "shop"),
        ("--source", "web", "--format", "email_sha256"),
        ("--source", "web", "--allow-raw-identifiers"),
        ("--source", "web", "--max-invalid-ratio", "0.01"),
        ("--source", "web", "--now", "2026-11-18T12:06:40"),
        ("--source", "web", "--now", "yesterday"),
        ("--source", "web", "--max-age-days", "0"),
        ("--source", "web", "--settings", "/no/such/source.json"),
        ("--source", "web", "--country", "XX"),
        ("--format", "email_sha256", "--now", "2026-11-18T12:06:40Z"),
        ("--format", "email_sha256", "--rejected", "rejected.jsonl"),
        ("--format", "email_sha256", "--max-age-days", "28"),
    ],
    ids=" ".join,
)
def test_options_that_do_not_fit_are_usage_errors(options: tuple[str, ...], tmp_path: Path) -> None:
    assert run(file_with(tmp_path, lines(web_row())), *options).exit_code == 2


def test_no_content_of_a_row_is_ever_shown(tmp_path: Path) -> None:
    rows = lines(web_row(email=PERSON, value=f"{PERSON} paid"), "nonsense-row", web_row(event=PERSON, phone=PERSON))
    table = f"event,event_time,page_url,{PERSON}\nPurchase,1794990000,https://shop.example,{PERSON}\n".encode()

    for content, name in ((rows, "a.jsonl"), (table, "b.csv")):
        path = file_with(tmp_path, content, name)
        for options in ((), ("--json",)):
            output = run(path, "--source", "web", "--now", ARRIVAL, *options).output
            assert PERSON not in output
            assert "nonsense-row" not in output
