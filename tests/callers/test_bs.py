"""A program that speaks SMTP to ``sendmail -bs``, as Symfony's mailer does."""

import subprocess

import pytest

from callers.arrived import added_fields, crlf

MAIL = (
    "From: Web <web@example.org>\n"
    "To: to@example.org\n"
    "Subject: Order\n"
    "Date: Tue, 24 Nov 2026 08:00:00 +0000\n"
    "Message-ID: <{number}@example.org>\n"
    "\n"
    "h\u00e4llo\n.\n..two\nFrom us\n"
)


def test_two_mails_of_one_session_arrive(client, stage):
    """Each mail of a session has its own envelope and its own octets."""
    written = [MAIL.format(number=number).encode() for number in range(2)]
    assert client.send("bounce@example.org", ["to@example.org", "root"], written[0])[:3] == "250"
    assert client.say("NOOP")[:3] == "250"
    assert client.send("other@example.org", ["c@example.org"], written[1])[:3] == "250"
    assert client.end() == (0, b"")
    first, second = stage.peer.received
    assert (first.sender, second.sender) == ("bounce@example.org", "other@example.org")
    assert first.recipients == ["to@example.org", "admin@example.net"]
    assert second.recipients == ["c@example.org"]
    assert added_fields(first, written[0]) == added_fields(second, written[1]) == []


def test_refusal_of_the_relay_is_the_reply_to_the_mail(client, stage):
    """The client learns of it by code and text, and the session goes on."""
    stage.peer.refused["to@example.org"] = "550 5.1.1 nobody here"
    written = MAIL.format(number=1).encode()
    reply = client.send("me@example.org", ["to@example.org"], written)
    assert reply[:1] == "5"
    assert "550 5.1.1 nobody here" in reply
    assert client.say("RSET")[:3] == "250"
    assert client.send("me@example.org", ["c@example.org"], written)[:3] == "250"
    code, said = client.end()
    assert code == 0
    assert b"sendmail: server message: 550 5.1.1 nobody here\n" in said
    (mail,) = stage.peer.received
    assert mail.recipients == ["c@example.org"]


def test_client_that_goes_away_in_a_mail_sends_nothing(client, stage):
    """Half a mail is no mail (attack: a crash of the caller that sends a torso)."""
    for command in ("MAIL FROM:<me@example.org>", "RCPT TO:<to@example.org>", "DATA"):
        client.say(command)
    client.write(b"Subject: half\r\n\r\nThe other half is")
    client.end(quits=False)
    assert stage.peer.received == []


@pytest.fixture
def client(stage):
    """Return a session that has said hello."""
    session = _Client(stage)
    yield session
    session.process.kill()
    session.process.communicate()


class _Client:
    def __init__(self, stage):
        self.process = subprocess.Popen(
            [stage.sendmail, "-bs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=stage.home,
            env=stage.environment,
        )
        assert self._reply()[:3] == "220"
        assert self.say("EHLO [127.0.0.1]")[:3] == "250"

    def send(self, sender, recipients, text):
        """Send a mail; return the reply to its content."""
        assert self.say(f"MAIL FROM:<{sender}>")[:3] == "250"
        for recipient in recipients:
            assert self.say(f"RCPT TO:<{recipient}>")[:3] == "250"
        assert self.say("DATA")[:3] == "354"
        self.write(crlf(text).replace(b"\r\n.", b"\r\n..") + b".\r\n")
        return self._reply()

    def say(self, command):
        """Return the last line of the reply to a command."""
        self.write(command.encode() + b"\r\n")
        return self._reply()

    def write(self, octets):
        """Write without waiting for a reply."""
        self.process.stdin.write(octets)
        self.process.stdin.flush()

    def end(self, *, quits=True):
        """End the session; return exit code and standard error."""
        if quits:
            assert self.say("QUIT")[:3] == "221"
        out, said = self.process.communicate(timeout=30)
        assert not (quits and out)
        return self.process.returncode, said

    def _reply(self):
        for line in self.process.stdout:
            if line[3:4] != b"-":
                return line.decode()
        return ""
