"""E-mail addresses: which text is hashed, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.identifiers.emails import normalise_email, normalise_email_for_events
from lambdas.identifiers.models import EmailRule, InvalidIdentifier

LONGEST_LOCAL_PART = "j" * 64
LONGEST_ADDRESS = f"jane@{'.'.join(['e' * 61] * 3)}.{'e' * 59}.com"


def outcome(raw: str | None, rule: EmailRule = EmailRule.PLAIN) -> str:
    try:
        return " ".join(normalise_email(raw, rule))
    except InvalidIdentifier as error:
        return error.reason


def outcome_for_events(raw: str | None) -> str:
    try:
        return normalise_email_for_events(raw)
    except InvalidIdentifier as error:
        return error.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("jane.doe@example.com", "jane.doe@example.com"),
        (" Jane.Doe@EXAMPLE.com\t", "jane.doe@example.com"),
        ('"jane@example.com"', "jane@example.com"),
        ("' jane@example.com '", "jane@example.com"),
        ("'jane@example.com", "jane@example.com"),
        ("\u201cjane@example.com\u201d", "jane@example.com"),
        ("\ufeffjane@example.com\u200b", "jane@example.com"),
        ("\u00a0jane@example.com\u3000", "jane@example.com"),
        ("jane@example.com\r\n", "jane@example.com"),
        ("jane+news@example.com", "jane+news@example.com"),
        ("o'neil@example.com", "o'neil@example.com"),
        ("_jane-!#$%&*/=?^{|}~@example.com", "_jane-!#$%&*/=?^{|}~@example.com"),
        ("jane..doe.@docomo.example", "jane..doe.@docomo.example"),
        (".jane@example.com", ".jane@example.com"),
        ("jane@sub-1.example.co.uk", "jane@sub-1.example.co.uk"),
        ("jane@123.com", "jane@123.com"),
        (f"{LONGEST_LOCAL_PART}@example.com", f"{LONGEST_LOCAL_PART}@example.com"),
        (LONGEST_ADDRESS, LONGEST_ADDRESS),
        # Width, composition and case beyond ASCII.
        ("\uff2aane\uff20example\uff0ecom", "jane@example.com"),
        ("JOS\u00c9@example.com", "jos\u00e9@example.com"),
        ("jose\u0301@example.com", "jos\u00e9@example.com"),
        ("\u0130pek@example.com", "i\u0307pek@example.com"),
        ("\u091c\u093f@\u0909\u0926\u093e\u0939\u0930\u0923.\u092d\u093e\u0930\u0924",) * 2,
        # An internationalised domain stays as it is written.
        ("jane@B\u00dcCHER.example", "jane@b\u00fccher.example"),
        ("jane@XN--BCHER-KVA.example", "jane@xn--bcher-kva.example"),
        ("jane@example.xn--p1ai", "jane@example.xn--p1ai"),
        # Nothing at all, and words for it.
        (None, "empty"),
        ("", "empty"),
        (" \t\r\n", "empty"),
        ('""', "empty"),
        ("' '", "empty"),
        ("\ufeff", "empty"),
        ("null", "null_word"),
        ("NULL", "null_word"),
        (' "None" ', "null_word"),
        ("NaN", "null_word"),
        ("n/a", "null_word"),
        ("#N/A", "null_word"),
        ("<NA>", "null_word"),
        ("\\N", "null_word"),
        ("undefined", "null_word"),
        ("-", "null_word"),
        ("\uff4e\uff55\uff4c\uff4c", "null_word"),
        # Not an address, or not one alone.
        ("jane", "malformed_email"),
        ("jane@", "malformed_email"),
        ("@example.com", "malformed_email"),
        ("..@example.com", "malformed_email"),
        ("jane@example", "malformed_email"),
        ("jane@@example.com", "malformed_email"),
        ("jane@doe@example.com", "malformed_email"),
        ("jane@example.com,joe@example.com", "malformed_email"),
        ("jane@example.com;", "malformed_email"),
        ("jane@example.com\njoe", "malformed_email"),
        ("jane\tdoe@example.com", "malformed_email"),
        ("jane\x00@example.com", "malformed_email"),
        ("\ud800jane@example.com", "malformed_email"),
        ("Jane Doe <jane@example.com>", "malformed_email"),
        ("mailto:jane@example.com", "malformed_email"),
        ('"jane doe"@example.com', "malformed_email"),
        ("jane(work)@example.com", "malformed_email"),
        ("jane%40example.com", "malformed_email"),
        ("jane@.com", "malformed_email"),
        ("jane@example..com", "malformed_email"),
        ("jane@example.com.", "malformed_email"),
        ("jane@-example.com", "malformed_email"),
        ("jane@example-.com", "malformed_email"),
        ("jane@exa_mple.com", "malformed_email"),
        ("jane@example.c", "malformed_email"),
        ("jane@192.0.2.1", "malformed_email"),
        ("jane@[192.0.2.1]", "malformed_email"),
        (f"jane@{'e' * 64}.com", "malformed_email"),
        (f"{LONGEST_LOCAL_PART}j@example.com", "malformed_email"),
        ("x" + LONGEST_ADDRESS, "malformed_email"),
        ("\U0001f600@example.com", "malformed_email"),
        ("\ufb01ona@example.com", "malformed_email"),
        ("\U0001d41aane@example.com", "malformed_email"),
        ("\U0001f170ane@example.com", "malformed_email"),
        ("jane@example\u3002com", "malformed_email"),
        ("5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25", "malformed_email"),
        ("+442071838750", "malformed_email"),
    ],
)
def test_both_channels_read_an_address_alike(raw: str | None, expected: str) -> None:
    assert outcome(raw) == expected
    assert outcome_for_events(raw) == expected


@pytest.mark.parametrize(
    ("raw", "audiences"),
    [
        ("jane doe@example.com", "janedoe@example.com"),
        ("jane @ example.com", "jane@example.com"),
        ("jane@exam\u00adple.com", "jane@example.com"),
        ("jane\u200b@example.com", "jane@example.com"),
        ("j\u00a0a\u3000ne@example.com", "jane@example.com"),
    ],
)
def test_spaces_inside_are_removed_for_audiences_and_refused_for_events(raw: str, audiences: str) -> None:
    assert outcome(raw) == audiences
    assert outcome_for_events(raw) == "malformed_email"


@pytest.mark.parametrize(
    ("raw", "older", "both"),
    [
        ("Jane@Example.com", "jane@example.com", "jane@example.com"),
        ("jane.doe@example.com", "janedoe@example.com", "jane.doe@example.com janedoe@example.com"),
        ("j.d+a.b+c@mail.example.com", "jd@mail.example.com", "j.d+a.b+c@mail.example.com jd@mail.example.com"),
        ("jane+@example.com", "jane@example.com", "jane+@example.com jane@example.com"),
        ("+news@example.com", "malformed_email", "+news@example.com"),
        (".+news@example.com", "malformed_email", ".+news@example.com"),
        ("none", "null_word", "null_word"),
        ("jane", "malformed_email", "malformed_email"),
    ],
)
def test_the_older_rule_drops_tag_and_dots_before_the_at_sign(raw: str, older: str, both: str) -> None:
    assert outcome(raw, EmailRule.OLDER) == older
    assert outcome(raw, EmailRule.BOTH) == both


LOOKS_LIKE_AN_ADDRESS = st.builds(
    "{}{}@{}.{}{}".format,
    st.sampled_from(["", " ", '"', "\ufeff", "\u3000"]),
    st.text(min_size=1, max_size=12),
    st.text(min_size=1, max_size=12),
    st.text(min_size=1, max_size=5),
    st.sampled_from(["", " ", '"', "\r\n"]),
) | st.emails().map(str.upper)


@given(st.text() | LOOKS_LIKE_AN_ADDRESS, st.sampled_from(EmailRule))
def test_any_text_is_normalised_for_good_or_refused(raw: str, rule: EmailRule) -> None:
    try:
        texts = normalise_email(raw, rule)
    except InvalidIdentifier:
        return
    assert 1 <= len(texts) <= 2
    for text in texts:
        assert normalise_email(text) == (text,)
        assert normalise_email_for_events(text) == text
        assert not any(character.isspace() or character.isupper() for character in text)
        assert text == text.lower()
        assert text.count("@") == 1
    assert normalise_email(texts[-1], rule)[-1] == texts[-1]


@given(st.text() | LOOKS_LIKE_AN_ADDRESS)
def test_what_events_take_audiences_take_alike(raw: str) -> None:
    try:
        text = normalise_email_for_events(raw)
    except InvalidIdentifier:
        return
    assert normalise_email(raw) == (text,)
