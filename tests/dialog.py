r"""
Dialogs: a hostile server written down as a conversation, held with the real ``msmtp``.

How to write one: put a file ``NAME.dialog`` into the folder of its family under
``tests/dialogs/``; nothing else is needed. It has three parts.

1. Lines that begin with ``#``: the attack, its row in the threat model, and why it matters.
2. Settings, ``name: value``, up to the first empty line. What is left out has the value given
   here; the last five may be given several times::

       host: mail.example.test   what the client believes it talks to (see below)
       port: 2525                and which port of it
       connections: 1            how often the client must connect
       protocol: smtp            smtp or lmtp
       tls: none                 none, implicit or starttls: what the account demands
       certificate: good         good, or stranger: one that nobody vouches for
       auth: off                 off, on, or the name of a method
       secret: never             never, tls or clear: where the password may be seen at all
       timeout: 1                the account's, in seconds
       within: 2                 seconds from the connection to the client's end
       sender: sender@example.test
       recipients: to@example.test       several are parted by blanks
       mail: "Subject: test\n\nHello.\n"
       size: 0                   octets of body to be added to the mail
       expect exit: 75           the exit code; where it is a matter of chance, several
       keyword: dsn_notify failure       a further line of the account
       option: --domain=example.test     a further argument of the command
       expect text: words        what the person must be told
       never shown: words        what the person must not be told
       never sent: words         what the client must not send (with escapes, as below)

3. The conversation. A text in quotes may hold \r \n \t \" \\ \xNN, and nothing is added to it;
   {nonce}, {signature} and {password} stand for the client's SCRAM nonce, the right SCRAM
   signature (salt ``salt``, 4096 rounds) and the password, and {password:base64} likewise::

       S: 220 hello              the server says a line
       S raw "250 a\r\n250 b"    it says just that, in one piece
       S repeat 100 "250-x\r\n"  it says that so many times
       S drip 0.05 9 "250-x\r\n" it says that so many times, 0.05 s behind each octet
       S trickle 0.05 "250 x"    under TLS: one record, 0.05 s behind each of its octets
       S challenge "Username:"   it says 334 and the text in base64
       C: MAIL FROM:*            the client must say a line like that; * is anything
       C? QUIT                   the same, unless it hangs up without another word
       C response *word          it must say a line of base64 like that
       C content                 it must send a content and its final dot
       C content "..."           the same, with that text somewhere in it
       C chunk, C last chunk     it must send BDAT and that many octets
       C last chunk "..."        the same, with that text somewhere in all of its chunks
       C all chunks, and "..."   it must send chunks to the last; 250 is said to those before it
       C some 70000              it must send so many octets
       C record                  it must send one TLS record, with whatever in it
       tls                       both negotiate TLS
       tls drip 0.05             the same, 0.05 s behind each octet of the server's
       wait 0.1                  the server does nothing for 0.1 s
       goodbye                   it ends TLS properly (with close_notify)
       close                     it ends the stream politely, and listens on
       reset                     it breaks the connection off
       silence                   it listens, and says nothing more until the client goes
       deaf                      it does not even listen until the client goes

A line that begins with ``#`` is a remark here, too. When the conversation is over the client may
say QUIT, or begin to negotiate TLS, and not a word more. A dialog without conversation is one in
which the client must not even connect. When a server in the open has said nothing for half of the
time-out, the client connects once more and sees whether it waits for TLS (``connections: 2``).

What every dialog must hold besides, whatever it says: see ``judge``.

The client believes that it talks to a distant host because it reaches the server through a
SOCKS5 proxy, which is the first thing that ``dialog_server`` plays. With ``host: 127.0.0.1`` or
``localhost`` it is let in without.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dialog_server import PASSWORD, USER, Part, Server, Step, is_local, unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dialog_server import Certificates

__all__ = ["FOLDER", "Client", "Dialog", "DialogError", "find_dialogs", "hold", "judge", "parse"]

ROOT = Path(__file__).parent.parent
FOLDER = Path(__file__).parent / "dialogs"

# The figures of R5 in docs/threats.md.
MEMORY_LIMIT = 64 << 20
ADDRESS_SPACE = 256 << 20

# Seconds until a client that hangs is ended: far behind every deadline, for a busy machine.
_PATIENCE_S = 20.0
# Seconds that a deadline may be missed by: to load what a failure's message needs, and a machine
# that has other work.
_MARGIN_S = 1.0

# The start of a TLS record with a handshake message: what a client says to whom it does not
# trust with more.
_HANDSHAKE = b"\x16\x03"

_VERBS = (
    ("say", r"S: ?(.*)"),
    ("raw", r'S raw "(.*)"'),
    ("repeat", r'S repeat (\d+) "(.*)"'),
    ("drip", r'S drip ([\d.]+) (\d+) "(.*)"'),
    ("trickle", r'S trickle ([\d.]+) "(.*)"'),
    ("challenge", r'S challenge "(.*)"'),
    ("hear", r"C: (.*)"),
    ("hear_or_end", r"C\? (.*)"),
    ("response", r"C response (.*)"),
    ("content", r'C content(?: "(.*)")?'),
    ("chunk", r'C (last )?chunk(?: "(.*)")?'),
    ("all_chunks", r'C all chunks(?: "(.*)")?'),
    ("some", r"C some (\d+)"),
    ("record", r"C record"),
    ("tls", r"tls(?: drip ([\d.]+))?"),
    ("wait", r"wait ([\d.]+)"),
    ("goodbye", r"goodbye"),
    ("close", r"close"),
    ("reset", r"reset"),
    ("silence", r"silence"),
    ("deaf", r"deaf"),
)


class DialogError(Exception):
    """A dialog file that cannot be understood."""


@dataclass(frozen=True)
class Dialog:
    """One dialog file; the settings are described at the top of this module."""

    name: str
    about: str = ""
    host: str = "mail.example.test"
    port: int = 2525
    connections: int = 1
    protocol: str = "smtp"
    tls: str = "none"
    certificate: str = "good"
    auth: str = "off"
    secret: str = "never"
    timeout: int = 1
    within: float = 0.0
    sender: str = "sender@example.test"
    recipients: str = "to@example.test"
    mail: str = '"Subject: test\\n\\nHello.\\n"'
    size: int = 0
    expect_exit: str = "75"
    keyword: tuple[str, ...] = ()
    option: tuple[str, ...] = ()
    expect_text: tuple[str, ...] = ()
    never_shown: tuple[str, ...] = ()
    never_sent: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass
class Client:
    """What became of the client's process."""

    exit_code: int | None = None  # None: it had to be ended
    ended: float = 0.0  # monotonic seconds
    memory: int = 0  # octets, at most
    stdout: bytes = b""
    stderr: bytes = b""
    log: bytes = b""
    shown: list[str] = field(default_factory=list)  # the lines of stderr


# -- reading ----------------------------------------------------------------------------------


def find_dialogs() -> list[Path]:
    """Return every dialog file."""
    return sorted(FOLDER.rglob("*.dialog"))


def parse(path: Path) -> Dialog:
    """
    Read a dialog file.

    Raises:
        DialogError: A line is not in the language.

    """
    lines = path.read_text(encoding="utf-8").splitlines()
    about = [line[1:].strip() for line in lines if line.startswith("#")]
    settings: dict[str, object] = {}
    steps = []
    is_header = True
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            continue
        try:
            if is_header and line.strip():
                _take_setting(settings, line)
            elif line.strip():
                steps.append(_step(number, line))
            is_header = is_header and bool(line.strip() or not settings)
        except ValueError as exc:
            raise DialogError(f"{path}: line {number}: {exc}") from exc
    name = str(path.relative_to(FOLDER)) if path.is_relative_to(FOLDER) else path.name
    return Dialog(name=name, about=" ".join(about), steps=tuple(steps), **settings)  # type: ignore[arg-type]


def _take_setting(settings: dict[str, object], line: str) -> None:
    name, colon, value = line.partition(":")
    key, value = name.strip().replace(" ", "_"), value.strip()
    default = getattr(Dialog, key, () if key in _SEVERAL else None)
    if not colon or default is None or key in ("name", "about", "steps"):
        raise ValueError(f"no such setting: {line}")
    if key in _SEVERAL:
        settings[key] = (*settings.get(key, ()), value)  # type: ignore[misc]
    elif key in settings:
        raise ValueError(f"{name} is set twice")
    else:
        settings[key] = type(default)(value)


_SEVERAL = ("keyword", "option", "expect_text", "never_shown", "never_sent")


def _step(number: int, line: str) -> Step:
    for verb, pattern in _VERBS:
        if found := re.fullmatch(pattern, line):
            return Step(number, line, verb, tuple(found.groups()))
    raise ValueError(f"not in the language of dialogs: {line}")


# -- holding ----------------------------------------------------------------------------------


def hold(dialog: Dialog, certificates: Certificates, folder: Path) -> tuple[Client, Server]:
    """
    Hold the dialog: play the server, run the client. Blocks until the client has ended.

    Args:
        dialog: What to hold.
        certificates: What the server is proved by.
        folder: An empty folder for the client's files.

    """
    part = Part(dialog.host, dialog.certificate, dialog.steps)
    with Server(part, certificates) as server:
        config = folder / "msmtprc"
        config.touch(mode=0o600)
        config.write_text(_configuration(dialog, certificates, server.port, folder / "log"))
        (folder / "mail").write_bytes(unquote(dialog.mail) + _body(dialog.size))
        recipients = re.findall(r'"[^"]*"|\S+', dialog.recipients)
        options = [os.fsdecode(unquote(word)) for word in dialog.option]
        operands = [os.fsdecode(unquote(word)) for word in recipients]
        client = _run(["--raw", "-C", str(config), *options, "--", *operands], folder)
    if (folder / "log").exists():
        client.log = (folder / "log").read_bytes()
    return client, server


def _configuration(dialog: Dialog, certificates: Certificates, port: int, log: Path) -> str:
    lines = [
        "account default",
        f"host {dialog.host}",
        f"port {port if is_local(dialog.host) else dialog.port}",
        f"protocol {dialog.protocol}",
        f"from {dialog.sender}",
        "domain client.example.test",
        f"timeout {dialog.timeout}",
        f"logfile {log}",
        f"tls {'off' if dialog.tls == 'none' else 'on'}",
        f"tls_starttls {'on' if dialog.tls == 'starttls' else 'off'}",
        f"tls_trust_file {certificates.trust_file}",
        f"auth {dialog.auth}",
    ]
    if not is_local(dialog.host):
        lines += ["proxy_host 127.0.0.1", f"proxy_port {port}"]
    if dialog.auth != "off":
        lines += [f"user {USER}", f"password {PASSWORD}"]
    return "\n".join([*lines, *dialog.keyword]) + "\n"


def _body(size: int) -> bytes:
    line = b"All work and no play makes a dull letter, and a very long one.\n"
    return (line * (size // len(line) + 1))[:size]


# Runs the client as a child of its own, so that the figures are the client's and not those of
# the tests, which a process inherits from the one that it is forked from.
_LAUNCHER = f"""
import os, resource, sys, time
child = os.fork()
if not child:
    resource.setrlimit(resource.RLIMIT_AS, ({ADDRESS_SPACE}, {ADDRESS_SPACE}))
    os.execv(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
code = os.waitstatus_to_exitcode(status)
os.write(int(sys.argv[1]), b"%d %d %r" % (code, usage.ru_maxrss * 1024, time.monotonic()))
"""


def _run(arguments: list[str], folder: Path) -> Client:
    figures, figures_end = os.pipe()
    program = [sys.executable, str(ROOT / "bin" / "msmtp"), *arguments]
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(ROOT / "src"),
    }
    client = Client()
    with (folder / "mail").open("rb") as mail:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(figures_end), *program],
            stdin=mail,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[figures_end],
            env=environment,
            start_new_session=True,
        )
    os.close(figures_end)
    try:
        client.stdout, client.stderr = process.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        client.stdout, client.stderr = process.communicate()
    with os.fdopen(figures, "rb") as file:
        told = file.read().split()
    client.ended = time.monotonic()
    if told:
        client.exit_code, client.memory, client.ended = int(told[0]), int(told[1]), float(told[2])
    client.shown = client.stderr.decode("utf-8", "backslashreplace").splitlines()
    return client


# -- judging ----------------------------------------------------------------------------------


def judge(dialog: Dialog, client: Client, server: Server) -> list[str]:
    """
    Return everything that is wrong; nothing for a dialog that went as it must.

    What is held against every dialog: the client ends in time and in little memory; it says 0
    only if the server took a whole mail; it follows the conversation to its end and says nothing
    more; the content can be read as one mail only; what a person and the log are told is plain
    text; and the password is seen where the dialog allows it, and nowhere else.
    """
    return [
        *_wrong_end(dialog, client, server),
        *_wrong_conversation(dialog, server),
        *_wrong_words(dialog, client),
        *_wrong_record(dialog, client),
        *_secrets_out(dialog, client, server),
    ]


def _wrong_end(dialog: Dialog, client: Client, server: Server) -> Iterator[str]:
    if client.exit_code is None:
        yield f"the client hung, and was ended after {_PATIENCE_S:g} s"
        return
    if str(client.exit_code) not in dialog.expect_exit.split():
        yield f"the exit code is {client.exit_code}, not {dialog.expect_exit}"
    if client.exit_code == 0 and not any(session.has_accepted for session in server.sessions):
        yield "FALSE SUCCESS: the server accepted no whole mail, and the client says it did"
    if client.memory > MEMORY_LIMIT:
        yield f"the client took {client.memory >> 20} MiB of memory"
    within = dialog.within or dialog.timeout
    took = client.ended - server.sessions[0].accepted if server.sessions else 0
    if took > within + _MARGIN_S:
        yield f"the client took {took:.1f} s, not {within:g}"


def _wrong_conversation(dialog: Dialog, server: Server) -> Iterator[str]:
    connections = dialog.connections if dialog.steps else 0
    if len(server.sessions) != connections:
        yield f"the client connected {len(server.sessions)} times, not {connections}"
    for session in server.sessions:
        is_probe = session.received.startswith(_HANDSHAKE)
        if session.fault and not is_probe:
            yield session.fault
        if session.rest not in (b"", b"QUIT\r\n") and not session.rest.startswith(_HANDSHAKE):
            yield f"the client went on behind the conversation's end: {session.rest[:200]!r}"
        for words in dialog.never_sent:
            if unquote(words) in session.received:
                yield f"the client sent {words!r}"


def _wrong_words(dialog: Dialog, client: Client) -> Iterator[str]:
    if client.stdout:
        yield f"something stands on standard output: {client.stdout[:200]!r}"
    yield from _unprintable("standard error", client.stderr)
    text = client.stderr.decode("utf-8", "backslashreplace")
    if client.exit_code and not client.shown:
        yield "the client failed without a word"
    if any(not line.startswith("msmtp: ") for line in client.shown):
        yield "a line on standard error does not say whose it is"
    for words in ("Traceback", "internal error", *dialog.never_shown):
        if words in text:
            yield f"the person is told {words!r}"
    for words in dialog.expect_text:
        if words not in text:
            yield f"the person is not told {words!r}"


def _wrong_record(dialog: Dialog, client: Client) -> Iterator[str]:
    if not client.log and not dialog.steps:
        return  # it never came to an attempt
    yield from _unprintable("the log", client.log)
    if client.log.count(b"\n") != 1 or not client.log.endswith(b"\n"):
        yield f"the log has not one line, but: {client.log[:500]!r}"
    if (b"exitcode=EX_OK" in client.log) != (client.exit_code == 0):
        yield "log and exit code tell different things"


def _unprintable(where: str, data: bytes) -> Iterator[str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        yield f"{where} is not UTF-8: {data[:200]!r}"
        return
    bad = {char for char in text if char != "\n" and not char.isprintable()}
    if bad:
        yield f"{where} has unprintable characters: {bad!r}"


def _secrets_out(dialog: Dialog, client: Client, server: Server) -> Iterator[str]:
    places = [
        ("standard error", client.stderr),
        ("standard output", client.stdout),
        ("the log", client.log),
    ]
    for session in server.sessions:
        if dialog.secret != "clear":
            places.append(("the open connection", session.received_open))
        if dialog.secret == "never":
            places.append(("the connection", session.received))
    for where, data in places:
        for form in secret_forms(PASSWORD.encode()):
            if form in data:
                yield f"SECRET OUT: the password is in {where}, as {form!r}"


def secret_forms(secret: bytes) -> list[bytes]:
    """Return what gives a secret away: itself, in hex, in base64 behind 0, 1 or 2 octets."""
    forms = [secret, secret.hex().encode(), secret.hex().upper().encode()]
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + secret)
        # Without the characters at the ends that depend on the neighbours.
        forms.append(encoded[-(-shift * 8 // 6) : (shift + len(secret)) * 8 // 6])
    return forms


def main(paths: list[str]) -> None:
    """Hold the dialogs in the files, and show how each went."""
    import tempfile

    from dialog_server import Certificates

    with tempfile.TemporaryDirectory() as folder:
        certificates = Certificates(Path(folder))
        for path in paths:
            with tempfile.TemporaryDirectory() as own:
                dialog = parse(Path(path).resolve())
                client, server = hold(dialog, certificates, Path(own))
            print(f"== {dialog.name}: {dialog.about}")
            print(*report(dialog, client, server), sep="\n")


def report(dialog: Dialog, client: Client, server: Server) -> list[str]:
    """Return what went wrong, and how it went, a line each."""
    start = server.sessions[0].accepted if server.sessions else client.ended
    lines = [f"WRONG: {found}" for found in judge(dialog, client, server)]
    for session in server.sessions:
        lines += ["--- the conversation:", *session.transcript]
    lines += ["--- the person was told:", *client.shown, f"--- log: {client.log.decode()!r}"]
    took = f"{client.ended - start:.2f} s, {client.memory / 1048576:.1f} MiB"
    return [*lines, f"--- exit code {client.exit_code}, {took}"]


if __name__ == "__main__":
    main(sys.argv[1:])
