"""
The settings of dma, the DragonFly Mail Agent: ``dma.conf``, and the ``auth.conf`` that it names.

dma checks a certificate only by its fingerprint; the account that comes of it always does.
"""

from __future__ import annotations

import os

from pillarbox.config.importers.result import Import, NewAccount, host_and_port, lines_of
from pillarbox.errors import DataError, MissingInputError
from pillarbox.text import say

__all__ = ["PATH", "read"]

PATH = "/etc/dma/dma.conf"

_PORT_IMPLICIT = 465
_SWITCHES = frozenset(("SECURETRANSFER", "STARTTLS", "OPPORTUNISTIC_TLS", "NULLCLIENT"))
_WITH_VALUE = frozenset(("SMARTHOST", "PORT", "ALIASES", "AUTHPATH", "CERTFILE", "MAILNAME"))
_WITH_VALUE_TOO = frozenset(("MASQUERADE", "FINGERPRINT"))
# Where dma keeps its queue and how it delivers is our own business.
_SILENT = frozenset(("SPOOLDIR", "DEFER", "FULLBOUNCE", "SECURE", "INSECURE"))


def read(path: str) -> Import:
    """
    Read ``dma.conf``.

    Raises:
        MissingInputError: It cannot be read, or names no server.
        DataError: A value fits in no msmtprc.

    """
    result = Import()
    values = _values(path, result)
    host = host_and_port(values.get("SMARTHOST", ""))[0]
    if not host:
        raise MissingInputError(
            say("{path} names no server", path=path),
            advice=say("it delivers to every domain by itself, which pillarbox does not"),
        )
    user, password = _login(values, path, host)
    tls = "off"
    if "SECURETRANSFER" in values:
        tls = "starttls" if "STARTTLS" in values else "implicit"
    port_text = values.get("PORT", "") or str(_PORT_IMPLICIT if tls == "implicit" else 25)
    port = host_and_port(f"x:{port_text}")[1]
    if tls == "off" and user:
        tls = "implicit" if port == _PORT_IMPLICIT else "starttls"
        result.note(say("no password is sent without TLS: TLS is on now"))
    if "OPPORTUNISTIC_TLS" in values and tls != "off":
        result.note(say("TLS is demanded now; it was taken only where it was offered"))
    account = NewAccount("dma")
    account.set_server(host, port, tls)
    if tls != "off":
        account.set("tls_cert_file", values.get("CERTFILE", ""))
        account.set("tls_key_file", values.get("CERTFILE", ""))
        fingerprint = values.get("FINGERPRINT", "")
        account.set("tls_fingerprint", _pairs(fingerprint))
        if not fingerprint:
            result.note(say("the server's certificate is checked now; it was not before"))
    account.set_login(user, password)
    mailname = _mailname(values.get("MAILNAME", ""))
    account.set("domain", mailname)
    masquerade = values.get("MASQUERADE", "")
    if masquerade.endswith("@"):
        masquerade += mailname
    elif masquerade and "@" not in masquerade:
        masquerade = f"%U@{masquerade}"
    account.set_sender(masquerade.replace("@", "%U@", 1) if masquerade[:1] == "@" else masquerade)
    aliases = values.get("ALIASES", "")
    account.set("aliases", aliases if aliases and os.path.exists(aliases) else "")
    result.accounts.append(account)
    return result


def _values(path: str, result: Import) -> dict[str, str]:
    values: dict[str, str] = {}
    for number, line in enumerate(lines_of(path), 1):
        key, _, value = line.partition("#")[0].strip().replace("\t", " ").partition(" ")
        if not key:
            continue
        if key in _SWITCHES or key in _WITH_VALUE or key in _WITH_VALUE_TOO:
            values[key] = value.strip()
        elif key not in _SILENT:
            result.note(say("not carried over: {what}", what=key[:40]), (path, number))
    return values


def _login(values: dict[str, str], path: str, host: str) -> tuple[str, str]:
    """Return user and password for the server: ``user|host:password`` in ``auth.conf``."""
    if "AUTHPATH" not in values:
        return "", ""
    auth = os.path.join(os.path.dirname(path), values["AUTHPATH"])
    for line in lines_of(auth):
        user, bar, rest = line.partition("|")
        where, colon, password = rest.partition(":")
        if bar and colon and not user.startswith("#") and where.strip() == host:
            return user.strip(), password
    return "", ""


def _mailname(text: str) -> str:
    """Return our name; dma takes the first line of a file when it is given as a path."""
    if not text.startswith("/"):
        return text
    if not os.path.exists(text):
        return ""
    return next((line.strip() for line in lines_of(text) if line.strip()), "")


def _pairs(fingerprint: str) -> str:
    """Return a fingerprint with colons; dma writes 64 digits in a row."""
    digits = fingerprint.replace(":", "").replace(" ", "")
    if len(digits) % 2:
        raise DataError(say("FINGERPRINT is none"))
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
