"""The client session at work: transactions, their pipelining, and every way that they can end."""

from __future__ import annotations

import pytest

from client_script import CHUNKING, HELLO, PIPELINING, READY, address, play, scripts
from pillarbox.errors import EX_PROTOCOL, EX_TEMPFAIL, DataError, LocalProtocolError
from pillarbox.mail.address import Mailbox, parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.smtp.client import Client
from pillarbox.smtp.session import SessionOptions
from pillarbox.smtp.transaction import Transaction

BROKEN = f"E refused idle site {EX_PROTOCOL}\n> quit"

# -- one transaction with DATA -----------------------------------------------------------------

GROUP = (
    PIPELINING
    + """
> begin me a b
C MAIL FROM:<me@example.org>
C RCPT TO:<a@example.org>
C RCPT TO:<b@example.org>
C DATA
"""
)
STEPS = (
    READY
    + """
> begin me a b
C MAIL FROM:<me@example.org>
S 250 ok
C RCPT TO:<a@example.org>
S 250 ok
C RCPT TO:<b@example.org>
"""
)
ACCEPTED = "S 250 ok\nS 250 ok\nS 250 ok\nS 354 go\n"
SENT = "> send hello\n> last .dot\nC hello\nC ..dot\nC .\n"


@scripts(
    ("group", {}, GROUP + ACCEPTED + SENT + "S 250 ok\nE ended a=delivered b=delivered"),
    (
        "steps",
        {},
        STEPS + "S 250 ok\nC DATA\nS 354 go\n" + SENT + "S 250 ok\nE ended a=delivered b=delivered",
    ),
    (
        "group, in two segments",
        {},
        GROUP
        + "S 250 ok\nS 250 ok\n> wants-nothing\nS 250 ok\nS 354 go\n"
        + SENT
        + "S 250 ok\nE ended a=delivered b=delivered\n> quit\nC QUIT",
    ),
    (
        "odd positive codes",
        {},
        GROUP
        + "S 200 ok\nS 251 ok\nS 252 ok\nS 354 go\n"
        + SENT
        + "S 200 ok\nE ended a=delivered b=delivered",
    ),
    (
        "empty content",
        {},
        GROUP + ACCEPTED + "> empty\nC .\nS 250 ok\nE ended a=delivered b=delivered",
    ),
    (
        "one refused",
        {},
        GROUP
        + "S 250 ok\nS 550 no\nS 250 ok\nS 354 go\n"
        + SENT
        + "S 250 ok\nE ended a=bounced b=delivered",
    ),
    (
        "one refused for a while, in steps",
        {},
        STEPS + "S 450 no\nC DATA\nS 354 go\n" + SENT + "S 250 ok\nE ended a=delivered b=deferred",
    ),
    (
        "content refused",
        {},
        GROUP + ACCEPTED + SENT + "S 554 spam\nE ended a=bounced b=bounced",
    ),
    (
        "content refused for a while",
        {},
        GROUP + ACCEPTED + SENT + "S 452 full\nE ended a=deferred b=deferred",
    ),
    (
        "content refused with 503",
        {},
        GROUP + ACCEPTED + SENT + "S 503 what?\nE ended a=deferred b=deferred",
    ),
    (
        "null sender",
        {},
        PIPELINING + "> begin - a\nC MAIL FROM:<>\nC RCPT TO:<a@example.org>\nC DATA\n"
        "S 250 ok\nS 250 ok\nS 354 go\n> last x\nC x\nC .\nS 250 ok\nE ended a=delivered",
    ),
)
def test_sends_a_mail_with_data(options, script, size):
    """MAIL, RCPT and DATA in one group or one by one; the reply behind the dot decides."""
    play(options, script, size)


AGAIN = "> begin me c\nC RSET\nC MAIL FROM:<me@example.org>\nC RCPT TO:<c@example.org>\nC DATA\n"


@scripts(
    (
        "MAIL, group",
        {},
        GROUP + "S 550 no\nS 503 no\nS 503 no\nS 503 no\nE ended a=bounced b=bounced\n" + AGAIN,
    ),
    (
        "MAIL, for a while",
        {},
        GROUP + "S 440 no\nS 503 no\nS 503 no\nS 554 no\nE ended a=deferred b=deferred\n" + AGAIN,
    ),
    (
        "MAIL, steps",
        {},
        READY + "> begin me a b\nC MAIL FROM:<me@example.org>\nS 550 no\n"
        "E ended a=bounced b=bounced\n> begin me c\nC RSET\nS 250 ok\nC MAIL FROM:<me@example.org>",
    ),
    (
        "MAIL, and yet 354",
        {},
        GROUP + "S 550 no\nS 250 ok\nS 250 ok\nS 354 go\nC .\nS 554 no\n"
        "E ended a=bounced b=bounced\n" + AGAIN,
    ),
    (
        "all RCPT",
        {},
        GROUP + "S 250 ok\nS 550 no\nS 450 no\nS 503 no\nE ended a=bounced b=deferred\n" + AGAIN,
    ),
    (
        "all RCPT, and yet 354",
        {},
        GROUP + "S 250 ok\nS 550 no\nS 450 no\nS 354 go\nC .\nS 554 no\n"
        "E ended a=bounced b=deferred\n" + AGAIN,
    ),
    (
        "all RCPT, and the empty content is taken",
        {},
        GROUP + "S 250 ok\nS 550 no\nS 450 no\nS 354 go\nC .\nS 250 ok\n"
        "E ended a=bounced b=deferred\n" + AGAIN.replace("C RSET\n", ""),
    ),
    (
        "all RCPT, steps: no DATA",
        {},
        READY + "> begin me a\nC MAIL FROM:<me@example.org>\nS 250 ok\n"
        "C RCPT TO:<a@example.org>\nS 550 no\nE ended a=bounced\n> quit\nC QUIT",
    ),
    (
        "DATA",
        {},
        GROUP + "S 250 ok\nS 250 ok\nS 250 ok\nS 451 no\nE ended a=deferred b=deferred\n" + AGAIN,
    ),
    (
        "DATA, one RCPT before",
        {},
        GROUP + "S 250 ok\nS 450 ok\nS 250 ok\nS 554 no\nE ended a=deferred b=bounced\n" + AGAIN,
    ),
    ("content", {}, GROUP + ACCEPTED + SENT + "S 554 no\nE ended a=bounced b=bounced\n" + AGAIN),
)
def test_refused_transaction_is_followed_by_rset(options, script, size):
    """A refusal ends the mail for those concerned, and RSET clears what it may have left."""
    play(options, script, size)


def test_delivered_transaction_is_not_followed_by_rset():
    """A mail that was taken leaves nothing to clear."""
    script = GROUP + ACCEPTED + SENT + "S 250 ok\nE ended a=delivered b=delivered\n"
    play({}, script + AGAIN.replace("C RSET\n", ""))


@scripts(
    *(
        (
            f"{code} to RSET",
            {},
            GROUP
            + ACCEPTED
            + SENT
            + "S 554 no\nE ended a=bounced b=bounced\n"
            + AGAIN
            + f"S {code} no\nE ended c=deferred\nE refused RSET site {EX_PROTOCOL}\n> quit",
        )
        for code in ("502", "450", "354")
    )
)
def test_refused_rset_ends_the_session(options, script, size):
    """A server that cannot forget (RFC 5321 4.1.1.5 does not let it refuse) gets no more mail."""
    play(options, script, size)


WRONG = f"E ended a=deferred b=deferred\nE refused {{}} site {EX_PROTOCOL}\n> state BROKEN\n> quit"
DOUBTED = WRONG.format("content").replace("deferred", "deferred?")


@scripts(
    ("354 to MAIL", {}, GROUP + "S 354 go\n" + WRONG.format("MAIL")),
    ("334 to RCPT", {}, GROUP + "S 250 ok\nS 334 x\n" + WRONG.format("RCPT")),
    ("250 to DATA", {}, GROUP + "S 250 ok\nS 250 ok\nS 250 ok\nS 250 ok\n" + WRONG.format("DATA")),
    (
        "250 to DATA, steps",
        {},
        STEPS + "S 250 ok\nC DATA\nS 250 ok\n" + WRONG.format("DATA"),
    ),
    ("334 to DATA", {}, STEPS + "S 250 ok\nC DATA\nS 334 ok\n" + WRONG.format("DATA")),
    ("2200", {}, GROUP + "S 2200 ok\n" + WRONG.format("MAIL")),
    ("codes that differ", {}, GROUP + "S 250-ok\nS 550 ok\n" + WRONG.format("MAIL")),
    ("garbage", {}, GROUP + "S ok\n" + WRONG.format("MAIL")),
    ("garbage line in a group", {}, GROUP + "S 250 ok\nS \n" + WRONG.format("RCPT")),
    (
        "354 behind the dot",
        {},
        GROUP + ACCEPTED + SENT + "S 354 go\n" + DOUBTED,
    ),
    (
        "garbage behind the dot",
        {},
        GROUP + ACCEPTED + SENT + "S +OK\n" + DOUBTED,
    ),
    (
        "a reply too many, and then the dot's",
        {},
        GROUP
        + "S 250 ok\nS 250 ok\nS 250 ok\nS 354 go\nS 250 ok\n"
        + f"E ended a=deferred b=deferred\nE refused content site {EX_PROTOCOL}\n> quit",
    ),
)
def test_reply_of_the_wrong_class_defers_and_ends_the_session(options, script, size):
    """Out of sync (N7) means finished: nothing is believed, nothing more is sent."""
    play(options, script, size)


@scripts(
    (
        "refusal",
        {},
        GROUP + ACCEPTED + "> send hello\nC hello\nS 552 too much\n"
        f"E ended a=deferred b=deferred\nE refused content site {EX_TEMPFAIL}\n> quit",
    ),
    (
        "refusal for a while",
        {},
        STEPS + "S 250 ok\nC DATA\nS 354 go\n> send hello\nC hello\nS 451 no\n"
        f"E ended a=deferred b=deferred\nE refused content site {EX_TEMPFAIL}\n> quit",
    ),
    (
        "farewell",
        {},
        GROUP + ACCEPTED + "> send hello\nC hello\nS 421 bye\n"
        f"E ended a=deferred b=deferred\nE refused content site {EX_TEMPFAIL}\n> quit",
    ),
    (
        "success",
        {},
        GROUP + ACCEPTED + "> send hello\nC hello\nS 250 ok\n"
        f"E ended a=deferred b=deferred\nE refused content site {EX_PROTOCOL}\n> quit",
    ),
)
def test_early_reply_during_content_is_no_answer_to_it(options, script, size):
    """What comes before the dot (N7) is at best a reason to stop, and never a success."""
    play(options, script, size)


@pytest.mark.parametrize("early", ["2", "250 o", "250-ok\r\n250"])
def test_early_success_completed_behind_the_dot_is_not_believed(early):
    """A 250 that began before the content had ended (N7) was not said about the whole of it."""
    player = play({}, GROUP + ACCEPTED + "> send hello\nC hello")
    player.client.receive_data(early.encode())
    player.play(
        "> last bye\n"
        f"E ended a=deferred b=deferred\nE refused content site {EX_PROTOCOL}\n> state BROKEN"
    )


# -- the end of the connection, at every stage -------------------------------------------------

STAGES = [
    # what came before, stage, statuses, whether the content was complete
    ("> awaits greeting", "greeting", None),
    ("S 220 x\nC EHLO localhost", "EHLO", None),
    ("S 220 x\nC EHLO localhost\nS 500 x\nC HELO localhost", "EHLO", None),
    (READY, "idle", None),
    (GROUP, "MAIL", "deferred"),
    (GROUP + "S 250 ok", "RCPT", "deferred"),
    (GROUP + "S 250 ok\nS 250 ok\nS 250 ok", "DATA", "deferred"),
    (GROUP + ACCEPTED, "content", "deferred"),
    (GROUP + ACCEPTED + "> send hello\nC hello", "content", "deferred"),
    (GROUP + ACCEPTED + SENT, "content", "deferred?"),
    (STEPS, "RCPT", "deferred"),
    (STEPS + "S 250 ok\nC DATA", "DATA", "deferred"),
    (STEPS + "S 250 ok\nC DATA\nS 354 go", "content", "deferred"),
    (STEPS + "S 250 ok\nC DATA\nS 354 go\n" + SENT, "content", "deferred?"),
]


@pytest.mark.parametrize("end", ["> eof", "S 421 bye", "S+ 25\n> eof"])
@pytest.mark.parametrize(("before", "stage", "action"), STAGES)
def test_end_of_connection_defers_and_doubts_only_a_complete_content(before, stage, action, end):
    """Whether by 421 or without a word (N8): deferred, in doubt exactly behind the dot."""
    if action and end == "S 421 bye":
        action = "deferred"  # an answer to the content, which was not taken then
    ended = [f"E ended a={action} b={action}"] if action else []
    refused = f"E refused {stage} site {EX_TEMPFAIL}"
    play({}, "\n".join([before, end, *ended, refused, "> state CLOSED", "> quit"]))


@pytest.mark.parametrize(("before", "_", "action"), STAGES)
def test_lost_connection_gives_every_mail_the_drivers_trouble(before, _, action):
    """A deadline or a network error is the driver's to tell, and is told once."""
    ended = [f"E ended a={action} b={action}"] if action else []
    refused = f"E refused content site {EX_TEMPFAIL}"
    player = play({}, "\n".join([before, "> lost", *ended, refused, "> lost", "> eof"]))
    player.client.receive_data(b"250 too late\r\n")
    player.play("> state CLOSED\n> quit")


def test_refused_recipient_is_not_in_doubt_when_the_rest_is():
    """Who was refused before the content was sent has a status already."""
    play(
        {},
        GROUP + "S 250 ok\nS 550 no\nS 250 ok\nS 354 go\n" + SENT + "> eof\n"
        f"E ended a=bounced b=deferred?\nE refused content site {EX_TEMPFAIL}",
    )


OVER = [
    "S 554 no\nE refused greeting site 69",
    "S x\nE refused greeting site 76",
    "S 421 x\nE refused greeting site 75",
    "> quit",
]


@pytest.mark.parametrize("over", OVER)
def test_session_that_is_over_hears_nothing(over):
    """Its end is told once; what comes later, even the end of the stream, is nothing new."""
    player = play({}, over)
    player.play("S 220 x\nS garbage\nS 421 bye\n> eof\n> lost")
    assert not player.client.can_begin
    assert not player.client.wants_content
    with pytest.raises(LocalProtocolError):
        player.client.begin(Transaction(Envelope(None, (address("a"),))))


# -- parameters, sizes and addresses -----------------------------------------------------------

OFFERS = HELLO + "S 250-x\nS 250-SIZE 1000\nS 250-8BITMIME\nS 250-SMTPUTF8\nS 250 DSN\nE ready\n"


@scripts(
    (
        "all",
        {},
        OFFERS + "> begin me a size=1000 8bit ret=HDRS envid=x notify=NEVER\n"
        "C MAIL FROM:<me@example.org> SIZE=1000 BODY=8BITMIME RET=HDRS ENVID=x\nS 250 ok\n"
        "C RCPT TO:<a@example.org> NOTIFY=NEVER ORCPT=rfc822;a@example.org",
    ),
    (
        "none",
        {},
        READY + "> begin me a size=1000 8bit ret=HDRS envid=x notify=NEVER\n"
        "C MAIL FROM:<me@example.org>\nS 250 ok\nC RCPT TO:<a@example.org>",
    ),
    (
        "smtputf8",
        {},
        OFFERS + "> begin me ü b\nC MAIL FROM:<me@example.org> SMTPUTF8\nS 250 ok\n"
        "C RCPT TO:<ü@example.org>\nS 250 ok\nC RCPT TO:<b@example.org>",
    ),
    (
        "smtputf8 not offered",
        {},
        READY + "> begin me ü b\nC MAIL FROM:<me@example.org>\nS 250 ok\n"
        "C RCPT TO:<b@example.org>\nS 250 ok\nC DATA\nS 354 go\n> last x\nC x\nC .\n"
        "S 250 ok\nE ended ü=bounced b=delivered",
    ),
    ("nobody left", {}, READY + "> begin me ü\nE ended ü=bounced\n> begin ü b\nE ended b=bounced"),
    ("too large", {}, OFFERS + "> begin me a b size=1001\nE ended a=bounced b=bounced"),
    (
        "too large, and the next goes",
        {},
        OFFERS + "> begin me a size=1001\nE ended a=bounced\n> begin me b size=999\n"
        "C MAIL FROM:<me@example.org> SIZE=999",
    ),
    (
        "idn",
        {},
        READY + "> begin me@bücher.example a@bücher.example\n"
        "C MAIL FROM:<me@xn--bcher-kva.example>\nS 250 ok\nC RCPT TO:<a@xn--bcher-kva.example>",
    ),
)
def test_says_what_is_offered_and_needed(options, script, size):
    """Parameters follow the offer; what the server cannot take is not sent at all."""
    play(options, script, size)


def test_one_bad_domain_does_not_fail_the_others():
    """A recipient whose domain has no A-labels is given up alone."""
    play(
        {},
        READY + "> begin me a@-ü.example b\nC MAIL FROM:<me@example.org>\nS 250 ok\n"
        "C RCPT TO:<b@example.org>\nS 250 ok\nC DATA\nS 354 go\n> last x\nC x\nC .\n"
        "S 250 ok\nE ended a=bounced b=delivered\n> begin me a@-ü.example\nE ended a=bounced",
    )


def test_reverse_path_that_cannot_be_said_sends_nothing():
    """The driver learns it as an exception, and the session is as before."""
    player = play({}, GROUP + ACCEPTED + SENT + "S 550 no\nE ended a=bounced b=bounced")
    evil = Transaction(Envelope(Mailbox("me\r\nRCPT TO:<x>", "e"), (address("a"),)))
    with pytest.raises(DataError):
        player.client.begin(evil)
    assert player.client.can_begin
    player.play(AGAIN)


# -- CHUNKING ----------------------------------------------------------------------------------

CHUNKING_ONLY = HELLO + "S 250-x\nS 250 CHUNKING\nE ready\n"
BDAT_ENVELOPE = (
    "C MAIL FROM:<me@example.org>\nC RCPT TO:<a@example.org>\nC RCPT TO:<b@example.org>\n"
)
BDAT_GROUP = CHUNKING + "> begin me a b\n> last .x\n" + BDAT_ENVELOPE + "C BDAT 4 LAST\nC .x\n"
BDAT_STREAM = CHUNKING + "> begin me a b\n> send .x\n" + BDAT_ENVELOPE + "C BDAT 4\nC .x\n"


@scripts(
    (
        "one group",
        {},
        BDAT_GROUP + "S 250 ok\nS 250 ok\nS 250 ok\nS 250 ok\nE ended a=delivered b=delivered\n"
        "> quit\nC QUIT",
    ),
    (
        "one refused",
        {},
        BDAT_GROUP + "S 250 ok\nS 550 no\nS 250 ok\nS 250 ok\nE ended a=bounced b=delivered",
    ),
    (
        "all refused",
        {},
        BDAT_GROUP + "S 250 ok\nS 550 no\nS 450 no\nS 554 no\nE ended a=bounced b=deferred",
    ),
    (
        "all refused, and yet taken",
        {},
        BDAT_GROUP + "S 250 ok\nS 550 no\nS 450 no\nS 250 no\nE ended a=bounced b=deferred",
    ),
    (
        "MAIL refused",
        {},
        BDAT_GROUP + "S 450 no\nS 503 no\nS 503 no\nS 503 no\nE ended a=deferred b=deferred",
    ),
    (
        "content refused",
        {},
        BDAT_GROUP + "S 250 ok\nS 250 ok\nS 250 ok\nS 552 no\nE ended a=bounced b=bounced",
    ),
    (
        "503 never bounces",
        {},
        BDAT_GROUP + "S 250 ok\nS 250 ok\nS 250 ok\nS 503 no\nE ended a=deferred b=deferred",
    ),
    (
        "in doubt",
        {},
        BDAT_GROUP + "S 250 ok\n> eof\nE ended a=deferred? b=deferred?\n"
        f"E refused RCPT site {EX_TEMPFAIL}",
    ),
    (
        "wrong class",
        {},
        BDAT_GROUP + "S 250 ok\nS 250 ok\nS 250 ok\nS 354 go\nE ended a=deferred? b=deferred?\n"
        f"E refused content site {EX_PROTOCOL}",
    ),
    (
        "streamed",
        {},
        BDAT_STREAM + "> wants-nothing\nS 250 ok\nS 250 ok\nS 250 ok\n> send y\n> last z\n"
        "C BDAT 3\nC y\nC BDAT 3 LAST\nC z\nS 250 ok\nS 250 ok\nS 250 ok\n"
        "E ended a=delivered b=delivered",
    ),
    (
        "streamed, refused midway",
        {},
        BDAT_STREAM + "S 250 ok\nS 250 ok\nS 250 ok\n> send y\nC BDAT 3\nC y\nS 552 no\n"
        "E ended a=bounced b=bounced\n> wants-nothing\n> begin me c\n> last z\nC RSET\n"
        "C MAIL FROM:<me@example.org>\nC RCPT TO:<c@example.org>\nC BDAT 3 LAST\nC z\n"
        "S 503 no\nS 250 ok\nS 250 ok\nS 250 ok\nS 250 ok\nE ended c=delivered",
    ),
    (
        "streamed, refused when all is sent",
        {},
        BDAT_STREAM + "S 250 ok\nS 250 ok\nS 250 ok\n> last y\nC BDAT 3 LAST\nC y\n"
        "S 452 no\nS 503 no\nE ended a=deferred b=deferred",
    ),
    (
        "streamed, nobody wants it",
        {},
        BDAT_STREAM + "S 250 ok\nS 550 no\nS 550 no\nE ended a=bounced b=bounced\n> wants-nothing\n"
        "S 503 no\n> begin me c\nC RSET\nC MAIL FROM:<me@example.org>\nC RCPT TO:<c@example.org>",
    ),
    (
        "streamed, and cut off",
        {},
        BDAT_STREAM + "S 250 ok\nS 250 ok\nS 250 ok\n> send y\nC BDAT 3\nC y\n> eof\n"
        f"E ended a=deferred b=deferred\nE refused BDAT site {EX_TEMPFAIL}\n> quit",
    ),
    (
        "streamed, wrong class",
        {},
        BDAT_STREAM + "S 250 ok\nS 250 ok\nS 250 ok\nS 354 go\n"
        f"E ended a=deferred b=deferred\nE refused BDAT site {EX_PROTOCOL}\n> quit",
    ),
    (
        "without pipelining",
        {},
        CHUNKING_ONLY + "> begin me a\n> wants-nothing\nC MAIL FROM:<me@example.org>\n"
        "S 250 ok\nC RCPT TO:<a@example.org>\nS 250 ok\n> send x\n> wants-nothing\nC BDAT 3\nC x\n"
        "S 250 ok\n> last y\nC BDAT 3 LAST\nC y\n> full\nS 250 ok\nE ended a=delivered",
    ),
    (
        "without pipelining, nobody",
        {},
        CHUNKING_ONLY + "> begin me a\nC MAIL FROM:<me@example.org>\nS 250 ok\n"
        "C RCPT TO:<a@example.org>\nS 550 no\nE ended a=bounced\n> wants-nothing",
    ),
)
def test_sends_a_mail_with_bdat(options, script, size):
    """The envelope and the first chunk go in one group; no dot is doubled (RFC 3030)."""
    play(options, script, size)


def test_early_reply_answers_no_chunk():
    """Half a reply that is there before a chunk is sent (N7) does not answer it."""
    player = play(
        {},
        CHUNKING_ONLY + "> begin me a\nC MAIL FROM:<me@example.org>\nS 250 ok\n"
        "C RCPT TO:<a@example.org>\nS 250 ok",
    )
    player.client.receive_data(b"250")
    player.play(f"> last x\nE ended a=deferred\nE refused content site {EX_PROTOCOL}\n> quit")


def test_chunks_run_ahead_of_their_replies_only_so_far():
    """A server that does not answer chunks is not sent all of a large mail."""
    player = play({}, BDAT_STREAM + "S 250 ok\nS 250 ok\nS 250 ok")
    count = 1
    while player.client.wants_content:
        player.client.send_content(b"x", is_last=False)
        player.client.take_output()
        count += 1
    assert count == 64


# -- LMTP --------------------------------------------------------------------------------------

LMTP = {"is_lmtp": True}
LMTP_GROUP = GROUP.replace("EHLO", "LHLO")
LMTP_BDAT = CHUNKING.replace("EHLO", "LHLO")


@scripts(
    (
        "each its own",
        LMTP,
        LMTP_GROUP + ACCEPTED + SENT + "S 250 ok\nS 552 full\nE ended a=delivered b=bounced",
    ),
    (
        "one at a time",
        LMTP,
        LMTP_GROUP + ACCEPTED + SENT + "S 452 full\n> awaits content\nS 250 ok\n"
        "E ended a=deferred b=delivered",
    ),
    (
        "only the accepted",
        LMTP,
        LMTP_GROUP
        + "S 250 ok\nS 550 no\nS 250 ok\nS 354 go\n"
        + SENT
        + "S 250 ok\nE ended a=bounced b=delivered\n> quit\nC QUIT",
    ),
    (
        "cut off between two",
        LMTP,
        LMTP_GROUP + ACCEPTED + SENT + "S 250 ok\n> eof\nE ended a=delivered b=deferred?\n"
        f"E refused content site {EX_TEMPFAIL}",
    ),
    (
        "farewell between two",
        LMTP,
        LMTP_GROUP
        + ACCEPTED
        + SENT
        + "S 250 ok\nS 421 bye\nE ended a=delivered b=deferred\n"
        + f"E refused content site {EX_TEMPFAIL}",
    ),
    (
        "farewell before both",
        LMTP,
        LMTP_GROUP
        + ACCEPTED
        + SENT
        + "S 421 bye\nE ended a=deferred b=deferred?\n"
        + f"E refused content site {EX_TEMPFAIL}",
    ),
    (
        "wrong class",
        LMTP,
        LMTP_GROUP + ACCEPTED + SENT + "S 250 ok\nS 354 go\nE ended a=delivered b=deferred?\n"
        f"E refused content site {EX_PROTOCOL}",
    ),
    (
        "one too many",
        LMTP,
        LMTP_GROUP + ACCEPTED + SENT + "S 250 ok\nS 250 ok\nS 250 ok\n"
        "E ended a=delivered b=delivered\n" + BROKEN,
    ),
    (
        "nobody, and yet 354",
        LMTP,
        LMTP_GROUP + "S 250 ok\nS 550 no\nS 550 no\nS 354 go\nC .\nS 503 no\n"
        "E ended a=bounced b=bounced",
    ),
    (
        "pipelined",
        LMTP,
        LMTP_BDAT
        + "> begin me a b\n> last x\n> begin me c\n> last y\n"
        + BDAT_ENVELOPE
        + "C BDAT 3 LAST\nC x\nC RSET\nC MAIL FROM:<me@example.org>\nC RCPT TO:<c@example.org>\n"
        "C BDAT 3 LAST\nC y\nS 250 ok\nS 250 ok\nS 250 ok\nS 250 ok\nS 550 no\n"
        "E ended a=delivered b=bounced\nS 250 ok\nS 250 ok\nS 250 ok\nS 250 ok\n"
        "E ended c=delivered",
    ),
)
def test_lmtp_replies_for_each_recipient(options, script, size):
    """RFC 2033 4.2: as many replies behind the content as recipients were accepted."""
    play(options, script, size)


# -- pipelining across transactions ------------------------------------------------------------

FIRST = (
    PIPELINING + "> begin me a\nC MAIL FROM:<me@example.org>\nC RCPT TO:<a@example.org>\nC DATA\n"
)
NEXT = "C MAIL FROM:<me@example.org>\nC RCPT TO:<b@example.org>\nC DATA\n"
BOTH = FIRST + "S 250 ok\nS 250 ok\nS 354 go\n> last x\n> begin me b\n> full\nC x\nC .\n" + NEXT
BDAT_TWO = (
    CHUNKING + "> begin me a\n> last x\n> begin me b\n> last y\n"
    "C MAIL FROM:<me@example.org>\nC RCPT TO:<a@example.org>\nC BDAT 3 LAST\nC x\n"
    "C RSET\nC MAIL FROM:<me@example.org>\nC RCPT TO:<b@example.org>\nC BDAT 3 LAST\nC y\n"
)


@scripts(
    (
        "both taken",
        {},
        BOTH + "S 250 ok\nE ended a=delivered\nS 250 ok\nS 250 ok\nS 354 go\n> last y\nC y\nC .\n"
        "> quit\n> state QUITTING",
    ),
    (
        "first content refused",
        {},
        BOTH + "S 554 no\nS 250 ok\nS 250 ok\nS 354 go\nE ended a=bounced\n> last y\nC y\nC .\n"
        "S 250 ok\nE ended b=delivered",
    ),
    (
        "second refused",
        {},
        BOTH + "S 250 ok\nS 550 no\nS 503 no\nS 503 no\nE ended a=delivered\nE ended b=bounced",
    ),
    (
        "cut off",
        {},
        BOTH + "> eof\nE ended a=deferred?\nE ended b=deferred\n"
        f"E refused content site {EX_TEMPFAIL}",
    ),
    (
        "first taken, then cut off",
        {},
        BOTH + "S 250 ok\nS 250 ok\n> eof\nE ended a=delivered\nE ended b=deferred\n"
        f"E refused RCPT site {EX_TEMPFAIL}",
    ),
    (
        "bdat window",
        {},
        BDAT_TWO + "S 250 ok\nS 250 ok\nS 250 ok\nE ended a=delivered\nS 250 ok\nS 250 ok\n"
        "S 250 ok\nS 250 ok\nE ended b=delivered",
    ),
    (
        "bdat window, first refused",
        {},
        BDAT_TWO + "S 250 ok\nS 250 ok\nS 552 no\nE ended a=bounced\nS 250 ok\nS 250 ok\n"
        "S 250 ok\nS 250 ok\nE ended b=delivered",
    ),
    (
        "bdat window, desync",
        {},
        BDAT_TWO + "S 250 ok\nS 250 ok\nS 250 ok\nS 250 ok\nS 354 go\nE ended a=delivered\n"
        f"E ended b=deferred?\nE refused MAIL site {EX_PROTOCOL}",
    ),
    (
        "bdat window, farewell for the first content",
        {},
        BDAT_TWO + "S 250 ok\nS 250 ok\nS 421 bye\nE ended a=deferred\nE ended b=deferred?\n"
        f"E refused content site {EX_TEMPFAIL}",
    ),
    (
        "bdat window, farewell before it",
        {},
        BDAT_TWO + "S 250 ok\nS 421 bye\nE ended a=deferred?\nE ended b=deferred?\n"
        f"E refused RCPT site {EX_TEMPFAIL}",
    ),
    (
        "bdat window, cut off",
        {},
        BDAT_TWO + "S 250 ok\nS 250 ok\nS+ 25\n> eof\nE ended a=deferred?\nE ended b=deferred?\n"
        f"E refused content site {EX_TEMPFAIL}",
    ),
)
def test_next_transaction_goes_behind_the_end_of_the_last(options, script, size):
    """The end of a content and the next envelope are one group; replies keep their order."""
    play(options, script, size)


def test_quit_is_never_sent_behind_an_unanswered_content():
    """A QUIT behind the dot (N7: Postfix's garbage case) could cost the mail."""
    for script in (GROUP + ACCEPTED + SENT, BDAT_GROUP, BDAT_TWO, GROUP):
        player = play({}, script + "> quit")
        assert b"QUIT" not in player.said


def test_without_pipelining_nothing_overlaps():
    """One transaction after the other, one command after the other."""
    play(
        {},
        STEPS + "S 250 ok\nC DATA\nS 354 go\n> full\n> last x\n> full\nC x\nC .\n"
        "S 250 ok\nE ended a=delivered b=delivered\n> begin me c\nC MAIL FROM:<me@example.org>",
    )


def test_bdat_window_is_bounded():
    """At most 64 mails and 200 replies are on their way at once, and 256 KiB wait to be sent."""
    player = play({}, CHUNKING)
    client = player.client
    count = 0
    while client.can_begin:
        client.begin(Transaction(Envelope(address("me"), (address("a"),))))
        count += 1
        if client.wants_content:
            client.send_content(b"x\r\n", is_last=True)
        assert len(client._awaited) <= 200
    assert 40 <= count <= 64
    large = play({}, CHUNKING).client
    while large.can_begin:
        large.begin(Transaction(Envelope(address("me"), (address("a"),))))
        large.send_content(b"x" * 100_000 + b"\r\n", is_last=True)
    assert len(large.take_output()) < (1 << 18) + 101_000


@pytest.mark.parametrize("hello", [PIPELINING, CHUNKING, READY])
def test_thousand_recipients_go_in_bounded_groups(hello):
    """The replies that are awaited at once fit into any socket buffer, and nobody is lost."""
    player = play({}, hello)
    client = player.client
    paths = tuple(parse_mailbox(f"r{number}@example.org") for number in range(1000))
    client.begin(Transaction(Envelope(address("me"), paths)))
    limit = 1 if hello == READY else 200
    said, answered = [], 0
    while (output := client.take_output()) or answered < len(said):
        said += output.split(b"\r\n")[:-1]
        if b"DATA" in output or not client.awaited or client.wants_content:
            break
        assert len(said) - answered <= limit
        client.receive_data(b"250 ok\r\n" if limit == 1 else b"250 ok\r\n" * 7)
        answered += 1 if limit == 1 else 7
    recipients = [line for line in said if line.startswith(b"RCPT")]
    assert recipients == [b"RCPT TO:<%s>" % str(path).encode() for path in paths]


def test_refused_mail_command_spares_the_rest_of_a_long_envelope():
    """Behind a refused MAIL no RCPT that has not left yet is sent."""
    client = play({}, PIPELINING).client
    paths = tuple(parse_mailbox(f"r{number}@example.org") for number in range(1000))
    client.begin(Transaction(Envelope(address("me"), paths)))
    sent = client.take_output().count(b"\r\n")
    client.receive_data(b"550 no\r\n" + b"503 no\r\n" * (sent - 1))
    assert client.take_output() == b""
    assert client.next_event().transaction.statuses[999].action == "bounced"
    assert client.is_idle


def test_end_of_a_session_drops_what_was_not_sent_yet():
    """Nothing of a long envelope is left to be said when the connection is gone."""
    client = play({}, PIPELINING).client
    paths = tuple(parse_mailbox(f"r{number}@example.org") for number in range(1000))
    client.begin(Transaction(Envelope(address("me"), paths)))
    client.receive_data(b"")
    assert client.take_output() == b""
    assert client.is_idle
    assert len(client.next_event().transaction.statuses) == 1000


# -- ETRN, and the contract with the driver ----------------------------------------------------


@scripts(
    ("taken", {}, READY + "> etrn x.org\nC ETRN x.org\n> awaits ETRN\nS 250 ok\nE answered 250"),
    ("refused", {}, READY + "> etrn @x\nC ETRN @x\nS 458 no\nE answered 458\n> quit\nC QUIT"),
    ("cut off", {}, READY + f"> etrn x\nC ETRN x\n> eof\nE refused ETRN site {EX_TEMPFAIL}"),
)
def test_asks_for_the_queue(options, script, size):
    """ETRN (RFC 1985) and its answer."""
    play(options, script, size)


def test_misuse_by_the_driver_is_an_error():
    """What the contract forbids raises, and changes nothing."""
    player = play({}, "> awaits greeting")
    client = player.client
    transaction = Transaction(Envelope(address("me"), (address("a"),)))
    for misuse in (
        lambda: client.begin(transaction),
        lambda: client.etrn("x"),
        lambda: client.send_content(b"", is_last=True),
        lambda: client.tls_started({}),
    ):
        with pytest.raises(LocalProtocolError):
            misuse()
    player.play(GROUP)
    for misuse in (
        lambda: client.begin(transaction),
        lambda: client.etrn("x"),
        lambda: client.send_content(b"", is_last=True),
    ):
        with pytest.raises(LocalProtocolError):
            misuse()
    player.play(ACCEPTED + SENT + "S 250 ok\nE ended a=delivered b=delivered")


def test_silence_is_expected_exactly_when_nothing_was_written():
    """The driver asks this before it writes: what is readable then came too early (N7)."""
    client = Client(SessionOptions())
    assert not client.expects_silence
    client.receive_data(b"220 x\r\n")
    assert client.expects_silence
    client.take_output()
    assert not client.expects_silence
    client.receive_data(b"250 x\r\n")
    assert client.expects_silence


def test_patience_follows_the_stage():
    """Ten minutes for the answer to a content, two for DATA's (RFC 5321 4.5.3.2)."""
    player = play({}, "> awaits greeting")
    assert player.client.patience_s == 300
    player.play(STEPS + "S 250 ok\nC DATA")
    assert player.client.patience_s == 120
    player.play("S 354 go\n" + SENT)
    assert player.client.patience_s == 600


def test_replies_taken_are_counted():
    """The driver sees progress by it, whatever came of the replies."""
    player = play({}, GROUP)
    assert player.client.replies_taken == 2
    player.play(ACCEPTED)
    assert player.client.replies_taken == 6


def test_unfinished_last_line_is_ended():
    """Even content that breaks the contract cannot hide the final dot."""
    client = play({}, GROUP + ACCEPTED).client
    client.send_content(b"no line end", is_last=True)
    assert client.take_output() == b"no line end\r\n.\r\n"
    client.receive_data(b"250 ok\r\n")
    client.begin(Transaction(Envelope(None, (address("a"),))))
    client.take_output()
    client.receive_data(b"250 ok\r\n250 ok\r\n354 go\r\n")
    client.send_content(b".\r\n", is_last=True)
    assert client.take_output() == b"..\r\n.\r\n"


def test_forward_path_that_nothing_was_said_of_is_deferred():
    """The net below all rules: no mail ends without a status for everybody."""
    client = play({}, READY).client
    transaction = Transaction(Envelope(None, (address("a"),)))
    client._transactions.append(transaction)
    client._end_transaction(transaction)
    (status,) = client.next_event().transaction.statuses
    assert (status.action, status.trouble.exit_code) == ("deferred", EX_PROTOCOL)


def test_transaction_to_nobody_ends_at_once():
    """There is nothing to ask the server."""
    player = play({}, READY)
    player.client.begin(Transaction(Envelope(address("me"), ())))
    player.play("E ended\n> quit\nC QUIT")


def test_greeting_and_offer_can_be_looked_at():
    """What the server said of itself is kept for doctors and logs."""
    client = play(
        {}, "S 220 mail.example.org ESMTP\nC EHLO localhost\nS 250-x\nS 250 DSN\nE ready"
    ).client
    assert client.greeting.lines == (b"mail.example.org ESMTP",)
    assert "DSN" in client.capabilities
