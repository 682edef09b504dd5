"""Why a row is not sent, or a member of its user is left out. Pure. What to do about each: docs/event-files.md."""

from __future__ import annotations

from enum import StrEnum


class EventReason(StrEnum):
    """Stable codes for receipts, metrics and rejected events. Identifiers have ``identifiers.Reason`` besides."""

    # A line that is no row.
    NOT_UTF8 = "not_utf8"
    TOO_LONG = "too_long"
    WRONG_FIELD_COUNT = "wrong_field_count"
    BAD_QUOTES = "bad_quotes"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    REPEATED_KEY = "repeated_key"
    # What every event needs.
    BAD_CONSENT = "bad_consent"
    MISSING_EVENT = "missing_event"
    BAD_EVENT = "bad_event"
    MISSPELT_EVENT = "misspelt_event"
    UNKNOWN_EVENT = "unknown_event"
    MISSING_EVENT_TIME = "missing_event_time"
    BAD_EVENT_TIME = "bad_event_time"
    EVENT_TIME_WITHOUT_ZONE = "event_time_without_zone"
    TOO_OLD = "too_old"
    IN_FUTURE = "in_future"
    NO_IDENTIFIER = "no_identifier"
    # What its source needs.
    MISSING_PAGE_URL = "missing_page_url"
    MISSING_APP_ID = "missing_app_id"
    MISSING_LEAD_ID = "missing_lead_id"
    # What else it may hold.
    LIMITED_DATA_USE_UNSUPPORTED = "limited_data_use_unsupported"
    BAD_LIMITED_DATA_USE = "bad_limited_data_use"
    BAD_ATT_STATUS = "bad_att_status"
    BAD_PAGE_URL = "bad_page_url"
    BAD_REFERRER = "bad_referrer"
    BAD_VALUE = "bad_value"
    BAD_CURRENCY = "bad_currency"
    BAD_CONTENT_IDS = "bad_content_ids"
    CONTENT_ID_NOT_TEXT = "content_id_not_text"
    BAD_CONTENTS = "bad_contents"
    BAD_CONTENT_TYPE = "bad_content_type"
    BAD_NUM_ITEMS = "bad_num_items"
    BAD_CUSTOMER_TYPE = "bad_customer_type"
    BAD_AD = "bad_ad"
    # Texts of every kind, also in the user.
    NOT_TEXT = "not_text"
    BAD_TEXT = "bad_text"
    TOO_LONG_VALUE = "too_long_value"
    # Members of the user that are left out.
    NOT_HASHED = "not_hashed"
    TOO_MANY_VALUES = "too_many_values"
    BAD_IP = "bad_ip"
    BAD_LOCALE = "bad_locale"


class InvalidEvent(ValueError):
    """A row that is not sent. ``detail`` names the field and the remedy, and never holds a value of the row."""

    def __init__(self, reason: EventReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
