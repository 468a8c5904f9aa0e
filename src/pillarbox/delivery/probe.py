"""
Why a server says nothing: it may wait for TLS, where the account has it speak first.

That is the commonest fault of a configuration (port 465 without ``tls_starttls off``), and left
alone it looks like a server that is down. The rule: a guess about the silence is never acted on.
A second connection asks, nothing is said over it but a handshake, and the first goes on waiting
unless the answer is certain.
"""

from __future__ import annotations

from time import monotonic

from pillarbox.errors import EX_UNAVAILABLE, PillarboxError
from pillarbox.mail.status import Trouble
from pillarbox.net.dial import dial
from pillarbox.net.tls import TlsPolicy, make_context
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.delivery.route import Route
    from pillarbox.net.dial import Endpoint

__all__ = ["find_tls"]

# Seconds for connecting and the handshake; a server that answered the first connection is near.
_PROBE_S = 2.0

# Nobody serves TLS from the start on port 25, and there many servers keep silent on purpose and
# take whoever speaks before their greeting for a spammer (Postfix's postscreen, Exim).
_NEVER_TLS_PORT = 25


def find_tls(route: Route, deadline: float) -> Trouble | None:
    """
    Return the trouble that a silent server has with us if it waits for TLS, else None.

    Blocks for up to 2 s. Certificates are not checked: nothing is sent to whoever answers.

    Args:
        route: A route on which TLS does not come first, and whose server was reached.
        deadline: When to have given up at the latest, in ``time.monotonic()`` seconds.

    """
    endpoint = route.endpoint
    if endpoint.socket_path or endpoint.port == _NEVER_TLS_PORT:
        return None
    name = route.tls_policy.host_override
    if not _speaks_tls(endpoint, name, min(deadline, monotonic() + _PROBE_S)):
        return None
    if route.account.tls:
        keyword, advice = "tls_starttls on", say("set tls_starttls off, as on port 465")
    else:
        keyword, advice = "tls off", say("set tls on and tls_starttls off, as on port 465")
    return Trouble(
        scope="site",
        stage="tls",
        problem=say(
            "{peer} waits for TLS before it says anything, but the account has {keyword}",
            peer=str(endpoint),
            keyword=keyword,
        ),
        exit_code=EX_UNAVAILABLE,
        advice=say(
            "{advice}; or use the port for STARTTLS (587) with tls on and tls_starttls on",
            advice=advice,
        ),
    )


def _speaks_tls(endpoint: Endpoint, name: str, deadline: float) -> bool:
    policy = TlsPolicy(check_certificate=False, host_override=name)
    try:
        stream = dial(endpoint, deadline - monotonic())
    except PillarboxError:
        return False
    try:
        stream.start_tls(make_context(policy), policy, endpoint.host, deadline)
    except PillarboxError:
        return False
    finally:
        stream.close()
    return True
