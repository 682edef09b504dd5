"""The histories of audiences in S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.aws.failures import aws_failures, error_code
from lambdas.contracts import STATUS_TAG

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MISSING = {"NoSuchKey", "404"}


class S3StatusFiles:
    """Each is an object that is written anew, under a tag by which S3 lets go of its older versions."""

    def __init__(self, client: S3Client, *, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read(self, key: str) -> bytes:
        """A file, empty when there is none or it was deleted. Raises RetryableError or FatalError."""
        with aws_failures("reading the history of an audience"):
            try:
                return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return b""
                raise

    def write(self, key: str, content: bytes) -> None:
        """Put a file in place of the one before. Raises RetryableError or FatalError."""
        name, value = STATUS_TAG
        with aws_failures("writing the history of an audience"):
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=content,
                ContentType="application/jsonl",
                Tagging=f"{name}={value}",
            )
