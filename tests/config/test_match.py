"""Which senders belong to the ``from`` of an account."""

import ctypes
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pillarbox.config.match import has_wildcard, matches_sender

ROWS = [
    ("me@x.org", "me@x.org", True),
    ("ME@x.org", "me@X.org", True),
    ("me@x.org", "you@x.org", False),
    ("", "", True),
    ("", "me@x.org", False),
    ("*@x.org", "me@x.org", True),
    ("*@X.org", "me@x.org", False),
    ("*", "", True),
    ("*", "me@x.org", True),
    ("m?@x.org", "me@x.org", True),
    ("m?@x.org", "m@x.org", False),
    ("m[ef]@x.org", "me@x.org", True),
    ("m[a-f]@x.org", "me@x.org", True),
    ("m[!e]@x.org", "me@x.org", False),
    ("m[^a]@x.org", "me@x.org", True),
    ("m[]e]@x.org", "m]@x.org", True),
    ("m[e@x.org", "m[e@x.org", True),
    ("m\\*@x.org", "m*@x.org", True),
    ("m\\*@x.org", "me@x.org", False),
    ("*@*.x.org", "me@a.b.x.org", True),
    ("*@x.org*", "me@x.org", True),
    ("*.org@*", "me@x.org", False),
    # subaddresses
    ("me@x.org", "me+detail@x.org", True),
    ("ME@x.org", "me+detail@x.org", True),
    ("me@x.org", "me+a+b@x.org", True),
    ("me@x.org", "me+@x.org", True),
    ("me@x.org", "me+detail", False),
    ("me@x.org", "me@x.org+detail", False),
    ("me+other@x.org", "me+detail@x.org", False),
    ("me+detail@x.org", "me+detail@x.org", True),
    ("m[+e]@x.org", "me+detail@x.org", False),
    ("m?@x.org", "me+detail@x.org", True),
    ("*@x.org", "me+detail@x.org", True),
    ("%U@x.org", "root@x.org", False),
]


@pytest.mark.parametrize(("pattern", "sender", "expected"), ROWS)
def test_matches_sender(pattern, sender, expected):
    """Equality whatever the case, a glob where case counts, and both without the detail."""
    assert matches_sender(pattern, sender) is expected


WILDCARDS = [("a@b", False), ("*@b", True), ("a?@b", True), ("[a]@b", True), ("", False)]


@pytest.mark.parametrize(("text", "expected"), WILDCARDS)
def test_knows_a_wildcard(text, expected):
    """The three characters that make a pattern of a ``from``."""
    assert has_wildcard(text) is expected


FNMATCH = ctypes.CDLL(None).fnmatch
# No [: [. [= classes, and no backslash within a set: those this small language leaves out.
PIECES = st.sampled_from(["*", "?", "a", "b", "-", "]", "[ab]", "[!a]", "[^b]", "[]a]", "[a-b-]"])


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=8), st.text("ab-]c", max_size=8))
@example(["[!a]"], "")
@example(["[a-b-]", "*"], "-")
def test_agrees_with_the_c_library(pieces, text):
    """The wildcards mean what fnmatch(3), which msmtp uses, says."""
    pattern = "".join(pieces)
    if has_wildcard(pattern):
        expected = FNMATCH(pattern.encode(), text.encode(), 0) == 0
        assert matches_sender(pattern, text) is (expected or pattern == text)


def test_hostile_pattern_is_not_slow():
    """Many stars against a text that just fails to match take no exponential time."""
    start = time.perf_counter()
    assert not matches_sender("*a" * 60 + "b", "a" * 2000)
    assert time.perf_counter() - start < 2
