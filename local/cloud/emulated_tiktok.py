"""The TikTok emulator as a process beside the embedded AWS."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from local.cloud import processes
from local.cloud.embedded_aws import HOST, ROOT, free_port

START_TIMEOUT_SECONDS = 30.0
START_ATTEMPTS = 3

# Ends with whoever started it, however that ends: our side of the pipe closes even when we are killed.
_FOLLOWING = """
import os, runpy, sys, threading
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
runpy.run_module("local.emulator", run_name="__main__", alter_sys=True)
"""


class EmulatorError(Exception):
    """The TikTok emulator did not start."""


@dataclass
class EmulatedTikTok:
    """`detached` outlives the process that started it; a later command that knows its state can stop it."""

    log: Path
    detached: bool = False
    port: int = 0
    process: processes.BackgroundProcess | None = None
    _child: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        for _ in range(START_ATTEMPTS):
            self.port = free_port()
            program = ["-m", "local.emulator"] if self.detached else ["-c", _FOLLOWING]
            self.process, self._child = processes.start(
                [sys.executable, *program, "--port", str(self.port)],
                environment=_environment(),
                log=self.log,
                stdin=subprocess.DEVNULL if self.detached else subprocess.PIPE,
                directory=ROOT,
            )
            if self._is_ready_in_time(self._child):
                return self
            self.stop()
        tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise EmulatorError(f"the TikTok emulator did not start:\n{tail}")

    def _is_ready_in_time(self, child: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while child.poll() is None and time.monotonic() < deadline:
            if self.is_healthy():
                # Somebody else's emulator may answer on a port that ours failed to get.
                return child.poll() is None
            time.sleep(processes.POLL_SECONDS)
        return False

    def is_healthy(self) -> bool:
        # Never through a proxy that the user's environment names.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.url}/_control/audiences", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def is_running(self) -> bool:
        return self.process is not None and self.process.is_running()

    def stop(self) -> None:
        processes.end(self.process, self._child)
        self.process = self._child = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def to_state(self) -> dict[str, Any]:
        assert self.process is not None
        return {"log": str(self.log), "port": self.port, "pid": self.process.pid, "began": self.process.began}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        process = processes.BackgroundProcess(state["pid"], state["began"])
        return cls(log=Path(state["log"]), detached=True, port=state["port"], process=process)


def _environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "TMPDIR", "LANG")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"PYTHONUNBUFFERED": "1"}
