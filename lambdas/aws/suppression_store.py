"""The suppression list in S3: digests of every source, a filter for each space, and the manifest that says what counts.

A change writes new objects under new names first, and the manifest last, on condition that it still is the one that the
change began with. So a reader never meets half a change, and of two changes at once one has to begin again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import quote
from uuid import uuid4

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from lambdas.aws.failures import aws_failures, error_code
from lambdas.identifiers.models import IdentifierSpace
from lambdas.objects import ObjectVersion
from lambdas.suppressions.filter import SuppressionFilter
from lambdas.suppressions.models import (
    MANIFEST_KEY,
    Manifest,
    Source,
    StoredFilter,
    digests_prefix,
    prefix_of,
)
from lambdas.tiktok.errors import FatalError, NotReady

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

_CHUNK_BYTES = 1 << 20
# One part after the other, or memory would hold ten of them.
_TRANSFER = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=8 << 20, use_threads=False)
_MISSING = {"NoSuchKey", "404"}
_ALTERED = "PreconditionFailed"
# Another manifest is there, another is just being written, or (on deletion by hand) none is there any more.
_OVERTAKEN = {_ALTERED, "ConditionalRequestConflict", *_MISSING}
# Metadata takes 2 KB in all, and a key can have 1,024 bytes, each of them three when quoted.
_LONGEST_QUOTED_KEY = 1024
# Longer than any function runs: what nobody refers to by then was left behind.
_ABANDONED_AFTER_SECONDS = 3600


class S3SuppressionStore:
    """One suppression list, in one versioned bucket. ``now`` gives seconds since the epoch.

    Keeps the filters that it has loaded: one for each space, 2 bytes an entry.
    All methods raise RetryableError and FatalError: see ``aws_failures``.
    """

    def __init__(self, client: S3Client, *, bucket: str, now: Callable[[], float]) -> None:
        self._client = client
        self._bucket = bucket
        self._now = now
        self._loaded: dict[IdentifierSpace, tuple[StoredFilter, SuppressionFilter]] = {}

    def current(self) -> Manifest:
        """The list as it is now, in one request; empty when there never was one.

        Raises:
            FatalError: the manifest cannot be understood, so that nobody knows what is suppressed.
        """
        return self._read_manifest()[0]

    def load_filter(self, manifest: Manifest, space: IdentifierSpace) -> SuppressionFilter | None:
        """The filter of a space, or None when nothing is suppressed there. Loaded once for every change of the space.

        Raises:
            NotReady: the list has changed since the manifest was read: begin again with ``current``.
            FatalError: the filter is missing or damaged.
        """
        stored = manifest.filters.get(space)
        if stored is None:
            self._loaded.pop(space, None)
            return None
        if space in self._loaded and self._loaded[space][0] == stored:
            return self._loaded[space][1]
        # Before the new one comes, or there would be two for a moment.
        self._loaded.pop(space, None)
        damaged = f"The filter of suppressed identifiers {stored.key} cannot be used"
        with aws_failures("reading the filter of suppressed identifiers"):
            try:
                body = self._client.get_object(Bucket=self._bucket, Key=stored.key, IfMatch=stored.etag)["Body"]
            except ClientError as error:
                if error_code(error) in _MISSING:
                    raise self._gone(manifest, stored.key) from None
                if error_code(error) == _ALTERED:
                    raise FatalError(f"{damaged}: somebody has overwritten it. {_rebuild(space)}") from None
                raise
            with closing(body):
                content = body.read()
        try:
            suppression = SuppressionFilter.from_bytes(content)
            if (suppression.count, suppression.digest_bytes) != (stored.count, space.digest_bytes):
                raise ValueError("It is the filter of another list.")
        except ValueError as error:
            raise FatalError(f"{damaged}. {error} {_rebuild(space)}") from None
        self._loaded[space] = (stored, suppression)
        return suppression

    def add(self, version: ObjectVersion, space: IdentifierSpace, digests: IO[bytes], count: int) -> Manifest:
        """Suppress the ``count`` packed digests of a file, from where it is read next; boto3 may close it.

        The same version again changes nothing, whatever its digests. Needs the memory of the filter of the space and
        of a few parts of 8 MiB.

        Raises:
            ValueError: the digests are not ``count``.
            NotReady: another change came first: begin again.
            FatalError: the digests of an earlier source are missing or damaged.
        """
        before, etag = self._read_manifest()
        if before.find(version.id, space):
            self._sweep(before, space)
            return before
        revision = uuid4().hex
        source = Source(
            space=space,
            bucket=version.bucket,
            key=version.key,
            version_id=version.version_id,
            count=count,
            arrived_at=version.arrived_at,
            added_at=_timestamp(self._now()),
            digests_key=digests_prefix(space, version.id) + revision,
        )
        self._upload(source, digests)
        return self._change(before, etag, revision, space, (*before.sources_of(space), source))

    def remove(self, source_id: str, space: IdentifierSpace) -> Manifest:
        """Let a source's digests go for good; what no other source holds may be sent again. Changes nothing if unknown.

        Raises:
            NotReady: another change came first: begin again.
            FatalError: the digests of another source are missing or damaged.
        """
        before, etag = self._read_manifest()
        if not before.find(source_id, space):
            self._sweep(before, space)
            return before
        sources = tuple(source for source in before.sources_of(space) if source.id != source_id)
        return self._change(before, etag, uuid4().hex, space, sources)

    def _change(
        self, before: Manifest, etag: str | None, revision: str, space: IdentifierSpace, sources: tuple[Source, ...]
    ) -> Manifest:
        stored = self._put_filter(before, f"{prefix_of(space)}filters/{revision}", space, sources) if sources else None
        after = before.changed(revision, space, sources, stored)
        current = after if self._put_manifest(after, etag) else self.current()
        # Of the keys of both, the outdated ones, or our own new ones when we were overtaken.
        self._sweep(current, space, *_keys(before), *_keys(after))
        # When the answer to a successful write is lost, boto3 tries once more and is overtaken by itself.
        if current.revision != revision:
            raise NotReady("Another change of the suppression list came first.")
        return current

    def _read_manifest(self) -> tuple[Manifest, str | None]:
        """The manifest and its ETag."""
        with aws_failures("reading the suppression list's manifest"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=MANIFEST_KEY)
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return Manifest(), None
                raise
            with closing(answer["Body"]) as body:
                content = body.read()
        try:
            return Manifest.from_document(json.loads(content)), answer["ETag"]
        except (ValueError, RecursionError):
            raise FatalError(
                f"{MANIFEST_KEY} is damaged, or was written by another version of the connector: what is suppressed is "
                "not known. Deploy the newest version, or restore the object's last good version."
            ) from None

    def _put_manifest(self, manifest: Manifest, etag: str | None) -> bool:
        """Write the manifest, unless it is no longer the one with this ETag. Says whether it was written."""
        request: PutObjectRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": MANIFEST_KEY,
            "Body": json.dumps(manifest.to_document(), indent=2).encode(),
            "ContentType": "application/json",
        }
        if etag is None:
            request["IfNoneMatch"] = "*"
        else:
            request["IfMatch"] = etag
        with aws_failures("writing the suppression list's manifest"):
            try:
                self._client.put_object(**request)
            except ClientError as error:
                if error_code(error) in _OVERTAKEN:
                    return False
                raise
        return True

    def _upload(self, source: Source, digests: IO[bytes]) -> None:
        # The manifest is the truth; this is for those who have only the object.
        metadata = {
            "source-key": quote(source.key)[:_LONGEST_QUOTED_KEY],
            "source-version": source.version_id,
            "count": str(source.count),
            "arrived-at": quote(source.arrived_at, safe=":"),
        }
        with aws_failures("storing suppressed identifiers"):
            self._client.upload_fileobj(
                digests, self._bucket, source.digests_key, ExtraArgs={"Metadata": metadata}, Config=_TRANSFER
            )
            size = self._client.head_object(Bucket=self._bucket, Key=source.digests_key)["ContentLength"]
        expected = source.count * source.space.digest_bytes
        if size != expected:
            raise ValueError(f"{source.count} digests of {source.space} are {expected} bytes, but {size} came.")

    def _put_filter(
        self, before: Manifest, key: str, space: IdentifierSpace, sources: tuple[Source, ...]
    ) -> StoredFilter:
        count = sum(source.count for source in sources)
        with aws_failures("building the filter of suppressed identifiers"):
            blocks = (block for source in sources for block in self._read_digests(before, source))
            # Whether bytes or a bytearray is all the same to boto3, and a copy would be another 2 bytes an entry.
            content = cast(bytes, SuppressionFilter.build(blocks, space.digest_bytes, count).to_bytes())
            answer = self._client.put_object(Bucket=self._bucket, Key=key, Body=content)
        return StoredFilter(key=key, etag=answer["ETag"], count=count, size=len(content))

    def _read_digests(self, before: Manifest, source: Source) -> Iterator[bytes]:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=source.digests_key)
        except ClientError as error:
            if error_code(error) in _MISSING:
                raise self._gone(before, source.digests_key) from None
            raise
        with closing(answer["Body"]) as body:
            if answer["ContentLength"] != source.count * source.space.digest_bytes:
                raise FatalError(
                    f"{source.digests_key} does not hold the {source.count} suppressed identifiers of {source.key} any "
                    "more. Restore the object's first version."
                )
            yield from body.iter_chunks(_CHUNK_BYTES)

    def _gone(self, manifest: Manifest, key: str) -> NotReady | FatalError:
        """What it means that an object of this manifest is missing."""
        if self.current().revision != manifest.revision:
            return NotReady("The suppression list has changed meanwhile.")
        return FatalError(f"{key}, a part of the suppression list, is missing. Remove its delete marker in S3.")

    def _sweep(self, manifest: Manifest, space: IdentifierSpace, *known: str) -> None:
        """Delete for good what the manifest does not name, of known keys and of all that have been there for long.

        A young key that is not known may be that of a change under way.
        """
        used = _keys(manifest)
        limit = self._now() - _ABANDONED_AFTER_SECONDS
        with aws_failures("deleting outdated parts of the suppression list"):
            pages = self._client.get_paginator("list_object_versions")
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix_of(space)):
                for entry in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                    key = entry["Key"]
                    if key not in used and (key in known or entry["LastModified"].timestamp() < limit):
                        self._client.delete_object(Bucket=self._bucket, Key=key, VersionId=entry["VersionId"])


def _keys(manifest: Manifest) -> set[str]:
    """The keys of everything that counts."""
    return {source.digests_key for source in manifest.sources} | {kept.key for kept in manifest.filters.values()}


def _rebuild(space: IdentifierSpace) -> str:
    return f"Upload another suppression file of a format of {space}: that builds it anew."


def _timestamp(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
