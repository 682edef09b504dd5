"""Errors, sorted by what the consumer of a queue does next.

Every error carries a stable ``reason`` (a code for machines, listed in the runbook) and a message for people that names
the thing and the remedy. No message holds an identifier or a token, or more than 300 characters of an answer.
"""

from __future__ import annotations


class ConnectorError(Exception):
    """Base of all errors that the connector raises on purpose.

    ``code`` is TikTok's return code, where one was given, and ``said`` its message, masked; ``listed`` is false when
    the code table does not know it.
    """

    reason = "connector_error"
    code: int | None = None
    said: str = ""
    listed: bool = True

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class RetryableError(ConnectorError):
    """Later: the record goes back to the queue. ``wait_seconds`` is a wait that is known to be needed, if any."""

    reason = "retryable"

    def __init__(self, message: str, *, reason: str | None = None, wait_seconds: float | None = None) -> None:
        super().__init__(message, reason=reason)
        self.wait_seconds = wait_seconds


class RateLimited(RetryableError):
    """TikTok counts too many requests. Nothing was carried out."""

    reason = "rate_limited"


class TikTokUnavailable(RetryableError):
    """TikTok failed, or no answer came. ``may_have_happened`` says whether the request may have been carried out."""

    reason = "tiktok_unavailable"

    def __init__(self, message: str, *, may_have_happened: bool, reason: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.may_have_happened = may_have_happened


class NotReady(RetryableError):
    """Something else has to finish first. No attempt has failed, so none is counted.

    ``longest_pause_seconds`` is the longest time until the next look, ``longest_wait_seconds`` the longest in all.
    """

    reason = "not_ready"
    longest_pause_seconds = 60.0
    longest_wait_seconds = 24 * 3600.0


class RepeatRefused(NotReady):
    """A newer change has to be carried out again, and TikTok does not take it: the audience is not as it should be."""

    reason = "repeat_refused"
    longest_pause_seconds = 300.0


class UnderWay(NotReady):
    """A large object is being prepared by other functions."""

    reason = "under_way"


class Unconfirmed(NotReady):
    """TikTok has accepted a change that it may not carry out, which shows hours later."""

    reason = "unconfirmed"
    longest_pause_seconds = 900.0
    longest_wait_seconds = 80 * 3600.0


class CreateUnsettled(RetryableError):
    """It is not known yet whether TikTok carried out a create."""

    reason = "create_unsettled"


class UnexpectedError(RetryableError):
    """A defect of ours. The message tells its kind and its place, never the data."""

    reason = "unexpected_error"


class FileExpired(RetryableError):
    """TikTok no longer knows an uploaded file (codes 40905 and 40910): upload it again."""

    reason = "file_expired"


class RejectedError(ConnectorError):
    """Never: the record goes to the dead-letter queue with its reason."""

    reason = "rejected"


class InvalidInput(RejectedError):
    """What the user gave does not fit: a key, a row, a format, a name."""

    reason = "invalid_input"


class PreparationFailed(RejectedError):
    """A part of a large object failed for good, after retries of its own. What is done is not done again."""

    reason = "preparation_failed"


class CredentialsNotSet(RejectedError):
    """The secret is not as it has to be: no retry can help before somebody fills it in."""

    reason = "credentials_not_set"


class CredentialsAwaited(CredentialsNotSet):
    """Nobody has filled the secret in since the first deployment."""


class TikTokRejected(RejectedError):
    """TikTok refuses the request itself, and would refuse it again."""

    reason = "tiktok_rejected"


class FatalError(ConnectorError):
    """Stop and wake someone: every other record would fail alike."""

    reason = "misconfigured"


class TokenRejected(FatalError):
    """TikTok does not accept the access token (expired, revoked, unknown)."""

    reason = "token_rejected"


class PermissionMissing(FatalError):
    """The token is good, but lacks a scope or a role on the advertiser."""

    reason = "permission_missing"
