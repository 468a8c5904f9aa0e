"""
Read the files in which a domain, or the ISPDB, tells how its mail is set up.

Their format is Thunderbird's ``clientConfig`` (draft-ietf-mailmaint-autoconfig). A file comes
from a stranger. The rule to keep: nothing of it gets out of here but a ``Server``, whose host is
a host's name, whose port is one that mail is handed in at, and whose TLS is on; a row that is
none of that is as if it were not there. A document type, and with it every entity, is refused
before a parser sees it.
"""

from __future__ import annotations

import re
from urllib.parse import quote
from xml.etree.ElementTree import ParseError, XMLParser

from pillarbox.errors import DataError
from pillarbox.mail.reply import printable
from pillarbox.setup.candidate import IMPLICIT, STARTTLS, is_host_name, is_mail_port
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.mail.address import Mailbox

__all__ = ["ISPDB", "AutoconfigError", "Server", "own_places", "parse_autoconfig"]

# Mozilla's collection, asked for a domain and never for an address.
ISPDB = "https://autoconfig.thunderbird.net/v1.1/"

_DEPTH_MAX = 16  # elements in each other; the format needs five
_TEXT_MAX = 255  # characters of one value
_SERVERS_MAX = 16

# A document type, an entity, an element declaration: whatever begins so and is no comment and no
# character data. Where they stand inside of one of those, the file is refused too.
_DECLARATION = re.compile(r"<!(?!--|\[CDATA\[)|<!DOCTYPE|<!ENTITY", re.IGNORECASE)

_TLS = {"SSL": IMPLICIT, "TLS": IMPLICIT, "STARTTLS": STARTTLS}

# What the format calls them -> what a server calls them (RFC 4616, 2195, 7628 and their like).
_MECHANISMS = {
    "password-cleartext": ("PLAIN", "LOGIN"),
    "plain": ("PLAIN", "LOGIN"),
    "password-encrypted": ("CRAM-MD5",),
    "secure": ("CRAM-MD5",),
    "OAuth2": ("XOAUTH2",),
    "NTLM": ("NTLM",),
    "GSSAPI": ("GSSAPI",),
}

_PLACEHOLDER = re.compile(r"%EMAIL(?:ADDRESS|LOCALPART|DOMAIN)%")


class AutoconfigError(DataError):
    """A file is not what it should be."""


class Server(Value):
    """
    A server for sending, as a file names it.

    Attributes:
        host: Its name, in lower case.
        port: Its port.
        tls: ``implicit`` or ``starttls``.
        username: The login name for the address in question; empty: the file has none that
            could be used.
        auth: The mechanisms; empty: it does not tell, or there is no login.

    """

    __slots__ = ("auth", "host", "port", "tls", "username")

    def __init__(
        self, host: str, port: int, tls: str, username: str, auth: tuple[str, ...]
    ) -> None:
        self.host = host
        self.port = port
        self.tls = tls
        self.username = username
        self.auth = auth


def own_places(mailbox: Mailbox) -> tuple[str, ...]:
    """Return where a domain itself would tell it; the address is for the first only."""
    domain = mailbox.domain_ascii.lower()
    address = quote(str(mailbox), safe="")
    return (
        f"https://autoconfig.{domain}/mail/config-v1.1.xml?emailaddress={address}",
        f"https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml",
    )


def parse_autoconfig(data: bytes, mailbox: Mailbox) -> tuple[Server, ...]:
    """
    Read a file; the servers for sending that can be used, in its order.

    Args:
        data: The file; the caller limits its size.
        mailbox: Whose address, domain and local-part the placeholders stand for.

    Raises:
        AutoconfigError: It is no such file, or one that nobody has a reason to write.

    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise AutoconfigError(say("the file is not UTF-8")) from exc
    if _DECLARATION.search(text):
        raise AutoconfigError(say("the file has a document type, which could be an attack"))
    reader = _Reader()
    parser = XMLParser(target=reader)  # noqa: S314 (without a document type there are no entities)
    try:
        parser.feed(text)
        parser.close()
    except (ParseError, ValueError) as exc:
        raise AutoconfigError(
            say("the file is no XML: {reason}", reason=printable(str(exc), 80))
        ) from exc
    if not reader.is_configuration:
        raise AutoconfigError(say("the file is not about mail"))
    servers = (_server(row, mailbox) for row in reader.rows)
    return tuple(server for server in servers if server is not None)


class _Reader:
    """
    Gets the elements, and keeps the values of each ``outgoingServer`` for SMTP.

    Attributes:
        is_configuration: The outermost element is the one of the format.
        rows: For each server its values by name; of one that is given more than once the first,
            but all of ``authentication``.

    """

    def __init__(self) -> None:
        self.is_configuration = False
        self.rows: list[dict[str, list[str]]] = []
        self._path: list[str] = []
        self._text = ""
        self._is_in_server = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Go into an element."""
        if len(self._path) >= _DEPTH_MAX:
            raise AutoconfigError(say("the file is nested too deeply"))
        if not self._path:
            self.is_configuration = tag == "clientConfig"
        self._path.append(tag)
        self._text = ""
        if self._path[1:] == ["emailProvider", "outgoingServer"]:
            self._is_in_server = attributes.get("type", "") == "smtp"
            if self._is_in_server:
                if len(self.rows) >= _SERVERS_MAX:
                    raise AutoconfigError(say("the file names too many servers"))
                self.rows.append({})

    def data(self, text: str) -> None:
        """Take a piece of text; what is too long is kept as too long."""
        self._text = (self._text + text)[: _TEXT_MAX + 1]

    def end(self, tag: str) -> None:
        """Leave an element."""
        if self._is_in_server and len(self._path) == 4:
            self.rows[-1].setdefault(tag, []).append(self._text.strip())
        self._path.pop()
        self._text = ""
        if len(self._path) < 3:
            self._is_in_server = False

    def close(self) -> None:
        """Return nothing: everything is here."""


def _server(row: dict[str, list[str]], mailbox: Mailbox) -> Server | None:
    """Return a row's server; None: it is none that we could or would use."""
    first = {name: values[0] for name, values in row.items()}
    host = _filled(first.get("hostname", ""), mailbox).lower().removesuffix(".")
    number = first.get("port", "")
    port = int(number) if number.isascii() and number.isdecimal() and len(number) < 6 else 0
    tls = _TLS.get(first.get("socketType", "").upper(), "")
    if not is_host_name(host) or not is_mail_port(port) or not tls:
        return None
    known = [_MECHANISMS.get(name, ()) for name in row.get("authentication", ())]
    mechanisms = tuple(dict.fromkeys(name for names in known for name in names))
    return Server(host, port, tls, _username(first.get("username", ""), mailbox), mechanisms)


def _username(pattern: str, mailbox: Mailbox) -> str:
    """Return the login name; empty when it could not stand in a configuration."""
    name = _filled(pattern or "%EMAILADDRESS%", mailbox)
    is_usable = 0 < len(name) <= _TEXT_MAX and printable(name, _TEXT_MAX) == name
    return name if is_usable and not set(name) & set(" %\"'\\") else ""


def _filled(pattern: str, mailbox: Mailbox) -> str:
    """Fill placeholders in, each once: what was filled in is not looked at again."""
    values = {
        "%EMAILADDRESS%": str(mailbox),
        "%EMAILLOCALPART%": mailbox.local_part,
        "%EMAILDOMAIN%": mailbox.domain,
    }
    return _PLACEHOLDER.sub(lambda match: values[match.group()], pattern)
