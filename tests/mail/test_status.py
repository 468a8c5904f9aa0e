"""The three ends of a forward-path, and the envelope that they answer."""

from __future__ import annotations

import pytest

from pillarbox.errors import EX_TEMPFAIL
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.reply import Reply
from pillarbox.mail.status import (
    BOUNCED,
    DEFERRED,
    DELIVERED,
    Trouble,
    bounced,
    deferred,
    delivered,
)

PATH = parse_mailbox("joe@example.org")
REPLY = Reply(451, (b"later",))


def trouble(reply=REPLY):
    """Return some trouble."""
    return Trouble(
        scope="recipient", stage="RCPT", problem="no", exit_code=EX_TEMPFAIL, reply=reply
    )


def test_delivered_carries_the_reply_and_no_trouble():
    """The reply that took responsibility is the proof."""
    status = delivered(PATH, Reply(250, (b"ok",)))
    assert (status.action, status.forward_path) == (DELIVERED, PATH)
    assert status.reply == Reply(250, (b"ok",))
    assert status.trouble is None
    assert not status.is_in_doubt


def test_deferred_carries_the_trouble_and_its_reply():
    """Deferred says why, and whether the mail may have arrived all the same."""
    status = deferred(PATH, trouble())
    assert (status.action, status.reply, status.is_in_doubt) == (DEFERRED, REPLY, False)
    assert status.trouble == trouble()
    assert deferred(PATH, trouble(None), is_in_doubt=True).is_in_doubt
    assert deferred(PATH, trouble(None)).reply is None


def test_bounced_is_never_in_doubt():
    """Who is given up was refused in so many words."""
    status = bounced(PATH, trouble())
    assert (status.action, status.reply, status.is_in_doubt) == (BOUNCED, REPLY, False)


def test_statuses_are_values():
    """Equal facts are equal statuses."""
    assert deferred(PATH, trouble()) == deferred(PATH, trouble())
    assert deferred(PATH, trouble()) != bounced(PATH, trouble())
    assert deferred(PATH, trouble()) != deferred(PATH, trouble(), is_in_doubt=True)


@pytest.mark.parametrize(
    ("sender", "recipients", "needs_it"),
    [
        (None, ("joe@example.org",), False),
        ("me@example.org", ("joe@example.org", "ann@bücher.example"), False),
        ("mé@example.org", ("joe@example.org",), True),
        (None, ("joe@example.org", "用户@example.org"), True),
        (None, (), False),
    ],
)
def test_envelope_needs_smtputf8_for_local_parts_only(sender, recipients, needs_it):
    """A domain always has an ASCII form, a local-part never (RFC 6531)."""
    envelope = Envelope(
        parse_mailbox(sender) if sender else None, tuple(map(parse_mailbox, recipients))
    )
    assert envelope.needs_smtputf8 is needs_it


@pytest.mark.parametrize(
    ("wishes", "wants_it"),
    [({}, False), ({"ret": "HDRS"}, True), ({"envid": "x"}, True), ({"notify": "NEVER"}, True)],
)
def test_envelope_wants_dsn_for_any_wish(wishes, wants_it):
    """Each wish about reports needs the extension."""
    assert Envelope(None, (PATH,), **wishes).wants_dsn is wants_it
