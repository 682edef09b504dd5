"""The embedded AWS as a process: started, waited for, stopped.

Every instance has a port, a directory, a certificate and a process group of its own, so that several can run side
by side. It listens on the loopback interface only, over TLS, because buckets that refuse plain HTTP refuse it here too.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
import botocore.config
import certifi

from local.cloud import processes

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"
CLOUD_PYTHON = LOCAL / "venv-cloud" / "bin" / "python"
RUNTIME_PYTHON = LOCAL / "venv-runtime" / "bin" / "python"
DIRECTORY = LOCAL / "cloud"
LAUNCHER = Path(__file__).with_name("launcher.py")

HOST = "127.0.0.1"
REGION = "eu-central-1"
ACCOUNT = "123456789012"
# The root user of the embedded AWS. It is a name that ministack knows, not a credential of anything.
ACCESS_KEY_ID = "test"
SECRET_ACCESS_KEY = "test"  # noqa: S105

START_TIMEOUT_SECONDS = 60.0
START_ATTEMPTS = 3
KEPT_LOGS = 10
FORGOTTEN_AFTER_SECONDS = 3600.0


class MissingPrerequisiteError(Exception):
    """Something that `make install` brings is not there."""


class EmbeddedAwsError(Exception):
    """The embedded AWS did not start."""


class _PortTakenError(Exception):
    """Somebody took the port between our choice and the server's start."""


def require(*paths: Path) -> None:
    missing = [str(path.relative_to(ROOT)) for path in paths if not path.exists()]
    if missing:
        raise MissingPrerequisiteError(f"{', '.join(missing)} missing: run `make install` in {ROOT.name}/ first")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class EmbeddedAws:
    """``with EmbeddedAws() as aws: aws.client("s3")``, or start/stop, or `detached` to outlive the process."""

    detached: bool = False
    directory: Path = field(default_factory=Path)
    port: int = 0
    process: processes.BackgroundProcess | None = None
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    # Life ---------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        require(CLOUD_PYTHON, RUNTIME_PYTHON)
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        _forget_old_instances()
        self.directory = Path(tempfile.mkdtemp(prefix="aws-", dir=DIRECTORY))
        try:
            self.temporary.mkdir()
            _write_certificate(self.temporary)
            self._start_on_free_port()
            self._state_file.write_text(json.dumps(self.to_state()), encoding="utf-8")
        except BaseException:
            self.stop()
            raise
        return self

    def _start_on_free_port(self) -> None:
        for _ in range(START_ATTEMPTS):
            try:
                self._start_on(free_port())
            except _PortTakenError:
                continue
            return
        raise EmbeddedAwsError(f"no port stayed free, see {self.log}")

    def _start_on(self, port: int) -> None:
        self.port = port
        stdin = subprocess.DEVNULL if self.detached else subprocess.PIPE
        self.process, self._child = processes.start(
            [CLOUD_PYTHON, LAUNCHER, "--directory", self.directory],
            environment=self._server_environment(),
            log=self.log,
            stdin=stdin,
            directory=self.directory,
        )
        try:
            self._await_readiness(self._child)
        except _PortTakenError:
            self._end_process()
            raise

    def _await_readiness(self, child: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self.is_healthy():
            if child.poll() is not None:
                tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
                if "already in use" in tail or "Address already in use" in tail:
                    raise _PortTakenError
                raise EmbeddedAwsError(f"the embedded AWS ended while it started:\n{tail}")
            if time.monotonic() > deadline:
                raise EmbeddedAwsError(
                    f"the embedded AWS did not get ready in {START_TIMEOUT_SECONDS:.0f} s: {self.log}"
                )
            time.sleep(processes.POLL_SECONDS)

    def is_healthy(self) -> bool:
        """Whether *this* instance answers: another one on the same port has another certificate."""
        try:
            trust = ssl.create_default_context(cafile=self.certificate)
            request = f"{self.endpoint}/_ministack/health"
            with urllib.request.urlopen(request, timeout=5, context=trust) as answer:  # noqa: S310 - always https
                return bool(answer.status == 200)
        except OSError:  # urllib's and ssl's errors are OSErrors
            return False

    def is_running(self) -> bool:
        return self.process is not None and self.process.is_running()

    def stop(self) -> None:
        """End what this instance started, its functions' processes included; keep the log alone."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self._end_process()
        if self.directory != Path():
            shutil.rmtree(self.temporary, ignore_errors=True)
            self._state_file.unlink(missing_ok=True)

    def _end_process(self) -> None:
        processes.end(self.process, self._child)
        self.process = self._child = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # State, for an instance that outlives the process that started it ------------------------------------------

    def to_state(self) -> dict[str, Any]:
        assert self.process is not None
        return {
            "directory": str(self.directory),
            "port": self.port,
            "pid": self.process.pid,
            "began": self.process.began,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        return cls(
            detached=True,
            directory=Path(state["directory"]),
            port=state["port"],
            process=processes.BackgroundProcess(state["pid"], state["began"]),
        )

    # What others need of it --------------------------------------------------------------------------------

    @property
    def endpoint(self) -> str:
        return f"https://{HOST}:{self.port}"

    @property
    def temporary(self) -> Path:
        """Everything that goes when it stops."""
        return self.directory / "tmp"

    @property
    def _state_file(self) -> Path:
        """Tells a later start whether this directory is still in use."""
        return self.directory / "instance.json"

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    @property
    def certificate(self) -> Path:
        return self.temporary / "server.crt"

    @property
    def ca_bundle(self) -> Path:
        """The system's roots and our certificate: for programs that take one file for every connection."""
        return self.temporary / "ca-bundle.pem"

    def environment(self) -> dict[str, str]:
        """What an AWS SDK or the AWS CLI needs to talk to this instance, and to it alone."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CA_BUNDLE": str(self.ca_bundle),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }

    def cdk_environment(self) -> dict[str, str]:
        """The whole environment for the CDK CLI: nothing of the user's AWS configuration reaches it."""
        home = self.temporary / "home"
        home.mkdir(exist_ok=True)
        return {
            **self.environment(),
            **isolation(),
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "TMPDIR": str(self.temporary),
            "NODE_EXTRA_CA_CERTS": str(self.certificate),
        }

    def client(self, service: str) -> Any:
        """The boto3 client, made once: that takes longer than what one does with it, and threads may share it."""
        if service not in self._clients:
            self._clients[service] = self._make_client(service)
        return self._clients[service]

    def _make_client(self, service: str) -> Any:
        session = boto3.session.Session(ACCESS_KEY_ID, SECRET_ACCESS_KEY, region_name=REGION)
        return session.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint,
            verify=str(self.ca_bundle),
            config=botocore.config.Config(proxies={}, max_pool_connections=32, s3={"addressing_style": "path"}),
        )

    def _server_environment(self) -> dict[str, str]:
        """Complete: the server, and through it every function, inherits nothing of ours."""
        bundle = str(self.ca_bundle)
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.temporary),
            "TMPDIR": str(self.temporary),
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_SSL_CERT": str(self.certificate),
            "MINISTACK_SSL_KEY": str(self.temporary / "server.key"),
            "USE_SSL": "1",
            "AUTH": "true",
            # For the functions' SDKs and the custom resources' call-backs.
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CA_BUNDLE": bundle,
            "SSL_CERT_FILE": bundle,
            "REQUESTS_CA_BUNDLE": bundle,
            "NODE_EXTRA_CA_CERTS": str(self.certificate),
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONUNBUFFERED": "1",
            "LAUNCHER_RUNTIME_PYTHON": str(RUNTIME_PYTHON),
            "LAUNCHER_FOLLOW_STDIN": "0" if self.detached else "1",
        }


def isolation() -> dict[str, str]:
    """Keeps the user's AWS profiles, and calls to the internet, out of the tools that we start."""
    return {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "1",
        "NODE_NO_WARNINGS": "1",
        "NO_COLOR": "1",
    }


def _write_certificate(directory: Path) -> None:
    """A key and a certificate for the loopback address, and the bundle that trusts it beside the system's roots."""
    certificate = directory / "server.crt"
    settings = directory / "openssl.cnf"
    settings.write_text(
        "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = extensions\n"
        "[name]\nCN = embedded-aws\n"
        # No CA: strict clients refuse a CA's certificate as a server's.
        "[extensions]\nbasicConstraints = critical, CA:FALSE\nextendedKeyUsage = serverAuth\n"
        f"subjectAltName = IP:{HOST}, DNS:localhost, DNS:*.localhost\n",
        encoding="ascii",
    )
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365", "-config", str(settings)]
    command += ["-keyout", str(directory / "server.key"), "-out", str(certificate)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise MissingPrerequisiteError("the command `openssl` is missing: install OpenSSL") from None
    if done.returncode != 0:
        raise EmbeddedAwsError(f"openssl made no certificate: {done.stderr[-1000:]}")
    (directory / "server.key").chmod(0o600)
    system = ssl.get_default_verify_paths().cafile or certifi.where()
    roots = Path(system).read_text(encoding="utf-8", errors="replace")
    (directory / "ca-bundle.pem").write_text(f"{roots}\n{certificate.read_text('ascii')}", encoding="utf-8")


def _forget_old_instances() -> None:
    """Stopped instances leave their log alone, killed ones leave more: a few are kept to look at."""
    ended = [path for path in DIRECTORY.glob("aws-*") if path.is_dir() and _is_ended(path)]
    for path in sorted(ended, key=_modified, reverse=True)[KEPT_LOGS:]:
        shutil.rmtree(path, ignore_errors=True)


def _is_ended(directory: Path) -> bool:
    try:
        state = json.loads((directory / "instance.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        # Stopped, or still starting, or killed while it was.
        return not (directory / "tmp").exists() or time.time() - _modified(directory) > FORGOTTEN_AFTER_SECONDS
    return not EmbeddedAws.from_state(state).is_running()


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another instance cleaned up at the same time
        return 0.0
