"""A deployed connector on this machine: the embedded AWS, the TikTok emulator and the stack.

`LocalConnector` is the thing itself, for the demo and the end-to-end tests. `up` and `down` keep one running between
commands, known by a state file.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lambdas.contracts import ACCESS_TOKEN_KEY, ADVERTISER_ID_KEY, Output
from local.cloud import deployment
from local.cloud.embedded_aws import LOCAL, EmbeddedAws
from local.cloud.emulated_tiktok import EmulatedTikTok
from local.emulator.credentials import DEFAULT_ACCESS_TOKEN, DEFAULT_ADVERTISER_ID

STATE_FILE = LOCAL / "session.json"
ENVIRONMENT_FILE = LOCAL / "env"
LOCK_FILE = LOCAL / "session.lock"

# What .local/env calls the outputs of the stack, unless their pipeline is switched off.
OUTPUT_NAMES = {
    "BUCKET": Output.BUCKET,
    "QUEUE_URL": Output.QUEUE_URL,
    "DLQ_URL": Output.DEAD_LETTER_QUEUE_URL,
    "EVENT_QUEUE_URL": Output.EVENT_QUEUE_URL,
    "EVENT_DLQ_URL": Output.EVENT_DEAD_LETTER_QUEUE_URL,
    "LIVE_EVENT_QUEUE_URL": Output.LIVE_EVENT_QUEUE_URL,
    "LIVE_EVENT_DLQ_URL": Output.LIVE_EVENT_DEAD_LETTER_QUEUE_URL,
    "SECRET_ID": Output.SECRET_ID,
    "LEDGER_TABLE": Output.LEDGER_TABLE,
}

OnStep = Callable[[str], None]


def _silently(_text: str) -> None:
    return


@dataclass
class LocalConnector:
    """``with LocalConnector() as connector: connector.client("s3")``.

    `context` overrides answers of cdk.context.json; `on_step` hears what begins, `on_line` what the CDK CLI says.
    `on_change` hears when there is more to stop than before, so that a detached one can be found again.
    """

    detached: bool = False
    context: Mapping[str, str] = field(default_factory=dict)
    on_step: OnStep = _silently
    on_line: deployment.OnLine | None = None
    on_change: Callable[[LocalConnector], None] = lambda _connector: None
    aws: EmbeddedAws = field(default_factory=EmbeddedAws)
    emulator: EmulatedTikTok | None = None
    outputs: dict[Output, str] = field(default_factory=dict)

    def start(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self) -> None:
        self.on_step("starting the embedded AWS")
        self.aws = EmbeddedAws(detached=self.detached).start()
        self.on_change(self)
        self.on_step("starting the TikTok emulator")
        self.emulator = EmulatedTikTok(self.aws.directory / "emulator.log", self.detached).start()
        self.on_change(self)
        self.on_step("synthesizing the stack")
        deployment.synthesize(self.assembly, context=self.context, on_line=self.on_line)
        self.on_step("bootstrapping the account")
        deployment.bootstrap(self.aws, on_line=self.on_line)
        self.on_step("deploying the stack")
        self.outputs = deployment.deploy(
            self.aws, self.assembly, tiktok_api_url=self.emulator_url, on_line=self.on_line
        )
        self.on_change(self)

    def stop(self) -> None:
        """Stop what this connector started, and nothing else."""
        if self.emulator is not None:
            self.emulator.stop()
        self.aws.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def put_credentials(
        self, access_token: str = DEFAULT_ACCESS_TOKEN, advertiser_id: str = DEFAULT_ADVERTISER_ID
    ) -> None:
        """Fill the secret, as an operator does after the first deployment."""
        value = json.dumps({ACCESS_TOKEN_KEY: access_token, ADVERTISER_ID_KEY: advertiser_id})
        self.client("secretsmanager").put_secret_value(SecretId=self.outputs[Output.SECRET_ID], SecretString=value)

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    @property
    def assembly(self) -> Path:
        return self.aws.temporary / "cdk.out"

    @property
    def template_sha256(self) -> str:
        return hashlib.sha256(deployment.template_path(self.assembly).read_bytes()).hexdigest()

    @property
    def emulator_url(self) -> str:
        assert self.emulator is not None
        return self.emulator.url

    def environment(self) -> dict[str, str]:
        """What .local/env holds: enough for the AWS CLI, boto3 and the operator's command."""
        return (
            self.aws.environment()
            | {name: self.outputs[output] for name, output in OUTPUT_NAMES.items() if output in self.outputs}
            | {"TIKTOK_URL": self.emulator_url}
        )

    def is_healthy(self) -> bool:
        if not self.outputs or self.emulator is None:
            return False
        alive = self.aws.is_running() and self.emulator.is_running()
        return alive and self.aws.is_healthy() and self.emulator.is_healthy()

    def to_state(self) -> dict[str, Any]:
        return {
            "aws": self.aws.to_state(),
            "emulator": self.emulator.to_state() if self.emulator else None,
            "outputs": {output.value: value for output, value in self.outputs.items()},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        return cls(
            detached=True,
            aws=EmbeddedAws.from_state(state["aws"]),
            emulator=EmulatedTikTok.from_state(state["emulator"]) if state["emulator"] else None,
            outputs={Output(name): value for name, value in state["outputs"].items()},
        )


def up(on_step: OnStep = _silently, on_line: deployment.OnLine | None = None) -> tuple[LocalConnector, bool]:
    """The running connector, and whether it was started just now. What is left of a broken one is replaced."""
    with _one_at_a_time():
        found = _load()
        if found is not None and found.is_healthy():
            _write_environment(found)
            return found, False
        if found is not None:
            on_step("stopping what is left of an earlier start")
            _stop(found)
        connector = LocalConnector(detached=True, on_step=on_step, on_line=on_line, on_change=_save)
        try:
            connector.start()
            connector.put_credentials()
            _write_environment(connector)
        except BaseException:
            _stop(connector)
            raise
        return connector, True


def down() -> bool:
    """Stop what `up` started. False when nothing runs."""
    with _one_at_a_time():
        found = _load()
        if found is None:
            return False
        was_running = found.aws.is_running() or (found.emulator is not None and found.emulator.is_running())
        _stop(found)
        return was_running


def _stop(connector: LocalConnector) -> None:
    connector.stop()
    _forget()


def _load() -> LocalConnector | None:
    try:
        return LocalConnector.from_state(json.loads(STATE_FILE.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return None  # of another version of this file, or cut short: nothing in it can be trusted


def _save(connector: LocalConnector) -> None:
    _write(STATE_FILE, json.dumps(connector.to_state(), indent=2) + "\n")


def _write_environment(connector: LocalConnector) -> None:
    _write(
        ENVIRONMENT_FILE, "".join(f"{name}={shlex.quote(value)}\n" for name, value in connector.environment().items())
    )


def _forget() -> None:
    STATE_FILE.unlink(missing_ok=True)
    ENVIRONMENT_FILE.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a start that is interrupted must leave a state that can be stopped."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    LOCAL.mkdir(exist_ok=True)
    with LOCK_FILE.open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
