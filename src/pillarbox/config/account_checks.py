"""
What may be wrong with one account: one generator each, in the table ``CHECKS``.

The rules are those of ``config.check``: nothing is run, nobody is asked, no secret is shown.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pillarbox.config.account import FIELDS
from pillarbox.config.check_desk import ERROR, WARNING, Finding
from pillarbox.config.finish import finish_account
from pillarbox.config.load import Wishes
from pillarbox.config.match import has_wildcard, matches_sender
from pillarbox.config.patterns import Surroundings
from pillarbox.config.providers import load_providers, provider_of_endpoint
from pillarbox.errors import ConfigError, PillarboxError
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.config.account import Account
    from pillarbox.config.check_desk import Desk

__all__ = ["CHECKS"]

_PORT_IMPLICIT = 465
_PORTS_STARTTLS = (25, 587)
_CLOSE = 0.9  # of difflib: one letter of a host's name, two of a long one
_DOTS = dict.fromkeys(map(ord, "。．｡"), ".")  # a Chinese keyboard's, which IDNA takes for dots
_WITHOUT_USER = ("off", "external", "gssapi")


def _cannot_work(account: Account, desk: Desk) -> Iterator[Finding]:
    """Find settings that are missing or contradict each other."""
    if not desk.is_whole:
        return
    bare = Wishes({}, env=desk.wishes.env, uid=desk.wishes.uid, euid=desk.wishes.euid)
    try:
        finish_account(account, bare, mailname_file=desk.mailname_file)
    except ConfigError as error:
        place = (error.path, error.line) if error.line else desk.place_of(account)
        yield Finding(ERROR, error.problem, error.advice, place=place)
    except PillarboxError as error:
        yield Finding(ERROR, error.problem, error.advice, place=desk.place_of(account))
    if account.auth not in _WITHOUT_USER and not account.user:
        problem = say("account {name}: auth is on and there is no user", name=account.name)
        yield Finding(ERROR, problem, say("add a line user NAME"), place=account.place("auth"))
    if account.password is not None and account.passwordeval is not None:
        problem = say("account {name}: password and passwordeval are both set", name=account.name)
        advice = say("remove one of them")
        yield Finding(WARNING, problem, advice, place=account.place("password"))


def _tls(account: Account, desk: Desk) -> Iterator[Finding]:
    """TLS that does not fit the port, or does not protect."""
    name, port = account.name, account.port
    if account.socket or not account.host or not desk.is_whole:
        return
    if _contradicts(account) and port == _PORT_IMPLICIT:
        yield Finding(
            ERROR,
            say("account {name}: port 465 speaks TLS from the first octet on", name=name),
            say("write tls on and tls_starttls off"),
            place=account.place("port"),
        )
    if _contradicts(account) and port != _PORT_IMPLICIT:
        yield Finding(
            ERROR,
            say("account {name}: port {port} does not begin with TLS", name=name, port=port),
            say("write tls_starttls on, or port 465"),
            place=account.place("port"),
        )
    is_near = account.host in ("localhost", "::1") or account.host.startswith("127.")
    if not account.tls and account.auth != "off" and not is_near:
        if not account.allow_plaintext_auth:
            yield Finding(
                ERROR,
                say("account {name}: no password is sent without TLS", name=name),
                say("write tls on"),
                place=account.place("auth"),
            )
        else:
            yield Finding(
                WARNING,
                say("account {name}: the password crosses the network openly", name=name),
                say("write tls on"),
                place=account.place("allow_plaintext_auth"),
            )
    if account.tls and not account.tls_certcheck and account.tls_fingerprint is None:
        yield Finding(
            WARNING,
            say("account {name}: anybody can pretend to be the server", name=name),
            say("remove tls_certcheck off; tls_fingerprint pins a certificate of your own"),
            place=account.place("tls_certcheck"),
        )


def _contradicts(account: Account) -> bool:
    """Tell whether port and TLS are a pair that no server has (RFC 8314 3.3)."""
    is_implicit = account.tls and not account.tls_starttls
    if account.port == _PORT_IMPLICIT:
        return not is_implicit
    return account.port in _PORTS_STARTTLS and is_implicit


def _provider(account: Account, desk: Desk) -> Iterator[Finding]:
    """Find what a known provider does not take."""
    tls = "plain" if not account.tls else "starttls" if account.tls_starttls else "implicit"
    port = account.port or (_PORT_IMPLICIT if tls == "implicit" else 25)
    provider = provider_of_endpoint(account.host, port)
    if provider is None:
        yield from _host_of_nobody(account)
        return
    host = account.host.lower().rstrip(".")
    ways = [way for way in provider.endpoints if way.is_host(host)]
    fits = (port, tls) in [(way.port, way.tls) for way in ways]
    if desk.is_whole and not fits and not _contradicts(account):
        known = [f"{way.port} {way.tls}" for way in ways if way.tls != "plain"]
        yield Finding(
            WARNING,
            say("{host} is not known to take mail at port {port} so", host=host, port=port),
            say("known are: {names}", names=", ".join(known)),
            place=account.place("port" if account.is_set("port") else "host"),
        )
    user, sender = account.user or "", account.from_ or ""
    if provider.username_rule == "full-address" and user and "@" not in user:
        yield Finding(
            ERROR,
            say("account {name}: the provider wants the whole address as user", name=account.name),
            say("write user {user}", user=sender if _is_address(sender) else "NAME@DOMAIN"),
            place=account.place("user"),
        )
    if provider.from_rule != "must-equal-login" or not sender or "@" not in user:
        return
    if "%" not in sender and not matches_sender(sender, user):
        yield Finding(
            ERROR,
            say("account {name}: the provider takes no sender but its user", name=account.name),
            say("write from {user}", user=user),
            place=account.place("from"),
        )


def _is_address(sender: str) -> bool:
    """Tell whether a ``from`` is one address and no pattern."""
    return sender.count("@") == 1 and not has_wildcard(sender) and "%" not in sender


def _host_of_nobody(account: Account) -> Iterator[Finding]:
    """Yield that a host is nearly that of a provider; an address is near to nothing."""
    from difflib import get_close_matches

    if account.host.replace(".", "").isdigit() or ":" in account.host:
        return
    hosts = [way.host for each in load_providers() for way in each.endpoints]
    close = get_close_matches(account.host.lower().translate(_DOTS), hosts, 1, _CLOSE)
    if close:
        yield Finding(
            WARNING,
            say("{host} is no known provider's host", host=account.host),
            say("did you mean {keyword}?", keyword=f"host {close[0]}"),
            place=account.place("host"),
        )


def _paths(account: Account, desk: Desk) -> Iterator[Finding]:
    """Files that are named and not there."""
    home = Surroundings(desk.wishes.env, desk.wishes.uid).home_directory()
    for field in FIELDS:
        path = account.get(field)
        if not field.is_path or not isinstance(path, str) or path in ("system", "-", ""):
            continue
        path = home + path[1:] if path.startswith("~") else path
        is_log = field.name == "logfile"
        looked = os.path.dirname(path) or "." if is_log and not os.path.exists(path) else path
        if os.access(looked, os.W_OK if is_log else os.R_OK):
            continue
        yield Finding(
            WARNING if is_log else ERROR,
            say("{keyword}: {path} cannot be used by you", keyword=field.name, path=path),
            say("check whether it is there, and its mode"),
            place=account.place(field.name),
        )


CHECKS = (_cannot_work, _tls, _provider, _paths)
