"""Rescue: what a shell did to a header section is put right, and nothing else is touched."""

from __future__ import annotations

from io import BytesIO

import pytest

from pillarbox.mail.message import read_message
from pillarbox.mail.rescue import rescue

RESCUED = [
    # message, as sent, rules
    (b"-e Subject: x\n\nbody\n", b"Subject: x\r\n\r\nbody\r\n", ["HDR-DASH-E"]),
    (b"-n To: a@b\nSubject: x\n\nbody\n", b"To: a@b\r\nSubject: x\r\n\r\nbody\r\n", ["HDR-DASH-E"]),
    (b"-e -n Subject: x\n\nb\n", b"Subject: x\r\n\r\nb\r\n", ["HDR-DASH-E"]),
    (b"-ne X-Job: 1\n\nb\n", b"X-Job: 1\r\n\r\nb\r\n", ["HDR-DASH-E"]),
    (b"\nSubject: x\n\nb\n", b"Subject: x\r\n\r\nb\r\n", ["HDR-BROKEN"]),
    (
        b"\n\r\n\nContent-Type: text/plain\n\nb\n",
        b"Content-Type: text/plain\r\n\r\nb\r\n",
        ["HDR-BROKEN"],
    ),
    (b">From a@b Tue Nov 24\nSubject: x\n\nb\n", b"Subject: x\r\n\r\nb\r\n", ["HDR-BROKEN"]),
    (b"disk full\n", b"\r\ndisk full\r\n", ["HDR-BROKEN"]),
    ("磁盘空间不足\n".encode(), "\r\n磁盘空间不足\r\n".encode(), ["HDR-BROKEN"]),
    (b"  Subject: quoted\n", b"\r\n  Subject: quoted\r\n", ["HDR-BROKEN"]),
    (b"-e hello: world\n", b"\r\n-e hello: world\r\n", ["HDR-BROKEN"]),
    (
        b"Nov 24 10:00:00 web sshd[1]: x\n",
        b"\r\nNov 24 10:00:00 web sshd[1]: x\r\n",
        ["HDR-BROKEN"],
    ),
    (
        b"Error: disk full\nhost: web01\n",
        b"\r\nError: disk full\r\nhost: web01\r\n",
        ["HDR-PSEUDO"],
    ),
    (b"WARNING: a\n\nsee log\n", b"\r\nWARNING: a\r\n\r\nsee log\r\n", ["HDR-PSEUDO"]),
    (b"http://a.example/x\n", b"\r\nhttp://a.example/x\r\n", ["HDR-PSEUDO"]),
    (b"12:30: start\n", b"\r\n12:30: start\r\n", ["HDR-PSEUDO"]),
    (rb"Subject: t\n\nbody\nmore", b"Subject: t\r\n\r\nbody\r\nmore\r\n", ["HDR-BACKSLASH-N"]),
    (
        rb"Subject: t\nTo: a@b\n\nx\ty" + b"\n",
        b"Subject: t\r\nTo: a@b\r\n\r\nx\ty\r\n",
        ["HDR-BACKSLASH-N"],
    ),
    (
        b"To: a@b\nSubject: " + "测试\\n\\n正文\n".encode(),
        b"To: a@b\r\nSubject: " + "测试\r\n\r\n正文\r\n".encode(),
        ["HDR-BACKSLASH-N"],
    ),
    (
        rb"Subject: t\n\nsee C:\new\nodes now\nend",
        b"Subject: t\r\n\r\nsee C:\\new\\nodes now\r\nend\r\n",
        ["HDR-BACKSLASH-N"],
    ),
    (
        rb"-e Subject: t\n\nbody",
        b"Subject: t\r\n\r\nbody\r\n",
        ["HDR-DASH-E", "HDR-BACKSLASH-N"],
    ),
]

UNTOUCHED = [
    b"Subject: x\n\nbody\n",
    b"From: a@b\n\n-e Subject: y\n",
    b"From: a@b\n\nBcc: victim@x.example\n",
    b"Ticket: 12\nSubject: x\n\nbody\n",
    b"Subject: x\nError: disk full\n",
    b"X-Job: 1\n\nbody\n",
    b"List-Id: <a.b>\n\nbody\n",
    rb"Subject: C:\new\nodes",
    rb"Subject: a\n\nb" + b"\n\nbody\n",
    rb"Subject: a\nb" + b"\n",
    b"",
    b"\n\n",
]


@pytest.mark.parametrize(("text", "wire", "rules"), RESCUED)
def test_finds_where_the_header_section_is(text, wire, rules):
    """The headers are headers, the text is the body, and it is said which rule did it."""
    changes = []
    message = rescue(read_message(BytesIO(text).read), changes)
    assert [change.rule for change in changes] == rules
    # A second time is harmless and notes nothing new.
    message = rescue(message, changes)
    assert [change.rule for change in changes] == rules
    assert message.content().first == wire


@pytest.mark.parametrize("text", UNTOUCHED)
def test_leaves_a_good_message_alone(text):
    """The very same message comes back, and nothing is noted."""
    changes = []
    message = read_message(BytesIO(text).read)
    assert rescue(message, changes) is message
    assert changes == []


def test_does_not_read_the_body_of_a_good_message():
    """The body stays in the pipe."""
    source = BytesIO(b"Subject: x\n\n" + b"y" * 1_000_000)
    message = read_message(source.read)
    position = source.tell()
    rescue(message, [])
    assert source.tell() == position


def test_large_body_behind_rescued_headers_is_whole():
    """What is beyond the look-ahead follows it, once and in order."""
    body = b"".join(b"%07d\n" % number for number in range(60_000))
    message = rescue(read_message(BytesIO(b"-e Subject: x\n\n" + body).read), [])
    sent = b"".join(chunk for chunk, _ in message.content().chunks())
    assert sent == b"Subject: x\r\n\r\n" + body.replace(b"\n", b"\r\n")


@pytest.mark.parametrize("name", [b"Bcc", b"Cc", b"To", b"From", b"Reply-To", b"Resent-To"])
def test_header_injection_by_a_literal_backslash_n(name):
    """A form's Subject with a literal backslash-n brings no recipient into the header section."""
    text = b"From: a@b\nSubject: hi\\n" + name + b": victim@x.example\\n\\nspam\n\n"
    message = read_message(BytesIO(text).read)
    changes = []
    assert rescue(message, changes) is message
    assert changes == []


def test_many_paths_in_a_subject_are_no_recursion():
    """Attack: a Subject of many drive letters costs neither the stack nor much time."""
    text = b"Subject: t\\n\\n" + b"C:\\new " * 20_000
    message = rescue(read_message(BytesIO(text).read), [])
    assert (
        message.content().first == b"Subject: t\r\n\r\n" + (b"C:\\new " * 20_000).rstrip() + b"\r\n"
    )
