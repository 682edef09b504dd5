"""The table of all fields that a row may have: ours, TikTok's, of which sources, and in which form. Pure.

docs/event-files.md shows the same table to people. Sources and types: API reference section 6.1.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from lambdas.events.rows.reasons import EventReason
from lambdas.files.delimited import bare_name
from lambdas.tiktok.models import EventSource

HASHED = "_sha256"  # what the name of a twin ends with, whose values are hashed already


class Form(StrEnum):
    """How a value is read, in the words of the documentation."""

    CONSENT = "`granted` or `denied`"
    EVENT = "name of the event"
    TIME = "time"
    EVENT_ID = "text, as it is"
    YES_NO = "true or false"
    EMAIL = "e-mail address, hashed"
    PHONE = "phone number, hashed"
    EXTERNAL_ID = "text, hashed"
    IDFA = "device id, in upper case"
    GAID = "device id, in lower case"
    TOKEN = "token"  # noqa: S105 - of a click or a browser
    IP = "IPv4 or IPv6 address"
    LOCALE = "BCP 47 tag"
    ATT_STATUS = "word of Apple's"
    NAME = "name, hashed"
    ZIP_CODE = "zip code, hashed"
    PLACE = "place"
    COUNTRY = "country"
    TEXT = "text"
    URL = "URL"
    NUMBER = "number"
    SHARE = "number from 0 to 1"
    WHOLE = "whole number"
    CURRENCY = "ISO 4217 code"
    CONTENT_IDS = "list of texts"
    CONTENTS = "list of objects"
    CONTENT_TYPE = "`product` or `product_group`"
    CUSTOMER_TYPE = "`new` or `returning`"


@dataclass(frozen=True)
class Field:
    """One field. ``path`` is its place in TikTok's JSON, empty for what is not sent.

    ``bad`` is the reason of a value that does not have its form; None for texts and identifiers, whose reasons say more
    than the field. A field with a twin may come hashed, under its name (or an alias) with ``_sha256``.
    """

    name: str
    path: str
    sources: frozenset[EventSource]
    form: Form
    bad: EventReason | None = None
    aliases: tuple[str, ...] = ()
    has_twin: bool = False

    @property
    def group(self) -> str:
        """The object that holds the member, empty at the top."""
        return self.path.rpartition(".")[0]

    @property
    def member(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


_WEB, _APP = frozenset({EventSource.WEB}), frozenset({EventSource.APP})
_CRM = frozenset({EventSource.CRM})
_ONLINE = _WEB | _APP
_ALL = frozenset(EventSource)
_R, _F = EventReason, Form

_TABLE = (
    Field("consent", "", _ALL, _F.CONSENT, _R.BAD_CONSENT),
    Field("event", "event", _ALL, _F.EVENT, _R.BAD_EVENT),
    Field("event_time", "event_time", _ALL, _F.TIME, _R.BAD_EVENT_TIME),
    Field("event_id", "event_id", _ALL, _F.EVENT_ID),
    Field("limited_data_use", "limited_data_use", _ONLINE, _F.YES_NO, _R.BAD_LIMITED_DATA_USE),
    Field("email", "user.email", _ALL, _F.EMAIL, aliases=("email_address", "mail"), has_twin=True),
    Field("phone", "user.phone", _ALL, _F.PHONE, aliases=("phone_number",), has_twin=True),
    Field("external_id", "user.external_id", _WEB | _CRM, _F.EXTERNAL_ID, has_twin=True),
    Field("ttclid", "user.ttclid", _WEB, _F.TOKEN),
    Field("ttp", "user.ttp", _WEB, _F.TOKEN),
    Field("ip", "user.ip", _ONLINE, _F.IP, aliases=("ip_address",)),
    Field("user_agent", "user.user_agent", _ONLINE, _F.TOKEN),
    Field("idfa", "user.idfa", _APP, _F.IDFA, has_twin=True),
    Field("idfv", "user.idfv", _APP, _F.IDFA, has_twin=True),
    Field("gaid", "user.gaid", _APP, _F.GAID, aliases=("aaid",), has_twin=True),
    Field("locale", "user.locale", _ONLINE, _F.LOCALE),
    Field("att_status", "user.att_status", _APP, _F.ATT_STATUS, _R.BAD_ATT_STATUS),
    Field("first_name", "user.first_name", _ALL, _F.NAME, has_twin=True),
    Field("last_name", "user.last_name", _ALL, _F.NAME, has_twin=True),
    Field("zip_code", "user.zip_code", _ALL, _F.ZIP_CODE, aliases=("zip", "postal_code"), has_twin=True),
    Field("city", "user.city", _ALL, _F.PLACE),
    Field("state", "user.state", _ALL, _F.PLACE),
    Field("country", "user.country", _ALL, _F.COUNTRY),
    Field("content_ids", "properties.content_ids", _ALL, _F.CONTENT_IDS, _R.BAD_CONTENT_IDS),
    Field("contents", "properties.contents", _ALL, _F.CONTENTS, _R.BAD_CONTENTS),
    Field("content_type", "properties.content_type", _ALL, _F.CONTENT_TYPE, _R.BAD_CONTENT_TYPE),
    Field("currency", "properties.currency", _ALL, _F.CURRENCY, _R.BAD_CURRENCY),
    Field("value", "properties.value", _ALL, _F.NUMBER, _R.BAD_VALUE),
    Field("num_items", "properties.num_items", _ALL, _F.WHOLE, _R.BAD_NUM_ITEMS),
    Field("search_string", "properties.search_string", _ALL, _F.TEXT),
    Field("description", "properties.description", _ALL, _F.TEXT),
    Field("order_id", "properties.order_id", _ALL, _F.TEXT),
    Field("shop_id", "properties.shop_id", _ALL, _F.TEXT),
    Field("customer_type", "properties.customer_type", _ALL, _F.CUSTOMER_TYPE, _R.BAD_CUSTOMER_TYPE),
    Field("query", "properties.query", _ALL, _F.TEXT),
    Field("page_url", "page.url", _WEB, _F.URL, _R.BAD_PAGE_URL),
    Field("referrer", "page.referrer", _WEB, _F.URL, _R.BAD_REFERRER),
    Field("app_id", "app.app_id", _APP, _F.TEXT),
    Field("app_name", "app.app_name", _APP, _F.TEXT),
    Field("app_version", "app.app_version", _APP, _F.TEXT),
    Field("ad_callback", "ad.callback", _ONLINE, _F.TEXT),
    Field("ad_campaign_id", "ad.campaign_id", _ONLINE, _F.TEXT),
    Field("ad_id", "ad.ad_id", _ONLINE, _F.TEXT),
    Field("ad_creative_id", "ad.creative_id", _ONLINE, _F.TEXT),
    Field("ad_is_retargeting", "ad.is_retargeting", _ONLINE, _F.YES_NO, _R.BAD_AD),
    Field("ad_attributed", "ad.attributed", _ONLINE, _F.YES_NO, _R.BAD_AD),
    Field("ad_attribution_type", "ad.attribution_type", _ONLINE, _F.TEXT),
    Field("ad_attribution_provider", "ad.attribution_provider", _ONLINE, _F.TEXT),
    Field("ad_attribution_share", "ad.attribution_share", _ONLINE, _F.SHARE, _R.BAD_AD),
    Field("ad_attribution_value", "ad.attribution_value", _ONLINE, _F.NUMBER, _R.BAD_AD),
    Field("lead_id", "lead.lead_id", _CRM, _F.TEXT),
    Field("lead_event_source", "lead.lead_event_source", _CRM, _F.TEXT),
)

# By our names, in the order in which an event is sent.
FIELDS: Mapping[str, Field] = {field.name: field for field in _TABLE}

# Without these there is no event; the reason says which is missing.
REQUIRED: Mapping[str, tuple[frozenset[EventSource], EventReason]] = {
    "event": (_ALL, EventReason.MISSING_EVENT),
    "event_time": (_ALL, EventReason.MISSING_EVENT_TIME),
    "page_url": (_WEB, EventReason.MISSING_PAGE_URL),
    "app_id": (_APP, EventReason.MISSING_APP_ID),
    "lead_id": (_CRM, EventReason.MISSING_LEAD_ID),
}


@dataclass(frozen=True)
class Meaning:
    """What a name in a row stands for."""

    field: Field
    is_hashed: bool = False


def meaning_of(name: str) -> Meaning | None:
    """What a name stands for, as names are compared; None for one that is not known."""
    return _meanings().get(bare_name(name))


def is_consent(name: str) -> bool:
    """Whether a name stands for the word on consent."""
    meaning = meaning_of(name)
    return meaning is not None and meaning.field.name == "consent"


@functools.cache
def _meanings() -> Mapping[str, Meaning]:
    found: dict[str, Meaning] = {}
    for field in _TABLE:
        for name in (field.name, *field.aliases):
            found[bare_name(name)] = Meaning(field)
            if field.has_twin:
                found[bare_name(name + HASHED)] = Meaning(field, is_hashed=True)
    return found
