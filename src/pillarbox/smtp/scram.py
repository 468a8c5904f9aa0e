"""
SCRAM: log in without giving the password away, and have the server prove that it knows it.

RFC 5802, RFC 7677 (SHA-256), RFC 9266 (channel binding under TLS 1.3). The rule to keep:
anything that the server sends and that is not exactly as the RFC says ends the login; only a
verified signature makes ``finish`` pass. The steps:

1. ``initial_response``: our name and nonce, bound to the TLS connection where that is possible.
2. ``_answer_server_first``: their nonce, salt and rounds come in, our proof goes out.
3. ``_check_server_final``: their signature comes in; SMTP sends it as one more challenge, for
   RFC 4954 has no place for it beside the 235.
"""

from __future__ import annotations

from pillarbox.errors import LocalProtocolError
from pillarbox.secret import Secret
from pillarbox.smtp.mechanism import (
    PASSWORD,
    USER,
    Mechanism,
    error_text,
    format_saslname,
    reveal,
)
from pillarbox.smtp.saslprep import saslprep
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.smtp.mechanism import Credentials, Link

__all__ = ["HASHES", "Scram"]

HASHES = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}

# RFC 7677 section 4 asks for 4096 at least; whoever asks for fewer wants to guess the password
# from our proof. The upper bound is about half a second of one core; more is an attack on it.
_FEWEST_ROUNDS = 4096
_MOST_ROUNDS = 1_000_000

# Octets of one server message. Real ones have about a hundred; our answer repeats their nonce,
# so this bounds the answer too.
_LONGEST_MESSAGE = 4096

# The attributes that RFC 5802 section 5.1 defines: none of them is an extension.
_KNOWN_ATTRIBUTES = frozenset("anmrcsipve")


class Scram(Mechanism):
    """
    One SCRAM login.

    Args:
        name: One of ``HASHES``, with or without ``-PLUS``.
        credentials: User name and password; both are SASLprep'ed here, before anything is sent.
        link: The nonce comes from it, and for ``-PLUS`` the channel binding.

    Raises:
        CredentialError: User name or password cannot be prepared.

    """

    def __init__(self, name: str, credentials: Credentials, link: Link) -> None:
        self.name = name
        self._hash = HASHES[name.removesuffix("-PLUS")]
        self._gs2_header, self._binding_data = _gs2_header(name, link)
        self._nonce = link.fresh_nonce()
        user = saslprep(credentials.user, field=USER, allow_unassigned=True)
        self._first_bare = f"n={format_saslname(user)},r={self._nonce}".encode()
        password = reveal(credentials.secret, PASSWORD)
        self._password = Secret(saslprep(password, field=PASSWORD))
        self._server_signature = b""
        self._next: Callable[[bytes], bytes] = self._answer_server_first
        self._is_verified = False

    def initial_response(self) -> bytes:
        """Return client-first-message."""
        return self._gs2_header + self._first_bare

    def step(self, challenge: bytes) -> bytes:
        """Answer server-first-message with our proof, then check server-final-message."""
        return self._next(challenge)

    def finish(self) -> None:
        """Check that the server's signature came and was right."""
        if not self._is_verified:
            raise self._broken(did=say("took the login without proving that it knows the password"))

    def _answer_server_first(self, challenge: bytes) -> bytes:
        self._next = super().step  # should this challenge be bad, no other will be heard
        nonce, salt, rounds = self._parse_server_first(challenge)
        channel = _base64(self._gs2_header + self._binding_data)
        without_proof = b"c=" + channel + b",r=" + nonce.encode()
        signed = b",".join((self._first_bare, challenge, without_proof))
        proof, self._server_signature = self._sign(signed, salt, rounds)
        self._next = self._check_server_final
        return without_proof + b",p=" + _base64(proof)

    def _parse_server_first(self, challenge: bytes) -> tuple[str, bytes, int]:
        """Return nonce, salt and rounds."""
        attributes = self._parse(challenge, "first")
        letters = "".join(letter for letter, _ in attributes)
        if letters[:3] != "rsi" or _KNOWN_ATTRIBUTES & set(letters[3:]):
            raise self._broken(did=_malformed("first"))
        nonce, salt, rounds = (value for _, value in attributes[:3])
        return self._checked_nonce(nonce), self._checked_salt(salt), self._checked_rounds(rounds)

    def _checked_nonce(self, nonce: str) -> str:
        is_plain = nonce.isascii() and nonce.isprintable() and " " not in nonce
        if not (is_plain and nonce.startswith(self._nonce) and len(nonce) > len(self._nonce)):
            raise self._broken(did=say("did not build its nonce on ours"))
        return nonce

    def _checked_salt(self, text: str) -> bytes:
        salt = _unbase64(text)
        if not salt:
            raise self._broken(did=say("sent a salt that is empty or not base64"))
        return salt

    def _checked_rounds(self, text: str) -> int:
        is_number = text.isascii() and text.isdigit() and text[0] != "0"
        if not is_number or len(text) > len(str(_MOST_ROUNDS)):
            raise self._broken(did=say("sent a number of rounds that is none or far too large"))
        rounds = int(text)
        if not _FEWEST_ROUNDS <= rounds <= _MOST_ROUNDS:
            did = say(
                "asked for {rounds} rounds of hashing, but only {fewest} to {most} are safe",
                rounds=rounds,
                fewest=_FEWEST_ROUNDS,
                most=_MOST_ROUNDS,
            )
            raise self._broken(did=did)
        return rounds

    def _sign(self, signed: bytes, salt: bytes, rounds: int) -> tuple[bytes, bytes]:
        """Return our proof and the signature to expect (RFC 5802 section 3); takes up to 1 s."""
        import hashlib
        from hmac import digest

        password = self._password.reveal().encode()
        salted = hashlib.pbkdf2_hmac(self._hash, password, salt, rounds)
        client_key = digest(salted, b"Client Key", self._hash)
        stored_key = hashlib.new(self._hash, client_key).digest()
        signature = digest(stored_key, signed, self._hash)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return proof, digest(digest(salted, b"Server Key", self._hash), signed, self._hash)

    def _check_server_final(self, challenge: bytes) -> bytes:
        from hmac import compare_digest

        self._next = super().step
        attributes = self._parse(challenge, "final")
        (letter, value), others = attributes[0], {letter for letter, _ in attributes[1:]}
        if letter not in ("v", "e") or _KNOWN_ATTRIBUTES & others:
            raise self._broken(did=_malformed("final"))
        if letter == "e":
            # The 535 follows; should a 235 come instead, finish() refuses it.
            self.error_text = error_text(value.encode(), self._password)
            return b""
        # Compared as text: base64 can spell the last bits of one signature in several ways.
        if not compare_digest(value.encode(), _base64(self._server_signature)):
            raise self._broken(did=say("signed wrongly, so it does not know the password"))
        self._is_verified = True
        return b""

    def _parse(self, challenge: bytes, which: str) -> list[tuple[str, str]]:
        """Return the attributes of a server message, letter and value, in their order."""
        attributes = _parse_attributes(challenge)
        if not attributes:
            raise self._broken(did=_malformed(which))
        if any(letter == "m" for letter, _ in attributes):
            did = say("asks for an extension of SCRAM that pillarbox does not know")
            raise self._broken(did=did)
        return attributes


def _malformed(which: str) -> str:
    return say("sent a malformed {which} message", which=which)


def _gs2_header(name: str, link: Link) -> tuple[bytes, bytes]:
    """
    Return the GS2 header and the channel binding data that goes with it.

    ``p=`` binds the login to this TLS connection. ``y`` says that we could have: a server that
    did offer it learns from this that someone has taken it out of the offer. ``n`` says that we
    cannot, or that a ``-PLUS`` is offered and the configuration wants another mechanism.
    """
    binding = link.best_binding()
    if name.endswith("-PLUS"):
        if not binding:
            msg = f"{name} without a channel binding"
            raise LocalProtocolError(msg)
        return f"p={binding[0]},,".encode(), binding[1]
    is_offered = any(mechanism.endswith("-PLUS") for mechanism in link.offered)
    return (b"y,," if binding and not is_offered else b"n,,"), b""


def _parse_attributes(message: bytes) -> list[tuple[str, str]]:
    """Return letter and value of each attribute; nothing when any of them is malformed."""
    if len(message) > _LONGEST_MESSAGE:
        return []
    attributes = []
    for part in message.decode("utf-8", "replace").split(","):
        letter, sign, value = part[:1], part[1:2], part[2:]
        if not (letter.isascii() and letter.isalpha() and sign == "=" and value):
            return []
        if "\0" in value or "\ufffd" in value:
            return []
        attributes.append((letter, value))
    return attributes


def _base64(data: bytes) -> bytes:
    from binascii import b2a_base64

    return b2a_base64(data, newline=False)


def _unbase64(text: str) -> bytes | None:
    """Return the decoded bytes, or None when the text is not strictly base64."""
    from binascii import Error, a2b_base64

    try:
        return a2b_base64(text.encode(), strict_mode=True)
    except Error:
        return None
