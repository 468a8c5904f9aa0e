"""
Attacks on the service by another user of the same computer, each tried for real.

The service runs as a user of its own, its account has a password that is known (the canary), and
an attacker with a user id of his own and nothing else tries. Rows P1 to P9 and L6 to L12 of
``docs/threats.md``; an attack that succeeds prints why, and that is a failed test.
"""

from __future__ import annotations

import base64
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from door import Client
from peer import PASSWORD, USER, Peer
from programs import SRC
from served import Service, accounts_for, folder_for_all

pytestmark = [
    pytest.mark.users,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else"),
]

ATTACKER, SERVICE = 4711, 4712
CANARY = PASSWORD  # what must not be found anywhere
MAIL = b"From: me@example.org\nTo: you@example.com\nSubject: test\n\nhello\n"
SETTINGS = """\
[limits]
per_user_burst = 200
max_message = "2M"
[senders]
"4711" = ["joe@example.org"]
"""


def becoming(uid):
    """Return a command that runs another as a user."""
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--"]


# What every attack begins with; ``done(...)`` says that it succeeded.
_PRELUDE = """\
import ctypes, errno, fcntl, os, signal, socket, sys
folder, pid = sys.argv[1], int(sys.argv[2])
spool, submit = folder + '/spool', folder + '/run/submit.sock'
libc = ctypes.CDLL(None, use_errno=True)
def done(why=True):
    if why: print('SUCCESS', why)
def checked(result):
    if result < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def read(path):
    with open(path, 'rb') as file: done((path, file.read(64)))
def talk(*lines):
    sock = socket.socket(socket.AF_UNIX); sock.settimeout(20); sock.connect(submit)
    sock.sendall(b''.join(line + b'\\r\\n' for line in (b'LHLO x', *lines, b'QUIT')))
    text = b''
    while data := sock.recv(65536): text += data
    return text
try:
    exec(sys.argv[3])
except OSError as exc:
    print('DENIED' if exc.errno in (errno.EACCES, errno.EPERM) else f'FAILED {exc}')
"""


@pytest.fixture(scope="module")
def relay():
    """Run the provider's stand-in, which wants the canary."""
    with Peer(wants_login=True) as running:
        yield running


def accounts_with_password(relay):
    """Return a configuration with the canary in it."""
    return accounts_for(relay.port, auth="plain", user=USER, password=f'"{CANARY}"', tls="off")


@pytest.fixture(scope="module")
def victim(relay):
    """Run the service, which has used its password and has mail of root's in its queue."""
    accounts = accounts_with_password(relay)
    accounts += "account slow\nhost 127.0.0.1\nport 1\nfrom me@example.org\n"
    with Service(accounts, SETTINGS, prefix=becoming(SERVICE), uid=SERVICE) as service:
        service.hand_over(MAIL)
        service.wait_for_line("event=delivered")
        (said,) = service.hand_over(b"Subject: root's secret plan\n\n", wishes="XACCOUNT=slow")
        service.secret_id = said.rpartition(" ")[2]
        service.wait_for_line("account=slow", "kind=site")
        yield service


@pytest.fixture(autouse=True)
def _survives(victim):
    """After each attack it is the same process, and takes mail."""
    pid = victim.process.pid
    yield
    assert victim.process.poll() is None
    assert victim.process.pid == pid
    with Client(victim.submit) as client:
        assert client.greet()


def attack(service, code, uid=ATTACKER):
    """Return what an attack printed."""
    command = [*becoming(uid), sys.executable, "-S", "-c", _PRELUDE]
    done = subprocess.run(
        [*command, str(service.folder), str(service.process.pid), code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(SRC), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        timeout=60,
    )
    assert "SyntaxError" not in done.stderr, done.stderr
    assert "NameError" not in done.stderr, done.stderr
    return (done.stdout + done.stderr).strip()


# -- files and processes ---------------------------------------------------------------------------

_DENIED = {
    "P1 symlink planted in the queue": "os.symlink('/etc/shadow', spool + '/queue/x'); done()",
    "P1 symlink planted in tmp": "os.symlink('/etc/shadow', spool + '/tmp/x'); done()",
    "P1 hard link planted in the queue": "os.link('/etc/passwd', spool + '/queue/x'); done()",
    "P1 FIFO planted in the queue": "os.mkfifo(spool + '/queue/x'); done()",
    "P1 the spool put aside": "os.rename(spool, folder + '/gone'); done()",
    "P1 a link in place of the socket": "os.symlink('/tmp/x', folder + '/run/x'); done()",
    "P1 the socket taken away": "os.unlink(submit); done()",
    "P1 a socket put over it": (
        "s = socket.socket(socket.AF_UNIX); s.bind(folder + '/run/x');"
        "os.rename(folder + '/run/x', submit); done()"
    ),
    "P1 the mail of others listed": "done(os.listdir(spool + '/queue'))",
    "P2 ended by a signal": "os.kill(pid, signal.SIGTERM); done()",
    "P2 made to reload by a signal": "os.kill(pid, signal.SIGHUP); done()",
    "P2 slowed down": "os.setpriority(os.PRIO_PROCESS, pid, 19); done()",
    "P2 limited": (
        "import resource; resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, 3)); done()"
    ),
    "P4 the accounts read": "read(folder + '/msmtprc')",
    "P4 the accounts changed": "open(folder + '/msmtprc', 'a').write('x'); done()",
    "P4 the settings changed": "open(folder + '/pillarbox.toml', 'a').write('x'); done()",
    "P4 other accounts put in place": (
        "open('/tmp/evil', 'w').close(); os.rename('/tmp/evil', folder + '/msmtprc'); done()"
    ),
    "P6 environ": "read(f'/proc/{pid}/environ')",
    "P6 mem": "read(f'/proc/{pid}/mem')",
    "P6 maps": "read(f'/proc/{pid}/maps')",
    "P6 auxv": "read(f'/proc/{pid}/auxv')",
    "P6 stack": "read(f'/proc/{pid}/stack')",
    "P6 descriptors": "done(os.listdir(f'/proc/{pid}/fd'))",
    "P6 root": "done(os.listdir(f'/proc/{pid}/root'))",
    "P6 cwd": "done(os.listdir(f'/proc/{pid}/cwd'))",
    "P6 a dump made by a signal": "os.kill(pid, signal.SIGABRT); done()",
    "P6 ptrace": "checked(libc.ptrace(16, pid, 0, 0)); done()",
    "P6 ptrace without stopping it": "checked(libc.ptrace(0x4206, pid, 0, 0)); done()",
    "P6 process_vm_readv": (
        "b = ctypes.create_string_buffer(8);"
        "v = (ctypes.c_void_p * 2)(ctypes.addressof(b), 8);"
        "checked(libc.process_vm_readv(pid, v, 1, v, 1, 0)); done()"
    ),
    "P6 a descriptor taken out": (
        "checked(libc.syscall(438, checked(libc.syscall(434, pid, 0)), 3, 0)); done()"
    ),
    "P8 the lock of the spool taken": (
        "fcntl.flock(os.open(spool + '/deliver.lock', os.O_RDWR), fcntl.LOCK_EX); done()"
    ),
    "P9 the clock set": "import time; time.clock_settime(time.CLOCK_REALTIME, 0); done()",
}


@pytest.mark.parametrize("name", _DENIED)
def test_what_the_kernel_has_to_deny_is_denied(victim, name):
    """Files, sockets and the process are closed to everybody else: EACCES or EPERM."""
    assert attack(victim, _DENIED[name]) == "DENIED"


# A signal of one's own user's is none of a stranger's.
_OF_ITS_OWN = [name for name in _DENIED if name.startswith("P6 ") and "signal" not in name]


@pytest.mark.parametrize("name", _OF_ITS_OWN)
def test_not_even_its_own_user_reads_its_memory(victim, name):
    """A program that the service's user runs, a hook of his say, is kept from the password too."""
    assert attack(victim, _DENIED[name], SERVICE) == "DENIED"


def test_no_bit_gives_rights_away(victim):
    """Attack P2: nothing is set-id, and nothing in the spool is for anybody else."""
    for top in (SRC, SRC.parent / "bin", victim.folder):
        for folder, names, files in os.walk(top):
            for name in (*names, *files):
                mode = os.lstat(os.path.join(folder, name)).st_mode
                assert not mode & (stat.S_ISUID | stat.S_ISGID), name
    for folder, _, files in os.walk(victim.spool):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            assert not os.lstat(path).st_mode & 0o077, path


def test_a_second_service_cannot_take_the_queue(victim):
    """Attack P8: neither the spool nor the socket of another is his to use."""
    said = attack(
        victim,
        "import subprocess; os.environ['HOME'] = '/tmp';"
        "r = subprocess.run([sys.executable, '-m', 'pillarbox', 'serve', '--user', '--spool',"
        " spool], capture_output=True, text=True, cwd='/'); print(r.returncode, r.stderr);"
        "done(r.returncode == 0)",
    )
    assert "SUCCESS" not in said
    assert said.startswith(("75 ", "77 ", "78 ")), said


def test_a_users_own_files_are_not_read_by_the_service(tmp_path, relay):
    """Attack P5: an account, an alias or a command of the caller's is nothing to the service."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    home = folder_for_all()
    (home / ".msmtprc").write_text(
        f"account evil\nhost 127.0.0.1\nport {relay.port}\nfrom e@example.org\n"
        f"passwordeval touch {home}/touched\naliases {home}/aliases\n"
    )
    (home / "aliases").write_text(f"root: |touch {home}/touched\n")
    os.chown(home, ATTACKER, ATTACKER)
    trace = tmp_path / "trace"
    prefix = [strace, "-f", "-qq", "-e", "trace=open,openat,execve", "-o", str(trace)]
    try:
        with Service(accounts_with_password(relay), prefix=prefix) as service:
            code = (
                f"os.chdir('{home}'); os.environ['HOME'] = '{home}';"
                "done(b'Queued' in talk(b'MAIL FROM:<e@example.org> XACCOUNT=evil',"
                " b'RCPT TO:<root>', b'BDAT 1 LAST', b'x'))"
            )
            assert attack(service, code) == ""
            service.hand_over(MAIL)
            service.wait_for_line("event=delivered")
            pid = service.process.pid
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            for child in children:
                os.kill(int(child), 15)
        text = trace.read_text()
        assert str(home) not in text
        assert text.count("execve(") == 1  # itself
        assert not (home / "touched").exists()
    finally:
        shutil.rmtree(home)


def test_a_full_disk_keeps_room_for_root():
    """Attack P7: a user fills the spool's disk; he is refused, and root's alert is not."""
    folder = folder_for_all()
    (folder / "spool").mkdir(mode=0o700)
    mount = f'mount -t tmpfs -o size=2M,mode=700 none {folder}/spool && exec "$@"'
    prefix = ["unshare", "--mount", "sh", "-c", mount, "sh"]
    try:
        with Service(accounts_for(1), prefix=prefix, folder=folder) as service:
            code = (
                "mail = (b'MAIL FROM:<a@example.org>', b'RCPT TO:<b@example.com>',"
                " b'BDAT 150000 LAST', b'x' * 149998);"
                "said = talk(*mail * 20); print(said.count(b'Queued'),"
                " said.count(b'452 4.3.1'))"
            )
            queued, refused = map(int, attack(service, code).split())
            assert 3 <= queued <= 13
            assert refused >= 20 - queued
            (answer,) = service.hand_over(MAIL)
            assert answer.startswith("250 ")
    finally:
        shutil.rmtree(folder)


# -- what is said on the socket --------------------------------------------------------------------

_REFUSED = {
    "L6 the sender of somebody else": (
        "talk(b'MAIL FROM:<root@example.org>', b'RCPT TO:<a@example.com>', b'BDAT 2 LAST', b'')",
        b"550 5.7.1",
    ),
    "L6 an address that looks like his own": (
        "talk(b'MAIL FROM:<joe@example.org.evil.example>')",
        b"550 5.7.1",
    ),
    "L6 a hello that says he is root": (
        "talk(b'LHLO localhost (uid 0)', b'NOOP')",
        b"501 5.5.4",
    ),
    "P5 an account by a path": (
        (
            "talk(b'MAIL FROM:<joe@example.org> XACCOUNT=../../etc/shadow',"
            " b'RCPT TO:<a@example.com>', b'BDAT 2 LAST', b'')"
        ),
        b"554 5.3.5",
    ),
    "P5 a setting that is not for callers": (
        "talk(b'MAIL FROM:<joe@example.org> XPASSWORDEVAL=id')",
        b"555 5.5.4",
    ),
    "L7 a recipient that is a command": ("talk(b'MAIL FROM:<>', b'RCPT TO:<|id>')", b"451"),
    "L7 a recipient that is a file": ("talk(b'MAIL FROM:<>', b'RCPT TO:</etc/x>')", b"451"),
    "L7 a recipient that is a list": (
        "talk(b'MAIL FROM:<>', b'RCPT TO:<:include:/etc/shadow>')",
        b"501 5.1.3",
    ),
    "L8 a mail that loops": (
        (
            "talk(b'MAIL FROM:<joe@example.org>', b'RCPT TO:<a@example.com>',"
            " b'BDAT 403 LAST', b'Received: x\\n' * 33 + b'\\n' * 5)"
        ),
        b"554 5.4.6",
    ),
    "L9 a line break in a name": (
        "talk(b'MAIL FROM:<joe@example.org> XNAME=x+0D+0Aevent=delivered')",
        b"501 5.5.4",
    ),
    "L9 an escape in an address": (
        "talk(b'MAIL FROM:<joe\\x1b[31m@example.org>')",
        b"501 5.5.2",
    ),
    "L12 a mail that is too large": (
        "talk(b'MAIL FROM:<joe@example.org> SIZE=99999999999')",
        b"552 5.3.4",
    ),
}


@pytest.mark.parametrize("name", _REFUSED)
def test_what_the_service_has_to_refuse_is_refused(victim, name):
    """By a reply that says so, and nothing is in the queue for it."""
    code, expected = _REFUSED[name]
    before = set(os.listdir(victim.spool / "queue"))
    said = attack(victim, f"print({code}.decode())")
    if name.startswith("L7 ") and expected == b"451":
        # A local name of that form is nobody's: whoever has no alias for it cannot send to it.
        assert "Queued" not in said
    else:
        assert f"\n{expected.decode()} " in said, said
    # What was there before may have been sent meanwhile.
    assert set(os.listdir(victim.spool / "queue")) <= before


def test_the_mail_of_others_is_not_his_to_see_or_to_delete(victim):
    """The control socket is open to him too, and shows him nothing of root's."""
    name = victim.secret_id
    for request in (
        '{"command": "list"}',
        f'{{"command": "show", "id": "{name}"}}',
        f'{{"command": "delete", "ids": ["{name}"]}}',
        f'{{"command": "retry", "ids": ["{name}"]}}',
        '{"command": "flush"}',
        '{"command": "resume", "account": "slow"}',
        f'{{"command": "wait", "id": "{name}"}}',
    ):
        code = (
            "sock = socket.socket(socket.AF_UNIX); sock.settimeout(20);"
            "sock.connect(folder + '/run/control.sock');"
            f"sock.sendall({request.encode()!r} + b'\\n');"
            "rows = sock.makefile()\n"
            "for row in rows:\n"
            "    print(row)\n"
            "    if 'end' in row: break\n"
        )
        said = attack(victim, code)
        assert "plan" not in said
        assert "you@example.com" not in said
        assert '"end": true' in said, said
        assert '"done": true' not in said
    assert name in os.listdir(victim.spool / "queue")


def test_a_log_line_cannot_be_forged(victim):
    """Attack L9: whatever he says, a record is one line and begins as ours do."""
    attack(
        victim,
        "print(talk(b'MAIL FROM:<\"joe event=delivered id=1\"@example.org>',"
        " b'RCPT TO:<\"a\\\\\" event=x\"@example.com>', b'RCPT TO:<a@example.com>',"
        " b'BDAT 2 LAST', b'',"
        " b'MAIL FROM:<joe@example.org> XACCOUNT=x+20event+3Ddelivered+20id+3D1',"
        " b'RCPT TO:<a@example.com>', b'BDAT 2 LAST', b''))",
    )
    victim.wait_for_line("event=refused", "uid=4711")
    for line in victim.lines:
        time_stamp, _, rest = line.partition(" ")
        assert time_stamp.endswith("Z")
        assert rest.startswith("event=")
        assert not rest.startswith("event=x")
        outside = "".join(rest.replace('\\"', "").split('"')[::2])
        assert outside.count("event=") == 1, line


def test_the_password_is_in_nothing_that_the_service_writes(victim):
    """Attack L10: not in its log, its spool, its command line or what it says."""
    forms = [CANARY.encode(), CANARY.encode().hex().encode()]
    forms += [base64.b64encode(b"x" * pad + CANARY.encode())[4:-4] for pad in range(3)]
    artefacts = ["\n".join(victim.lines).encode()]
    artefacts.append(Path(f"/proc/{victim.process.pid}/cmdline").read_bytes())
    artefacts += [path.read_bytes() for path in victim.spool.rglob("*") if path.is_file()]
    said = attack(
        victim,
        "print(talk(b'HELP', b'VRFY user@example.org', b'EXPN all', b'AUTH PLAIN', b'NOOP'))",
    )
    artefacts.append(said.encode())
    assert len(artefacts) > 5
    for artefact in artefacts:
        assert not [form for form in forms if form in artefact]


def test_a_flood_does_not_keep_roots_alert_from_going_out(victim, relay):
    """Attack L11: of ten thousand mails two hundred come in; root's is delivered within 5 s."""
    code = (
        "mail = (b'MAIL FROM:<joe@example.org>', b'RCPT TO:<a@example.com>',"
        " b'BDAT 2 LAST', b'')\n"
        "queued = 0\n"
        "for _ in range(100):\n"
        "    queued += talk(*mail * 100).count(b'Queued')\n"
        "print(queued)"
    )
    command = [*becoming(ATTACKER), sys.executable, "-S", "-c", _PRELUDE]
    flood = subprocess.Popen(
        [*command, str(victim.folder), str(victim.process.pid), code],
        stdout=subprocess.PIPE,
        text=True,
    )
    with flood:
        victim.wait_for_line("event=over uid=4711 reason=rate")
        begin = time.monotonic()
        (said,) = victim.hand_over(MAIL, "admin@example.com", wishes="XWAIT MT-PRIORITY=6")
        took_s = time.monotonic() - begin
        assert said.startswith("250 2.0.0 250 taken")
        assert took_s < 5.0
        assert flood.stdout is not None
        queued = int(flood.stdout.read())
    assert queued <= 200 + 600 * 60 / 60
    assert len([line for line in victim.lines if "event=over uid=4711 reason=rate" in line]) == 1
    assert any("admin@example.com" in mail.recipients for mail in relay.received)


def test_large_and_endless_input_costs_no_memory(victim):
    """Attack L12: 100 MB, a million headers, a line of 10 MB: some memory is all that they get."""
    before_kb = victim.memory_kb()
    code = """
sock = socket.socket(socket.AF_UNIX); sock.settimeout(20); sock.connect(submit)
sock.sendall(b'LHLO x\\r\\nMAIL FROM:<joe@example.org>\\r\\nRCPT TO:<a@example.com>\\r\\n')
piece = {piece}
for _ in range({count}):
    sock.sendall(b'BDAT %d\\r\\n' % len(piece) + piece)
sock.sendall(b'BDAT 0 LAST\\r\\nQUIT\\r\\n')
text = b''
while data := sock.recv(65536): text += data
done(b'Queued' in text)
"""
    for piece, count in (
        ("b'x' * 1000000", 100),
        ("b'A: b\\n' * 100000", 10),
        ("b'x' * 10000000", 1),
    ):
        said = attack(victim, code.format(piece=piece, count=count))
        assert "SUCCESS" not in said
    assert victim.memory_kb() - before_kb < 64 << 10
    assert os.listdir(victim.spool / "tmp") == []


# -- malformed messages ----------------------------------------------------------------------------

_MALFORMED = r"""
import array, random
random = random.Random(int(sys.argv[4]))
count = int(sys.argv[5])
verbs = [b'LHLO', b'MAIL', b'RCPT', b'BDAT', b'DATA', b'RSET', b'AUTH', b'STARTTLS', b'VRFY', b'X']
words = [b'FROM:<', b'TO:<', b'>', b'a@b.example', b'"', b'\\', b'\0', b'\xff\xfe', b' ', b'=',
         b'SIZE=', b'9' * 30, b'-1', b'LAST', b'XACCOUNT=', b'XNAME=+', b'+0A', b'BODY=8BITMIME',
         b'[', b']', b'\xe5\xbc\xa0', b'\x1b[2J', b'%s%n', b'../' * 5, b'NOTIFY=', b'MT-PRIORITY=']
def garbage(size):
    return random.randbytes(random.randrange(size))
def line():
    return random.choice(verbs) + b' ' + b''.join(random.choices(words, k=random.randrange(8)))
start = b'LHLO x\r\nMAIL FROM:<joe@example.org>\r\nRCPT TO:<a@example.com>\r\n'
def connect():
    sock = socket.socket(socket.AF_UNIX); sock.settimeout(10); sock.connect(submit)
    return sock
def random_octets(sock):
    sock.sendall(garbage(300)); return 1
def commands(sock):
    sock.sendall(b'LHLO x\r\n' + b''.join(line() + b'\r\n' for _ in range(8))); return 8
def half(sock):
    whole = start + b'BDAT 100000\r\n' + bytes(100000)
    sock.sendall(whole[:random.randrange(len(whole) >> random.randrange(12))]); return 1
def huge_line(sock):
    sock.sendall(b'LHLO x\r\nMAIL ' + b'x' * random.randrange(100000)); return 1
def in_content(sock):
    sock.sendall(start + b'DATA\r\n' + garbage(2000) + random.choice((b'', b'\r\n.\r\n'))); return 1
def descriptors(sock):
    with open('/dev/null') as one:
        rights = array.array('i', [one.fileno()] * random.randrange(1, 50))
        sock.sendmsg([b'LHLO x\r\nNO'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        sock.sendmsg([b'OP\r\n'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    return 2
def another_protocol(sock):
    sock.sendall(random.choice((b'GET / HTTP/1.1\r\nHost: x\r\n\r\n', b'\x16\x03\x01\x02\x00\x01',
                                b'{"command": "list"}\n', b'\0\0\0\x10', b'EHLO x\r\n' * 9)))
    return 1
def bad_chunks(sock):
    sock.sendall(start + random.choice((b'BDAT', b'BDAT -1', b'BDAT 99999999999999999999999',
                                        b'BDAT 5 LATS', b'BDAT 1e3', b'BDAT 5 LAST LAST'))
                 + b'\r\nxxxxx' + line() + b'\r\n'); return 2
kinds = [random_octets, commands, half, huge_line, in_content, descriptors, another_protocol,
         bad_chunks]
slow = [connect() for _ in range(5)]
sent = turn = 0
while sent < count:
    try:
        sock = connect()
    except OSError:
        continue
    with sock:
        try:
            sent += random.choice(kinds)(sock)
            end = random.randrange(3)
            if end == 0: sock.shutdown(socket.SHUT_WR)
            if end < 2:
                while sock.recv(65536):
                    if end == 1: break
        except OSError:
            pass
    turn += 1
    if turn % 50 == 0:
        try: slow[turn // 50 % 5].sendall(b'L')
        except OSError: slow[turn // 50 % 5] = connect()
print(sent)
"""


def test_ten_thousand_malformed_messages_do_no_harm(victim):
    """Attack P3 (CVE-2025-62875): the same process, no descriptor more, hardly any memory."""
    with victim.client() as client:
        client.greet()
    rounds = []
    for seed, count in ((1, 1500), (2, 10_000)):
        command = [*becoming(ATTACKER), sys.executable, "-S", "-c", _PRELUDE]
        arguments = [str(victim.folder), str(victim.process.pid), _MALFORMED]
        done = subprocess.run(
            [*command, *arguments, str(seed), str(count)],
            capture_output=True,
            text=True,
            check=True,
            timeout=110,
        )
        sent = int(done.stdout)
        assert sent >= count, done.stderr
        settle(victim)
        rounds.append((victim.open_files(), victim.memory_kb()))
    (files, memory_kb), (files_after, memory_after_kb) = rounds
    assert files_after == files
    assert memory_after_kb - memory_kb < 5 << 10
    assert victim.hand_over(MAIL)[0].startswith("250 ")
    assert os.listdir(victim.spool / "tmp") == []


def settle(service):
    """Wait until the service has done with those who have gone: it is asked as often as needed."""
    count = -1
    while count != (count := service.open_files()):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20)
            sock.connect(service.submit)
            sock.sendall(b"LHLO x\r\nQUIT\r\n")
            while sock.recv(4096):
                pass
