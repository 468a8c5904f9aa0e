"""PHP's mail()."""

import pytest

from callers.arrived import added_fields, assert_silent
from callers.packages import require_tool

SCRIPT = """
$headers = ["From" => "Shop <shop@example.org>", "Bcc" => "b@example.org", "X-Order" => "7"];
$text = "h\\u{e4}llo\\n.\\n..two\\r\\nFrom us\\nend";
exit(mail("to@example.org, ops", "Order", $text, $headers, "-f bounce@example.org") ? 0 : 1);
"""
BODY = "h\u00e4llo\r\n.\r\n..two\r\nFrom us\r\nend\r\n".encode()


@pytest.mark.parametrize("program", ["sendmail", "msmtp"])
def test_php_sends_by_the_program_of_its_configuration(stage, php, program):
    """sendmail_path may name either of our names; Bcc gets the mail and is not shown."""
    stage.record(program)
    assert_silent(php(SCRIPT, "-d", f"sendmail_path={stage.folder}/bin/{program} -t -i"))
    mail = stage.peer.last()
    assert stage.arguments == ["-t", "-i", "-f", "bounce@example.org"]
    assert mail.sender == "bounce@example.org"
    assert sorted(mail.recipients) == [
        "admin@example.net",
        "b@example.net",
        "b@example.org",
        "to@example.org",
    ]
    without_bcc = stage.written.replace(b"Bcc: b@example.org\r\n", b"")
    assert without_bcc != stage.written
    assert added_fields(mail, without_bcc) == ["Date", "Message-ID"]
    assert mail.body == BODY
    assert mail.names[2:] == ["To", "Subject", "From", "X-Order"]


def test_php_finds_sendmail_by_itself(stage, php):
    """Without a configuration PHP asks /usr/sbin/sendmail."""
    assert_silent(php(SCRIPT, run=stage.run_inside))
    mail = stage.peer.last()
    assert mail.sender == "bounce@example.org"
    assert mail.body == BODY


def test_php_gets_false_when_the_relay_refuses(stage, php):
    """mail() returns false, and the reason stands in the error log of the web server."""
    stage.peer.refused["to@example.org"] = "550 5.1.1 nobody here"
    result = php(SCRIPT, "-d", f"sendmail_path={stage.sendmail} -t -i")
    assert (result.returncode, result.stdout) == (1, b"")
    lines = result.stderr.decode().splitlines()
    assert "sendmail: recipient address to@example.org not accepted by the server" in lines
    assert "sendmail: server message: 550 5.1.1 nobody here" in lines
    assert "to@example.org" not in stage.peer.last().recipients  # the others get it


def test_php_option_injection_writes_no_file(stage, php):
    """
    A sender that a visitor chose cannot make sendmail write a log (attack: option injection).

    It is how PHPMailer 5.2.17 and its like were broken: -X names a file in the web's root.
    """
    canary = stage.home / "canary.php"
    script = SCRIPT.replace("-f bounce@example.org", f"-fa@example.org -X{canary} -OQueue=/tmp")
    assert script != SCRIPT
    assert_silent(php(script, "-d", f"sendmail_path={stage.sendmail} -t -i"))
    assert stage.peer.last().sender == "a@example.org"
    assert not canary.exists()


@pytest.fixture
def php(stage):
    """Return a function that runs a script, without any php.ini."""
    program = require_tool("php", "php-cli")

    def call(script, *options, run=stage.run):
        return run(program, "-n", *options, "-r", script)

    return call
