"""
The server's half of AUTH: responses in, challenges or an attempt out (RFC 4954, RFC 4616).

Whether the password is right is not known here: that is the handler's answer. A mechanism is a
class with ``step`` and a row in ``DIALOGS``.
"""

from __future__ import annotations

from pillarbox.secret import Secret
from pillarbox.smtp.parse import Fault
from pillarbox.smtp.server_session import AuthAttempt

__all__ = ["DIALOGS", "LoginDialog", "PlainDialog", "decode_response"]


def decode_response(line: bytes) -> bytes | Fault:
    """Return what a response says (RFC 4954 4); ``=`` alone says nothing."""
    from binascii import Error, a2b_base64

    if line == b"=":
        return b""
    try:
        return a2b_base64(line, strict_mode=True) if line else b""
    except Error:
        return Fault("bad_base64")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


class PlainDialog:
    """PLAIN: everything in one response (RFC 4616 2)."""

    __slots__ = ()

    def __init__(self, prompts: tuple[str, str]) -> None:
        pass

    def step(self, response: bytes | None) -> bytes | AuthAttempt | Fault:
        """
        Take a response, decoded, or None where AUTH came without one.

        Returns:
            The challenge to be said, not yet encoded; or who wants to log in, with what.

        """
        if response is None:
            return b""
        parts = response.split(b"\0")
        if len(parts) != 3:
            return Fault("bad_response")
        authzid, authcid, secret = map(_text, parts)
        return AuthAttempt("PLAIN", authzid, authcid, Secret(secret))


class LoginDialog:
    """LOGIN: the name, then the password, each asked for (no RFC; everybody has it)."""

    __slots__ = ("_prompts", "_user")

    def __init__(self, prompts: tuple[str, str]) -> None:
        self._prompts = prompts
        self._user: str | None = None

    def step(self, response: bytes | None) -> bytes | AuthAttempt | Fault:
        """Take a response as for ``PlainDialog``."""
        if response is None:
            return self._prompts[0].encode()
        if self._user is None:
            self._user = _text(response)
            return self._prompts[1].encode()
        return AuthAttempt("LOGIN", "", self._user, Secret(_text(response)))


DIALOGS: dict[str, type[PlainDialog | LoginDialog]] = {"PLAIN": PlainDialog, "LOGIN": LoginDialog}
