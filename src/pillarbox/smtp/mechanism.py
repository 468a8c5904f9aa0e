"""
What every SASL mechanism is, and what it is made from (RFC 4422, RFC 4954).

A mechanism answers challenges and knows nothing of base64, lines or rounds: those are the
session's. The rule to keep: no text of an exception, no ``repr`` and no ``error_text`` holds a
secret, and none holds a challenge unmasked, because a server may send a secret back.
"""

from __future__ import annotations

from pillarbox.errors import CredentialError, LocalProtocolError, RemoteProtocolError
from pillarbox.mail.reply import printable
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pillarbox.secret import Secret

__all__ = [
    "PASSWORD",
    "TOKEN",
    "USER",
    "Credentials",
    "Link",
    "Mechanism",
    "encode_credential",
    "error_text",
    "format_saslname",
    "reveal",
]

# What a person calls each part of the credentials; used in texts only.
USER = say("user name")
PASSWORD = say("password")
TOKEN = say("token")

# Best first. RFC 9266 wants tls-exporter wherever there is TLS 1.3, where tls-unique (RFC 5929)
# is not defined.
_BINDING_TYPES = ("tls-exporter", "tls-unique")

# RFC 2831's own example has 14 characters. Fewer than these come from a broken source.
_SHORTEST_NONCE = 12


class Credentials(Value):
    """
    Who logs in, with what, and where.

    Attributes:
        user: The authentication identity; empty when none is configured.
        secret: The password, or the access token of the OAuth mechanisms; None when there is
            none, which is not the same as an empty one.
        host: The server's name as configured, for the mechanisms that put it into their answer.
        port: The server's port, for OAUTHBEARER.
        ntlm_domain: The Windows domain for NTLM; empty when there is none.

    """

    __slots__ = ("host", "ntlm_domain", "port", "secret", "user")

    def __init__(
        self, user: str, secret: Secret | None, host: str, port: int, ntlm_domain: str = ""
    ) -> None:
        self.user = user
        self.secret = secret
        self.host = host
        self.port = port
        self.ntlm_domain = ntlm_domain


class Link(Value):
    """
    What the connection gives to a mechanism.

    Attributes:
        offered: The mechanisms that the server names in EHLO, upper case.
        channel_bindings: The data of each channel binding at hand, by type (RFC 5056); the
            types that this TLS connection does not have are left out.
        nonce: Returns a fresh random text, printable ASCII without space, comma or quote.

    """

    __slots__ = ("channel_bindings", "nonce", "offered")

    def __init__(
        self,
        offered: frozenset[str],
        channel_bindings: Mapping[str, bytes],
        nonce: Callable[[], str],
    ) -> None:
        self.offered = offered
        self.channel_bindings = channel_bindings
        self.nonce = nonce

    def best_binding(self) -> tuple[str, bytes] | None:
        """Return type and data of the channel binding to use, or None when none is at hand."""
        for kind in _BINDING_TYPES:
            data = self.channel_bindings.get(kind)
            if data:
                return kind, data
        return None

    def fresh_nonce(self) -> str:
        """
        Return a nonce that can stand in a SCRAM and in a DIGEST-MD5 message.

        Raises:
            LocalProtocolError: The source gave something else: a bug of the caller.

        """
        nonce = self.nonce()
        is_plain = nonce.isascii() and nonce.isprintable() and not set(nonce) & set(' ,"\\')
        if len(nonce) < _SHORTEST_NONCE or not is_plain:
            msg = "the source of nonces gave one that is too short or not plain ASCII"
            raise LocalProtocolError(msg)
        return nonce


class Mechanism:
    """
    One run of one SASL mechanism, from the client's side.

    The caller calls, in this order: ``initial_response`` once; ``step`` for each 334, with the
    decoded challenge; ``finish`` on 235, before it believes the login. A caller that has no room
    for the initial response on the AUTH line (RFC 4954 section 4) sends it as the answer to a
    first, empty challenge instead, without calling ``step`` for that one.

    Attributes:
        name: The IANA name, upper case.
        error_text: What the server gave as its reason inside the exchange (JSON of the OAuth
            mechanisms, ``e=`` of SCRAM), safe to show; empty when it gave none. The refusal
            itself is the reply that follows.
        ignores_challenge: The challenge's text means nothing; it need not be valid base64.

    """

    name = ""
    error_text = ""
    ignores_challenge = False

    def initial_response(self) -> bytes | None:
        """
        Return what goes with the AUTH command, before base64.

        ``None`` is no initial response: wait for the 334. Empty is an empty one, ``=`` on the
        wire.
        """
        return None

    def step(self, challenge: bytes) -> bytes:  # noqa: ARG002 (one too many, whatever it says)
        """
        Return the answer to one challenge, both without base64; empty is an empty line.

        Raises:
            RemoteProtocolError: The challenge is malformed, forged or one too many. The session
                is finished.
            CredentialError: The credentials cannot be put into the form that it asks for.

        """
        raise self._broken(did=say("asked for one answer more than there is"))

    def finish(self) -> None:
        """
        Check, on 235, that the server has proved what this mechanism has it prove.

        Raises:
            RemoteProtocolError: It has not: whoever answers may not be the server.

        """

    def _broken(self, *, did: str) -> RemoteProtocolError:
        """Return the error for what the server did; the challenge itself stays out of it."""
        problem = say("login with {name}: the server {did}", name=self.name, did=did)
        return RemoteProtocolError(problem)


def reveal(secret: Secret | None, field: str) -> str:
    """Return the text of a secret that the mechanism cannot do without."""
    if secret is None:
        raise CredentialError(say("the login needs a {field} and there is none", field=field))
    return secret.reveal()


def encode_credential(text: str, field: str) -> bytes:
    """
    Return one credential as the bytes that the server is to compare.

    UTF-8, where bytes of a configuration in another encoding (Python's ``surrogateescape``)
    stay the bytes that they were, as msmtp sends them.

    Args:
        text: The user name, password or token.
        field: What to call it in an error; its value is never in one.

    Raises:
        CredentialError: It is empty, or holds NUL, CR or LF: no server takes these, and a line
            break is what is left of a file or a command that printed too much.

    """
    data = _utf8(text)
    if data is None:
        msg = say("the {field} has characters that cannot be sent", field=field)
        raise CredentialError(msg, advice=say("write it in UTF-8"))
    if not data:
        raise CredentialError(say("the {field} is empty", field=field))
    if any(byte in data for byte in (0, 10, 13)):
        msg = say("the {field} has a line break or a NUL in it", field=field)
        advice = say("check the file or the command that it comes from: only one line is wanted")
        raise CredentialError(msg, advice=advice)
    return data


def _utf8(text: str) -> bytes | None:
    # None and not an exception, because UnicodeEncodeError carries the whole text with it and
    # would go along as the context of ours.
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None


def format_saslname(name: str) -> str:
    """Return a name with ``=`` and ``,`` escaped (``saslname``, RFC 5802 section 5.1)."""
    return name.replace("=", "=3D").replace(",", "=2C")


def error_text(challenge: bytes, secret: Secret | None) -> str:
    """Return a server's reason as one line to show, masking the secret should it be in there."""
    text = _utf8(secret.reveal()) if secret else None
    return printable(challenge.replace(text, b"*") if text else challenge)
