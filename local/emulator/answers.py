"""How TikTok answers: the envelope, the codes and the texts that were recorded."""

import secrets
import time
from enum import IntEnum
from typing import Any

Json = dict[str, Any]


class Code(IntEnum):
    """The return codes that the emulator gives of its own accord (API reference section 1.5)."""

    OK = 0
    NO_PERMISSION = 40001
    PARAMETER_ERROR = 40002
    INVALID_VERSION = 40051
    TOO_MANY_REQUESTS = 40100
    TOKEN_EXPIRED = 40102
    TOKEN_MISSING = 40104
    TOKEN_INVALID = 40105
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
