"""
Why no connection was made, and what would work in its place.

The rule to keep: the port that is advised has answered, now and from here; and where a proxy is
configured nobody is asked directly, for some have it so that nobody sees them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.delivery.probe_ports import (
    FORBIDDEN,
    OPEN,
    REFUSED,
    SUBMISSION_PORTS,
    TIMEOUT,
    UNREACHABLE,
    best_answers,
    look_up,
    try_addresses,
)
from pillarbox.doctor.finding import FAULT, Finding
from pillarbox.doctor.first_words import PLAIN, FirstWords
from pillarbox.doctor.hosts_file import find_other_address
from pillarbox.errors import ConfigError
from pillarbox.mail.reply import printable
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pillarbox.config.account import Account
    from pillarbox.delivery.probe_ports import PortAnswer
    from pillarbox.delivery.route import Route
    from pillarbox.doctor.patient import Patient
    from pillarbox.errors import PillarboxError
    from pillarbox.text import Text

__all__ = ["explain_failure", "lines_for_port", "lines_to_set", "open_alternative"]

_IMPLICIT_PORT = 465
_RELAY_PORT = 25
_SAID = 120  # characters of a greeting in the evidence


def explain_failure(patient: Patient, route: Route, exc: PillarboxError) -> Iterator[Finding]:
    """
    Yield the fault that kept ``net.dial`` from connecting. Blocks while ports are tried.

    Args:
        patient: With the addresses of the host, where they are known.
        route: Where to, and how.
        exc: What ``dial`` raised.

    Raises:
        PillarboxError: ``exc`` itself, where no reason is found.

    """
    account = route.account
    if account.socket:
        yield _as_it_says("connect.socket", exc, say("start the service behind the socket"))
    elif account.source_ip and (isinstance(exc, ConfigError) or _is_open(patient, route)):
        yield _as_it_says("connect.source", exc, say("leave source_ip out"))
    elif isinstance(exc, ConfigError):
        raise exc
    elif account.proxy_host:
        yield _proxy(patient, route, exc)
    else:
        yield _by_hosts_file(patient, route, exc) or _by_ports(patient, route, exc)


def _as_it_says(code: str, exc: PillarboxError, fix: str) -> Finding:
    return Finding(code, FAULT, exc.sentence, fix=exc.advice or fix)


def _proxy(patient: Patient, route: Route, exc: PillarboxError) -> Finding:
    """Return that the proxy is not there, or does not let us through."""
    endpoint = route.endpoint
    patience_s = route.patience(patient.patience_s)
    addresses = patient.addresses or look_up(endpoint.proxy_host, patience_s)
    found = try_addresses(addresses, (endpoint.proxy_port,), patience_s=patience_s, hearing_s=0)
    if not any(answer.is_open for answer in found):
        fix = say("check proxy_host and proxy_port, and that the proxy runs")
    else:
        fix = say("have the proxy allow connections to {peer}", peer=str(endpoint))
    return Finding(
        "connect.proxy",
        FAULT,
        exc.sentence,
        fix=fix,
        evidence=tuple(map(_seen, found)),
    )


def _by_hosts_file(patient: Patient, route: Route, exc: PillarboxError) -> Finding | None:
    """Return that /etc/hosts leads to where nobody is; None: it does not."""
    other = find_other_address(patient, route.endpoint.host)
    if other is None:
        return None
    return Finding(
        "connect.hosts",
        FAULT,
        say(
            "{path} sends {host} to {address}, and nobody takes mail there",
            path=other.path,
            host=printable(other.host),
            address=other.own[0],
        ),
        meaning=say("the host has another address by now; an old line is followed for ever"),
        fix=other.fix,
        evidence=(*other.evidence, exc.sentence),
    )


def _is_open(patient: Patient, route: Route) -> bool:
    """Tell whether the port can be reached without the configured address of ours."""
    if route.endpoint.proxy_host:
        return False
    answers = _try(patient, route, (route.endpoint.port,))
    return answers[0].is_open


def _by_ports(patient: Patient, route: Route, exc: PillarboxError) -> Finding:
    """Return what the ports of the host say of it."""
    ports = dict.fromkeys((route.endpoint.port, *_known_ports(patient, route), *SUBMISSION_PORTS))
    answers = _try(patient, route, tuple(ports))
    own, evidence = answers[0], tuple(map(_seen, answers))
    instead = _first_usable(answers[1:])
    if own.state == OPEN:
        raise exc  # it works again: what failed is all there is to say
    if instead is not None:
        return _other_port(patient, route, own, instead, evidence)
    if own.state == UNREACHABLE:
        return _unreachable(own, evidence)
    if own.state == FORBIDDEN:
        return _forbidden(own, evidence)
    if own.state == REFUSED:
        return _refused(route, evidence)
    if all(answer.state == TIMEOUT for answer in answers):
        return _all_blocked(route, evidence)
    return _blocked(route, evidence)


def _try(patient: Patient, route: Route, ports: Sequence[int]) -> tuple[PortAnswer, ...]:
    """Return the best answer of each port, in their order."""
    patience_s = route.patience(patient.patience_s)
    addresses = patient.addresses or look_up(route.endpoint.host, patience_s)
    return best_answers(try_addresses(addresses, ports, patience_s=patience_s))


def _known_ports(patient: Patient, route: Route) -> list[int]:
    """Return the ports on which the provider serves this host; none where we know of nobody."""
    if patient.provider is None:
        return []
    host = route.endpoint.host.lower().rstrip(".")
    return [row.port for row in patient.provider.endpoints if row.is_host(host)]


def _seen(answer: PortAnswer) -> str:
    """Return a line of evidence."""
    address = f"[{answer.address}]" if ":" in answer.address else answer.address
    said = answer.first_octets.partition(b"\n")[0].rstrip(b"\r")
    what = answer.reason or (printable(said, _SAID) if said else answer.state)
    return f"{address}:{answer.port}: {what}"


# -- another port ------------------------------------------------------------------------------


def open_alternative(patient: Patient, route: Route) -> PortAnswer | None:
    """
    Return the best other port of the host for handing mail in; None: there is none. Blocks.

    The provider's own come first, in its order, then 465, 587 and 25.
    """
    ports = dict.fromkeys((*_known_ports(patient, route), *SUBMISSION_PORTS))
    ports.pop(route.endpoint.port, None)
    return _first_usable(_try(patient, route, tuple(ports)))


def _first_usable(answers: Sequence[PortAnswer]) -> PortAnswer | None:
    """Return the first that is open and may speak SMTP; None: none is."""
    return next((answer for answer in answers if answer.is_open and _may_be_smtp(answer)), None)


def _may_be_smtp(answer: PortAnswer) -> bool:
    words = FirstWords(PLAIN, answer.first_octets)
    if answer.is_closed and not answer.first_octets:
        return False
    return not answer.first_octets or words.service == "SMTP"


def _is_implicit(patient: Patient, route: Route, port: int) -> bool:
    """Tell whether TLS comes first on a port: as the provider has it, else as RFC 8314 has."""
    host = route.endpoint.host.lower().rstrip(".")
    rows = patient.provider.endpoints if patient.provider is not None else ()
    for row in rows:
        if row.port == port and row.is_host(host):
            return row.tls == "implicit"
    return port == _IMPLICIT_PORT


def lines_for_port(patient: Patient, route: Route, port: int) -> Text:
    """Return what to write to use another port."""
    lines = [f"port {port}"]
    if not route.account.tls:
        lines.append("tls on")
    lines.append("tls_starttls off" if _is_implicit(patient, route, port) else "tls_starttls on")
    return lines_to_set(route.account, *lines)


def lines_to_set(account: Account, *lines: str) -> Text:
    """
    Return what to write where, so that an account is as it should be.

    Several lines stand on lines of their own: they are copied as they are.
    """
    text = "\n".join(lines)
    if not account.origin:
        return say("set: {lines}", lines=text)
    path, name = printable(account.origin), printable(account.name)
    if len(lines) == 1:
        return say("in {path}, account {name}, set: {lines}", path=path, name=name, lines=text)
    return say(
        "in {path}, account {name}, set these lines:\n{lines}", path=path, name=name, lines=text
    )


def _other_port(
    patient: Patient,
    route: Route,
    own: PortAnswer,
    instead: PortAnswer,
    evidence: tuple[str, ...],
) -> Finding:
    host, known = route.endpoint.host, _known_ports(patient, route)
    is_right = own.port in (known or SUBMISSION_PORTS)
    fix = lines_for_port(patient, route, instead.port)
    # Whatever says so, a firewall does: another port of the same host answers.
    if own.state != REFUSED and is_right:
        return Finding(
            "connect.blocked",
            FAULT,
            say(
                "port {port} is blocked on the way to {host}; port {other} is open",
                port=own.port,
                host=printable(host),
                other=instead.port,
            ),
            meaning=_why_blocked(own.port),
            fix=fix,
            evidence=evidence,
        )
    return Finding(
        "connect.wrong-port",
        FAULT,
        say(
            "nobody takes mail on port {port} of {host}; port {other} is open",
            port=own.port,
            host=printable(host),
            other=instead.port,
        ),
        meaning=say("the port in the configuration is not one that this server takes mail on"),
        fix=fix,
        evidence=evidence,
    )


def _why_blocked(port: int) -> Text:
    if port == _RELAY_PORT:
        return say(
            "most clouds and many home networks block port 25 to everybody, against spam; mail "
            "is handed in on 465 or 587"
        )
    return say("a firewall of this machine, its cloud or its network drops the connection")


# -- nothing works -----------------------------------------------------------------------------


def _unreachable(own: PortAnswer, evidence: tuple[str, ...]) -> Finding:
    return Finding(
        "connect.unreachable",
        FAULT,
        say(
            "this machine has no way to {address}: {reason}", address=own.address, reason=own.reason
        ),
        meaning=say("there is no network, no route, or the host is off"),
        fix=say(
            "check that this machine is on the network: ip route get {address}",
            address=own.address,
        ),
        evidence=evidence,
    )


def _forbidden(own: PortAnswer, evidence: tuple[str, ...]) -> Finding:
    return Finding(
        "connect.forbidden",
        FAULT,
        say("this machine itself forbids the connection to port {port}", port=own.port),
        meaning=say("a firewall rule, SELinux, or IPAddressDeny of a systemd unit"),
        fix=say(
            "look for the rule: nft list ruleset; ausearch -m avc; and allow outgoing "
            "connections to port {port}",
            port=own.port,
        ),
        evidence=evidence,
    )


def _refused(route: Route, evidence: tuple[str, ...]) -> Finding:
    return Finding(
        "connect.refused",
        FAULT,
        say("{peer} refuses the connection", peer=str(route.endpoint)),
        meaning=say("nobody listens on the port, or a firewall says no in the server's name"),
        fix=say("check host and port against what the provider says, and that the server runs"),
        evidence=evidence,
    )


def _blocked(route: Route, evidence: tuple[str, ...]) -> Finding:
    port = route.endpoint.port
    return Finding(
        "connect.blocked",
        FAULT,
        say(
            "port {port} of {host} does not answer", port=port, host=printable(route.endpoint.host)
        ),
        meaning=_why_blocked(port),
        fix=say(
            "have the owner of this network, or the cloud's console, allow outgoing "
            "connections to TCP port {port}",
            port=port,
        ),
        evidence=evidence,
    )


def _all_blocked(route: Route, evidence: tuple[str, ...]) -> Finding:
    return Finding(
        "connect.all-blocked",
        FAULT,
        say("none of the mail ports of {host} answers", host=printable(route.endpoint.host)),
        meaning=say(
            "a firewall drops all outgoing mail, the machine has no internet, or the host is off"
        ),
        fix=say(
            "have the owner of this network, or the cloud's security group, allow outgoing "
            "connections to TCP port 465 of {host}",
            host=printable(route.endpoint.host),
        ),
        evidence=evidence,
    )
