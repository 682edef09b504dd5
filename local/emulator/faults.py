"""Misbehaviour on order: what the control plane asked some of the next calls to suffer."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What happens to the call. All but the last two keep it from changing anything, `slow` apart."""

    CODE = "code"
    HTTP = "http"
    SLOW = "slow"
    TIMEOUT = "timeout"
    DROP_BEFORE_COMMIT = "drop_before_commit"
    DROP_AFTER_COMMIT = "drop_after_commit"


class InvalidFaultError(ValueError):
    """The description of a fault cannot be understood."""


@dataclass
class Fault:
    """One kind of misbehaviour, for the next `times` calls whose path ends in `path`."""

    path: str
    kind: Kind
    times: int = 1
    code: int = 0
    message: str | None = None
    status: int = 0
    seconds: float = 0

    def matches(self, path: str) -> bool:
        """Whether a call of this path suffers it; a final slash makes no difference."""
        return self.times > 0 and path.rstrip("/").endswith(self.path.rstrip("/"))

    def as_dict(self) -> dict[str, Any]:
        """The fault in the words of the control plane, `times` being what is left."""
        described: dict[str, Any] = {"path": self.path, "times": self.times, "kind": self.kind.value}
        if self.kind in _NEEDED:
            described[_NEEDED[self.kind]] = getattr(self, _NEEDED[self.kind])
        return described


_NEEDED = {Kind.CODE: "code", Kind.HTTP: "status", Kind.SLOW: "seconds"}
_KNOWN = {"path", "times", "kind", "code", "message", "status", "seconds"}


def parse_faults(described: object) -> list[Fault]:
    """Read the list that the control plane was given."""
    if not isinstance(described, list):
        raise InvalidFaultError("faults must be a list of objects")
    return [_parse(item, f"faults[{position}]") for position, item in enumerate(described)]


def _parse(item: object, where: str) -> Fault:
    if not isinstance(item, Mapping):
        raise InvalidFaultError(f"{where} must be an object")
    unknown = set(item) - _KNOWN
    if unknown:
        raise InvalidFaultError(
            f"{where}: unknown {', '.join(sorted(unknown))}; known are: {', '.join(sorted(_KNOWN))}"
        )
    path, name = item.get("path"), item.get("kind")
    if not isinstance(path, str):
        raise InvalidFaultError(f"{where}.path must be the end of a path")
    if not isinstance(name, str) or name not in set(Kind):
        raise InvalidFaultError(f"{where}.kind must be one of: {', '.join(Kind)}")
    kind = Kind(name)
    if kind in _NEEDED and _NEEDED[kind] not in item:
        raise InvalidFaultError(f"{where}: kind {name} needs {_NEEDED[kind]}")
    message = item.get("message")
    if message is not None and not isinstance(message, str):
        raise InvalidFaultError(f"{where}.message must be a text")
    return Fault(
        path=path,
        kind=kind,
        times=_whole_number(item, "times", where, 1, 1, 1_000_000),
        code=_whole_number(item, "code", where, 0, 1, 99_999),
        message=message,
        status=_whole_number(item, "status", where, 0, 200, 599),
        seconds=_seconds(item, where),
    )


def _whole_number(item: Mapping[str, Any], name: str, where: str, default: int, low: int, high: int) -> int:
    if name not in item:
        return default
    value = item[name]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidFaultError(f"{where}.{name} must be a whole number from {low} to {high}")
    return value


def _seconds(item: Mapping[str, Any], where: str) -> float:
    value = item.get("seconds", 0)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not 0 <= value <= 300
    ):
        raise InvalidFaultError(f"{where}.seconds must be a number from 0 to 300")
    return float(value)
