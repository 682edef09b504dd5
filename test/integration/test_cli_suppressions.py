"""``suppressions`` against a list that the store has written."""

import io
import json
from collections.abc import Iterator

import pytest
from moto import mock_aws

from lambdas.aws.suppression_store import S3SuppressionStore
from lambdas.identifiers.models import IdentifierSpace
from lambdas.suppressions.models import MANIFEST_KEY
from test.integration.test_cli_commands import BUCKET, Deployment
from test.integration.test_cli_dead_letters import Overruling, denied
from test.support.builders import any_version

EMAILS, DEVICES = IdentifierSpace.EMAIL_SHA256, IdentifierSpace.DEVICE_MD5


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    for name in ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_PROFILE", "TIKTOK_CONNECTOR_STACK"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield Deployment()


def suppress_three(deployment: Deployment) -> None:
    store = S3SuppressionStore(deployment.s3, bucket=BUCKET, now=lambda: 1_800_000_000)
    for key, space, count in (
        ("suppression/gaid_md5/old phones.csv", DEVICES, 5),
        ("suppression/email_sha256/[red]ü.csv", EMAILS, 1_200),
        ("suppression/email_sha256/2.csv", EMAILS, 0),
    ):
        version = any_version(key, version_id=f"v-{count}")
        store.add(version, space, io.BytesIO(bytes(count * space.digest_bytes)), count)


def test_suppressions_lists_sources_and_totals(deployment: Deployment) -> None:
    suppress_three(deployment)

    result = deployment.run("suppressions")

    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["3", "sources"]
    emails = ["EMAIL_SHA256", "suppression/email_sha256/[red]ü.csv", "v-1200", "1,200", "2027-01-15T08:00:00.000Z"]
    assert emails in lines
    assert ["EMAIL_SHA256", "2", "1,200", "2,400"] in lines
    assert ["DEVICE_MD5", "1", "5", "1,024"] in lines
    assert "PHONE_SHA256" not in result.stdout


def test_suppressions_gives_machines_the_same(deployment: Deployment) -> None:
    suppress_three(deployment)

    shown = json.loads(deployment.run("suppressions", "--json").stdout)

    assert [(source["space"], source["entries"]) for source in shown["sources"]] == [
        ("DEVICE_MD5", 5),
        ("EMAIL_SHA256", 0),
        ("EMAIL_SHA256", 1_200),
    ]
    assert shown["sources"][0] == {
        "space": "DEVICE_MD5",
        "key": "suppression/gaid_md5/old phones.csv",
        "version_id": "v-5",
        "entries": 5,
        "arrived_at": "2026-11-21T12:00:00Z",
        "added_at": "2027-01-15T08:00:00.000Z",
    }
    assert shown["totals"] == [
        {"space": "EMAIL_SHA256", "sources": 2, "entries": 1_200, "filter_bytes": 2_400},
        {"space": "DEVICE_MD5", "sources": 1, "entries": 5, "filter_bytes": 1_024},
    ]


def test_without_a_list_suppressions_says_so(deployment: Deployment) -> None:
    result = deployment.run("suppressions")
    assert (result.exit_code, result.output) == (0, "Nothing is suppressed.\n")

    shown = json.loads(deployment.run("suppressions", "--json").stdout)
    assert (shown["sources"], shown["totals"]) == ([], [])


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"[" * 100_000])
def test_a_damaged_manifest_is_one_clear_line(deployment: Deployment, content: bytes) -> None:
    deployment.s3.put_object(Bucket=BUCKET, Key=MANIFEST_KEY, Body=content)

    result = deployment.run("suppressions")

    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "restore" in result.output


def test_a_denial_is_not_taken_for_an_empty_list(deployment: Deployment) -> None:
    deployment.clients["s3"] = Overruling(deployment.s3, get_object=denied)

    result = deployment.run("suppressions")

    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "AWS denies" in result.output
