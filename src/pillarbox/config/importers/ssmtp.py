"""
The settings of sSMTP: ``ssmtp.conf`` (``Key=value``), and ``revaliases`` beside it.

sSMTP checks no certificate unless a CA file is set; the account that comes of it always does.
"""

from __future__ import annotations

import os

from pillarbox.config.importers.result import Import, NewAccount, host_and_port, is_yes, lines_of
from pillarbox.errors import MissingInputError
from pillarbox.text import say

__all__ = ["PATH", "read"]

PATH = "/etc/ssmtp/ssmtp.conf"

_PORT_IMPLICIT = 465
_METHODS = {"cram-md5": "cram-md5", "login": "login", "plain": "plain"}
# What is read, in lower case; sSMTP does not mind the case either.
_SERVER = ("mailhub", "usetls", "usestarttls", "tls_ca_file", "tlscert", "tlskey", "usetlscert")
_LOGIN = ("authuser", "authpass", "authmethod")
_SENDER = ("root", "rewritedomain", "hostname", "fromlineoverride")
_SILENT = ("debug", "minuserid")
_KNOWN = frozenset((*_SERVER, *_LOGIN, *_SENDER, *_SILENT))


def read(path: str) -> Import:
    """
    Read ``ssmtp.conf``.

    Raises:
        MissingInputError: It cannot be read, or names no server.
        DataError: A value fits in no msmtprc.

    """
    result = Import()
    values = _values(path, result)
    host, port, _ = host_and_port(values.get("mailhub", ""))
    if not host:
        raise MissingInputError(say("{path} names no server", path=path))
    uses_tls = is_yes(values.get("usetls", ""))
    uses_starttls = is_yes(values.get("usestarttls", ""))
    tls = "starttls" if uses_starttls else "implicit" if uses_tls else "off"
    port = port or (_PORT_IMPLICIT if tls == "implicit" else 25)
    if tls == "off" and values.get("authuser"):
        tls = "implicit" if port == _PORT_IMPLICIT else "starttls"
        result.note(say("no password is sent without TLS: TLS is on now"))
    account = NewAccount("ssmtp")
    account.set_server(host, port, tls)
    if tls != "off":
        account.set("tls_trust_file", values.get("tls_ca_file", ""))
        if is_yes(values.get("usetlscert", "")) or "tlskey" in values:
            account.set("tls_cert_file", values.get("tlscert", ""))
            account.set("tls_key_file", values.get("tlskey", "") or values.get("tlscert", ""))
        if "tls_ca_file" not in values:
            result.note(say("the server's certificate is checked now; it was not before"))
    method = _METHODS.get(values.get("authmethod", "").lower(), "on")
    account.set_login(values.get("authuser", ""), values.get("authpass", ""), method)
    domain = values.get("rewritedomain", "") or values.get("hostname", "")
    account.set("domain", values.get("hostname", ""))
    own = _own_senders(os.path.join(os.path.dirname(path), "revaliases"), result)
    account.set_sender(own or (f"%U@{domain}" if domain else ""))
    if not is_yes(values.get("fromlineoverride", "")):
        account.set("allow_from_override", "off")
    if values.get("root"):
        result.note(
            say(
                "mail to system users went to {address}: write 'root: {address}' into /etc/aliases"
                " and a line aliases /etc/aliases",
                address=values["root"],
            )
        )
    result.accounts.append(account)
    return result


def _values(path: str, result: Import) -> dict[str, str]:
    values: dict[str, str] = {}
    for number, line in enumerate(lines_of(path), 1):
        key, equals, value = line.partition("=")
        key = key.strip().lower()
        if not key or key.startswith("#"):
            continue
        if not equals or key not in _KNOWN:
            result.note(say("not carried over: {what}", what=key[:40]), (path, number))
            continue
        values[key] = value.strip()
    return values


def _own_senders(path: str, result: Import) -> str:
    """Return the sender of root; the others' cannot be said in one account."""
    if not os.path.exists(path):
        return ""
    senders: dict[str, str] = {}
    for line in lines_of(path):
        user, _, rest = line.strip().partition(":")
        if rest and not user.startswith("#"):
            senders[user] = rest.partition(":")[0].strip()
    for user, sender in senders.items():
        if user != "root":
            result.note(
                say("{user} sent as {sender}: give him a ~/.msmtprc", user=user, sender=sender)
            )
    return senders.get("root", "")
