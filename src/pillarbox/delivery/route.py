"""
From an account to the way its mail takes: endpoint, TLS policy, session options.

The engines do not know each other's words; this is the one place that translates an account's
keywords into theirs.
"""

from __future__ import annotations

from pillarbox.net.dial import Endpoint
from pillarbox.net.tls import TlsPolicy, make_context
from pillarbox.smtp.session import SessionOptions
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ssl import SSLContext

    from pillarbox.config.account import Account
    from pillarbox.secret import Secret

__all__ = ["Route"]

# msmtp's name when no host is configured but a unix socket is.
_SOCKET_HOST = "localhost"

_NONCE_OCTETS = 18  # 144 bits; 24 characters of base64


class Route(Value):
    """
    The way of an account's mail to its relay host.

    Attributes:
        account: The account.
        endpoint: Where the connection goes.
        tls_policy: How the connection is secured.
        secret: What the login uses; None: nothing, or there is no login.
        known_login: The mechanism that a chosen one must not be weaker than; empty: none.

    """

    __slots__ = ("account", "endpoint", "known_login", "secret", "tls_policy")

    def __init__(self, account: Account, secret: Secret | None) -> None:
        self.account = account
        self.secret = secret
        self.known_login = ""
        self.endpoint = Endpoint(
            host=account.host or _SOCKET_HOST,
            port=account.port or 0,
            socket_path=account.socket or "",
            source_ip=account.source_ip or "",
            proxy_host=account.proxy_host or "",
            proxy_port=account.proxy_port or 0,
        )
        self.tls_policy = TlsPolicy(
            trust_file=account.tls_trust_file or "",
            crl_file=account.tls_crl_file or "",
            fingerprint=account.tls_fingerprint or "",
            key_file=account.tls_key_file or "",
            cert_file=account.tls_cert_file or "",
            check_certificate=account.tls_certcheck,
            priorities=account.tls_priorities or "",
            host_override=account.tls_host_override or "",
        )

    @property
    def tls_is_implicit(self) -> bool:
        """Whether TLS comes before the greeting (RFC 8314 3.3)."""
        return self.account.tls and not self.account.tls_starttls

    def patience(self, limit_s: float) -> float:
        """Return how many seconds a wait may take that the protocol gives ``limit_s``."""
        own = self.account.timeout_s
        return limit_s if own is None else min(limit_s, own)

    def make_tls_context(self) -> SSLContext | None:
        """
        Load the trust store, and our certificate; None when the account uses no TLS.

        Raises:
            MissingInputError, ConfigError: What is configured cannot be used.

        """
        return make_context(self.tls_policy) if self.account.tls else None

    def session_options(self, channel_bindings: dict[str, bytes]) -> SessionOptions:
        """Return what a session over this route has to do."""
        account = self.account
        credentials = None
        if account.auth != "off":
            from pillarbox.smtp.auth import Credentials

            credentials = Credentials(
                account.user or "",
                self.secret,
                self.endpoint.host,
                self.endpoint.port,
                account.ntlmdomain or "",
            )
        return SessionOptions(
            hello_name=account.domain or "localhost",
            is_lmtp=account.protocol == "lmtp",
            starttls=account.tls and account.tls_starttls,
            # A unix socket needs no TLS, but where TLS was asked for it is not gone without.
            is_secured=self.tls_is_implicit or bool(account.socket and not account.tls),
            credentials=credentials,
            mechanism="" if account.auth == "on" else account.auth,
            known_login=self.known_login,
            may_send_secret_in_clear=self._may_send_secret_in_clear(),
            channel_bindings=channel_bindings,
            nonce=_fresh_nonce,
        )

    def _may_send_secret_in_clear(self) -> bool:
        """Tell whether a password may cross an open connection: on this machine, or by order."""
        account = self.account
        # A proxy would look for "localhost" on its own machine.
        is_local = _is_this_machine(account.host) and not account.proxy_host
        return not account.tls and (is_local or account.allow_plaintext_auth)


def _is_this_machine(host: str) -> bool:
    """Tell whether a host is a loopback address, and no name that only begins like one."""
    parts = host.split(".")
    is_address = len(parts) == 4 and host.isascii() and all(map(str.isdecimal, parts))
    return (is_address and parts[0] == "127") or host.lower() in ("localhost", "::1", "[::1]")


def _fresh_nonce() -> str:
    from binascii import b2a_base64
    from os import urandom

    return b2a_base64(urandom(_NONCE_OCTETS), newline=False).decode("ascii")
