"""The manifest of the suppression list, and what is suppressed together."""

import json
from dataclasses import replace
from typing import Any

import pytest

from lambdas.identifiers.models import IdentifierSpace
from lambdas.suppressions.models import Manifest, Source, StoredFilter, digests_prefix, prefix_of

EMAILS = IdentifierSpace.EMAIL_SHA256
PHONES = IdentifierSpace.PHONE_SHA256


def a_source(space: IdentifierSpace = EMAILS, *, version_id: str = "v1") -> Source:
    return Source(
        space=space,
        bucket="data",
        key="suppression/email_sha256/opt-outs ü.csv",
        version_id=version_id,
        count=3,
        arrived_at="2026-11-21T12:00:00Z",
        added_at="2026-11-21T12:00:05.000Z",
        digests_key=f"{prefix_of(space)}sources/1/2",
    )


def a_filter(space: IdentifierSpace = EMAILS) -> StoredFilter:
    return StoredFilter(key=f"{prefix_of(space)}filters/1", etag='"e"', count=3, size=1024)


def test_a_manifest_is_read_as_it_was_written() -> None:
    manifest = Manifest("7-abc", (a_source(), a_source(PHONES)), {EMAILS: a_filter(), PHONES: a_filter(PHONES)})

    assert Manifest.from_document(json.loads(json.dumps(manifest.to_document()))) == manifest
    assert Manifest.from_document(Manifest().to_document()) == Manifest()


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "text",
        {},
        {**Manifest().to_document(), "format": 2},
        {**Manifest().to_document(), "sources": [{"space": "EMAIL_SHA256"}]},
        {**Manifest().to_document(), "filters": {"EMAIL_MD5": {}}},
        {**Manifest().to_document(), "filters": None},
    ],
)
def test_what_is_no_manifest_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match="no manifest"):
        Manifest.from_document(document)


def test_a_change_of_one_space_leaves_the_others_alone() -> None:
    manifest = Manifest("1", (a_source(), a_source(PHONES)), {EMAILS: a_filter(), PHONES: a_filter(PHONES)})

    changed = manifest.changed("2", EMAILS, (), None)

    assert changed == Manifest("2", (a_source(PHONES),), {PHONES: a_filter(PHONES)})


def test_a_source_is_known_by_its_version_and_space() -> None:
    manifest = Manifest("1", (a_source(),))

    assert manifest.find(a_source().id, EMAILS) == a_source()
    assert manifest.find(a_source().id, PHONES) is None
    assert manifest.find(replace(a_source(), version_id="v2").id, EMAILS) is None


def test_only_md5_is_of_sixteen_bytes() -> None:
    assert [space.digest_bytes for space in IdentifierSpace] == [32, 32, 32, 16]


def test_a_key_of_digests_does_not_hold_the_name_of_the_file() -> None:
    one, other = digests_prefix(EMAILS, a_source().id), digests_prefix(EMAILS, a_source(version_id="v2").id)

    assert one.startswith("suppression-list/EMAIL_SHA256/sources/")
    assert "opt-outs" not in one
    assert one != other
