"""
One connection up to EHLO under TLS, with every fact of it kept, whatever becomes of it.

``delivery.attempt`` goes the same way and makes a sentence of a failure; here the exception itself
is kept, for the code of OpenSSL that is in it. The rule to keep: nobody logs in. Whether the server
is checked is the policy's matter, so that a server which failed can be looked at a second time.
"""

from __future__ import annotations

import ssl
from time import monotonic
from typing import TYPE_CHECKING, Any

from pillarbox.errors import NetworkError, PillarboxError, TlsError
from pillarbox.net.dial import dial
from pillarbox.net.tls import TlsPolicy, make_context
from pillarbox.smtp.capabilities import NO_CAPABILITIES, Capabilities
from pillarbox.smtp.client import Client
from pillarbox.smtp.session import SessionOptions, SessionReady, SessionRefused, TlsRequested

if TYPE_CHECKING:
    from pillarbox.delivery.route import Route
    from pillarbox.mail.reply import Reply
    from pillarbox.mail.status import Trouble
    from pillarbox.net.stream import Stream

__all__ = ["Handshake", "checked", "open_context", "shake_hands", "unchecked"]


class Handshake:
    """
    What is known of a connection, as far as it went.

    Attributes:
        error: Why it ended early; None: it did not, or ``trouble`` says.
        trouble: What the server refused; None: nothing.
        is_secured: The handshake is over, and the server passed the checks of the policy.
        description: Protocol and cipher; empty: there is no TLS.
        facts: The server's certificate as ``ssl.getpeercert`` has it; empty: not known.
        certificate: The same in DER.
        greeting: What the server said first.
        capabilities: What it offered last.

    """

    def __init__(self) -> None:
        self.error: PillarboxError | None = None
        self.trouble: Trouble | None = None
        self.is_secured = False
        self.description = ""
        self.facts: dict[str, Any] = {}
        self.certificate = b""
        self.greeting: Reply | None = None
        self.capabilities: Capabilities = NO_CAPABILITIES

    @property
    def cause(self) -> ssl.SSLError | None:
        """What OpenSSL has to say of ``error``; None: nothing."""
        cause = self.error.__cause__ if self.error is not None else None
        return cause if isinstance(cause, ssl.SSLError) else None


def unchecked(policy: TlsPolicy) -> TlsPolicy:
    """Return a policy that asks for the same and trusts everybody, to look at a server with."""
    return TlsPolicy(
        check_certificate=False,
        key_file=policy.key_file,
        cert_file=policy.cert_file,
        priorities=policy.priorities,
        host_override=policy.host_override,
    )


def checked(policy: TlsPolicy, trust_file: str) -> TlsPolicy:
    """Return a policy that asks for the same and trusts whom this store trusts, nobody else."""
    return TlsPolicy(
        trust_file=trust_file,
        crl_file=policy.crl_file,
        key_file=policy.key_file,
        cert_file=policy.cert_file,
        priorities=policy.priorities,
        host_override=policy.host_override,
    )


def open_context() -> ssl.SSLContext:
    """
    Return a context for looking at a server that may be old, and for nothing else.

    Everybody is trusted, and every version and cipher that this OpenSSL has is good enough.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def shake_hands(
    route: Route, policy: TlsPolicy, patience_s: float, context: ssl.SSLContext | None = None
) -> Handshake:
    """
    Connect, secure and say EHLO; then hang up. Blocks.

    Args:
        route: Where to; whether TLS is used, and when, is the account's.
        policy: What makes the server trusted.
        patience_s: Seconds for each wait; for all of them together there is thrice as much, so
            that nobody can hold us by speaking slowly.
        context: Used in place of the one that carries the policy out; None: that one.

    Raises:
        MissingInputError, ConfigError: The policy cannot be carried out.

    """
    if context is None and route.account.tls:
        context = make_context(policy)
    found = Handshake()
    try:
        stream = dial(route.endpoint, patience_s)
    except NetworkError as exc:
        found.error = exc
        return found
    try:
        _Talk(found, route, policy, context, stream, patience_s).run()
    except (NetworkError, TlsError) as exc:
        found.error = exc
    finally:
        stream.close()
    return found


class _Talk:
    """The session, until EHLO was answered for the last time."""

    def __init__(
        self,
        found: Handshake,
        route: Route,
        policy: TlsPolicy,
        context: ssl.SSLContext | None,
        stream: Stream,
        patience_s: float,
    ) -> None:
        self._found = found
        self._route = route
        self._policy = policy
        self._context = context
        self._stream = stream
        self._patience_s = patience_s
        self._end = monotonic() + 2 * patience_s  # connecting has had its own
        account = route.account
        options = SessionOptions(
            hello_name=account.domain or "localhost",
            is_lmtp=account.protocol == "lmtp",
            starttls=account.tls and account.tls_starttls,
            is_secured=route.tls_is_implicit,
        )
        self._client = Client(options)

    def run(self) -> None:
        """Go on until there is an end, of whichever kind."""
        client = self._client
        if self._route.tls_is_implicit:
            self._secure()
        while not self._is_over():
            self._write()
            if client.awaited:
                client.receive_data(self._stream.read(self._deadline()))
            self._found.greeting = client.greeting
        client.quit()
        self._write()

    def _is_over(self) -> bool:
        found = self._found
        while (event := self._client.next_event()) is not None:
            if isinstance(event, TlsRequested):
                self._secure()
                self._client.tls_started({})
            elif isinstance(event, SessionReady):
                found.capabilities = event.capabilities
                return True
            elif isinstance(event, SessionRefused):
                found.trouble = event.trouble
                return True
        return False

    def _secure(self) -> None:
        found, stream = self._found, self._stream
        assert self._context is not None  # TLS is asked for only where the account has it on
        host = self._route.endpoint.host
        stream.start_tls(self._context, self._policy, host, self._deadline())
        found.is_secured = True
        found.description = stream.tls_description()
        found.facts = stream.certificate_facts()
        found.certificate = stream.peer_certificate()

    def _write(self) -> None:
        output = self._client.take_output()
        if output:
            self._stream.write(output, self._deadline())

    def _deadline(self) -> float:
        return min(monotonic() + self._patience_s, self._end)
