"""``pillarbox catch``: every mail of a program is taken, shown and not sent."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import smtplib
import subprocess
import sys
from email.message import EmailMessage

import pytest

from door import Client
from programs import ENVIRONMENT, run_program

_CODE = (
    "import sys; sys.argv[0] = 'pillarbox'; from pillarbox.cli.main import run; run('pillarbox')"
)


class Catch:
    """The command as a process of its own, to be used in a ``with``."""

    def __init__(self, *arguments):
        self.command = [sys.executable, "-S", "-c", _CODE, "catch", *arguments]

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.first = self.process.stdout.readline().decode()
        found = re.search(r"127\.0\.0\.1:(\d+)", self.first)
        self.port = int(found[1]) if found else 0
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=20)
        self.out, self.err = out.decode(), err.decode()
        assert self.process.returncode == 0
        assert "Traceback" not in self.err


def send(port, message, *recipients, login=""):
    """Send a message as any program would."""
    with smtplib.SMTP("127.0.0.1", port) as client:
        if login:
            client.login(login, "any password")
        client.sendmail("me@example.org", list(recipients) or ["you@example.com"], bytes(message))


def letter():
    """Return a mail with everything."""
    message = EmailMessage()
    message["From"] = "Jörg <me@example.org>"
    message["To"] = "you@example.com"
    message["Subject"] = "每日报告 é"
    message.set_content("Grüße\nZeile zwei\n")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="r.pdf")
    return message


def test_a_mail_is_shown_as_a_page():
    """Envelope, fields, text and attachments, decoded."""
    with Catch("--port=0") as catch:
        send(catch.port, letter(), "you@example.com", "blind@example.com", login="app")
    assert "nothing is sent" in catch.first
    assert (
        "<me@example.org> to <you@example.com>, <blind@example.com> (logged in as app)" in catch.out
    )
    for words in ("From:     Jörg <me@example.org>", "Subject:  每日报告 é", "Grüße\nZeile zwei\n"):
        assert words in catch.out
    assert "[application/pdf, r.pdf, 4 octets]" in catch.out
    assert "any password" not in catch.out + catch.err


def test_json_is_a_line_a_mail():
    """With the content as it came, and the port to wait for."""
    with Catch("--port=0", "--json") as catch:
        send(catch.port, b"Subject: x\r\n\r\n.dot\r\n")
        send(catch.port, b"Subject: y\r\n\r\n")
    ready = json.loads(catch.first)
    assert ready == {"event": "ready", "at": [f"127.0.0.1:{catch.port}"]}
    first, second = map(json.loads, catch.out.splitlines())
    assert (first["from"], first["to"]) == ("me@example.org", ["you@example.com"])
    assert base64.b64decode(first["content"]) == b"Subject: x\r\n\r\n.dot\r\n"
    assert base64.b64decode(second["content"]) == b"Subject: y\r\n\r\n"
    assert first["parameters"] == {"size": 20}


def test_files_are_what_was_sent(tmp_path):
    """One a mail, for nobody else's program to overwrite."""
    folder = tmp_path / "caught" / "here"
    with Catch("--port=0", f"--dir={folder}") as catch:
        for number in range(3):
            send(catch.port, b"Subject: %d\r\n\r\n" % number)
    files = sorted(folder.iterdir())
    assert [path.read_bytes() for path in files] == [b"Subject: %d\r\n\r\n" % n for n in range(3)]
    assert all(path.suffix == ".eml" for path in files)
    assert oct(folder.stat().st_mode & 0o777) == "0o700"


def test_a_unix_socket_will_do(tmp_path):
    """And is gone at the end."""
    path = str(tmp_path / "c.sock")
    with Catch(f"--socket={path}") as catch, Client(path) as client:
        client.send(
            "EHLO x", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "BDAT 3 LAST", b"a\nb"
        )
        assert client.replies(5)[4].startswith("250 ")
    assert "a@b.example" in catch.out
    assert not os.path.exists(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no header at all",
        b"Subject: \x1b[2J\x07evil\r\n\r\n\x1b]0;title\x07text\r\n",
        b"From: =?utf-8?q?=1b[31m?= <a@b.example>\r\n\r\n\xe2\x80\xaetxt.exe\r\n",
        b'Content-Type: multipart/mixed; boundary="\r\n\r\n--\r\n',
        b"Content-Type: text/plain; charset=nonsense\r\n\r\nx\xff\r\n",
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!\r\n",
        b"To: \r\n" * 50 + b"\r\n",
        b'Content-Disposition: attachment; filename="../../x\x1b[0m"\r\n\r\nx',
        b"Date: nonsense\r\nMessage-ID: <\r\nFrom: a@b@c <<>>\r\n\r\n" + b"line\r\n" * 500,
        b"\r\n" + b"x" * 100_000,
    ],
)
def test_nothing_in_a_mail_harms_the_terminal(content):
    """Attack N11: escapes, controls and what reverses a text are shown as what they are."""
    with Catch("--port=0") as catch:
        send(catch.port, content)
        send(catch.port, b"Subject: behind it\r\n\r\n")
    assert catch.err == ""
    assert "behind it" in catch.out
    allowed = catch.out.replace("\n", "")
    assert allowed.isprintable(), [char for char in allowed if not char.isprintable()]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["--port=x"], 64, "--port"),
        (["--port=65536"], 64, "--port"),
        (["extra"], 64, "extra"),
        (["--dir=/proc/nope/x", "--port=0"], 74, "cannot make the directory"),
        (["--help"], 0, "usage: pillarbox catch"),
    ],
)
def test_wrong_use_is_said_in_a_line(arguments, exit_code, words):
    """With the exit code of its kind."""
    done = run_program("pillarbox", ["catch", *arguments])
    assert done.exit_code == exit_code
    assert words in done.out + done.err


def test_a_port_that_is_taken_is_named():
    """With what to do."""
    with Catch("--port=0") as catch:
        done = run_program("pillarbox", ["catch", f"--port={catch.port}"])
    assert done.exit_code == 75
    assert "cannot listen at 127.0.0.1" in done.err
    assert "--port" in done.err
