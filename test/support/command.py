"""Runs the operator's command as he would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence


def run_cli(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """What ``python -m cli`` prints. Fails the test when the exit status is not 0."""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "cli", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
