"""Files of events, taken apart into rows: their lines, headers, delimiters, quotes, numbers."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.events.rows.file_rows import Row, expect_columns, read_rows
from lambdas.events.rows.reasons import EventReason
from lambdas.files.blocks import HEAD_BYTES, LONGEST_LINE
from lambdas.files.file_types import FileType, parse_file_type
from lambdas.tiktok.errors import InvalidInput
from lambdas.tiktok.models import EventSource
from test.support.event_rows import CASES, LEAST_ROWS, any_rules, check

CSV, TSV, JSON_LINES = (parse_file_type(name) for name in ("a.csv", "a.tsv", "a.jsonl"))
APP, OFFLINE = EventSource.APP, EventSource.OFFLINE


def read(content: str | bytes, file_type: FileType = CSV, **options: Any) -> list[Row]:
    data = content.encode() if isinstance(content, str) else content
    return list(read_rows([data], file_type, **options))


def outcomes(rows: Sequence[Row]) -> list[tuple[int, dict[str, Any] | str | None]]:
    return [(row.line, row.reason if row.fields is None else row.fields) for row in rows]


def refusal(content: str | bytes, file_type: FileType = CSV, **options: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read(content, file_type, **options)
    return caught.value


def test_a_line_is_a_row_with_its_number_and_its_bytes() -> None:
    rows = read("event,value\nPurchase,1\nLead,2")

    assert rows == [
        Row(2, b"Purchase,1", {"event": "Purchase", "value": "1"}, None),
        Row(3, b"Lead,2", {"event": "Lead", "value": "2"}, None),
    ]


@pytest.mark.parametrize("delimiter", ",;\t|")
def test_the_header_tells_the_delimiter(delimiter: str) -> None:
    assert outcomes(read(f"event{delimiter}my own\nLead{delimiter}a")) == [(2, {"event": "Lead", "my own": "a"})]


def test_of_several_delimiters_the_one_that_shows_most_of_our_names_is_taken() -> None:
    assert read("event;value, or price, or sum\nLead;1,2")[0].fields == {
        "event": "Lead",
        "value, or price, or sum": "1,2",
    }


def test_tabs_alone_separate_where_the_name_of_the_file_says_so() -> None:
    assert read("event\ta,b,c\nLead\t1", TSV)[0].fields == {"event": "Lead", "a,b,c": "1"}


def test_a_column_may_stand_alone() -> None:
    assert outcomes(read("event\nLead")) == [(2, {"event": "Lead"})]


def test_names_are_cleaned_and_columns_without_one_are_passed_over() -> None:
    rows = read(b"\xef\xbb\xbf\"event\", 'value' ,,\r\nLead,1,2,3\r\n")

    assert rows == [Row(2, b"Lead,1,2,3", {"event": "Lead", "value": "1"}, None)]


def test_blank_lines_are_counted_and_skipped() -> None:
    assert outcomes(read("\n \nevent,value\n\n,\n \t\r\nLead,1\n\n")) == [(7, {"event": "Lead", "value": "1"})]
    assert outcomes(read('\n\n{"a": 1}\n \n', JSON_LINES)) == [(3, {"a": 1})]


def test_fields_may_be_quoted() -> None:
    contents = json.dumps([{"content_id": "a"}]).replace('"', '""')

    assert read(f'event,contents,b\nLead,"{contents}","x, ""y"""')[0].fields == {
        "event": "Lead",
        "contents": '[{"content_id": "a"}]',
        "b": 'x, "y"',
    }


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"Lead,\xff", EventReason.NOT_UTF8),
        (b"Lead", EventReason.WRONG_FIELD_COUNT),
        (b"Lead,1,2", EventReason.WRONG_FIELD_COUNT),
        (b'"Lead,1', EventReason.BAD_QUOTES),
        (b'"Lead"x,1', EventReason.BAD_QUOTES),
        (b"Lead," + b"1" * LONGEST_LINE, EventReason.TOO_LONG),
    ],
)
def test_a_bad_line_of_fields_costs_itself_alone(line: bytes, reason: EventReason) -> None:
    rows = read(b"event,value\nLead,1\n" + line + b"\r\nLead,2\n")

    assert outcomes(rows) == [
        (2, {"event": "Lead", "value": "1"}),
        (3, reason),
        (4, {"event": "Lead", "value": "2"}),
    ]
    assert rows[1].raw == line[:LONGEST_LINE]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": "\xff"}', EventReason.NOT_UTF8),
        (b'{"a": 1', EventReason.NOT_JSON),
        (b'{"a": 1} {"a": 2}', EventReason.NOT_JSON),
        (b"[" * 50_000, EventReason.NOT_JSON),
        (b'{"a": ' + b"9" * 5_000 + b"}", EventReason.NOT_JSON),
        (b'[{"a": 1}]', EventReason.NOT_AN_OBJECT),
        (b'"a"', EventReason.NOT_AN_OBJECT),
        (b"null", EventReason.NOT_AN_OBJECT),
        (b'{"a": 1, "a": 1}', EventReason.REPEATED_KEY),
        (b'{"a": {"b": 1, "b": 2}}', EventReason.REPEATED_KEY),
        (b'{"a": "' + b"1" * LONGEST_LINE + b'"}', EventReason.TOO_LONG),
    ],
)
def test_a_bad_line_of_json_costs_itself_alone(line: bytes, reason: EventReason) -> None:
    rows = read(b'\xef\xbb\xbf{"a": 1}\n' + line + b'\n{"a": [null]}', JSON_LINES)

    assert outcomes(rows) == [(1, {"a": 1}), (2, reason), (3, {"a": [None]})]
    assert rows[1].raw == line[:LONGEST_LINE]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n \n",
        b"event,event\nLead,1",
        b"event, event\nLead,1",
        b'"event,value\n',
        "event,v\u00e9\n".encode("latin-1"),
        "event,value\n".encode("utf-16"),
        "event,value\n".encode("utf-16-le"),
        b"event," + b"x" * HEAD_BYTES + b"\nLead,1",
        b"\n" * (HEAD_BYTES - 3) + b"event,value\nLead,1",
    ],
    ids=range(10),
)
def test_a_file_without_a_good_header_is_refused(content: bytes) -> None:
    assert refusal(content).reason == "bad_header"


def test_a_refusal_does_not_repeat_the_header() -> None:
    assert "jane" not in str(refusal("jane@example.com,1,jane@example.com"))


def test_the_caller_is_asked_about_the_header() -> None:
    asked: list[Sequence[str]] = []

    assert read("event,,my own\n", expect=asked.append) == []
    assert asked == [["event", "my own"]]
    error = refusal("value\n1", expect=lambda names: expect_columns(any_rules(), names))
    assert error.reason == "missing_columns"


def test_compressed_files_are_read_and_told_from_plain_ones() -> None:
    packed = gzip.compress(b"event,value\nLead,1\n")

    assert outcomes(read(packed, parse_file_type("a.csv.gz"))) == [(2, {"event": "Lead", "value": "1"})]
    assert refusal(packed).reason == "damaged_file"
    assert refusal(packed[:-9], parse_file_type("a.csv.gz")).reason == "damaged_file"
    assert refusal(packed, parse_file_type("a.csv.gz"), most_bytes=10).reason == "file_too_large"


def test_a_header_has_to_name_what_the_source_needs() -> None:
    for source in EventSource:
        expect_columns(any_rules(source), list(LEAST_ROWS[source]))
    expect_columns(any_rules(columns={"when": "event_time"}), ["Event", "WHEN", "Page URL"])
    with pytest.raises(InvalidInput, match="event_time, app_id") as caught:
        expect_columns(any_rules(APP), ["event", "gaid"])
    assert caught.value.reason == "missing_columns"


def test_a_header_names_each_field_once() -> None:
    with pytest.raises(InvalidInput, match="2 columns of the header mean email") as caught:
        expect_columns(any_rules(OFFLINE), ["event", "event_time", "email", "mail"])

    assert caught.value.reason == "bad_header"


FIELDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), min_size=1)


@given(
    st.lists(st.tuples(FIELDS, FIELDS), max_size=20),
    st.integers(min_value=1, max_value=7),
    st.integers(min_value=0, max_value=25),
    st.sampled_from([CSV, JSON_LINES]),
)
def test_rows_are_the_same_however_the_bytes_come_and_wherever_reading_begins(
    values: list[tuple[str, str]], chunk_bytes: int, after_line: int, file_type: FileType
) -> None:
    if file_type is CSV:
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows([("event", "value"), *values])
        data, header_lines = text.getvalue().encode(), 1
    else:
        data = b"".join(json.dumps({"event": a, "value": b}).encode() + b"\n" for a, b in values)
        header_lines = 0
    chunks = [data[start : start + chunk_bytes] for start in range(0, len(data), chunk_bytes)]

    rows = list(read_rows(chunks, file_type, after_line=after_line))

    expected = [
        (number, {"event": a, "value": b})
        for number, (a, b) in enumerate(values, 1 + header_lines)
        if number > after_line
    ]
    assert outcomes(rows) == expected
    assert b"".join(row.raw + b"\n" for row in rows) == b"".join(
        line + b"\n" for line in data.replace(b"\r\n", b"\n").split(b"\n")[max(header_lines, after_line) : -1]
    )


@given(st.binary(), st.sampled_from([CSV, TSV, JSON_LINES]))
def test_any_bytes_give_rows_or_a_refusal(content: bytes, file_type: FileType) -> None:
    try:
        rows = list(read_rows([content], file_type))
    except InvalidInput:
        return
    assert all((row.fields is None) != (row.reason is None) for row in rows)


@pytest.mark.parametrize("source", EventSource)
def test_csv_and_json_lines_of_one_event_give_the_same_payload(source: EventSource) -> None:
    row = {name: CASES[name] for name in LEAST_ROWS[source]} | {name: CASES[name] for name in ("contents", "city")}
    text = io.StringIO()
    csv.writer(text).writerows([row, [case.csv for case in row.values()]])
    line = json.dumps({name: case.given for name, case in row.items()})

    (from_csv,), (from_json,) = read(text.getvalue()), read(line, JSON_LINES)

    assert from_csv.fields is not None
    assert from_json.fields is not None
    assert check(source, from_csv.fields).payload == check(source, from_json.fields).payload
