"""Reports about mail that did not arrive: read by Python's email, and by a strict reader."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.lint.check import LintFacts, lint
from pillarbox.mail.address import Mailbox, parse_mailbox
from pillarbox.mail.dsn import HEADERS_BYTES, Fate, Original, bounce, delay, subject_of
from pillarbox.mail.message import read_message
from pillarbox.mail.notice import Frame
from pillarbox.mail.originate import HeaderWishes
from pillarbox.mail.repair import RepairFacts, repair
from pillarbox.mail.reply import EnhancedCode, Reply
from pillarbox.text import say
from strict import faults

NOW_S = 1795489200.0  # Tue, 24 Nov 2026 03:00:00 +0000
TIM, ANN, BOB = map(parse_mailbox, ("tim@example.org", "ann@example.com", "bob@test.example"))
UNKNOWN = Reply(550, (b"5.1.1 <ann@example.com>:", b"User unknown"), EnhancedCode(5, 1, 1))
HEADERS = (
    b"From: cron <root@web01>\n"
    b"Subject: =?utf-8?B?5aSH5Lu95aSx6LSl?= of web01\n"
    b"Bcc: secret@example.net\n"
    b"Message-ID: <1.2@web01.example.org>\n"
    b"\n"
    b"The body is nobody's business.\n"
)


def frame(*, languages=("en", "zh"), recipients=(TIM,), hostname="web01.example.org"):
    """Return who tells whom."""
    return Frame(
        parse_mailbox("alerts@example.org"),
        recipients,
        hostname=hostname,
        epoch_s=NOW_S,
        message_id="<new.1@example.org>",
        languages=languages,
    )


def original(headers=HEADERS, **others):
    """Return the mail that did not arrive."""
    return Original("0abc-def", NOW_S - 600, headers, **others)


def fate(path=ANN, code=(5, 1, 1), *, reply=UNKNOWN, problem="it was refused", **others):
    """Return what became of a recipient."""
    problems = {"en": problem, "zh": problem}
    return Fate(path, EnhancedCode(*code), problems, reply=reply, **others)


def parsed(octets):
    """Return a report as Python's email reads it: the whole, and its three parts."""
    whole = message_from_bytes(octets, policy=policy.default)
    assert not list(whole.defects)
    return whole, *whole.iter_parts()


def blocks(octets):
    """Return the fields of each block of a report's facts."""
    return [dict(block.items()) for block in parsed(octets)[2].get_payload()]


def seconds(date):
    """Return a date of the facts in seconds since the epoch."""
    return parsedate_to_datetime(date).timestamp()


def repairs_of(octets, *, takes_8bit=False):
    """Return what repair changes in a notice, and what comes out of it."""
    changes = []
    facts = RepairFacts(
        sender=None,
        recipients=(TIM,),
        wishes=HeaderWishes(),
        epoch_s=NOW_S,
        message_id="<other.1@example.org>",
        host="web01",
        takes_8bit=takes_8bit,
        demands_sender=lambda: True,
    )
    content = repair(read_message(BytesIO(octets).read), facts, changes).content()
    return changes, b"".join(chunk for chunk, _ in content.chunks())


def findings_of(octets):
    """Return which rules of lint a notice breaks."""
    facts = LintFacts(
        sender=parse_mailbox("alerts@example.org"),
        recipients=(TIM,),
        epoch_s=NOW_S,
        message_id="<x.1@example.org>",
        host="web01",
    )
    return {finding.rule.id for finding in lint(octets, facts).findings}


# -- its form --------------------------------------------------------------------------------------


def test_a_bounce_is_a_multipart_report():
    """RFC 6522: a text, the facts, the header; From is the account's own, and it is an answer."""
    whole, text, status, headers = parsed(bounce(frame(), original(), [fate()]))
    assert whole.get_content_type() == "multipart/report"
    assert whole.get_param("report-type") == "delivery-status"
    assert [part.get_content_type() for part in (text, status, headers)] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    assert whole["From"] == "Mail Delivery System <alerts@example.org>"
    assert whole["To"] == "tim@example.org"
    assert whole["Subject"] == "web01.example.org: mail to ann@example.com was not delivered"
    assert whole["Auto-Submitted"] == "auto-replied"
    assert whole["Message-ID"] == "<new.1@example.org>"
    assert whole["In-Reply-To"] == whole["References"] == "<1.2@web01.example.org>"
    assert whole["Date"].datetime.timestamp() == NOW_S


def test_the_facts_are_those_of_rfc_3464():
    """A program finds every field with its type."""
    failed = fate(remote="smtp.example.org", last_attempt_s=NOW_S - 60)
    whole, first = blocks(bounce(frame(), original(envid="QQ314159"), [failed]))
    assert seconds(whole.pop("Arrival-Date")) == NOW_S - 600
    assert whole == {
        "Reporting-MTA": "dns; web01.example.org",
        "Original-Envelope-Id": "QQ314159",
        "X-Pillarbox-Queue-ID": "0abc-def",
    }
    assert seconds(first.pop("Last-Attempt-Date")) == NOW_S - 60
    assert first == {
        "Final-Recipient": "rfc822; ann@example.com",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; smtp.example.org",
        "Diagnostic-Code": "smtp; 550-5.1.1 <ann@example.com>: 550 User unknown",
    }


def test_what_is_not_known_is_not_said():
    """No empty field stands in for it."""
    whole, first = blocks(bounce(frame(), original(), [fate(reply=None)]))
    assert set(whole) == {"Reporting-MTA", "X-Pillarbox-Queue-ID", "Arrival-Date"}
    assert set(first) == {"Final-Recipient", "Action", "Status"}


def test_a_delay_says_until_when_it_is_tried():
    """Action and Will-Retry-Until tell a program, the text a person."""
    late = fate(code=(4, 4, 1), reply=None)
    octets = delay(frame(languages=("en",)), original(), [late], retry_until_s=NOW_S + 86400)
    whole, text, _, _ = parsed(octets)
    assert whole["Subject"] == "web01.example.org: mail to ann@example.com is late"
    fields = blocks(octets)[1]
    assert fields["Action"] == "delayed"
    assert fields["Status"] == "4.4.1"
    assert seconds(fields["Will-Retry-Until"]) == NOW_S + 86400
    assert "It is tried again until" in text.get_content()
    assert repairs_of(octets)[0] == []


def test_each_recipient_has_a_block():
    """The Subject counts them; a program is told of all, a person of some."""
    many = [fate(parse_mailbox(f"u{number}@example.com")) for number in range(60)]
    for make in (bounce, lambda *args: delay(*args, retry_until_s=NOW_S)):
        octets = make(frame(languages=("en",)), original(), many)
        whole, text, _, _ = parsed(octets)
        assert "mail to 60 recipients" in whole["Subject"]
        assert len(blocks(octets)) == 61
        assert "u49@example.com" in text.get_content()
        assert "u50@example.com" not in text.get_content()
        assert "and 10 more" in text.get_content()


@pytest.mark.parametrize(("address", "expected"), [
    (ANN, "rfc822; ann@example.com"),
    (Mailbox("root", ""), "rfc822; root"),
    (parse_mailbox("用户@example.com"), r"utf-8; \x{7528}\x{6237}@example.com"),
    (parse_mailbox("ü+a=b@example.com"), r"utf-8; \x{FC}\x{2B}a\x{3D}b@example.com"),
    (parse_mailbox("ann@例子.example"), r"utf-8; ann@\x{4F8B}\x{5B50}.example"),
])  # fmt: skip
def test_final_recipient(address, expected):
    """An address that is not ASCII has the type and the form of RFC 6533."""
    octets = bounce(frame(), original(), [fate(address)])
    assert blocks(octets)[1]["Final-Recipient"] == expected
    assert octets.isascii()


# -- what a person reads ---------------------------------------------------------------------------


def test_the_text_says_what_failed_why_and_what_to_do():
    """In each language that is wanted, one below the other."""
    failed = fate(
        problem=say("host not set"),
        remote="smtp.example.org",
        advice={"en": "ask Ann", "zh": "请问安"},
    )
    failed.problems["zh"] = "未设置 host"
    text = parsed(bounce(frame(), original(), [failed]))[1].get_content()
    english, chinese = text.split("* * *")
    for part in (english, chinese):
        assert "web01.example.org" in part
        assert "备份失败 of web01" in part
        assert "ann@example.com" in part
        assert "550-5.1.1 <ann@example.com>: / 550 User unknown" in part
        assert "0abc-def" in part
    assert "This mail could not be delivered" in english
    assert "smtp.example.org said:" in english
    assert "what to do: ask Ann" in english
    assert "host not set" in english
    assert "未能送达" in chinese
    assert "请问安" in chinese
    assert "未设置 host" in chinese
    assert "host not set" not in chinese


@pytest.mark.parametrize(("languages", "subject"), [
    (("en",), "web01.example.org: mail to ann@example.com was not delivered"),
    (("zh", "en"), "web01.example.org：发往 ann@example.com 的邮件未能送达"),
])  # fmt: skip
def test_the_subject_is_in_the_first_language(languages, subject):
    """And the text has these languages only, in that order."""
    whole, text, _, _ = parsed(bounce(frame(languages=languages), original(), [fate()]))
    assert whole["Subject"] == subject
    assert ("这封邮件" in text.get_content()) == ("zh" in languages)
    assert "This mail" in text.get_content()


# -- the header of the original --------------------------------------------------------------------


def test_only_the_header_goes_along_and_no_blind_recipient():
    """The body stays where it is (privacy), and Bcc is named to nobody."""
    for headers in (HEADERS, HEADERS.replace(b"Bcc:", b"Bcc :"), HEADERS.replace(b"\n", b"\r\n"),
                    b"Resent-Bcc: secret@example.net\n" + HEADERS):  # fmt: skip
        octets = bounce(frame(languages=("en",)), original(headers), [fate()])
        assert b"nobody's business" not in octets
        assert b"secret@example.net" not in octets
        sent = message_from_bytes(parsed(octets)[3].get_payload().encode())
        assert sent.keys() == ["From", "Subject", "Message-ID"]


@pytest.mark.parametrize("headers", [
    b"", b"\n", b"no header at all", b"Subject: \xff\xfe raw\n\n", "Subject: 磁盘\n\n".encode(),
    b"X-Long: " + b"x" * 5000 + b"\n\nbody", b"X-Received: \xe9" + b"x" * 5000 + b"\n\nbody",
    b"X-Esc: \x1b[31mred\0\rBcc: a@b\n\nbody", b"DKIM-Signature: \xff" + b"y" * 2000 + b"\n\n",
    b"To: " + b"someone@example.com, " * 4000 + b"x@example.com\n\nbody",
])  # fmt: skip
def test_any_header_leaves_in_lines_of_ascii(headers):
    """Whatever a program wrote, the report is in order."""
    octets = bounce(frame(), original(headers), [fate()])
    assert faults(octets, now_s=NOW_S) == []
    assert repairs_of(octets)[0] == []
    assert len(octets) < HEADERS_BYTES * 2


def test_a_header_without_end_is_cut_at_a_field():
    """The last field may have gone on behind the cut: it is left out."""
    headers = b"X-A: 1\n" + b"X-B: 2\n" * (HEADERS_BYTES // 7 - 1) + b"X-Last: h@example.com,\n"
    headers += b" secret@example.net\n" * 100
    octets = bounce(frame(), original(headers), [fate()])
    kept = parsed(octets)[3].get_payload()
    assert kept.startswith("X-A: 1")
    assert "example" not in kept


@pytest.mark.parametrize(("value", "is_kept"), [
    (b"<a@b>", True), (b"<a@b> <c@d>", False), (b"a@b", False), (b"<a b@c>", False),
    (b"<" + b"a" * 300 + b"@b>", False), ("<ä@b>".encode(), False), (b"<a>", False),
    (b"<a@b,c>", False), (b"<>", False), (b"<@>", False),
])  # fmt: skip
def test_only_a_message_id_that_is_one_is_referred_to(value, is_kept):
    """In-Reply-To is a structured field: what is no Message-ID has no place in it."""
    octets = bounce(frame(), original(b"Message-ID: " + value + b"\n\n"), [fate()])
    assert ("In-Reply-To" in parsed(octets)[0]) is is_kept


def test_subject_of():
    """It is decoded, on one line, and safe to show."""
    assert subject_of(HEADERS) == "备份失败 of web01"
    assert subject_of(b"Subject: a\n b \x1b[31m\n\n") == "a b [31m"
    assert subject_of(b"no header") == ""


# -- it is in order --------------------------------------------------------------------------------


@pytest.mark.parametrize("languages", [("en",), ("zh",), ("en", "zh")])
@pytest.mark.parametrize("takes_8bit", [True, False])
def test_repair_finds_nothing_to_do(languages, takes_8bit):
    """A notice is in order as it is, and comes out octet for octet."""
    octets = bounce(frame(languages=languages), original(), [fate(), fate(BOB, reply=None)])
    assert repairs_of(octets, takes_8bit=takes_8bit) == ([], octets)
    assert faults(octets, now_s=NOW_S) == []
    assert findings_of(octets) == set()


def test_a_subject_that_shouts_is_not_taken_over():
    """What filters count in the original's Subject does not stand in that of the notice."""
    headers = b"Subject: ACT NOW!!! $$$ http://bit.ly/x\n\n"
    octets = bounce(frame(), original(headers), [fate()])
    assert not {name for name in findings_of(octets) if name.startswith("HDR")}


def test_the_same_report_is_made_the_same_way():
    """The boundary comes from the content, and another content has another."""
    first, again = (bounce(frame(), original(), [fate()]) for _ in range(2))
    assert first == again
    other = bounce(frame(), original(), [fate(BOB)])
    boundaries = {parsed(octets)[0].get_boundary() for octets in (first, other)}
    assert len(boundaries) == 2


def test_several_readers_stand_in_to():
    """An alias may lead to several people."""
    whole = parsed(bounce(frame(recipients=(TIM, BOB)), original(), [fate()]))[0]
    assert [str(address) for address in whole["To"].addresses] == [str(TIM), str(BOB)]


# -- attacks ---------------------------------------------------------------------------------------

_EVIL = st.text(
    alphabet=st.sampled_from('ab\r\n\0\x1b\x85\u2028\u202e<>;:"=?.-\\磁é \t'), max_size=60
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(text=_EVIL, octets=st.binary(max_size=200), host=_EVIL)
def test_header_injection_by_a_server_or_a_mail(text, octets, host):
    """Whatever a server says or a mail holds, no field and no part of it comes into being."""
    failed = fate(
        reply=Reply(550, (octets, text.encode())),
        problem=text,
        advice={"en": text, "zh": text},
        remote=host,
    )
    report = bounce(frame(), original(octets + text.encode(), envid=text), [failed])
    assert report.isascii()
    assert faults(report, now_s=NOW_S) == []
    assert repairs_of(report) == ([], report)
    whole, *parts = parsed(report)
    assert len(parts) == 3
    assert len(blocks(report)) == 2
    assert set(whole.keys()) - {"In-Reply-To", "References"} == {
        "Subject", "Date", "From", "To", "Message-ID", "Auto-Submitted", "MIME-Version",
        "Content-Type",
    }  # fmt: skip


def test_a_reply_of_any_length_is_cut():
    """Neither the facts nor the text have a line that servers refuse."""
    long = Reply(550, (b"x" * 5000, "磁".encode() * 900))
    octets = bounce(frame(), original(), [fate(reply=long, problem="y" * 5000)])
    assert faults(octets, now_s=NOW_S) == []
    assert len(octets) < 20_000


def test_a_boundary_in_the_original_ends_no_part():
    """An attacker who knows the boundary of one report does not know that of the next."""
    first = bounce(frame(), original(b"X-A: 1\n\n"), [fate()])
    boundary = parsed(first)[0].get_boundary().encode()
    planted = b"X-A: 1\n--" + boundary + b"--: x\n\n"
    octets = bounce(frame(), original(planted), [fate()])
    assert len(parsed(octets)) == 4
    assert b"--: x" in octets
