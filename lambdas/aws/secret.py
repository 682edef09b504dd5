"""The token and the advertiser id, from Secrets Manager."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from lambdas.aws.failures import aws_failures
from lambdas.contracts import ACCESS_TOKEN_KEY, ADVERTISER_ID_KEY, CREDENTIAL_PLACEHOLDER
from lambdas.tiktok.errors import CredentialsNotSet
from lambdas.tiktok.models import Credentials

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class SecretCredentials:
    """Reads the secret once, keeps it for the life of the function, and reads it again when told to."""

    def __init__(self, client: SecretsManagerClient, *, secret_id: str) -> None:
        self._client = client
        self._secret_id = secret_id
        self._cached: Credentials | None = None

    def current(self) -> Credentials:
        """The credentials, from the cache if they were read before. Raises as ``refresh``."""
        return self._cached or self.refresh()

    def refresh(self) -> Credentials:
        """The credentials, read now.

        Raises:
            CredentialsNotSet: the secret holds placeholders or is not the expected JSON.
            RetryableError, FatalError: see ``aws_failures``.
        """
        self._cached = None
        with aws_failures("reading the secret with TikTok's credentials"):
            text = self._client.get_secret_value(SecretId=self._secret_id).get("SecretString", "")
        self._cached = self._parse(text)
        return self._cached

    def _parse(self, text: str) -> Credentials:
        try:
            values = json.loads(text)
            token, advertiser_id = (str(values[key]).strip() for key in (ACCESS_TOKEN_KEY, ADVERTISER_ID_KEY))
        except (ValueError, KeyError, TypeError):
            raise self._not_set("is not a JSON object with both keys") from None
        if not token or not advertiser_id or CREDENTIAL_PLACEHOLDER in (token, advertiser_id):
            raise self._not_set("still holds the deployment's placeholders")
        if not (advertiser_id.isascii() and advertiser_id.isdigit()):
            raise self._not_set(f"has an {ADVERTISER_ID_KEY} that is not a number")
        if not (token.isascii() and token.isprintable()):
            raise self._not_set(f"has an {ACCESS_TOKEN_KEY} with characters that no token has")
        return Credentials(token, advertiser_id)

    def _not_set(self, problem: str) -> CredentialsNotSet:
        # The ARN ends in the name and six characters of Secrets Manager's own.
        name = re.sub(r"-\w{6}$", "", self._secret_id.rsplit(":", 1)[-1])
        return CredentialsNotSet(
            f"The secret {name} {problem}. Put TikTok's {ACCESS_TOKEN_KEY} and {ADVERTISER_ID_KEY} into it "
            "(README, section Deploy), then replay."
        )
