"""The suppression list in S3: every source counts once, no change is lost, and nothing outdated is kept."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lambdas.aws.suppression_store import S3SuppressionStore
from lambdas.identifiers.models import IdentifierSpace
from lambdas.objects import ObjectVersion
from lambdas.suppressions.models import MANIFEST_KEY, Manifest, prefix_of
from lambdas.tiktok.errors import FatalError, NotReady, RetryableError
from test.support.builders import any_version
from test.support.stage import REGION

EMAILS = IdentifierSpace.EMAIL_SHA256
PHONES = IdentifierSpace.PHONE_SHA256
DEVICES_MD5 = IdentifierSpace.DEVICE_MD5
KEY = "suppression/email_sha256/Abmeldungen ü.csv"
HOUR = 3600.0


def some_digests(count: int = 50, space: IdentifierSpace = EMAILS, *, seed: int = 1) -> bytes:
    """Packed digests; the same for the same seed."""
    return random.Random(seed).randbytes(count * space.digest_bytes)  # noqa: S311 - no secret


class SuppressionList:
    """A versioned bucket, and functions that keep the list there."""

    def __init__(self) -> None:
        self.s3: Any = boto3.client("s3", region_name=REGION)
        self.s3.create_bucket(Bucket="data")
        self.s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
        self.s3.put_object(Bucket="data", Key="clock")
        self.time: float = self.s3.head_object(Bucket="data", Key="clock")["LastModified"].timestamp()
        self.store = self.another_function()

    def another_function(self, client: Any = None) -> S3SuppressionStore:
        return S3SuppressionStore(client or self.s3, bucket="data", now=lambda: self.time)

    def add(
        self, digests: bytes, space: IdentifierSpace = EMAILS, *, version: ObjectVersion | None = None
    ) -> ObjectVersion:
        version = version or any_version(KEY)
        self.store.add(version, space, io.BytesIO(digests), len(digests) // space.digest_bytes)
        return version

    def suppressed(self, digests: bytes, space: IdentifierSpace = EMAILS) -> int:
        """How many of them a function that has just started would leave out."""
        fresh = self.another_function()
        suppression = fresh.load_filter(fresh.current(), space)
        return len(suppression.positions(digests)) if suppression else 0

    def stored_keys(self) -> set[str]:
        """Every key below the list's prefix that has a version of any kind."""
        found = self.s3.list_object_versions(Bucket="data", Prefix="suppression-list/")
        return {entry["Key"] for entry in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]}

    def named_keys(self) -> set[str]:
        """Every key that the manifest names, and its own."""
        manifest = self.store.current()
        digests = {source.digests_key for source in manifest.sources}
        return {MANIFEST_KEY} | digests | {stored.key for stored in manifest.filters.values()}


@pytest.fixture
def suppressions(monkeypatch: pytest.MonkeyPatch) -> Iterator[SuppressionList]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield SuppressionList()


class Interfering:
    """S3, where something else happens before the calls of one name."""

    def __init__(self, s3: Any, call: str, *, before: Callable[[Any], None]) -> None:
        self._s3, self._call, self._before = s3, call, before

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._s3, name)
        if name != self._call:
            return real

        def call(**request: Any) -> Any:
            self._before(request)
            return real(**request)

        return call


def once(action: Callable[[], object], *, key: str) -> Callable[[Any], None]:
    """Do this before the first request for a key that begins so."""
    pending = [action]

    def act(request: Any) -> None:
        if request["Key"].startswith(key) and pending:
            pending.pop()()

    return act


def test_without_a_list_nothing_is_suppressed(suppressions: SuppressionList) -> None:
    manifest = suppressions.store.current()

    assert manifest == Manifest()
    assert all(suppressions.store.load_filter(manifest, space) is None for space in IdentifierSpace)


def test_what_was_added_is_suppressed_and_nothing_else(suppressions: SuppressionList) -> None:
    suppressions.add(some_digests())

    assert suppressions.suppressed(some_digests()) == 50
    assert suppressions.suppressed(some_digests(seed=2)) == 0
    assert suppressions.suppressed(some_digests(), PHONES) == 0


def test_a_source_is_told_with_its_file(suppressions: SuppressionList) -> None:
    version = suppressions.add(some_digests(7, DEVICES_MD5), DEVICES_MD5)

    manifest = suppressions.store.current()
    [source] = manifest.sources
    stored = suppressions.s3.head_object(Bucket="data", Key=source.digests_key)
    content = suppressions.s3.get_object(Bucket="data", Key=source.digests_key)["Body"].read()

    assert (source.id, source.space, source.count) == (version.id, DEVICES_MD5, 7)
    assert (source.key, source.version_id, source.arrived_at) == (KEY, version.version_id, version.arrived_at)
    assert source.added_at.endswith("Z")
    assert content == some_digests(7, DEVICES_MD5)
    assert stored["Metadata"] == {
        "source-key": "suppression/email_sha256/Abmeldungen%20%C3%BC.csv",
        "source-version": version.version_id,
        "count": "7",
        "arrived-at": "2026-11-21T12:00:00Z",
    }
    assert manifest.filters[DEVICES_MD5].count == 7


def test_sources_add_up_and_duplicates_do_no_harm(suppressions: SuppressionList) -> None:
    first, second = some_digests(seed=1), some_digests(seed=2)
    revisions = {suppressions.store.current().revision}
    for digests in (first, second, first + second):
        suppressions.add(digests)
        revisions.add(suppressions.store.current().revision)

    assert len(revisions) == 4
    assert suppressions.suppressed(first + second) == 100
    assert suppressions.store.current().filters[EMAILS].count == 200


def test_the_same_version_again_changes_nothing(suppressions: SuppressionList) -> None:
    version = suppressions.add(some_digests())
    before = (suppressions.store.current(), suppressions.stored_keys())

    suppressions.add(some_digests(seed=2), version=version)

    assert (suppressions.store.current(), suppressions.stored_keys()) == before
    assert suppressions.suppressed(some_digests(seed=2)) == 0


def test_one_file_can_be_a_source_of_several_spaces(suppressions: SuppressionList) -> None:
    version = suppressions.add(some_digests())
    suppressions.add(some_digests(seed=2), PHONES, version=version)

    assert (suppressions.suppressed(some_digests()), suppressions.suppressed(some_digests(seed=2), PHONES)) == (50, 50)
    assert [source.space for source in suppressions.store.current().sources] == [EMAILS, PHONES]


def test_an_empty_file_is_a_source_too(suppressions: SuppressionList) -> None:
    version = suppressions.add(b"")

    assert suppressions.store.current().find(version.id, EMAILS) is not None
    assert suppressions.suppressed(some_digests()) == 0


def test_a_removed_source_is_gone_with_all_its_versions_and_the_others_stay(suppressions: SuppressionList) -> None:
    first, second = suppressions.add(some_digests(seed=1)), suppressions.add(some_digests(seed=2))
    for _ in range(2):
        suppressions.store.remove(first.id, EMAILS)
        assert suppressions.suppressed(some_digests(seed=1)) == 0
        assert suppressions.suppressed(some_digests(seed=2)) == 50
        assert suppressions.stored_keys() == suppressions.named_keys()

    suppressions.store.remove(second.id, EMAILS)

    assert suppressions.store.current().filters == {}
    assert suppressions.suppressed(some_digests(seed=2)) == 0
    assert suppressions.stored_keys() == {MANIFEST_KEY}


def test_no_outdated_filter_is_kept(suppressions: SuppressionList) -> None:
    for seed in range(3):
        suppressions.add(some_digests(seed=seed))
        assert suppressions.stored_keys() == suppressions.named_keys()


@pytest.mark.parametrize("count", [49, 51])
def test_other_digests_than_were_announced_are_refused(suppressions: SuppressionList, count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} digests of EMAIL_SHA256"):
        suppressions.store.add(any_version(KEY), EMAILS, io.BytesIO(some_digests(50)), count)

    assert suppressions.store.current() == Manifest()


def test_a_filter_is_read_once_for_every_change_of_its_space(suppressions: SuppressionList) -> None:
    suppressions.add(some_digests())
    reads: list[str] = []
    function = suppressions.another_function(
        Interfering(suppressions.s3, "get_object", before=lambda request: reads.append(request["Key"]))
    )

    def load() -> object:
        return function.load_filter(function.current(), EMAILS)

    assert load() is load()
    suppressions.add(some_digests(seed=2), PHONES)
    load()
    assert len([key for key in reads if "/filters/" in key]) == 1

    suppressions.add(some_digests(seed=3))
    load()
    assert len([key for key in reads if "/filters/" in key]) == 2


def test_a_reader_that_is_overtaken_begins_again(suppressions: SuppressionList) -> None:
    suppressions.add(some_digests())
    outdated = suppressions.store.current()
    suppressions.add(some_digests(seed=2))

    with pytest.raises(NotReady):
        suppressions.store.load_filter(outdated, EMAILS)


@pytest.mark.parametrize("space", [EMAILS, PHONES])
@pytest.mark.parametrize("seeds", [(1,), ()], ids=["a list", "no list yet"])
def test_of_two_changes_at_once_one_begins_again_and_none_is_lost(
    suppressions: SuppressionList, space: IdentifierSpace, seeds: tuple[int, ...]
) -> None:
    for seed in seeds:
        suppressions.add(some_digests(seed=seed))
    other = some_digests(seed=8)
    overtaking = once(lambda: suppressions.add(other, space), key=MANIFEST_KEY)
    slow = suppressions.another_function(Interfering(suppressions.s3, "put_object", before=overtaking))
    version = any_version(KEY)

    with pytest.raises(NotReady):
        slow.add(version, EMAILS, io.BytesIO(some_digests(seed=9)), 50)
    assert suppressions.stored_keys() == suppressions.named_keys()

    slow.add(version, EMAILS, io.BytesIO(some_digests(seed=9)), 50)
    assert suppressions.suppressed(other, space) == 50
    assert all(suppressions.suppressed(some_digests(seed=seed)) == 50 for seed in (*seeds, 9))
    assert suppressions.stored_keys() == suppressions.named_keys()


def test_the_same_file_twice_at_once_is_one_source(suppressions: SuppressionList) -> None:
    version = any_version(KEY)
    overtaking = once(lambda: suppressions.add(some_digests(), version=version), key=MANIFEST_KEY)
    slow = suppressions.another_function(Interfering(suppressions.s3, "put_object", before=overtaking))

    with pytest.raises(NotReady):
        slow.add(version, EMAILS, io.BytesIO(some_digests()), 50)
    slow.add(version, EMAILS, io.BytesIO(some_digests()), 50)

    assert [source.id for source in suppressions.store.current().sources] == [version.id]
    assert suppressions.suppressed(some_digests()) == 50
    assert suppressions.stored_keys() == suppressions.named_keys()


def test_a_source_that_is_removed_during_a_change_makes_it_begin_again(suppressions: SuppressionList) -> None:
    first = suppressions.add(some_digests(seed=1))
    overtaking = once(lambda: suppressions.store.remove(first.id, EMAILS), key="suppression-list/EMAIL_SHA256/sources/")
    slow = suppressions.another_function(Interfering(suppressions.s3, "get_object", before=overtaking))

    with pytest.raises(NotReady):
        slow.add(any_version(KEY), EMAILS, io.BytesIO(some_digests(seed=2)), 50)

    assert suppressions.store.current().sources == ()


def test_a_change_whose_answer_was_lost_has_happened(suppressions: SuppressionList) -> None:
    suppressions.add(some_digests(seed=1))
    real = suppressions.s3

    class Repeating:
        """As boto3 does when no answer comes: the second request meets what the first has done."""

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def put_object(self, **request: Any) -> Any:
            if request["Key"] == MANIFEST_KEY:
                real.put_object(**request)
            return real.put_object(**request)

    suppressions.another_function(Repeating()).add(any_version(KEY), EMAILS, io.BytesIO(some_digests(seed=2)), 50)

    assert suppressions.suppressed(some_digests(seed=1) + some_digests(seed=2)) == 100
    assert suppressions.stored_keys() == suppressions.named_keys()


@pytest.mark.parametrize("call", ["upload_fileobj", "head_object", "get_object", "put_object", "delete_object"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_crash_anywhere_is_made_good_by_the_next_attempt(
    suppressions: SuppressionList, call: str, number: int
) -> None:
    suppressions.add(some_digests(seed=1))
    real, done = suppressions.s3, []

    class Crashing:
        def __getattr__(self, name: str) -> Any:
            def made(*arguments: Any, **request: Any) -> Any:
                answer = getattr(real, name)(*arguments, **request)
                done.append(name)
                if done.count(call) == number and name == call:
                    raise ClientError({"Error": {"Code": "InternalError"}}, name)
                return answer

            return made

    version = any_version(KEY)
    try:
        suppressions.another_function(Crashing()).add(version, EMAILS, io.BytesIO(some_digests(seed=2)), 50)
    except RetryableError:
        assert suppressions.suppressed(some_digests(seed=1)) == 50
    suppressions.add(some_digests(seed=2), version=version)

    assert suppressions.suppressed(some_digests(seed=1) + some_digests(seed=2)) == 100
    assert suppressions.store.current().filters[EMAILS].count == 100
    suppressions.time += HOUR + 60
    suppressions.add(some_digests(seed=2), version=version)
    assert suppressions.stored_keys() == suppressions.named_keys()


def test_what_another_change_is_just_writing_is_left_alone(suppressions: SuppressionList) -> None:
    young = f"{prefix_of(EMAILS)}sources/1/2"
    suppressions.s3.put_object(Bucket="data", Key=young, Body=b"")
    suppressions.add(some_digests(seed=1))
    assert young in suppressions.stored_keys()

    suppressions.time += HOUR + 60
    suppressions.add(some_digests(seed=2))
    assert young not in suppressions.stored_keys()
    assert suppressions.suppressed(some_digests(seed=1)) == 50


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format": 2}', b"\xff", b"[" * 100_000])
def test_with_a_damaged_manifest_nothing_is_taken_for_allowed(suppressions: SuppressionList, content: bytes) -> None:
    suppressions.s3.put_object(Bucket="data", Key=MANIFEST_KEY, Body=content)

    for attempt in (suppressions.store.current, lambda: suppressions.add(some_digests())):
        with pytest.raises(FatalError, match="restore"):
            attempt()


def test_a_filter_that_is_missing_or_another_is_never_taken_for_an_empty_one(suppressions: SuppressionList) -> None:
    suppressions.add(some_digests())
    manifest = suppressions.store.current()
    key = manifest.filters[EMAILS].key

    suppressions.s3.put_object(Bucket="data", Key=key, Body=b"another")
    with pytest.raises(FatalError, match="overwritten"):
        suppressions.store.load_filter(manifest, EMAILS)

    suppressions.s3.delete_object(Bucket="data", Key=key)
    with pytest.raises(FatalError, match="missing"):
        suppressions.store.load_filter(manifest, EMAILS)

    suppressions.add(some_digests(seed=2))
    assert suppressions.suppressed(some_digests()) == 50


def test_a_filter_that_does_not_fit_the_manifest_is_refused(suppressions: SuppressionList) -> None:
    suppressions.add(some_digests())
    document = suppressions.store.current().to_document()
    document["filters"]["EMAIL_SHA256"]["count"] = 49

    with pytest.raises(FatalError, match="another list"):
        suppressions.store.load_filter(Manifest.from_document(document), EMAILS)


def test_digests_that_are_missing_or_altered_let_no_filter_be_built(suppressions: SuppressionList) -> None:
    suppressions.add(some_digests())
    [source] = suppressions.store.current().sources

    suppressions.s3.put_object(Bucket="data", Key=source.digests_key, Body=some_digests(49))
    with pytest.raises(FatalError, match="Restore"):
        suppressions.add(some_digests(seed=2))

    suppressions.s3.delete_object(Bucket="data", Key=source.digests_key)
    with pytest.raises(FatalError, match="delete marker"):
        suppressions.add(some_digests(seed=2))

    assert suppressions.suppressed(some_digests()) == 50


def test_a_large_source_is_stored_in_parts_whole(suppressions: SuppressionList) -> None:
    digests = some_digests(300_000)

    suppressions.add(digests)

    [source] = suppressions.store.current().sources
    stored = suppressions.s3.get_object(Bucket="data", Key=source.digests_key)
    assert stored["ETag"].endswith('-2"')
    assert stored["Body"].read() == digests


def test_the_manifest_holds_no_identifier(suppressions: SuppressionList) -> None:
    suppressions.add(some_digests(2))

    text = suppressions.s3.get_object(Bucket="data", Key=MANIFEST_KEY)["Body"].read().decode()

    assert json.loads(text)["filters"]["EMAIL_SHA256"]["count"] == 2
    assert some_digests(2)[:8].hex() not in text.lower()
