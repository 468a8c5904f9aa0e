"""Time servers on loopback (RFC 5905), right and wrong ones."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

from pillarbox.doctor.sntp import TimeServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["packet_for", "time_server"]

_PATIENCE_S = 8  # longer than any test waits
_SINCE_1900 = 2208988800  # seconds


@contextlib.contextmanager
def time_server(
    answer: Callable[[bytes], Iterable[bytes]], host: str = "127.0.0.1"
) -> Iterator[TimeServer]:
    """Serve the answers that a function makes of a question."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        sock.settimeout(_PATIENCE_S)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    question, sender = sock.recvfrom(512)
                    if not question:
                        return
                    for packet in answer(question):
                        sock.sendto(packet, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield TimeServer(host, sock.getsockname()[1], "/etc/chrony.conf")
        finally:
            with socket.socket(family, socket.SOCK_DGRAM) as other:
                other.sendto(b"", sock.getsockname())
            thread.join()


def _stamp(seconds: float) -> int:
    """Return a time as NTP has it."""
    return int((seconds + _SINCE_1900) * (1 << 32)) & ((1 << 64) - 1)


def packet_for(question: bytes, ahead_s: float = 0.0, **changes: Any) -> bytes:
    """Return the answer of a server whose clock is ahead of ours."""
    now = time.time() + ahead_s
    fields: dict[str, Any] = {
        "leap": 0,
        "mode": 4,
        "stratum": 2,
        "cookie": question[40:48],
    } | changes
    fields = {"received": _stamp(now), "transmitted": _stamp(now)} | fields
    first = fields["leap"] << 6 | 4 << 3 | fields["mode"]
    head: bytes = struct.pack("!BB22x", first, fields["stratum"]) + fields["cookie"]
    return head + struct.pack("!QQ", fields["received"], fields["transmitted"])
