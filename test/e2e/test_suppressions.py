"""The deployed stack: who is on the suppression list, and how an audience comes to its end."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local.cloud.session import LocalConnector
from test.e2e.test_audiences import Connector
from test.support.builders import any_hashes, as_file, members_digest
from test.support.command import run_cli


@pytest.fixture(scope="module")
def deployed(connector: LocalConnector) -> Connector:
    return Connector(connector)


@pytest.fixture(autouse=True)
def sizes_are_shown_at_once(deployed: Connector) -> Iterator[None]:
    before = deployed.control("settings")["valid_after_seconds"]
    deployed.control("settings", {"valid_after_seconds": 0})
    yield
    deployed.control("settings", {"valid_after_seconds": before})


def test_who_is_suppressed_leaves_the_audiences_and_never_comes_back(deployed: Connector) -> None:
    people = any_hashes(2_500, seed="suppression")
    objectors, others = people[:600], people[600:]
    deployed.wait_for_receipt(deployed.upload("tiktok/Objected/email_sha256/1.csv", as_file(people)))

    first = deployed.wait_for_receipt(deployed.upload("suppression/email_sha256/1.csv", as_file(objectors[:400])))
    # A second source makes the first filter outdated, and so has it deleted.
    deployed.wait_for_receipt(deployed.upload("suppression/email_sha256/2.csv", as_file(objectors[400:])))
    again = deployed.wait_for_receipt(deployed.upload("tiktok/Objected/email_sha256/2.csv", as_file(people)))

    assert [(applied["audience"], applied["action"]) for applied in first["applied"]] == [("Objected", "REMOVE")]
    [audience] = deployed.audiences("Objected")
    assert audience["members_sha256"] == members_digest(others)
    # The filter may take a few more for suppressed, about one in 1,700.
    assert len(objectors) <= again["rows"]["suppressed"] <= len(objectors) + 10
    assert again["rows"]["sent"] + again["rows"]["suppressed"] == len(people)
    environment = deployed.deployed.environment()
    listed = json.loads(run_cli(["suppressions", "--json"], environment))
    assert [source["key"] for source in listed["sources"]] == [f"suppression/email_sha256/{n}.csv" for n in (1, 2)]
    kept = deployed.s3.list_object_versions(Bucket=deployed.bucket, Prefix="suppression-list/EMAIL_SHA256/filters/")
    assert len(kept["Versions"]) == 1
    assert not kept.get("DeleteMarkers")


def test_an_audience_is_listed_and_its_deletion_is_refused_where_it_is_not_allowed(deployed: Connector) -> None:
    environment = deployed.deployed.environment()
    deployed.wait_for_receipt(deployed.upload("tiktok/Kept & safe/email_sha256/1.csv", as_file(any_hashes(1_200))))

    listed = json.loads(run_cli(["audiences", "list", "--json"], environment))
    asked = run_cli(["audiences", "delete", "Kept & safe", "--yes"], environment)
    key = asked.splitlines()[0].partition(": ")[2]
    letter = deployed.wait_for_dead_letter(key)

    assert "Kept & safe" in {audience["name"] for audience in listed["audiences"]}
    assert letter["reason"] == "deletion_not_allowed"
    assert len(deployed.audiences("Kept & safe")) == 1
