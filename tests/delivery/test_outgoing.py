"""What goes out of an account: the sender, the copies, and the message as the account needs it."""

from __future__ import annotations

import pytest

from pillarbox.config.account import Account, parse_setting
from pillarbox.delivery.outgoing import outgoing_mails, repaired, with_allowed_sender
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import CHUNK_SIZE, read_message
from pillarbox.mail.reply import Reply
from pillarbox.smtp.capabilities import Capabilities

TIM = "tim@example.org"
ANN, BOB, KIM = "ann@example.com", "bob@test.example", "kim@example.org"


class Session:
    """The part of a client that is asked: its greeting and what the server offers."""

    def __init__(self, greeting="mail.example.org ESMTP", **keywords):
        """Begin a session with a greeting."""
        self.greeting = Reply(220, (greeting,))
        self.capabilities = Capabilities(keywords)


def account(*, own_sender="", **keywords):
    """Return an account of a provider that demands nothing, but for what is said."""
    result = Account("", "")
    for keyword, text in {"host": "mail.example.org", **keywords}.items():
        field, value = parse_setting(keyword, text)
        result.set(field, value, "test")
    result.own_sender = own_sender
    return result


def envelope(*to, sender=TIM):
    """Return an envelope; an empty sender is the null reverse-path."""
    return Envelope(parse_mailbox(sender) if sender else None, tuple(map(parse_mailbox, to)))


def message(octets, pieces=1 << 16):
    """Return a message that comes in pieces."""
    rest = bytearray(octets)

    def read(size):
        piece = bytes(rest[: min(size, pieces)])
        del rest[: len(piece)]
        return piece

    return read_message(read)


def whole(content):
    """Return the octets of a content."""
    return b"".join(chunk for chunk, _ in content.chunks())


def sent(whose, octets, *to, sender=TIM, client=None):
    """Return what goes out: for each mail its recipients and its octets; and the changes."""
    changes = []
    mails = outgoing_mails(whose, envelope(*to, sender=sender), message(octets), client, changes)
    return [
        ([str(path) for path in mail.envelope.forward_paths], whole(mail.content)) for mail in mails
    ], changes


GOOD = (
    b"From: Tim <tim@example.org>\r\nTo: ann@example.com\r\nSubject: s\r\n"
    b"Message-ID: <1@example.org>\r\n"
)

# -- The envelope's sender -------------------------------------------------------------------------

LOGIN = {"auth": "on", "user": "tim@qq.com"}
SENDERS = [
    # the account's keywords, its own from, the envelope's sender, what it becomes
    # -f root
    ({}, TIM, "root", TIM),
    ({}, TIM, "root@localhost", TIM),
    ({}, TIM, "root@web01.internal", TIM),
    (LOGIN, TIM, "root", TIM),
    (LOGIN, "", "root", "tim@qq.com"),
    ({}, "", "root", "root"),
    ({}, "*@example.org", "root", "root"),
    ({}, "%U@example.org", "root", "root"),
    ({}, "root@localhost", "root", "root"),
    ({}, "not an address", "root", "root"),
    ({**LOGIN, "auth": "off"}, "", "root", "root"),
    ({**LOGIN, "user": "tim"}, "", "root", "root"),
    # A provider that takes the login only.
    ({**LOGIN, "host": "smtp.qq.com"}, "", BOB, "tim@qq.com"),
    ({**LOGIN, "host": "smtp.qq.com"}, TIM, TIM, "tim@qq.com"),
    ({**LOGIN, "host": "smtp.qq.com"}, "", "TIM@QQ.com", "TIM@QQ.com"),
    ({**LOGIN, "host": "smtp.qq.com", "user": "tim"}, "", BOB, BOB),
    ({**LOGIN, "host": "smtp.qq.com", "auth": "off"}, "", BOB, BOB),
    ({**LOGIN, "host": "smtp.qq.com", "repair": "off"}, "", BOB, BOB),
    ({**LOGIN, "host": "smtp.gmail.com"}, "", BOB, BOB),
    (LOGIN, "", BOB, BOB),
    # In order, or nobody's business.
    ({}, BOB, TIM, TIM),
    ({"repair": "off"}, TIM, "root", "root"),
    (LOGIN, TIM, "", None),
]


@pytest.mark.parametrize(("keywords", "own", "sender", "expected"), SENDERS)
def test_sender_that_the_provider_takes(keywords, own, sender, expected):
    """The login where nothing else is taken, the account's own for a local one, else no change."""
    before = Envelope(
        parse_mailbox(sender) if sender else None, (parse_mailbox(ANN),), envid="e", ret="HDRS"
    )
    changes = []
    after = with_allowed_sender(account(own_sender=own, **keywords), before, None, changes)
    assert after.reverse_path == (parse_mailbox(expected) if expected else None)
    is_same = after.reverse_path == before.reverse_path
    assert [change.rule for change in changes] == ([] if is_same else ["ENV-SENDER"])
    assert (after is before) is is_same
    assert (after.forward_paths, after.envid, after.ret) == (before.forward_paths, "e", "HDRS")
    assert all(sender in change.what and expected in change.what for change in changes)


def test_provider_is_known_by_its_greeting():
    """Behind another name the greeting gives the provider away."""
    whose = account(auth="on", user="tim@corp.example")
    for greeting, expected in (("smtp.aliyun-inc.com AliMail", "tim@corp.example"), ("x", BOB)):
        after = with_allowed_sender(whose, envelope(ANN, sender=BOB), Session(greeting), [])
        assert str(after.reverse_path) == expected


# -- One mail --------------------------------------------------------------------------------------


def test_repairs_what_goes_out():
    """One mail to all recipients, with what was missing and a note of each thing."""
    mails, changes = sent(account(), b"Subject: s\n\nhi\n", ANN)
    [(to, octets)] = mails
    assert to == [ANN]
    assert octets.count(b"\r\nDate: ") == 1
    assert b"From: tim@example.org\r\n" in octets
    assert b"To: ann@example.com\r\n" in octets
    rules = {change.rule for change in changes}
    assert rules == {
        "HDR-FROM-MISSING", "HDR-TO-MISSING", "HDR-DATE-MISSING", "HDR-MID-MISSING", "HDR-AUTOSUB"
    }  # fmt: skip


def test_repair_off_completes_headers_as_msmtp_does():
    """From, Date and Message-ID are added and Bcc goes; nothing else is changed or noted."""
    octets = "Bcc: eve@evil.example\nSubject: grün\n\nгрün\x1b[m\n".encode()
    mails, changes = sent(account(repair="off"), octets, ANN)
    [(_, output)] = mails
    assert changes == []
    assert b"Bcc" not in output
    assert b"To:" not in output
    assert "Subject: grün\r\n\r\nгрün\x1b[m\r\n".encode() in output
    assert output.startswith(b"From: tim@example.org\r\nDate: ")


def test_message_id_is_of_the_senders_domain():
    """Its domain is the account's, or the sender's, or the relay's."""
    rows = (
        (account(domain="m.example"), TIM, b"@m.example>"),
        (account(), TIM, b"@example.org>"),
        (account(), "", b"@mail.example.org>"),
        (account(host="192.0.2.1"), "", b"@localhost>"),
        (account(host="::1"), "", b"@localhost>"),
    )
    for whose, sender, expected in rows:
        [(_, octets)], _ = sent(whose, b"Subject: s\nTo: x@y.example\n\nhi\n", ANN, sender=sender)
        line = octets.partition(b"Message-ID: ")[2].partition(b"\r\n")[0]
        assert line.endswith(expected), line


@pytest.mark.parametrize("offers", [True, False])
def test_what_the_server_offers_decides_the_encoding(offers):
    """8-bit text stays so where the server takes it, and is encoded where it does not."""
    mime = b"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
    octets = GOOD + mime + "Content-Transfer-Encoding: 8bit\n\ngrün\n".encode()
    client = Session(**({"8BITMIME": ""} if offers else {}))
    [(_, output)], _ = sent(account(), octets, ANN, client=client)
    assert output.isascii() is not offers
    as_file = whole(repaired(account(), envelope(ANN), message(octets), []).content())
    assert as_file.isascii()


def test_from_is_the_accounts_where_the_provider_demands_it():
    """The host's preset, or the greeting, tells; others keep the From that came."""
    octets = b"From: bob@test.example\nTo: ann@example.com\nSubject: s\n\nhi\n"
    rows = (
        (account(host="smtp.qq.com"), None, True),
        (account(), Session("smtp.aliyun-inc.com AliMail"), True),
        (account(), None, False),
    )
    for whose, client, is_changed in rows:
        [(_, output)], changes = sent(whose, octets, ANN, client=client)
        assert (b"From: tim@example.org\r\n" in output) is is_changed
        assert (b"Reply-To: bob@test.example\r\n" in output) is is_changed
        assert ("HDR-FROM-ACCOUNT" in {change.rule for change in changes}) is is_changed


# -- Copies ----------------------------------------------------------------------------------------


def test_no_copies_unless_they_are_wanted():
    """One mail for all, and none is named to another."""
    mails, changes = sent(account(own_copies="off"), GOOD + b"\nhi\n", ANN, BOB)
    assert [to for to, _ in mails] == [[ANN, BOB]]
    assert b"bob" not in mails[0][1]
    assert "HDR-TO-FORGED" not in {change.rule for change in changes}


def test_who_is_named_shares_a_copy_and_who_is_not_gets_his_own():
    """Everybody gets it once; a Bcc names the one that a copy is for, and nobody else."""
    mails, changes = sent(account(own_copies="on"), GOOD + b"Bcc: x\n\nhi\n", ANN, BOB, KIM)
    assert [to for to, _ in mails] == [[ANN], [BOB], [KIM]]
    for (_, octets), blind in zip(mails, (b"", BOB.encode(), KIM.encode()), strict=True):
        assert (b"Bcc: " + blind + b"\r\n" in octets) is bool(blind)
        assert octets.count(b"Bcc:") == bool(blind)
        assert b"To: ann@example.com\r\n" in octets
        assert octets.endswith(b"\r\n\r\nhi\r\n")
    assert b"bob" not in mails[2][1]
    assert [change.rule for change in changes].count("HDR-TO-FORGED") == 1
    assert [change.rule for change in changes].count("HDR-DATE-MISSING") == 1


@pytest.mark.parametrize("to", [b"", b"To: root\n", b"To: undisclosed-recipients:;\n", b"To: <\n"])
def test_copies_of_a_mail_that_names_nobody_name_their_own(to):
    """Each recipient stands in the To of his copy, and in no other's."""
    octets = b"From: tim@example.org\nSubject: s\n" + to + b"\nhi\n"
    mails, _ = sent(account(own_copies="on"), octets, ANN, BOB)
    assert [to for to, _ in mails] == [[ANN], [BOB]]
    for (_, output), own, other in zip(mails, (ANN, BOB), (BOB, ANN), strict=True):
        assert f"To: {own}\r\n".encode() in output
        assert other.encode() not in output
        assert b"Bcc" not in output


def test_copies_are_one_mail():
    """All copies have one Message-ID and one Date: threads and searches find one mail."""
    mails, _ = sent(account(own_copies="on"), b"Subject: s\n\nhi\n", ANN, BOB, KIM)
    for name in (b"Message-ID: ", b"Date: "):
        assert len({octets.partition(name)[2].partition(b"\r\n")[0] for _, octets in mails}) == 1


@pytest.mark.parametrize("to", [(ANN,), (ANN, "ANN@Example.com")])
def test_all_who_are_named_share_one_mail(to):
    """Copies are for those whom the message does not name; case does not matter."""
    mails, changes = sent(account(own_copies="on"), GOOD + b"\nhi\n", *to)
    assert [found for found, _ in mails] == [list(to)]
    assert "HDR-TO-FORGED" not in {change.rule for change in changes}


def test_copies_of_a_large_mail_are_whole():
    """A body that is longer than what is held in memory is in each copy."""
    body = b"line of text\n" * (CHUNK_SIZE // 13 * 2)
    mails, _ = sent(account(own_copies="on"), GOOD + b"\n" + body, ANN, BOB, KIM)
    assert len(mails) == 3
    for _, octets in mails:
        assert octets.partition(b"\r\n\r\n")[2] == body.replace(b"\n", b"\r\n")


# -- repaired --------------------------------------------------------------------------------------


def test_repaired_is_what_would_go_out():
    """The message that a user is shown is the one that is sent, to all at once."""
    changes = []
    octets = b"From: root\nSubject: s\n\nhi\n"
    shown = whole(repaired(account(), envelope(ANN, BOB), message(octets), changes).content())
    assert b"From: " in shown
    assert b"<tim@example.org>\r\n" in shown
    assert "HDR-FROM-NODOMAIN" in {change.rule for change in changes}
    plain = repaired(account(repair="off"), envelope(ANN), message(octets), changes := [])
    assert b"From: root\r\n" in whole(plain.content())
    assert changes == []
