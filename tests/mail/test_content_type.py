"""Content-Type: read as leniently as it is written in the world, written strictly."""

from __future__ import annotations

from email import message_from_string, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.mail.content_type import ContentType, encode_parameters, parse_content_type


@pytest.mark.parametrize(
    ("value", "kind", "params"),
    [
        ("text/plain", "text/plain", ()),
        ("Text/HTML; Charset=UTF-8", "text/html", (("Charset", "UTF-8"),)),
        ('a/b; x="1;2"; y=3', "a/b", (("x", "1;2"), ("y", "3"))),
        ('a/b; x="q\\"q\\\\"', "a/b", (("x", 'q"q\\'),)),
        ("a/b (comment; x=1); y=2", "a/b", (("y", "2"),)),
        ("a/b;; nonsense; =1; y = 2 ;", "a/b", (("y", "2"),)),
        ('a/b; x="open', "a/b", (("x", "open"),)),
    ],
)
def test_reads_kind_and_parameters(value, kind, params):
    """Quotes, comments and stray semicolons are understood."""
    assert parse_content_type(value) == ContentType(kind, params)


@pytest.mark.parametrize("value", ["", "text", "text/", "/plain", "text/plain:", "te xt/plain"])
def test_a_kind_that_cannot_be_read_is_none(value):
    """Nobody guesses."""
    assert parse_content_type(value) is None


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("a/b; x=1; X=2", "1"),
        ("a/b; x*0=ab; x*1=cd", "abcd"),
        ("a/b; x*=utf-8''ab", "ab"),
        ("a/b; y=1", None),
    ],
)
def test_finds_a_parameter(value, wanted):
    """Names have no case; RFC 2231 forms are put together."""
    assert parse_content_type(value).param("x") == wanted


@given(value=st.text(max_size=40))
def test_what_is_written_can_be_read_and_is_one_line(value):
    """Attack: header injection by a parameter."""
    text = str(ContentType("a/b", (("z", "1"),)).with_param("x", value))
    assert text.isprintable()
    shown = "".join(char if char.isprintable() else " " for char in value)
    assert parse_content_type(text).param("x") == shown


def test_a_parameter_is_replaced():
    """In any form it had."""
    old = parse_content_type("text/plain; charset*=x''y; format=flowed")
    assert str(old.with_param("charset", "utf-8")) == "text/plain; format=flowed; charset=utf-8"


@pytest.mark.parametrize("value", ["attachment; filename=a.txt", "inline", 'a/b; x="y z"'])
def test_ascii_parameters_stay(value):
    """There is nothing to encode."""
    assert encode_parameters(value) == value


@pytest.mark.parametrize("octets", ["日志 1.txt".encode(), "磁盘空间不足.txt".encode("gbk")])
def test_raw_parameters_are_encoded(octets):
    """RFC 2231, in UTF-8 whatever it was."""
    value = f'attachment; filename="{octets.decode("utf-8", "surrogateescape")}"; size=3'
    made = encode_parameters(value)
    assert made.isascii()
    mail = message_from_string(f"Content-Disposition: {made}\n\n", policy=policy.default)
    assert mail.get_filename() in {"日志 1.txt", "磁盘空间不足.txt"}
    assert made.endswith("; size=3")


def test_attack_an_encoded_parameter_brings_no_line_end():
    """A value with a line end stays as it is; the scanner never lets one get here."""
    assert encode_parameters('a/b; x="é\r\nBcc: eve"').count("\n") in {0, 1}
    assert "\n" not in encode_parameters('a/b; x="é\u2028%0a"')
