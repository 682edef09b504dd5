"""The two servers that a delivery needs, each in a process of its own: S3's stand-in, and TikTok's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from local.emulator.credentials import DEFAULT_ACCESS_TOKEN, DEFAULT_ADVERTISER_ID


@dataclass(frozen=True)
class Servers:
    """Where they listen, and what the emulator is told."""

    object_url: str
    tiktok_url: str
    token: str = DEFAULT_ACCESS_TOKEN
    advertiser_id: str = DEFAULT_ADVERTISER_ID

    def forget_everything(self) -> None:
        """Make the emulator as new: sets of many millions of members would slow down whatever comes next."""
        requests.post(f"{self.tiktok_url}/_control/reset", timeout=60).raise_for_status()


@contextmanager
def servers(file: Path) -> Iterator[Servers]:
    """S3's stand-in with the one file, and the emulated TikTok, as long as they are needed."""
    s3, tiktok = _process("bench.sides.object_server", str(file)), _process("local.emulator", "--port", "0")
    with s3 as object_url, tiktok as tiktok_url:
        yield Servers(object_url, tiktok_url)


@contextmanager
def event_servers(file: Path) -> Iterator[tuple[str, str]]:
    """The addresses of S3's stand-in and of a TikTok that takes all events and keeps none: the emulator keeps them."""
    s3, tiktok = _process("bench.sides.object_server", str(file)), _process("bench.sides.event_server")
    with s3 as object_url, tiktok as tiktok_url:
        yield object_url, tiktok_url


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[str]:
    """Run a module that prints its address first; yields that."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait()
