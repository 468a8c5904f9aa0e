"""
What an import gives, and what all importers do alike.

An account is filled keyword by keyword; ``text_of`` writes it as an msmtprc. What a value is not
able to say in one line of an msmtprc is refused here, once, for all importers.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pillarbox.config.account import parse_setting
from pillarbox.config.files import read_file
from pillarbox.config.providers import provider_of_host
from pillarbox.config.values import reason_of
from pillarbox.errors import DataError, MissingInputError
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Import", "NewAccount", "host_and_port", "is_yes", "lines_of", "text_of"]

_FILE_MAX = 1 << 20  # bytes
_LINE_MAX = 499  # bytes of an msmtprc's line (config.parse)
_PORTS = {"smtp": 25, "submission": 587, "smtps": 465, "submissions": 465, "ssmtp": 465}


class NewAccount:
    """
    An account in the making.

    Attributes:
        name: What it will be called.
        settings: Keyword -> argument, in the order of writing.

    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.settings: dict[str, str] = {}

    def set(self, keyword: str, argument: str) -> None:
        """
        Set a keyword, if there is something to set.

        Raises:
            DataError: An msmtprc cannot say this.

        """
        if not argument:
            return
        line = f"{keyword} {_quoted(argument)}"
        if "\n" in argument or "\0" in argument or len(os.fsencode(line)) > _LINE_MAX:
            raise DataError(say("the value for {keyword} fits in no line", keyword=keyword))
        try:
            parse_setting(keyword, argument)
        except ValueError as error:
            raise DataError(
                say("no value for {keyword}: {reason}", keyword=keyword, reason=reason_of(error))
            ) from error
        self.settings[keyword] = argument

    def set_server(self, host: str, port: int, tls: str) -> None:
        """
        Set where mail is handed in.

        Args:
            host: A name or address.
            port: TCP.
            tls: ``implicit``, ``starttls`` or ``off``.

        """
        self.set("host", host)
        self.set("port", str(port))
        self.set("tls", "off" if tls == "off" else "on")
        if tls != "off":
            self.set("tls_starttls", "on" if tls == "starttls" else "off")

    def set_login(self, user: str, password: str, method: str = "on") -> None:
        """Set the login; without a user there is none, whatever a section of defaults says."""
        self.set("auth", method if user else "off")
        if user:
            self.set("user", user)
            self.set("password", password)

    def set_sender(self, wanted: str) -> None:
        """Set the sender: the login where the provider takes no other, else what is wanted."""
        user = self.settings.get("user", "")
        provider = provider_of_host(self.settings.get("host", ""))
        is_bound = provider is not None and provider.from_rule == "must-equal-login"
        if "@" in user and (is_bound or not wanted):
            wanted = user
        self.set("from", wanted)


class Import:
    """
    What an importer found.

    Attributes:
        accounts: The accounts, the first of which is to be the default.
        notes: What a person should know: what was not carried over, and why.

    """

    def __init__(self) -> None:
        self.accounts: list[NewAccount] = []
        self.notes: list[str] = []

    def note(self, text: str, place: tuple[str, int] = ("", 0)) -> None:
        """Say what a person should know, with file and line."""
        path, line = place
        if line:
            text = say("{path}:{line}: {problem}", path=path, line=line, problem=text)
        if text not in self.notes:
            self.notes.append(text)


def text_of(accounts: list[NewAccount], *, hides_secrets: bool) -> Iterator[str]:
    """Yield the lines of accounts, for an msmtprc or for a person to look at."""
    for account in accounts:
        yield f"account {account.name}"
        for keyword, argument in account.settings.items():
            is_hidden = keyword == "password" and hides_secrets
            yield f"{keyword} {'*' if is_hidden else _quoted(argument)}"
        yield ""


def _quoted(argument: str) -> str:
    """Return an argument as it must be written for the reader to give it back."""
    is_quoted = len(argument) > 1 and argument[0] == argument[-1] == '"'
    if is_quoted or argument != argument.strip(" \t") or argument.endswith("\r"):
        return f'"{argument}"'
    return argument


def lines_of(path: str) -> list[str]:
    """
    Return the lines of a file.

    Raises:
        MissingInputError: It cannot be read, or is no settings.

    """
    try:
        content, _ = read_file(path, _FILE_MAX)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or say("no file can have this name")
        raise MissingInputError(
            say("{path}: {problem}", path=path, problem=reason),
            advice=say("give the path of its settings; a file with a password may need root"),
        ) from error
    if len(content) > _FILE_MAX or b"\0" in content:
        raise MissingInputError(say("{path}: {problem}", path=path, problem=say("no text file")))
    text = content.decode("utf-8-sig", "surrogateescape")
    return text.replace("\r\n", "\n").split("\n")


def host_and_port(text: str) -> tuple[str, int, bool]:
    """
    Read ``host``, ``host:port`` or ``[host]:port``.

    Returns:
        The host, the port (0: none is given), and whether the host stood in brackets.

    Raises:
        DataError: The port is none.

    """
    text = text.strip()
    is_literal = text.startswith("[") and "]" in text
    if is_literal:
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") > 1:  # an IPv6 address without brackets
        host, port = text, ""
    else:
        host, _, port = text.partition(":")
    host = host.removeprefix("IPv6:").removeprefix("ipv6:")
    if not port:
        return host, 0, is_literal
    number = _PORTS.get(port.lower()) or (int(port) if port.isascii() and port.isdigit() else 0)
    if not 0 < number < 1 << 16:
        raise DataError(say("'{text}' names no port", text=text))
    return host, number, is_literal


def is_yes(text: str) -> bool:
    """Tell whether a switch of another program is on."""
    return text.strip().lower() in ("yes", "y", "on", "true", "1")
