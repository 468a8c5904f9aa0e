"""
A thousand mails through the queue, while everything that can fail at the relay and here does.

The relay is Postfix with Dovecot behind its logins, the daemon is the real one, and the mails come
from several processes. What is held: each mail that was accepted arrives; one that was not accepted
has an exit code that says so, and does not arrive; one that arrives twice was logged as a possible
duplicate; and nobody is told of a failure, because there is none.
"""

import collections
import contextlib
import os
import re
import signal
import smtplib
import ssl
import subprocess
import sys
import time
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from programs import BIN, ENVIRONMENT, run_program
from servers import keeper
from servers.dovecot import PASSWORD, USER, Dovecot
from servers.mailbox import NAMES
from servers.packages import is_root, library_path, require
from servers.postfix import Postfix
from servers.process import Log, eventually

MAILS = 1000
SENDERS = 4
FLOW = Path(__file__).with_name("flow.py")
_LIMIT_S = 60.0

SETTINGS = """\
spool = "{spool}"
submit_socket = "{directory}/submit.sock"
control_socket = "{directory}/control.sock"
accounts_file = "{directory}/msmtprc"
hostname = "sender.example.test"

[limits]
per_user_burst = 100000
min_free_percent = 1

[delivery]
connections_per_account = 4
"""

ACCOUNTS = """\
account default
host localhost
port {port}
tls on
tls_starttls off
tls_trust_file {authority}
auth plain
user {user}
password {password}
from {user}
bounce_to {reader}
timeout 10
"""


class Relay(Postfix):
    """A Postfix that can be stopped and started again, where it was and with what it has."""

    def __init__(self, certificates, logins):
        super().__init__(certificates, logins)
        self._keepers = []
        self._certificates = certificates
        self._users = logins._server.directory / "users"

    def set_password(self, word):
        """Change what it wants to hear; wait until it does."""
        text = self._users.read_text()
        row = f"{USER}:{{PLAIN}}{word}::"
        changed = re.sub(rf"(?m)^{re.escape(USER)}:\{{PLAIN\}}.*?::", lambda _: row, text)
        assert changed != text
        self._users.write_text(changed)
        # Dovecot looks at the file once a second.
        eventually(lambda: self._takes(word), "the new password")

    def _takes(self, word):
        context = ssl.create_default_context(cafile=self._certificates.authority)
        port = self.ports["submissions"]
        with smtplib.SMTP_SSL("localhost", port, timeout=10, context=context) as session:
            try:
                session.login(USER, word)
            except smtplib.SMTPAuthenticationError:
                return False
        return True

    def halt(self):
        """Stop it as an administrator does; mail that it has stays in its own queue."""
        pid = int((self._server.directory / "queue/pid/master.pid").read_text())
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        eventually(lambda: not self._listens(), "the end of the relay")

    def start_again(self, empty_directory):
        """Start it again, in the keeping of a process of its own."""
        empty_directory.mkdir()
        root, directory = require("postfix"), self._server.directory
        words = [root / "usr/lib/postfix/sbin/master", "-s", "-c", directory]
        process = subprocess.Popen(
            [sys.executable, keeper.__file__, str(empty_directory)]
            + ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
            + [f"LD_LIBRARY_PATH={library_path(root)}", f"MAIL_CONFIG={directory}"]
            + [str(word) for word in words],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        self._keepers.append(process)
        eventually(self._listens, "the relay")

    def stop(self):
        """End it for good."""
        for process in self._keepers:
            process.stdin.close()
        for process in self._keepers:
            process.wait(20)
        super().stop()

    def _listens(self):
        return self._server._listens(self.ports["submissions"], None)


class Daemon:
    """``pillarbox serve`` with a directory of its own."""

    def __init__(self, directory, spool):
        self.directory = directory
        self.log = Log(directory / "log")
        path = directory / "pillarbox.toml"
        path.write_text(SETTINGS.format(spool=spool, directory=directory))
        path.chmod(0o600)
        self.environment = {
            "PILLARBOX_SOCKET": str(directory / "submit.sock"),
            "PILLARBOX_CONTROL": str(directory / "control.sock"),
        }
        start = "from pillarbox.cli.main import run; run('pillarbox')"
        with self.log.path.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", start, "serve", "--config", str(path)],
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def ask(self, *words):
        """Run ``pillarbox queue``."""
        config = ("--config", str(self.directory / "pillarbox.toml"))
        return run_program("pillarbox", ["queue", *words, *config], env=self.environment)

    def count(self):
        """Return how many mails wait."""
        listed = self.ask("list", "--json")
        assert listed.exit_code == 0, listed
        return len(listed.out.splitlines())

    def stop(self):
        """End it, gently."""
        self._process.terminate()
        return self._process.wait(30)

    def kill(self):
        """End it if it still runs."""
        self._process.kill()
        self._process.wait(10)


class Flow:
    """Processes that hand mail over at the same time, and what each mail was answered."""

    def __init__(self, daemon, recipient):
        self.codes = {}
        environment = ENVIRONMENT | daemon.environment
        command = [daemon.environment["PILLARBOX_SOCKET"], str(BIN / "sendmail"), recipient]
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-S", str(FLOW), *command, f"s{number}"],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                bufsize=1,
            )
            for number in range(SENDERS)
        ]

    def begin(self, count):
        """Have that many mails handed over, by all together."""
        self._left = dict.fromkeys(self._processes, count // SENDERS)
        for process, number in self._left.items():
            process.stdin.write(f"{number}\n")
            process.stdin.flush()

    def wait(self, part=1.0):
        """Wait until a part of what was begun is answered; return the codes of these mails."""
        codes = []
        for process in self._processes:
            count = round(self._left[process] * part)
            self._left[process] -= count
            for _ in range(count):
                mail_id, code = process.stdout.readline().split()
                self.codes[mail_id] = int(code)
                codes.append(int(code))
        return codes

    def close(self):
        """End the processes."""
        for process in self._processes:
            process.stdin.close()
            process.stdout.close()
            process.kill()
            process.wait(10)


@pytest.fixture
def relay(certificates):
    """Give a relay of this test's own, and its logins."""
    logins = Dovecot(certificates)
    server = Relay(certificates, logins)
    yield server
    server.stop()
    logins.stop()


@pytest.fixture
def small_spool(tmp_path):
    """Give a directory on a file system of 16 MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs", str(path)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted: {mounted.stderr.decode().strip()}")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture
def start_daemon(certificates, tmp_path):
    """Return a function that starts a daemon which sends through a Postfix."""
    started = []

    def start(server, spool, reader):
        directory = tmp_path / "daemon"
        directory.mkdir(mode=0o700)
        accounts = directory / "msmtprc"
        accounts.write_text(
            ACCOUNTS.format(
                port=server.ports["submissions"],
                authority=certificates.authority,
                user=USER,
                password=PASSWORD,
                reader=reader,
            )
        )
        accounts.chmod(0o600)
        started.append(Daemon(directory, spool))
        started[-1].log.wait_for("event=started", _LIMIT_S)
        return started[-1]

    yield start
    for daemon in started:
        daemon.kill()


@pytest.fixture
def daemon(relay, small_spool, start_daemon):
    """Give a running daemon that sends through the relay, with little room."""
    return start_daemon(relay, small_spool / "spool", USER)


def fill(path):
    """Write a file until nothing fits any more; return it."""
    filler = path / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return filler


@pytest.mark.skipif(not is_root(), reason="mounts a small disk, and Postfix must start as root")
def test_a_thousand_mails_through_every_failure(relay, daemon, small_spool, tmp_path):
    """Relay stopped, restarted, password changed and changed back, disk filled: nothing is lost."""
    box = f"{NAMES[0]}@example.test"
    with contextlib.closing(Flow(daemon, box)) as flow:
        _flow_through_failures(flow, relay, daemon, small_spool, tmp_path)
    assert len(flow.codes) == MAILS
    accepted = {mail_id for mail_id, code in flow.codes.items() if code == 0}
    assert len(accepted) > MAILS * 0.9
    _check_arrivals(relay, daemon, box, accepted)
    assert daemon.stop() == 0
    # Nobody was told of a failure, and no fault of ours was seen.
    assert relay.boxes.is_empty(USER)
    log = daemon.log.text()
    for event in ("bounced", "notice", "internal_error", "fault", "corrupt", "suspended"):
        assert f"event={event} " not in log
    assert PASSWORD not in log


def _flow_through_failures(flow, relay, daemon, small_spool, tmp_path):
    each = MAILS // 5
    flow.begin(each)
    assert set(flow.wait()) == {0}

    # The relay goes while mail flows.
    flow.begin(each)
    flow.wait(0.2)
    relay.halt()
    assert set(flow.wait()) == {0}
    daemon.log.wait_for("event=account_(failed|paused)", _LIMIT_S)

    # It comes back with another password: that is not the fault of any mail.
    relay.start_again(tmp_path / "first")
    relay.set_password("another")
    flow.begin(each)
    daemon.ask("flush")
    daemon.log.wait_for("event=account_(failed|paused) .*kind=login", _LIMIT_S)
    assert set(flow.wait()) == {0}

    # The disk is full, while mail flows in and nothing goes out: none is taken.
    filler = fill(small_spool)
    flow.begin(each // 10)
    assert set(flow.wait()) == {75, 452}
    # The password is right again: what goes out of a full disk makes room for others.
    relay.set_password(PASSWORD)
    assert daemon.ask("resume", "default").exit_code == 0
    flow.begin(each // 10)
    assert set(flow.wait()) <= {0, 75, 451, 452}
    filler.unlink()
    flow.begin(each - 2 * (each // 10))
    assert set(flow.wait()) == {0}

    # And once more a restart while mail flows.
    flow.begin(each)
    flow.wait(0.2)
    relay.halt()
    relay.start_again(tmp_path / "second")
    assert set(flow.wait()) == {0}
    _drain(daemon)


def _drain(daemon):
    """Wait until nothing waits, and have it tried meanwhile, whatever the relay's last word was."""
    deadline = time.monotonic() + _LIMIT_S
    while daemon.count():
        assert time.monotonic() < deadline, daemon.ask("list").out
        assert daemon.ask("resume", "default").exit_code == 0
        time.sleep(0.1)


def _check_arrivals(relay, daemon, box, accepted):
    """Every accepted mail arrived, no other did, and none twice without a word in the log."""
    new = relay.boxes.directory / box.partition("@")[0] / "new"
    eventually(lambda: len(_arrived(new)) >= len(accepted), "the last mail", _LIMIT_S)
    arrived = _arrived(new)
    assert set(arrived) == accepted
    doubtful = set(re.findall(r"id=(\S+) .*possible_duplicate=yes", daemon.log.text()))
    twice = [entries for entries in arrived.values() if len(entries) > 1]
    assert {queue_id for entries in twice for queue_id, _ in entries} <= doubtful


def _arrived(new):
    """
    Return for each mail that arrived the queue IDs that it came under: ours and the relay's.

    What the relay itself has delivered twice, for it was stopped in between, counts once.
    """
    found = collections.defaultdict(set)
    for path in new.iterdir():
        mail = path.read_bytes()
        mail_id = re.search(rb"(?m)^Message-ID: <(.*?)@example\.test>", mail)[1].decode()
        queue_id = re.search(rb"with LMTP id ([0-9a-z-]+)", mail)[1].decode()
        relay_id = re.search(rb"with ESMTPSA id (\w+)", mail)[1].decode()
        found[mail_id].add((queue_id, relay_id))
    return found


def test_who_is_refused_is_told_of_and_the_others_get_it(postfix, start_daemon, tmp_path):
    """A real relay takes the notice with its null reverse-path, and it says what was refused."""
    box, reader = postfix.boxes.fresh(), postfix.boxes.fresh()
    daemon = start_daemon(postfix, tmp_path / "spool", reader)
    mail = f"From: {USER}\nTo: {box}\nBcc: hidden@example.test\nSubject: the backup\n\nhush\n"

    result = run_program(
        "sendmail",
        ["-i", "-f", USER, box, "nobody@example.test"],
        mail.encode(),
        env=daemon.environment,
    )

    assert (result.exit_code, result.err) == (0, "")
    assert b"hush" in postfix.boxes.mail(box)
    arrived = postfix.boxes.mail(reader)
    assert arrived.startswith(b"Return-Path: <>\n")
    assert b"hush" not in arrived
    notice = message_from_bytes(arrived, policy=policy.default)
    assert notice["From"].addresses[0].addr_spec == USER
    assert "mail to nobody@example.test was not delivered" in notice["Subject"]
    _, facts, header = notice.iter_parts()
    refused = facts.get_payload()[1]
    assert refused["Final-Recipient"] == "rfc822; nobody@example.test"
    assert refused["Status"] == "5.1.1"
    assert refused["Diagnostic-Code"].startswith("smtp; 550 5.1.1 <nobody@example.test>")
    assert "hidden" not in header.get_payload()
    eventually(lambda: not daemon.count(), "the end of the queue")
    assert daemon.ask("list", "--state", "failed", "--json").out
    assert daemon.stop() == 0
