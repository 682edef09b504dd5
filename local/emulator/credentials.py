"""Who may call: access tokens, the advertisers they reach and the scopes they carry."""

from dataclasses import dataclass
from enum import StrEnum

DEFAULT_ACCESS_TOKEN = "emulator-access-token"  # noqa: S105 - opens nothing but the emulator
DEFAULT_ADVERTISER_ID = "7000000000000000001"
DEFAULT_APP_ID = "emulator-app"


class Scope(StrEnum):
    """The permissions that the emulated endpoints ask for (API reference section 2.3)."""

    WRITE_AUDIENCES = "write_audiences"
    READ_AUDIENCES = "read_audiences"
    READ_ADVERTISERS = "read_advertisers"
    MANAGE_EVENT_SOURCES = "manage_event_sources"
    SEND_EVENTS = "send_events"

    @property
    def title_at_tiktok(self) -> str:
        """The name under which the developer grants it."""
        return _TITLES[self]


_TITLES = {
    Scope.WRITE_AUDIENCES: "Audience Management > Create and Update Custom Audiences",
    Scope.READ_AUDIENCES: "Audience Management > Read Custom Audiences",
    Scope.READ_ADVERTISERS: "Ad Account Management > Ad Account Information > Read",
    Scope.MANAGE_EVENT_SOURCES: "Measurement > Event Sources",
    Scope.SEND_EVENTS: "Measurement > Events",
}


class TokenState(StrEnum):
    """A revoked token answers 40105, an expired one 40102."""

    ACTIVE = "active"
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass
class AccessToken:
    """A token, and what it opens. Rate limits are counted for its app."""

    value: str
    advertiser_ids: list[str]
    scopes: list[Scope]
    state: TokenState = TokenState.ACTIVE
    app_id: str = DEFAULT_APP_ID
