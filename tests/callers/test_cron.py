"""cron: the daemon itself in the foreground, with a spool of its own, and its words as a form."""

import os
import socket

import pytest

from callers.arrived import added_fields, assert_silent
from callers.packages import require

ARGUMENTS = ["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"]

# do_command.c: From, To, Subject, MIME fields, the environment of the job, its output.
FORM = """\
From: root (Cron Daemon)
To: root
Subject: Cron <root@host> /usr/local/bin/backup --all
MIME-Version: 1.0
Content-Type: text/plain; charset={charset}
Content-Transfer-Encoding: 8bit
X-Cron-Env: <SHELL=/bin/sh>
X-Cron-Env: <HOME=/root>
X-Cron-Env: <PATH=/usr/bin:/bin>
X-Cron-Env: <LOGNAME=root>

"""
OUTPUT = "h\u00e4llo\n.\n..two\nFrom the job\n\tend \n"
JOB = r'printf "h\303\244llo\n.\n..two\nFrom the job\n\tend \n"'
NOBODY = "550 5.1.1 nobody here"


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1"])
def test_cron_form_arrives_as_cron_wrote_it(stage, charset):
    """Cron's mail gets a date and an identifier, root is looked up, no octet is changed."""
    written = FORM.format(charset=charset).encode() + OUTPUT.encode(charset)
    assert_silent(stage.run(stage.sendmail, *ARGUMENTS, stdin=written))
    mail = stage.peer.last()
    assert mail.sender == "me@example.org"
    assert mail.recipients == ["admin@example.net"]
    assert "BODY=8BITMIME" in mail.options
    assert added_fields(mail, written) == ["Date", "Message-ID"]


def test_cron_form_gets_a_from_that_a_provider_takes(stage):
    """With set_from_header cron's From without a domain is replaced, and its name is kept."""
    stage.configure("from me@example.org", "set_from_header on")
    written = FORM.format(charset="utf-8").encode() + OUTPUT.encode()
    assert_silent(stage.run(stage.sendmail, *ARGUMENTS, stdin=written))
    mail = stage.peer.last()
    assert mail.value("From") == "CronDaemon <me@example.org>"
    assert added_fields(mail, written.partition(b"\n")[2]) == ["From", "Date", "Message-ID"]


def test_cron_form_that_is_refused_says_so_on_one_line_each(stage):
    """Cron gets an exit code, and its log lines that tell who refused what."""
    stage.peer.refused["admin@example.net"] = NOBODY
    written = FORM.format(charset="utf-8").encode() + OUTPUT.encode()
    result = stage.run(stage.sendmail, *ARGUMENTS, stdin=written)
    assert result.returncode == os.EX_NOUSER
    assert result.stdout == b""
    first, second, *_ = result.stderr.decode().splitlines()
    assert first == "sendmail: recipient address admin@example.net not accepted by the server"
    assert second == f"sendmail: server message: {NOBODY}"


def test_cron_daemon_gets_the_output_of_a_job_to_root(stage, cron):
    """What a job prints arrives, whole and once, and cron has nothing to complain about."""
    stage.record()
    log, said = cron(JOB)
    assert said == b""
    assert not [line for line in log if "MAIL" in line]
    assert stage.arguments == ARGUMENTS
    mail = stage.peer.last()
    assert mail.sender == "me@example.org"
    assert mail.recipients == ["admin@example.net"]
    assert mail.body == OUTPUT.replace("\n", "\r\n").encode()
    assert mail.value("From") == "root (Cron Daemon)"
    assert mail.value("Subject") == f"Cron <root@{socket.gethostname()}> {JOB}"
    assert mail.value("Content-Type").lower() == "text/plain; charset=utf-8"
    assert mail.names.count("X-Cron-Env") >= 3
    assert added_fields(mail, stage.written) == ["Date", "Message-ID"]


def test_cron_daemon_sends_to_the_address_of_mailto(stage, cron):
    """MAILTO in a crontab names the recipients, several of them too."""
    _, said = cron(JOB, "MAILTO=ops,c@example.org", "CONTENT_TYPE=text/plain; charset=latin1")
    assert said == b""
    mail = stage.peer.last()
    assert sorted(mail.recipients) == ["admin@example.net", "b@example.net", "c@example.org"]
    assert mail.value("To") == "ops,c@example.org"


def test_cron_daemon_logs_that_the_relay_refused(stage, cron):
    """Cron sees the exit code, and the reason stands where cron's own errors go."""
    stage.peer.refused["admin@example.net"] = NOBODY
    log, said = cron(JOB)
    (line,) = [line for line in log if "MAIL" in line]
    assert f"got status 0x{os.EX_NOUSER:04x} from MTA" in line
    assert f"sendmail: server message: {NOBODY}\n" in said.decode()
    assert stage.peer.received == []


@pytest.fixture
def cron(stage):
    """Return a function that runs a job once; it gives cron's log, and what cron printed."""
    if os.geteuid() != 0:
        pytest.skip("cron runs as root only")
    program = require("cron") / "usr/sbin/cron"

    def run(job, *settings):
        tab = stage.folder / "spool/cron/crontabs/root"
        tab.write_text("".join(f"{line}\n" for line in (*settings, f"@reboot {job}")))
        tab.chmod(0o600)
        with _listen(stage.folder / "dev") as syslog:
            daemon = stage.start_inside(program, "-f", "-L", "15")
            try:
                log = list(_log_of_one_job(syslog))
            finally:
                daemon.terminate()
                said, _ = daemon.communicate()
        return log, said

    return run


def _listen(folder):
    """Return a socket in a folder, whatever the length of its path, that hears syslog's lines."""
    descriptor = os.open(folder, os.O_PATH)
    try:
        syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        syslog.bind(f"/proc/self/fd/{descriptor}/log")
        syslog.settimeout(20)
        return syslog
    finally:
        os.close(descriptor)


def _log_of_one_job(syslog):
    """Give the lines until the session of the job is closed, when its mail is sent."""
    while True:
        line = syslog.recv(4096).decode()
        yield line
        if "session closed" in line:
            return
