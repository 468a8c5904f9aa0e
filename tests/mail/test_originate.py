"""What is added to a header section, what is taken out, and in which order."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.headers import read_header_section
from pillarbox.mail.originate import (
    HeaderWishes,
    add_missing_headers,
    blind_copy_field,
    format_date,
    make_message_id,
    recipient_fields,
)

DATE = "Mon, 01 Jan 2024 00:00:00 +0000"
MESSAGE_ID = "<1.2@example.org>"
SENDER = parse_mailbox("me@example.org")
TO = (parse_mailbox("a@example.org"), parse_mailbox("b@example.org"))
NOTHING = {"set_from": "off", "set_date": False, "set_message_id": False, "remove_bcc": False}


def section(text):
    """Return the header section of a text."""
    pieces = iter([text.encode("utf-8", "surrogateescape")])
    return read_header_section(lambda _: next(pieces, b""))[0]


def complete(text, *, sender=SENDER, recipients=TO, **wishes):
    """Return the lines of the completed section of a text."""
    completed = add_missing_headers(
        section(text),
        HeaderWishes(**wishes),
        sender=sender,
        recipients=recipients,
        date=DATE,
        message_id=MESSAGE_ID,
    )
    return completed.wire_form().decode("utf-8", "surrogateescape").split("\r\n")[:-1]


FROM, DATE_LINE, ID_LINE = "From: me@example.org", f"Date: {DATE}", f"Message-ID: {MESSAGE_ID}"

COMPLETED = [
    # text, wishes, lines
    ("", {}, [FROM, DATE_LINE, ID_LINE]),
    ("Subject: x\n", {}, [FROM, DATE_LINE, ID_LINE, "Subject: x"]),
    ("FROM: x\n", {}, [DATE_LINE, ID_LINE, "FROM: x"]),
    ("from :\n", {}, [DATE_LINE, ID_LINE, "from:"]),
    ("date: x\nmessage-id: y\nFrom: z\n", {}, ["date: x", "message-id: y", "From: z"]),
    ("Subject: x\n", NOTHING, ["Subject: x"]),
    ("Bcc: x\n", NOTHING, ["Bcc: x"]),
    ("Bcc: x\nResent-Bcc: y\nTo: z\n", {**NOTHING, "remove_bcc": True}, ["To: z"]),
    # From
    ("From: x\nfrom: y\n", {**NOTHING, "set_from": "on"}, [FROM]),
    ("Sender: x\n", {**NOTHING, "set_from": "on"}, [FROM, "Sender: x"]),
    ("From: x\n", {**NOTHING, "set_from": "off"}, ["From: x"]),
    ("", {**NOTHING, "set_from": "auto", "full_name": "Joe"}, ["From: Joe <me@example.org>"]),
    (
        "",
        {**NOTHING, "set_from": "auto", "full_name": "测试"},
        ["From: =?utf-8?B?5rWL6K+V?= <me@example.org>"],
    ),
    (
        "",
        {**NOTHING, "set_from": "auto", "full_name": "x\r\nBcc: evil@e"},
        ['From: "x  Bcc: evil@e" <me@example.org>'],
    ),
    # To
    ("To: x\nCc: y\nBcc: z\nReply-To: r\n", {**NOTHING, "set_to": "on"},
     ["To: a@example.org, b@example.org", "Reply-To: r"]),
    ("To: x\nCc: y\nBcc: z\nResent-To: r\n", {**NOTHING, "set_to": "undisclosed_recipients"},
     ["To: undisclosed-recipients:;", "Resent-To: r"]),
    # the order of all
    ("Subject: x\n", {"set_to": "undisclosed_recipients"},
     [FROM, "To: undisclosed-recipients:;", DATE_LINE, ID_LINE, "Subject: x"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wishes", "lines"), COMPLETED)
def test_completes_a_section(text, wishes, lines):
    """Missing fields stand in front, in msmtp's order; what is there stays as it is."""
    assert complete(text, **wishes) == lines


def test_section_with_nothing_to_change_is_the_same_object():
    """Same mail in, same mail out."""
    before = section("Subject: x\n")
    wishes = HeaderWishes(**NOTHING)
    after = add_missing_headers(
        before, wishes, sender=None, recipients=(), date=DATE, message_id=MESSAGE_ID
    )
    assert after is before


@pytest.mark.parametrize("set_from", ["auto", "on", "off"])
def test_null_sender_adds_no_from(set_from):
    """A bounce has no sender to name, and keeps its own From."""
    assert complete("From: x\n", sender=None, **{**NOTHING, "set_from": set_from}) == ["From: x"]
    assert complete("", sender=None, **{**NOTHING, "set_from": set_from}) == []


def test_long_name_is_folded_between_encoded_words():
    """A line with encoded words has 76 characters at most (RFC 2047 2)."""
    lines = complete("", **{**NOTHING, "set_from": "auto", "full_name": "测试邮件" * 20})
    assert all(len(line) <= 76 for line in lines)
    assert [line[:3] for line in lines] == ["Fro", *[" =?"] * (len(lines) - 2), " <m"]
    value = "\r\n".join(lines).removeprefix("From: ")
    assert str(make_header(decode_header(value))) == "测试邮件" * 20 + " <me@example.org>"


def test_recipients_are_folded_into_lines():
    """A long To has lines of at most 78 characters, and nobody is lost."""
    recipients = tuple(parse_mailbox(f"recipient{n}@example.org") for n in range(100))
    lines = complete("", recipients=recipients, **{**NOTHING, "set_to": "on"})
    assert all(len(line) <= 78 for line in lines)
    message = message_from_bytes("\r\n".join([*lines, "", ""]).encode(), policy=policy.default)
    assert [str(address) for address in message["To"].addresses] == [str(to) for to in recipients]


def test_recipient_longer_than_a_line_is_not_broken():
    """No fold is made inside an address, and no line is empty."""
    long = parse_mailbox("a" * 60 + "@" + "b" * 60)
    lines = complete("", recipients=(long, long), **{**NOTHING, "set_to": "on"})
    assert lines == [f"To: {long},", f" {long}"]


def test_added_addresses_are_ascii_where_they_can_be():
    """Octets above 127 in a header need SMTPUTF8, for which a domain is no reason."""
    idn, utf8 = parse_mailbox("joe@bücher.example"), parse_mailbox("jörg@bücher.example")
    lines = complete("", sender=idn, recipients=(idn,), **{**NOTHING, "set_from": "auto"})
    assert lines == ["From: joe@xn--bcher-kva.example"]
    lines = complete("", recipients=(idn,), **{**NOTHING, "set_to": "on"})
    assert lines == ["To: joe@xn--bcher-kva.example"]
    lines = complete("", sender=utf8, **{**NOTHING, "set_from": "auto"})
    assert lines == ["From: jörg@bücher.example"]


@given(st.text(max_size=60))
@settings(max_examples=150)
def test_header_injection_by_full_name_makes_no_field(name):
    """Whatever -F says (N10, CVE-2024-6923), one From comes out and nothing else."""
    lines = complete("", **{**NOTHING, "set_from": "auto", "full_name": name})
    again = section("\n".join(lines) + "\n\n")
    assert [field.name for field in again.fields] == [b"From"]
    assert "me@example.org" in again.first("From")


ZONES = [
    # TZ, epoch seconds, date
    ("UTC", 0, "Thu, 01 Jan 1970 00:00:00 +0000"),
    ("UTC", 1709210096.9, "Thu, 29 Feb 2024 12:34:56 +0000"),
    ("Asia/Shanghai", 1709210096, "Thu, 29 Feb 2024 20:34:56 +0800"),
    ("XXX-5:30", 1709210096, "Thu, 29 Feb 2024 18:04:56 +0530"),
    ("XXX+3:30", 1709210096, "Thu, 29 Feb 2024 09:04:56 -0330"),
    ("XXX+0:30", 1709210096, "Thu, 29 Feb 2024 12:04:56 -0030"),
]


@pytest.mark.parametrize(("zone", "epoch_s", "date"), ZONES)
def test_formats_a_date(monkeypatch, zone, epoch_s, date):
    """Local time with English names and a numeric zone (RFC 5322 3.3)."""
    monkeypatch.setitem(os.environ, "TZ", zone)
    time.tzset()
    try:
        assert format_date(epoch_s) == date
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.integers(0, 4_000_000_000))
@settings(max_examples=100)
def test_standard_library_reads_the_date_back(epoch_s):
    """The date names the moment, to the second."""
    found = parsedate_to_datetime(format_date(epoch_s))
    assert found == datetime.fromtimestamp(epoch_s, UTC)


def test_message_id_is_unique_and_does_not_name_the_sender():
    """Time and randomness at the domain: two in the same moment differ."""
    first = make_message_id("example.org", epoch_s=1.5, random=b"\0" * 10)
    assert first == "<5dc." + "0" * 20 + "@example.org>"
    assert make_message_id("example.org", epoch_s=1.5, random=b"\1" * 10) != first


RECIPIENTS = [
    # text, values
    ("", []),
    ("From: f\nReply-To: r\n", []),
    ("Cc: a\nTo: b\nBCC : c\nTo: d\n", ["a", "b", "c", "d"]),
    ("To: a,\n b\n", ["a, b"]),
    ("To: a\nResent-From: f\nResent-To: b\nResent-Bcc: c\n", ["b", "c"]),
    ("Resent-From: f\nTo: a\n", []),
    (
        "Received: x\nResent-To: new\nResent-Cc: new2\nReceived: y\nResent-To: old\nTo: a\n",
        ["new", "new2"],
    ),
]


@pytest.mark.parametrize(("text", "values"), RECIPIENTS)
def test_finds_the_recipient_fields(text, values):
    """To, Cc and Bcc; or the Resent fields of the latest resending (RFC 5322 3.6.6)."""
    assert recipient_fields(section(text)) == values


BLIND = [
    ("joe@example.org", "Bcc: joe@example.org\r\n"),
    ("joe@bücher.example", "Bcc: joe@xn--bcher-kva.example\r\n"),
    ("jörg@example.org", "Bcc: jörg@example.org\r\n"),
    ('"a, b"@example.org', 'Bcc: "a, b"@example.org\r\n'),
]


@pytest.mark.parametrize(("address", "raw"), BLIND)
def test_blind_copy_names_the_one_it_is_for(address, raw):
    """One field with one address, in ASCII where there is such a form (RFC 5322 3.6.3)."""
    field = blind_copy_field(parse_mailbox(address))
    assert field.raw.decode() == raw
    assert field.key == b"bcc"
