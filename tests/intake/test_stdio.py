"""``sendmail -bs`` beside a service: the one rule says which way its mails go."""

from __future__ import annotations

import pytest

from door import Door
from peer import Peer
from programs import run_program
from served import accounts_for

SESSION = (
    "EHLO x\nMAIL FROM:<{sender}> RET=HDRS ENVID=e1\nRCPT TO:<you@example.com> NOTIFY=NEVER\n"
    "RCPT TO:<b@example.com> NOTIFY=NEVER\nDATA\nSubject: x\n\n..hello\n.\nQUIT\n"
)


def session(door, *arguments, sender="me@example.org", env=None):
    """Hold a session, and return the codes of its replies and what was said besides."""
    env = {"PILLARBOX_SOCKET": door.path} | (env or {})
    stdin = SESSION.format(sender=sender).encode()
    done = run_program("sendmail", ["-bs", *arguments], stdin, env)
    assert done.exit_code == 0
    codes = [line[:3] for line in done.out.splitlines() if line[3:4] == " "]
    return codes, done


def test_a_mail_is_handed_over_where_there_is_a_service():
    """It reads no configuration, and 250 is the service's."""
    with Door() as door:
        codes, done = session(door)
        entry, content = door.only()
    assert codes == ["220", "250", "250", "250", "250", "354", "250", "221"]
    assert done.err == ""
    envelope = entry.head.envelope
    assert str(envelope.reverse_path) == "me@example.org"
    assert [str(path) for path in envelope.forward_paths] == ["you@example.com", "b@example.com"]
    assert (envelope.ret, envelope.envid, envelope.notify) == ("HDRS", "e1", "NEVER")
    assert content == b"Subject: x\r\n\r\n.hello\r\n"
    assert entry.head.origin.door == "socket"


@pytest.mark.parametrize(
    ("arguments", "sender", "expected"),
    [(["-f", "forced@example.org"], "me@example.org", "forced@example.org"), ([], "", "None")],
)
def test_the_sender_is_the_one_that_counts(arguments, sender, expected):
    """That of the command line, and the null reverse-path as itself."""
    with Door() as door:
        session(door, *arguments, sender=sender)
        assert str(door.only()[0].head.envelope.reverse_path) == expected


def test_a_refusal_of_the_service_is_a_refusal_of_ours():
    """With its words, and nothing is kept."""
    with Door(settings={"limits": {"max_message": 5}}) as door:
        codes, done = session(door)
        assert door.entries() == []
    assert codes[-2] in ("552", "554")
    assert "larger than 5 octets" in done.out + done.err or "too big" in done.out + done.err


def test_who_has_a_configuration_of_his_own_sends_by_himself(tmp_path):
    """The rule of every other call."""
    with Peer() as peer, Door() as door:
        (tmp_path / ".msmtprc").write_text(accounts_for(peer.port, tls="off"))
        (tmp_path / ".msmtprc").chmod(0o600)
        codes, _ = session(door, env={"HOME": str(tmp_path)})
        assert codes[-2] == "250"
        assert door.entries() == []
        assert len(peer.received) == 1
