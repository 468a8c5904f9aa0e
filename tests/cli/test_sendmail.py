"""
``sendmail``: what it understands, and that a caller's text gets no power through it.

The attack of this file is option injection (CVE-2016-10033 and its kin): an application passes
what a visitor typed behind ``-f``, or as a recipient, and he types options.
"""

import os
import shlex

import pytest

from peer import Puppet
from pillarbox.cli import msmtp, sendmail
from pillarbox.cli.getopt import NONE, REQUIRED
from pillarbox.errors import UsageError
from pillarbox.handoff import WISHES
from programs import call_program, run_program

MAIL = b"Subject: test\nTo: in-header@example.org\n\nHello.\n"


class Host:
    """A machine with a configured account, and a place where nothing may appear."""

    def __init__(self, root, puppet):
        self.puppet = puppet
        self.home = root / "home"
        self.work = root / "work"
        self.canary = root / "work" / "canary"
        self.home.mkdir()
        self.work.mkdir()
        self.config = self.home / ".msmtprc"
        self.config.touch(mode=0o600)
        self.config.write_text(
            f"account default\nhost 127.0.0.1\nport {puppet.port}\nfrom owner@example.org\n"
            "user u\npassword p\nauth off\n"
            "account other\nhost 127.0.0.1\nport 1\nfrom other@example.org\n"
        )
        self._before = self._state()

    def _state(self):
        status = self.config.stat()
        files = sorted(str(path) for path in self.home.parent.rglob("*"))
        return files, status.st_mtime_ns, status.st_mode, self.config.read_bytes()

    def call(self, *arguments, stdin=MAIL, run=call_program, name="sendmail", env=None):
        """Call a program here."""
        env = {"HOME": str(self.home), **(env or {})}
        return run(name, arguments, stdin, env, cwd=self.work)

    def is_untouched(self):
        """Whether no file was made or changed."""
        return self._state() == self._before

    def evil_file(self):
        """Return a configuration that would run a command and send elsewhere."""
        return f"eval touch {self.canary}\nhost 127.0.0.1\nport 1\nfrom evil@example.org\n"


@pytest.fixture
def host(tmp_path):
    """Return a machine."""
    with Puppet() as puppet:
        yield Host(tmp_path, puppet)


def _command(host):
    return f"touch {shlex.quote(str(host.canary))}"


# sendmail's own letters (8.17), Postfix's and Exim's among them, and which take an argument.
LETTERS = "ABbCDEeFfhLMNOopQRrVX"
FLAGS = "cGIimnsTtUvx"


def _payloads(host):
    """Yield command lines that a visitor could make of what an application passes on."""
    file, command = str(host.canary), _command(host)
    for letter in LETTERS + "dq":
        if letter not in "bfFrNRV":
            yield [f"-{letter}{file}"]
            yield [f"-{letter}", file]
            yield [f"-{letter}{command}"]
    for letter in "OoX":
        yield [f"-{letter}QueueDirectory={host.work}"]
        yield [f"-{letter}LogFile={file}"]
    yield ["-OQueueDirectory=/tmp", f"-X{file}"]
    yield ["-d0-99.10000", f"-D{file}"]
    yield [f"-C{file}", f"-X{file}"]


def test_no_option_writes_a_file_or_runs_a_command(host):
    """Attack: every option of sendmail with a file, and with a command, in its argument."""
    for payload in _payloads(host):
        host.puppet.commands.clear()
        result = host.call(*payload, "-f", "app@example.org", "--", "to@example.org")
        assert host.is_untouched(), payload
        assert result.exit_code in (0, 64, 65), (payload, result)
        if result.exit_code == 0 and host.puppet.commands:
            sent = [line for line in host.puppet.commands if line[:4] in ("MAIL", "RCPT")]
            assert sent[0] == "MAIL FROM:<app@example.org>", payload


def test_no_long_option_has_an_effect(host):
    """Attack: every long option of msmtp, glued and with its argument apart, cut short too."""
    host.canary.with_name("evil").write_text(host.evil_file())
    host._before = host._state()
    values = {
        "passwordeval": _command(host),
        "file": str(host.canary.with_name("evil")),
        "account": "other",
        "host": "127.0.0.2",
        "port": "1",
        "socket": str(host.canary),
        "logfile": str(host.canary),
        "aliases": str(host.canary),
    }
    for option in msmtp.OPTIONS:
        if not option.long or option.long in WISHES:
            continue
        value = values.get(option.long, str(host.canary))
        forms = [[f"--{option.long}"], [f"--{option.long}={value}"], [f"--{option.long[:-1]}"]]
        if option.argument == REQUIRED:
            forms.append([f"--{option.long}", value])
        for form in forms:
            result = host.call(*form, "--", "to@example.org")
            assert result.exit_code == 64, form
            assert (
                result.lines[0] == "sendmail has no long options but --direct, --queue and --wait"
            )
            assert host.is_untouched(), form
    assert host.puppet.connections == 0


@pytest.mark.parametrize(
    "words",
    [
        *(["--direc"], ["--q"], ["--wai"], ["--queue=x"], ["--wait=1"], ["--direct=off"]),
        ["--queue", "--passwordeval=true"],
    ],
    ids=" ".join,
)
def test_the_three_long_options_of_sendmail_bring_no_other_along(host, words):
    """Attack: what chooses the way is taken in full and without an argument, or not at all."""
    result = host.call(*words, "--", "to@example.org")
    assert result.exit_code == 64
    assert host.is_untouched()
    assert host.puppet.connections == 0


@pytest.mark.parametrize("name", ["mailq", "newaliases"])
def test_mailq_and_newaliases_have_no_options(host, name):
    """Attack: the same under the names that send nothing; they do nothing at all."""
    host.canary.with_name("evil").write_text(host.evil_file())
    host._before = host._state()
    evil = str(host.canary.with_name("evil"))
    for arguments in (
        [f"--passwordeval={_command(host)}"],
        [f"--file={evil}", "--account=default"],
        [f"-C{evil}", f"-X{host.canary}"],
        ["-t", "to@example.org"],
        ["--host=127.0.0.1", f"--port={host.puppet.port}", "to@example.org"],
        ["-bi"],
        ["--", "x"],
    ):
        assert host.call(*arguments, name=name).exit_code == 0
        assert host.is_untouched()
    assert host.puppet.connections == 0


@pytest.mark.parametrize(
    "payload",
    [
        ["-X{canary}", "-OQueueDirectory=/tmp"],
        ["-C{canary}"],
        ["--passwordeval={command}"],
        ["--host=127.0.0.2", "--logfile={canary}"],
        ["-be", "${run{{command}}}"],
        ["-oQ{canary}", "-oee"],
    ],
)
def test_injected_behind_an_address_in_a_real_process(host, payload):
    """Attack: the visitor's address is ``a@b -X/file``, and a shell took it apart."""
    words = [
        word.replace("{canary}", str(host.canary)).replace("{command}", _command(host))
        for word in payload
    ]
    host.call("-t", "-i", "-f", "visitor@example.org", *words, run=run_program)
    assert host.is_untouched()


@pytest.mark.parametrize("run", [call_program, run_program])
@pytest.mark.parametrize(
    "sender",
    [
        "visitor@example.org -X/tmp/x",
        "visitor@example.org\n-X/tmp/x",
        "visitor@example.org\r\nRCPT TO:<victim@example.org>",
        "visitor@example.org> SIZE=1",
        '"visitor\\" -oQ/tmp -X/tmp/x  "@example.org',
        "-X/tmp/x",
        "--host=evil",
        "visitor@example.org, second@example.org",
        "<visitor@example.org><x@example.org>",
        "visitor@example.org\x01x",
        "vis`touch x`$(touch x)@example.org",
    ],
)
def test_sender_is_one_word_of_one_command(host, run, sender):
    """Attack: whatever stands behind ``-f`` is one sender, or is refused before connecting."""
    result = host.call("-t", "-f", sender, run=run)
    assert host.is_untouched()
    mails = [line for line in host.puppet.commands if line.startswith("MAIL")]
    recipients = [line for line in host.puppet.commands if line.startswith("RCPT")]
    if result.exit_code == 0:
        assert len(mails) == 1
        assert mails[0].endswith(">")
        assert recipients == ["RCPT TO:<in-header@example.org>"]
    else:
        assert result.exit_code in (64, 65, 78)
        assert not mails
        assert len(result.err.splitlines()) <= 2


@pytest.mark.parametrize(
    "recipient",
    [
        "to@example.org\nBcc: victim@example.org",
        "to@example.org\rvictim@example.org",
        "to@example.org> NOTIFY=NEVER",
        "<to@example.org> <victim@example.org>",
        "to@example.org victim@example.org",
    ],
)
def test_recipient_cannot_bring_another(host, recipient):
    """Attack: a newline or a second address in one recipient makes no second one."""
    result = host.call("-f", "a@example.org", "--", recipient)
    assert result.exit_code == 65
    assert host.puppet.connections == 0


# -- what it understands ----------------------------------------------------------------------


@pytest.fixture
def request_of(monkeypatch):
    """Return a function that gives the request which a command line makes, or None."""
    monkeypatch.delenv("POSIXLY_CORRECT", raising=False)

    def request(*arguments):
        made = []
        monkeypatch.setattr(sendmail, "send_mail", lambda request: made.append(request) or 0)
        assert sendmail.main(arguments) == 0
        return made[0] if made else None

    return request


def test_every_letter_of_sendmail_is_there():
    """Scripts were written for sendmail; each of its letters is taken, with its argument."""
    short = [option for option in sendmail.OPTIONS if option.short]
    there = {option.short: option.argument != NONE for option in short}
    assert {letter for letter, wants in there.items() if wants} == {*LETTERS, *"dq"}
    assert {letter for letter, wants in there.items() if not wants} == set(FLAGS)
    assert tuple(option.long for option in sendmail.OPTIONS if option.long) == WISHES


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ("-f a@b.c", {"from": "a@b.c"}),
        ("-r a@b.c", {"from": "a@b.c"}),
        ("-fa@b.c", {"from": "a@b.c"}),
        ("-f <>", {"from": ""}),
        ("-f a@b.c -r d@e.f", {"from": "d@e.f"}),
        ("-F Name", {"from_full_name": "Name"}),
        ("-N never", {"dsn_notify": "NEVER"}),
        ("-N SUCCESS,failure", {"dsn_notify": "SUCCESS,FAILURE"}),
        ("-R hdrs", {"dsn_return": "HDRS"}),
        ("-R FULL", {"dsn_return": "FULL"}),
        ("-X /log -C /rc -O x=y -ox=y -D /f -d9 -B 8BITMIME -p ESMTP -L tag -h 3 -M x", {}),
        ("-oi -oem -odb -em -Ac -Am -i -n -v -m -U -G -s -T -c -x -Q x -E x", {}),
        ("-q", {}),
        ("-bm", {}),
    ],
)
def test_options_make_few_settings(request_of, words, settings):
    """Of all options four set something, and none of these has power over the machine."""
    request = request_of(*words.split(), "to@example.org")
    assert request.settings == settings
    assert list(request.recipients) == ["to@example.org"]
    assert (request.host_given, request.user_file, request.account_name) == (False, None, None)
    assert (request.reads_sender, request.envid) == (False, "")


@pytest.mark.parametrize("words", ["-t", "-ti", "-it", "-toi", "-t -oi", "-oi -t", "-q -t", "-tq"])
def test_recipients_from_the_header(request_of, words):
    """``-t`` reads recipients, however it is glued; and ``-q`` beside it does not lose the mail."""
    request = request_of(*words.split())
    assert request.reads_recipients is True
    assert list(request.recipients) == []


def test_envelope_identifier(request_of):
    """``-V`` is the envelope identifier for reports (RFC 3461)."""
    assert request_of("-V", "id 1", "to@example.org").envid == "id 1"


@pytest.mark.parametrize(
    ("words", "out"),
    [
        ("-bp", "Mail queue is empty\n"),
        ("-bi", ""),
        ("-I", ""),
        ("-q", ""),
        ("-q30m", ""),
        ("-bp -v", "Mail queue is empty\n"),
    ],
)
def test_modes_that_send_nothing(host, words, out):
    """What asks for the queue or the aliases is answered, without reading a mail."""
    result = host.call(*words.split())
    assert (result.exit_code, result.out, result.err) == (0, out, "")
    assert host.puppet.connections == 0


@pytest.mark.parametrize("mode", "adDehHjPtvz")
def test_modes_that_are_not_there(host, mode):
    """A mode that is not supported is refused by name, and nothing is sent."""
    result = host.call(f"-b{mode}", "to@example.org")
    assert (result.exit_code, result.lines) == (69, [f"operation mode -b{mode} is not supported"])
    assert host.puppet.connections == 0


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["-N", "x", "a@b"], "invalid argument 'x' for -N: write off, never"),
        (["-R", "x", "a@b"], "invalid argument 'x' for -R: write off, headers"),
        (["-F", "a\nb", "a@b"], "invalid argument 'a\\nb' for -F: it contains a control"),
        (["-f", "a\nb", "a@b"], "invalid argument 'a\\nb' for -f: it contains a control"),
        (["-w", "a@b"], "invalid option -- 'w'"),
        (["-f"], "option requires an argument -- 'f'"),
        (["--version"], "sendmail has no long options"),
        (["-t--host=x"], "invalid option -- '-'"),
    ],
)
def test_wrong_command_lines(request_of, words, problem):
    """A wrong option or argument is told by its name, with exit code 64."""
    with pytest.raises(UsageError) as caught:
        request_of(*words)
    assert str(caught.value).startswith(problem)


def test_posixly_correct(monkeypatch, request_of):
    """With POSIXLY_CORRECT a recipient ends the options."""
    monkeypatch.setenv("POSIXLY_CORRECT", "1")
    assert list(request_of("a@b.c", "-t").recipients) == ["a@b.c", "-t"]


def test_address_with_a_dash_needs_a_separator(host):
    """Attack: an address that begins with a dash is an address behind ``--`` only."""
    assert host.call("-f", "a@example.org", "-x-ray@example.org").exit_code == 64
    assert host.puppet.connections == 0
    assert host.call("-f", "a@example.org", "--", "-x-ray@example.org").exit_code == 0
    assert "RCPT TO:<-x-ray@example.org>" in host.puppet.commands


def test_what_cron_and_php_call(host):
    """The command lines of cron, PHP, git and mailx send their mail."""
    for words in (
        ["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root"],
        ["-t", "-i"],
        ["-i", "-f", "me@example.org", "in-header@example.org"],
        ["-oi", "-t", "-fapp@example.org"],
        ["-i", "-v", "--", "in-header@example.org"],
        ["-bm", "-oem", "in-header@example.org"],
    ):
        host.puppet.commands.clear()
        result = host.call(*words)
        assert (result.exit_code, result.out, result.err) == (0, "", ""), words
        assert "RCPT TO:<in-header@example.org>" in host.puppet.commands


def test_reports_are_asked_for(host):
    """-N, -R and -V arrive as NOTIFY, RET and ENVID, the last one encoded."""
    host.puppet.replies["EHLO"] = "250-puppet\r\n250 DSN"
    host.call("-N", "failure,delay", "-R", "hdrs", "-V", "a\x7f\tb", "to@example.org")
    assert not [line for line in host.puppet.commands if not line.isprintable()]
    host.puppet.commands.clear()
    host.call("-N", "failure,delay", "-R", "hdrs", "-V", "a+b=c d", "to@example.org")
    assert "MAIL FROM:<owner@example.org> RET=HDRS ENVID=a+2Bb+3Dc+20d" in host.puppet.commands
    (recipient,) = [line for line in host.puppet.commands if line.startswith("RCPT")]
    assert recipient.startswith("RCPT TO:<to@example.org> NOTIFY=FAILURE,DELAY")


def test_environment_is_no_door(host):
    """A visitor does not choose the environment, but nothing of msmtp's options hides there."""
    env = {"MSMTP": "/bin/sh", "SMTPSERVER": "127.0.0.2", "EMAIL": "evil@example.org"}
    assert host.call("to@example.org", env=env).exit_code == 0
    assert "MAIL FROM:<owner@example.org>" in host.puppet.commands


def test_arguments_that_are_no_utf8(host):
    """Bytes that are no text are refused, and shown as escapes."""
    result = host.call("-f", os.fsdecode(b"a\xff@example.org"), "to@example.org")
    assert result.exit_code in (65, 64)
    assert result.err.isascii()
    assert host.puppet.connections == 0
