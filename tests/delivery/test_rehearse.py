"""A rehearsal over a connection: nothing is sent, one round trip, and mail goes behind it."""

from __future__ import annotations

import pytest

from patients import patient_of
from peer import Peer, Puppet
from pillarbox.delivery.attempt import Connection, Mail
from pillarbox.delivery.route import Route
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Content
from pillarbox.mail.status import DELIVERED

ME, YOU = parse_mailbox("me@example.org"), parse_mailbox("you@example.org")
TEXT = b"Subject: t\r\n\r\nx\r\n"


def connect(folder, **options):
    """Return an open connection."""
    options.setdefault("lines", "auth off\ntls off\n")
    connection = Connection(Route(patient_of(folder, **options).account, None))
    assert connection.open() is None, connection.trouble
    return connection


def deliver(connection):
    """Send a mail; return what became of it."""
    mail = Mail(Envelope(ME, (YOU,)), Content(TEXT, size_bytes=len(TEXT), is_8bit=False))
    (ended,) = connection.deliver(iter([mail]))
    return ended.statuses[0].action


def codes(rehearsal):
    """Return the codes of the replies."""
    replies = (rehearsal.mail, rehearsal.rcpt, rehearsal.rset)
    return tuple(reply and reply.code for reply in replies)


@pytest.mark.parametrize("is_lmtp", [False, True])
def test_a_mail_goes_before_between_and_behind_rehearsals(tmp_path, is_lmtp):
    """A stranger's server finds no fault with the order of the commands."""
    protocol = "protocol lmtp\n" if is_lmtp else ""
    with Peer(is_lmtp=is_lmtp, size_limit=1000) as peer:
        peer.refused["nobody@example.org"] = "550 5.1.1 no such user"
        connection = connect(tmp_path, port=peer.port, lines=f"{protocol}auth off\ntls off\n")
        assert deliver(connection) == DELIVERED
        assert codes(connection.rehearse(ME, YOU)) == (250, 250, 250)
        assert codes(connection.rehearse(None, YOU)) == (250, 250, 250)
        assert deliver(connection) == DELIVERED
        nobody = parse_mailbox("nobody@example.org")
        assert codes(connection.rehearse(ME, nobody)) == (250, 550, 250)
        assert codes(connection.rehearse(ME, YOU, 1001)) == (552, None, 250)
        assert deliver(connection) == DELIVERED
        connection.close()
        assert [mail.recipients for mail in peer.received] == [["you@example.org"]] * 3


@pytest.mark.parametrize(
    ("extensions", "reads"), [("", 3), ("250-PIPELINING\r\n", 1), ("250-CHUNKING\r\n", 3)]
)
def test_takes_one_round_trip_where_the_server_lets_it(tmp_path, extensions, reads):
    """All three commands are written at once, then the replies are awaited."""
    with Puppet({"EHLO": f"250-puppet\r\n{extensions}250 8BITMIME"}) as puppet:
        connection = connect(tmp_path, port=puppet.port)
        writes = []
        write = connection.stream.write
        connection.stream.write = lambda data, deadline: (
            writes.append(data),
            write(data, deadline),
        )
        assert connection.rehearse(ME, YOU).is_taken
        connection.close()
    lines = b"MAIL FROM:<me@example.org>\r\nRCPT TO:<you@example.org>\r\nRSET\r\n"
    assert b"".join(writes[:-1]) == lines
    assert len(writes) - 1 == reads


@pytest.mark.parametrize("reply", ["", "421 4.3.2 bye"])
def test_says_why_the_connection_ended(tmp_path, reply):
    """What was answered before is known; afterwards nothing more is asked."""
    with Puppet({"RCPT": reply}) as puppet:
        connection = connect(tmp_path, port=puppet.port)
        assert codes(connection.rehearse(ME, YOU)) == (250, None, None)
        assert connection.trouble.stage == "RCPT"
        assert codes(connection.rehearse(ME, YOU)) == (None, None, None)
        connection.close()
    assert puppet.commands[1:] == ["MAIL FROM:<me@example.org>", "RCPT TO:<you@example.org>"]


def test_asks_nothing_before_it_is_open(tmp_path):
    """There is nobody to ask."""
    connection = Connection(Route(patient_of(tmp_path, port=9).account, None))
    assert codes(connection.rehearse(ME, YOU)) == (None, None, None)
    assert connection.trouble is None


def test_a_connection_that_was_refused_is_not_asked(tmp_path):
    """Its trouble stays what it was."""
    with Puppet({"AUTH": "535 no"}) as puppet:
        patient = patient_of(tmp_path, port=puppet.port)
        connection = Connection(Route(patient.account, patient.secret))
        trouble = connection.open()
        assert codes(connection.rehearse(ME, YOU)) == (None, None, None)
        assert connection.trouble is trouble
        connection.close()
    assert not any(line.startswith("MAIL") for line in puppet.commands)
