"""Writes the files that are measured with. The same seed gives the same bytes, on every machine."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

LINE_BYTES = 65  # a SHA-256 in hex, and LF
_BATCH_ROWS = 1 << 14
DIRTY_SHARE = 0.01

EVENTS_NOW = 1_795_000_000  # the moment at which the events are a month old at most
_MONTH_SECONDS = 27 * 86_400
_VISIT_EVENTS = 10
_VISITS_AT_ONCE = 1_000

# Harmless dirt, but for the last, which is refused. No plain data: for that, a file would be refused whole.
_DIRT: tuple[Callable[[bytes], bytes], ...] = (
    bytes.upper,
    lambda row: b'"' + row + b'"',
    lambda row: row + b"\r",
    lambda row: b"  " + row + b"\t",
    lambda row: b"x" + row[1:],
)


def write_hashes(path: Path, size: int, *, is_dirty: bool = False, seed: int = 1) -> int:
    """A file of about ``size`` bytes, a SHA-256 in each line; returns how many rows it has.

    When it is dirty, 1 % of the rows, spread over all of it: in capitals, in quotes, ended with CRLF, between blanks,
    or no hash at all, one as often as the other.
    """
    source = random.Random(seed)  # noqa: S311 - nothing is kept secret with it
    count = size // LINE_BYTES
    with path.open("wb") as file:
        for start in range(0, count, _BATCH_ROWS):
            rows = min(_BATCH_ROWS, count - start)
            text = source.randbytes(32 * rows).hex("\n", 32).encode() + b"\n"
            file.write(_soiled(text, source) if is_dirty else text)
    return count


def write_emails(path: Path, rows: int, *, seed: int = 1) -> None:
    """A file of raw e-mail addresses as people write them: some in capitals, some between blanks."""
    source = random.Random(seed)  # noqa: S311
    with path.open("w") as file:
        for number in range(rows):
            address = f"{source.choice(_NAMES)}.{source.choice(_NAMES)}{number}@{source.choice(_DOMAINS)}"
            file.write(f"{source.choice(_MANNERS)(address)}\n")


def write_events(path: Path, count: int, *, recur: bool = False, as_uris: bool = False, seed: int = 1) -> None:
    """A file of web events as JSON lines: 15 fields, raw identifiers, no ids, so that one is made of each content.

    Each is of another person. When people ``recur``, each causes about ten events, amid those of a thousand others.
    Phone numbers are written with "+", and as URIs of RFC 3966 if that is asked for: these only the library can read.
    """
    source = random.Random(seed)  # noqa: S311
    with path.open("w") as file:
        for number in range(count):
            person = number
            if recur:
                visits = number // (_VISITS_AT_ONCE * _VISIT_EVENTS)
                person = visits * _VISITS_AT_ONCE + source.randrange(_VISITS_AT_ONCE)
            event = _event(source, person)
            if as_uris:
                event["phone"] = f"tel:{'-'.join(re.findall(r'[+]?[0-9]+', str(event['phone'])))}"
            file.write(f"{json.dumps(event)}\n")


def _event(source: random.Random, person: int) -> dict[str, object]:
    """An event of a person; of one person, who it is stays the same."""
    own = random.Random(person)  # noqa: S311
    manner = own.choice(_MANNERS)
    contents = [
        {
            "content_id": f"{source.randrange(10**6):06}",
            "content_name": source.choice(_ARTICLES),
            "price": source.randrange(100, 10_000) / 100,
            "quantity": source.randrange(1, 4),
        }
        for _ in range(source.randrange(1, 4))
    ]
    return {
        "event": source.choice(("ViewContent", "AddToCart", "InitiateCheckout", "Purchase")),
        "event_time": EVENTS_NOW - source.randrange(_MONTH_SECONDS),
        "email": manner(f"{own.choice(_NAMES)}.{own.choice(_NAMES)}{person}@{own.choice(_DOMAINS)}"),
        "phone": own.choice(_PHONES)(own),
        "external_id": f"customer-{person}",
        "ttclid": f"E.C.P.{own.randbytes(48).hex()}",
        "ip": ".".join(str(own.randrange(1, 255)) for _ in range(4)),
        "user_agent": own.choice(_BROWSERS),
        "page_url": f"https://shop.example/articles/{contents[0]['content_id']}?from=mail",
        "referrer": "https://www.example.org/search",
        "value": sum(each["price"] * each["quantity"] for each in contents),  # type: ignore[operator]
        "currency": source.choice(("EUR", "USD", "GBP")),
        "content_type": "product",
        "contents": contents,
        "order_id": f"A-{source.randrange(10**9)}",
    }


def _digits(source: random.Random, count: int) -> str:
    return f"{source.randrange(10**count):0{count}}"


def _soiled(text: bytes, source: random.Random) -> bytes:
    lines = text.split(b"\n")[:-1]
    for number in range(len(lines)):
        if source.random() < DIRTY_SHARE:
            lines[number] = source.choice(_DIRT)(lines[number])
    return b"\n".join(lines) + b"\n"


_NAMES = ("anna", "bela", "chidi", "dolores", "emre", "fatima", "george", "hanako", "ines", "jamal")
_DOMAINS = ("example.com", "mail.example.org", "example.co.uk", "example.net")
_MANNERS: tuple[Callable[[str], str], ...] = (str, str, str, str.title, str.upper, lambda text: f" {text} ")
# As people write them; all of them could be dialled.
_PHONES: tuple[Callable[[random.Random], str], ...] = (
    lambda source: f"+1 (212) {source.randrange(200, 999)}-{_digits(source, 4)}",
    lambda source: f"+44 7400 {_digits(source, 6)}",
    lambda source: f"+49 151 {source.randrange(1, 10)}{_digits(source, 7)}",
    lambda source: f"+33 6 1{_digits(source, 7)}",
)
_ARTICLES = ("Trail runner", "Rain jacket", "Wool socks", "Caf\u00e9 cup", "Head lamp", "Tent for two")
_BROWSERS = tuple(
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
    for system in ("X11; Linux x86_64", "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7")
    for version in range(120, 132)
)
