"""SASLprep against the RFC's own examples, a table of what is forbidden, and scramp's reading."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scramp.utils import ScramException
from scramp.utils import saslprep as oracle

from pillarbox.errors import CredentialError
from pillarbox.smtp.saslprep import saslprep

PREPARED = [
    # RFC 4013 section 3
    ("I\u00adX", "IX"),
    ("user", "user"),
    ("USER", "USER"),
    ("\u00aa", "a"),
    ("\u2168", "IX"),
    # spaces that are not plain (C.1.2), things mapped to nothing (B.1), both at once (U+200B)
    ("a\u00a0b", "a b"),
    ("a\u3000b", "a b"),
    ("a\u200bb", "a b"),
    ("a\u2060b\ufe0f", "ab"),
    # compatibility and canonical composition (NFKC)
    ("e\u0301", "\u00e9"),
    ("\uff21\uff22\uff23", "ABC"),
    ("\ufb01", "fi"),
    ("密码", "密码"),
    # right to left throughout
    ("\u05d0\u05d1", "\u05d0\u05d1"),
    ("\u06271\u0628", "\u06271\u0628"),
    # plain ASCII is not touched
    (" leading, = and ~ ", " leading, = and ~ "),
]

FORBIDDEN = [
    ("\u0007", "control"),
    ("a\x7f", "control"),
    ("\x00", "control"),
    ("line\nbreak", "control"),
    ("é\u0007", "control"),
    ("é\u0085", "control"),
    ("é\u2028", "control"),
    ("\ue000", "private-use"),
    ("\U000f0000", "private-use"),
    ("\ufdd0", "no character"),
    ("é\ufffe", "no character"),
    ("\udc80", "not UTF-8"),
    ("é\ufffd", "not plain text"),
    ("\u2ff0", "ideographic"),
    ("é\u202e", "writing direction"),
    ("é\u200e", "writing direction"),
    ("\U000e0001", "tag"),
    ("\u0221", "newer than Unicode 3.2"),
    ("\U0001f600", "newer than Unicode 3.2"),
    ("\u06271", "mix of writing directions"),
    ("1\u0627", "mix of writing directions"),
    ("\u0627a\u0628", "mix of writing directions"),
]


@pytest.mark.parametrize(("text", "expected"), PREPARED)
def test_prepares(text: str, expected: str) -> None:
    """What the RFC maps is mapped, what it composes is composed, and the rest stays."""
    assert saslprep(text, field="password") == expected


@pytest.mark.parametrize("text", [text for text, _ in PREPARED])
def test_preparing_twice_changes_nothing_more(text: str) -> None:
    """A prepared text is prepared."""
    once = saslprep(text, field="password")
    assert saslprep(once, field="password") == once


@pytest.mark.parametrize(("text", "fault"), FORBIDDEN)
def test_refuses_and_names_the_kind_only(text: str, fault: str) -> None:
    """What is forbidden is an error that says which kind, and never which text."""
    with pytest.raises(CredentialError) as caught:
        saslprep("hunter2" + text + "hunter2" if "writing" not in fault else text, field="password")
    assert "the password has " in str(caught.value)
    assert fault in str(caught.value)
    assert "hunter2" not in repr(caught.value) + caught.value.advice
    assert caught.value.__context__ is None


@pytest.mark.parametrize("text", ["", "\u00ad", "\u2060\ufe0f"])
def test_refuses_what_is_empty_once_prepared(text: str) -> None:
    """A name of which nothing is left cannot be compared with anything."""
    with pytest.raises(CredentialError, match="the user name is empty"):
        saslprep(text, field="user name")


def test_a_query_string_may_have_new_characters() -> None:
    """The user name may hold what Unicode 3.2 did not have, the password may not."""
    assert saslprep("\U0001f600", field="user name", allow_unassigned=True) == "\U0001f600"
    with pytest.raises(CredentialError):
        saslprep("\U0001f600", field="password")


def test_plain_ascii_loads_no_unicode_tables() -> None:
    """Nearly every password is ASCII, and the tables cost 5 ms of start."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from pillarbox.smtp.saslprep import saslprep\n"
        "saslprep('correct horse', field='password')\n"
        "assert not {'stringprep', 'unicodedata'} & (set(sys.modules) - before)\n"
        "saslprep('pässword', field='password')\n"
        "assert 'stringprep' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


# Blocks in which the rules differ: Latin, Greek, Hebrew, Arabic, spaces and marks, CJK, forms,
# tags. U+200B is left out: it is in two tables, and scramp takes the other one first.
_TEXT = st.text(
    st.one_of(
        st.characters(exclude_characters="\u200b"),
        st.sampled_from(
            "aZ9 \u00a0\u00ad\u00e9e\u0301\u0390\u05d0\u0627\u0661\u2168\u3000密\ufb01"
        ),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(_TEXT)
def test_agrees_with_scramp(text: str) -> None:
    """An independent reading of RFC 4013 prepares and refuses the same."""
    try:
        expected = oracle(text)
    except ScramException:
        expected = ""
    try:
        prepared = saslprep(text, field="password")
    except CredentialError:
        prepared = ""
    assert prepared == expected
