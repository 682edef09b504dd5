"""The token and the advertiser ids, from Secrets Manager."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lambdas.aws.failures import aws_failures
from lambdas.contracts import (
    ACCESS_TOKEN_KEY,
    ADVERTISER_ALIAS,
    ADVERTISER_ID_KEY,
    ADVERTISERS_KEY,
    CREDENTIAL_PLACEHOLDER,
)
from lambdas.tiktok.errors import CredentialsAwaited, CredentialsNotSet, InvalidInput
from lambdas.tiktok.models import Credentials

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_MOST_NAMED = 20  # aliases in a message


@dataclass(frozen=True)
class _Secret:
    """The secret's content. ``advertisers`` holds advertiser ids by alias."""

    access_token: str = field(repr=False)
    advertiser_id: str
    advertisers: Mapping[str, str]


class SecretCredentials:
    """Reads the secret once, keeps it for the life of the function, and reads it again when told to."""

    def __init__(self, client: SecretsManagerClient, *, secret_id: str) -> None:
        self._client = client
        self._secret_id = secret_id
        self._cached: _Secret | None = None

    def current(self, advertiser: str | None = None) -> Credentials:
        """The credentials, from the cache if they were read before. ``advertiser`` is an alias; None: the main one.

        Raises as ``refresh``.
        """
        cached = self._cached
        # An alias that the cache does not know may have been added since.
        if cached is None or (advertiser is not None and advertiser not in cached.advertisers):
            return self.refresh(advertiser)
        return self._choose(cached, advertiser)

    def refresh(self, advertiser: str | None = None) -> Credentials:
        """The credentials, read now.

        Raises:
            CredentialsNotSet: the secret holds placeholders (CredentialsAwaited) or is not the expected JSON.
            InvalidInput: ``unknown_advertiser``: the secret has no such alias.
            RetryableError, FatalError: see ``aws_failures``.
        """
        self._cached = None
        with aws_failures("reading the secret with TikTok's credentials"):
            text = self._client.get_secret_value(SecretId=self._secret_id).get("SecretString", "")
        self._cached = self._parse(text)
        return self._choose(self._cached, advertiser)

    def advertisers(self) -> tuple[Credentials, ...]:
        """The credentials of every advertiser, read now, the main one first, each once. Raises as ``refresh``."""
        main = self.refresh()
        assert self._cached is not None
        ids = dict.fromkeys((main.advertiser_id, *self._cached.advertisers.values()))
        return tuple(Credentials(main.access_token, advertiser_id) for advertiser_id in ids)

    def _choose(self, secret: _Secret, advertiser: str | None) -> Credentials:
        if advertiser is None:
            return Credentials(secret.access_token, secret.advertiser_id)
        advertiser_id = secret.advertisers.get(advertiser)
        if advertiser_id is None:
            known = sorted(secret.advertisers)
            listed = ", ".join(known[:_MOST_NAMED]) + (" and more" if len(known) > _MOST_NAMED else "")
            raise InvalidInput(
                f"The secret {self._name} knows no advertiser {advertiser!r}; its {ADVERTISERS_KEY} are: "
                f"{listed or 'none'}. Add it there, or mend the audience's settings, then replay.",
                reason="unknown_advertiser",
            )
        return Credentials(secret.access_token, advertiser_id)

    def _parse(self, text: str) -> _Secret:
        try:
            values = json.loads(text)
            token, advertiser_id = (str(values[key]).strip() for key in (ACCESS_TOKEN_KEY, ADVERTISER_ID_KEY))
            advertisers = values.get(ADVERTISERS_KEY, {})
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise self._not_set("is not a JSON object with both keys") from None
        if CREDENTIAL_PLACEHOLDER in (token, advertiser_id):
            raise self._not_set("still holds the deployment's placeholders", CredentialsAwaited)
        if not token or not advertiser_id:
            raise self._not_set("has an empty value")
        if not _is_id(advertiser_id):
            raise self._not_set(f"has an {ADVERTISER_ID_KEY} that is not a number")
        if not (token.isascii() and token.isprintable()):
            raise self._not_set(f"has an {ACCESS_TOKEN_KEY} with characters that no token has")
        return _Secret(token, advertiser_id, self._parse_advertisers(advertisers))

    def _parse_advertisers(self, advertisers: object) -> dict[str, str]:
        if not isinstance(advertisers, dict):
            raise self._not_set(f"has {ADVERTISERS_KEY} that are not a JSON object of advertiser ids by alias")
        # Aliases come into messages, so nothing but an alias may look like one.
        if not all(re.fullmatch(ADVERTISER_ALIAS, alias) for alias in advertisers):
            raise self._not_set(
                f"has {ADVERTISERS_KEY} with an alias that is not 1 to 64 letters of ASCII, digits or any of _ . -"
            )
        ids = {alias: str(advertiser_id).strip() for alias, advertiser_id in advertisers.items()}
        if wrong := [alias for alias, advertiser_id in ids.items() if not _is_id(advertiser_id)]:
            raise self._not_set(f"has {ADVERTISERS_KEY} whose ids are not numbers ({', '.join(wrong[:_MOST_NAMED])})")
        return ids

    def _not_set(self, problem: str, kind: type[CredentialsNotSet] = CredentialsNotSet) -> CredentialsNotSet:
        return kind(
            f"The secret {self._name} {problem}. Put TikTok's {ACCESS_TOKEN_KEY} and {ADVERTISER_ID_KEY} into it "
            "(README, section Deploy), then replay."
        )

    @property
    def _name(self) -> str:
        # The ARN ends in the name and six characters of Secrets Manager's own.
        return re.sub(r"-\w{6}$", "", self._secret_id.rsplit(":", 1)[-1])


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit()
