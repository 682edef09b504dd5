"""How every pipeline uses the credentials that a person keeps in the secret. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from lambdas.tiktok.errors import PermissionMissing, TikTokRejected, TokenRejected

if TYPE_CHECKING:
    from lambdas.ports import CredentialSource
    from lambdas.tiktok.models import Credentials

T = TypeVar("T")


def with_credentials(source: CredentialSource, advertiser: str | None, act: Callable[[Credentials], T]) -> T:
    """Act with the credentials, and once more if TikTok refuses and the secret was mended since it was read.

    ``advertiser`` is an alias of the secret. Raises what ``act`` and the source raise.
    """
    used = source.current(advertiser)
    try:
        return act(used)
    except (TokenRejected, PermissionMissing, TikTokRejected):
        mended = source.refresh(advertiser)
        if mended == used:
            raise
        return act(mended)
