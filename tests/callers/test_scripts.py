"""Scripts that write to sendmail through a pipe, each as its language does it."""

import os
import sys

import pytest

from callers.arrived import added_fields, assert_silent
from callers.packages import require_tool

# Each sends the file that is its second argument, and exits as sendmail did.
_PYTHON = """
import pathlib, subprocess, sys
done = subprocess.run([sys.argv[1], "-t", "-i"], input=pathlib.Path(sys.argv[2]).read_bytes())
sys.exit(done.returncode)
"""
_PERL = """
open(my $text, "<", $ARGV[1]) or die;
open(MAIL, "|$ARGV[0] -t -oi -oem") or die;
print MAIL while <$text>;
close(MAIL);
exit($? >> 8);
"""
_PHP = """
$process = proc_open([$argv[1], "-t", "-i"], [["pipe", "r"], STDOUT, STDERR], $pipes);
fwrite($pipes[0], file_get_contents($argv[2]));
fclose($pipes[0]);
exit(proc_close($process));
"""
_SHELL = """
"$1" -oi -t <<END
$(cat "$2")
END
"""

_SCRIPTS = {
    "python": lambda: [sys.executable, "-c", _PYTHON],
    "perl": lambda: [require_tool("perl"), "-e", _PERL],
    "php": lambda: [require_tool("php", "php-cli"), "-n", "-r", _PHP, "--"],
    "shell": lambda: ["sh", "-c", _SHELL, "sh"],
}

MAIL = (
    "From: Web <web@example.org>\n"
    "To: to@example.org,\n\tops\n"
    "Cc: Z <z@example.org>\n"
    "Subject: Order\n"
    "Content-Type: text/plain; charset=utf-8\n"
    "\n"
    "h\u00e4llo\n.\n..two\nFrom us\nend\n"
)
RECIPIENTS = ["admin@example.net", "b@example.net", "to@example.org", "z@example.org"]


@pytest.mark.parametrize("language", _SCRIPTS)
@pytest.mark.parametrize("program", ["sendmail", "msmtp"])
def test_script_sends_a_mail(stage, language, program):
    """A mail through a pipe arrives octet by octet at everybody in its header."""
    assert_silent(_send(stage, language, MAIL, program))
    mail = stage.peer.last()
    assert mail.sender == "me@example.org"
    assert sorted(mail.recipients) == RECIPIENTS
    assert "BODY=8BITMIME" in mail.options
    assert added_fields(mail, MAIL.encode()) == ["Date", "Message-ID"]


@pytest.mark.parametrize("language", _SCRIPTS)
def test_script_sees_that_the_relay_refused(stage, language):
    """The exit code of sendmail reaches the script, and its lines standard error."""
    for recipient in RECIPIENTS:
        stage.peer.refused[recipient] = "550 5.7.1 go away"
    result = _send(stage, language, MAIL)
    assert result.returncode == os.EX_NOUSER
    assert result.stdout == b""
    assert "sendmail: server message: 550 5.7.1 go away" in result.stderr.decode().splitlines()


# Perl leaves SIGPIPE as it is, like cron: sendmail must read what it does not send.
@pytest.mark.parametrize("language", ["python", "perl", "php", "shell"])
def test_script_learns_of_a_failure_that_comes_before_the_mail_is_read(stage, language):
    """A caller that still writes when sendmail has given up gets an exit code, and the reason."""
    (stage.home / ".msmtprc").unlink()
    result = _send(stage, language, MAIL + 30_000 * "more lines than fit into a pipe\n")
    first, *_ = result.stderr.decode().splitlines()
    assert first.startswith("sendmail: account default not found")
    assert result.returncode == os.EX_CONFIG


@pytest.mark.parametrize("language", ["python", "perl", "php", "shell"])
def test_script_learns_of_a_refusal_while_it_still_writes(stage, language):
    """So does one whose mail the relay refuses before it is read whole."""
    for recipient in RECIPIENTS:
        stage.peer.refused[recipient] = "550 5.7.1 go away"
    result = _send(stage, language, MAIL + 30_000 * "more lines than fit into a pipe\n")
    assert result.returncode == os.EX_NOUSER
    assert "sendmail: server message: 550 5.7.1 go away" in result.stderr.decode().splitlines()


def _send(stage, language, mail, program="sendmail"):
    path = stage.home / "mail"
    path.write_text(mail)
    return stage.run(*_SCRIPTS[language](), stage.folder / "bin" / program, path)
