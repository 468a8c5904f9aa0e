"""``msmtpd``: its options, its replies, and what becomes of a mail, as its manual has them."""

from __future__ import annotations

import os
import re
import shlex
import signal
import smtplib
import socket
import subprocess
import sys
import threading
from base64 import b64encode

import pytest

from peer import Peer
from pillarbox.errors import UsageError
from pillarbox.intake import msmtpd as module
from pillarbox.intake.msmtpd_options import Options, parse_options
from programs import ENVIRONMENT, run_program
from served import accounts_for
from smtp_door import SmtpClient

MAIL = b"Subject: test\r\n\r\n.hello\r\n\r\nbye"
_CODE = "import sys; sys.argv[0] = 'msmtpd'; from pillarbox.cli.main import run; run('msmtpd')"


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], Options()),
        (["--inetd"], Options(is_inetd=True)),
        (["--interface=::1", "--port=2525"], Options(interface="::1", port=2525)),
        (["--interface", "127.0.0.2", "--port", "0"], Options(interface="127.0.0.2", port=0)),
        (["--log=syslog"], Options(log="syslog")),
        (["--log", "/var/log/x"], Options(log="/var/log/x")),
        (["--command=/bin/x -f %F --"], Options(command=("/bin/x", "-f", "%F", "--"))),
        (['--command=x \'a b\' "c\\"d"'], Options(command=("x", "a b", 'c"d'))),
        (["--auth=joe"], Options(user="joe")),
        (["--auth=joe,echo a,b"], Options(user="joe", password_command="echo a,b")),
        (["--por=1", "--inter=127.0.0.3"], Options(port=1, interface="127.0.0.3")),
        (["--port=1", "--port=2"], Options(port=2)),
    ],
)
def test_options_are_those_of_msmtpd(arguments, expected):
    """In both spellings, and shortened as getopt_long allows."""
    assert parse_options(arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["extra"], "no option extra"),
        (["-p", "25"], "no option -p"),
        (["--nonsense"], "no option --nonsense"),
        (["--in"], "no option --in"),  # inetd or interface
        (["--inetd=yes"], "no option --inetd=yes"),
        (["--port"], "--port needs a value"),
        (["--port="], "--port needs a value"),
        (["--interface="], "--interface needs a value"),
        (["--command="], "--command needs a value"),
        (["--log="], "--log needs a value"),
        (["--auth="], "--auth needs a value"),
        (["--port=65536"], "no port 65536"),
        (["--port=smtp"], "no port smtp"),
        (["--interface=localhost"], "localhost is no IP address"),
        (["--command=a | b"], "needs a shell"),
        (["--command=a $HOME"], "needs a shell"),
        (["--command=a; b"], "needs a shell"),
        (["--command=a > b"], "needs a shell"),
        (["--command=a 'b"], "quote that is not closed"),
        (["--command= "], "needs a shell"),
    ],
)
def test_what_is_wrong_with_options_is_named(arguments, words):
    """And a command that only a shell could run, before it eats a mail."""
    with pytest.raises(UsageError, match=re.escape(words)):
        parse_options(arguments)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["--help"], 0, "Usage: msmtpd [option...]"),
        (["--version"], 0, "msmtpd (pillarbox "),
        (["--port=x"], 3, "msmtpd: there is no port x"),
        (["x"], 3, "msmtpd has no option x"),
        (["--interface=192.0.2.1", "--port=0"], 3, "cannot listen at 192.0.2.1, port 0"),
        (["--log=/nonexistent/log"], 3, "cannot write to /nonexistent/log"),
        (["--auth=joe,false"], 3, "printed none"),
        (["--auth=joe"], 3, "no password was found for joe"),
    ],
)
def test_exit_codes_are_those_of_msmtpd(arguments, exit_code, words):
    """3 for whatever keeps it from starting."""
    done = run_program("msmtpd", arguments)
    assert done.exit_code == exit_code
    assert words in done.out + done.err
    assert "Traceback" not in done.err


def test_every_option_is_in_the_help():
    """What can be said is said there."""
    for name in ("inetd", "interface", "port", "log", "command", "auth", "help", "version"):
        assert f"--{name}" in module.HELP


# -- sessions --------------------------------------------------------------------------------------


@pytest.fixture
def script(tmp_path):
    """Return a command that keeps its arguments and its input, and ends as ``exit`` says."""
    (tmp_path / "exit").write_text("0")
    path = tmp_path / "command"
    path.write_text(
        f"#!/bin/sh\ncd {tmp_path}\nprintf '%s\\n' \"$@\" > arguments\n"
        "cat > mail\necho 250 smuggled into the session\nexit $(cat exit)\n"
    )
    path.chmod(0o755)
    return path


class Msmtpd:
    """A server as a process of its own, to be used in a ``with``."""

    def __init__(self, *arguments, log, env=None):
        self.command = [sys.executable, "-S", "-c", _CODE, "--port=0", f"--log={log}", *arguments]
        self.log = log
        self.env = ENVIRONMENT | (env or {})

    def __enter__(self):
        os.mkfifo(self.log)
        self.process = subprocess.Popen(self.command, env=self.env, stderr=subprocess.PIPE)
        self.lines = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = int(self.wait_for("listening on").rpartition(" ")[2])
        return self

    def _read(self):
        with open(self.log, encoding="utf-8") as log:
            for line in log:
                with self._changed:
                    self.lines.append(line.rstrip("\n"))
                    self._changed.notify_all()

    def wait_for(self, words):
        """Return the line of the log with these words."""

        def find():
            return next((line for line in self.lines if words in line), "")

        with self._changed:
            assert self._changed.wait_for(find, 20), self.lines
            return find()

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.exit_code = self.process.wait(20)
        self.errors = self.process.stderr.read().decode()
        self.process.stderr.close()
        self._reader.join(20)
        assert "Traceback" not in self.errors


@pytest.fixture
def server(tmp_path, script):
    """Run a server that pipes mails into the command."""
    command = f"--command={shlex.quote(str(script))} -f %F --"
    with Msmtpd(command, log=str(tmp_path / "log")) as running:
        yield running
    assert running.exit_code == 0


def test_greeting_and_ehlo_are_those_of_msmtpd(server):
    """Nothing is offered."""
    with SmtpClient(server.port) as client:
        assert client.reply() == "220 localhost ESMTP msmtpd"
        assert client.say("EHLO client.example.org") == "250 localhost"


def test_a_mail_is_piped_into_the_command(server, tmp_path):
    """Sender in the place of %F, recipients behind, lines in LF, a Received field in front."""
    with SmtpClient(server.port) as client:
        client.reply()
        client.say("EHLO client.example.org")
        assert client.hand_over(
            MAIL.replace(b"\r\n.", b"\r\n.."), "a@x.example", "b+c/d=e@y.example"
        )
        assert client.say("QUIT").startswith("221")
    assert (tmp_path / "arguments").read_text().splitlines() == [
        *("-f", "me@example.org", "--", "a@x.example", "b+c/d=e@y.example")
    ]
    first, second, third, rest = (tmp_path / "mail").read_bytes().split(b"\n", 3)
    assert first == b"Received: from client.example.org (localhost [127.0.0.1])"
    assert re.fullmatch(rb"\tby \S+ \(msmtpd\) with ESMTP;", second)
    assert re.fullmatch(rb"\t\w{3}, \d\d? \w{3} \d{4} [\d:]{8} [+-]\d{4}", third)
    assert rest == b"Subject: test\n\n.hello\n\nbye\n"
    line = server.wait_for("piped a mail into")
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d msmtpd\[\d+\] info: ", line)
    assert "a@x.example b+c/d=e@y.example" in line


def test_several_mails_of_a_session(server, tmp_path):
    """And RSET in the middle of one ends neither session nor server."""
    with SmtpClient(server.port) as client:
        client.reply()
        client.say("HELO x")
        for number in range(3):
            assert client.hand_over(MAIL, f"r{number}@x.example").startswith("250 ")
            assert (tmp_path / "arguments").read_text().splitlines()[-1] == f"r{number}@x.example"
            client.say("MAIL FROM:<other@x.example>")
            assert client.say("RSET").startswith("250 ")


@pytest.mark.parametrize(
    ("exit_code", "reply"),
    [(0, "250"), *((code, "451") for code in (68, 69, 71, 75))]
    + [(code, "554") for code in (1, 2, 64, 65, 67, 70, 74, 76, 77, 78, 127)],
)
def test_exit_codes_of_the_command_become_replies(server, tmp_path, exit_code, reply):
    """Msmtpd's table."""
    (tmp_path / "exit").write_text(str(exit_code))
    with SmtpClient(server.port) as client:
        client.reply()
        client.say("EHLO x")
        said = client.hand_over(MAIL)
        assert said.startswith(reply)
        assert "smuggled" not in said
        assert client.say("NOOP").startswith("250 ")


@pytest.mark.parametrize(
    "address",
    [
        "-oQ/tmp@x.example",
        "a;id@x.example",
        "a`id`@x.example",
        "a$HOME@x.example",
        '"a b"@x.example',
        "a|id@x.example",
        "a&b@x.example",
        "o'neil@x.example",
        "a*@x.example",
    ],
)
def test_addresses_that_a_script_would_not_expect_are_refused(server, tmp_path, address):
    """Attack L2: whoever wrote a command for msmtpd relies on letters, digits and . @ _ - + / =."""
    with SmtpClient(server.port) as client:
        client.reply()
        client.say("EHLO x")
        assert client.say(f"MAIL FROM:<{address}>").startswith("501 ")
        client.say("MAIL FROM:<a@x.example>")
        assert client.say(f"RCPT TO:<{address}>").startswith("501 ")
    assert not (tmp_path / "arguments").exists()


def test_the_null_reverse_path_is_mailer_daemon(server, tmp_path):
    """As msmtpd calls it."""
    with SmtpClient(server.port) as client:
        client.reply()
        client.say("EHLO x")
        assert client.hand_over(MAIL, sender="").startswith("250 ")
    assert (tmp_path / "arguments").read_text().splitlines()[1] == "MAILER-DAEMON"


def test_a_client_that_goes_away_in_a_mail_sends_nothing(server, tmp_path):
    """Msmtpd delivers the torso; this is on the list of what is otherwise."""
    with SmtpClient(server.port) as client:
        client.reply()
        client.say("EHLO x")
        for command in ("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA"):
            client.say(command)
        client.send(b"Subject: half\r\n\r\nhal")
    with SmtpClient(server.port) as client:
        client.reply()
        client.say("EHLO x")
        assert client.hand_over(MAIL).startswith("250 ")
    assert b"half" not in (tmp_path / "mail").read_bytes()


def test_smuggling_by_a_bare_newline_is_refused(server, tmp_path):
    """Attack N9: msmtpd takes LF dot LF for an end."""
    with SmtpClient(server.port) as client:
        client.reply()
        client.say("EHLO x")
        said = client.hand_over(b"x\n.\nMAIL FROM:<evil@x.example>\nRCPT TO:<v@x.example>")
        assert said.startswith("550 ")
    assert not (tmp_path / "mail").exists()


def test_a_mail_without_content_is_a_mail(server, tmp_path):
    """There is always the Received field."""
    with SmtpClient(server.port) as client:
        client.reply()
        client.say("EHLO x")
        client.say("MAIL FROM:<a@x.example>")
        client.say("RCPT TO:<b@x.example>")
        client.say("DATA")
        assert client.say(".").startswith("250 ")
    assert (tmp_path / "mail").read_bytes().count(b"\n") == 3


def test_a_command_that_is_not_there_is_a_refusal(tmp_path):
    """Said to the client, and in the log."""
    with Msmtpd("--command=/nonexistent/command %F", log=str(tmp_path / "log")) as server:
        with SmtpClient(server.port) as client:
            client.reply()
            client.say("EHLO x")
            assert client.hand_over(MAIL).startswith("554 ")
        assert "error: exit code 3 of: /nonexistent/command me@example.org" in server.wait_for(
            "error"
        )


def test_a_login_can_be_demanded(tmp_path, script):
    """AUTH PLAIN and nothing else; one wrong password ends the session, and the next ones wait."""
    arguments = (f"--command={script} %F", "--auth=joe,echo secret")
    token = b64encode(b"\0joe\0secret").decode()
    with Msmtpd(*arguments, log=str(tmp_path / "log")) as server:
        with SmtpClient(server.port) as client:
            client.reply()
            assert client.say("EHLO x") == "250-localhost\n250 AUTH PLAIN"
            assert client.say("MAIL FROM:<a@x.example>").startswith("530 ")
            assert client.say("AUTH LOGIN").startswith("504 ")
            assert client.say("AUTH PLAIN").startswith("334")
            assert client.say(token).startswith("235 ")
            assert client.hand_over(MAIL).startswith("250 ")
        with SmtpClient(server.port) as client:
            client.reply()
            client.say("EHLO x")
            wrong = b64encode(b"\0joe\0wrong").decode()
            assert client.say(f"AUTH PLAIN {wrong}").startswith("535 ")
            assert client.reply().startswith("421 ")
            assert client.reply() == ""
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            client.login("joe", "secret")
        server.wait_for("authentication failed")
        assert "secret" not in "\n".join(server.lines)


def test_sessions_go_on_when_the_listener_ends(tmp_path, script):
    """SIGTERM ends the listening only; SIGHUP nothing."""
    server = Msmtpd(f"--command={script} %F", log=str(tmp_path / "log"))
    with server:
        client = SmtpClient(server.port)
        with client:
            client.reply()
            client.say("EHLO x")
            server.process.send_signal(signal.SIGHUP)
            assert client.say("NOOP").startswith("250 ")
            server.process.send_signal(signal.SIGTERM)
            while True:
                try:
                    socket.create_connection(("127.0.0.1", server.port), 5).close()
                except ConnectionError:
                    break
            assert client.hand_over(MAIL).startswith("250 ")


def test_more_than_sixteen_sessions_wait(tmp_path, script):
    """They are not refused."""
    with Msmtpd(f"--command={script} %F", log=str(tmp_path / "log")) as server:
        clients = [SmtpClient(server.port) for _ in range(17)]
        for client in clients[:16]:
            assert client.reply().startswith("220 ")
        clients[16].sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            clients[16].sock.recv(1)
        clients[0].__exit__()
        clients[16].sock.settimeout(20)
        assert clients[16].sock.recv(100).startswith(b"220 ")
        for client in clients[1:]:
            client.__exit__()


@pytest.mark.parametrize("is_socket", [False, True])
def test_inetd_is_one_session_on_the_standard_streams(tmp_path, script, is_socket):
    """Over pipes, and over the socket that an inetd gives."""
    command = [sys.executable, "-S", "-c", _CODE, "--inetd", f"--command={script} %F"]
    lines = ["EHLO x", "MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA"]
    dialog = [*(line.encode() for line in lines), MAIL + b"\r\n.", b"QUIT"]
    ours, theirs = socket.socketpair()
    streams = (
        {"stdin": theirs, "stdout": theirs}
        if is_socket
        else {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    )
    with ours, theirs, subprocess.Popen(command, env=ENVIRONMENT, **streams) as process:
        theirs.close()
        write = ours.sendall if is_socket else process.stdin.write
        answers = ours.makefile("rb") if is_socket else process.stdout
        said = [answers.readline()]
        for line in dialog:
            write(line + b"\r\n")
            if not is_socket:
                process.stdin.flush()
            said.append(answers.readline())
        if is_socket:
            answers.close()
        assert process.wait(20) == 0
    assert [line[:3] for line in said] == [b"220", b"250", b"250", b"250", b"354", b"250", b"221"]
    assert (tmp_path / "arguments").read_text().split() == ["a@x.example", "b@x.example"]


def test_without_a_command_our_own_msmtp_sends(tmp_path):
    """Through the account of whoever started it; a relay's refusal becomes one of ours."""
    home = tmp_path / "home"
    home.mkdir()
    with Peer() as peer:
        peer.handler.refused["no@example.com"] = "550 5.1.1 no such user"
        (home / ".msmtprc").write_text(accounts_for(peer.port, tls="off"))
        (home / ".msmtprc").chmod(0o600)
        server = Msmtpd(log=str(tmp_path / "log"), env={"HOME": str(home)})
        with server:
            client = SmtpClient(server.port)
            with client:
                client.reply()
                client.say("EHLO x")
                assert client.hand_over(MAIL, "you@example.com", "o'neil@example.com") == (
                    "250 Ok, mail was piped"
                )
                assert client.hand_over(MAIL, "no@example.com").startswith(("451 ", "554 "))
    (received,) = peer.received
    assert received.recipients == ["you@example.com", "o'neil@example.com"]
    assert b"(msmtpd) with ESMTP" in received.content
