"""``validate --source`` beside the function, which is given the same file."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import main
from test.support.events import SOURCE_IDS, EventsPipeline, any_fields, json_lines

ARRIVAL = "2027-01-15T08:00:00Z"  # of the tests' clock
RULES = {"default_country": "AT", "mapping": {"events": {"gone": "Purchase"}}}
GRANTED = {"consent": "granted"}
DIRTY = {
    "gaps in consent": json_lines(any_fields("offline", 1), any_fields("offline", 2, **GRANTED), "{"),
    "some bad": json_lines(
        any_fields("offline", 1, **GRANTED),
        any_fields("offline", 2, **GRANTED, currency="euros"),
        "{",
        any_fields("offline", 3, consent="denied"),
        any_fields("offline", 4, **GRANTED, phone="none of these"),
        any_fields("offline", 5, **GRANTED, event="gone", phone="01 5137 0000", email=None),
        any_fields("offline", 6, **GRANTED, event_time=1_799_990_000_000, shelf="left"),
    ),
    "all bad": json_lines("{", any_fields("offline", 1, event="Unheard")),
    "nothing": b"\n",
    "all good": json_lines(any_fields("offline", 1)),
    "UTF-16": "event".encode("utf-16"),
}


@pytest.mark.parametrize("on_invalid_row", ["skip", "refuse"])
@pytest.mark.parametrize("content", DIRTY.values(), ids=DIRTY.keys())
def test_the_command_says_what_the_receipt_says(
    events: EventsPipeline, content: bytes, on_invalid_row: str, tmp_path: Path
) -> None:
    settings = {**RULES, "on_invalid_row": on_invalid_row}
    events.put_source_settings("offline", SOURCE_IDS["offline"], **settings)
    version = events.upload(f"events/offline/{SOURCE_IDS['offline']}/events.jsonl", content)
    events.run()
    receipt = events.receipt(version)
    assert receipt is not None

    file, beside, rejected = (tmp_path / name for name in ("events.jsonl", "source.json", "rejected.jsonl"))
    file.write_bytes(content)
    beside.write_text(json.dumps(settings), encoding="utf-8")
    options = ["--source", "offline", "--settings", str(beside), "--now", ARRIVAL, "--rejected", str(rejected)]
    result = CliRunner().invoke(main, ["validate", str(file), *options, "--json"])

    document = json.loads(result.stdout)
    for name in ("reason", "events", "ignored_columns"):
        assert document[name] == receipt[name]
    assert document["accepted"] is (receipt["status"] == "delivered") is (result.exit_code == 0)
    written = [json.loads(line) for line in rejected.read_bytes().splitlines()]
    assert written == (events.rejected(version) or [])
