"""Header fields of the writer's own."""

import pytest

from pillarbox.compose.own_headers import own_field, parse_own_header
from pillarbox.errors import UsageError


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("X-Team: ops", b"X-Team: ops\r\n"),
        ("In-Reply-To:<1@example.org>", b"In-Reply-To: <1@example.org>\r\n"),
        ("X-Name: ü", b"X-Name: =?utf-8?B?w7w=?=\r\n"),
        ("X-Url: http://x/", b"X-Url: http://x/\r\n"),
    ],
)
def test_writes_a_field(text, field):
    """As it was given, encoded where it must be."""
    assert own_field(*parse_own_header(text)) == field


def test_a_header_has_a_colon():
    """The message says how one looks."""
    with pytest.raises(UsageError) as caught:
        parse_own_header("X-Team ops")
    assert caught.value.advice == "write it as 'Name: value'"


@pytest.mark.parametrize("value", ["a\r\nBcc: b@c", "a\nb", "a\rb", "a\0b", "a\x7fb", "a\tb"])
def test_header_injection_through_a_value(value):
    """A value with a control character is refused, and not repaired."""
    with pytest.raises(UsageError, match="control character"):
        own_field("X-A", value)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nBcc", "ü", "x" * 65, "a\0"])
def test_header_injection_through_a_name(name):
    """A name is printable ASCII without a colon."""
    with pytest.raises(UsageError, match="name of a header"):
        own_field(name, "x")


@pytest.mark.parametrize(
    "name",
    [
        *("Bcc", "to", "FROM", "Subject", "Date", "Message-ID", "Content-Type", "MIME-Version"),
        *("content-anything", "Resent-Bcc", "Received", "DKIM-Signature", "Return-Path", "Sender"),
    ],
)
def test_structure_cannot_be_written_by_hand(name):
    """A second From or another Content-Type would make another mail of it."""
    with pytest.raises(UsageError, match="cannot be given this way"):
        own_field(name, "x")
