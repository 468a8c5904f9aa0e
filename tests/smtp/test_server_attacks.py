"""The server's half of the engine: attacks, by name, and what never happens."""

from __future__ import annotations

import pytest
from fuzz_server import SEEDS, check
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.mail.address import Mailbox
from pillarbox.smtp import server_states as states
from pillarbox.smtp.content import Incoming
from pillarbox.smtp.server import Server
from pillarbox.smtp.server_session import (
    ContentStarted,
    MailRequested,
    RecipientRequested,
    SessionEnded,
    SessionStarted,
    TransactionEnded,
)
from server_talk import Talk, opened, options, ready

SMUGGLED = b"MAIL FROM:<evil@x>\r\nRCPT TO:<victim@y>\r\nDATA\r\nspoofed\r\n"
ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\n.\r",
    b"\r\n\0.\r\n",
]


@pytest.mark.parametrize("takes_bare", [False, True])
@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("end", ENDS)
def test_smuggling_by_something_like_the_end_of_data(end, is_cut, takes_bare):
    """CVE-2023-51764 and its kin: only CRLF dot CRLF ends a content; there is one mail or none."""
    talk = opened(options(takes_bare_newlines=takes_bare))
    talk.feed(b"DATA\r\n")
    said = talk.feed(b"first" + end + SMUGGLED + b".\r\n", is_cut=is_cut)
    is_taken = takes_bare or b"\0" in end
    assert said.startswith(b"250 2.0.0 Message" if is_taken else b"550 5.6.11")
    assert said.count(b"\r\n") == 1
    assert len(talk.mails) == is_taken
    senders = [event.reverse_path for event in talk.events if isinstance(event, MailRequested)]
    assert senders == [Mailbox("a", "b.example")]


@pytest.mark.parametrize(
    "chunks", [[b"a\nb"], [b"a\r", b"b"], [b"a\r"], [b"\r", b"\r\n"], [b"x\r\n", b"\n"]]
)
def test_smuggling_by_a_bare_newline_in_bdat(chunks):
    """A bare CR or LF in a chunk, or across two, refuses the mail."""
    talk = opened()
    said = b""
    for chunk in chunks:
        said += talk.feed(b"BDAT %d\r\n%s" % (len(chunk), chunk))
    if talk.server.state == states.CHUNKS:
        said += talk.feed(b"BDAT 0 LAST\r\n")
    assert said.splitlines()[-1].startswith(b"550 5.6.11")
    assert talk.mails == []


@pytest.mark.parametrize(
    "line",
    [
        b"NOOP\n",
        b"NOOP\r\r\n",
        b"NOOP\rMAIL FROM:<a@b>\r\n",
        b"RCPT TO:<a@b>\nDATA\r\n",
        b"NOOP" + b" " * 9000 + b"\n",
        b"\n",
    ],
)
@pytest.mark.parametrize("is_cut", [False, True])
def test_smuggling_by_a_bare_newline_in_a_command(line, is_cut):
    """A command line with a bare CR or LF ends the session: readers would differ about it."""
    talk = ready()
    said = talk.feed(line + b"QUIT\r\n", is_cut=is_cut)
    assert said.startswith((b"521 5.5.2", b"421 4.7.0"))
    assert said.count(b"\r\n") == 1
    assert talk.server.has_ended


def test_smuggling_by_content_behind_a_refused_data():
    """Content that did not wait for 354 is never read as commands when DATA is refused."""
    talk = ready(refusals={RecipientRequested: (550, "no such user")})
    said = talk.feed(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n" + SMUGGLED)
    assert said.splitlines()[-1] == b"554 5.5.0 The content must not follow DATA before its reply"
    assert talk.server.has_ended
    talk = opened(refusals={ContentStarted: (451, "not now")})
    assert talk.feed(b"DATA\r\n" + SMUGGLED).splitlines()[0] == b"451 4.0.0 not now"
    assert talk.server.has_ended


def test_smuggling_by_a_bdat_of_unknown_size():
    """When nobody knows how many octets follow, none of them is read."""
    for size in (b"x", b"-1", b"", b"5 FIRST", b"5 LAST 6", b"1e3", b"9" * 21):
        talk = opened()
        said = talk.feed(b"BDAT " + size + b"\r\nMAIL FROM:<evil@x>\r\n")
        assert said == b"501 5.5.4 Syntax: BDAT octets [LAST]\r\n"
        assert talk.server.has_ended


def test_bdat_that_is_not_offered_is_swallowed():
    """Its octets are no commands even where CHUNKING was never offered."""
    talk = opened(options(keywords=("PIPELINING",)))
    assert talk.feed(b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n") == (
        b"502 Command not implemented\r\n250 Ok\r\n"
    )


HTTP = [
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"POST / HTTP/1.1\r\n\r\nEHLO x\r\nMAIL FROM:<a@b>\r\n",
    b"post /x\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"CONNECT x:25\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    b"\x00\x00\x00\x10SMB",
    b'{"jsonrpc": 2}\r\n',
    b"*1\r\n$4\r\nPING\r\n",
    b" EHLO x\r\n",
]


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("request_", HTTP)
def test_request_of_another_protocol(request_, is_cut):
    """Attack L13: a browser or a fooled server talks to us; the first line ends it."""
    talk = Talk()
    assert talk.feed(request_, is_cut=is_cut) == b"421 4.7.0 This is a mail server\r\n"
    assert [type(event) for event in talk.events] == [SessionStarted, SessionEnded]


def test_request_that_speaks_before_it_is_greeted():
    """Attack L13: what cannot read our greeting is no mail client."""
    server = Server(options())
    server.receive_data(b"EHLO x\r\n")
    assert server.take_output() == b"554 5.5.0 Something was said before the greeting\r\n"
    assert server.has_ended
    server.accept()  # the handler's answer, too late
    assert server.take_output() == b""


@pytest.mark.parametrize("verb", [b"EHLO", b"HELO"])
def test_request_that_does_not_wait_for_the_reply_to_ehlo(verb):
    """Attack L13, as by gopher: the whole session in one go."""
    talk = Talk()
    said = talk.feed(verb + b" x\r\nMAIL FROM:<a@b>\r\n")
    assert said == b"554 5.5.0 Commands must not follow EHLO before its reply\r\n"
    assert not any(isinstance(event, MailRequested) for event in talk.events)


def test_flood_of_wrong_commands_ends_the_session():
    """Ten mistakes are no mail client."""
    talk = ready()
    said = talk.feed(b"WHAT\r\n" * 20)
    assert said.count(b"500 ") == 10
    assert said.endswith(b"421 4.7.0 Too many errors\r\n")
    assert talk.server.has_ended


def test_flood_of_empty_commands_ends_the_session():
    """A hundred commands that move nothing are enough; a mail starts the count again."""
    talk = opened(options(max_idle_commands=5))
    talk.feed(b"NOOP\r\n" * 4)
    talk.feed(b"DATA\r\n")
    talk.feed(b".\r\n")
    assert talk.feed(b"NOOP\r\n" * 5).count(b"250") == 5
    assert talk.feed(b"NOOP\r\n").startswith(b"421 4.7.0 Too many commands")


def test_line_without_end_is_not_kept():
    """8 KB of a line are kept, the rest is swallowed; its end brings the session back."""
    talk = ready()
    for _ in range(64):
        assert talk.feed(b"x" * 8192) == b""
        assert len(talk.server._buffer._data) <= 2 * 8192
    assert talk.feed(b"\r\nNOOP\r\n") == b"500 5.5.2 Line too long\r\n250 2.0.0 Ok\r\n"


@pytest.mark.parametrize(
    ("size", "reply"),
    [(512, b"250"), (513, b"500"), (8192, b"500"), (8193, b"500"), (20000, b"500")],
)
def test_line_length(size, reply):
    """RFC 5321 4.5.3.1.4: 512 octets with the CRLF."""
    line = b"NOOP " + b"x" * (size - 7) + b"\r\n"
    assert ready().feed(line).startswith(reply)
    assert ready().feed(line, is_cut=True).startswith(reply)


def test_state_that_outlives_a_refused_mail():
    """Attack L15: after every kind of end the next mail finds a fresh engine."""
    ends = [
        b"RSET\r\n",
        b"EHLO y\r\n",
        b"DATA\r\n|x\n\r\n.\r\n",
        b"DATA\r\n|.\r\n",
        b"BDAT 3\r\nab\n|BDAT 0 LAST\r\n",
        b"BDAT 0\r\n|RSET\r\n",
        b"BDAT 1\r\nx|EHLO z\r\n",
        b"BDAT 2000 LAST\r\n" + b"x" * 2000,
    ]
    for end in ends:
        talk = ready(options(max_size_bytes=1000, max_errors=99))
        talk.feed("MAIL FROM:<ü@b> SMTPUTF8\r\nRCPT TO:<c@d>\r\n".encode())
        for turn in end.split(b"|"):
            talk.feed(turn)
        fresh = Incoming()
        for name in ("is_open", "is_smtputf8", "recipients", "size_bytes", "fault"):
            assert getattr(talk.server._mail, name) == getattr(fresh, name), (end, name)
        assert talk.server.state == states.READY
        assert sum(isinstance(event, TransactionEnded) for event in talk.events) == 1
        talk.feed(b"MAIL FROM:<>\r\n")
        assert talk.feed("RCPT TO:<ü@d>\r\n".encode()).startswith(b"553"), end


_TOKENS = [
    b"MAIL FROM:<a@b>\r\n",
    b"RCPT TO:<c@d>\r\n",
    b"HELO x\r\n",
    b"VRFY x\r\n",
    b"ETRN x\r\n",
    b"EHLO x\r\n\0",
    b"STARTTLS\r\n\0",
    b"DATA\r\n\0",
    b"BDAT 4\r\n",
    b"BDAT 3 LAST\r\n",
    b".\r\n",
    b"\r\n",
    b"RSET\r\n",
    b"QUIT\r\n",
    b"AUTH LOGIN\r\n",
    b"YQ==\r\n",
    b"*\r\n",
    b"\n",
    b"\r",
    b".",
    b"x",
    b"\xff",
    b"y" * 600,
]


@pytest.mark.parametrize("seed", SEEDS)
def test_fuzzers_seeds(seed):
    """The fuzzer's property holds for what it starts from."""
    check(seed)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(_TOKENS), max_size=30).map(b"".join))
def test_any_sequence_of_commands(data):
    """The fuzzer's property holds for what looks like a session."""
    check(b"EHLO x\r\n\0" + data)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets(data):
    """The fuzzer's property holds for what looks like nothing."""
    check(data)
    check(
        b"EHLO x\r\n\0MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n\0" + data + b"\r\n.\r\nNOOP\r\n"
    )
