"""The deployed stack: who is on the suppression list leaves every audience, and stays outside."""

from __future__ import annotations

import json

import pytest

from test.e2e.connector import Connector
from test.support.builders import any_hashes, as_file, members_digest, slots_digest


@pytest.mark.usefixtures("sizes_are_shown_at_once")
def test_who_is_suppressed_leaves_the_audiences_and_never_comes_back(deployed: Connector) -> None:
    # MD5: what the other tests have at TikTok is of other kinds, and the list's filter takes a few more for suppressed.
    people = [value[:32] for value in any_hashes(2_500, seed="suppression")]
    objectors, others = people[:600], people[600:]
    deployed.deliver("tiktok/Objected/idfa_md5/1.csv", as_file(people))
    deployed.deliver("tiktok/Objected, streamed/streaming/1.csv", b"idfa_md5\n" + as_file(people))

    first = deployed.deliver("suppression/idfa_md5/1.csv", as_file(objectors[:400]))
    # A second source makes the first filter outdated, and so has it deleted.
    deployed.deliver("suppression/idfa_md5/2.csv", as_file(objectors[400:]))
    again = deployed.deliver("tiktok/Objected/idfa_md5/2.csv", as_file(people))
    streamed_again = deployed.deliver("tiktok/Objected, streamed/streaming/2.csv", b"idfa_md5\n" + as_file(people))

    applied = {each["audience"]: each["action"] for each in first["applied"]}
    assert applied["Objected"] == applied["Objected, streamed"] == "REMOVE"
    [audience], [streamed] = deployed.audiences("Objected"), deployed.audiences("Objected, streamed")
    assert audience["members_sha256"] == members_digest(others)
    assert streamed["members_sha256"] == slots_digest(IDFA_MD5=others)
    for rows in (again["rows"], streamed_again["rows"]):
        # The filter may take a few more for suppressed, about one in 1,700.
        assert len(objectors) <= rows["suppressed"] <= len(objectors) + 10
        assert rows["sent"] + rows["suppressed"] == len(people)
    listed = json.loads(deployed.command("suppressions", "--json"))
    keys = [source["key"] for source in listed["sources"] if source["key"].startswith("suppression/idfa_md5/")]
    assert keys == [f"suppression/idfa_md5/{n}.csv" for n in (1, 2)]
    kept = deployed.s3.list_object_versions(Bucket=deployed.bucket, Prefix="suppression-list/DEVICE_MD5/filters/")
    assert len(kept["Versions"]) == 1
    assert not kept.get("DeleteMarkers")
