"""``pillarbox serve`` with the role ``listen``: real clients, reloads, and the role apart."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys

import pytest
import trustme

from peer import Peer
from pillarbox.intake.logins import hash_password
from programs import ENVIRONMENT, SRC
from served import PATIENCE_S, Service, accounts_for, folder_for_all
from smtp_door import SmtpClient

MAIL = b"From: me@example.org\r\nTo: you@example.com\r\nSubject: test\r\n\r\nhello\r\n"


@pytest.fixture(scope="module")
def relay():
    """Run the provider's stand-in."""
    with Peer() as running:
        yield running


def free_port():
    """Return a port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def settings(port, extra=""):
    """Return the settings of a service that listens at a port."""
    return f'[listen]\naddresses = ["127.0.0.1:{port}", "[::1]:{port}"]\n{extra}'


ROLES = ("--roles", "submit,deliver,listen")


@pytest.fixture(scope="module")
def service(relay):
    """Run a service that listens, with a certificate and a user; it knows its port."""
    port = free_port()
    folder = folder_for_all()
    authority = trustme.CA()
    certificate = folder / "certificate.pem"
    made = authority.issue_cert("localhost", "127.0.0.1")
    made.private_key_and_cert_chain_pem.write_to_path(str(certificate))
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    users = folder / "users"
    users.write_text(hash_password("app", "correct horse") + "\n")
    users.chmod(0o600)
    extra = f'tls_certificate = "{certificate}"\nusers = "{users}"\n'
    running = Service(accounts_for(relay.port), settings(port, extra), *ROLES, folder=folder)
    try:
        with running:
            running.port = port
            running.ca = str(folder / "ca.pem")
            yield running
    finally:
        shutil.rmtree(folder)


# -- real clients ----------------------------------------------------------------------------------


def _smtplib(service, to):
    with smtplib.SMTP("localhost", service.port) as client:
        client.starttls(context=ssl.create_default_context(cafile=service.ca))
        client.login("app", "correct horse")
        client.sendmail("me@example.org", [to], MAIL)


def _run(*command, stdin=b"", env=None):
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
        env=ENVIRONMENT | {"LC_ALL": "C.UTF-8"} | (env or {}),
    )
    assert done.returncode == 0, (done.stdout, done.stderr)


def _msmtp(service, to):
    _run(
        *("/usr/bin/msmtp", "--host=127.0.0.1", f"--port={service.port}", "--auth=off"),
        *("--tls=off", "--from=me@example.org", to),
        stdin=MAIL.replace(b"\r\n", b"\n"),
    )


def _msmtp_with_tls(service, to):
    _run(
        *("/usr/bin/msmtp", "--host=localhost", f"--port={service.port}", "--auth=plain"),
        *("--user=app", "--passwordeval=echo correct horse", "--tls=on", "--tls-starttls=on"),
        *(f"--tls-trust-file={service.ca}", "--from=me@example.org", to),
        stdin=MAIL.replace(b"\r\n", b"\n"),
    )


def _swaks(service, to):
    _run(
        *("/usr/bin/swaks", "--server", f"127.0.0.1:{service.port}", "--from", "me@example.org"),
        *("--to", to, "--header", "Subject: test", "--body", "hello", "--pipeline"),
    )


def _curl(service, to):
    _run(
        *("/usr/bin/curl", "--silent", "--show-error", f"smtp://127.0.0.1:{service.port}"),
        *("--mail-from", "me@example.org", "--mail-rcpt", to, "--upload-file", "-"),
        *("--user", "app:correct horse"),
        stdin=MAIL,
    )


def _s_nail(service, to):
    _run(
        *("/usr/bin/s-nail", "-:/", "-Sv15-compat", f"-Smta=smtp://127.0.0.1:{service.port}"),
        *("-Ssmtp-auth=none", "-r", "me@example.org", "-s", "test", to),
        stdin=b"hello\n",
    )


def _php(service, to):
    code = f"""
        $s = stream_socket_client('tcp://127.0.0.1:{service.port}');
        function say($s, $line) {{ if ($line !== null) fwrite($s, $line . "\\r\\n");
            do {{ $r = fgets($s); }} while ($r[3] == '-'); if ($r[0] > '3') exit(1); }}
        say($s, null);
        foreach (['EHLO php', 'MAIL FROM:<me@example.org>', 'RCPT TO:<{to}>', 'DATA',
                  "Subject: test\\r\\n\\r\\nhello\\r\\n.", 'QUIT'] as $line) say($s, $line);
    """
    _run("/usr/bin/php", "-n", "-r", code)


def _django(service, to):
    pytest.importorskip("django")
    code = f"""
import sys; sys.path.insert(0, {str(SRC)!r})
from django.conf import settings
settings.configure(EMAIL_HOST="127.0.0.1", EMAIL_PORT={service.port})
from django.core.mail import send_mail
assert send_mail("test", "hello", "me@example.org", [{to!r}]) == 1
"""
    _run(sys.executable, "-c", code)


CLIENTS = {
    "smtplib": _smtplib,
    "msmtp": _msmtp,
    "msmtp with TLS and a login": _msmtp_with_tls,
    "swaks": _swaks,
    "curl": _curl,
    "s-nail": _s_nail,
    "PHP": _php,
    "Django": _django,
}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_that_others_wrote_gets_its_mail_through(service, relay, name):
    """From its own idea of SMTP to the provider."""
    program = f"/usr/bin/{name.partition(' ')[0].lower()}"
    if name not in ("smtplib", "Django") and not os.path.exists(program):
        pytest.skip(f"{program} is not installed")
    to = f"{'-'.join(name.split()).lower()}@example.com"
    CLIENTS[name](service, to)
    service.wait_for_line("event=delivered", f"to={to}")
    (received,) = [mail for mail in relay.received if to in mail.recipients]
    assert (received.sender, received.recipients) == ("me@example.org", [to])
    assert b"Subject: test" in received.content
    assert b"hello" in received.body


# -- reloads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["users", "certificate.pem"])
def test_a_reload_of_a_broken_file_keeps_the_logins_and_the_certificate(service, broken):
    """One line says what is wrong, and clients get in as before."""
    path = service.folder / broken
    good = path.read_bytes()
    count = sum("reload_refused" in line for line in service.lines)
    path.write_bytes(b"nonsense")
    try:
        service.signal(signal.SIGHUP)
        service.wait_for_line("event=reload_refused", count=count + 1)
        _smtplib(service, "you@example.com")
    finally:
        path.write_bytes(good)
    count = sum("event=reloaded" in line for line in service.lines)
    service.signal(signal.SIGHUP)
    service.wait_for_line("event=reloaded", count=count + 1)
    _smtplib(service, "you@example.com")


# -- the role --------------------------------------------------------------------------------------


def test_the_role_apart_adds_to_the_same_spool(relay):
    """A listener of its own, beside the service that takes mail at the socket and delivers."""
    port, folder = free_port(), folder_for_all()
    try:
        with (
            Service(accounts_for(relay.port), settings(port), folder=folder) as main,
            Service(
                accounts_for(relay.port), settings(port), "--roles", "listen", folder=folder
            ) as listener,
        ):
            with SmtpClient(port) as client:
                assert (
                    client.greet()
                    .hand_over(MAIL, "apart@example.com")
                    .startswith("250 2.0.0 Queued as ")
                )
            main.wait_for_line("event=delivered")
            main.hand_over(MAIL, "apart@example.com")
            main.wait_for_line("event=delivered", count=2)
            assert "accepted" in listener.wait_for_line("door=listener")
    finally:
        shutil.rmtree(folder)
    assert sum("apart@example.com" in mail.recipients for mail in relay.received) == 2


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ('addresses = ["0.0.0.0:2525"]\n', "reached by others"),
        ("requires_login = true\n", "there are no users"),
        ('users = "/nonexistent"\n', "/nonexistent"),
        ('addresses = ["192.0.2.1:2525"]\n', "reached by others"),
    ],
)
def test_dangerous_settings_keep_it_from_starting(extra, words):
    """EX_CONFIG, with what to do."""
    with Service(accounts_for(1), f"[listen]\n{extra}", *ROLES, is_ready=False) as service:
        assert service.process.wait(PATIENCE_S) == 78
        service.wait_for_line(words)


def test_a_port_that_is_taken_keeps_it_from_starting():
    """And says so."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        text = settings(taken.getsockname()[1])
        with Service(accounts_for(1), text, *ROLES, is_ready=False) as service:
            assert service.process.wait(PATIENCE_S) == 78
            service.wait_for_line("cannot listen at 127.0.0.1")


def test_a_socket_that_systemd_listens_on_is_used():
    """A port below 1024 without a privilege; the addresses of the settings are not asked for."""
    place = (
        "import os, sys; os.dup2(os.dup2(int(sys.argv[1]), 50), 3);"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1',"
        " LISTEN_FDNAMES='pillarbox-listen'); os.execvp(sys.argv[2], sys.argv[2:])"
    )
    with socket.create_server(("127.0.0.1", 0)) as passed:
        port = passed.getsockname()[1]
        service = Service(accounts_for(1), settings(1), *ROLES)
        number = str(passed.fileno())
        service.command = [sys.executable, "-S", "-c", place, number, *service.command]
        service.popen = {"pass_fds": (passed.fileno(),)}
        with service, SmtpClient(port) as client:
            assert client.greet().hand_over(MAIL).startswith("250 ")


def test_it_ends_within_its_time_with_sessions_open():
    """Clients hear that it closes."""
    port = free_port()
    with (
        Service(accounts_for(1), settings(port), *ROLES) as service,
        contextlib.ExitStack() as many,
    ):
        clients = [many.enter_context(SmtpClient(port)).greet() for _ in range(5)]
        assert service.stop() == 0
        assert all(client.reply().startswith("421 4.3.2 ") for client in clients)
