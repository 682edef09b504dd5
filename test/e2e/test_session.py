"""What `make local-up` and `make local-down` do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from local.cloud import session

# What the README's commands and other people's scripts rely on.
KEYS = (
    *("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"),
    *("BUCKET", "QUEUE_URL", "DLQ_URL", "SECRET_ID", "LEDGER_TABLE", "TIKTOK_URL"),
    *("EVENT_QUEUE_URL", "EVENT_DLQ_URL", "LIVE_EVENT_QUEUE_URL", "LIVE_EVENT_DLQ_URL"),
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not where a connector that somebody plays with is known."""
    for name in ("STATE_FILE", "ENVIRONMENT_FILE", "LOCK_FILE"):
        monkeypatch.setattr(session, name, tmp_path / name)


# It is started to outlive the process that started it.
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_up_and_down_can_be_repeated_and_down_stops_exactly_what_up_started() -> None:
    assert not session.down(), "nothing runs yet"
    connector, is_new = session.up()
    try:
        assert is_new
        again, is_new_again = session.up()
        assert not is_new_again
        assert again.to_state() == connector.to_state()

        script = f"set -eu; . '{session.ENVIRONMENT_FILE}'; printf '%s\\n' " + " ".join(f'"${key}"' for key in KEYS)
        told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)  # noqa: S603, S607
        values = dict(zip(KEYS, told.stdout.splitlines(), strict=True))
        assert values == {key: connector.environment()[key] for key in KEYS}
        assert connector.is_healthy()
    finally:
        was_running = session.down()
    assert was_running
    assert not connector.is_healthy()
    assert not session.ENVIRONMENT_FILE.exists()
    assert not session.down()
