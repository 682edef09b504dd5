"""Turns AWS's failures into ours, so that a service sees the same classes whoever failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.tiktok.errors import FatalError, RetryableError

_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "403",
    "KMS.DisabledException",
    "KMS.NotFoundException",
    "DecryptionFailure",
    "InvalidRequestException",  # of a secret that is marked for deletion
    "ResourceNotFoundException",
    "NoSuchBucket",
    "AWS.SimpleQueueService.NonExistentQueue",
    "StateMachineDoesNotExist",
}


def error_code(error: ClientError) -> str:
    """AWS's error code."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def aws_failures(doing: str, remedy: str = "Deploy the stack again to mend its permissions.") -> Iterator[None]:
    """Translate what AWS raises inside. ``remedy`` is what a person can do when AWS refuses.

    Raises:
        FatalError: access is denied or a resource is missing; the deployment has to be mended.
        RetryableError: anything else.
    """
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        if code in _DENIED:
            raise FatalError(f"AWS refuses {doing}: {code}. {remedy}") from None
        raise RetryableError(f"AWS failed at {doing}: {code}.", reason="aws_unavailable") from None
    except BotoCoreError as error:
        raise RetryableError(f"AWS failed at {doing}: {type(error).__name__}.", reason="aws_unavailable") from None
