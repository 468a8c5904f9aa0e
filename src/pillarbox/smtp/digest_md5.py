"""
DIGEST-MD5 (RFC 2831): an old mechanism, used only when the configuration names it.

RFC 6331 made it historic: MD5, no common practice, no channel binding. It is here because msmtp
has it. It is not on the way of ordinary mail, so this module may load ``re``. The rule to keep:
the server's ``rspauth`` is checked, or ``finish`` fails.
"""

from __future__ import annotations

import re

from pillarbox.errors import CredentialError
from pillarbox.smtp.mechanism import PASSWORD, USER, Mechanism, encode_credential, reveal
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.smtp.mechanism import Credentials

__all__ = ["DigestMd5", "md5"]

# RFC 2831 section 2.1: "must be less than 2048 bytes".
_LONGEST_CHALLENGE = 2047

_DIRECTIVE = re.compile(
    rb"""[ \t\r\n,]* ([!\#$%&'*+\-.^_`|~0-9A-Za-z]+) [ \t]* = [ \t]*
    (?: "((?:[^"\\\x00]|\\[^\x00])*)" | ([!\#$%&'*+\-.^_`|~0-9A-Za-z]+) ) [ \t\r\n]* (?:,|$)""",
    re.VERBOSE,
)

# Section 2.1.1: only these may come more than once. A second nonce, charset or algorithm "must"
# end the login; we hold the others to it as well.
_REPEATABLE = frozenset({"realm"})


class DigestMd5(Mechanism):
    """
    One DIGEST-MD5 login, ``qop=auth``.

    Args:
        credentials: User name, password and host.
        cnonce: A fresh random text.
        service: The service's name of section 2.1.2, ``smtp`` but for the RFC's own examples.

    Raises:
        CredentialError: User name or password is empty or has a line break in it.

    """

    name = "DIGEST-MD5"

    def __init__(self, credentials: Credentials, cnonce: str, service: str = "smtp") -> None:
        encode_credential(credentials.user, USER)
        encode_credential(reveal(credentials.secret, PASSWORD), PASSWORD)
        self._credentials = credentials
        self._cnonce = cnonce.encode()
        self._uri = f"{service}/{credentials.host}".encode()
        self._expected = b""
        self._next: Callable[[bytes], bytes] = self._answer
        self._is_verified = False

    def step(self, challenge: bytes) -> bytes:
        """Answer the digest-challenge, then check the server's own digest."""
        return self._next(challenge)

    def finish(self) -> None:
        """Check that the server's digest came and was right."""
        if not self._is_verified:
            raise self._broken(did=say("took the login without proving that it knows the password"))

    def _answer(self, challenge: bytes) -> bytes:
        self._next = super().step
        directives = self._parse(challenge)
        nonce = self._checked(directives)
        is_utf8 = "charset" in directives
        realm = _choose_realm(directives.get("realm", []), self._credentials.user)
        key = self._key(realm, nonce, is_utf8=is_utf8)
        response = self._digest(key, nonce, b"AUTHENTICATE:")
        self._expected = self._digest(key, nonce, b":")
        self._next = self._check_rspauth
        fields = [
            b"charset=utf-8" if is_utf8 else b"",
            b"username=" + _quoted(self._encoded(USER, is_utf8=is_utf8)),
            b"realm=" + _quoted(realm) if realm is not None else b"",
            b"nonce=" + _quoted(nonce),
            b"nc=00000001",
            b"cnonce=" + _quoted(self._cnonce),
            b"digest-uri=" + _quoted(self._uri),
            b"response=" + response,
            b"qop=auth",
        ]
        return b",".join(filter(None, fields))

    def _check_rspauth(self, challenge: bytes) -> bytes:
        from hmac import compare_digest

        self._next = super().step
        answer = self._parse(challenge).get("rspauth", [b""])[0]
        if not compare_digest(answer, self._expected):
            raise self._broken(did=say("answered wrongly, so it does not know the password"))
        self._is_verified = True
        return b""

    def _parse(self, challenge: bytes) -> dict[str, list[bytes]]:
        """Return the values of each directive, unquoted, by its lower-case name."""
        directives: dict[str, list[bytes]] = {}
        at = 0
        while at < len(challenge.rstrip(b" \t\r\n,")):
            match = _DIRECTIVE.match(challenge, at) if at <= _LONGEST_CHALLENGE else None
            if not match:
                raise self._broken(did=say("sent a malformed challenge"))
            name, quoted, token = match.groups()
            value = token if quoted is None else re.sub(rb"\\(.)", rb"\1", quoted, flags=re.DOTALL)
            directives.setdefault(name.decode().lower(), []).append(value)
            at = match.end()
        if any(len(values) > 1 for name, values in directives.items() if name not in _REPEATABLE):
            raise self._broken(did=say("sent a directive twice"))
        return directives

    def _checked(self, directives: dict[str, list[bytes]]) -> bytes:
        """Return the nonce of a challenge that asks for what we do."""
        nonce = directives.get("nonce", [b""])[0]
        if not nonce or directives.get("algorithm") != [b"md5-sess"]:
            did = say("sent a challenge without nonce, or for another algorithm")
            raise self._broken(did=did)
        qops = directives.get("qop", [b"auth"])[0].split(b",")
        if b"auth" not in (qop.strip().lower() for qop in qops):
            raise self._broken(did=say("insists on a security layer; TLS is that for SMTP"))
        if directives.get("charset", [b"utf-8"])[0].lower() != b"utf-8":
            raise self._broken(did=say("sent an unknown charset"))
        return nonce

    def _encoded(self, field: str, *, is_utf8: bool) -> bytes:
        """Return user name or password as they are sent; section 2.1.2, ``charset``."""
        secret = self._credentials.secret
        text = self._credentials.user if field == USER else reveal(secret, PASSWORD)
        data = encode_credential(text, field) if is_utf8 else _latin1(text)
        if data is None:
            msg = say(
                "the {field} has characters that this server's DIGEST-MD5 cannot take", field=field
            )
            raise CredentialError(msg, advice=say("use another login method"))
        return data

    def _key(self, realm: bytes | None, nonce: bytes, *, is_utf8: bool) -> bytes:
        """Return HEX(H(A1)) of section 2.1.2.1."""
        user = self._encoded(USER, is_utf8=is_utf8)
        password = self._encoded(PASSWORD, is_utf8=is_utf8)
        if is_utf8:
            # User name and password each, the realm not: as the RFC and Cyrus SASL have it.
            # GNU SASL leaves the user name as it is, and so refuses Jörg.
            user, password = _narrowed(user), _narrowed(password)
        identity = md5(b":".join((user, realm or b"", password)))
        return _hex(md5(b":".join((identity, nonce, self._cnonce))))

    def _digest(self, key: bytes, nonce: bytes, prefix: bytes) -> bytes:
        """Return the response value; the prefix tells ours from the server's."""
        a2 = _hex(md5(prefix + self._uri))
        fields = (key, nonce, b"00000001", self._cnonce, b"auth", a2)
        return _hex(md5(b":".join(fields)))


def md5(data: bytes) -> bytes:
    """
    Return the MD5 digest.

    Raises:
        CredentialError: The system's cryptography policy has no MD5.

    """
    import hashlib

    try:
        return hashlib.md5(data).digest()  # noqa: S324 (the mechanism's own)
    except ValueError as error:
        msg = say("this login method needs MD5, which the system's cryptography policy forbids")
        raise CredentialError(msg, advice=say("use another login method")) from error


def _choose_realm(realms: list[bytes], user: str) -> bytes | None:
    """Return the realm that the user name's domain is, else the first, else None."""
    domain = user.rpartition("@")[2].encode("utf-8", "replace")
    return domain if domain in realms else next(iter(realms), None)


def _narrowed(text: bytes) -> bytes:
    """Return UTF-8 text as ISO 8859-1 if it fits: so it is hashed (section 2.1.2.1)."""
    return _latin1(text.decode("utf-8", "surrogateescape")) or text


def _latin1(text: str) -> bytes | None:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return None  # the exception would carry the text along


def _quoted(value: bytes) -> bytes:
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _hex(data: bytes) -> bytes:
    return data.hex().encode()
