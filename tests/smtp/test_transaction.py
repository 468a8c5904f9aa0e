"""What replies mean for each forward-path of one mail."""

from __future__ import annotations

import pytest

from pillarbox.errors import (
    EX_DATAERR,
    EX_NOUSER,
    EX_TEMPFAIL,
    EX_UNAVAILABLE,
    DataError,
    MissingExtraError,
    RemoteProtocolError,
)
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.reply import Reply
from pillarbox.mail.status import BOUNCED, DEFERRED, DELIVERED, Trouble
from pillarbox.smtp.capabilities import Capabilities
from pillarbox.smtp.transaction import Transaction

A, B, C = (parse_mailbox(f"{name}@example.org") for name in "abc")
UTF8 = parse_mailbox("ü@example.org")
ME = parse_mailbox("me@example.org")
OK = Reply(250, (b"ok",))
EVERYTHING = Capabilities({"SMTPUTF8": "", "DSN": ""})
NOTHING = Capabilities({})


def reply(code):
    """Return a reply of that code."""
    return Reply(code, (b"x",))


def transaction(*paths, sender=ME, **arguments):
    """Return a transaction to these forward-paths."""
    return Transaction(Envelope(sender, paths or (A, B)), **arguments)


def actions(found):
    """Return the actions of a transaction's statuses."""
    return [status.action for status in found.statuses]


# -- the envelope ------------------------------------------------------------------------------

REFUSALS = [
    # code, action, exit code for MAIL, for RCPT, for the rest
    (450, DEFERRED, EX_TEMPFAIL, EX_TEMPFAIL, EX_TEMPFAIL),
    (440, DEFERRED, EX_TEMPFAIL, EX_TEMPFAIL, EX_TEMPFAIL),
    (550, BOUNCED, EX_DATAERR, EX_NOUSER, EX_DATAERR),
    (552, BOUNCED, EX_DATAERR, EX_NOUSER, EX_DATAERR),
    (503, DEFERRED, EX_TEMPFAIL, EX_TEMPFAIL, EX_TEMPFAIL),
]


@pytest.mark.parametrize(("code", "action", "mail", "rcpt", "rest"), REFUSALS)
def test_class_of_a_refusal_decides_and_503_never_bounces(code, action, mail, rcpt, rest):
    """4yz defers, 5yz bounces; 503 says nothing of the mail, only that we are out of step."""
    refused = transaction()
    refused.on_mail(reply(code), None)
    assert actions(refused) == [action, action]
    trouble = refused.statuses[0].trouble
    assert (trouble.stage, trouble.scope, trouble.exit_code) == ("MAIL", "account", mail)
    assert trouble.reply == reply(code)
    assert "me@example.org" in trouble.problem

    partly = transaction()
    partly.on_mail(OK, None)
    partly.on_rcpt(reply(code), 1)
    assert partly.open_paths == [0]
    assert actions(partly) == [action]
    trouble = partly.statuses[0].trouble
    assert (trouble.stage, trouble.scope, trouble.exit_code) == ("RCPT", "recipient", rcpt)
    assert "b@example.org" in trouble.problem

    for take in ("on_data", "on_chunk", "on_content"):
        late = transaction()
        for index in (0, 1):
            late.on_rcpt(OK, index)
        getattr(late, take)(reply(code), None)
        assert actions(late) == [action, action]
        assert late.statuses[0].trouble.scope == "message"
        assert late.statuses[0].trouble.exit_code == rest
        assert not late.statuses[0].is_in_doubt


def test_null_reverse_path_is_named_as_such():
    """A refused bounce says ``<>``."""
    refused = transaction(sender=None)
    refused.on_mail(reply(550), None)
    assert "<>" in refused.statuses[0].trouble.problem


def test_replies_to_rcpt_mean_nothing_behind_a_refused_mail():
    """What the server says to the rest of a group is what MAIL's refusal made it say."""
    refused = transaction()
    refused.on_mail(reply(450), None)
    for index, code in enumerate((503, 250)):
        refused.on_rcpt(reply(code), index)
    refused.on_data(reply(503), None)
    assert actions(refused) == [DEFERRED, DEFERRED]
    assert {status.trouble.stage for status in refused.statuses} == {"MAIL"}
    assert not refused.has_accepted


def test_first_failure_decides_and_nothing_mends_it():
    """A refused recipient is not delivered to by a later 250."""
    found = transaction()
    found.on_mail(OK, None)
    found.on_rcpt(reply(550), 0)
    found.on_rcpt(reply(251), 1)
    found.on_data(reply(354), None)
    assert found.may_send_content
    found.on_content(OK, None)
    assert actions(found) == [BOUNCED, DELIVERED]
    found.on_content(reply(550), None)
    assert actions(found) == [BOUNCED, DELIVERED]
    chunk = transaction(A)
    chunk.on_rcpt(OK, 0)
    chunk.on_chunk(reply(452), None)
    chunk.on_content(OK, None)
    assert actions(chunk) == [DEFERRED]
    assert chunk.content_trouble.stage == "BDAT"


def test_statuses_stand_in_the_order_of_the_envelope():
    """However the replies come, and with the same recipient twice."""
    found = transaction(A, B, A)
    for index in (0, 2):
        found.on_rcpt(OK, index)
    found.on_rcpt(reply(550), 1)
    found.on_content(OK, None)
    assert [status.forward_path for status in found.statuses] == [A, B, A]
    assert actions(found) == [DELIVERED, BOUNCED, DELIVERED]
    assert found.open_paths == []


# -- wrong classes of replies ------------------------------------------------------------------


@pytest.mark.parametrize("code", [300, 334, 354])
@pytest.mark.parametrize("take", ["on_mail", "on_rcpt", "on_chunk", "on_content", "on_delivery"])
def test_intermediate_reply_where_none_belongs_is_a_violation(take, code):
    """354 to MAIL, or after the dot (N7), means that somebody counts differently."""
    found = transaction()
    found.on_rcpt(OK, 0)
    with pytest.raises(RemoteProtocolError, match=str(code)):
        getattr(found, take)(reply(code), 0)


@pytest.mark.parametrize("code", [200, 250, 300, 334, 353, 355])
def test_only_354_asks_for_the_content(code):
    """250 to DATA (N7) is no leave to send, and no success."""
    found = transaction()
    with pytest.raises(RemoteProtocolError, match="DATA"):
        found.on_data(reply(code), None)
    assert not found.may_send_content


# -- LMTP --------------------------------------------------------------------------------------


def test_lmtp_gives_each_accepted_recipient_its_own_reply():
    """RFC 2033 4.2: one reply for each RCPT that was accepted, in that order."""
    found = transaction(A, B, C)
    found.on_rcpt(OK, 0)
    found.on_rcpt(reply(550), 1)
    found.on_rcpt(OK, 2)
    assert found.final_replies == 2
    found.on_delivery(reply(452), 0)
    found.on_delivery(reply(250), 1)
    assert actions(found) == [DEFERRED, BOUNCED, DELIVERED]
    assert "a@example.org" in found.statuses[0].trouble.problem
    assert found.statuses[0].trouble.scope == "recipient"
    assert found.statuses[2].reply == reply(250)


def test_lmtp_reply_for_nobody_changes_nothing():
    """One reply comes even when nobody was accepted."""
    found = transaction(A)
    found.on_rcpt(reply(550), 0)
    assert found.final_replies == 1
    found.on_delivery(reply(250), 0)
    assert actions(found) == [BOUNCED]


# -- given up before or instead of replies -----------------------------------------------------


def test_size_limit_bounces_before_a_word_is_sent():
    """A mail over the limit that EHLO names is refused by us (RFC 1870 6.1)."""
    found = transaction(size_bytes=1001)
    found.check(Capabilities({"SIZE": "1000"}))
    assert actions(found) == [BOUNCED, BOUNCED]
    trouble = found.statuses[0].trouble
    assert (trouble.stage, trouble.exit_code, trouble.reply) == ("MAIL", EX_DATAERR, None)
    assert "1001" in trouble.problem
    assert "1000" in trouble.problem


@pytest.mark.parametrize(
    ("size_bytes", "offer"), [(1000, "1000"), (None, "1000"), (9999, ""), (9999, "0")]
)
def test_size_that_fits_or_is_unknown_is_sent(size_bytes, offer):
    """Neither an unknown size nor an unknown limit is a reason."""
    found = transaction(size_bytes=size_bytes)
    found.check(Capabilities({"SIZE": offer}))
    assert found.open_paths == [0, 1]


def test_address_without_ascii_form_bounces_alone():
    """Without SMTPUTF8 that recipient is given up, and the others are not."""
    found = transaction(A, UTF8, B)
    found.check(NOTHING)
    assert found.open_paths == [0, 2]
    assert actions(found) == [BOUNCED]
    assert "ü@example.org" in found.statuses[0].trouble.problem
    offered = transaction(A, UTF8, B)
    offered.check(EVERYTHING)
    assert offered.open_paths == [0, 1, 2]


def test_sender_without_ascii_form_bounces_all():
    """Nobody can be told a reverse-path that cannot be said."""
    found = transaction(A, B, sender=UTF8)
    found.check(NOTHING)
    assert actions(found) == [BOUNCED, BOUNCED]
    assert "ü@example.org" in found.statuses[0].trouble.problem


def test_dsn_wishes_that_cannot_be_passed_on_are_warned_of():
    """The mail goes, and the user learns that no report will come."""
    envelope = Envelope(ME, (A,), ret="HDRS")
    without, with_it = Transaction(envelope), Transaction(envelope)
    without.check(NOTHING)
    with_it.check(EVERYTHING)
    assert len(without.warnings) == 1
    assert with_it.warnings == []
    assert without.open_paths == [0]


def test_failure_is_in_doubt_exactly_when_the_content_was_complete():
    """Only a mail that was handed out whole may have arrived (N8, RFC 1047)."""
    trouble = Trouble(scope="site", stage="content", problem="x", exit_code=EX_TEMPFAIL)
    for is_complete in (False, True):
        found = transaction(A, B, C)
        found.on_rcpt(reply(550), 1)
        found.is_complete = is_complete
        found.fail(trouble)
        assert actions(found) == [DEFERRED, BOUNCED, DEFERRED]
        assert [status.is_in_doubt for status in found.statuses] == [
            is_complete,
            False,
            is_complete,
        ]


def test_failure_for_ever_bounces_who_is_left():
    """What no server can be told is bounced."""
    trouble = Trouble(scope="message", stage="MAIL", problem="x", exit_code=EX_DATAERR)
    found = transaction(A, B)
    found.on_rcpt(reply(450), 1)
    found.fail(trouble, is_for_ever=True)
    assert actions(found) == [BOUNCED, DEFERRED]


def test_one_recipient_that_cannot_be_said_fails_alone():
    """A bad domain is for ever; a missing package is not the recipient's fault."""
    found = transaction(A, B)
    found.fail_one(0, DataError("a is not a valid domain"))
    found.fail_one(1, MissingExtraError("the domain b", "idn"))
    assert actions(found) == [BOUNCED, DEFERRED]
    assert found.statuses[0].trouble.exit_code == EX_DATAERR
    assert found.statuses[1].trouble.exit_code == EX_UNAVAILABLE
