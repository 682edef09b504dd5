"""The fast path for lists of raw e-mail addresses: it sends what the rules for one address say, row by row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambdas.identifiers.hashing import hash_email
from lambdas.identifiers.models import EmailRule, IdentifierSpace, InvalidIdentifier
from test.support.audience_files import SuppressedHashes, any_reading, read_file

HEADER = b"email\n"


def hashes_of(source: bytes) -> Iterator[str]:
    """What the rules for one address make of each line."""
    for line in source.split(b"\n"):
        try:
            yield from hash_email(line.decode())
        except (InvalidIdentifier, UnicodeDecodeError):
            continue


addresses = st.one_of(
    st.emails(),
    st.from_regex(r"[a-z0-9.+_-]{1,20}@[a-z0-9.-]{1,20}\.[a-z0-9]{1,4}", fullmatch=True),
    st.sampled_from(["jane@example.com", "j@xn--bcher-kva.example", "a.@b.co", "x@y--z.com", "m@n-.com", "1@2.3"]),
    st.integers(1, 80).map(lambda length: "l" * length + "@" + "d" * (90 - length) + ".com"),
    st.sampled_from(["", " ", "null", "n/a", "jane@", "@example.com", "a b@example.com", hashlib.sha256().hexdigest()]),
)
manners = st.sampled_from(
    ["{}", " {}", "{}\t", "{}\r", '"{}"', "<{}>", "`{}'", "\u00a0{}", "{}\x00", "{},", "\ufeff{}"]
)
lines = st.builds(
    lambda manner, text, case: case(manner.format(text)), manners, addresses, st.sampled_from([str, str.upper])
)
files = st.lists(lines.map(str.encode), max_size=20).map(b"\n".join)


@given(files, st.integers(1, 500))
@example(b"JANE@example.com\r\n joe@example.com \r\n\r\nnonsense\njim@example.com", 7)
def test_a_list_of_addresses_gives_what_each_address_by_itself_gives(source: bytes, size: int) -> None:
    check, parts = read_file(HEADER + source, any_reading("email"), part_bytes=5000, size=size)

    sent = b"".join(parts).decode().split()
    assert sent == list(hashes_of(source))
    assert check.tally.valid == len(sent)
    count = source.count(b"\n") + (not source.endswith(b"\n") and source != b"")
    assert check.tally.read + check.tally.blank == count


@pytest.mark.parametrize("rule", list(EmailRule))
def test_lines_are_numbered_and_suppressed_people_left_out_whatever_the_rule(rule: EmailRule) -> None:
    (jane,), (joe,) = hash_email("jane@example.com"), hash_email("joe@example.com")
    reading = any_reading("email", suppressed={IdentifierSpace.EMAIL_SHA256: SuppressedHashes([jane])}, email_rule=rule)
    source = HEADER + b"jane@example.com\njoe@example.com\n\nnonsense\nJane@Example.com\nnonsense\n"

    check, parts = read_file(source, reading)

    assert b"".join(parts) == f"{joe}\n".encode()
    assert (check.tally.valid, check.tally.suppressed, check.tally.blank) == (1, 2, 1)
    assert check.tally.invalid_lines == {"malformed_email": [5, 7]}
