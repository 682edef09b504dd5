"""Processes that run in the background, each the leader of a group of its own.

A group is ended as a whole, because the embedded AWS starts one process per function. What was started by an
earlier command is known by its process id and by the moment at which that process began: an id alone may have
been given to somebody else meanwhile.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

GRACE_SECONDS = 5.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class _Process:
    pid: int
    group: int
    is_zombie: bool
    began: str


@dataclass(frozen=True)
class BackgroundProcess:
    """A started group, as it can be written to a file and found again."""

    pid: int
    began: str

    def is_running(self) -> bool:
        return any(process.pid == self.pid and process.began == self.began for process in _living(_processes()))

    def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """End the group: politely first, then for certain. Does nothing when the id is somebody else's by now."""
        # A child of ours that has ended keeps its id until we reap it, and its group may still hold others.
        if not any(process.pid == self.pid and process.began == self.began for process in _processes()):
            return
        _signal_group(self.pid, signal.SIGTERM)
        if not self._await_end(grace_seconds):
            _signal_group(self.pid, signal.SIGKILL)
            self._await_end(grace_seconds)

    def _await_end(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while True:
            _reap(self.pid)
            if not any(process.group == self.pid for process in _living(_processes())):
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)


def is_alive(pid: int) -> bool:
    """Whether a process with this id does anything still. One that only waits to be reaped does not."""
    return any(process.pid == pid for process in _living(_processes()))


def start(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    log: Path,
    stdin: int = subprocess.DEVNULL,
    directory: Path | None = None,
) -> tuple[BackgroundProcess, subprocess.Popen[bytes]]:
    """Start a group that outlives us. With ``stdin=PIPE`` the program can notice our end and follow."""
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 - the commands are ours
            [str(word) for word in command],
            env=dict(environment),
            cwd=directory,
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    began = next((process.began for process in _processes() if process.pid == child.pid), "")
    return BackgroundProcess(child.pid, began), child


def end(process: BackgroundProcess | None, child: subprocess.Popen[bytes] | None) -> None:
    """Stop what `start` started, and reap it where it is our own child."""
    if process is not None:
        process.stop()
    if child is not None:
        if child.stdin is not None:
            child.stdin.close()
        child.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def _reap(pid: int) -> None:
    """Take notice of a child's end. Somebody else's child is reaped by its own parent."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _living(processes: Iterator[_Process]) -> Iterator[_Process]:
    return (process for process in processes if not process.is_zombie)


def _processes() -> Iterator[_Process]:
    return _from_proc() if Path("/proc/self/stat").exists() else _from_ps()


def _from_proc() -> Iterator[_Process]:
    # Beginnings are counted from the start of the system, so they are told apart across starts by its id.
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit():
            continue
        try:
            text = (directory / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # ended while we looked
        # The second field is the program's name in parentheses, which may itself hold blanks and parentheses.
        fields = text.rpartition(")")[2].split()
        yield _Process(int(directory.name), int(fields[2]), fields[0] in "ZX", f"{boot}:{fields[19]}")


def _from_ps() -> Iterator[_Process]:
    listing = subprocess.run(
        ["ps", "-axo", "pid=,pgid=,stat=,lstart="],  # noqa: S607 - where it lies differs between systems
        capture_output=True,
        text=True,
        check=True,
    )
    for line in listing.stdout.splitlines():
        pid, group, state, began = line.split(None, 3)
        yield _Process(int(pid), int(group), state.startswith("Z"), began.strip())
