"""
The embedded provider and its driver, spoken to by smtplib, by raw sockets and as a subcommand.

smtplib is a client that nobody of this house wrote; what it sees is what any client sees.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import smtplib
import socket
import ssl
import stat
import subprocess
import sys
import threading

import pytest

from pillarbox.errors import (
    DeadlineError,
    MissingExtraError,
    MissingInputError,
    NetworkError,
    UsageError,
)
from pillarbox.intake import provider as module
from pillarbox.intake.aliyun import AliyunHandler
from pillarbox.intake.driver import Limits
from pillarbox.intake.provider import ALIYUN, EmbeddedProvider, ProviderOptions, main
from pillarbox.mail.address import Mailbox
from pillarbox.mail.reply import Reply

USER = "no-reply@example.com"
PASSWORD = "hunter2-hunter2"
MAIL = b"Subject: test\r\n\r\n.dot\r\nbody\r\n"


@contextlib.contextmanager
def provider(**options):
    """Run a provider; a fault of the driver, the handler or asyncio fails the test."""
    with EmbeddedProvider(ProviderOptions(password=PASSWORD, **options)) as running:
        yield running
    assert running.faults == []


def trusting(running):
    """Return a client's context that trusts the provider and nobody else."""
    return ssl.create_default_context(cafile=running.ca_file)


@contextlib.contextmanager
def client(running, *, login=True):
    """Yield smtplib over implicit TLS."""
    with smtplib.SMTP_SSL(running.host, running.port, context=trusting(running)) as smtp:
        if login:
            smtp.login(USER, PASSWORD)
        yield smtp


@contextlib.contextmanager
def raw(running):
    """Yield a plain socket to the provider, and a file to read its lines from."""
    sock = socket.create_connection((running.host, running.port), 10)
    with sock, sock.makefile("rb") as lines:
        yield sock, lines


# -- Aliyun ----------------------------------------------------------------------------------------


def test_greeting_and_ehlo_are_those_of_aliyun():
    """What was seen on smtp.qiye.aliyun.com, and nothing that was absent there."""
    with provider() as running, client(running, login=False) as smtp:
        assert smtp.ehlo()[0] == 250
        assert set(smtp.esmtp_features) == {"8bitmime", "auth", "pipelining", "dsn"}
        lines = smtp.ehlo_resp.decode().split("\n")
        assert lines[0] == "smtp.aliyun-inc.com"
        assert set(lines[1:]) == set(ALIYUN)
        assert "AUTH PLAIN LOGIN XOAUTH2 XALIOAUTH" in lines
        assert "AUTH=PLAIN LOGIN XOAUTH2 XALIOAUTH" in lines
    with (
        provider() as running,
        socket.create_connection((running.host, running.port)) as sock,
        trusting(running).wrap_socket(sock, server_hostname="localhost") as secured,
    ):
        assert secured.recv(100) == b"220 smtp.aliyun-inc.com MX AliMail Server\r\n"


def test_mail_is_taken_as_it_was_sent():
    """Envelope, parameters, content, login, TLS and commands of a mail are there to look at."""
    with provider() as running:
        with client(running) as smtp:
            options = ["BODY=8BITMIME", "RET=HDRS", "ENVID=a+2Bb"]
            smtp.sendmail(USER, ["me@test.com", "you@test.com"], MAIL, options, ["NOTIFY=NEVER"])
            assert smtp.docmd("NOOP")[0] == 250
        (mail,) = running.wait_for_mails(1)
        assert mail.reverse_path == Mailbox("no-reply", "example.com")
        assert [str(path) for path in mail.forward_paths] == ["me@test.com", "you@test.com"]
        assert (mail.parameters.body, mail.parameters.ret) == ("8BITMIME", "HDRS")
        assert mail.parameters.envid == "a+b"
        assert [each.notify for each in mail.recipient_parameters] == ["NEVER", "NEVER"]
        assert mail.content == MAIL
        assert mail.size_bytes == len(MAIL)
        assert (mail.login, mail.mechanism) == (USER, "PLAIN")
        assert mail.tls_version in ("TLSv1.2", "TLSv1.3")
        assert mail.hello_name
        verbs = [command.split()[0] for command in mail.commands]
        assert verbs == ["ehlo", "AUTH", "mail", "rcpt", "rcpt", "data"]
        assert mail.commands[1] == "AUTH PLAIN *"


def test_success_is_said_as_aliyun_says_it():
    """The reply that a tutorial's reader will see in the log."""
    with provider() as running, client(running) as smtp:
        smtp.mail(USER)
        smtp.rcpt("me@test.com")
        assert smtp.data(MAIL) == (250, b"Data Ok: queued as freedom")


def test_login_prompts_are_in_lower_case():
    """AUTH LOGIN asks ``username:``; clients have failed on that."""
    with provider() as running, client(running, login=False) as smtp:
        smtp.ehlo()
        assert smtp.docmd("AUTH", "LOGIN") == (334, base64.b64encode(b"username:"))
        assert smtp.docmd(base64.b64encode(USER.encode()).decode()) == (
            334,
            base64.b64encode(b"password:"),
        )
        assert smtp.docmd(base64.b64encode(PASSWORD.encode()).decode())[0] == 235


def test_wrong_password_and_the_lock_behind_many():
    """526 with [0]; after several [1], even with the right password; in any session."""
    with provider(max_wrong_logins=2) as running:
        replies = []
        for password in ("wrong", "wronger", PASSWORD):
            with client(running, login=False) as smtp:
                with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
                    smtp.login(USER, password, initial_response_ok=True)
                replies.append((caught.value.smtp_code, caught.value.smtp_error))
        # smtplib tries PLAIN and then LOGIN: two tries a login.
        assert replies[0] == (526, b"Authentication failure[0]")
        assert replies[1] == replies[2] == (526, b"Authentication failure[1]")


@pytest.mark.parametrize(
    ("response", "reply"),
    [
        (b"\0\0", b"524 username or passwd is NULL"),
        (b"\0" + USER.encode() + b"\0", b"524 username or passwd is NULL"),
        (b"\0somebody@example.com\0" + PASSWORD.encode(), b"526 Authentication failure[0]"),
        (None, b"523 cipher text is invalid base64 format"),
    ],
)
def test_logins_that_aliyun_refuses_in_its_own_words(response, reply):
    """Each cause has its code."""
    encoded = "!" if response is None else base64.b64encode(response).decode()
    with provider() as running, client(running, login=False) as smtp:
        smtp.ehlo()
        code, text = smtp.docmd("AUTH", f"PLAIN {encoded}")
        assert b"%d %s" % (code, text) == reply


@pytest.mark.parametrize("path", ["someone-else@example.com", ""])
def test_sender_that_is_not_the_login(path):
    """440, a code of the transient class that never heals."""
    with provider() as running, client(running) as smtp:
        reply = smtp.mail(path)
        assert reply == (440, b"mail from account doesn't conform with authentication")
        assert smtp.mail(USER.upper())[0] == 250


def test_mail_without_login():
    """MAIL before AUTH is refused."""
    with provider() as running, client(running, login=False) as smtp:
        smtp.ehlo()
        assert smtp.mail(USER)[0] == 530
    assert running.mails == []


def test_refused_recipient_does_not_hurt_the_others():
    """The recipients on the list are refused, the rest gets the mail."""
    with provider(refused=("gone@test.com",)) as running:
        with client(running) as smtp:
            refused = smtp.sendmail(USER, ["gone@test.com", "me@test.com"], MAIL)
        assert refused == {"gone@test.com": (554, b"RCPT (gone@test.com) dosn't exist")}
        (mail,) = running.wait_for_mails(1)
        assert [str(path) for path in mail.forward_paths] == ["me@test.com"]


def test_certificate_is_for_loopback_only():
    """The certificate proves localhost and 127.0.0.1, and no other name."""
    with provider() as running:
        address = (running.host, running.port)
        for name in ("localhost", "127.0.0.1"):
            with socket.create_connection(address) as sock:
                trusting(running).wrap_socket(sock, server_hostname=name).close()
        wrong = [
            (trusting(running), "smtp.example.com"),
            (ssl.create_default_context(), "localhost"),
        ]
        for context, name in wrong:
            refused = pytest.raises(ssl.SSLCertVerificationError)
            with socket.create_connection(address) as sock, refused:
                context.wrap_socket(sock, server_hostname=name)


# -- knobs -----------------------------------------------------------------------------------------


def test_starttls():
    """The provider can be one of port 587; a login is taken only under TLS."""
    with provider(tls="starttls") as running:
        with smtplib.SMTP(running.host, running.port) as smtp:
            smtp.ehlo()
            assert smtp.has_extn("starttls")
            assert not smtp.has_extn("auth")
            smtp.starttls(context=trusting(running))
            smtp.login(USER, PASSWORD)
            smtp.sendmail(USER, ["me@test.com"], MAIL)
        (mail,) = running.wait_for_mails(1)
        assert mail.tls_version.startswith("TLSv1.")
        assert [each.split()[0] for each in mail.commands][:3] == ["ehlo", "STARTTLS", "ehlo"]


def test_plaintext_injected_behind_starttls_on_the_wire():
    """Attack CVE-2011-0411: nothing that came in clear is acted on under TLS."""
    with provider(tls="starttls") as running, raw(running) as (sock, lines):
        lines.readline()
        sock.sendall(b"EHLO x\r\n")
        while lines.readline()[3:4] == b"-":
            pass
        sock.sendall(b"STARTTLS\r\nEHLO evil\r\n")
        assert lines.readline().startswith(b"554")
        assert lines.readline() == b""


def test_plaintext_behind_the_answer_to_starttls_breaks_the_handshake():
    """Octets in clear, sent once 220 is there, are the TLS library's and never a command."""
    with provider(tls="starttls") as running:
        with raw(running) as (sock, lines):
            lines.readline()
            sock.sendall(b"EHLO x\r\n")
            while lines.readline()[3:4] == b"-":
                pass
            sock.sendall(b"STARTTLS\r\n")
            assert lines.readline().startswith(b"220")
            sock.sendall(b"EHLO evil\r\nMAIL FROM:<>\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert not lines.read().startswith(b"250")
        assert running.mails == []


def test_in_clear():
    """Without TLS, for tests of what a client does then."""
    with provider(tls="none") as running:
        with smtplib.SMTP(running.host, running.port) as smtp:
            smtp.login(USER, PASSWORD)
            smtp.sendmail(USER, ["me@test.com"], MAIL)
        assert running.wait_for_mails(1)[0].tls_version == ""
        assert running.ca_file == ""


def test_other_keywords_and_a_size_limit():
    """Keywords are as given, and their rules hold."""
    keywords = ("SIZE", "SMTPUTF8", "8BITMIME", "AUTH PLAIN", "ENHANCEDSTATUSCODES")
    with provider(keywords=keywords, max_size_bytes=100) as running, client(running) as smtp:
        assert smtp.esmtp_features["size"] == "100"
        assert smtp.mail(USER, ["SIZE=101"])[0] == 552
        smtp.mail(USER)
        smtp.rcpt("me@test.com")
        assert smtp.data(MAIL + b"x" * 100) == (552, b"5.3.4 The message is too big")


def test_lmtp_over_a_unix_socket(tmp_path):
    """LMTP answers for each recipient; a Unix socket needs neither TLS nor port."""
    path = str(tmp_path / "lmtp")
    with provider(is_lmtp=True, unix_path=path, requires_auth=False) as running:
        with socket.socket(socket.AF_UNIX) as sock, sock.makefile("rb") as lines:
            sock.connect(path)
            lines.readline()
            sock.sendall(b"LHLO x\r\n")
            while lines.readline()[3:4] == b"-":
                pass
            sock.sendall(b"MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
            assert [lines.readline()[:3] for _ in range(4)] == [b"250", b"250", b"250", b"354"]
            sock.sendall(b"x\r\n.\r\nQUIT\r\n")
            assert lines.read() == b"250 Data Ok: queued as freedom\r\n" * 2 + b"221 Bye\r\n"
        assert len(running.wait_for_mails(1)[0].forward_paths) == 2
        assert (running.port, running.ca_file) == (0, "")


def test_reply_to_the_content_can_be_chosen():
    """A test may want its mail refused at the last moment."""
    with provider(content_reply=Reply(554, (b"Reject by content spam",))) as running:
        with client(running) as smtp, pytest.raises(smtplib.SMTPDataError, match="content spam"):
            smtp.sendmail(USER, ["me@test.com"], MAIL)
        assert running.mails == []


def test_large_mail_need_not_be_kept():
    """With ``keeps_content`` off only the size remains."""
    with provider(keeps_content=False) as running:
        with client(running) as smtp:
            smtp.sendmail(USER, ["me@test.com"], MAIL + b"x" * 70 + b"\r\n" + b"y\r\n" * 100_000)
        (mail,) = running.wait_for_mails(1)
        assert mail.content == b""
        assert mail.size_bytes == len(MAIL) + 72 + 300_000


def test_many_mails_over_one_connection_and_over_several():
    """Sessions do not disturb each other."""
    with provider() as running:

        def send():
            with client(running) as smtp:
                for _ in range(5):
                    smtp.sendmail(USER, ["me@test.com"], MAIL)

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {mail.content for mail in running.wait_for_mails(20)} == {MAIL}


def test_waiting_for_mails_ends():
    """A mail that does not come is an error with numbers, not a hanging test."""
    with provider(tls="none") as running, pytest.raises(DeadlineError, match="0 of 1 mails"):
        running.wait_for_mails(1, timeout_s=0.01)


def test_nothing_is_left_behind():
    """The certificate's file and the thread are gone at the end."""
    before = threading.active_count()
    with provider() as running:
        assert os.path.exists(running.ca_file)
    assert not os.path.exists(running.ca_file)
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((running.host, running.port)).close()


def test_port_that_is_taken():
    """A port in use is a network error that says so."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = EmbeddedProvider(ProviderOptions(tls="none", port=port))
        with pytest.raises(NetworkError, match="could not be started"):
            running.__enter__()


def test_missing_trustme_is_said_in_one_line(monkeypatch):
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(MissingExtraError, match=r"pillarbox\[try\]"):
        EmbeddedProvider().__enter__()


# -- the driver ------------------------------------------------------------------------------------


def test_pipelined_group_is_answered_in_order():
    """MAIL, RCPT and DATA in one group, then content and QUIT in another."""
    with provider(tls="none", requires_auth=False) as running, raw(running) as (sock, lines):
        lines.readline()
        sock.sendall(b"EHLO x\r\n")
        while lines.readline()[3:4] == b"-":
            pass
        sock.sendall(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
        assert [lines.readline()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
        sock.sendall(b"x\r\n.\r\nQUIT\r\n")
        assert [lines.readline()[:3] for _ in range(2)] == [b"250", b"221"]
        assert lines.readline() == b""
        assert running.wait_for_mails(1)[0].content == b"x\r\n"


def test_half_closed_connection_gets_its_replies():
    """Who sends everything and shuts its side down still reads what is said to it."""
    with provider(tls="none", requires_auth=False) as running, raw(running) as (sock, lines):
        lines.readline()
        sock.sendall(b"HELO x\r\n")
        lines.readline()
        sock.sendall(b"NOOP\r\nNOOP\r\n")
        sock.shutdown(socket.SHUT_WR)
        assert lines.read() == b"250 Ok\r\n" * 2


def test_request_that_speaks_before_it_is_greeted_on_the_wire():
    """Attack L13: what is there before our greeting ends the session."""
    limits = Limits(greeting_delay_s=5)
    with provider(tls="none", limits=limits) as running, raw(running) as (sock, lines):
        sock.sendall(b"POST / HTTP/1.1\r\n")
        assert lines.read().startswith(b"554 ")


def test_request_of_a_browser_on_the_wire():
    """Attack L13: the first line of HTTP is the last, and the browser is told why."""
    with provider(tls="none") as running, raw(running) as (sock, lines):
        assert lines.readline().startswith(b"220")
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<a@b>\r\n" + b"x" * 100_000)
        assert lines.read() == b"421 This is a mail server\r\n"


def test_slow_client_is_not_waited_for():
    """An octet now and then does not buy time: a command has one deadline."""
    limits = Limits(command_s=0.3, linger_s=0.1)
    with provider(tls="none", limits=limits) as running, raw(running) as (sock, lines):
        lines.readline()
        stop = threading.Event()

        def drip():
            with contextlib.suppress(OSError):
                while not stop.wait(0.02):
                    sock.sendall(b"x")

        thread = threading.Thread(target=drip)
        thread.start()
        assert lines.read() == b"421 Too slow\r\n"
        stop.set()
        thread.join()


def test_session_that_lasts_too_long():
    """A busy client has an end too."""
    limits = Limits(session_s=0.2, linger_s=0.1)
    with provider(tls="none", limits=limits) as running, raw(running) as (_, lines):
        lines.readline()
        assert lines.read() == b"421 The session has lasted too long\r\n"


def test_handshake_that_never_comes():
    """A connection that does not begin TLS is closed, and nothing is said in clear."""
    limits = Limits(handshake_s=0.2)
    with provider(limits=limits) as running, raw(running) as (_, lines):
        assert lines.read() == b""


def test_one_connection_too_many():
    """The one over the limit is told so; it gets in once another has left."""
    with provider(tls="none", limits=Limits(max_connections=1, linger_s=0.1)) as running:
        with raw(running) as (sock, lines):
            assert lines.readline().startswith(b"220")
            with raw(running) as (_, others):
                assert others.read() == b"421 Too many connections, try again later\r\n"
            sock.sendall(b"QUIT\r\n")
            assert lines.read().startswith(b"221")
        greetings = []
        while len(greetings) < 100 and b"220" not in greetings:  # until the others are forgotten
            with raw(running) as (_, lines):
                greetings.append(lines.readline()[:3])
        assert greetings[-1] == b"220"


def test_too_many_octets():
    """A session has a limit of octets, whatever they are."""
    limits = Limits(max_session_bytes=1000)
    with provider(tls="none", limits=limits) as running, raw(running) as (sock, lines):
        lines.readline()
        sock.sendall(b"HELO x\r\n")
        lines.readline()
        sock.sendall(b"x" * 2000)
        assert lines.read() == b"421 Too much data in one session\r\n"


@pytest.mark.parametrize("method", ["mail_requested", "recipient_requested", "content_ended"])
def test_fault_of_a_handler_is_a_reply_and_is_reported(monkeypatch, method):
    """A bug, or a full disk, is 451 to the client, and told to whoever runs the listener."""

    async def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AliyunHandler, method, fail)
    with EmbeddedProvider(ProviderOptions(password=PASSWORD)) as running:
        with client(running) as smtp:
            replies = [smtp.mail(USER), smtp.rcpt("me@test.com")]
            replies += [smtp.data(MAIL)] if method == "content_ended" else []
        assert (451, b"Local error, try again later") in replies
    assert [type(fault) for fault in running.faults] == [OSError]


def test_fault_of_a_handler_in_a_content_ends_the_session(monkeypatch):
    """Where no answer is due, 421 says that this mail was not taken."""

    async def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AliyunHandler, "content_received", fail)
    options = ProviderOptions(tls="none", requires_auth=False)
    with EmbeddedProvider(options) as running, raw(running) as (sock, lines):
        lines.readline()
        sock.sendall(b"HELO x\r\n")
        lines.readline()
        sock.sendall(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
        for _ in range(3):
            lines.readline()
        sock.sendall(MAIL)
        assert lines.read() == b"421 Local error\r\n"
    assert len(running.faults) == 1
    assert running.mails == []


def test_end_of_the_provider_is_told_to_open_sessions():
    """Whoever is connected hears 421 when it stops."""
    with provider(tls="none") as running:
        sock = socket.create_connection((running.host, running.port), 10)
        lines = sock.makefile("rb")
        lines.readline()
    with sock, lines:
        assert lines.read() == b"421 Shutting down\r\n"


def test_client_that_leaves_in_the_middle_of_a_mail():
    """A broken connection leaves no mail and no fault."""
    with provider(tls="none", requires_auth=False) as running:
        with raw(running) as (sock, lines):
            lines.readline()
            sock.sendall(b"HELO x\r\n")
            lines.readline()
            sock.sendall(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
            for _ in range(3):
                lines.readline()
            sock.sendall(b"half of it\r\n")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        with raw(running) as (sock, lines):
            assert lines.readline().startswith(b"220")
        assert running.mails == []


# -- the subcommand --------------------------------------------------------------------------------

COMMAND = [
    sys.executable,
    "-c",
    "import sys; from pillarbox.intake.provider import main; sys.exit(main(sys.argv[1:]))",
]


def test_json_lines(tmp_path):
    """``--json`` says when it is ready and what it took, and ends with its standard input."""
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    command = [*COMMAND, "--json", "--user", USER, "--password-file", str(secret)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        ready = json.loads(process.stdout.readline())
        assert ready["event"] == "ready"
        context = ssl.create_default_context(cafile=ready["ca_file"])
        with smtplib.SMTP_SSL(ready["host"], ready["port"], context=context) as smtp:
            smtp.login(USER, PASSWORD)
            assert smtp.mail("else@example.com")[0] == 440
            smtp.rset()
            smtp.sendmail(USER, ["me@test.com"], "主题".encode() + MAIL)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0
    login, refused, mail = [json.loads(line) for line in out.splitlines()]
    assert login == {
        "event": "login",
        "user": USER,
        "mechanism": "PLAIN",
        "accepted": True,
        "tls": login["tls"],
    }
    assert refused["event"] == "refused"
    assert refused["command"].upper().startswith("MAIL FROM:<ELSE@EXAMPLE.COM>")
    assert refused["reply"].startswith("440 ")
    assert base64.b64decode(mail["content"]) == "主题".encode() + MAIL
    assert (mail["reverse_path"], mail["forward_paths"]) == (USER, ["me@test.com"])
    assert not os.path.exists(ready["ca_file"])
    assert err == b""
    assert PASSWORD.encode() not in out


def test_plain_output_and_the_end_by_a_signal():
    """For a person: what to put into msmtprc, a password in a private file, Ctrl-C to end."""
    pipe = subprocess.PIPE
    with subprocess.Popen(COMMAND, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        lines = [process.stdout.readline() for _ in range(5)]
        assert lines[0].startswith("listening:      127.0.0.1, port ")
        path = lines[3].split("the first line of ")[1].strip()
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        ca_file = lines[1].split()[1]
        context = ssl.create_default_context(cafile=ca_file)
        port = int(lines[0].split()[-3].rstrip(","))
        with smtplib.SMTP_SSL("127.0.0.1", port, context=context) as smtp:
            with open(path, encoding="ascii") as file:
                smtp.login(USER, file.readline().strip())
            smtp.sendmail(USER, ["me@test.com"], b"Subject: \x1b[2J\r\n\r\nx\r\n")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert "login of no-reply@example.com by PLAIN: accepted" in out
    assert "    Subject: \\x1b[2J" in out
    assert not os.path.exists(path)
    assert not os.path.exists(ca_file)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--port", "x"], UsageError),
        (["--port", "65536"], UsageError),
        (["--prot"], UsageError),
        (["extra"], UsageError),
        (["--password-file", "/nonexistent/password"], MissingInputError),
    ],
)
def test_wrong_arguments(arguments, error, monkeypatch):
    """Each mistake is an error of its kind, before anything is started."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(error):
        main(arguments)


def test_help(capsys):
    """``--help`` names every option."""
    with pytest.raises(SystemExit) as caught:
        module.main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for option in ("--port", "--user", "--password-file", "--ca-file", "--json"):
        assert option in text
