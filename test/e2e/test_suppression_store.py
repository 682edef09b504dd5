"""The suppression list in the embedded AWS, as several functions at once change and read it."""

from __future__ import annotations

import io
import random
import time
from concurrent.futures import ThreadPoolExecutor

from lambdas.aws.suppression_store import S3SuppressionStore
from lambdas.identifiers.models import IdentifierSpace
from lambdas.suppressions.models import MANIFEST_KEY
from lambdas.tiktok.errors import NotReady
from local.cloud.embedded_aws import EmbeddedAws
from test.support.aws_resources import a_bucket, a_key
from test.support.builders import any_version

SPACES = (IdentifierSpace.EMAIL_SHA256, IdentifierSpace.DEVICE_MD5)
COUNT = 2_000


def some_digests(number: int, space: IdentifierSpace) -> bytes:
    return random.Random(number).randbytes(COUNT * space.digest_bytes)  # noqa: S311 - no secret


def test_of_changes_at_the_same_time_none_is_lost(aws: EmbeddedAws) -> None:
    bucket = a_bucket(aws, key=a_key(aws))
    versions = [any_version(f"suppression/any/{number}.csv", bucket=bucket) for number in range(4)]

    def as_a_function(number: int) -> None:
        """Adds its file to both spaces, and its neighbour's as well, beginning again when it was overtaken."""
        store = S3SuppressionStore(aws.client("s3"), bucket=bucket, now=time.time)
        work = [(each, space) for each in (number, (number + 1) % len(versions)) for space in SPACES]
        while work:
            each, space = work[-1]
            try:
                store.add(versions[each], space, io.BytesIO(some_digests(each, space)), COUNT)
            except NotReady:
                continue
            work.pop()

    with ThreadPoolExecutor(len(versions)) as pool:
        list(pool.map(as_a_function, range(len(versions))))

    store = S3SuppressionStore(aws.client("s3"), bucket=bucket, now=time.time)
    manifest = store.current()
    for space in SPACES:
        suppression = store.load_filter(manifest, space)
        assert suppression is not None
        assert suppression.count == COUNT * len(versions)
        for each in range(len(versions)):
            assert suppression.positions(some_digests(each, space)) == list(range(COUNT))

    named = {source.digests_key for source in manifest.sources} | {kept.key for kept in manifest.filters.values()}
    listed = aws.client("s3").list_object_versions(Bucket=bucket, Prefix="suppression-list/")
    assert {entry["Key"] for entry in listed["Versions"]} == named | {MANIFEST_KEY}
    assert not listed.get("DeleteMarkers")
