"""Names of events: TikTok's standard ones, and how a name in a row is taken. API reference section 6.3. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from lambdas.events.rows.reasons import EventReason, InvalidEvent
from lambdas.tiktok.models import EventSource

LONGEST_NAME = 100

_SALES = (
    "AddPaymentInfo AddToCart AddToWishlist ApplicationApproval CompleteRegistration Contact CustomizeProduct Download "
    "FindLocation InitiateCheckout Lead Purchase Schedule Search StartTrial SubmitApplication Subscribe ViewContent"
)
_LEGACY_WEB = "CompletePayment SubmitForm PlaceAnOrder ClickButton Pageview"
_APP = (
    "AchieveLevel AddPaymentInfo AddToCart AddToWishlist Checkout CompleteTutorial CreateGroup CreateRole GenerateLead "
    "InAppADClick InAppADImpr InstallApp JoinGroup LaunchAPP LoanApplication LoanApproval LoanDisbursal Login Purchase "
    "Rate Registration Search SpendCredits StartTrial Subscribe UnlockAchievement ViewContent"
)
STANDARD: Mapping[EventSource, tuple[str, ...]] = {
    EventSource.WEB: (*_SALES.split(), *_LEGACY_WEB.split()),
    EventSource.APP: tuple(_APP.split()),
    EventSource.OFFLINE: tuple(_SALES.split()),
    EventSource.CRM: tuple(_SALES.split()),
}
_ONLY_STANDARD = frozenset({EventSource.OFFLINE})
_SEPARATORS = re.compile(r"[\s_-]+")


def check_name(source: EventSource, name: str) -> str:
    """A name that can be sent as it is.

    Raises:
        InvalidEvent: ``bad_event``, ``misspelt_event`` (at TikTok it would silently be a custom event) or
            ``unknown_event``.
    """
    check_form(name)
    if name in STANDARD[source]:
        return name
    meant = _by_spelling(source).get(_spelling(name))
    if meant is not None:
        raise InvalidEvent(
            EventReason.MISSPELT_EVENT,
            f"TikTok spells this event {meant}. Write it so, or map it under `events` in source.json.",
        )
    if source in _ONLY_STANDARD:
        raise InvalidEvent(
            EventReason.UNKNOWN_EVENT,
            f"The event is none of TikTok's standard events, and {source} events have no others.",
        )
    return name


def check_mapped(source: EventSource, name: str) -> str:
    """A name that source.json leads to, which is taken as it is where there may be others than the standard ones.

    Raises InvalidEvent ``bad_event`` or ``unknown_event``.
    """
    return check_name(source, name) if source in _ONLY_STANDARD else check_form(name)


def check_form(name: str) -> str:
    """A name that could be one: not blank, printable, not too long. Raises InvalidEvent ``bad_event``."""
    if not name or name.isspace() or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidEvent(
            EventReason.BAD_EVENT, f"The name of the event is to be a text of 1 to {LONGEST_NAME} printable characters."
        )
    return name


def _spelling(name: str) -> str:
    return _SEPARATORS.sub("", name).casefold()


@functools.cache
def _by_spelling(source: EventSource) -> Mapping[str, str]:
    return {_spelling(name): name for name in STANDARD[source]}
