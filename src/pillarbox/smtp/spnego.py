"""
NTLM and GSSAPI (Kerberos), by pyspnego: the extra ``kerberos``.

Both are used only when the configuration names them. The rule to keep: pyspnego is imported in
the functions that need it, and whatever it raises is translated here. Unlike the rest of this
room, Kerberos does input and output: pyspnego reads the ticket cache and may ask the key
distribution centre, in ``make_gssapi`` and in ``initial_response``.
"""

from __future__ import annotations

from pillarbox.errors import CredentialError, MissingExtraError
from pillarbox.smtp.mechanism import PASSWORD, USER, Mechanism, encode_credential, reveal
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from spnego import ContextProxy

    from pillarbox.smtp.mechanism import Credentials

__all__ = ["Gssapi", "Ntlm", "make_gssapi", "make_ntlm"]

# RFC 4752 section 3.1: the only layer that we take is none, bit 1; the size is then 0.
_NO_LAYER = 1
_LAYER_ANSWER = b"\x01\x00\x00\x00"
_LAYER_LENGTH = 4


def make_ntlm(credentials: Credentials) -> Ntlm:
    """
    Return an NTLM login.

    Raises:
        CredentialError: User name or password is missing or cannot be sent.
        MissingExtraError: pyspnego is not installed.

    """
    encode_credential(credentials.user, USER)
    password = reveal(credentials.secret, PASSWORD)
    encode_credential(password, PASSWORD)
    try:
        import spnego
    except ImportError as error:
        raise MissingExtraError(say("NTLM login"), "ntlm") from error
    domain = f"{credentials.ntlm_domain}\\" if credentials.ntlm_domain else ""
    context = spnego.client(
        domain + credentials.user,
        password,
        hostname=credentials.host,
        service="smtp",
        protocol="ntlm",
        # pyspnego's own NTLM: what the system's GSSAPI plug-in would do depends on the machine.
        options=spnego.NegotiateOptions.use_ntlm,
    )
    return Ntlm(context)


def make_gssapi(credentials: Credentials) -> Gssapi:
    """
    Return a Kerberos login with the tickets of the ticket cache; no password is used.

    The user name, if there is one, is the authorization identity, as in msmtp.

    Raises:
        CredentialError: There is no usable ticket.
        MissingExtraError: pyspnego or the GSSAPI library is not installed.

    """
    try:
        import spnego

        context = spnego.client(
            hostname=credentials.host,
            service="smtp",
            protocol="kerberos",
            context_req=spnego.ContextReq.mutual_auth
            | spnego.ContextReq.sequence_detect
            | spnego.ContextReq.integrity,
        )
    except ImportError as error:
        raise MissingExtraError(say("GSSAPI login"), "kerberos") from error
    except Exception as error:  # SpnegoError, and what its libraries raise
        msg = say(
            "no Kerberos ticket can be used for smtp/{host}: {reason}",
            host=credentials.host,
            reason=str(error),
        )
        raise CredentialError(msg, advice=say("get one with kinit")) from error
    user = encode_credential(credentials.user, USER) if credentials.user else b""
    return Gssapi(context, user)


class _ContextMechanism(Mechanism):
    """A mechanism whose tokens are made by a security context of pyspnego's."""

    def __init__(self, context: ContextProxy) -> None:
        self._context = context

    def _guarded(self, call: Callable[[], bytes | None], what: str) -> bytes:
        """Return what a call of the context's gives; a failure is the server's fault."""
        try:
            return call() or b""
        except Exception as error:  # a foreign parser, fed with a stranger's bytes
            raise self._broken(did=what) from error


class Ntlm(_ContextMechanism):
    """
    One NTLM login (MS-SMTPNTLM). Nothing proves the server to us.

    The first token goes with the AUTH command, so that the ``334 ntlm supported`` of Exchange,
    which is not base64, never comes.
    """

    name = "NTLM"

    def initial_response(self) -> bytes:
        """Return the negotiate message."""
        return self._guarded(self._context.step, say("cannot be spoken to"))

    def step(self, challenge: bytes) -> bytes:
        """Answer the challenge message."""
        if self._context.complete:
            return super().step(challenge)
        what = say("sent a malformed challenge")
        return self._guarded(lambda: self._context.step(challenge), what)


class Gssapi(_ContextMechanism):
    """
    One GSSAPI login (RFC 4752), without a security layer: TLS is that.

    Args:
        context: A security context of the client's side, with integrity.
        user: The authorization identity; empty means the one that the ticket stands for.

    """

    name = "GSSAPI"

    def __init__(self, context: ContextProxy, user: bytes) -> None:
        super().__init__(context)
        self._user = user
        self._is_finished = False

    def initial_response(self) -> bytes:
        """
        Return the first token; blocks while the ticket for the server is fetched.

        Raises:
            CredentialError: No ticket for this server is to be had.

        """
        try:
            return self._context.step() or b""
        except Exception as error:  # SpnegoError, and what its libraries raise
            msg = say("Kerberos gives no ticket for this server: {reason}", reason=str(error))
            raise CredentialError(msg, advice=say("get one with kinit")) from error

    def step(self, challenge: bytes) -> bytes:
        """Go on with the context; once it stands, agree on no security layer."""
        if self._is_finished:
            return super().step(challenge)
        if not self._context.complete:
            what = say("sent a malformed token")
            return self._guarded(lambda: self._context.step(challenge), what)
        what = say("sent a forged token")
        layers = self._guarded(lambda: self._context.unwrap(challenge).data, what)
        if len(layers) != _LAYER_LENGTH or not layers[0] & _NO_LAYER:
            raise self._broken(did=say("insists on a security layer; TLS is that for SMTP"))
        self._is_finished = True
        answer = _LAYER_ANSWER + self._user
        what = say("is lost")
        return self._guarded(lambda: self._context.wrap(answer, encrypt=False).data, what)

    def finish(self) -> None:
        """Check that the server has taken part to the end, which proves it."""
        if not self._is_finished:
            raise self._broken(did=say("took the login without proving who it is"))
