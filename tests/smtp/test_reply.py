"""The reply reader is strict where leniency would let a server fool us, and bounded."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.errors import RemoteProtocolError
from pillarbox.mail.reply import EnhancedCode, Reply
from pillarbox.smtp.reply import ReplyReader


def read(data, size=None, reader=None):
    """Return all replies in ``data``, fed in pieces."""
    reader = reader or ReplyReader()
    size = size or max(1, len(data))
    found = []
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
        while (reply := reader.next_reply()) is not None:
            found.append(reply)
    return found


REPLIES = [
    # stream, replies as code, lines, enhanced code
    (b"220 hi\r\n", [(220, (b"hi",), "")]),
    (b"220 hi\n", [(220, (b"hi",), "")]),
    (b"250\r\n", [(250, (b"",), "")]),
    (b"250 \r\n", [(250, (b"",), "")]),
    (b"250  two\r\n", [(250, (b" two",), "")]),
    (b"250-a\r\n250-b\r\n250 c\r\n", [(250, (b"a", b"b", b"c"), "")]),
    (b"250-a\r\n250\r\n", [(250, (b"a", b""), "")]),
    (b"250-\r\n250 \r\n", [(250, (b"", b""), "")]),
    (b"250 a\r\n354 b\r\n", [(250, (b"a",), ""), (354, (b"b",), "")]),
    (b"250 a\rb\r\n", [(250, (b"a\rb",), "")]),
    (b"250 a\r\r\n", [(250, (b"a\r",), "")]),
    (b"526 Authentication failure[0]\r\n", [(526, (b"Authentication failure[0]",), "")]),
    (b"440 x\r\n559 y\r\n200 z\r\n", [(440, (b"x",), ""), (559, (b"y",), ""), (200, (b"z",), "")]),
    (b"550 \xe5\xa4\xb1\xff\0\x1b\r\n", [(550, (b"\xe5\xa4\xb1\xff\0\x1b",), "")]),
    # enhanced codes (RFC 2034)
    (b"250 2.1.0 ok\r\n", [(250, (b"2.1.0 ok",), "2.1.0")]),
    (b"550 5.7.509\r\n", [(550, (b"5.7.509",), "5.7.509")]),
    (b"421 4.3.2 bye\r\n", [(421, (b"4.3.2 bye",), "4.3.2")]),
    (b"550-5.1.1 a\r\n550 5.1.1 b\r\n", [(550, (b"5.1.1 a", b"5.1.1 b"), "5.1.1")]),
    (b"250 5.1.1 lies\r\n", [(250, (b"5.1.1 lies",), "")]),
    (b"550 4.1.1 lies\r\n", [(550, (b"4.1.1 lies",), "")]),
    (b"550 5.1 x\r\n", [(550, (b"5.1 x",), "")]),
    (b"550 5.1.1x y\r\n", [(550, (b"5.1.1x y",), "")]),
    (b"550 5.1234.1 x\r\n", [(550, (b"5.1234.1 x",), "")]),
    (b"550 5..1 x\r\n", [(550, (b"5..1 x",), "")]),
    (b"550 55.1.1 x\r\n", [(550, (b"55.1.1 x",), "")]),
    (b"354 3.0.0 x\r\n", [(354, (b"3.0.0 x",), "")]),
]


@pytest.mark.parametrize("size", [None, 1, 2, 5])
@pytest.mark.parametrize(("stream", "wanted"), REPLIES)
def test_reads_replies(stream, wanted, size):
    """Whole, in pieces or byte by byte, the same replies come out."""
    found = read(stream, size)
    assert [(reply.code, reply.lines, str(reply.enhanced or "")) for reply in found] == wanted


TAILS = [
    # start of a reply, its end
    (b"2", b"50 x\r\n"),
    (b"250", b"\r\n"),
    (b"250 x", b"\n"),
    (b"250 x\r", b"\n"),
    (b"250-x\r\n", b"250 y\r\n"),
    (b"250-x\r\n25", b"0\r\n"),
]


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize(("stream", "wanted"), REPLIES)
@pytest.mark.parametrize(("tail", "end"), TAILS)
def test_tail_waits_for_its_end(stream, wanted, tail, end, size):
    """The start of a reply is no reply, however much of it is there, and is told of."""
    reader = ReplyReader()
    assert len(read(stream + tail, size, reader)) == len(wanted)
    assert reader.has_leftover
    assert len(read(end, size, reader)) == 1
    assert not reader.has_leftover


def test_nothing_is_left_over_behind_a_whole_reply():
    """A reader that has given out everything holds nothing."""
    reader = ReplyReader()
    assert not reader.has_leftover
    assert read(b"250-a\r\n250 b\r\n", None, reader)
    assert not reader.has_leftover
    reader.feed(b"250 a\r\n250 b\r\n")
    assert reader.next_reply().lines == (b"a",)
    assert reader.has_leftover


BROKEN = [
    # line, what the error says
    (b"\r\n", "no reply"),
    (b"ok\r\n", "no reply"),
    (b"25\r\n", "no reply"),
    (b"25 0 ok\r\n", "no reply"),
    (b" 250 ok\r\n", "no reply"),
    (b"-250 ok\r\n", "no reply"),
    (b"+50 ok\r\n", "no reply"),
    (b"\0250 ok\r\n", "no reply"),
    (b"100 ok\r\n", "no reply"),
    (b"199 ok\r\n", "no reply"),
    (b"000 ok\r\n", "no reply"),
    (b"260 ok\r\n", "no reply"),
    (b"299 ok\r\n", "no reply"),
    (b"560 ok\r\n", "no reply"),
    (b"600 ok\r\n", "no reply"),
    (b"999 ok\r\n", "no reply"),
    (b"\xb2\xb5\xb0 ok\r\n", "no reply"),
    ("２５０ ok\r\n".encode(), "no reply"),
    (b"2200 ok\r\n", "without a space"),
    (b"250ok\r\n", "without a space"),
    (b"250\tok\r\n", "without a space"),
    (b"250_ok\r\n", "without a space"),
    (b"250\0ok\r\n", "without a space"),
    (b"250-a\r\n251 b\r\n", "mixed the codes 250 and 251"),
    (b"250-a\r\n550 b\r\n", "mixed the codes 250 and 550"),
    (b"250-a\r\n550-b\r\n250 c\r\n", "mixed the codes 250 and 550"),
    (b"250-a\r\nb\r\n", "no reply"),
    (b"250-a\r\n\r\n", "no reply"),
    (b"250-a\r\n250", None),
]


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize(("stream", "problem"), BROKEN)
def test_reply_desync_by_a_malformed_line_is_a_violation(stream, problem, size):
    """Anything but a strict reply (N7: ``2200``, differing codes, garbage) ends the session."""
    if problem is None:
        assert read(stream, size) == []
        return
    with pytest.raises(RemoteProtocolError, match=problem) as violation:
        read(stream, size)
    assert len(violation.value.received) <= 80


def long_reply(octets):
    """Return the start of a reply of 33 lines with that many octets in each but the last."""
    return b"250-" + (b"x" * (octets - 4) + b"\r\n250-") * 32 + b"x"


LIMITS = [
    # what fits, the next size up that does not
    (b"250 " + b"x" * 2044, b"250 " + b"x" * 2045),
    (b"334 " + b"A" * 12284, b"334 " + b"A" * 12285),
    (b"250-x\r\n" * 99 + b"250 x", b"250-x\r\n" * 100 + b"250 x"),
    (long_reply(2040), long_reply(2048)),
]


@pytest.mark.parametrize("size", [None, 1, 4096])
@pytest.mark.parametrize(("fitting", "too_long"), LIMITS, ids=["line", "334", "lines", "reply"])
def test_endless_reply_hits_a_limit(fitting, too_long, size):
    """A line, a challenge, and a reply end somewhere (N6); honest ones fit."""
    last = b"" if b"250-" not in fitting[-5:] else b"\r\n250 x"
    assert len(read(fitting + last + b"\r\n", size)) == 1
    with pytest.raises(RemoteProtocolError):
        read(too_long + last + b"\r\n", size)


def test_line_without_end_hits_a_limit():
    """A server that never ends a line gets no more than 12 KiB of our memory (N6)."""
    reader = ReplyReader()
    assert read(b"334 " + b"x" * 12285, 1, reader) == []
    with pytest.raises(RemoteProtocolError, match="without end"):
        read(b"x", None, reader)


def test_reply_without_end_hits_a_limit():
    """So does one of which there is always another line."""
    reader = ReplyReader()
    with pytest.raises(RemoteProtocolError, match="does not end"):
        read(b"250-x\r\n" * 101, None, reader)


def test_limits_are_those_of_one_reply():
    """A long session has as many replies as it likes."""
    reader = ReplyReader()
    for _ in range(100):
        assert len(read(b"250-" + b"x" * 1000 + b"\r\n250 x\r\n", None, reader)) == 1


# -- the cache ---------------------------------------------------------------------------------


def test_cache_gives_the_same_reply_and_confuses_none():
    """A line seen before means what it meant, alone; inside a reply it is still a line."""
    reader = ReplyReader()
    first, second = read(b"250 ok\r\n250 ok\r\n", None, reader)
    assert first == second == Reply(250, (b"ok",))
    assert read(b"250-a\r\n250 ok\r\n", None, reader) == [Reply(250, (b"a", b"ok"))]
    assert read(b"250 ok\n", None, reader) == [Reply(250, (b"ok",))]
    assert read(b"250 ok\r\r\n", None, reader) == [Reply(250, (b"ok\r",))]
    with pytest.raises(RemoteProtocolError, match="mixed"):
        read(b"550-a\r\n250 ok\r\n", None, reader)


def test_cache_does_not_hide_limits():
    """A hundred short lines seen before are still a hundred lines of one reply."""
    reader = ReplyReader()
    read(b"250 x\r\n", None, reader)
    with pytest.raises(RemoteProtocolError, match="does not end"):
        read(b"250-x\r\n" * 100 + b"250 x\r\n", None, reader)


def test_cache_is_bounded_and_holds_no_challenge():
    """A thousand replies cost no memory; a challenge, which may be secret, is not kept."""
    reader = ReplyReader()
    read(b"334 c2VjcmV0\r\n" * 2, None, reader)
    assert reader._cache == {}
    read(b"".join(b"250 queued as %d\r\n" % number for number in range(1000)), None, reader)
    assert len(reader._cache) <= 256
    assert read(b"250 queued as 5\r\n250 queued as 999\r\n", None, reader) == [
        Reply(250, (b"queued as 5",)),
        Reply(250, (b"queued as 999",)),
    ]


# -- properties --------------------------------------------------------------------------------

CODE = st.builds(
    lambda first, second, third: first * 100 + second * 10 + third,
    st.integers(2, 5),
    st.integers(0, 5),
    st.integers(0, 9),
)
TEXT = st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"").rstrip(b"\r"))
REPLY = st.tuples(CODE, st.lists(TEXT, min_size=1, max_size=4))


def said(code, lines):
    """Return a reply as a server says it."""
    marks = [b"-"] * (len(lines) - 1) + [b" "]
    return b"".join(
        b"%d%s%s\r\n" % (code, mark, line) for mark, line in zip(marks, lines, strict=True)
    )


@given(st.lists(REPLY, max_size=6), st.integers(1, 30))
@settings(max_examples=200)
def test_replies_come_out_as_said(replies, size):
    """Code and lines of each reply come out, in order, and none is made up."""
    stream = b"".join(said(code, lines) for code, lines in replies)
    found = read(stream, size)
    assert [(reply.code, list(reply.lines)) for reply in found] == replies
    for reply in found:
        assert reply.enhanced is None or isinstance(reply.enhanced, EnhancedCode)


@given(st.text("250 -34\r\nx.", max_size=60), st.integers(1, 7))
@settings(max_examples=300)
def test_pieces_do_not_matter(text, size):
    """What a stream means does not depend on how it was cut."""
    results = []
    for cut in (None, size):
        found, reader = [], ReplyReader()
        data = text.encode()
        try:
            for start in range(0, len(data), cut or max(1, len(data))):
                reader.feed(data[start : start + (cut or len(data))])
                while (reply := reader.next_reply()) is not None:
                    found.append(reply)
        except RemoteProtocolError as violation:
            found.append(violation.problem)
        results.append(found)
    assert results[0] == results[1]
