"""The wire form: one mail in, one mail out, for every kind of server."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.mail.wire import MAX_LINE, DotStuffing, LineEndings, LineLengths


def wire_form(chunks):
    """Return the wire form of a text that comes in chunks."""
    endings = LineEndings()
    return b"".join([*map(endings.feed, chunks), endings.finish()])


def data_form(chunks):
    """Return what DATA carries for a text that comes in chunks, with the final dot."""
    endings, stuffing = LineEndings(), DotStuffing()
    pieces = [*map(endings.feed, chunks), endings.finish()]
    return b"".join([*map(stuffing.feed, pieces), stuffing.finish()])


WIRE = [
    # text, wire form
    (b"", b""),
    (b"\n", b"\r\n"),
    (b"a", b"a\r\n"),
    (b"a\n", b"a\r\n"),
    (b"a\r\n", b"a\r\n"),
    (b"a\nb\r\nc", b"a\r\nb\r\nc\r\n"),
    (b"a\n\nb", b"a\r\n\r\nb\r\n"),
    (b"a\rb", b"a b\r\n"),
    (b"a\r", b"a \r\n"),
    (b"a\r\r\n", b"a \r\n"),
    (b"a\n\rb", b"a\r\n b\r\n"),
    (b"\r", b" \r\n"),
    (b"a\0b", b"ab\r\n"),
    (b"a\r\0\nb", b"a\r\nb\r\n"),
    (b"\0", b""),
    (b"a\n\0", b"a\r\n"),
    (b"\xff\x80\x0b\x0c\x1a", b"\xff\x80\x0b\x0c\x1a\r\n"),
    (b".\n..\n", b".\r\n..\r\n"),
]


@pytest.mark.parametrize(("text", "wire"), WIRE)
def test_makes_the_wire_form(text, wire):
    """LF and CRLF become CRLF, a bare CR a space, NUL nothing; the last line is ended."""
    assert wire_form([text]) == wire
    assert wire_form([text[i : i + 1] for i in range(len(text))]) == wire
    assert wire_form([b"", *[text[i : i + 2] for i in range(0, len(text), 2)], b""]) == wire


STUFFED = [
    # wire form, content of DATA
    (b"", b".\r\n"),
    (b"a\r\n", b"a\r\n.\r\n"),
    (b".\r\n", b"..\r\n.\r\n"),
    (b"..\r\n", b"...\r\n.\r\n"),
    (b"a.\r\n.b\r\n", b"a.\r\n..b\r\n.\r\n"),
    (b"a\r\n.\r\n.\r\n", b"a\r\n..\r\n..\r\n.\r\n"),
    (b"no end", b"no end\r\n.\r\n"),
]


@pytest.mark.parametrize(("wire", "content"), STUFFED)
def test_doubles_leading_dots(wire, content):
    """Each dot that begins a line is doubled, and the final dot has a line of its own."""
    for size in (1, 2, 3, 100):
        stuffing = DotStuffing()
        pieces = [stuffing.feed(wire[i : i + size]) for i in range(0, len(wire), size)]
        assert b"".join([*pieces, stuffing.feed(b""), stuffing.finish()]) == content


def test_can_go_on_with_another_text():
    """After its end a line-ending state is as new."""
    endings = LineEndings()
    assert endings.feed(b"a\r") + endings.finish() == b"a \r\n"
    assert endings.feed(b"\nb") + endings.finish() == b"\r\nb\r\n"


# -- smuggling (N9) ----------------------------------------------------------------------------

# How four kinds of servers split what comes behind DATA into lines.
SERVERS = {
    "CRLF only": rb"\r\n",
    "LF too": rb"\r?\n",
    "CR too": rb"\r\n|\r",
    "all": rb"\r\n|\r|\n",
}


def receive(stream, line_end):
    """Return each mail and each command in a stream that begins inside DATA."""
    mails, commands, lines = [], [], []
    is_data = True
    for line in re.split(line_end, stream):
        if is_data and line == b".":
            mails.append(lines)
            lines, is_data = [], False
        elif is_data:
            lines.append(line.removeprefix(b"."))
        else:
            commands.append(line)
            is_data = line == b"DATA"
    return mails, commands


SMUGGLED = b"MAIL FROM:<evil@example.org>{0}RCPT TO:<x@y>{0}DATA{0}Subject: evil{0}{0}evil"
ENDS = [b"\n.\n", b"\r.\r", b"\n.\r", b"\r.\n", b"\r\n.\n", b"\n.\r\n", b"\r\n.\r", b"\r.\r\n",
        b"\r\n.\r\n", b"\n.\n\n", b"\r\r\n.\r\r\n", b"\n\0.\n", b"\r\n.\0\r\n", b"\r\0\n.\r\0\n",
        b"\0\r\n\0.\0\r\0\n", b"\r\n\r.\r\n", b"\r\n.\r\r\n"]  # fmt: skip


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_smtp_smuggling_makes_no_second_mail(end, line_end, server):
    """An end of data inside the text (CVE-2023-51764 and kin) ends nothing, anywhere."""
    text = b"Subject: x\n\nhello" + end + SMUGGLED.replace(b"{0}", line_end) + end
    for chunks in ([text], [text[i : i + 1] for i in range(len(text))]):
        mails, commands = receive(data_form(chunks) + b"QUIT\r\n", SERVERS[server])
        assert len(mails) == 1
        assert commands == [b"QUIT", b""]
        assert mails[0] == wire_form(chunks).split(b"\r\n")[:-1]


@pytest.mark.parametrize("server", SERVERS)
def test_the_servers_of_this_test_can_be_fooled(server):
    """Raw text behind DATA does smuggle a second mail: the parsers above are no strawmen."""
    end = {"CRLF only": b"\r\n", "LF too": b"\n", "CR too": b"\r", "all": b"\r"}[server]
    text = b"hello" + end + b"." + end + SMUGGLED.replace(b"{0}", end) + b"\r\n.\r\n"
    assert len(receive(text, SERVERS[server])[0]) == 2


# -- properties --------------------------------------------------------------------------------

BODY = st.lists(
    st.sampled_from([b"\r", b"\n", b".", b"\0", b"\r\n", b"a", b"\r\n.\r\n", b"\xff", b"QUIT"]),
    max_size=30,
).map(b"".join)


def cut(text, places):
    """Return the text in pieces."""
    bounds = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[a:b] for a, b in pairwise(bounds)]


@given(BODY, st.lists(st.integers(0, 100), max_size=8))
@settings(max_examples=250)
def test_decoding_gives_the_normal_form(text, places):
    """Taking the wire form apart gives back the text, with its line ends made normal."""
    wire = wire_form(cut(text, places))
    normal = re.sub(rb"\r(?!\n)", b" ", text.replace(b"\0", b"")).replace(b"\r\n", b"\n")
    if normal and not normal.endswith(b"\n"):
        normal += b"\n"
    assert wire.replace(b"\r\n", b"\n") == normal
    assert wire_form([wire]) == wire


@given(BODY, st.lists(st.integers(0, 100), max_size=8))
@settings(max_examples=250)
def test_no_octet_could_end_a_line_but_crlf(text, places):
    """The wire form holds no NUL and no CR or LF outside CRLF."""
    wire = wire_form(cut(text, places))
    assert not re.search(rb"\0|\r(?!\n)|(?<!\r)\n", wire)
    assert not wire or wire.endswith(b"\r\n")


@given(BODY, st.lists(st.integers(0, 100), max_size=8))
@settings(max_examples=100, deadline=None)
def test_chunks_do_not_matter(text, places):
    """However a text comes, the same octets go out."""
    assert data_form(cut(text, places)) == data_form([text])


@given(BODY)
@settings(max_examples=100, deadline=None)
def test_every_server_sees_one_mail(text):
    """All four kinds of server take the same one mail, and what comes behind it for commands."""
    for line_end in SERVERS.values():
        mails, commands = receive(data_form([text]) + b"QUIT\r\n", line_end)
        assert commands == [b"QUIT", b""]
        assert mails == [wire_form([text]).split(b"\r\n")[:-1]]


@pytest.mark.parametrize(
    ("octets", "is_long"),
    [
        (b"", False),
        (b"x" * 998, False),
        (b"x" * 998 + b"\n", False),
        (b"x" * 998 + b"\r\n", False),
        (b"x" * 999 + b"\n", True),
        (b"x" * 999 + b"\r\n", True),
        (b"x" * 1001, True),
        (b"a\n" * 2000, False),
        (b"a\n" * 2000 + b"x" * 999 + b"\n" + b"a\n" * 2000, True),
        (b"x" * 998 + b"\n" + b"y" * 998 + b"\r\n", False),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 997, 1 << 20])
def test_finds_long_lines(octets, is_long, size):
    """998 octets without the line end are the limit, across chunks too (RFC 5322 2.1.1)."""
    lengths = LineLengths()
    chunks = [octets[at : at + size] for at in range(0, len(octets), size)]
    assert any(lengths.feed(chunk) for chunk in chunks) == is_long


LINES = st.lists(st.tuples(st.sampled_from([0, 1, 75, 76, 997, 998, 999]), st.integers(1, 40)))


@given(LINES, st.sampled_from([b"\n", b"\r\n"]), st.integers(1, 3000))
@settings(max_examples=100, deadline=None)
def test_lines_of_one_length_hide_no_long_one(lines, end, size):
    """However many lines are alike, one that is too long is found, and none that is not."""
    text = b"".join((b"x" * length + end) * count for length, count in lines)
    lengths = LineLengths()
    found = [lengths.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert any(found) == any(length > MAX_LINE for length, _ in lines)
