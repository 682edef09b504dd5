"""Objects and receipts in S3."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambdas.aws.failures import aws_failures, error_code
from lambdas.files.streams import ByteStream
from lambdas.objects import LARGEST_DOCUMENT, UNVERSIONED, ObjectVersion
from lambdas.tiktok.errors import InvalidInput

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef

_CHUNK_BYTES = 1 << 20
_PART_BYTES = 8 << 20
# A delete marker answers MethodNotAllowed when it is asked for by its version.
_MISSING = {"NoSuchKey", "NoSuchVersion", "404", "MethodNotAllowed"}
_READ_REMEDY = "Was it encrypted with another key than the bucket's? If not, deploy the stack again."


class S3ObjectStore:
    """Reads versions of objects from any bucket it is told of; writes documents into one bucket."""

    def __init__(self, client: S3Client, *, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    @contextmanager
    def read(self, version: ObjectVersion, span: tuple[int, int] | None = None) -> Iterator[Iterator[bytes]]:
        """Stream one version of an object in chunks of 1 MiB, whole or the bytes ``span[0]`` up to ``span[1]``.

        Raises:
            InvalidInput: ``object_missing``: it was deleted, or has expired.
            RetryableError, FatalError: see ``aws_failures``.
        """
        request: GetObjectRequestTypeDef = {"Bucket": version.bucket, "Key": version.key}
        if version.version_id != UNVERSIONED:
            request["VersionId"] = version.version_id
        if span is not None:
            request["Range"] = f"bytes={span[0]}-{span[1] - 1}"
        with aws_failures("reading the object", _READ_REMEDY):
            try:
                body = self._client.get_object(**request)["Body"]
            except ClientError as error:
                if error_code(error) in _MISSING:
                    raise InvalidInput(
                        "The object is gone: it was deleted or has expired. Upload it again.", reason="object_missing"
                    ) from None
                raise
            try:
                yield body.iter_chunks(_CHUNK_BYTES)
            finally:
                body.close()

    def read_current(self, key: str) -> bytes | None:
        """The current version of an object of the bucket, or None when there is none or its last one was deleted.

        Of an object above 64 KiB only that and a byte more, by which the reader sees that it is too large. Raises
        RetryableError or FatalError.
        """
        with aws_failures("reading settings", _READ_REMEDY):
            try:
                body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return None
                raise
            try:
                return body.read(LARGEST_DOCUMENT + 1)
            finally:
                body.close()

    def write_stream(self, key: str, chunks: Iterable[bytes]) -> None:
        """Write an object of whatever size, from chunks that are made as it is written.

        Raises RetryableError or FatalError, and what the chunks raise.
        """
        # Imported only where something is written back: it is a part of the cold start.
        from boto3.s3.transfer import TransferConfig

        # One part after the other, or memory would hold ten of them.
        one_by_one = TransferConfig(multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, use_threads=False)
        with aws_failures("writing an object"):
            self._client.upload_fileobj(
                io.BufferedReader(ByteStream(iter(chunks))),
                self._bucket,
                key,
                ExtraArgs={"ContentType": "application/x-ndjson"},
                Config=one_by_one,
            )

    def write_json(self, key: str, document: Mapping[str, Any] | Sequence[Any]) -> None:
        """Write a document. Raises RetryableError or FatalError."""
        with aws_failures("writing a document"):
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=json.dumps(document, ensure_ascii=False, indent=2).encode(errors="replace"),
                ContentType="application/json",
            )
