"""
The machine: its name, its trust store, its room, and the home of who asks.

What is looked at is only what a mail of this account needs. A name like ``localhost`` hurts nobody
as long as no mail bears it; a home that cannot be written to costs a memory of logins, and with
``queue on`` the mail itself.

The rule to keep: nothing is written to find out whether it could be.
"""

from __future__ import annotations

import os
import re
import ssl
from typing import TYPE_CHECKING

from pillarbox.config.patterns import MAILNAME_FILE, Surroundings
from pillarbox.config.places import find_places
from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.doctor.installed import sends_directly
from pillarbox.errors import MissingInputError
from pillarbox.mail.reply import printable
from pillarbox.net.trust import load_system_trust, load_trust_file
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.config.account import Account
    from pillarbox.doctor.patient import Patient

__all__ = ["CODES", "check_machine", "judge_room"]

CODES: tuple[str, ...] = (
    "machine.hostname",
    "machine.ehlo",
    "machine.mailname",
    "machine.store",
    "machine.full",
    "machine.space",
    "machine.home",
)

_NODENAME = "/proc/sys/kernel/hostname"
_OS_RELEASE = "/etc/os-release"
_SPOOL = "/var/spool/pillarbox"

# Names that say nothing: of a machine that nobody has named.
_NAMELESS = ("", "(none)", "localhost", "localhost.localdomain")

# RFC 5321 4.1.2, Domain and address-literal; a single label is taken by every submission server.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EHLO = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Za-z:.]+\])\Z")

_WHOLE_MAIL_BYTES = 25 << 20  # the largest that a provider takes, whole
_LITTLE_BYTES = 1 << 20  # where only a mail goes that comes from a pipe and has to be read twice
_FREE_PERCENT = 5  # of the settings: below that, the service takes mail of root's only

# What the package ca-certificates makes: Debian and its kind, Fedora and its kind, Alpine.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
_INSTALLERS = (
    ("debian", "sudo apt install --reinstall ca-certificates"),
    ("alpine", "sudo apk add ca-certificates"),
    ("fedora", "sudo dnf reinstall ca-certificates"),
    ("rhel", "sudo dnf reinstall ca-certificates"),
    ("suse", "sudo zypper install --force ca-certificates-mozilla"),
    ("arch", "sudo pacman -S ca-certificates"),
)


def check_machine(patient: Patient) -> Iterator[Finding]:
    """Yield what of this machine is in the way of a mail."""
    account = patient.account
    if account is not None:
        yield from _names(patient, account)
        yield from _store(patient, account)
    yield from _room(patient)
    if account is not None:
        yield from _home(patient, account)


# -- names -----------------------------------------------------------------------------------------


def _names(patient: Patient, account: Account) -> Iterator[Finding]:
    name = (patient.read(_NODENAME) or "-").strip()  # - : not to be read, which is nothing to tell
    if name != "-" and (name in _NAMELESS or not _EHLO.match(name)):
        yield Finding(
            "machine.hostname",
            NOTE,
            say("this computer is called '{name}'", name=printable(name, 100)),
            meaning=say(
                "mail of cron and its kind shows that name, so that nobody sees where it is from"
            ),
            fix="sudo hostnamectl set-hostname NAME.DOMAIN",
            evidence=[f"{_NODENAME}: {printable(name, 100)}"],
        )
    if not _EHLO.match(account.domain):
        yield Finding(
            "machine.ehlo",
            WARNING,
            say("'{name}' is no name for EHLO", name=printable(account.domain, 100)),
            meaning=say("a strict server refuses it (RFC 5321 4.1.1.1)"),
            fix=say("write domain localhost, or a host name of letters, digits, - and dots"),
            evidence=[
                say("{keyword} is set at {place}", keyword="domain", place=account.where("domain"))
            ],
        )
    if "%M" in account.own_sender:
        yield from _mail_name(patient)


def _mail_name(patient: Patient) -> Iterator[Finding]:
    """Yield that the senders get a domain by ``%M`` which nobody can answer."""
    name = (patient.read(MAILNAME_FILE) or "").partition("\n")[0].strip()
    if "." in name.strip(".") and _EHLO.match(name):
        return
    yield Finding(
        "machine.mailname",
        WARNING,
        say("{path} says '{name}', which is no domain", path=MAILNAME_FILE, name=printable(name)),
        meaning=say("the senders of this account get it by %M"),
        fix=say("write the mail domain of this machine into {path}", path=MAILNAME_FILE),
    )


# -- the trust store -------------------------------------------------------------------------------


def _store(patient: Patient, account: Account) -> Iterator[Finding]:
    is_needed = account.tls and account.tls_certcheck and account.tls_fingerprint is None
    if not is_needed or not account.tls_trust_file:
        return
    try:
        _load(patient, account.tls_trust_file)
    except MissingInputError as error:
        is_systems = account.tls_trust_file == "system" or account.tls_trust_file in _BUNDLES
        fix = say("set tls_trust_file system, or correct the path")
        yield Finding(
            "machine.store",
            FAULT,
            error.sentence,
            meaning=say("no server can be told from one that pretends to be it"),
            fix=_install_store(patient) if is_systems else fix,
            evidence=[
                say(
                    "{keyword} is set at {place}",
                    keyword="tls_trust_file",
                    place=account.where("tls_trust_file"),
                )
            ]
            if account.is_set("tls_trust_file")
            else (),
        )


def _load(patient: Patient, path: str) -> None:
    """
    Load what the account trusts, as a connection would.

    Raises:
        MissingInputError: It is not there, or has no certificate in it.

    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if path != "system":
        place = patient.at(path)
        is_machines = path in _BUNDLES or os.path.exists(place)
        load_trust_file(context, place if is_machines else path)
    elif not patient.root:
        load_system_trust(context)
    else:
        there = [patient.at(bundle) for bundle in _BUNDLES if patient.has(bundle)]
        if not there:
            raise MissingInputError(say("tls_trust_file system: this machine has no trust store"))
        load_trust_file(context, there[0])


def _install_store(patient: Patient) -> str:
    system = patient.read(_OS_RELEASE) or ""
    for name, command in _INSTALLERS:
        if re.search(rf"^ID(?:_LIKE)?=.*\b{name}\b", system, re.MULTILINE):
            return command
    return say("install the package ca-certificates, or set tls_trust_file to a file")


# -- room ------------------------------------------------------------------------------------------


def _room(patient: Patient) -> Iterator[Finding]:
    """Yield where there is no room, each file system once."""
    temporary = patient.env.get("TMPDIR") or patient.at("/tmp")  # noqa: S108 (only looked at)
    own = find_places(patient.env, is_user=True).spool
    paths = [patient.at(_SPOOL)] if patient.has(_SPOOL) else []
    if patient.account is not None and patient.account.queue:
        paths.append(_nearest(own))
    needed = [(path, _WHOLE_MAIL_BYTES) for path in paths]
    seen = set()
    for path, least_bytes in (*needed, (temporary, _LITTLE_BYTES)):
        try:
            device, status = os.stat(path).st_dev, os.statvfs(path)
        except OSError:
            continue
        if device not in seen:
            yield from judge_room(path, status, least_bytes)
        seen.add(device)


def judge_room(
    path: str, status: os.statvfs_result, least_bytes: int = _WHOLE_MAIL_BYTES
) -> Iterator[Finding]:
    """
    Yield what the numbers of a file system say.

    Args:
        path: What is on it, to be named.
        status: What ``os.statvfs`` returns for it.
        least_bytes: With less than that it is full; a small one is only with less than half.

    """
    free, total = status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize
    files, total_files = status.f_favail, status.f_files  # 0 in all: it has no such limit
    if not total:
        return
    evidence = [
        say("{free} MiB of {total} MiB are free", free=free >> 20, total=total >> 20),
    ]
    if total_files:
        evidence.append(say("{free} of {total} inodes are free", free=files, total=total_files))
    if free < min(least_bytes, total // 2) or (total_files and files < 1):
        yield Finding(
            "machine.full",
            FAULT,
            say("the file system of {path} is full", path=path)
            if not total_files or files
            else say("the file system of {path} has no inode left", path=path),
            meaning=say("a mail that has to wait has no place to wait in"),
            fix=say("make room: du -xh --max-depth=2 {path} shows what takes it", path=path)
            if not total_files or files
            else say("remove many small files: du -x --inodes {path} shows where", path=path),
            evidence=evidence,
        )
    elif 100 * free < _FREE_PERCENT * total or 100 * files < _FREE_PERCENT * total_files:
        yield Finding(
            "machine.space",
            WARNING,
            say("the file system of {path} is nearly full", path=path),
            meaning=say(
                "below {percent} percent the service takes mail of root's only",
                percent=_FREE_PERCENT,
            ),
            fix=say("make room: du -xh --max-depth=2 {path} shows what takes it", path=path),
            evidence=evidence,
        )


# -- home ------------------------------------------------------------------------------------------


def _home(patient: Patient, account: Account) -> Iterator[Finding]:
    """Yield that what is kept for the user cannot be kept."""
    if not sends_directly(patient):
        return
    state = os.path.dirname(find_places(patient.env, is_user=True).spool)
    nearest = _nearest(state)
    if os.path.isdir(nearest) and os.access(nearest, os.W_OK | os.X_OK):
        return
    home = Surroundings(patient.env, patient.wishes.uid).home_directory()
    fix = say("let {home} be written to, or set XDG_STATE_HOME to a directory", home=home or "HOME")
    evidence = [say("{path} cannot be written to", path=nearest)]
    if account.queue:
        yield Finding(
            "machine.home",
            FAULT,
            say("the queue of this user has no place: {path}", path=state),
            meaning=say("the account says queue on, and nothing can be kept there"),
            fix=fix,
            evidence=evidence,
        )
        return
    yield Finding(
        "machine.home",
        NOTE,
        say("nothing can be remembered below {path}", path=state),
        meaning=say("a server that asks for a weaker login than before is not noticed"),
        fix=fix,
        evidence=evidence,
    )


def _nearest(path: str) -> str:
    """Return a path, or the nearest above it that is there; HOME may be a relative one."""
    path = os.path.abspath(path)
    while path != "/" and not os.path.lexists(path):
        path = os.path.dirname(path)
    return path
