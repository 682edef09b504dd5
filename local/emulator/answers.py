"""How TikTok answers: the envelope, the codes and the texts that were recorded."""

import secrets
import time
from enum import IntEnum
from typing import Any

Json = dict[str, Any]


class Code(IntEnum):
    """The return codes that the emulator gives of its own accord (API reference section 1.5)."""

    OK = 0
    PARTIAL_SUCCESS = 20001
    NO_PERMISSION = 40001
    PARAMETER_ERROR = 40002
    INVALID_VERSION = 40051
    NOT_HASHED = 40062
    INVALID_PARTNER_NAME = 40063
    TOO_MANY_REQUESTS = 40100
    TOKEN_EXPIRED = 40102
    TOKEN_MISSING = 40104
    TOKEN_INVALID = 40105
    NOT_IN_ALLOW_LIST = 40118
    ROUTE_NOT_FOUND = 40400
    FILE_SIGNATURE_ERROR = 40900
    FILE_NOT_FOUND = 40905
    FILE_EMPTY = 40906
    FILE_TOO_LARGE = 40907
    FILE_TYPE_WRONG = 40908
    FILE_CALCULATE_TYPE_WRONG = 40909
    FILE_EXPIRED = 40910


class ApiError(Exception):
    """The call is refused with a code other than 0."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = int(code)
        self.message = message


def parameter_error(message: str) -> ApiError:
    """A 40002, whatever its cause."""
    return ApiError(Code.PARAMETER_ERROR, message)


def envelope(code: int, message: str, data: Json | None = None) -> Json:
    """The four members of every answer (API reference section 1.3)."""
    return {"code": int(code), "message": message, "request_id": _request_id(), "data": data or {}}


def _request_id() -> str:
    """UTC timestamp and upper-case hexadecimal characters, 34 in all (API reference section 1.3)."""
    return time.strftime("%Y%m%d%H%M%S", time.gmtime()) + secrets.token_hex(10).upper()


DOCUMENTED_EVENT_STATUSES = {
    Code.NO_PERMISSION: 400,
    Code.PARAMETER_ERROR: 400,
    Code.TOO_MANY_REQUESTS: 401,
    Code.TOKEN_EXPIRED: 401,
    Code.TOKEN_MISSING: 401,
    Code.TOKEN_INVALID: 401,
}
"""HTTP statuses of /event/track/ by the page on its errors; what was recorded is 200 (API reference section 1.4)."""


INJECTED_MESSAGES = {
    40016: "Too many requests. Please retry in some time.",
    40100: "Too many requests. Please retry in some time.",
    40105: "Access token is incorrect or has been revoked.",
    50000: "System error.",
    51003: "Internal service error.",
    51010: "Internal service timed out. Please retry in sometime.",
    60001: "Service maintenance: please retry later.",
}
"""Texts for codes that only a fault brings about; the recorded ones are in API reference section 1.5."""
