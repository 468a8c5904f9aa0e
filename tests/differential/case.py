"""
One case: the same configuration, options, environment, mail and server for both programs.

``run_both`` gives back what each of them did. Nothing is compared here: see ``compare``.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import ssl
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import trustme

from differential.recorder import Recorder, Session
from programs import ENVIRONMENT, Result, call_program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["MAIL", "MSMTP", "Case", "Certificate", "Seen", "make_certificate", "run_both"]

MSMTP = "/usr/bin/msmtp"
# With everything that is added when it is missing, so that its size does not depend on the hour.
MAIL = (
    b"From: Me <me@example.org>\nTo: to@example.org\nSubject: t\n"
    b"Date: Mon, 01 Jan 2024 00:00:00 +0000\nMessage-ID: <1@example.org>\n\nhello\n"
)
_PATIENCE_S = 6.0

_HEAD = "account default\nhost 127.0.0.1\nport {port}\nfrom me@example.org\n"


@dataclass(frozen=True)
class Case:
    """
    A row of the tables; ``{port}``, ``{home}``, ``{ca}``, ``{fingerprint}`` in texts are replaced.

    Attributes:
        name: Unique among all.
        options: The command line before the recipients, as a shell would have it.
        config: Lines behind the usual ones of ``~/.msmtprc``.
        rc: The whole of ``~/.msmtprc``, in place of the usual ones and ``config``; None: them.
        to: The recipients, as operands.
        mail: Standard input.
        replies: What the server says other than usual; see ``Recorder``.
        offers: The extensions that it offers, separated by ``;``.
        env: Environment on top of ``programs.ENVIRONMENT``.
        files: Further files, by their path below HOME.
        server: ``tcp``, ``starttls``, ``implicit``, ``unix``, ``socks`` or ``none``.
        socks_reply: What the proxy answers.
        shows: The identifiers of the differences that it shows, separated by blanks.

    """

    name: str
    options: str = ""
    config: str = ""
    rc: str | None = None
    to: Sequence[str] = ("to@example.org",)
    mail: bytes = MAIL
    replies: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    offers: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    server: str = "tcp"
    socks_reply: int = 0
    shows: str = ""


@dataclass(frozen=True)
class Seen:
    """What a program did: how it ended, what it printed, said to the server, and logged."""

    result: Result
    sessions: list[Session]
    log: str
    hangs: bool = False


class Certificate(NamedTuple):
    """A server's side of TLS, the file of the authority that vouches for it, its fingerprint."""

    context: ssl.SSLContext
    authority: Path
    fingerprint: str


def make_certificate(folder: Path) -> Certificate:
    """Make the certificate of a server on loopback."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    path = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    der = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
    return Certificate(context, path, hashlib.sha256(der).digest().hex(":"))


def run_both(case: Case, home: Path, certificate: Certificate) -> tuple[Seen, Seen]:
    """Run msmtp and then pillarbox; return what each did."""
    recorder = Recorder(
        case.replies,
        case.offers.split(";") if case.offers else (),
        context=certificate.context if case.server in ("starttls", "implicit") else None,
        is_implicit=case.server == "implicit",
        socks_reply=case.socks_reply if case.server == "socks" else None,
        path=home / "sock" if case.server == "unix" else None,
    )
    with recorder:
        places = {
            "{port}": str(recorder.port),
            "{home}": str(home),
            "{ca}": str(certificate.authority),
            "{fingerprint}": certificate.fingerprint,
        }
        arguments = [_filled(word, places) for word in (*shlex.split(case.options), *case.to)]
        env = {"HOME": str(home)} | {key: _filled(v, places) for key, v in case.env.items()}
        return (
            _run(case, places, home, recorder, lambda: _call_msmtp(arguments, case.mail, env)),
            _run(case, places, home, recorder, lambda: _call_ours(arguments, case.mail, env)),
        )


def _run(case, places, home, recorder, call) -> Seen:
    _furnish(case, places, home)
    result, hangs = call()
    log = home / "log"
    return Seen(result, recorder.take(), log.read_text() if log.exists() else "", hangs)


def _furnish(case: Case, places: Mapping[str, str], home: Path) -> None:
    """Give both programs the same home, whatever the other one left there."""
    for entry in home.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != "sock":
            entry.unlink()
    text = _HEAD + case.config if case.rc is None else case.rc
    files = {".msmtprc": text} if text else {}
    for name, content in {**files, **case.files}.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else _filled(content, places).encode()
        path.write_bytes(data)
        path.chmod(0o600)


def _filled(text: str, places: Mapping[str, str]) -> str:
    for name, value in places.items():
        text = text.replace(name, value)
    return text


def _call_msmtp(arguments: list[str], mail: bytes, env: dict[str, str]) -> tuple[Result, bool]:
    process = subprocess.Popen(
        [MSMTP, *arguments],
        env={k: v for k, v in (ENVIRONMENT | env).items() if k != "PYTHONPATH"},
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # without a terminal to ask for a password
    )
    try:
        out, err = process.communicate(mail, timeout=_PATIENCE_S)
        hangs = False
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        hangs = True
    texts = [data.decode("utf-8", "backslashreplace") for data in (out, err)]
    return Result(process.returncode, *texts), hangs


def _call_ours(arguments: list[str], mail: bytes, env: dict[str, str]) -> tuple[Result, bool]:
    # What msmtp does not do cannot be compared: repair has its own tests.
    return call_program("msmtp", ["--raw", *arguments], mail, env), False
