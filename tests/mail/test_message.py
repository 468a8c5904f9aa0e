"""A message is streamed: what is known of its content, and that it arrives whole."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.errors import DataError
from pillarbox.mail.headers import HeaderField, HeaderSection
from pillarbox.mail.message import CHUNK_SIZE, Content, Message, read_message


def reader(data, size):
    """Return a function that gives ``data`` in pieces of at most ``size`` octets."""
    position = 0

    def read(limit):
        nonlocal position
        start = position
        position = min(len(data), start + min(size, limit))
        return data[start:position]

    return read


def joined(content):
    """Return all octets of a content."""
    return b"".join(chunk for chunk, _ in content.chunks())


CONTENTS = [
    # message, content, is_8bit
    (b"A: b\n\nbody\n", b"A: b\r\n\r\nbody\r\n", False),
    (b"A: b\n\nbody", b"A: b\r\n\r\nbody\r\n", False),
    (b"A: b\n\n", b"A: b\r\n\r\n", False),
    (b"A: b\n", b"A: b\r\n\r\n", False),
    (b"", b"\r\n", False),
    (b"text", b"\r\ntext\r\n", False),
    (b"\ntext\n", b"\r\ntext\r\n", False),
    (b"A: b\n\n.\n..\r\n\rx\0\n", b"A: b\r\n\r\n.\r\n..\r\n x\r\n", False),
    (b"A: b\n\n\xe6\n", b"A: b\r\n\r\n\xe6\r\n", True),
    (b"A: \xe6\n\nb\n", b"A: \xe6\r\n\r\nb\r\n", True),
]


@pytest.mark.parametrize("size", [1, 5, 1 << 20])
@pytest.mark.parametrize(("text", "wire", "is_8bit"), CONTENTS)
def test_small_message_is_known_whole(text, wire, is_8bit, size):
    """What fits into the first chunk has its exact size, and is known to be 8-bit or not."""
    content = read_message(reader(text, size), remaining_bytes=len(text)).content()
    assert content.first == wire
    assert content.rest is None
    assert content.size_bytes == len(wire)
    assert content.is_8bit is is_8bit
    assert list(content.chunks()) == [(wire, True)]


def test_large_message_is_streamed_with_an_estimate():
    """What does not fit has the size it came with, and nobody knows yet whether it is 8-bit."""
    body = b"line\n" * CHUNK_SIZE
    text = b"A: b\n\n" + body
    content = read_message(reader(text, 1 << 16), remaining_bytes=len(text)).content()
    assert content.size_bytes == len(text)
    assert content.is_8bit is None
    chunks = list(content.chunks())
    assert [is_last for _, is_last in chunks] == [False] * (len(chunks) - 1) + [True]
    assert all(chunk for chunk, _ in chunks)
    wire = b"".join(chunk for chunk, _ in chunks)
    assert wire == b"A: b\r\n\r\n" + body.replace(b"\n", b"\r\n")


def test_large_message_from_a_pipe_has_no_size():
    """Where nobody knows how much will come, no size is claimed."""
    text = b"A: b\n\n" + b"\xe6\n" * CHUNK_SIZE
    content = read_message(reader(text, 1 << 16)).content()
    assert content.size_bytes is None
    assert content.is_8bit is True
    assert joined(content).endswith(b"\xe6\r\n")


def test_message_that_ends_with_the_first_chunk_is_whole():
    """A body that fills the first chunk to the octet needs no second one but for its end."""
    for extra in (-1, 0, 1):
        body = b"x" * (CHUNK_SIZE + extra)
        content = read_message(reader(b"A: b\n\n" + body, 1 << 16)).content()
        assert joined(content) == b"A: b\r\n\r\n" + body + b"\r\n"


def test_last_chunk_is_marked_even_when_the_end_adds_nothing():
    """The end is on the last chunk that has octets, and there is exactly one end."""
    content = Content(b"a", iter([b"", b"b", b"", b""]))
    assert list(content.chunks()) == [(b"a", False), (b"b", True)]
    assert list(Content(b"a", iter([b""])).chunks()) == [(b"a", True)]
    assert list(Content(b"").chunks()) == [(b"", True)]


def test_nothing_is_read_ahead_of_need():
    """Half a mail is never read before somebody wants it."""
    asked = []

    def read(limit):
        asked.append(limit)
        return b"x" * limit

    chunks = Message(HeaderSection(), b"", read).content().chunks()
    before = len(asked)
    next(chunks)
    next(chunks)
    assert len(asked) <= before + 2


def test_memory_does_not_grow_with_the_message():
    """A mail of 32 MiB needs a handful of chunks (L12)."""
    left = 1 << 25

    def read(limit):
        nonlocal left
        taken = min(limit, left)
        left -= taken
        return (b"x" * 75 + b"\n") * (taken // 76) + b"y" * (taken % 76)

    tracemalloc.start()
    total = sum(len(chunk) for chunk, _ in Message(HeaderSection(), b"", read).content().chunks())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total > 1 << 25
    assert peak < 8 * CHUNK_SIZE


def test_headers_change_and_the_body_stays():
    """A message under other headers is sent with those."""
    message = read_message(reader(b"A: b\n\nbody\n", 3))
    changed = message.headers.preceded_by([HeaderField(b"C", b"C: d\r\n")])
    content = message.with_headers(changed).content()
    assert content.first == b"C: d\r\nA: b\r\n\r\nbody\r\n"


def test_header_section_without_end_is_refused():
    """The scanner's limit is the message's too."""
    with pytest.raises(DataError):
        read_message(reader(b"A: " + b"b" * (1 << 20) + b"\n\n", 1 << 16))


@given(st.binary(max_size=40), st.integers(1, 7), st.integers(1, 50))
@settings(max_examples=150)
def test_pieces_do_not_matter(body, size, start):
    """However the body comes in, the same octets go out."""
    head = b"A: b\n\n"
    whole = joined(Message(HeaderSection(), head + body).content())
    pieces = Message(HeaderSection(), (head + body)[:start], reader((head + body)[start:], size))
    assert joined(pieces.content()) == whole
