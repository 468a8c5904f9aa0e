"""
The way to the port: whether a connection is made as for sending, and SMTP is what answers.

1. ``dial`` as a mail would. Where that fails, ``connect_failed`` finds out what does work.
2. ``_listen`` to what is said first, and ``_judge`` it.
3. ``_other_family``: whether IPv6 fails where IPv4 works, which costs every mail its time.

Nothing is said but a hello of TLS and ``QUIT``: no session is begun and no secret is near.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from pillarbox.delivery.probe_ports import OPEN, REFUSED, TIMEOUT, try_addresses
from pillarbox.delivery.route import Route
from pillarbox.doctor.connect_failed import (
    explain_failure,
    lines_for_port,
    lines_to_set,
    open_alternative,
)
from pillarbox.doctor.finding import FAULT, WARNING, Finding
from pillarbox.doctor.first_words import END, PLAIN, SILENCE, FirstWords, hear
from pillarbox.doctor.replies import evidence_of, explain
from pillarbox.errors import ConfigError, NetworkError
from pillarbox.mail.reply import printable
from pillarbox.net.dial import dial
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.doctor.patient import Patient
    from pillarbox.net.stream import Stream

__all__ = ["CODES", "check_connect"]

CODES: tuple[str, ...] = (
    "connect.refused",
    "connect.blocked",
    "connect.all-blocked",
    "connect.unreachable",
    "connect.forbidden",
    "connect.wrong-port",
    "connect.captive",
    "connect.not-smtp",
    "connect.tls-mode",
    "connect.proxy",
    "connect.source",
    "connect.socket",
    "connect.hosts",
    "connect.closed",
    "connect.silent",
    "connect.ipv6",
)

# Seconds in which a server that speaks first has mostly spoken; then it is asked in another way.
_QUIET_S = 2.0
_SAID = 200  # characters of what was said that are shown
# Nobody serves TLS from the start there, and many take whoever speaks first for a spammer.
_NEVER_TLS_PORT = 25
_SECONDS_FOR_IPV6 = 3.0

# What listens where, by itself: for whoever took the port of another protocol.
_SERVICE_OF_PORT = {110: "POP3", 143: "IMAP", 993: "IMAP", 995: "POP3"}


def check_connect(patient: Patient) -> Iterator[Finding]:
    """Connect as for sending, and hear what answers."""
    account = patient.account
    assert account is not None
    route = Route(account, None)
    patience_s = route.patience(patient.patience_s)
    try:
        stream = dial(route.endpoint, patience_s)
    except (NetworkError, ConfigError) as exc:
        yield from explain_failure(patient, route, exc)
        return
    try:
        words = _listen(route, stream, patience_s)
    finally:
        stream.close()
    found = _judge(patient, route, words, _where(route, stream))
    if found is not None:
        yield found
        return
    yield from _other_family(patient, route)


def _where(route: Route, stream: Stream) -> str:
    """Return what was connected to, for evidence: an address and a port."""
    endpoint = route.endpoint
    if not stream.address:
        return printable(str(endpoint))
    address = f"[{stream.address}]" if ":" in stream.address else stream.address
    return f"{address}:{endpoint.port}"


# -- listening --------------------------------------------------------------------------------


def _listen(route: Route, stream: Stream, patience_s: float) -> FirstWords:
    """
    Return what is at the other end.

    Where the account has the server speak first and it does not, a second connection asks
    whether it waits for TLS; the first goes on waiting, for a server that is only slow.
    """
    name = route.tls_policy.host_override or route.endpoint.host
    if route.tls_is_implicit:
        return hear(stream, patience_s, hello_to=name)
    deadline = monotonic() + patience_s
    words = hear(stream, min(_QUIET_S, patience_s / 3), is_last_try=False)
    if words.kind != SILENCE:
        return words
    if not route.endpoint.socket_path and route.endpoint.port != _NEVER_TLS_PORT:
        other = _say_hello(route, name, min(_QUIET_S, patience_s / 3))
        # A greeting that comes late is the first connection's matter.
        if other.is_tls or other.service not in ("", "SMTP"):
            return other
    return hear(stream, deadline - monotonic())


def _say_hello(route: Route, name: str, patience_s: float) -> FirstWords:
    try:
        stream = dial(route.endpoint, patience_s)
    except (NetworkError, ConfigError):
        return FirstWords(SILENCE)
    try:
        return hear(stream, patience_s, hello_to=name, is_last_try=False)
    finally:
        stream.close()


# -- judging ----------------------------------------------------------------------------------


def _judge(patient: Patient, route: Route, words: FirstWords, where: str) -> Finding | None:
    """Return what is wrong with what was said; None: it is SMTP, as it should be."""
    evidence = (where, *_quoted(patient, words))
    service, greeting, is_implicit = words.service, words.greeting, route.tls_is_implicit
    if words.is_tls and not words.octets:
        service = _SERVICE_OF_PORT.get(route.endpoint.port, "")
    if service == "HTTP":
        return _captive(route, evidence)
    if service != "SMTP" and (service or words.octets):
        return _other_service(patient, route, evidence, service)
    # First, for some answer a hello that they do not understand with a reply that refuses.
    if (words.kind == PLAIN and is_implicit) or (words.is_tls and not is_implicit):
        return _other_mode(route, evidence, words)
    if greeting is not None and not greeting.is_positive:
        return _refused(patient, words, where)
    if words.kind == SILENCE:
        return _silent(route, evidence)
    if words.kind == END:
        return _hung_up(route, evidence)
    return None  # SMTP, or TLS that refuses us: the next check says why


def _quoted(patient: Patient, words: FirstWords) -> tuple[str, ...]:
    """Return the first line of what was said, safe to show; none where nothing was."""
    first = words.octets.strip().partition(b"\n")[0].rstrip(b"\r")
    if not first:
        return ()
    from pillarbox.delivery.report import mask

    return (printable(mask(first, patient.secret), _SAID),)


def _silent(route: Route, evidence: tuple[str, ...]) -> Finding:
    return Finding(
        "connect.silent",
        FAULT,
        say("{peer} takes the connection and says nothing", peer=str(route.endpoint)),
        meaning=say(
            "mostly a firewall or a proxy in between that takes every connection; a server that "
            "is overloaded can be so, too"
        ),
        fix=say(
            "try the same from another network; when it answers there, ask whoever runs this "
            "one to let connections to port {port} through",
            port=route.endpoint.port,
        ),
        evidence=evidence,
    )


def _captive(route: Route, evidence: tuple[str, ...]) -> Finding:
    return Finding(
        "connect.captive",
        FAULT,
        say("a web server answers in place of {peer}", peer=str(route.endpoint)),
        meaning=say(
            "a login page of this network (hotel, guest Wi-Fi, cloud gateway) or a proxy takes "
            "the connection; or host and port are those of a web site"
        ),
        fix=say(
            "log in to this network with a browser, or have its owner let port {port} through; "
            "on a network without such a page, check host and port",
            port=route.endpoint.port,
        ),
        evidence=evidence,
    )


def _hung_up(route: Route, evidence: tuple[str, ...]) -> Finding:
    return Finding(
        "connect.closed",
        FAULT,
        say("{peer} closes the connection at once", peer=str(route.endpoint)),
        meaning=say(
            "the server, or something before it, wants no connection from this machine's address"
        ),
        fix=say(
            "look whether this machine's address is blocked at the provider (its console, or its "
            "support), or whether the provider has a list of allowed addresses"
        ),
        evidence=evidence,
    )


def _refused(patient: Patient, words: FirstWords, where: str) -> Finding:
    reply = words.greeting
    assert reply is not None
    known = explain(str(reply), host=patient.host, greeting=str(reply), stage="greeting")
    meaning: str = say("it turns this machine's address away, before any login")
    fix: str = say("ask the provider's support with the text of this reply")
    if reply.is_transient:
        meaning = say("it turns everybody, or this machine's address, away for a while")
        fix = say("wait an hour, and ask again; the reply below says more")
    if known is not None:
        meaning = known.cause
        fix = known.fix if known.provider else fix  # of anybody's it is too vague to be followed
    return Finding(
        "connect.closed",
        FAULT,
        say("the server refuses the connection with its greeting"),
        meaning=meaning,
        fix=fix,
        evidence=(where, *evidence_of(reply, patient.secret)),
    )


def _other_mode(route: Route, evidence: tuple[str, ...], words: FirstWords) -> Finding:
    account, peer = route.account, str(route.endpoint)
    if words.kind == PLAIN:
        return Finding(
            "connect.tls-mode",
            FAULT,
            say("{peer} begins in plain text, but the account has tls_starttls off", peer=peer),
            meaning=say("with tls_starttls off TLS comes first, as on port 465"),
            fix=lines_to_set(account, "tls_starttls on"),
            evidence=evidence,
        )
    keyword = "tls_starttls on" if account.tls else "tls off"
    lines = ("tls_starttls off",) if account.tls else ("tls on", "tls_starttls off")
    return Finding(
        "connect.tls-mode",
        FAULT,
        say("{peer} waits for TLS, but the account has {keyword}", peer=peer, keyword=keyword),
        meaning=say("on this port TLS comes first; each side waits for the other to speak"),
        fix=lines_to_set(account, *lines),
        evidence=evidence,
    )


def _other_service(
    patient: Patient, route: Route, evidence: tuple[str, ...], service: str
) -> Finding:
    problem = say("{peer} does not speak SMTP", peer=str(route.endpoint))
    if service:
        problem = say(
            "{peer} speaks {service}, not SMTP", peer=str(route.endpoint), service=service
        )
    fix = say("set host and port to the provider's SMTP server: pillarbox providers has them")
    # Behind a proxy, or a socket, there is nothing to try.
    is_direct = not route.endpoint.proxy_host and not route.endpoint.socket_path
    instead = open_alternative(patient, route) if is_direct else None
    if instead is not None:
        fix = lines_for_port(patient, route, instead.port)
    return Finding(
        "connect.not-smtp",
        FAULT,
        problem,
        meaning=say("mail is handed in over SMTP; IMAP and POP3 are for reading it"),
        fix=fix,
        evidence=evidence,
    )


# -- the other family of addresses -------------------------------------------------------------


def _other_family(patient: Patient, route: Route) -> Iterator[Finding]:
    """Warn where the IPv6 addresses fail, IPv4 works, and each mail waits for the first."""
    addresses = patient.addresses
    if route.endpoint.proxy_host or len({":" in address for address in addresses}) < 2:
        return
    patience_s = min(patient.patience_s, _SECONDS_FOR_IPV6)
    answers = try_addresses(addresses, (route.endpoint.port,), patience_s=patience_s, hearing_s=0)
    new = [answer for answer in answers if ":" in answer.address]
    old = [answer for answer in answers if ":" not in answer.address]
    # Without IPv6 at all (no route) an address of it costs no time.
    fails = new and all(answer.state in (TIMEOUT, REFUSED) for answer in new)
    if not fails or not any(answer.state == OPEN for answer in old):
        return
    yield Finding(
        "connect.ipv6",
        WARNING,
        say("{host} cannot be reached over IPv6, only over IPv4", host=route.endpoint.host),
        meaning=say("mail goes, but each connection may lose time with the address that fails"),
        fix=say(
            "have IPv4 preferred: write the line 'precedence ::ffff:0:0/96  100' into /etc/gai.conf"
        ),
        evidence=[f"[{answer.address}]:{answer.port}: {answer.reason}" for answer in new],
    )
