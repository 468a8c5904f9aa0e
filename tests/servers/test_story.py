"""Stories: what a person does who follows a tutorial or moves over from msmtp, word by word."""

import re
import shutil
from email import message_from_bytes, policy

import pytest

from servers.client import command
from servers.dovecot import PASSWORD, USER, USERS
from servers.mails import HEADER, SOME_MAILS, behind_trace

MAIL = HEADER + b"Subject: x\n\nHello.\n"

TUTORIAL = """\
account default
tls on
tls_trust_file {authority}
tls_starttls off
host localhost
port {port}
auth on
user no-reply@example.com
password {password}
from no-reply@example.com
"""

COMMAND = (
    r'echo -e "Subject: 这是一封测试发送的邮件, 来自服务器\n\n这里是邮件内容, 仅用于测试"'
    " | msmtp me@test.com"
)


@pytest.fixture
def shell(client, tmp_path):
    """Return a function that runs a line of shell where ``msmtp`` is our program."""
    programs = tmp_path / "bin"
    programs.mkdir()
    words = " ".join(f"'{word}'" for word in map(_quoted, command("msmtp")))
    (programs / "msmtp").write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    (programs / "msmtp").chmod(0o755)
    client.environment["PATH"] = f"{programs}:/usr/bin:/bin"
    return lambda line: client.run(line, program=["bash", "-c"])


def _quoted(word):
    return word.replace("'", "'\\''")


def test_tutorial(postfix, shell, certificates, tmp_path):
    """The tutorial's configuration and its command, unchanged: a mail is in the mailbox."""
    path = tmp_path / ".msmtprc"
    path.write_text(
        TUTORIAL.format(
            authority=certificates.authority,
            port=postfix.ports["submissions"],
            password=USERS["no-reply@example.com"],
        )
    )
    path.chmod(0o600)

    result = shell(COMMAND)

    assert (result.code, result.output, result.errors) == (0, "", "")
    arrived = postfix.boxes.mail("me@test.com")
    assert arrived.startswith(b"Return-Path: <no-reply@example.com>\n")
    content = behind_trace(arrived)
    assert content.isascii()
    mail = message_from_bytes(content, policy=policy.default)
    assert (mail["From"], mail["To"]) == ("no-reply@example.com", "me@test.com")
    assert mail["Subject"] == "这是一封测试发送的邮件, 来自服务器"
    assert re.fullmatch(r"<[^@>\s]+@example\.com>", mail["Message-ID"])
    assert mail["Date"].datetime.tzinfo is not None
    assert mail.get_content_charset() == "utf-8"
    assert mail.get_content().strip() == "这里是邮件内容, 仅用于测试"
    commands = {"ehlo": 1, "auth": 1, "mail": 1, "rcpt": 1, "bdat": 1, "quit": 1}
    assert postfix.session() == commands
    assert postfix.connections() == 1
    postfix.log.wait_for(r"TLS connection established from \S+ TLSv1\.3 ")


def test_tutorial_with_a_mistake(postfix, shell, certificates, tmp_path):
    """With a mistyped password the text says what failed, and what the server said."""
    path = tmp_path / ".msmtprc"
    path.write_text(
        TUTORIAL.format(
            authority=certificates.authority,
            port=postfix.ports["submissions"],
            password="Tutorial2",
        )
    )
    path.chmod(0o600)

    result = shell(COMMAND)

    assert result.code == 77, result
    lines = result.errors.splitlines()
    assert lines[0] == "msmtp: authentication failed (method SCRAM-SHA-256)"
    assert lines[1].startswith("msmtp: server message: 535 5.7.8")
    assert lines[-1] == f"msmtp: could not send mail (account default from {path})"
    assert "Tutorial2" not in result.errors


@pytest.fixture
def msmtp():
    """Give the path of the real msmtp."""
    path = shutil.which("msmtp", path="/usr/bin:/bin")
    if path is None:
        pytest.skip("msmtp is not installed: run tests/servers/install.sh first")
    return path


# msmtp puts no empty line behind a header without one.
@pytest.mark.parametrize("name", sorted(SOME_MAILS.keys() - {"no empty line"}))
def test_sends_what_msmtp_sends(postfix, client, msmtp, certificates, name):
    """Who moves over from msmtp gets the same octets delivered with the same configuration."""
    given, _ = SOME_MAILS[name]
    settings = {
        "host": "localhost",
        "port": postfix.ports["submission-plain"],
        "tls": "on",
        "tls_trust_file": certificates.authority,
        "auth": "on",
        "user": USER,
        "password": PASSWORD,
    }
    theirs, ours = postfix.boxes.fresh(), postfix.boxes.fresh()

    first = client.send(settings, theirs, mail=given, program=[msmtp])
    second = client.send(settings, ours, mail=given)

    assert (first.code, second.code) == (0, 0), (first, second)
    expected = behind_trace(postfix.boxes.mail(theirs))
    assert behind_trace(postfix.boxes.mail(ours)) == expected


def test_adds_the_headers_that_msmtp_adds(postfix, client, msmtp):
    """The same fields in the same order, and the blind copies gone."""
    settings = {"host": "127.0.0.1", "port": postfix.ports["open"]}
    box = postfix.boxes.fresh()
    mail = f"Subject: x\nBcc: {box}\nTo: {box},\n {box}\n\nHello.\n".encode()
    names = []
    for program in ([msmtp], None):
        box = postfix.boxes.fresh()
        result = client.send(settings, box, mail=mail, program=program)
        assert result.code == 0, result
        header = behind_trace(postfix.boxes.mail(box)).partition(b"\n\n")[0]
        names.append(re.findall(rb"^(\S+):", header, re.MULTILINE))

    assert names[1] == names[0] == [b"From", b"Date", b"Message-ID", b"Subject", b"To"]


ACCOUNTS = """\
defaults
tls on
tls_trust_file {authority}
aliases {home}/aliases
logfile {home}/log

account company
host localhost
port {submission}
auth plain
user alice@example.test
passwordeval printf '%s\\n' 'correct horse; battery="staple" #1'
from alice@example.test

account quiet : company
host 127.0.0.1
port {open}
tls off
auth off
from *@quiet.example.test

account default : company
"""


@pytest.fixture
def accounts(postfix, client, certificates):
    """Write a configuration with three accounts, and aliases; return its path."""
    (client.home / "aliases").write_text(f"root: {USER}\ndefault: root\n")
    path = client.home / ".msmtprc"
    path.write_text(
        ACCOUNTS.format(authority=certificates.authority, home=client.home, **postfix.ports)
    )
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("options", "login", "sender"),
    [
        ((), "PLAIN", "alice@example.test"),
        (("-a", "company"), "PLAIN", "alice@example.test"),
        (("-f", "cron@quiet.example.test"), "", "cron@quiet.example.test"),
        (("--read-envelope-from",), "PLAIN", "alice@example.test"),
        (("-a", "company", "--auth=login"), "LOGIN", "alice@example.test"),
    ],
)
def test_chooses_the_account(postfix, client, accounts, options, login, sender):
    """Defaults, inheritance and the choice by sender lead to the server that they name."""
    box = postfix.boxes.fresh()

    result = client.run(*options, box, mail=MAIL)

    assert result.code == 0, result
    assert postfix.boxes.mail(box).startswith(f"Return-Path: <{sender}>\n".encode())
    found = postfix.log.wait_for(r"client=\S+?(?:, sasl_method=(\S+), sasl_username=\S+)?$")
    assert (found[1] or "") == login
    record = (accounts.parent / "log").read_text()
    assert re.fullmatch(
        rf"\w{{3}} \d\d \d\d:\d\d:\d\d host=\S+ tls=o\w+ auth=o\w+ (user={USER} )?from={sender} "
        rf"recipients={box} mailsize={len(MAIL)} smtpstatus=250 "
        r"smtpmsg='250 2\.0\.0 Ok: \d+ bytes queued as \w+' exitcode=EX_OK\n",
        record,
    )


def test_sends_to_who_is_meant(postfix, client, accounts):
    """Local names become the address that the aliases have for them, through ``default``, too."""
    assert accounts.exists()

    result = client.run("cron", mail=MAIL)

    assert result.code == 0, result
    assert postfix.log.wait_for(r"nrcpt=(\d+) \(queue active\)")[1] == "1"
    postfix.log.wait_for(rf"to=<{USER}>, .*status=sent")
