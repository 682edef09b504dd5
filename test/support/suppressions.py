"""The suppression list, as a file would have filled it."""

from __future__ import annotations

import hashlib
import io

from lambdas.aws.suppression_store import S3SuppressionStore
from lambdas.identifiers.models import IdentifierSpace
from lambdas.objects import ObjectVersion
from test.support.stage import BUCKET, Stage


def suppress(stage: Stage, space: IdentifierSpace, *texts: str) -> None:
    """Put the hashes of texts on the list, as a file below ``suppression/`` would."""
    hasher = hashlib.md5 if space is IdentifierSpace.DEVICE_MD5 else hashlib.sha256
    digests = b"".join(hasher(text.encode()).digest() for text in texts)
    version = ObjectVersion(BUCKET, f"suppression/{space}/{texts[0]}", "1", 1, "2026-11-21T12:00:00Z")
    store = S3SuppressionStore(stage.s3, bucket=BUCKET, now=stage.clock.now)
    store.add(version, space, io.BytesIO(digests), len(texts))
