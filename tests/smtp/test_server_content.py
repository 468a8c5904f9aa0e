"""The server's half of the engine: what comes behind DATA and BDAT, and LMTP."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.mail.reply import EnhancedCode, Reply
from pillarbox.smtp import server_states as states
from pillarbox.smtp.content import BareNewlines, DataReader
from pillarbox.smtp.server import Server
from pillarbox.smtp.server_session import (
    ContentEnded,
    ContentStarted,
    RecipientRequested,
    SessionEnded,
    TransactionEnded,
)
from server_talk import Talk, few_octets, opened, options, ready

CONTENTS = [
    (b".\r\n", b""),
    (b"\r\n.\r\n", b"\r\n"),
    (b"x\r\n.\r\n", b"x\r\n"),
    (b"..\r\n.\r\n", b".\r\n"),
    (b"..x\r\n...\r\n.\r\n", b".x\r\n..\r\n"),
    (b"a\r\n\r\n..\r\n\r\n.\r\n", b"a\r\n\r\n.\r\n\r\n"),
    (b".x\r\n.\r\n", b"x\r\n"),
    (b"nul\0\xff\r\n.\r\n", b"nul\0\xff\r\n"),
]


@pytest.mark.parametrize("tail", [b"", b"RSET\r\n", b".\r\n"])
@pytest.mark.parametrize(("wire", "content"), CONTENTS)
def test_data_reader_at_every_cut(wire, content, tail):
    """Dots are unstuffed and the end is found, wherever the stream is cut."""
    stream = wire + tail
    for cut in range(len(stream) + 1):
        reader = DataReader()
        got, rest = reader.feed(stream[:cut])
        if rest is None:
            more, rest = reader.feed(stream[cut:])
            got += more
        else:
            rest += stream[cut:]
        assert (got, rest) == (content, tail)


@given(few_octets(b".\r\nx", 60))
def test_data_reader_is_the_inverse_of_dot_stuffing(raw):
    """Whatever wire form is stuffed and ended comes back as it was, byte by byte."""
    from pillarbox.mail.wire import DotStuffing, LineEndings

    endings = LineEndings()
    wire = endings.feed(raw) + endings.finish()
    stream = DotStuffing().feed(wire) + b".\r\n"
    reader = DataReader()
    got = b""
    for i in range(len(stream)):
        piece, rest = reader.feed(stream[i : i + 1])
        got += piece
        assert (rest is None) == (i < len(stream) - 1)
    assert got == wire


@given(st.lists(few_octets(b"\r\nxy", 6)))
def test_bare_newlines_are_noticed_across_chunks(chunks):
    """The scanner agrees with one look at the whole."""
    scanner = BareNewlines()
    found = any(list(map(scanner.are_in, chunks))) or scanner.has_open_cr
    rest = b"".join(chunks).replace(b"\r\n", b"")
    assert found == (b"\r" in rest or b"\n" in rest)


def test_content_too_big_is_swallowed_and_refused():
    """SIZE is held against what really comes; the session stays in step."""
    talk = opened(options(max_size_bytes=1000))
    talk.feed(b"DATA\r\n")
    for _ in range(50):
        assert talk.feed(b"x" * 98 + b"\r\n") == b""
    assert len(talk.content) <= 1000
    assert talk.feed(b".\r\nNOOP\r\n") == (b"552 5.3.4 The message is too big\r\n250 2.0.0 Ok\r\n")
    assert talk.mails == []


def test_chunks_too_big_are_swallowed_and_refused():
    """The BDAT that goes over the limit is refused, and the mail with it."""
    talk = opened(options(max_size_bytes=10))
    assert talk.feed(b"BDAT 8\r\n12345678").startswith(b"250")
    assert talk.feed(b"BDAT 8\r\n12345678").startswith(b"552")
    assert talk.feed(b"BDAT 2 LAST\r\n\r\n").startswith(b"503")
    assert talk.mails == []


def test_refused_first_chunk_says_so_once_its_octets_are_there():
    """The handler's refusal of the content is the reply to BDAT."""
    talk = opened(refusals={ContentStarted: (452, "disk full")})
    assert talk.feed(b"BDAT 8 LAST\r\nQUIT\r\n") == b""
    assert talk.feed(b"\r\nNOOP\r\n") == b"452 4.0.0 disk full\r\n250 2.0.0 Ok\r\n"


def test_bdat_behind_refused_recipients_is_nobodys_fault():
    """A pipelining client cannot know; one that sends BDAT without MAIL could."""
    talk = ready(refusals={RecipientRequested: (550, "no such user")})
    for _ in range(20):
        said = talk.feed(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 2 LAST\r\n\r\n")
        assert [line[:3] for line in said.splitlines()] == [b"250", b"550", b"554"]
    said = talk.feed(b"BDAT 2 LAST\r\n\r\n" * 20)
    assert said.count(b"503 ") == 10
    assert said.endswith(b"421 4.7.0 Too many errors\r\n")


def test_content_is_streamed():
    """The engine keeps nothing of a content: 8 MB go through in chunks as they came."""
    talk = opened()
    talk.feed(b"DATA\r\n")
    line = b"x" * 62 + b"\r\n"
    for _ in range(128):
        talk.events.clear()
        talk.feed(line * 1024)
        assert len(talk.events) == 1
        assert len(talk.server._buffer._data) == 0
        talk.content = b""
    talk.feed(b".\r\n")
    assert ContentEnded(128 * 65536) in talk.events


def test_unfinished_content_is_no_mail():
    """A connection that ends inside the content leaves nothing, and says what ended."""
    talk = opened()
    talk.feed(b"DATA\r\nhello\r\n")
    talk.server.receive_data(b"")
    talk._settle()
    assert talk.mails == []
    assert talk.events[-2:] == [TransactionEnded(), SessionEnded("closed")]


def test_lmtp_answers_for_each_recipient():
    """RFC 2033: a reply for each accepted recipient, in order, for DATA and for BDAT."""
    opts = options(is_lmtp=True)
    talk = Talk(
        opts, {RecipientRequested: lambda event: event.forward_path.domain == "no" and (550, "no")}
    )
    assert talk.greeting == b"220 localhost LMTP ready\r\n"
    assert talk.feed(b"EHLO x\r\n").startswith(b"500 5.5.1 This is LMTP")
    assert talk.feed(b"LHLO x\r\n").startswith(b"250-")
    group = b"MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<a@no>\r\nRCPT TO:<c@d>\r\n"
    said = talk.feed(group + b"DATA\r\n")
    assert [line[:3] for line in said.splitlines()] == [b"250", b"250", b"550", b"250", b"354"]
    assert talk.feed(b"x\r\n.\r\n") == b"250 2.0.0 Message accepted\r\n" * 2
    said = talk.feed(group + b"BDAT 2 LAST\r\n\r\nNOOP\r\n")
    assert said.count(b"Message accepted") == 2
    assert said.endswith(b"250 2.0.0 Ok\r\n")


def test_lmtp_answers_may_differ():
    """One recipient's failure is not the other's."""
    server = Server(options(is_lmtp=True))
    server.accept()
    server.receive_data(b"LHLO x\r\n")
    server.receive_data(b"MAIL FROM:<>\r\n")
    server.accept()
    server.receive_data(b"RCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
    for _ in range(3):
        server.accept()
    server.receive_data(b".\r\n")
    server.take_output()
    assert server.answers_due == 2
    server.accept("a is fine")
    assert server.answers_due == 1
    server.answer(Reply(452, (b"4.2.2 full",), EnhancedCode(4, 2, 2)))
    assert server.take_output() == b"250 2.0.0 a is fine\r\n452 4.2.2 full\r\n"
    assert server.state == states.READY


def test_lmtp_refuses_a_too_big_content_for_each_recipient():
    """A client that awaits two replies gets two."""
    talk = Talk(options(is_lmtp=True, max_size_bytes=5))
    talk.feed(b"LHLO x\r\n")
    talk.feed(b"MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
    assert talk.feed(b"123456\r\n.\r\n") == b"552 5.3.4 The message is too big\r\n" * 2


def test_lhlo_is_unknown_to_smtp():
    """LHLO on an SMTP port is no greeting."""
    assert Talk().feed(b"LHLO x\r\n")[-32:].startswith(b"500")
