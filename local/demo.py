"""What ``make demo`` runs: the connector on this machine, shown doing its work.

The template that ``cdk deploy`` ships is deployed into an embedded AWS, beside an emulator of TikTok. Every step waits
until what it promises was seen to happen; one that is not ends the demo with exit status 1.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import requests
import tenacity
from rich.console import Console
from rich.table import Table

from lambdas.contracts import Output
from local.cloud.deployment import DeploymentError
from local.cloud.embedded_aws import ROOT, EmbeddedAwsError, MissingPrerequisiteError
from local.cloud.emulated_tiktok import EmulatorError
from local.cloud.session import LocalConnector

Found = TypeVar("Found")

TEST_AUDIENCES = ROOT / "test" / "tiktok"
PHONES = TEST_AUDIENCES / "test_foodies_phone_sha256_audience.csv"
EMAILS = TEST_AUDIENCES / "test_foodies_email_sha256_audience.csv"
PATIENCE_SECONDS = 60.0


class NotSeenError(Exception):
    """A step's promise was not seen to be kept."""


class Demo:
    """The story, told on a terminal."""

    def __init__(self, connector: LocalConnector, console: Console) -> None:
        self._connector = connector
        self._console = console
        self._bucket = connector.outputs[Output.BUCKET]
        self._s3 = connector.client("s3")
        self._sqs = connector.client("sqs")

    def tell(self) -> None:
        """All steps, in order. Raises NotSeenError."""
        for step in (
            self._upload_without_credentials,
            self._fill_in_credentials_and_replay,
            self._append_to_the_audience,
            self._create_from_a_dirty_file,
            self._refuse_plain_addresses,
            self._refuse_a_wrong_key,
            self._survive_tiktoks_faults,
            self._deliver_many_at_once,
            self._let_tiktok_process,
        ):
            started = time.monotonic()
            promise = str(step.__doc__).strip().rstrip(".")
            with self._console.status(f"{promise} …"):
                seen = step()
            seconds = time.monotonic() - started
            self._console.print(f"[green]✔[/] {promise} [dim]({seconds:.0f} s)[/]\n    {seen}", highlight=False)

    def summarise(self) -> None:
        """What TikTok has, the receipts, and the dead-letter queue."""
        table = Table(title="Custom audiences, as TikTok has them", title_justify="left")
        for column in ("audience", "id", "type", "members", "valid"):
            table.add_column(column, justify="right" if column == "members" else "left")
        for audience in self._audiences():
            table.add_row(
                audience["name"],
                audience["audience_id"],
                audience["calculate_type"],
                f"{audience['members']:,}",
                "yes" if audience["is_valid"] else "no",
            )
        self._console.print()
        self._console.print(table)
        self._cli("status", "--receipts", "40", show=True)

    def _upload_without_credentials(self) -> str:
        """An upload before the secret is filled in is kept, with the remedy."""
        self._upload("tiktok/Foodies/phone_sha256/monday.csv", PHONES.read_bytes())
        letter = self._see("a dead letter", lambda: self._dead_letters().get("tiktok/Foodies/phone_sha256/monday.csv"))
        _expect(letter["reason"] == "credentials_not_set", f"the reason is {letter['reason']}")
        return f"dead-letter queue: {letter['reason']}"

    def _fill_in_credentials_and_replay(self) -> str:
        """With credentials in the secret, a replay delivers it."""
        self._connector.put_credentials()
        self._cli("replay", "--yes", "--reason", "credentials_not_set")
        receipt = self._delivered("tiktok/Foodies/phone_sha256/monday.csv")
        self._expect_members("Foodies", _rows(PHONES.read_bytes()))
        return _account(receipt)

    def _append_to_the_audience(self) -> str:
        """A second file for the same name is appended, not made a second audience."""
        more = [_hash(f"+1999555{number:04d}") for number in range(500)]
        self._upload("tiktok/Foodies/phone_sha256/tuesday.csv", _file(more))
        receipt = self._delivered("tiktok/Foodies/phone_sha256/tuesday.csv")
        self._expect_members("Foodies", {*_rows(PHONES.read_bytes()), *more})
        return _account(receipt)

    def _create_from_a_dirty_file(self) -> str:
        """A file with a BOM, a header, CRLF, quotes, upper case and bad rows is cleaned and counted."""
        rows = EMAILS.read_text(encoding="ascii").split()
        dirty = [f'"{row.upper()}"' for row in rows[:1000]] + ["", "not a hash", *rows[1000:]]
        content = "\ufeffEmail address\r\n" + "\r\n".join(dirty)
        key = "tiktok/Newsletter & Friends (50 %)/Email_SHA256/export.csv"
        self._upload(key, content.encode())
        receipt = self._delivered(key)
        self._expect_members("Newsletter & Friends (50 %)", set(rows))
        _expect(receipt["rows"]["invalid_by_reason"] == {"not_hex": {"count": 1, "lines": [1003]}}, "other counts")
        return _account(receipt)

    def _refuse_plain_addresses(self) -> str:
        """A file with plain e-mail addresses is refused whole, and nothing is sent."""
        key = "tiktok/Mistake/email_sha256/raw.csv"
        asked = len(self._requests())
        self._upload(key, b"email\njane@example.com\njoe@example.com\n")
        letter = self._see("a dead letter", lambda: self._dead_letters().get(key))
        _expect(letter["reason"] == "plain_personal_data", f"the reason is {letter['reason']}")
        _expect(len(self._requests()) == asked, "TikTok was asked something")
        return f"dead-letter queue: {letter['reason']}"

    def _refuse_a_wrong_key(self) -> str:
        """A key that names no known format says what was expected."""
        key = "tiktok/Foodies/email_sha512/file.csv"
        self._upload(key, EMAILS.read_bytes())
        letter = self._see("a dead letter", lambda: self._dead_letters().get(key))
        _expect(letter["reason"] == "unsupported_format", f"the reason is {letter['reason']}")
        return f"dead-letter queue: {letter['detail']}"

    def _survive_tiktoks_faults(self) -> str:
        """TikTok throttles, fails, and cuts the connection after creating: still one audience."""
        self._control(
            "faults",
            [
                {"path": "file/upload", "times": 2, "kind": "code", "code": 40100},
                {"path": "list", "kind": "http", "status": 502},
                {"path": "create", "kind": "drop_after_commit"},
            ],
        )
        key = "tiktok/Loyal customers/email_sha256/all.csv"
        self._upload(key, EMAILS.read_bytes())
        receipt = self._delivered(key)
        self._expect_members("Loyal customers", _rows(EMAILS.read_bytes()))
        return _account(receipt)

    def _deliver_many_at_once(self) -> str:
        """Ten files for one new name, at once, make one audience with all their members."""
        files = [[_hash(f"{number}/{row}") for row in range(200)] for number in range(10)]
        keys = [f"tiktok/Ten at once/gaid_sha256/{number}.csv" for number in range(10)]
        for key, rows in zip(keys, files, strict=True):
            self._upload(key, _file(rows))
        for key in keys:
            self._delivered(key)
        self._expect_members("Ten at once", {row for rows in files for row in rows})
        return f"{sum(map(len, files)):,} members from {len(files)} files"

    def _let_tiktok_process(self) -> str:
        """An hour later, on the emulator's clock, TikTok has processed them."""
        self._control("clock", {"advance_seconds": 3_700})
        audiences = self._audiences()
        _expect(all(audience["is_valid"] for audience in audiences), "an audience is not valid")
        return f"{len(audiences)} audiences are valid"

    def _upload(self, key: str, content: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)

    def _delivered(self, key: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            listing = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=f"receipts/{key}/")
            for entry in listing.get("Contents", []):
                receipt: dict[str, Any] = json.loads(
                    self._s3.get_object(Bucket=self._bucket, Key=entry["Key"])["Body"].read()
                )
                if receipt["status"] == "delivered":
                    return receipt
            return None

        return self._see(f"the receipt of {key}", look)

    def _dead_letters(self) -> dict[str, dict[str, str]]:
        """Reason and detail by key; the messages stay where they are."""
        answer = self._sqs.receive_message(
            QueueUrl=self._connector.outputs[Output.DEAD_LETTER_QUEUE_URL],
            MessageAttributeNames=["All"],
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
        )
        return {
            json.loads(message["Body"])["detail"]["object"]["key"]: {
                name: attribute["StringValue"] for name, attribute in message["MessageAttributes"].items()
            }
            for message in answer.get("Messages", [])
        }

    def _expect_members(self, name: str, members: set[str]) -> None:
        named = [audience for audience in self._audiences() if audience["name"] == name]
        _expect(len(named) == 1, f"TikTok has {len(named)} audiences named {name}")
        expected = hashlib.sha256("\n".join(sorted(members)).encode()).hexdigest()
        _expect(named[0]["members_sha256"] == expected, f"the members of {name} are not the expected ones")

    def _audiences(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._control("audiences")["audiences"]
        return found

    def _requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._control("requests")["requests"]
        return found

    def _control(self, command: str, body: Any = None) -> Any:
        answer = requests.request(
            "GET" if body is None else "POST",
            f"{self._connector.emulator_url}/_control/{command}",
            json=body,
            timeout=30,
        )
        answer.raise_for_status()
        return answer.json()

    def _cli(self, *arguments: str, show: bool = False) -> None:
        sys.stdout.flush()
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "cli", *arguments],
            cwd=ROOT,
            env={**os.environ, **self._connector.environment()},
            stdout=None if show else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        _expect(done.returncode == 0, f"`python -m cli {' '.join(arguments)}` failed: {done.stderr.strip()[-500:]}")

    @staticmethod
    def _see(what: str, look: Callable[[], Found | None]) -> Found:
        waiting = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda found: not found),
            wait=tenacity.wait_fixed(0.25),
            stop=tenacity.stop_after_delay(PATIENCE_SECONDS),
        )
        try:
            found = waiting(look)
        except tenacity.RetryError:
            found = None
        if found is None:
            raise NotSeenError(f"waited {PATIENCE_SECONDS:.0f} s for {what} in vain")
        return found


def _expect(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise NotSeenError(otherwise)


def _hash(identifier: str) -> str:
    return hashlib.sha256(identifier.encode()).hexdigest()


def _file(rows: list[str]) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def _rows(content: bytes) -> set[str]:
    return set(content.decode().split())


def _account(receipt: dict[str, Any]) -> str:
    rows = receipt["rows"]
    return (
        f"receipt: {receipt['action']} {receipt['audience']['id']}, {rows['read']:,} rows read, {rows['sent']:,} sent, "
        f"{rows['invalid']:,} invalid"
    )


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[str], None]]:
    """Announces a step, and ticks off the one before it."""
    with console.status("…") as status:
        current: list[tuple[str, float]] = []

        def finish() -> None:
            for step, started in current:
                console.print(f"[green]✔[/] {step} [dim]({time.monotonic() - started:.0f} s)[/]", highlight=False)
            current.clear()

        def announce(step: str) -> None:
            finish()
            current.append((step, time.monotonic()))
            status.update(f"{step} …")

        yield announce
        finish()


def main() -> int:
    """Run the demo; 0 only if every step was seen to happen."""
    console = Console()
    started = time.monotonic()
    connector = LocalConnector()
    try:
        with _progress(console) as announce:
            connector.on_step = announce
            connector.start()
        demo = Demo(connector, console)
        console.print(
            f"    template sha256 {connector.template_sha256[:16]}…, TikTok emulator at {connector.emulator_url}\n"
        )
        demo.tell()
        demo.summarise()
    except KeyboardInterrupt:
        console.print("[red]✘ interrupted[/]")
        return 130
    except (NotSeenError, DeploymentError, EmbeddedAwsError, EmulatorError, MissingPrerequisiteError) as error:
        console.print(f"[red]✘ not seen:[/] {error}", highlight=False)
        return 1
    finally:
        with console.status("stopping what was started …"):
            connector.stop()
    console.print(
        f"\n[green]✔[/] Every step was seen to happen, and all is stopped ({time.monotonic() - started:.0f} s)."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
