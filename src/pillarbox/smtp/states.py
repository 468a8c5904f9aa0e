"""
The states of a session, as tables: what may follow what, on which reply.

Entering a state sends its command; the reply decides where to go. A reply that a row does not
list ends the session: there is no edge that skips one. AUTHENTICATE is entered from HELLO only,
by ``Client._after_hello``, which takes the edge to STARTTLS while TLS is required and not there
(attack N3: a credential before TLS). Transactions have no states here: inside READY the queue of
awaited replies is the state.
"""

from __future__ import annotations

__all__ = [
    "AUTHENTICATE",
    "BROKEN",
    "CLIENT",
    "CLOSED",
    "CONNECTED",
    "FALLBACK",
    "HANDSHAKE",
    "HELLO",
    "PATIENCE_S",
    "QUITTING",
    "READY",
    "REFUSED",
    "STARTTLS",
]

CONNECTED = "CONNECTED"  # nothing sent; the greeting is awaited
HELLO = "HELLO"  # EHLO or LHLO sent
FALLBACK = "FALLBACK"  # EHLO was refused, HELO sent
STARTTLS = "STARTTLS"  # STARTTLS sent
HANDSHAKE = "HANDSHAKE"  # the driver negotiates TLS
AUTHENTICATE = "AUTHENTICATE"  # AUTH sent, challenges come and go
READY = "READY"  # transactions may begin
REFUSED = "REFUSED"  # the server will not have us; QUIT is all that may be sent
QUITTING = "QUITTING"  # QUIT sent; its answer is not awaited
CLOSED = "CLOSED"  # the server closed the connection, or 421 announced it
BROKEN = "BROKEN"  # the protocol was violated: nothing may be sent

# state -> class of the reply (first digit) -> the states that may follow.
CLIENT: dict[str, dict[int, tuple[str, ...]]] = {
    CONNECTED: {2: (HELLO,), 4: (REFUSED,), 5: (REFUSED,)},
    HELLO: {2: (STARTTLS, AUTHENTICATE, READY, REFUSED), 4: (REFUSED,), 5: (FALLBACK, REFUSED)},
    FALLBACK: {2: (READY, REFUSED), 4: (REFUSED,), 5: (REFUSED,)},
    STARTTLS: {2: (HANDSHAKE,), 4: (REFUSED,), 5: (REFUSED,)},
    HANDSHAKE: {},
    AUTHENTICATE: {2: (READY,), 3: (AUTHENTICATE,), 4: (REFUSED,), 5: (REFUSED,)},
    READY: {},
    REFUSED: {},
    QUITTING: {},
    CLOSED: {},
    BROKEN: {},
}

# Seconds to wait for a reply, RFC 5321 4.5.3.2; where it names none, the five minutes of most.
PATIENCE_S = {
    "greeting": 300.0,
    "EHLO": 300.0,
    "STARTTLS": 120.0,
    "AUTH": 300.0,
    "MAIL": 300.0,
    "RCPT": 300.0,
    "DATA": 120.0,
    "BDAT": 300.0,
    "content": 600.0,
    "RSET": 300.0,
    "ETRN": 300.0,
}
