"""``pillarbox serve`` as a process: its start, its signals, its end, and mail that goes through."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import smtplib
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from peer import Peer
from pillarbox.config.places import find_places
from pillarbox.config.service import parse_service
from pillarbox.delivery.acceptance import Accounts
from pillarbox.delivery.clock import Clock
from pillarbox.delivery.events import Events
from pillarbox.intake.daemon import Daemon
from pillarbox.intake.systemd import Passed
from pillarbox.net.control import ControlClient
from programs import ENVIRONMENT, run_program
from served import PATIENCE_S, Service, accounts_for, folder_for_all

MAIL = b"From: me@example.org\nTo: you@example.com\nSubject: test\n\nhello\n"
NOWHERE = accounts_for(1)  # nobody listens there


@pytest.fixture
def relay():
    """Run the provider's stand-in."""
    with Peer() as running:
        yield running


def queued(service):
    """Return the queue IDs in a service's spool."""
    return os.listdir(service.spool / "queue")


# -- mail ------------------------------------------------------------------------------------------


def test_a_mail_goes_all_the_way(relay):
    """It is taken, delivered and gone from the spool."""
    with Service(accounts_for(relay.port)) as service:
        (answer,) = service.hand_over(MAIL)
        assert answer.startswith("250 2.0.0 Queued as ")
        service.wait_for_line("event=delivered")
    (received,) = relay.received
    assert received.sender == "me@example.org"
    assert received.recipients == ["you@example.com"]
    assert received.body == b"hello\r\n"
    assert received.value("Received").startswith(f"from caller (uid {os.getuid()})")
    assert service.exit_code == 0


def test_who_waits_hears_the_provider(relay):
    """XWAIT through everything that is real."""
    relay.handler.refused["no@example.com"] = "550 5.1.1 no such user"
    with Service(accounts_for(relay.port)) as service:
        said = service.hand_over(MAIL, "you@example.com", "no@example.com", wishes="XWAIT")
        assert said[0].startswith("250 2.0.0 250 taken, ")
        assert said[1].startswith("550 5.1.1 ")
        assert "no such user" in said[1]
        assert not [line for line in service.lines if "notice" in line]


def test_who_waits_for_a_provider_that_is_away_hears_that_the_mail_is_kept():
    """At once, and the mail is in the queue."""
    with Service(NOWHERE) as service:
        (said,) = service.hand_over(MAIL, wishes="XWAIT")
        assert said.startswith("451 4.3.0 ")
        assert "kept in the queue as " in said
        (name,) = queued(service)
        assert name in said


def test_a_client_of_the_standard_library_is_served():
    """smtplib.LMTP, which nobody of this house wrote."""
    with Service(NOWHERE) as service, smtplib.LMTP(service.submit, None) as client:
        assert client.sendmail("me@example.org", ["a@example.com"], MAIL) == {}
        assert len(queued(service)) == 1


def test_mail_that_waits_goes_when_it_is_said_that_the_network_is_up(relay):
    """SIGUSR1, as a hook of the network would send it."""
    with Service(NOWHERE) as service:
        service.hand_over(MAIL)
        service.wait_for_line("account=default", "kind=site")
        service.write(service.accounts_file, accounts_for(relay.port), 0o600)
        service.signal(signal.SIGHUP)
        service.wait_for_line("event=reloaded")
        service.signal(signal.SIGUSR1)
        service.wait_for_line("event=flush why=signal")
        service.wait_for_line("event=delivered")
    assert len(relay.received) == 1


def test_what_waited_is_delivered_by_the_next_service(relay):
    """A restart loses nothing."""
    folder = folder_for_all()
    try:
        with Service(NOWHERE, folder=folder) as service:
            service.hand_over(MAIL)
        with Service(accounts_for(relay.port), folder=folder) as service:
            service.wait_for_line("event=delivered")
            assert "waiting=1" in service.wait_for_line("event=started")
    finally:
        shutil.rmtree(folder)
    assert len(relay.received) == 1


def test_a_daemon_that_is_killed_loses_nothing(relay):
    """SIGKILL behind the yes; the next one finds the stale sockets and the mail."""
    folder = folder_for_all()
    try:
        with Service(NOWHERE, folder=folder) as service:
            service.hand_over(MAIL)
            service.stop(signal.SIGKILL)
        with Service(accounts_for(relay.port), folder=folder) as service:
            service.wait_for_line("event=delivered")
    finally:
        shutil.rmtree(folder)
    assert len(relay.received) == 1


# -- the start -------------------------------------------------------------------------------------


def test_systemd_hears_of_each_step():
    """READY when mail is taken, RELOADING and READY, STOPPING."""
    with Service(NOWHERE) as service:
        with service.client() as client:
            assert client.reply().startswith("220 ")
        service.signal(signal.SIGHUP)
        service.wait_until_told("READY=1", 2)
        assert service.stop() == 0
        service.wait_until_told("STOPPING=1")
        states = [told.partition("\n")[0] for told in service.told if "WATCHDOG" not in told]
        assert states == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
        reload = next(told for told in service.told if told.startswith("RELOADING"))
        assert "\nMONOTONIC_USEC=" in reload


def test_modes_of_what_it_makes():
    """The sockets are for all, the spool for nobody else (attack P1)."""
    with Service(NOWHERE) as service:
        service.hand_over(MAIL)
        modes = {
            path: stat.S_IMODE(os.lstat(path).st_mode)
            for path in (service.submit, service.control, os.path.dirname(service.submit))
        }
        assert list(modes.values()) == [0o666, 0o666, 0o755]
        for folder, _, files in os.walk(service.spool):
            assert stat.S_IMODE(os.lstat(folder).st_mode) == 0o700
            for name in files:
                assert stat.S_IMODE(os.lstat(f"{folder}/{name}").st_mode) == 0o600


def test_a_second_service_on_the_same_spool_ends_with_75(relay):
    """Attack P8: it says who has it, and the first one goes on."""
    with Service(accounts_for(relay.port)) as service:
        second = run_program("pillarbox", ["serve", "--config", str(service.config)])
        assert second.exit_code == 75
        assert str(service.process.pid) in second.err
        assert "event=stopped" not in second.err  # it never was
        service.hand_over(MAIL)
        service.wait_for_line("event=delivered")


def test_a_second_service_at_the_same_socket_ends_with_75():
    """Attack P8: with a spool of its own it may not take the callers either."""
    with Service(NOWHERE) as service:
        other = str(service.folder / "other")
        arguments = ["serve", "--config", str(service.config), "--spool", other]
        second = run_program("pillarbox", arguments)
        assert second.exit_code == 75
        assert "another process answers at" in second.err
        with service.client() as client:
            assert client.reply().startswith("220 ")


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["--nonsense"], 64, "--nonsense"),
        (["--roles", "deliver,send"], 64, "submit, deliver"),
        (["--roles", ""], 64, "submit, deliver"),
        (["extra"], 64, "extra"),
        (["--config", "/nonexistent/x"], 78, "/nonexistent/x is not there"),
        (["--help"], 0, "usage: pillarbox serve"),
    ],
)
def test_wrong_use_is_said_in_a_line(arguments, exit_code, words):
    """With the exit code of its kind."""
    done = run_program("pillarbox", ["serve", *arguments])
    assert done.exit_code == exit_code
    assert words in done.err + done.out
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("settings", "accounts", "words"),
    [
        ("max_mesage = 5\n", NOWHERE, "unknown setting max_mesage"),
        ("[limits]\nmax_message = 'large'\n", NOWHERE, "invalid value for max_message"),
        ("", "account default\nhost\n", "msmtprc"),
        ("", NOWHERE + "fallback nobody\n", "nobody"),
    ],
)
def test_a_broken_file_keeps_it_from_starting(settings, accounts, words):
    """EX_CONFIG, the file, and what is wrong."""
    with Service(accounts, settings, is_ready=False) as service:
        assert service.process.wait(PATIENCE_S) == 78
        service.wait_for_line(words)


def test_a_spool_that_others_can_change_is_refused(tmp_path):
    """Attack P1: mail is not put where somebody else can plant links."""
    spool = tmp_path / "spool"
    spool.mkdir()
    spool.chmod(0o777)
    with Service(NOWHERE, "", "--spool", str(spool), is_ready=False) as service:
        assert service.process.wait(PATIENCE_S) == 75
        service.wait_for_line(str(spool))
        assert os.listdir(spool) == []


def test_what_somebody_left_open_is_closed(tmp_path):
    """Attack P2: a descriptor of the one who started it is not kept for years."""
    secret = tmp_path / "somebody's file"
    secret.write_text("x")
    service = Service(NOWHERE)
    with open(secret) as file:
        service.popen = {"pass_fds": (file.fileno(),)}
        with service:
            service.hand_over(MAIL)
            for fd in Path(f"/proc/{service.process.pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                    assert os.readlink(fd) != str(secret)


def test_sockets_that_systemd_listens_on_are_used():
    """Callers wait in systemd's socket while the service starts; its own are not made."""
    folder = folder_for_all()
    service = Service(NOWHERE, folder=folder)
    (folder / "run").mkdir()
    code = (
        "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid());"
        "os.environ['LISTEN_FDS'] = '2'; os.environ['LISTEN_FDNAMES'] = 'a:b';"
        "os.execvp(sys.argv[1], sys.argv[1:])"
    )
    with socket.socket(socket.AF_UNIX) as submit, socket.socket(socket.AF_UNIX) as control:
        for sock, path in ((submit, service.submit), (control, service.control)):
            sock.bind(path)
            sock.listen()
        numbers = [submit.fileno(), control.fileno()]
        early = service.client()  # nobody is there yet
        place = (
            "import os, sys; [os.dup2(os.dup(int(n)), 50 + i) for i, n in"
            " enumerate(sys.argv[1].split(','))]; [os.dup2(50 + i, 3 + i) for i in (0, 1)];"
            "os.closerange(5, 200); os.execvp(sys.argv[2], sys.argv[2:])"
        )
        wanted = ",".join(map(str, numbers))
        service.command = [
            *(sys.executable, "-S", "-c", place, wanted),
            *(sys.executable, "-S", "-c", code),
            *service.command,
        ]
        service.popen = {"pass_fds": numbers}
        inode = os.stat(service.submit).st_ino
        try:
            with early, service:
                assert early.hand_over(MAIL)[0].startswith("250 ")
                with ControlClient(service.control) as asker:
                    assert list(asker.ask({"command": "status"}))[-1]["code"] == 0
                assert os.stat(service.submit).st_ino == inode
            assert os.stat(service.submit).st_ino == inode
        finally:
            shutil.rmtree(folder)


def test_it_is_started_by_systemd_socket_activate():
    """The real tool of systemd: the first caller starts the service."""
    tool = shutil.which("systemd-socket-activate")
    if tool is None:
        pytest.skip("systemd-socket-activate is not installed")
    service = Service(NOWHERE, is_ready=False)
    (service.folder / "run").mkdir()
    service.command = [
        *(tool, "--listen", service.submit, "--fdname", "submit"),
        *("-E", f"PYTHONPATH={ENVIRONMENT['PYTHONPATH']}"),
        *service.command,
    ]
    with service:
        service.wait_for_line("Listening on")
        assert service.hand_over(MAIL)[0].startswith("250 ")
        service.wait_for_line("event=started")
        assert len(queued(service)) == 1


def test_a_damaged_entry_does_not_keep_it_from_starting():
    """It is put aside and named, and mail is taken."""
    folder = folder_for_all()
    try:
        with Service(NOWHERE, folder=folder) as service:
            service.hand_over(MAIL)
            (name,) = queued(service)
        (folder / "spool" / "queue" / name).write_bytes(b"garbage")
        with Service(NOWHERE, folder=folder) as service:
            service.wait_for_line("event=corrupt", name)
            assert os.listdir(service.spool / "corrupt") == [name]
    finally:
        shutil.rmtree(folder)


# -- signals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "accounts", "words"),
    [
        ("nonsense = 1\n", NOWHERE, "unknown setting nonsense"),
        ("nonsense", NOWHERE, "is not valid TOML"),
        ("", "account default\nhots x\n", "hots"),
        ("", NOWHERE + "fallback nobody\n", "nobody"),
    ],
)
def test_a_reload_of_a_broken_file_changes_nothing(settings, accounts, words):
    """One line says what is wrong, and mail is taken as before."""
    with Service(NOWHERE, "[limits]\nmax_message = 2000\n") as service:
        service.write_settings(settings)
        service.write(service.accounts_file, accounts, 0o600)
        service.signal(signal.SIGHUP)
        service.wait_until_told("READY=1", 2)
        service.wait_for_line("event=reload_refused", words)
        assert not [line for line in service.lines if "event=reloaded" in line]
        assert service.hand_over(MAIL)[0].startswith("250 ")
        assert service.hand_over(b"x" * 2001)[0].startswith("552 ")


def test_a_reload_takes_new_limits_for_new_callers():
    """And says what needs a restart."""
    with Service(NOWHERE, "[limits]\nmax_message = 2000\n") as service:
        service.write_settings('hostname = "new.example.org"\n[limits]\nmax_message = 100\n')
        service.signal(signal.SIGHUP)
        service.wait_for_line("event=reloaded")
        assert "settings=hostname" in service.wait_for_line("event=needs_restart")
        assert service.hand_over(b"x" * 101)[0].startswith("552 ")
        assert service.hand_over(b"x" * 100)[0].startswith("250 ")
        (name,) = queued(service)
        content = (service.spool / "queue" / name).read_bytes()
        assert b"new.example.org" not in content


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to(number):
    """With 0, the sockets of the system's service still there for those who will wait."""
    with Service(NOWHERE) as service:
        idle = service.client().greet()
        assert service.stop(number) == 0
        with idle:
            assert idle.reply().startswith("421 4.3.2 Shutting down")
        assert os.path.exists(service.submit)
        service.wait_for_line("event=stopped")


def test_the_end_does_not_wait_for_a_provider_that_hangs():
    """What is on its way is given back, within ten seconds."""
    hole = socket.create_server(("127.0.0.1", 0))
    with hole, Service(accounts_for(hole.getsockname()[1])) as service:
        service.hand_over(MAIL)
        connection, _ = hole.accept()
        with connection:
            assert service.stop() == 0
        assert len(queued(service)) == 1


def test_signals_during_the_start_are_no_accident():
    """A TERM that comes early ends it cleanly."""
    with Service(NOWHERE, is_ready=False) as service:
        service.wait_for(lambda: service.process.poll() is not None or service.told, 20)
        assert service.stop() == 0


# -- the watchdog ----------------------------------------------------------------------------------


def test_the_watchdog_is_fed_when_all_is_well():
    """Twice in its time."""
    with Service(NOWHERE, watchdog_s=0.2) as service:
        service.wait_until_told("WATCHDOG=1", 3)


class _Systemd:
    """Counts how often it heard that all is well, and ends the watch after some turns."""

    watchdog_s = 0.002

    def __init__(self):
        self.count = 0
        self.told = []

    def alive(self):
        """Count."""
        self.count += 1

    def reloading(self):
        """Note it."""
        self.told.append("reloading")

    def ready(self, _=""):
        """Note it."""
        self.told.append("ready")


def make_daemon(home, systemd, lines, *, read_service=lambda: None):
    """Return a daemon that has not been started."""
    return Daemon(
        parse_service({}, find_places({"HOME": str(home)}, is_user=True)),
        Accounts({}),
        read_service=read_service,
        is_user=True,
        notifier=systemd,
        passed=Passed([]),
        events=Events(lines.append),
        clock=Clock(),
    )


def test_a_fault_of_ours_in_a_reload_does_not_leave_systemd_waiting(tmp_path):
    """Attack: Type=notify-reload ends a service that never says that it is ready again."""
    lines, systemd = [], _Systemd()

    def broken():
        raise RuntimeError("a bug")

    async def reload():
        await make_daemon(tmp_path, systemd, lines, read_service=broken)._reload()

    asyncio.run(reload())
    assert systemd.told == ["reloading", "ready"]
    (line,) = lines
    assert "event=internal_error kind=RuntimeError" in line


@pytest.mark.parametrize(
    ("look", "count", "words"),
    [
        (lambda: "", 3, None),
        (lambda: "the dispatcher has ended", 0, "the dispatcher has ended"),
        (None, 0, "the spool does not answer"),
    ],
    ids=["well", "ill", "stuck"],
)
def test_the_watchdog_starves_when_something_does_not_work(tmp_path, look, count, words):
    """Attack P7: who cannot do his work does not say that he can, and one line says why."""
    go_on = threading.Event()
    lines = []
    systemd = _Systemd()

    async def watch():
        daemon = make_daemon(tmp_path, systemd, lines)
        daemon._look = look or (lambda: str(go_on.wait(20)))
        looks = 0
        inner = daemon._look_within

        async def counted(timeout_s):
            nonlocal looks
            looks += 1
            if looks > 3:
                raise asyncio.CancelledError
            return await inner(timeout_s)

        daemon._look_within = counted
        with contextlib.suppress(asyncio.CancelledError):
            await daemon._watch()
        go_on.set()

    asyncio.run(watch())
    assert systemd.count == count
    assert [line.partition("problem=")[2] for line in lines] == ([f'"{words}"'] if words else [])


# -- whose it is -----------------------------------------------------------------------------------


@pytest.mark.users
def test_it_serves_an_ordinary_user_without_new_privileges(relay):
    """No root, no set-id bit, nothing to gain: PR_SET_NO_NEW_PRIVS."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    prefix = ["setpriv", "--reuid", "4712", "--regid", "4712", "--clear-groups"]
    prefix += ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--"]
    with Service(accounts_for(relay.port), prefix=prefix, uid=4712) as service:
        status = Path(f"/proc/{service.process.pid}/status").read_text()
        assert "NoNewPrivs:\t1" in status
        assert "Uid:\t4712\t4712\t4712\t4712" in status
        service.hand_over(MAIL)
        service.wait_for_line("event=delivered")
        with service.client(is_stranger=True) as client:
            assert client.hand_over(MAIL)[0].startswith("250 ")
        service.wait_for_line("event=delivered", count=2)
    assert "(uid 4711)" in relay.received[1].value("Received")


def test_a_users_own_service_is_for_nobody_else(relay):
    """--user: XDG directories, closed to others; no socket is left when it ends."""
    home = folder_for_all()
    run = home / "run"
    run.mkdir(mode=0o700)
    (home / ".msmtprc").write_text(accounts_for(relay.port))
    (home / ".msmtprc").chmod(0o600)
    env = {"HOME": str(home), "XDG_RUNTIME_DIR": str(run)}
    service = Service("", folder=home, env=env)
    service.command = [*service.command[: service.command.index("--config")], "--user"]
    service.submit = str(run / "pillarbox" / "submit.sock")
    try:
        with service:
            service.hand_over(MAIL)
            service.wait_for_line("event=delivered")
            spool = home / ".local" / "state" / "pillarbox" / "spool"
            for path, mode in (
                (service.submit, 0o600),
                (run / "pillarbox" / "control.sock", 0o600),
                (run / "pillarbox", 0o700),
                (spool, 0o700),
                (spool / "queue", 0o700),
            ):
                assert stat.S_IMODE(os.lstat(path).st_mode) == mode, path
        assert os.listdir(run / "pillarbox") == []
    finally:
        shutil.rmtree(home)


def test_a_credential_of_systemd_is_the_password(tmp_path):
    """$CREDENTIALS_DIRECTORY reaches the search for secrets, in the service too."""
    (tmp_path / "pillarbox.default").write_text("correct horse\n")
    tmp_path.chmod(0o700)
    with Peer(wants_login=True) as peer:
        accounts = accounts_for(peer.port, auth="plain", user="user@example.org", tls="off")
        env = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
        with Service(accounts, env=env) as service:
            service.hand_over(MAIL)
            service.wait_for_line("event=delivered")
        assert peer.received[0].login == "user@example.org"


# -- roles apart -----------------------------------------------------------------------------------


def test_roles_apart_are_one_service(relay):
    """One takes, one delivers; who waits at the one hears what the other was told."""
    folder = folder_for_all()
    relay.handler.refused["no@example.com"] = "550 5.1.1 no such user"
    try:
        with (
            Service(accounts_for(relay.port), "", "--roles", "deliver", folder=folder) as deliver,
            Service(accounts_for(relay.port), "", "--roles", "submit", folder=folder) as submit,
        ):
            assert submit.hand_over(MAIL)[0].startswith("250 2.0.0 Queued as ")
            deliver.wait_for_line("event=delivered")
            said = submit.hand_over(MAIL, "you@example.com", "no@example.com", wishes="XWAIT")
            assert said[0].startswith("250 2.0.0 250 taken")
            assert said[1].startswith("550 5.1.1 ")
            assert not [line for line in submit.lines if "delivered" in line]
    finally:
        shutil.rmtree(folder)
    assert len(relay.received) == 2


def test_who_takes_mail_does_so_while_nobody_delivers():
    """The mail is safe, one line says that the other half is missing, and shares are counted."""
    folder = folder_for_all()
    settings = "[limits]\nper_user_share_count = 1\n"
    try:
        with Service(NOWHERE, settings, "--roles", "submit", folder=folder) as service:
            for _ in range(10):
                assert service.hand_over(MAIL)[0].startswith("250 2.0.0 Queued as ")
            service.wait_for_line("event=deliverer_missing")
            with service.client() as client:
                said = client.begin("you@example.com")
                assert said[0].startswith("452 4.7.1 You have 10 mails waiting")
        again = Service(NOWHERE, settings, "--roles", "submit", folder=folder)
        with again, again.client() as client:
            assert client.begin("you@example.com")[0].startswith("452 4.7.1 ")
        assert len(os.listdir(folder / "spool" / "queue")) == 10
    finally:
        shutil.rmtree(folder)


def test_a_descriptor_limit_is_no_end():
    """Attack P3: with no descriptor left callers wait, and are served when there are some."""
    limits = "import resource, os, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40));"
    code = limits + "os.execvp(sys.argv[1], sys.argv[1:])"
    service = Service(NOWHERE, prefix=[sys.executable, "-S", "-c", code])
    with service:
        crowd = [service.client() for _ in range(60)]
        service.wait_for_line("event=socket")
        for client in crowd:
            client.close()
        assert service.hand_over(MAIL)[0].startswith("250 ")
        assert len([line for line in service.lines if "event=socket" in line]) == 1


@pytest.mark.users
def test_its_memory_is_closed_to_others():
    """Attacks L10, P6: not dumpable, so that not even its own user reads it through /proc."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    prefix = ["setpriv", "--reuid", "4712", "--regid", "4712", "--clear-groups", "--"]
    with Service(NOWHERE, prefix=prefix, uid=4712) as service:
        for name in ("environ", "mem", "maps", "fd/0"):
            path = f"/proc/{service.process.pid}/{name}"
            done = subprocess.run(
                [*prefix, "head", "-c1", path], capture_output=True, text=True, check=False
            )
            assert "Permission denied" in done.stderr, name
