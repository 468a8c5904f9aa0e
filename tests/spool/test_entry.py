"""The file of an entry: what it looks like, and that no octet of it can change unseen."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.errors import CorruptEntryError, SpoolError
from pillarbox.mail.address import Mailbox, parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.spool.area import first_area
from pillarbox.spool.base import Head, Origin
from pillarbox.spool.entry import (
    MAX_HEAD,
    PREFIX_BYTES,
    TRAILER_BYTES,
    check_head,
    format_head,
    format_prefix,
    format_trailer,
    is_entry_id,
    make_entry_id,
    new_hash,
    parse_head,
    parse_prefix,
    parse_trailer,
)
from spool.letters import make_head


def entry_file(head, content):
    """Return a whole file."""
    lines = format_head(head)
    recipients = len(head.envelope.forward_paths)
    prefix = format_prefix(lines, recipients)
    before = prefix + first_area(recipients) + lines + content
    return before + format_trailer(len(before), new_hash(prefix + lines + content))


def parsed(head):
    """Return a head that went through a file."""
    lines = format_head(head)
    prefix = parse_prefix(format_prefix(lines, len(head.envelope.forward_paths)))
    check_head(lines, prefix, head.id)
    return parse_head(lines, prefix)


def test_a_person_can_read_it():
    """The file is text, its first line names the format, and each line says what it is."""
    head = Head(
        "0hognofoxgj-26kv0rvs1pfio3zmd1qm1ej5a",
        1795531271.5,
        Envelope(
            parse_mailbox("me@example.com"),
            (parse_mailbox("you@example.org"), parse_mailbox("root")),
            ret="HDRS",
            envid="e1",
            notify="NEVER",
        ),
        account="work",
        message_id="<m@h>",
        origin=Origin(1000, 1001, 42, door="socket"),
        priority=4,
        settings={"full_name": "Ann Lee"},
        trace="Received: by h\n\tlater",
    )
    progress = (
        "progress 2431b4df PP attempts=0000000000 last=0000000000.000 observed=0000000000.000 "
        "doubt=- warned=- reason=" + " " * 200
    )
    # The hashes are those that sha256sum prints.
    expected = f"""\
pillarbox-entry 1
head 00000279 0002 f27c3bd2132b3045487b78509c7af05ea797124819afaf1b9144cf38b49f28f7
{progress}
{progress}
id: 0hognofoxgj-26kv0rvs1pfio3zmd1qm1ej5a
accepted: 1795531271.5
origin: 1000 1001 42 socket
priority: 4
from: me@example.com
account: work
message-id: <m@h>
ret: HDRS
envid: e1
notify: NEVER
trace: Received: by h%0A%09later
set: full_name Ann Lee
to: you@example.org
to: root@

Subject: hi

hello

end 000000001103 bc20b199c9d77fc0d0c8d01a47efae2a3dcf52cf998be066147d6ee7b5d3fa11
"""
    found = entry_file(head, b"Subject: hi\n\nhello\n").decode()
    assert found == expected


@pytest.mark.parametrize(
    ("epoch_s", "random_octets", "entry_id"),
    [
        (0, bytes(16), "00000000000-0000000000000000000000000"),
        (-5, bytes(16), "00000000000-0000000000000000000000000"),
        (1e-6, bytes(15) + b"\x23", "00000000001-000000000000000000000000z"),
        (1795531271.25, b"\xff" * 16, "0hognofnplc-f5lxx1zz5pnorynqglhzmsp33"),
    ],
)
def test_makes_ids_of_time_and_chance(epoch_s, random_octets, entry_id):
    """The ID is the time in microseconds and 128 random bits, both in base 36."""
    assert make_entry_id(epoch_s, random_octets) == entry_id
    assert is_entry_id(entry_id)


def test_ids_sort_by_time():
    """An older mail's ID comes first, whatever the chance."""
    times = [0.0, 1.5, 1795531271.0, 1795531271.1, 1795531272.0, 4e9, 1e11]
    made = [make_entry_id(time, random.randbytes(16)) for time in times]
    assert sorted(made) == made
    assert {len(one) for one in made} == {37}


@pytest.mark.parametrize("text", ["a", "0-", "z" * 64, "0hognofoxgj-26kv0rvs1pfio3zmd1qm1ej5a"])
def test_takes_ids(text):
    """Lower-case letters, digits and ``-``, up to 64."""
    assert is_entry_id(text)


@pytest.mark.parametrize(
    "text", ["", "-", "-a", "A", "a.b", "a/b", "..", "a\n", "a b", "é", "²", "z" * 65, "a\0", "a_"]
)
def test_refuses_ids(text):
    """Nothing else may become the name of a file."""
    assert not is_entry_id(text)


HEADS = [
    make_head(),
    make_head(reverse_path=None),
    make_head(forward_paths=()),
    make_head(
        forward_paths=(Mailbox("root", ""), Mailbox('"a@b"', ""), Mailbox("x", "[IPv6:::1]"))
    ),
    make_head(account="", message_id="", trace="", settings={}),
    make_head(accepted_s=0.1 + 0.2),
    make_head(accepted_s=-1.0),
    make_head(settings={"a": "", "b": " ", "c": "x\n\r\0\x7f%0A", "d e": "é\u2028\x85 "}),
    make_head(settings={"full_name": "caf\udce9 \ud800"}),
    make_head(account="set: x\nto: y@z", trace="to: evil@example.com\nto: x"),
    make_head(origin=Origin(0, 0, 1, door="own\nto: a@b")),
    make_head(priority=9),
]


@pytest.mark.parametrize("head", HEADS, ids=range(len(HEADS)))
def test_reads_the_head_that_it_wrote(head):
    """Every field comes back as it was, whatever stands in it."""
    assert parsed(head) == head


@given(
    st.text(),
    st.dictionaries(st.text("ab_ %\n", min_size=1), st.text()),
    st.floats(allow_nan=False),
    st.integers(),
    st.text('a@.%é "[]<>\n', min_size=1),
)
def test_reads_any_head_that_it_wrote(text, settings, number, integer, local_part):
    """No text, number or address can break the lines or be taken for another."""
    head = make_head(
        account=text,
        trace=text,
        settings=settings,
        accepted_s=number,
        priority=integer,
        forward_paths=(Mailbox(local_part, "d.example"), Mailbox("x", "")),
    )
    assert parsed(head) == head


def test_refuses_a_head_that_is_too_long():
    """An envelope that nobody could read back is refused before it is written."""
    with pytest.raises(SpoolError):
        format_head(make_head(trace="x" * MAX_HEAD))


def _reading(data):
    """Return what a reader makes of a file: its head and content."""
    prefix = parse_prefix(data)
    lines = data[prefix.head_at : prefix.content_at]
    check_head(lines, prefix, "a")
    digest = parse_trailer(data[-TRAILER_BYTES:], len(data))
    content = data[prefix.content_at : -TRAILER_BYTES]
    if new_hash(data[:PREFIX_BYTES] + lines + content).hexdigest().encode() != digest:
        raise CorruptEntryError("content")
    return parse_head(lines, prefix), content


@pytest.mark.parametrize("content", [b"", b"Subject: hi\r\n\r\n\0body without end"])
def test_sees_every_octet_that_changed(content):
    """Whichever octet outside the mutable area changes, to whatever: it is seen."""
    head = make_head(id="a")
    data = entry_file(head, content)
    assert _reading(data) == (head, content)
    area = range(PREFIX_BYTES, parse_prefix(data).head_at)
    for position in range(len(data)):
        if position in area:
            continue
        for change in (1, 0x20, 0xFF, data[position] or 7):
            spoiled = bytearray(data)
            spoiled[position] ^= change
            with pytest.raises(CorruptEntryError):
                _reading(bytes(spoiled))


def test_sees_every_octet_that_is_missing_or_too_much():
    """A file that was cut off anywhere, or that something was added to, is seen."""
    data = entry_file(make_head(id="a"), b"content\n")
    for length in range(len(data)):
        with pytest.raises(CorruptEntryError):
            _reading(data[:length])
        with pytest.raises(CorruptEntryError):
            _reading(data[:length] + bytes(len(data) - length))
    for more in (b"\n", b"\0", b"x" * 4096, data):
        with pytest.raises(CorruptEntryError):
            _reading(data + more)


def test_a_file_under_another_name_is_no_entry():
    """Who copies a file within the spool does not have its mail sent twice."""
    lines = format_head(make_head(id="a"))
    prefix = parse_prefix(format_prefix(lines, 3))
    for name in ("b", "", "a1"):
        with pytest.raises(CorruptEntryError):
            check_head(lines, prefix, name)


@pytest.mark.parametrize(
    "lines",
    [
        b"\n\n",
        b"id: a\n\n",
        b"id: a\naccepted: x\norigin: 1 1 1 own\npriority: 0\nfrom: \nto: a@b\n\n",
        b"id: a\naccepted: 1.0\norigin: 1 1 own\npriority: 0\nfrom: \nto: a@b\n\n",
        b"id: a\naccepted: 1.0\norigin: 1 1 1 own\npriority: 0\nfrom: \nto: a\n\n",
        b"id: a\naccepted: 1.0\norigin: 1 1 1 own\npriority: 0\nfrom: \nto: @b\n\n",
        b"id: a\naccepted: 1.0\norigin: 1 1 1 own\npriority: 0\nfrom: \n\n",
        b"id: a\naccepted: 1.0\norigin: 1 1 1 own\npriority: 0\nto: a@b\n\n",
        b"id: a\naccepted: 1.0\norigin: 1 1 1 own\npriority: 0\nfrom: \ntrace: %zz\nto: a@b\n\n",
        b"id: \xff\xff\n\n",
    ],
)
def test_a_head_that_another_program_wrote_is_an_error(lines):
    """A head whose checksum is right and whose lines are not ends in the documented error."""
    prefix = parse_prefix(format_prefix(lines, 1))
    with pytest.raises(CorruptEntryError):
        parse_head(lines, prefix)


@pytest.mark.parametrize(
    "line",
    [
        b"head 00800001 0001 " + b"0" * 64,
        b"head 00000001 1501 " + b"0" * 64,
        b"Head 00000001 0001 " + b"0" * 64,
        b"head 0000000x 0001 " + b"0" * 64,
        b"head +0000001 0001 " + b"0" * 64,
        b"head 000000 1 0001 " + b"0" * 63,
        b"head 00000001 0001 " + b"0" * 65,
        b"head 00000001  001 " + b"0" * 64,
    ],
)
def test_refuses_prefixes(line):
    """Numbers that are none, or that no entry has, are refused before anything is read."""
    with pytest.raises(CorruptEntryError):
        parse_prefix(b"pillarbox-entry 1\n" + line + b"\n")


@pytest.mark.parametrize("data", [b"", b"pillarbox-entry 1\n", b"pillarbox-entry 2\n" + b"0" * 99])
def test_refuses_other_files(data):
    """What is no entry, or one of another version, is refused."""
    with pytest.raises(CorruptEntryError):
        parse_prefix(data)


@given(st.binary(max_size=300))
def test_any_prefix_is_read_or_refused(data):
    """No octets end in anything but a prefix or the documented error."""
    for text in (data, b"pillarbox-entry 1\n" + data, b"pillarbox-entry 1\nhead " + data):
        try:
            parse_prefix(text)
        except CorruptEntryError:
            continue
