"""
The relay settings of Postfix: ``main.cf``, and the maps of it that are plain text.

Only what a null client needs is read: ``relayhost``, its login, its TLS and the names of this
machine. ``master.cf`` may override all of it; that is said and not followed. Maps that are
compiled (``hash:``, ``lmdb:`` ...) are read from the text beside them.
"""

from __future__ import annotations

import os
import re

from pillarbox.config.importers.result import Import, NewAccount, host_and_port, is_yes, lines_of
from pillarbox.errors import MissingInputError
from pillarbox.text import say

__all__ = ["PATH", "read"]

PATH = "/etc/postfix/main.cf"

_PORT_IMPLICIT = 465
_DEEPEST = 20  # of $name in $name; a circle ends here
_LONGEST = 4096  # characters of a value: one that grows by itself ends here
_NAME = re.compile(r"\$(?:\{(\w+)\}|\((\w+)\)|(\w+))")
_TEXT_MAPS = ("hash", "btree", "lmdb", "dbm", "cdb", "texthash")
_STRICT = ("encrypt", "verify", "secure", "fingerprint", "dane", "dane-only")

# Names that change what is sent, and that one account cannot say.
_LEFT = (
    "sender_dependent_relayhost_maps",
    "sender_dependent_default_transport_maps",
    "transport_maps",
    "smtp_generic_maps",
    "sender_canonical_maps",
    "canonical_maps",
    "recipient_canonical_maps",
    "virtual_alias_maps",
    "smtp_header_checks",
    "header_checks",
    "always_bcc",
    "sender_bcc_maps",
    "masquerade_domains",
    "smtp_tls_policy_maps",
    "smtp_tls_CApath",
    "milter_default_action",
    "non_smtpd_milters",
)


def read(path: str) -> Import:
    """
    Read ``main.cf``.

    Raises:
        MissingInputError: It, or the map of passwords, cannot be read, or there is no relayhost.
        DataError: A value fits in no msmtprc.

    """
    result = Import()
    path = os.path.join(path, "main.cf") if os.path.isdir(path) else path
    values = _Values(path)
    relay = values.get("relayhost") or values.get("fallback_relay")
    if not relay:
        raise MissingInputError(
            say("{path} names no server", path=path),
            advice=say("it delivers to every domain by itself, which pillarbox does not"),
        )
    relays = [part for part in relay.replace(",", " ").split() if part]
    for number, one in enumerate(relays, 1):
        name = "postfix" if number == 1 else f"postfix{number}"
        if result.accounts:
            result.accounts[-1].set("fallback", name)
        result.accounts.append(_account(name, one, values, result))
    for name in _LEFT:
        if values.get(name):
            result.note(say("not carried over: {what}", what=name), (path, values.lines[name]))
    if os.path.exists(os.path.join(os.path.dirname(path), "master.cf")):
        result.note(say("master.cf can override these settings and was not read"))
    return result


class _Values:
    """The parameters of ``main.cf``: the last one of a name counts."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.lines: dict[str, int] = {}
        self._texts: dict[str, str] = {}
        name = ""
        for number, line in enumerate(lines_of(path), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if line[0] in " \t":  # it goes on
                self._texts[name] = f"{self._texts.get(name, '')} {line.strip()}".strip()
                continue
            key, _, value = line.partition("=")
            name = key.strip()
            self._texts[name], self.lines[name] = value.strip(), number

    def get(self, name: str) -> str:
        """Return a value with the names in it filled in; empty when it is not set."""
        text = self._texts.get(name, "")
        for _ in range(_DEEPEST):
            filled = _NAME.sub(self._value, text)
            if filled == text or len(filled) > _LONGEST:
                break
            text = filled
        return text

    def _value(self, found: re.Match[str]) -> str:
        return self._texts.get(found[1] or found[2] or found[3], "")


def _account(name: str, relay: str, values: _Values, result: Import) -> NewAccount:
    relay = relay.removeprefix("smtp:").removeprefix("relay:")
    host, port, is_bracketed = host_and_port(relay)
    if not is_bracketed:
        result.note(say("{host} itself is asked now, and not its MX", host=host))
    port = port or 25
    account = NewAccount(name)
    tls = _tls(values, port, result)
    user, password = ("", "")
    if is_yes(values.get("smtp_sasl_auth_enable")):
        user, password = _login(values, relay, host, result)
    if user and tls == "off":
        tls = "starttls"
        result.note(say("no password is sent without TLS: TLS is on now"))
    account.set_server(host, port, tls)
    if tls != "off":
        account.set("tls_trust_file", values.get("smtp_tls_CAfile"))
        certificate = values.get("smtp_tls_cert_file")
        account.set("tls_cert_file", certificate)
        account.set("tls_key_file", values.get("smtp_tls_key_file") or certificate)
    account.set_login(user, password)
    address = values.get("smtp_bind_address")
    account.set("source_ip", "" if address == "0.0.0.0" else address)  # noqa: S104 (any)
    hostname = values.get("myhostname")
    account.set("domain", values.get("smtp_helo_name") or hostname)
    account.set_sender(_sender(values))
    aliases = next(iter(_map_files(values.get("alias_maps"))), "")
    account.set("aliases", aliases if aliases and os.path.exists(aliases) else "")
    return account


def _tls(values: _Values, port: int, result: Import) -> str:
    level = values.get("smtp_tls_security_level") or (
        "encrypt"
        if is_yes(values.get("smtp_enforce_tls"))
        else "may"
        if is_yes(values.get("smtp_use_tls"))
        else "none"
    )
    if is_yes(values.get("smtp_tls_wrappermode")) or port == _PORT_IMPLICIT:
        return "implicit"
    if level == "may":
        result.note(say("TLS is demanded now; it was taken only where it was offered"))
        return "starttls"
    if level in ("encrypt", "dane"):
        result.note(say("the server's certificate is checked now; it was not before"))
    return "starttls" if level in _STRICT else "off"


def _login(values: _Values, relay: str, host: str, result: Import) -> tuple[str, str]:
    """Return user and password for a server, by the whole of relayhost or by its host."""
    maps = values.get("smtp_sasl_password_maps")
    kind, _, rest = maps.partition(":")
    if kind == "static":
        user, _, password = rest.strip("{} ").partition(":")
        return user, password
    for path in _map_files(maps):
        rows: dict[str, str] = {}
        for line in lines_of(path):
            key, _, login = line.strip().replace("\t", " ").partition(" ")
            if key and not key.startswith("#"):
                rows.setdefault(key.lower(), login.strip())
        for key in (relay.lower(), host.lower(), f"[{host.lower()}]"):
            if key in rows:
                user, _, password = rows[key].partition(":")
                return user, password
    place = (values.path, values.lines.get("smtp_sasl_password_maps", 0))
    result.note(say("no login for {host} was found in the maps of passwords", host=host), place)
    return "", ""


def _map_files(maps: str) -> list[str]:
    """Return the text files of a list of maps; others than files are left out."""
    files = []
    for one in maps.replace(",", " ").split():
        kind, _, path = one.partition(":")
        if kind in _TEXT_MAPS and path.startswith("/"):
            files.append(path)
    return files


def _sender(values: _Values) -> str:
    """Return the sender that Postfix makes of a local user: user@myorigin."""
    origin = values.get("myorigin")
    if origin.startswith("/"):
        origin = (
            next((line.strip() for line in lines_of(origin) if line.strip()), "")
            if (os.path.exists(origin))
            else ""
        )
    origin = origin or values.get("myhostname")
    return f"%U@{origin}" if origin else ""
