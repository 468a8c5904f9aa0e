"""
The two ways to log in with an OAuth 2 access token.

Used only when the configuration names them. The token is as good as a password while it lives.
The rule to keep: the fields of both messages end in a control character, so no value that goes
into one may have any.
"""

from __future__ import annotations

from pillarbox.errors import CredentialError
from pillarbox.smtp.mechanism import (
    TOKEN,
    USER,
    Mechanism,
    encode_credential,
    error_text,
    format_saslname,
    reveal,
)
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.smtp.mechanism import Credentials

__all__ = ["OAuthBearer", "XOAuth2"]


class _Bearer(Mechanism):
    """What the two share: a token out, perhaps a reason back."""

    _ACKNOWLEDGEMENT = b""  # the answer to a reason, after which the server sends its 535

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._check()

    def _check(self) -> None:
        encode_credential(self._credentials.user, USER)
        if not all(map(str.isprintable, self._credentials.user + self._credentials.host)):
            msg = say("the user name or the host has a control character in it")
            raise CredentialError(msg)
        token = reveal(self._credentials.secret, TOKEN)
        encode_credential(token, TOKEN)
        if not (token.isascii() and token.isprintable() and " " not in token):
            msg = say("the token has characters that no token has (RFC 6750 section 2.1)")
            advice = say("check the command that it comes from: it is to print the token alone")
            raise CredentialError(msg, advice=advice)

    def _token(self) -> bytes:
        return encode_credential(reveal(self._credentials.secret, TOKEN), TOKEN)

    def step(self, challenge: bytes) -> bytes:
        """Keep the server's reason for refusing, and let it go on to its reply."""
        if self.error_text:
            return super().step(challenge)
        reason = error_text(challenge, self._credentials.secret)
        self.error_text = reason or say("no reason given")
        return self._ACKNOWLEDGEMENT


class OAuthBearer(_Bearer):
    """An OAuth 2 access token (RFC 7628)."""

    name = "OAUTHBEARER"
    _ACKNOWLEDGEMENT = b"\x01"

    def initial_response(self) -> bytes:
        """Return user name, host, port and token."""
        user = encode_credential(format_saslname(self._credentials.user), USER)
        host = f"host={self._credentials.host}\x01port={self._credentials.port}\x01".encode()
        return b"n,a=" + user + b",\x01" + host + b"auth=Bearer " + self._token() + b"\x01\x01"


class XOAuth2(_Bearer):
    """
    An OAuth 2 access token, in the form that came before RFC 7628.

    Google and Microsoft document it with an initial response, which saves a round trip.
    """

    name = "XOAUTH2"

    def initial_response(self) -> bytes:
        """Return user name and token."""
        user = encode_credential(self._credentials.user, USER)
        return b"user=" + user + b"\x01auth=Bearer " + self._token() + b"\x01\x01"
