"""
The settings of nullmailer: ``remotes`` (a server a line), and one-line files beside it.

A server behind the first is tried when the first is away, so it becomes the fallback.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from pillarbox.config.importers.result import Import, NewAccount, lines_of
from pillarbox.errors import DataError, MissingInputError
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PATH", "read"]

PATH = "/etc/nullmailer"

_PORT, _PORT_IMPLICIT = 25, 465
_SILENT = frozenset(("starttls", "ssl", "port", "user", "pass", "auth-login", "source"))
_FILES_LEFT = ("pausetime", "sendtimeout", "maxpause", "queuelifetime", "bouncebranch", "bcc")


def read(path: str) -> Import:
    """
    Read the directory, or its file ``remotes``.

    Raises:
        MissingInputError: It cannot be read, or names no server.
        DataError: A value fits in no msmtprc.

    """
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    remotes = os.path.join(folder, "remotes") if os.path.isdir(path) else path
    result = Import()
    for number, words in _remotes(remotes):
        name = "nullmailer" if not result.accounts else f"nullmailer{len(result.accounts) + 1}"
        account = _account(name, words, result, (remotes, number))
        if account is None:
            continue
        if result.accounts:
            result.accounts[-1].set("fallback", name)
        _complete(account, folder)
        result.accounts.append(account)
    if not result.accounts:
        raise MissingInputError(say("{path} names no server", path=remotes))
    _note_files(folder, result)
    return result


def _remotes(path: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines_of(path), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            words = shlex.split(line)
        except ValueError as error:
            problem = say("{path}:{line}: a quote is not closed", path=path, line=number)
            raise DataError(problem) from error
        if words:
            yield number, words


def _account(
    name: str, words: list[str], result: Import, place: tuple[str, int]
) -> NewAccount | None:
    host, protocol = words[0], words[1] if len(words) > 1 else "smtp"
    if protocol != "smtp":
        what = say("protocol {name}", name=protocol[:40])
        result.note(say("not carried over: {what}", what=what), place)
        return None
    options: dict[str, str] = {}
    for word in words[2:]:
        key, _, value = word.removeprefix("--").partition("=")
        options[key] = value
    tls = "implicit" if "ssl" in options else "starttls" if "starttls" in options else "off"
    if tls == "off" and options.get("user"):
        tls = "implicit" if options.get("port") == str(_PORT_IMPLICIT) else "starttls"
        result.note(say("no password is sent without TLS: TLS is on now"), place)
    port = options.get("port") or str(_PORT_IMPLICIT if tls == "implicit" else _PORT)
    if not (port.isascii() and port.isdigit()):
        raise DataError(say("'{text}' names no port", text=port[:40]))
    account = NewAccount(name)
    account.set_server(host, int(port), tls)
    method = "login" if "auth-login" in options else "on"
    account.set_login(options.get("user", ""), options.get("pass", ""), method)
    account.set("source_ip", options.get("source", ""))
    if tls != "off":
        account.set("tls_trust_file", options.get("x509cafile", ""))
        account.set("tls_cert_file", options.get("x509certfile", ""))
        account.set("tls_key_file", options.get("x509keyfile", ""))
    if "insecure" in options:
        result.note(say("the server's certificate is checked now; it was not before"), place)
    known = {*_SILENT, "x509cafile", "x509certfile", "x509keyfile", "insecure"}
    for key in options.keys() - known:
        result.note(say("not carried over: {what}", what=f"--{key[:40]}"), place)
    return account


def _complete(account: NewAccount, folder: str) -> None:
    """Set what the files beside ``remotes`` say of every server."""
    domain = _one_line(folder, "defaulthost") or _one_line(folder, "me")
    account.set("domain", _one_line(folder, "helohost") or _one_line(folder, "me"))
    sender = _one_line(folder, "allmailfrom")
    account.set_sender(sender or (f"%U@{domain}" if domain else ""))
    if sender:
        account.set("allow_from_override", "off")


def _note_files(folder: str, result: Import) -> None:
    admin = _one_line(folder, "adminaddr")
    if admin:
        result.note(
            say(
                "mail to system users went to {address}: write 'root: {address}' into /etc/aliases"
                " and a line aliases /etc/aliases",
                address=admin,
            )
        )
    for name in _FILES_LEFT:
        if os.path.exists(os.path.join(folder, name)):
            result.note(say("not carried over: {what}", what=os.path.join(folder, name)))


def _one_line(folder: str, name: str) -> str:
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return ""
    return next((line.strip() for line in lines_of(path) if line.strip()), "")
