"""Each rule about a header: what needs it and what it becomes, and what only looks like it."""

from __future__ import annotations

import os
import time

import pytest

from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.header_repairs import HEADER_REPAIRS
from pillarbox.mail.headers import read_header_section
from pillarbox.mail.originate import HeaderWishes
from pillarbox.mail.repair import Draft, RepairFacts
from pillarbox.mail.rules import RULE_BY_ID

NOW_S = 1_795_518_000  # Tue, 24 Nov 2026 11:00:00 +0000
ANN, BOB, TIM, KIM = map(
    parse_mailbox, ("ann@example.com", "bob@test.example", "tim@example.org", "kim@example.org")
)
NEW_ID = "<new.1@example.org>"
GOOD = {
    "From": "From: Tim <tim@example.org>\n",
    "To": "To: ann@example.com\n",
    "Subject": "Subject: Backup done\n",
    "Date": "Date: Tue, 24 Nov 2026 10:30:00 +0000\n",
    "Message-ID": "Message-ID: <1.2@example.org>\n",
}


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch):
    """Write dates in UTC."""
    monkeypatch.setitem(os.environ, "TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def octets_of(text):
    """Return octets: those of a text in UTF-8, and others as they are."""
    return text if isinstance(text, bytes) else text.encode()


def section(octets):
    """Return the header section of a text."""
    pieces = iter([octets])
    return read_header_section(lambda _: next(pieces, b""))[0]


def steps(
    octets,
    *,
    body=b"text\n",
    sender=TIM,
    to=(ANN,),
    host="web01",
    message_id=NEW_ID,
    demands=True,
    **wishes,
):
    """Take a header section through all steps, and return the draft."""
    facts = RepairFacts(
        sender=sender,
        recipients=to,
        wishes=HeaderWishes(**wishes),
        epoch_s=NOW_S,
        message_id=message_id,
        host=host,
        takes_8bit=True,
        demands_sender=demands if callable(demands) else lambda: demands,
    )
    draft = Draft(section(octets), body, facts, [])
    for step in HEADER_REPAIRS:
        step(draft)
    return draft


def rules(draft):
    """Return which rules were applied, in order."""
    return [change.rule for change in draft.changes]


def with_fields(name, given):
    """Return a header section that is in order, but for the field of one name."""
    return b"".join(octets_of(text) for text in {**GOOD, name: given}.values())


def repaired(name, given, **facts):
    """Return the lines that stand in the place of one field, and the rules; all others stay."""
    octets = with_fields(name, given)
    draft = steps(octets, **facts)
    output = draft.headers.wire_form()
    again = steps(output, **facts)
    assert (again.headers.wire_form(), again.changes) == (output, [])
    lines = output.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    for other, text in GOOD.items():
        if other != name:
            assert lines.count(text) == 1, other
            lines = lines.replace(text, "")
    return lines, rules(draft)


NOW = "Date: Tue, 24 Nov 2026 11:00:00 +0000\n"
ROOT = (
    "Auto-Submitted: auto-generated\nX-Original-From: root@{host}\nFrom: {name} <tim@example.org>\n"
)

# The rule, the field, what is given, what leaves.
NEEDED = [
    ("HDR-DUP", "Subject", "Subject: a\nSubject: b\n", "Subject: a\n"),
    ("HDR-DUP", "Subject", "Subject: a\nSUBJECT : a\n", "Subject: a\n"),
    ("HDR-DUP", "Message-ID", "Message-ID: <1@a.example>\nMessage-ID: <2@a.example>\n",
     "Message-ID: <1@a.example>\n"),
    ("HDR-DUP", "X", "References: <a@b.c>\nReferences: <d@e.f>\n", "References: <a@b.c>\n"),
    ("HDR-DUP", "X", "Content-Type: text/plain\nContent-Type: text/html\n",
     "Content-Type: text/plain\n"),
    # Nobody is lost.
    ("HDR-DUP", "To", "To: a@b.example\nTo: Bob <c@d.example>\n",
     "To: a@b.example, Bob <c@d.example>\n"),
    ("HDR-DUP", "X", "Cc: a@b.example,\nCc: c@d.example\n", "Cc: a@b.example, c@d.example\n"),

    ("HDR-FROM-MISSING", "From", "",
     "Auto-Submitted: auto-generated\nFrom: tim@example.org\n"),
    ("HDR-FROM-MISSING", "From", "X-From: a@b.example\n",
     "Auto-Submitted: auto-generated\nFrom: tim@example.org\nX-From: a@b.example\n"),
    ("HDR-FROM-MISSING", "From", "Sender: kim@example.org\n",
     "Auto-Submitted: auto-generated\nFrom: tim@example.org\nSender: kim@example.org\n"),

    ("HDR-FROM-MULTI", "From", "From: tim@example.org\nFrom: eve@evil.example\n",
     "From: tim@example.org\n"),
    ("HDR-FROM-MULTI", "From", "From: Tim <tim@example.org>\nfrom : x\n", GOOD["From"]),
    ("HDR-FROM-MULTI", "From", "From: tim@example.org, kim@example.org\n",
     "From: tim@example.org\n"),

    ("HDR-FROM-ENCODED", "From", "From: =?utf-8?q?tim=40example=2Eorg?=\n",
     "From: tim@example.org\n"),
    ("HDR-FROM-ENCODED", "From", "From: =?utf-8?q?Tim_=3Ctim=40example=2Eorg=3E?=\n",
     GOOD["From"]),
    ("HDR-FROM-ENCODED", "From", "From: =?utf-8?B?5rWL6K+VIDx0aW1AZXhhbXBsZS5vcmc+?=\n",
     "From: =?utf-8?B?5rWL6K+V?= <tim@example.org>\n"),

    ("HDR-FROM-RAW8", "From", "From: Jörg <tim@example.org>\n",
     "From: =?utf-8?B?SsO2cmc=?= <tim@example.org>\n"),
    ("HDR-FROM-RAW8", "From", b"From: J\xf6rg <tim@example.org>\n",
     "From: =?utf-8?B?SsO2cmc=?= <tim@example.org>\n"),
    ("HDR-FROM-RAW8", "From", "From: 测试 <tim@example.org>\n".encode("gbk"),
     "From: =?utf-8?B?5rWL6K+V?= <tim@example.org>\n"),
    ("HDR-FROM-RAW8", "From", 'From: "Jörg, X" <tim@example.org>\n',
     "From: =?utf-8?B?SsO2cmcsIFg=?= <tim@example.org>\n"),

    ("HDR-FROM-NODOMAIN", "From", "From: root\n", ROOT.format(host="web01", name="root at web01")),
    ("HDR-FROM-NODOMAIN", "From", "From: root@web01\n",
     ROOT.format(host="web01", name="root at web01")),
    ("HDR-FROM-NODOMAIN", "From", "From: Cron Daemon <root>\n",
     ROOT.format(host="web01", name="Cron Daemon")),
    ("HDR-FROM-NODOMAIN", "From", "From: root@nas.local (Cron Daemon)\n",
     ROOT.format(host="nas.local", name="Cron Daemon")),
    ("HDR-FROM-NODOMAIN", "From", "From: root@localhost.localdomain\n",
     ROOT.format(host="localhost.localdomain", name='"root at localhost.localdomain"')),
    ("HDR-FROM-NODOMAIN", "From", "From: \n", "From: tim@example.org\n"),
    ("HDR-FROM-NODOMAIN", "From", "From: no address <\n",
     "X-Original-From: no address <\nFrom: tim@example.org\n"),

    ("HDR-FROM-ACCOUNT", "From", "From: bob@test.example\n",
     "Reply-To: bob@test.example\nFrom: tim@example.org\n"),
    ("HDR-FROM-ACCOUNT", "From", "From: Bob <bob@test.example>\n",
     "Reply-To: bob@test.example\nFrom: Bob <tim@example.org>\n"),
    ("HDR-FROM-ACCOUNT", "From", "From: Bob <bob@test.example>\nReply-To: x@y.example\n",
     "From: Bob <tim@example.org>\nReply-To: x@y.example\n"),
    # All who wrote it are answered; nobody can answer who is local.
    ("HDR-FROM-ACCOUNT", "From", "From: bob@test.example, root, ann@example.com\n",
     "Reply-To: bob@test.example, ann@example.com\nFrom: tim@example.org\n"),

    ("HDR-FROM-NAMEADDR", "From", 'From: "tim@example.org" <tim@example.org>\n',
     "From: tim@example.org\n"),
    ("HDR-FROM-NAMEADDR", "From", "From: \"'TIM@example.org'\" <tim@example.org>\n",
     "From: tim@example.org\n"),
    ("HDR-FROM-NAMEADDR", "From", 'From: "pay@bank.example" <tim@example.org>\n',
     'From: "pay at bank.example" <tim@example.org>\n'),
    ("HDR-FROM-NAMEADDR", "From", "From: =?utf-8?q?pay=40bank=2Eexample?= <tim@example.org>\n",
     'From: "pay at bank.example" <tim@example.org>\n'),

    ("HDR-TO-MISSING", "To", "", GOOD["To"]),
    ("HDR-TO-MISSING", "To", "Bcc: eve@evil.example\n", GOOD["To"]),
    ("HDR-TO-MISSING", "To", "Reply-To: x@y.example\n", GOOD["To"] + "Reply-To: x@y.example\n"),

    ("HDR-TO-UNDISCLOSED", "To", "To: undisclosed-recipients:;\n", GOOD["To"]),
    ("HDR-TO-UNDISCLOSED", "To", "To: \n", GOOD["To"]),
    ("HDR-TO-UNDISCLOSED", "To", "To: Undisclosed recipients:;\nCc: \n", GOOD["To"]),

    ("HDR-TO-NODOMAIN", "To", "To: root\n", GOOD["To"]),
    ("HDR-TO-NODOMAIN", "To", "To: Admin <root@web01>\n", GOOD["To"]),
    ("HDR-TO-NODOMAIN", "To", "To: root\nCc: www-data@localhost\n", GOOD["To"]),

    ("HDR-DATE-MISSING", "Date", "", NOW),
    ("HDR-DATE-MISSING", "Date", "X-Date: today\n", NOW + "X-Date: today\n"),
    ("HDR-DATE-MISSING", "Date", "Delivery-Date: x\n", NOW + "Delivery-Date: x\n"),
    ("HDR-DATE-INVALID", "Date", "Date: Tue Nov 24 10:00:00 CST 2026\n",
     "X-Original-Date: Tue Nov 24 10:00:00 CST 2026\n" + NOW),
    ("HDR-DATE-INVALID", "Date", "Date: Di, 24 Nov 2026 10:00:00 +0100\n",
     "X-Original-Date: Di, 24 Nov 2026 10:00:00 +0100\n" + NOW),
    ("HDR-DATE-INVALID", "Date", "Date: Tue, 31 Nov 2026 10:00:00 +0000\n",
     "X-Original-Date: Tue, 31 Nov 2026 10:00:00 +0000\n" + NOW),
    # What says its moment keeps it.
    ("HDR-DATE-INVALID", "Date", "Date: 2026-11-24T18:30:00+08:00\n", GOOD["Date"]),
    ("HDR-DATE-INVALID", "Date", "Date: 2026-11-24 10:30:00Z\n", GOOD["Date"]),
    # More than 3 hours ahead, more than 48 hours old.
    ("HDR-DATE-SKEW", "Date", "Date: Tue, 24 Nov 2026 14:00:01 +0000\n",
     "X-Original-Date: Tue, 24 Nov 2026 14:00:01 +0000\n" + NOW),
    ("HDR-DATE-SKEW", "Date", "Date: Sun, 22 Nov 2026 10:59:59 +0000\n",
     "X-Original-Date: Sun, 22 Nov 2026 10:59:59 +0000\n" + NOW),
    ("HDR-DATE-SKEW", "Date", "Date: Thu, 01 Jan 1970 00:00:00 +0000\n",
     "X-Original-Date: Thu, 01 Jan 1970 00:00:00 +0000\n" + NOW),

    ("HDR-MID-MISSING", "Message-ID", "", f"Message-ID: {NEW_ID}\n"),
    ("HDR-MID-MISSING", "Message-ID", "In-Reply-To: <1@a.example>\n",
     f"Message-ID: {NEW_ID}\nIn-Reply-To: <1@a.example>\n"),
    ("HDR-MID-MISSING", "Message-ID", "X-Message-ID: <1@a.example>\n",
     f"Message-ID: {NEW_ID}\nX-Message-ID: <1@a.example>\n"),
    *(("HDR-MID-FORM", "Message-ID", octets_of("Message-ID: ") + value + b"\n",
       f"Message-ID: {NEW_ID}\n")
      for value in (b"", b"1@a.example", b"<1 2@a.example>", b"<12>", b"<@a.example>",
                    b"<1@a.example> <2@a.example>", b"<1@ex\xe9mple.org>")),
    *(("HDR-MID-HOST", "Message-ID", f"Message-ID: <1@{host}>\n", f"Message-ID: {NEW_ID}\n")
      for host in ("web01", "localhost", "localhost.localdomain", "nas.local")),

    ("HDR-SUBJ-MISSING", "Subject", "", "Subject: web01: text\n"),
    ("HDR-SUBJ-MISSING", "Subject", "Content-Type: text/html\n",
     "Subject: web01: message without a subject\nContent-Type: text/html\n"),
    ("HDR-SUBJ-MISSING", "Subject", "Content-Transfer-Encoding: base64\n",
     "Subject: web01: message without a subject\nContent-Transfer-Encoding: base64\n"),
    ("HDR-SUBJ-EMPTY", "Subject", "Subject:\n", "Subject: web01: text\n"),
    ("HDR-SUBJ-EMPTY", "Subject", "Subject:   \n", "Subject: web01: text\n"),
    ("HDR-SUBJ-EMPTY", "Subject", "SUBJECT: \t\n", "Subject: web01: text\n"),

    ("HDR-SUBJ-RAW8", "Subject", "Subject: grün\n", "Subject: =?utf-8?B?Z3LDvG4=?=\n"),
    ("HDR-SUBJ-RAW8", "Subject", b"Subject: gr\xfcn\n", "Subject: =?utf-8?B?Z3LDvG4=?=\n"),
    ("HDR-SUBJ-RAW8", "Subject", "Subject: 测试\n".encode("gbk"),
     "Subject: =?utf-8?B?5rWL6K+V?=\n"),
    ("HDR-SUBJ-RAW8", "Subject", "Subject: 备份 done ok\n",
     "Subject: =?utf-8?B?5aSH5Lu9?= done ok\n"),

    ("HDR-SUBJ-ENCASCII", "Subject", "Subject: =?utf-8?Q?Backup_done?=\n", GOOD["Subject"]),
    ("HDR-SUBJ-ENCASCII", "Subject", "Subject: =?utf-8?B?QmFja3Vw?= done\n", GOOD["Subject"]),
    ("HDR-SUBJ-ENCASCII", "Subject", "Subject: =?us-ascii?Q?a?=\n =?us-ascii?Q?b?=\n",
     "Subject: ab\n"),

    ("HDR-LINE", "X", "X-A: grün\n", "X-A: =?utf-8?B?Z3LDvG4=?=\n"),
    ("HDR-LINE", "X", b"X-A: gr\xfcn\n", "X-A: =?utf-8?B?Z3LDvG4=?=\n"),
    ("HDR-LINE", "X", "Reply-To: Jörg <j@example.net>\n",
     "Reply-To: =?utf-8?B?SsO2cmc=?= <j@example.net>\n"),
    ("HDR-LINE", "X", "Cc: Jörg <j@example.net>, ann@example.com\n",
     "Cc: =?utf-8?B?SsO2cmc=?= <j@example.net>, ann@example.com\n"),
    ("HDR-LINE", "To", b"To: Gr\xfc\xdfe aus K\xf6ln, x <ann@example.com>\n",
     "To: =?utf-8?B?R3LDvMOfZSBhdXMgS8O2bG4sIHg=?= <ann@example.com>\n"),
    ("HDR-LINE", "X", 'Content-Disposition: attachment; filename="a b;ü.txt"; size=3\n',
     "Content-Disposition: attachment; filename*=utf-8''a%20b%3B%C3%BC%2Etxt; size=3\n"),
    ("HDR-LINE", "X", 'Content-Type: application/pdf; name="Grün.pdf"\n',
     "Content-Type: application/pdf; name*=utf-8''Gr%C3%BCn%2Epdf\n"),
    ("HDR-LINE", "X", "X-Long: " + "word " * 199 + "end\n",
     "X-Long:" + (" word" * 13 + "\n") + (" word" * 15 + "\n") * 12 + " word" * 6 + " end\n"),

    ("HDR-AUTOSUB", "X", "X-Cron-Env: <SHELL=/bin/sh>\n",
     "Auto-Submitted: auto-generated\nX-Cron-Env: <SHELL=/bin/sh>\n"),
    ("HDR-AUTOSUB", "X", "x-cron-env: a\nX-Cron-Env: b\n",
     "Auto-Submitted: auto-generated\nx-cron-env: a\nX-Cron-Env: b\n"),
    ("HDR-AUTOSUB", "X", "X-Cron-Env: a\nPrecedence: bulk\n",
     "Auto-Submitted: auto-generated\nX-Cron-Env: a\nPrecedence: bulk\n"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "name", "given", "expected"), NEEDED)
def test_repairs_what_needs_it(rule, name, given, expected):
    """The field becomes what it should be, the others stay, and a second run does nothing."""
    lines, applied = repaired(name, given)
    assert lines == expected
    is_machine = rule != "HDR-AUTOSUB" and "Auto-Submitted" in expected
    assert applied == [rule] + ["HDR-AUTOSUB"] * is_machine


# The field, and what only looks as if it needed something.
LOOK_ALIKES = [
    # HDR-DUP
    ("X", "Received: by a\nReceived: by b\nComments: c\nComments: c\n"),
    ("X", "X-A: 1\nX-A: 1\nResent-To: a@b.c\nResent-To: a@b.c\n"),
    # HDR-FROM-*
    ("From", "FROM: tim@example.org\n"),
    ("From", "From: <tim@example.org>\n"),
    ("From", "From: TIM@Example.ORG\n"),
    ("From", "From: Tim <tim@example.org>, eve@evil.example\nSender: tim@example.org\n"),
    ("From", "From: =?utf-8?q?J=C3=B6rg?= <tim@example.org>\n"),
    ("From", 'From: "Doe, Tim" <tim@example.org>\n'),
    ("From", "From: tim@example.org (Tim)\n"),
    ("From", "From: Tim at home <tim@example.org>\n"),
    # HDR-TO-*
    ("To", "Cc: ann@example.com\n"),
    ("To", "To: friends: ann@example.com;\n"),
    ("To", "To: root, ann@example.com\n"),
    ("To", "To: ann@[192.0.2.1]\n"),
    ("To", "To: other@example.net\n"),
    # HDR-DATE-*
    ("Date", "Date: 24 Nov 26 10:00 GMT\n"),
    ("Date", "Date: Tue, 24 Nov 2026 18:00:00 +0800 (CST)\n"),
    ("Date", "Date: Tue, 24 Nov 2026 14:00:00 +0000\n"),
    ("Date", "Date: Sun, 22 Nov 2026 11:00:00 +0000\n"),
    ("Date", "Date: Thu, 01 Jan 1970 00:00:00 +0000\nReceived: by x\n"),
    ("Date", "Date: Thu, 01 Jan 1970 00:00:00 +0000\nResent-Date: " + NOW[6:]),
    # HDR-MID-*
    ("Message-ID", "Message-ID: <1@[192.0.2.1]>\n"),
    ("Message-ID", "message-id: <a+b=c/d@mail.example.org>\n"),
    ("Message-ID", "Message-ID:\n <1.2@example.org>\n"),
    # HDR-SUBJ-*
    ("Subject", "Subject: =?utf-8?Q?gr=C3=BCn?=\n"),
    ("Subject", "Subject: =?utf-8?Q?not closed\n"),
    ("Subject", "Subject: What=?!\n"),
    ("Subject", "Subject: =?utf-8?Q?=3D=3Futf-8=3FQ=3Fx=3F=3D?=\n"),
    ("Subject", "Subject: .\n"),
    # HDR-LINE
    ("X", "X-A: " + "a" * 990 + "\n"),
    ("X", "X-A: " + "ab " * 60 + "c\n"),
    ("X", "Received: from grün\n"),
    ("X", "Reply-To: jörg@example.net\n"),
    # HDR-AUTOSUB
    ("X", "X-Cron-Env: a\nAuto-Submitted: no\n"),
    ("X", "X-Cron-Env: a\nIn-Reply-To: <a@b.example>\n"),
    ("X", "X-Cron-Env: a\nUser-Agent: mutt\n"),
]


@pytest.mark.parametrize(("name", "given"), LOOK_ALIKES)
def test_leaves_alone_what_is_in_order(name, given):
    """Not an octet changes, and nothing is noted."""
    octets = with_fields(name, given)
    before = section(octets)
    draft = steps(octets)
    assert (draft.headers.wire_form(), draft.changes) == (before.wire_form(), [])


def test_every_rule_about_headers_is_tried():
    """Each rule of this room has three rows at the least."""
    elsewhere = {"HDR-DASH-E", "HDR-BROKEN", "HDR-PSEUDO", "HDR-BACKSLASH-N", "HDR-TO-FORGED"}
    all_rules = {name for name in RULE_BY_ID if name.startswith("HDR-")} - elsewhere
    rows = [row[0] for row in NEEDED]
    assert set(rows) == all_rules
    assert min(map(rows.count, all_rules)) >= 3


# -- Subject ---------------------------------------------------------------------------------------

FIRST_LINES = [
    (b"\n\n  \nDisk  is\tfull\nmore\n", "web01: Disk is full"),
    ("备份失败\n".encode("gbk"), "web01: =?utf-8?B?5aSH5Lu95aSx6LSl?="),
    (b"\n \n", "web01: message without a subject"),
    (b"", "web01: message without a subject"),
    (b"x" * 60 + b"\n", "web01: " + "x" * 60),
    (b"x" * 61 + b"\n", "web01: " + "x" * 60 + " ..."),
    (b"word " * 20, "web01: " + "word " * 11 + "word ..."),
    (b"\x1b[1m\x1b[31mred\x1b[0m alert\n", "web01: red alert"),
]


@pytest.mark.parametrize(("body", "subject"), FIRST_LINES)
def test_makes_a_subject_of_the_first_line(body, subject):
    """The computer's name and the first words of the text, as far as a line goes."""
    lines, _ = repaired("Subject", "", body=body)
    assert lines.replace("\n ", " ") == f"Subject: {subject}\n"


# -- Who may be named ------------------------------------------------------------------------------

STRANGERS = [
    # To as it came, the recipients, what leaves
    ("", (ANN, BOB), ""),
    ("To: root\n", (ANN, BOB), "To: root\n"),
    ("To: undisclosed-recipients:;\n", (ANN, BOB), "To: undisclosed-recipients:;\n"),
    ("To: undisclosed-recipients:;\n", (KIM, TIM), "To: undisclosed-recipients:;\n"),
    ("", (KIM, ANN), ""),
    ("", (), ""),
    # Where a person wrote, colleagues are blind recipients as well.
    ("", (KIM, TIM), ""),
    ("To: root\n", (KIM, TIM), "To: root\n"),
]


@pytest.mark.parametrize(("given", "to", "expected"), STRANGERS)
def test_strangers_are_not_named_to_each_other(given, to, expected):
    """A repair tells nobody who else got the mail."""
    assert repaired("To", given, to=to)[0] == expected


@pytest.mark.parametrize("given", ["", "To: root\n", "To: root, admin\nCc: ops@localhost\n"])
def test_a_program_writes_to_colleagues_by_name(given):
    """Colleagues of the sender to whom a program writes are named to each other."""
    octets = f"From: root\n{given}Subject: x\n".encode()
    named = b"To: kim@example.org, tim@example.org\r\n"
    once = steps(octets, to=(KIM, TIM)).headers.wire_form()
    assert once.count(named) == 1
    assert b"Cc:" not in once
    assert steps(once, to=(KIM, TIM)).headers.wire_form() == once
    assert named not in steps(octets, to=(KIM, ANN)).headers.wire_form()
    assert named not in steps(octets + b"Bcc: tim@example.org\n", to=(KIM, TIM)).headers.wire_form()


@pytest.mark.parametrize("field", ["Bcc: kim@example.org\n", "resent-bcc : kim@example.org\n"])
def test_blind_recipients_stay_blind(field):
    """Who was in Bcc is not named, though all are colleagues; and no Bcc leaves."""
    draft = steps(with_fields("To", field), to=(KIM, TIM))
    assert b"kim" not in draft.headers.wire_form().lower()


# -- The account's wishes --------------------------------------------------------------------------

WISHES = [
    # what the account wants, the field as it came, what leaves
    ({"set_from": "off"}, "From", "From: root\n", "From: root\n"),
    ({"set_from": "off"}, "From", "From: a@b.example\nFrom: c@d.example\n",
     "From: a@b.example\nFrom: c@d.example\n"),
    ({"set_from": "off"}, "From", "From: Jörg\n", "From: =?utf-8?B?SsO2cmc=?=\n"),
    ({"set_date": False}, "Date", "", ""),
    ({"set_date": False}, "Date", "Date: x\n", "Date: x\n"),
    ({"set_message_id": False}, "Message-ID", "", ""),
    ({"set_message_id": False}, "Message-ID", "Message-ID: x\n", "Message-ID: x\n"),
    ({"set_to": "undisclosed_recipients"}, "To", "To: root\n", "To: undisclosed-recipients:;\n"),
    ({"set_to": "on"}, "To", "To: root\nCc: x@y.example\n", GOOD["To"]),
    ({"remove_bcc": False}, "X", "Bcc: x@y.example\n", "Bcc: x@y.example\n"),
    ({"full_name": "Tim T."}, "From", "",
     'Auto-Submitted: auto-generated\nFrom: "Tim T." <tim@example.org>\n'),
    ({"full_name": "Tim T."}, "From", "From: bob@test.example\n",
     'Reply-To: bob@test.example\nFrom: "Tim T." <tim@example.org>\n'),
    ({"full_name": "tim@example.org"}, "From", "",
     "Auto-Submitted: auto-generated\nFrom: tim@example.org\n"),
    ({"demands": False}, "From", "From: bob@test.example\n", "From: bob@test.example\n"),
    ({"sender": None}, "From", "From: bob@test.example\n", "From: bob@test.example\n"),
    ({"sender": None}, "From", "", "Auto-Submitted: auto-generated\n"),
]  # fmt: skip


@pytest.mark.parametrize(("wishes", "name", "given", "expected"), WISHES)
def test_does_what_the_account_wants(wishes, name, given, expected):
    """What msmtp's keywords leave alone is left alone, whatever is wrong with it."""
    assert repaired(name, given, **wishes)[0] == expected


def test_asks_for_the_provider_only_when_it_matters():
    """A From that is the account's, or local, costs no look at the presets."""
    for given in (GOOD["From"], "From: root\n", "From: <TIM@example.org>\n"):
        draft = steps(with_fields("From", given), demands=lambda: pytest.fail("it is asked"))
        assert "HDR-FROM-ACCOUNT" not in rules(draft)


# -- Signed ----------------------------------------------------------------------------------------

ALL_WRONG = b"From: root\nTo: root\nSubject: \xfc\nDate: x\nMessage-ID: y\n"


@pytest.mark.parametrize(
    "tags",
    [b"h=From:To:Subject:Date:Message-ID", b"h=from : to :\n subject:date:MESSAGE-ID ; b=x"],
)
def test_signed_fields_stay_as_they_are(tags):
    """A DKIM-Signature's fields are not touched, however they are written (RFC 6376 3.5)."""
    octets = b"DKIM-Signature: v=1; " + tags + b"\n" + ALL_WRONG
    draft = steps(octets)
    assert draft.headers.wire_form() == octets.replace(b"\n", b"\r\n")


def test_signed_absence_stays():
    """A field that is signed for and not there is not added (RFC 6376 5.4.2)."""
    octets = b"DKIM-Signature: h=From:To:Subject:Date:Message-ID:Auto-Submitted:Cc; b=x\n"
    assert steps(octets).headers.wire_form() == octets.replace(b"\n", b"\r\n")


def test_from_counts_as_signed_always():
    """What the signature does not cover is repaired; From is always covered."""
    draft = steps(b"DKIM-Signature: h=Subject; b=x\nX-A: \xfc\n" + ALL_WRONG)
    output = draft.headers.wire_form()
    assert b"From: root\r\n" in output
    assert b"Subject: \xfc\r\n" in output
    assert b"Date: Tue, 24 Nov 2026 11:00:00 +0000\r\n" in output
    assert b"X-A: =?utf-8?B?w7w=?=\r\n" in output


def test_a_signed_cc_is_not_dropped_for_a_local_to():
    """To and Cc are put right together or not at all."""
    octets = b"DKIM-Signature: h=From:Cc; b=x\nFrom: root\nTo: root\nCc: root\n"
    output = steps(octets).headers.wire_form()
    assert b"To: root\r\nCc: root\r\n" in output


def test_an_empty_date_leaves_no_original():
    """There is nothing to keep of it."""
    assert repaired("Date", "Date:\n") == (NOW, ["HDR-DATE-INVALID"])


def test_doubled_recipients_are_told_of_as_they_are_merged():
    """What is said is what was done."""
    draft = steps(with_fields("To", "To: a@b.example\nTo: c@d.example\n"))
    assert "in the first now" in draft.changes[0].what
    draft = steps(with_fields("Subject", "Subject: a\nSubject: b\n"))
    assert "is kept" in draft.changes[0].what


# -- Attack: header injection ----------------------------------------------------------------------

INJECTIONS = [
    b"Subject: =?utf-8?Q?a=0D=0ABcc:_e@f.example?=\n",
    b"Subject: =?utf-8?B?YQ0KQmNjOiBlQGYuZXhhbXBsZQ==?=\n",
    b"Subject: =?utf-8?Q?a=0ABcc:?= =?utf-8?Q?_e@f.example?=\n",
    b"Subject: =?utf-7?Q?a+AA0ACg-Bcc:_e?=\n",
    b"Subject: =?utf-16be?B?AGEADQAKAEIAYwBj?=\n",
    "Subject: é\u2028Bcc: e@f.example\n".encode(),
    "Subject: é\x85Bcc: e@f.example\n".encode(),
    b"Subject: \xb2\xe2\x0bBcc: e@f.example\n",
    b"From: =?utf-8?Q?x=0D=0ABcc:_e=40f.example?= <root>\n",
    b"From: =?utf-8?Q?x=0D=0ABcc:_e=40f.example?= <tim@example.org>\n",
    b"From: =?utf-8?Q?Tim_=3Ctim=40example=2Eorg=3E=0D=0ABcc:_e?=\n",
    b"From: \xfc =?utf-8?Q?x=0D=0ABcc:_e?= <tim@example.org>\n",
    b"Reply-To: \xfc =?utf-8?Q?x=0D=0ABcc:_e?= <tim@example.org>\n",
    b'Content-Type: text/plain; name="\xc3\xbc\xc2\x85Bcc: x"\n',
    b"Bcc : e@f.example\n",
    b"BCC\t: e@f.example\n",
]


@pytest.mark.parametrize("attack", INJECTIONS)
def test_attack_header_injection_by_what_is_decoded(attack):
    """No encoded word and no charset brings a line end, and so a field, into the header."""
    assert_no_field_is_new(steps(attack + b"To: ann@example.com\n"))


@pytest.mark.parametrize("facts", [
    {"host": "web01\r\nBcc: e@f.example"},
    {"host": "web01\nBcc: e@f.example\0"},
    {"full_name": "Tim\r\nBcc: e@f.example"},
    {"message_id": "<1@a.example>\r\nBcc: e@f.example"},
    {"message_id": "<1@a.example\nBcc: e@f.example>"},
])  # fmt: skip
@pytest.mark.parametrize(
    "given", ["", "From: root\n", "From: root\nMessage-ID: x\n", "From: x@y.example\n"]
)
def test_attack_header_injection_by_facts(facts, given):
    """Neither the computer's name nor the user's nor a Message-ID brings a field of its own."""
    assert_no_field_is_new(steps(given.encode(), **facts))


ADDED = frozenset(
    b"from to cc subject date message-id reply-to x-original-from x-original-date auto-submitted"
    b" content-type".split()
)


def assert_no_field_is_new(draft):
    """Assert that all that leaves is lines of fields that are known, of visible characters."""
    output = draft.headers.wire_form()
    read = section(output + b"\r\n")
    assert len(read.fields) == len(draft.headers.fields)
    assert {field.key for field in read.fields} <= ADDED
    text = output.replace(b"\r\n", b"").decode("utf-8", "surrogateescape").replace("\t", " ")
    assert text.isprintable()
    assert all(change.sentence.isprintable() for change in draft.changes)


# -- Speed -----------------------------------------------------------------------------------------


def test_untouched_fields_are_the_same_objects():
    """Nothing is written anew that is in order: that is what makes good mail cheap."""
    octets = with_fields("X", "X-A: 1\nReceived: a\nReceived: b\n")
    pieces = iter([octets])
    before, _ = read_header_section(lambda _: next(pieces, b""))
    facts = steps(octets).facts
    draft = Draft(before, b"", facts, [])
    for step in HEADER_REPAIRS:
        step(draft)
    assert len(draft.headers.fields) == len(before.fields)
    pairs = zip(draft.headers.fields, before.fields, strict=True)
    assert all(after is field for after, field in pairs)


@pytest.mark.parametrize("line", [b"X-A: \xe6\n", b"To: a@b.example\n", b"From: x\n", b"X: =?\n"])
def test_attack_many_fields_take_no_longer_than_their_octets(line):
    """Twenty thousand fields that need a repair are done in a moment."""
    start_s = time.process_time()
    steps(line * 20_000)
    assert time.process_time() - start_s < 5
