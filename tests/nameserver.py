"""A nameserver on loopback that answers from a table, over the wire."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dns.message
import dns.rdatatype
import dns.rrset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["serve_zone"]


@contextmanager
def serve_zone(
    zone: Mapping[tuple[str, str], Sequence[str]],
    pack: Callable[[dns.message.Message], bytes] = dns.message.Message.to_wire,
) -> Iterator[str]:
    """
    Answer questions from a table until the end, and give the ``ADDRESS:PORT`` of who does.

    Args:
        zone: A name with its last dot and a type -> the records, as in a zone file.
        pack: Makes the octets of an answer.

    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                data, client = server.recvfrom(4096)
                if not data:
                    return
                question = dns.message.from_wire(data)
                answer = dns.message.make_response(question)
                name, kind = question.question[0].name, question.question[0].rdtype
                rows = zone.get((name.to_text(), dns.rdatatype.to_text(kind)))
                if rows:
                    answer.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *rows))
                server.sendto(pack(answer), client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
                end.sendto(b"", server.getsockname())
            thread.join()
