"""aiosmtpd in a thread of the tests: it keeps what came over the wire, as it came."""

import asyncio
import ssl

from aiosmtpd.smtp import SMTP, AuthResult

from servers.dovecot import PASSWORD, USER
from servers.loop import LoopServer

__all__ = ["Aiosmtpd"]


class _PatientServer(SMTP):
    line_length_limit = 1 << 20  # as most servers have it


class _Handler:
    def __init__(self):
        self.envelopes = []

    async def handle_RCPT(self, _, __, envelope, address, rcpt_options):  # noqa: N802
        if address.startswith("nobody@"):
            return "550 5.1.1 nobody here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options += rcpt_options
        return "250 OK"

    async def handle_DATA(self, _, session, envelope):  # noqa: N802
        self.envelopes.append((session, envelope))
        return "250 2.0.0 kept"


class Aiosmtpd(LoopServer):
    """
    A running aiosmtpd, on 127.0.0.1.

    Args:
        certificates: Key and certificate for TLS.
        is_implicit: TLS comes first, else it is offered and required.
        is_strict: Lines longer than RFC 5321 4.5.3.1.6 has them are refused.

    Attributes:
        envelopes: Session and envelope of each mail.

    """

    def __init__(self, certificates, *, is_implicit=False, is_strict=False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.server)
        handler = _Handler()
        self.envelopes = handler.envelopes
        kind = SMTP if is_strict else _PatientServer
        options = {
            "tls_context": None if is_implicit else context,
            "require_starttls": not is_implicit,
            # Without STARTTLS it does not know of TLS, and would warn of the login in clear.
            "auth_required": not is_implicit,
            "auth_require_tls": not is_implicit,
            "authenticator": _check,
            "enable_SMTPUTF8": True,
            "data_size_limit": 40_000_000,
        }

        async def start():
            loop = asyncio.get_running_loop()
            return await loop.create_server(
                lambda: kind(handler, loop=loop, **options),
                "127.0.0.1",
                0,
                ssl=context if is_implicit else None,
            )

        super().__init__(start)


def _check(_, __, ___, mechanism, login):
    is_right = (login.login, login.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_right, handled=is_right, auth_data=mechanism)
