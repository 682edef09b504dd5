"""What ``make local-up`` prints: its samples are what the connector takes."""

import json
import re
import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import main
from lambdas.contracts import Output
from lambdas.events.live.messages import parse_message
from lambdas.events.rows.check import EventChecker
from lambdas.events.rows.event import CheckedEvent
from lambdas.tiktok.models import EventSource
from local.cloud.deployment import ALWAYS
from local.cloud.instructions import instructions
from test.support.event_rows import any_rules


def printed(*outputs: Output, bus_source: str = "tiktok.events") -> str:
    return instructions([*ALWAYS, *outputs], bus_source=bus_source, env="./env", tiktok="http://127.0.0.1:1", log="log")


EVERYTHING = printed(Output.QUEUE_URL, Output.LIVE_EVENT_QUEUE_URL)


def part(pattern: str) -> str:
    """The lines that fit a pattern."""
    found = re.search(pattern, EVERYTHING, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[0]


def shell(script: str) -> str:
    return subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=True).stdout  # noqa: S603, S607


EVENT = part(r"^ *event='.*?}}'$")


def test_the_sample_of_a_file_would_be_accepted(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(shell(part(r"printf '%s\\n' event,.*?(?= > /tmp/events.csv)")), encoding="ascii")

    result = CliRunner().invoke(main, ["validate", str(path), "--source", "web", "--json"])

    events = json.loads(result.stdout)["events"]
    assert (events["read"], events["sent"], events["partial"]) == (1, 1, 0)


def test_the_sample_of_a_live_event_would_be_sent() -> None:
    event = parse_message(shell(f"""{EVENT}; printf %s "$event\""""))

    checker = EventChecker(any_rules(EventSource.OFFLINE), now=time.time())
    assert event.destination.source is EventSource.OFFLINE
    assert isinstance(checker.check(event.fields), CheckedEvent)


def test_the_sample_for_the_event_bus_is_the_same_event() -> None:
    (entry,) = json.loads(shell(f"""{EVENT}; printf %s {part(r'"[$][(]python3 .*?[)]"$')}"""))

    assert (entry["Source"], entry["DetailType"]) == ("tiktok.events", "TikTok Event")
    assert parse_message(entry["Detail"]).fields["event"] == "Purchase"


@pytest.mark.parametrize(
    ("outputs", "has_audiences", "has_events"),
    [((Output.QUEUE_URL,), True, False), ((Output.LIVE_EVENT_QUEUE_URL,), False, True), ((), False, False)],
)
def test_nothing_is_told_of_a_pipeline_that_is_switched_off(
    outputs: tuple[Output, ...], has_audiences: bool, has_events: bool
) -> None:
    text = printed(*outputs)

    assert ("/tiktok/" in text, "$LIVE_EVENT_QUEUE_URL" in text) == (has_audiences, has_events)
    assert "cli status" in text


def test_nothing_is_told_of_an_event_bus_that_no_events_come_from() -> None:
    assert "put-events" not in printed(Output.LIVE_EVENT_QUEUE_URL, bus_source="")
