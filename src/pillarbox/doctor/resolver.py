"""
The resolver: whether this machine has one, and whether it answers.

Each nameserver of ``/etc/resolv.conf`` is asked one cheap question that all know, the NS of the
root, all at once: a lookup by ``getaddrinfo`` asks one after the other, and tells in the end only
that it did not work. What the answer says is not looked at; whether the host is in it is for
``names`` to find.

Nothing is asked and nothing found where the host is an address, this computer, or in
``/etc/hosts``: then its name needs no nameserver, and the checks of the domain say for themselves
that nobody answers them.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from contextlib import ExitStack
from ipaddress import ip_address
from selectors import EVENT_READ, DefaultSelector
from typing import TYPE_CHECKING

from pillarbox.delivery.probe_ports import look_up
from pillarbox.doctor.finding import FAULT, WARNING, Finding
from pillarbox.errors import PillarboxError
from pillarbox.mail.reply import printable
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pillarbox.delivery.probe_ports import Resolver
    from pillarbox.doctor.patient import Patient

__all__ = ["CODES", "ask_all", "check_resolver", "needs_names"]

CODES: tuple[str, ...] = (
    "resolver.nsswitch",
    "resolver.none",
    "resolver.silent",
    "resolver.slow",
)

_RESOLV_CONF = "/etc/resolv.conf"
_NSSWITCH = "/etc/nsswitch.conf"
_HOSTS = "/etc/hosts"
_RESOLVED = "systemd-resolved"
_STUBS = ("127.0.0.53", "127.0.0.54")
_RESOLVED_FOLDER = "/run/systemd/resolve/"
_RESOLVED_SOCKET = "/run/systemd/resolve/io.systemd.Resolve"  # nss-resolve(8) asks here

# What glibc's resolver takes of the file, and whom it asks where the file names nobody.
_SERVERS_MAX = 3
_DEFAULT_SERVER = "127.0.0.1"

_PORT = 53
_PATIENCE_S = 2.0
_AGAIN_S = 0.7  # a datagram may be lost
# For the C library's own try, before a nameserver is blamed that only we cannot hear.
_LIBRARY_S = 3.0
_ANSWER_BYTES = 4096
_HEADER_BYTES = 12
# RFC 1035 4.1: one question, recursion desired: ".", type NS (2), class IN (1).
_QUESTION = struct.pack(">HHHHH", 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack(">HH", 2, 1)

# Sources of nsswitch.conf(5) that may know a host of another network.
_KNOWING = ("dns", "resolve", "sss", "ldap", "nis", "wins", "winbind", "nss_tls", "dnscrypt")


def check_resolver(patient: Patient, library: Resolver | None = None) -> Iterator[Finding]:
    """
    Yield why names cannot be looked up, if the account's host is one.

    Args:
        patient: Whose.
        library: Looks a name up as a mail does; None: ``getaddrinfo``, where the machine that is
            looked at is this one.

    """
    account = patient.account
    if account is None or account.socket:
        return
    host = account.proxy_host or patient.host
    if not needs_names(patient, host):
        return
    sources = _sources(patient)
    if sources and not any(source in _KNOWING for source in sources):
        yield Finding(
            "resolver.nsswitch",
            FAULT,
            say("this computer is told to ask no nameserver"),
            meaning=say(
                "{host} cannot be found: {path} knows no source for it", host=host, path=_NSSWITCH
            ),
            fix=say("in {path}, write: hosts: files dns", path=_NSSWITCH),
            evidence=[f"{_NSSWITCH}: hosts: {' '.join(sources)}"],
        )
        return
    servers, is_by_tcp = _servers(patient)
    if is_by_tcp or ("resolve" in sources and patient.has(_RESOLVED_SOCKET)):
        return  # nobody is asked by UDP, or by what the file names
    seen = ask_all(servers or [_DEFAULT_SERVER], min(_PATIENCE_S, patient.patience_s))
    evidence = [f"{address}: {reason}" for address, reason in seen if reason]
    answering = [address for address, reason in seen if not reason]
    if not answering:
        if not _finds(patient, host, library):
            yield _nobody(patient, host, servers, evidence)
    elif seen[0][1]:
        yield _slow(seen[0][0], answering[0], evidence)


def _slow(first: str, other: str, evidence: list[str]) -> Finding:
    return Finding(
        "resolver.slow",
        WARNING,
        say("the first nameserver, {address}, does not answer", address=first),
        meaning=say("every lookup waits for it for five seconds before the next is asked"),
        fix=say(
            "remove nameserver {address} where {path} is made, or put {other} first",
            address=first,
            path=_RESOLV_CONF,
            other=other,
        ),
        evidence=evidence,
    )


def _finds(patient: Patient, host: str, library: Resolver | None) -> bool:
    """
    Tell whether the host is found all the same.

    There are nameservers that do not answer for the root, and ways past them (a cache, TCP).
    """
    if library is None and patient.root:
        return False
    try:
        patience_s = min(_LIBRARY_S, patient.patience_s)
        return bool(look_up(host, patience_s, resolver=library or socket.getaddrinfo))
    except (OSError, PillarboxError):
        return False


def needs_names(patient: Patient, host: str) -> bool:
    """Tell whether a host has to be looked up by a nameserver."""
    name = host.lower().rstrip(".")
    if not name or name == "localhost" or name.endswith(".localhost"):
        return False
    if _is_address(name.strip("[]")):
        return False
    for line in (patient.read(_HOSTS) or "").splitlines():
        if name in line.partition("#")[0].lower().split()[1:]:
            return False
    return True


def _is_address(text: str) -> bool:
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def _sources(patient: Patient) -> list[str]:
    """Return where the C library looks hosts up; empty: it does as it likes."""
    for line in (patient.read(_NSSWITCH) or "").splitlines():
        keyword, colon, rest = line.partition("#")[0].partition(":")
        if colon and keyword.strip() == "hosts":
            words = rest.replace("[", " [").split()
            return [word for word in words if not word.startswith("[") and "=" not in word]
    return []


def _servers(patient: Patient) -> tuple[list[str], bool]:
    """Return the nameservers, and whether they are to be asked by TCP only (``use-vc``)."""
    servers, is_tcp = [], False
    for line in (patient.read(_RESOLV_CONF) or "").splitlines():
        words = line.partition("#")[0].partition(";")[0].split()
        if len(words) > 1 and words[0] == "nameserver":
            servers.append(words[1])
        is_tcp = is_tcp or (words[:1] == ["options"] and "use-vc" in words)
    # The C library passes over what is no address, and waits for nobody there.
    return ([server for server in servers if _is_address(server)] or servers)[:_SERVERS_MAX], is_tcp


def ask_all(
    servers: Sequence[str], patience_s: float, *, port: int | None = None
) -> list[tuple[str, str]]:
    """
    Ask nameservers for the NS of the root, all at once. Blocks for a while.

    Args:
        servers: Their addresses.
        patience_s: Seconds for all of it.
        port: UDP; None: that of the DNS.

    Returns:
        Each address with why it did not answer; empty: it did.

    """
    with ExitStack() as stack:
        selector = stack.enter_context(DefaultSelector())
        asked = {}
        reasons = {}
        for address in dict.fromkeys(servers):
            number = os.urandom(2)
            try:
                channel = stack.enter_context(_channel(address, _PORT if port is None else port))
                channel.send(number + _QUESTION)
            except OSError as error:
                reasons[address] = error.strerror or str(error)
                continue
            except UnicodeError:  # of getaddrinfo, for what is no address at all
                reasons[address] = say("no address")
                continue
            asked[address] = channel, number + _QUESTION
            selector.register(channel, EVENT_READ, (address, number))
        begun_s = time.monotonic()
        is_repeated = False
        while selector.get_map():
            left_s = begun_s + patience_s - time.monotonic()
            if left_s <= 0:
                break
            for key, _ in selector.select(left_s if is_repeated else min(left_s, _AGAIN_S)):
                address, number = key.data
                reason = _heard(asked[address][0], number)
                if reason is not None:
                    reasons[address] = reason
                    selector.unregister(key.fileobj)
            if not is_repeated and time.monotonic() - begun_s >= _AGAIN_S:
                is_repeated = True
                for key in selector.get_map().values():
                    _send_again(*asked[key.data[0]])
    late = say("no answer within {time} seconds", time=f"{patience_s:g}")
    return [(printable(address, 60), reasons.get(address, late)) for address in servers]


def _channel(address: str, port: int) -> socket.socket:
    """Return a socket that hears only the one server."""
    family, kind, _, _, place = socket.getaddrinfo(
        address, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
    )[0]
    channel = socket.socket(family, kind)
    try:
        channel.settimeout(0)
        channel.connect(place)
    except OSError:
        channel.close()
        raise
    return channel


def _send_again(channel: socket.socket, question: bytes) -> None:
    try:
        channel.send(question)
    except OSError:
        return  # what the first one met comes with the answer


def _heard(channel: socket.socket, number: bytes) -> str | None:
    """Return ``""`` for an answer, why there is none, or None: it was not for us."""
    try:
        data = channel.recv(_ANSWER_BYTES)
    except BlockingIOError:
        return None
    except OSError as error:
        return error.strerror or str(error)
    is_answer = len(data) >= _HEADER_BYTES and data[:2] == number and data[2] & 0x80
    return "" if is_answer else None


def _nobody(patient: Patient, host: str, servers: list[str], evidence: list[str]) -> Finding:
    is_resolved = _is_resolved(patient, servers)
    fix = f"sudo systemctl restart {_RESOLVED}"
    if not servers:
        if not is_resolved:
            fix = say("write a line into {path}: nameserver ADDRESS", path=_RESOLV_CONF)
        return Finding(
            "resolver.none",
            FAULT,
            say("this computer has no nameserver"),
            meaning=say("{host} cannot be found", host=host),
            fix=fix,
            evidence=[_state(patient), *evidence],
        )
    if not is_resolved:
        fix = say(
            "see that UDP port 53 to {address} is open, or name another nameserver in {path}",
            address=printable(servers[0], 60),
            path=_RESOLV_CONF,
        )
    problem = say("no nameserver answers")
    if len(servers) == 1:
        problem = say("the nameserver {address} does not answer", address=printable(servers[0], 60))
    return Finding(
        "resolver.silent",
        FAULT,
        problem,
        meaning=say("{host} cannot be found", host=host),
        fix=fix,
        evidence=evidence,
    )


def _is_resolved(patient: Patient, servers: list[str]) -> bool:
    """Tell whether systemd-resolved is the one that should answer."""
    if servers:
        return all(server in _STUBS for server in servers)
    return _RESOLVED_FOLDER.strip("/") in _link(patient)


def _link(patient: Patient) -> str:
    try:
        return os.readlink(patient.at(_RESOLV_CONF))
    except OSError:
        return ""


def _state(patient: Patient) -> str:
    """Return what there is of the file."""
    link = printable(_link(patient))
    if patient.read(_RESOLV_CONF) is not None:
        return say("{path} names no nameserver", path=_RESOLV_CONF)
    if link:
        return say(
            "{path} is a link to {target}, which is not there", path=_RESOLV_CONF, target=link
        )
    return say("{path} is not there", path=_RESOLV_CONF)
