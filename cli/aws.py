"""AWS as the commands see it: clients, and what to do when it refuses."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import click
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

# An operator waits for the answer: better a clear failure soon. AWS_MAX_ATTEMPTS still counts.
_CONFIG = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard"})
_LONGEST_MESSAGE = 300

_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, TokenRetrievalError, SSOError)
_CREDENTIALS_REFUSED = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_DENIED = {"403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
_KEY_DENIED = {"KmsAccessDenied", "KMS.AccessDeniedException"}
_GONE = {"NoSuchBucket", "QueueDoesNotExist", "NonExistentQueue"}


def _new_client(service: str) -> Any:
    try:
        # boto3 itself reads AWS_DEFAULT_REGION only; every other tool of AWS prefers AWS_REGION.
        session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
        return session.client(service, config=_CONFIG)  # type: ignore[call-overload]  # any service
    except ValueError as error:  # what botocore raises for an address that is none
        raise click.ClickException(f"{error}. Correct AWS_ENDPOINT_URL.") from None


@dataclass(frozen=True)
class Aws:
    """Where the clients come from, and for how long a receive call waits for messages."""

    client: Callable[[str], Any] = _new_client
    poll_seconds: int = 1


pass_aws = click.make_pass_decorator(Aws, ensure=True)


def error_code(error: ClientError) -> str:
    """AWS's error code, without the prefix of older services."""
    return str(error.response.get("Error", {}).get("Code", "")).removeprefix("AWS.SimpleQueueService.")


def explain(error: BotoCoreError | ClientError) -> str:
    """One line for the operator: what failed, and the remedy."""
    if isinstance(error, ClientError):
        return _explain_answer(error)
    if isinstance(error, ProfileNotFound):
        return f"{_line(error)}. Set AWS_PROFILE to a profile of your AWS configuration, or unset it."
    if isinstance(error, _NO_CREDENTIALS):
        return (
            f"There are no usable AWS credentials ({_line(error)}). Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or sign in again."
        )
    if isinstance(error, NoRegionError):
        return "No AWS region is chosen. Set AWS_REGION to the region that the stack is deployed in."
    if isinstance(error, SSLError):
        return f"{_line(error)}. If the endpoint has a certificate of its own, set AWS_CA_BUNDLE to its authority."
    if isinstance(error, BotoConnectionError | HTTPClientError):
        return f"{_line(error)}. Check the network, AWS_ENDPOINT_URL, AWS_CA_BUNDLE and AWS_REGION."
    return f"{_line(error)}. Check the AWS configuration."


def _explain_answer(error: ClientError) -> str:
    code, call = error_code(error), error.operation_name
    if code in _CREDENTIALS_REFUSED:
        return f"AWS does not accept the credentials ({call}: {code}). Sign in again, or choose another AWS_PROFILE."
    if code in _DENIED:
        return f"AWS denies {call} to these credentials. Ask for the right to it, or choose another AWS_PROFILE."
    if code in _KEY_DENIED:
        return (
            f"AWS denies {call} to these credentials: they may not use the stack's key. Ask for kms:Decrypt and "
            "kms:GenerateDataKey on it, or choose another AWS_PROFILE."
        )
    if code in _GONE:
        return f"{call}: what the stack names does not exist any more ({code}). Deploy the stack again."
    message = " ".join(str(error.response.get("Error", {}).get("Message", "")).split())[:_LONGEST_MESSAGE]
    return f"AWS failed at {call} ({code}{': ' if message else ''}{message}). Try again later."


def _line(error: BotoCoreError) -> str:
    return " ".join(str(error).split())[:_LONGEST_MESSAGE].rstrip(".")
