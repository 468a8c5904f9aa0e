"""``msmtpq`` and ``msmtp-queue``: the names that scripts of msmtp's users call."""

from __future__ import annotations

import pytest

from peer import Puppet
from pillarbox.spool.directory import Directory
from programs import call_program

MAIL = b"From: me@example.org\nTo: you@example.net\nSubject: t\n\nx\n"


@pytest.fixture(name="home")
def _home(tmp_path):
    """Return a home whose account has a host that does not answer."""
    write_account(tmp_path, 9)
    return tmp_path


def write_account(home, port):
    """Have the account use a port of this computer."""
    path = home / ".msmtprc"
    path.write_text(
        f"account default\nhost 127.0.0.1\nport {port}\nfrom me@example.org\ntimeout 5\n"
    )
    path.chmod(0o600)


def run(home, name, *words, stdin=b""):
    """Run a program in a home."""
    return call_program(name, list(words), stdin, {"HOME": str(home)})


def waiting(home):
    """Return the recipients and full names of what waits in the user's own queue."""
    spool = Directory(str(home / ".local/state/pillarbox/spool"))
    spool.open()
    found = [
        ([*map(str, entry.head.envelope.forward_paths)], entry.head.settings)
        for entry in spool.scan()
    ]
    spool.close()
    return found


def test_a_mail_that_cannot_go_is_kept_and_that_is_a_success(home):
    """As msmtpq says it; and nothing of the call is lost."""
    result = run(home, "msmtpq", "-F", "John Q Public", "--", "you@example.net", stdin=MAIL)
    assert (result.exit_code, result.out, result.err) == (0, "", "")
    assert waiting(home) == [(["you@example.net"], {"from_full_name": "John Q Public"})]


def test_a_mail_that_can_go_goes_and_takes_the_others_along(home):
    """The queue is flushed behind it."""
    run(home, "msmtpq", "one@example.net", stdin=MAIL)
    with Puppet() as puppet:
        write_account(home, puppet.port)
        # The account was paused for a minute, as its host did not answer: an operator would wait.
        assert run(home, "msmtp-queue", "-r").exit_code in (0, 75)
        result = run(home, "msmtpq", "two@example.net", stdin=MAIL)
        assert (result.exit_code, result.out, result.err) == (0, "", "")
        sent = [line for line in puppet.commands if line.startswith("RCPT")]
    assert sorted(sent) == ["RCPT TO:<one@example.net>", "RCPT TO:<two@example.net>"]
    assert waiting(home) == []


def test_a_mail_that_is_not_kept_is_a_failure(home):
    """Nobody to send it to: that is told at once."""
    result = run(home, "msmtpq", stdin=MAIL)
    assert result.exit_code == 64
    assert result.err


def test_a_home_whose_path_is_too_long_for_a_socket_has_a_queue(tmp_path):
    """No service can listen there, so there is none."""
    home = tmp_path / ("long" * 30)
    home.mkdir()
    write_account(home, 9)
    result = run(home, "msmtpq", "you@example.net", stdin=MAIL)
    assert (result.exit_code, result.out, result.err) == (0, "", "")
    assert "-> you@example.net" in run(home, "msmtp-queue", "-d").out


@pytest.mark.parametrize("name", [("msmtp-queue",), ("msmtpq", "--q-mgmt")])
def test_the_queue_is_listed(home, name):
    """Without an operation, too."""
    run(home, "msmtpq", "you@example.net", stdin=MAIL)
    listed = run(home, *name, "-d").out
    assert "-> you@example.net" in listed
    assert run(home, *name).out.splitlines()[:2] == listed.splitlines()[:2]


def test_mails_are_deleted_and_sent_by_their_ids(home):
    """What asked on a terminal asks there; a script names them."""
    run(home, "msmtpq", "one@example.net", stdin=MAIL)
    run(home, "msmtpq", "two@example.net", stdin=MAIL)
    (name, *_) = run(home, "msmtp-queue", "-d").out.splitlines()[1].split()
    assert run(home, "msmtp-queue", "-p").exit_code == 64
    assert run(home, "msmtp-queue", "-p", name).exit_code == 64
    assert run(home, "msmtp-queue", "-p", name, "--yes").exit_code == 0
    assert len(waiting(home)) == 1
    with Puppet() as puppet:
        write_account(home, puppet.port)
        (name, *_) = run(home, "msmtp-queue", "-d").out.splitlines()[1].split()
        assert run(home, "msmtp-queue", "-R", name).exit_code == 0
        assert len(puppet.contents) == 1
    assert run(home, "msmtp-queue", "-d").out.startswith("no mail waits\n")


def test_help_and_what_is_no_operation(home):
    """One is asked for, the other is wrong."""
    helped = run(home, "msmtp-queue", "-h")
    assert (helped.exit_code, helped.err) == (0, "")
    assert "-p ID" in helped.out
    wrong = run(home, "msmtp-queue", "-x")
    assert (wrong.exit_code, wrong.out, wrong.err) == (64, "", helped.out)
