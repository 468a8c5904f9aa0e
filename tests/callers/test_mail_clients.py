"""Programs that people write mails with: s-nail, bsd-mailx and mutt."""

import os
import shlex

import pytest

from callers.arrived import added_fields, assert_silent, crlf
from callers.mailx import install_mailx
from callers.packages import require_tool

TEXT = "h\u00e4llo\n.\n..two\nFrom us\n\nend\n"


def test_mailx_sends_what_it_reads(stage):
    """bsd-mailx has /usr/sbin/sendmail built in, and leaves the recipients to the header."""
    mailx = install_mailx(stage)
    stage.record()
    text = TEXT.replace("\n.\n", "\n .\n").encode()  # a dot alone would end what mailx reads
    options = ["-s", "S\u00fcbject", "-a", "From: Me <web@example.org>", "-c", "c@example.org"]
    assert_silent(stage.run_inside(mailx, *options, "ops", stdin=text))
    mail = stage.peer.last()
    assert stage.arguments == ["-i", "-t"]
    assert mail.sender == "me@example.org"
    assert mail.recipients == ["admin@example.net", "b@example.net", "c@example.org"]
    assert set(added_fields(mail, stage.written)) == {"Date", "Message-ID"}
    assert mail.body == crlf(text)
    assert mail.value("From") == "Me <web@example.org>"


def test_mailx_gives_the_sender_that_it_was_told(stage):
    """-r of bsd-mailx is -f of sendmail."""
    mailx = install_mailx(stage)
    assert_silent(
        stage.run_inside(mailx, "-r", "bounce@example.org", "-s", "x", "ops", stdin=b"x\n")
    )
    assert stage.peer.last().sender == "bounce@example.org"


def test_mailx_shows_why_the_relay_refused(stage):
    """What sendmail says goes through mailx to the person."""
    mailx = install_mailx(stage)
    stage.peer.refused["to@example.org"] = "550 5.1.1 nobody here"
    env = {"DEAD": str(stage.home / "dead.letter")}
    result = stage.run_inside(mailx, "-s", "x", "to@example.org", stdin=b"x\n", env=env)
    assert b"sendmail: server message: 550 5.1.1 nobody here\n" in result.stderr
    assert stage.peer.received == []


@pytest.mark.parametrize("program", ["sendmail", "msmtp"])
def test_s_nail_sends_what_it_reads(stage, program):
    """s-nail starts the program that its variable mta names."""
    stage.record(program)
    options = ["-r", "Zo\u00eb <zoe@example.org>", "-s", "S\u00fcbject"]
    assert_silent(_s_nail(stage, program, *options, "to@example.org", "root", stdin=TEXT.encode()))
    mail = stage.peer.last()
    assert mail.sender == "zoe@example.org"
    assert mail.recipients == ["to@example.org", "admin@example.net"]
    assert added_fields(mail, stage.written) == []
    assert mail.value("To") == "to@example.org, root"
    assert mail.value("Content-Transfer-Encoding") == "quoted-printable"


def test_s_nail_shows_why_the_relay_refused(stage):
    """s-nail ends with a failure, and says why."""
    stage.peer.refused["to@example.org"] = "550 5.1.1 nobody here"
    result = _s_nail(stage, "sendmail", "-S", "nosave", "to@example.org", stdin=b"x\n")
    assert result.returncode != 0
    lines = result.stderr.decode().splitlines()
    assert "sendmail: server message: 550 5.1.1 nobody here" in lines
    assert "s-nail: ... message not sent" in lines


@pytest.mark.parametrize("program", ["sendmail", "msmtp"])
def test_mutt_sends_what_it_reads(stage, program):
    """Mutt starts the program that its variable sendmail names; Bcc stays hidden."""
    stage.record(program)
    how = f'set sendmail="{stage.folder}/bin/{program} -oem -oi"'
    result = _mutt(stage, how, "-b", "c@example.org", "--", "to@example.org", "ops")
    assert_silent(result)
    mail = stage.peer.last()
    assert stage.arguments[:5] == ["-oem", "-oi", "-f", "zoe@example.org", "--"]
    assert mail.sender == "zoe@example.org"
    assert sorted(mail.recipients) == [
        "admin@example.net",
        "b@example.net",
        "c@example.org",
        "to@example.org",
    ]
    assert added_fields(mail, stage.written) == []
    assert mail.body == crlf(TEXT.encode())
    assert mail.value("To") == "to@example.org, ops"
    assert mail.value("Content-Transfer-Encoding") == "8bit"
    assert "Bcc" not in mail.names
    assert "BODY=8BITMIME" in mail.options


def test_mutt_finds_sendmail_by_itself(stage):
    """Without a word about how to send, mutt asks /usr/sbin/sendmail."""
    assert_silent(_mutt(stage, "", "--", "root", run=stage.run_inside))
    assert stage.peer.last().recipients == ["admin@example.net"]


def test_mutt_says_that_the_relay_refused(stage):
    """Mutt ends with a failure, and shows what sendmail said."""
    stage.peer.refused["to@example.org"] = "550 5.1.1 nobody here"
    result = _mutt(stage, f'set sendmail="{stage.sendmail}"', "--", "to@example.org")
    assert result.returncode != 0
    said = (result.stdout + result.stderr).decode()
    assert f"Error sending message, child exited {os.EX_NOUSER}" in said
    assert "server message: 550 5.1.1 nobody here" in said


def _s_nail(stage, program, *arguments, stdin):
    s_nail = require_tool("s-nail")
    # It takes HOME from the user's entry when root calls it, and hands that on.
    wrapper = stage.folder / "mta"
    ours = shlex.quote(str(stage.folder / "bin" / program))
    wrapper.write_text(f'#!/bin/sh\nHOME={shlex.quote(str(stage.home))} exec {ours} "$@"\n')
    wrapper.chmod(0o755)
    return stage.run(s_nail, "-:/", "-S", f"mta={wrapper}", *arguments, stdin=stdin)


def _mutt(stage, how, *arguments, run=None):
    mutt = require_tool("mutt")
    rc = stage.home / "muttrc"
    rc.write_text(
        "set from=zoe@example.org use_envelope_from=yes use_domain=no copy=no\n"
        f"set send_charset=utf-8 allow_8bit=yes\n{how}\n"
    )
    words = [mutt, "-n", "-F", rc, "-s", "S\u00fcbject", *arguments]
    return (run or stage.run)(*words, stdin=TEXT.encode())
