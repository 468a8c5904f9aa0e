"""Rehearsals: what is said, what is learnt, and that a mail may follow."""

from __future__ import annotations

import pytest

from client_script import CHUNKING, HELLO, PIPELINING, READY, play, scripts
from pillarbox.errors import EX_PROTOCOL, EX_TEMPFAIL, DataError, LocalProtocolError
from pillarbox.smtp import states

LMTP = {"is_lmtp": True}
LHLO = "S 220 x\nC LHLO localhost\nS 250-x\nS 250 PIPELINING\nE ready\n"
ASKED = "> rehearse me you\nC MAIL FROM:<me@example.org>\nC RCPT TO:<you@example.org>\nC RSET\n"
MAIL = "> rehearse me you\nC MAIL FROM:<me@example.org>\n"
RCPT = "C RCPT TO:<you@example.org>\n"
# What a mail looks like that goes behind a rehearsal.
SENT = (
    "> begin me you\nC MAIL FROM:<me@example.org>\nC RCPT TO:<you@example.org>\nC DATA\n"
    "S 250 x\nS 250 x\nS 354 x\n> last hello\nC hello\nC .\nS 250 x\nE ended you=delivered"
)


def codes(player):
    """Return the codes of the replies to MAIL, RCPT and RSET; None where there is none."""
    rehearsal = player.rehearsal
    replies = (rehearsal.mail, rehearsal.rcpt, rehearsal.rset)
    return tuple(reply and reply.code for reply in replies)


@scripts(
    (
        "one by one",
        {},
        READY
        + MAIL
        + "S 250 x\n"
        + RCPT
        + "S 250 x\nC RSET\n> awaits RSET\nS 250 x\nE answered 250",
    ),
    ("in one go", {}, PIPELINING + ASKED + "S 250 x\nS 250 x\nS 250 x\nE answered 250\n" + SENT),
    ("reply by reply", {}, PIPELINING + ASKED + "S 250 x\n> awaits RCPT\nS 251 x\n> awaits RSET"),
    ("over LMTP", LMTP, LHLO + ASKED + "S 250 x\nS 250 x\nS 250 x\nE answered 250\n" + SENT),
    (
        "where content would go by BDAT",
        {},
        CHUNKING + ASKED + "S 250 x\nS 250 x\nS 250 x\nE answered 250",
    ),
    (
        "of a bounce",
        {},
        READY + "> rehearse - you\nC MAIL FROM:<>\nS 250 x\n" + RCPT + "S 250 x\nC RSET",
    ),
    (
        "with the size where it is offered",
        {},
        HELLO + "S 250-x\nS 250 SIZE 9\nE ready\n> rehearse me you 5\n"
        "C MAIL FROM:<me@example.org> SIZE=5",
    ),
    (
        "without a size that is not offered",
        {},
        READY + "> rehearse me you 5\nC MAIL FROM:<me@example.org>",
    ),
    (
        "without a size that is not known",
        {},
        HELLO + "S 250-x\nS 250 SIZE 9\nE ready\n" + MAIL,
    ),
    (
        "twice",
        {},
        PIPELINING + 2 * (ASKED + "S 550 x\nS 503 x\nS 250 x\nE answered 250\n") + SENT,
    ),
    (
        "behind a refused mail, whose transaction is ended first",
        {},
        READY + "> begin me you\nC MAIL FROM:<me@example.org>\nS 550 x\nE ended you=bounced\n"
        "> rehearse me you\nC RSET\nS 250 x\nC MAIL FROM:<me@example.org>\nS 250 x\n"
        + RCPT
        + "S 250 x\nC RSET\nS 250 x\nE answered 250\n> begin me you\nC MAIL FROM:<me@example.org>",
    ),
)
def test_says_mail_rcpt_and_rset(options, script, size):
    """Nothing else is said, and mails go before and behind it as ever."""
    play(options, script, size)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (PIPELINING + ASKED + "S 250 a\nS 250 b\nS 250 c\nE answered 250", (250, 250, 250)),
        (PIPELINING + ASKED + "S 250 a\nS 554 b\nS 250 c\nE answered 250", (250, 554, 250)),
        # Behind a refused MAIL, 503 says nothing of the recipient.
        (PIPELINING + ASKED + "S 553 a\nS 503 b\nS 250 c\nE answered 250", (553, None, 250)),
        # Where RCPT did not go with MAIL, it does not go at all.
        (READY + MAIL + "S 553 a\nC RSET\nS 250 c\nE answered 250", (553, None, 250)),
        (READY + MAIL + f"S 421 a\nE refused MAIL site {EX_TEMPFAIL}", (None, None, None)),
        (
            PIPELINING + ASKED + f"S 250 a\n> eof\nE refused RCPT site {EX_TEMPFAIL}",
            (250, None, None),
        ),
        (
            PIPELINING + ASKED + f"S 550 a\n> eof\nE refused RCPT site {EX_TEMPFAIL}",
            (550, None, None),
        ),
        (
            PIPELINING + ASKED + f"S 250 a\nS 250 b\nS 502 c\nE refused RSET site {EX_PROTOCOL}",
            (250, 250, 502),
        ),
        (READY + MAIL + f"S 354 a\nE refused MAIL site {EX_PROTOCOL}", (None, None, None)),
        (
            PIPELINING + ASKED + f"S 250 a\nS 354 b\nE refused RCPT site {EX_PROTOCOL}",
            (250, None, None),
        ),
    ],
)
def test_learns_each_reply_that_was_reached(script, expected):
    """What was said before the connection ended is known; what was not said is None."""
    assert codes(play({}, script)) == expected


@pytest.mark.parametrize(
    ("replies", "is_refused", "is_taken"),
    [
        ("S 250 a\nS 250 b\nS 250 c\nE answered 250", False, True),
        ("S 250 a\nS 450 b\nS 250 c\nE answered 250", False, False),
        ("S 550 a\nS 503 b\nS 250 c\nE answered 250", True, False),
        ("S 550 a\nS 250 b\nS 250 c\nE answered 250", True, False),
    ],
)
def test_tells_whether_it_was_taken(replies, is_refused, is_taken):
    """Taken is what both replies say; a refused MAIL decides alone."""
    rehearsal = play({}, PIPELINING + ASKED + replies).rehearsal
    assert rehearsal.is_mail_refused is is_refused
    assert rehearsal.is_taken is is_taken


def test_is_refused_while_a_mail_is_under_way():
    """RSET would end the other's transaction."""
    with pytest.raises(LocalProtocolError):
        play({}, PIPELINING + SENT.partition("S 250")[0] + ASKED)


def test_nothing_is_said_of_an_address_that_the_server_cannot_take():
    """A local-part outside ASCII needs SMTPUTF8; the session stays usable."""
    player = play({}, PIPELINING)
    with pytest.raises(DataError):
        player.act("rehearse", "张三@example.org you")
    assert player.client.take_output() == b""
    player.play(ASKED)


def test_attack_reply_before_the_question():
    """A reply that was begun before MAIL was said breaks the session, and answers nothing."""
    player = play({}, READY)
    player.client.receive_data(b"250-you may")
    player.act("rehearse", "me you")
    assert player.client.state == states.BROKEN
    assert player.client.take_output() == b""
    assert codes(player) == (None, None, None)
