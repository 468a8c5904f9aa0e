"""What a reply means, and that its text is safe to show."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.mail.reply import EnhancedCode, Reply, printable

SHOWN = [
    # untrusted, shown
    (b"plain text", "plain text"),
    (b"", ""),
    (b"a\r\nb\tc\0", "a\\x0d\\x0ab\\x09c\\x00"),
    (b"\x1b[2J\x07", "\\x1b[2J\\x07"),
    (b"\x7f", "\\x7f"),
    ("C1 \x85\x9b".encode(), "C1 \\x85\\x9b"),
    (b"\xff\xfe", "\\xff\\xfe"),
    ("失败".encode(), "失败"),
    ("\u202egpj.exe".encode(), "\\u202egpj.exe"),
    ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
    ("\u2066\u200f\u061c\ufeff\u200b", "\\u2066\\u200f\\u061c\\ufeff\\u200b"),
    ("\udcff\ud800", "\\udcff\\ud800"),
    ("\U000e0041", "\\ue0041"),
    ("a" * 600, "a" * 512 + "..."),
    ("\n" * 600, "\\x0a" * 512 + "..."),
]


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_escapes_what_a_terminal_or_a_log_could_obey(text, shown):
    """ANSI escapes, line ends and bidirectional overrides (N11) come out as escapes."""
    assert printable(text) == shown


@given(st.text(max_size=60) | st.binary(max_size=60))
@settings(max_examples=300)
def test_log_forging_text_stays_on_one_line(text):
    """Whatever a server says, it is shown as one line of printable characters (N11)."""
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1


def test_limit_counts_characters():
    """A caller may want less."""
    assert printable(b"abcdef", 3) == "abc..."
    assert printable(b"abc", 3) == "abc"


CLASSES = [
    # code, predicate
    (200, "is_positive"),
    (250, "is_positive"),
    (354, "is_intermediate"),
    (334, "is_intermediate"),
    (400, "is_transient"),
    (421, "is_transient"),
    (454, "is_transient"),
    (500, "is_permanent"),
    (526, "is_permanent"),
    (559, "is_permanent"),
]
PREDICATES = ("is_positive", "is_intermediate", "is_transient", "is_permanent")


@pytest.mark.parametrize(("code", "predicate"), CLASSES)
def test_code_is_of_one_class(code, predicate):
    """The first digit decides, and exactly one predicate is true (RFC 5321 4.2.1)."""
    reply = Reply(code, (b"x",))
    assert [name for name in PREDICATES if getattr(reply, name)] == [predicate]


def test_shows_each_line_with_its_code():
    """Lines are shown as the server sent them, escaped, and joined by a slash in a sentence."""
    reply = Reply(550, (b"5.1.1 no \x1b[1msuch user", b"", b"bye"), EnhancedCode(5, 1, 1))
    assert reply.text_lines() == ["550-5.1.1 no \\x1b[1msuch user", "550-", "550 bye"]
    assert str(reply) == "550-5.1.1 no \\x1b[1msuch user / 550- / 550 bye"
    assert str(reply.enhanced) == "5.1.1"


def test_replies_are_values():
    """The same reply twice is equal; another code or text is not."""
    assert Reply(250, (b"ok",)) == Reply(250, (b"ok",))
    assert Reply(250, (b"ok",)) != Reply(251, (b"ok",))
    assert Reply(250, (b"2.0.0 ok",), EnhancedCode(2, 0, 0)) != Reply(250, (b"2.0.0 ok",))
    assert hash(EnhancedCode(5, 1, 1)) == hash(EnhancedCode(5, 1, 1))
