"""Why a row is not sent. Pure."""

from __future__ import annotations

from enum import StrEnum


class RowReason(StrEnum):
    """Why a row, or a field of a row, is not sent. Raw values have the reasons of ``identifiers.Reason`` besides."""

    PLAIN_EMAIL = "plain_email"
    PLAIN_PHONE = "plain_phone"
    PLAIN_DEVICE_ID = "plain_device_id"
    NOT_UTF8 = "not_utf8"
    TOO_LONG = "too_long"
    SEVERAL_COLUMNS = "several_columns"
    WRONG_LENGTH = "wrong_length"
    NOT_HEX = "not_hex"
    NO_IDENTIFIER = "no_identifier"
    WRONG_FIELD_COUNT = "wrong_field_count"
    BAD_QUOTES = "bad_quotes"
    NOT_JSON = "not_json"
    NOT_TEXT = "not_text"
    TOO_MANY_VALUES = "too_many_values"
    BAD_AUDIENCE_NAME = "bad_audience_name"


PLAIN_REASONS = frozenset({RowReason.PLAIN_EMAIL, RowReason.PLAIN_PHONE, RowReason.PLAIN_DEVICE_ID})
