"""The comparison itself: each kind of difference is found, and what no two runs share is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from differential.case import Seen
from differential.compare import Difference, differences
from differential.recorder import Session
from differential.rules import explain
from programs import Result

_CONTENT = (
    b"From: a@b.example\r\nDate: Mon, 01 Jan 2024 10:00:00 +0000\r\n"
    b"Message-ID: <0a.1@b.example>\r\nSubject: t\r\n x\r\n\r\nhello\r\n"
)
_LATER = _CONTENT.replace(b"Mon, 01 Jan 2024 10", b"Tue, 02 Jan 2024 11").replace(
    b"<0a.1@", b"<f2@"
)
_COMMANDS = (
    "EHLO x",
    "AUTH PLAIN AGE=",
    "MAIL FROM:<a@b.example> SIZE=3",
    "RCPT TO:<c@d.example>",
    "DATA",
    "QUIT",
)
_LOG = "Jan 01 10:00:00 host=h tls=off from=a@b.example smtpmsg='250 it is' exitcode=EX_OK\n"


def _seen(
    commands: tuple[str, ...] = _COMMANDS,
    content: bytes = _CONTENT,
    result: Result = Result(0, "", ""),  # noqa: B008 (frozen)
    log: str = _LOG,
) -> Seen:
    return Seen(result, [Session(list(commands), [content])], log)


def _with(old: str, new: str) -> tuple[str, ...]:
    return tuple(command.replace(old, new) for command in _COMMANDS)


_CHANGED = (
    ("exit", _seen(result=Result(65, "", ""))),
    ("silence", _seen(result=Result(0, "", "msmtp: x\n"))),
    ("server message", _seen(result=Result(0, "", "msmtp: server message: 5\n"))),
    ("output a", _seen(result=Result(0, "a = b\n", ""))),
    ("sessions", replace(_seen(), sessions=[])),
    ("EHLO", _seen(_with("EHLO x", "EHLO y"))),
    ("AUTH", _seen(_with("AGE=", "AGF="))),
    ("MAIL", _seen(_with("a@b", "A@b"))),
    ("MAIL SIZE", _seen(_with("SIZE=3", "SIZE=4"))),
    ("MAIL BODY", _seen(_with("SIZE=3", "SIZE=3 BODY=8BITMIME"))),
    ("RCPT", _seen(_with("c@d", "c@e"))),
    ("order", _seen(_with("DATA", "BDAT 1 LAST"))),
    ("QUIT", _seen(_COMMANDS[:-1])),
    ("body", _seen(content=_CONTENT + b"\r\n")),
    ("body", _seen(content=_CONTENT.replace(b"\r\n\r\n", b"\r\n"))),
    ("header Subject", _seen(content=_CONTENT.replace(b"\r\n x", b"\r\n  x"))),
    ("header From", _seen(content=_CONTENT.replace(b"From: a@b.example\r\n", b""))),
    ("header Bcc", _seen(content=b"Bcc: x\r\n" + _CONTENT)),
    ("header Date", _seen(content=_CONTENT.replace(b"+0000", b"GMT"))),
    ("header Message-ID", _seen(content=_CONTENT.replace(b".1@b", b".1@c"))),
    (
        "header order",
        _seen(content=b"Subject: t\r\n x\r\n" + _CONTENT.replace(b"Subject: t\r\n x\r\n", b"")),
    ),
    ("log records", _seen(log=_LOG + _LOG)),
    ("log time", _seen(log=_LOG.partition("10:00:00 ")[2])),
    ("log from", _seen(log=_LOG.replace("a@b", "a@c"))),
    ("log order", _seen(log=_LOG.replace("tls=off from=a@b.example", "from=a@b.example tls=off"))),
)


def test_what_no_two_runs_share_is_no_difference():
    """Another time and another Message-ID of the same form are the same."""
    later = _seen(content=_LATER, log=_LOG.replace("Jan 01 10", "Feb 02 11"))
    assert differences(_seen(), later) == []


@pytest.mark.parametrize(("aspect", "changed"), _CHANGED)
def test_finds_a_difference_in(aspect, changed):
    """A single change in one place is found there, from both sides."""
    assert aspect in [found.aspect for found in differences(_seen(), changed)]
    assert aspect in [found.aspect for found in differences(changed, _seen())]


def test_only_what_a_case_names_explains_a_difference():
    """A difference that is not named, and a name without a difference, are both told."""
    refused = Difference("exit", "65", "67")
    assert explain([refused], ["D-EXIT-RCPT"]) == ([], set())
    assert explain([refused], []) == ([refused], set())
    assert explain([refused], ["D-EXIT-4XX"]) == ([refused], {"D-EXIT-4XX"})
    assert explain([], ["D-EXIT-RCPT"]) == ([], {"D-EXIT-RCPT"})
