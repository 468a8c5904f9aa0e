"""What a server offers, as it says it, and what is made of lines that are no keywords."""

from __future__ import annotations

import pytest

from pillarbox.mail.reply import Reply
from pillarbox.smtp.capabilities import NO_CAPABILITIES, Capabilities, parse_capabilities


def offered(*lines):
    """Return the capabilities of an EHLO reply with these lines behind the first."""
    return parse_capabilities(Reply(250, (b"mail.example.org", *lines)))


ALIYUN = (b"AUTH PLAIN LOGIN XOAUTH2 XALIOAUTH", b"AUTH=PLAIN LOGIN XOAUTH2 XALIOAUTH",
          b"8BITMIME", b"PIPELINING", b"DSN")  # fmt: skip
POSTFIX = (b"PIPELINING", b"SIZE 10240000", b"ETRN", b"STARTTLS", b"ENHANCEDSTATUSCODES",
           b"8BITMIME", b"DSN", b"SMTPUTF8", b"CHUNKING")  # fmt: skip


def test_reads_what_aliyun_says():
    """Aliyun's two AUTH lines are one; without SIZE the limit is unknown, not absent."""
    found = offered(*ALIYUN)
    assert found.mechanisms == {"PLAIN", "LOGIN", "XOAUTH2", "XALIOAUTH"}
    assert found.has_pipelining
    assert not found.has_chunking
    assert found.max_size_bytes is None
    assert "DSN" in found
    assert "STARTTLS" not in found


def test_reads_what_postfix_says():
    """Every keyword of Postfix is found."""
    found = offered(*POSTFIX)
    assert sorted(found.keywords) == sorted(line.split()[0].decode() for line in POSTFIX)
    assert found.has_pipelining
    assert found.has_chunking
    assert found.max_size_bytes == 10240000
    assert found.mechanisms == frozenset()


SIZES = [
    (b"SIZE 1", 1),
    (b"size 73400320", 73400320),
    (b"SIZE  1000 ", 1000),
    (b"SIZE", None),
    (b"SIZE ", None),
    (b"SIZE 0", None),
    (b"SIZE 000", None),
    (b"SIZE -1", None),
    (b"SIZE +1", None),
    (b"SIZE 1e6", None),
    (b"SIZE 1 2", None),
    (b"SIZE=1000", None),
    ("SIZE １２".encode(), None),
    (b"SIZE 99999999999999999999", 99999999999999999999),
    (b"SIZE 999999999999999999999", None),
    (b"SIZE " + b"9" * 2000, None),
]


@pytest.mark.parametrize(("line", "limit"), SIZES)
def test_reads_the_size_limit(line, limit):
    """A number is a limit; zero, and what is no number, is none (RFC 1870 4)."""
    assert offered(line).max_size_bytes == limit


MECHANISMS = [
    ((b"AUTH PLAIN LOGIN",), {"PLAIN", "LOGIN"}),
    ((b"auth plain  Login ",), {"PLAIN", "LOGIN"}),
    ((b"AUTH=PLAIN LOGIN",), {"PLAIN", "LOGIN"}),
    ((b"AUTH=PLAIN", b"AUTH LOGIN"), {"PLAIN", "LOGIN"}),
    ((b"AUTH LOGIN", b"AUTH PLAIN", b"AUTH=NTLM"), {"PLAIN", "LOGIN", "NTLM"}),
    ((b"AUTH",), set()),
    ((b"AUTH=",), set()),
    ((b"XAUTH PLAIN",), set()),
    ((b"AUTHPLAIN",), set()),
]


@pytest.mark.parametrize(("lines", "mechanisms"), MECHANISMS)
def test_reads_mechanisms(lines, mechanisms):
    """AUTH lines add up, with the form of servers before RFC 2554."""
    found = offered(*lines)
    assert found.mechanisms == mechanisms


NO_KEYWORDS = [b"", b"  ", b"-", b"--", b"=", b"a_b", b"a.b", b"\xc3\xa9", b"\0", b"PIPE\0LINING",
               b"PIPELINING\x1b[2J", b"PIPELINING=yes"]  # fmt: skip


@pytest.mark.parametrize("line", NO_KEYWORDS)
def test_passes_over_what_is_no_keyword(line):
    """Noise is no offer, and what stands around it is."""
    found = offered(line, b"DSN")
    assert list(found.keywords) == ["DSN"]
    assert not found.has_pipelining


def test_first_line_is_a_greeting_and_no_offer():
    """A server called PIPELINING does not offer it (RFC 5321 4.1.1.1)."""
    assert parse_capabilities(Reply(250, (b"PIPELINING",))) == NO_CAPABILITIES
    assert parse_capabilities(Reply(250, (b"STARTTLS hello",))) == Capabilities({})


def test_keyword_keeps_its_parameters():
    """Keywords compare in upper case; parameters are as sent."""
    found = offered(b"xFoo-1 Bar baz")
    assert found.keywords == {"XFOO-1": "Bar baz"}
    assert "XFOO-1" in found
