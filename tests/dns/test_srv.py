"""Submission servers by SRV, asked of a nameserver on loopback."""

import socket
import threading

import dns.message
import dns.resolver
import dns.rrset
import pytest

from pillarbox.dns.srv import Submission, find_submission
from pillarbox.errors import NetworkError

ZONE = {
    "_submissions._tcp.both.example.": ["10 1 465 smtp.both.example."],
    "_submission._tcp.both.example.": ["0 1 587 smtp.both.example."],
    "_submission._tcp.old.example.": ["20 1 587 b.old.example.", "10 1 588 a.old.example."],
    "_submissions._tcp.heavy.example.": ["0 1 465 a.heavy.example.", "0 9 466 b.heavy.example."],
    "_submissions._tcp.none.example.": ["0 0 0 ."],
    "_submission._tcp.none.example.": ["0 0 587 smtp.none.example."],
}


@pytest.fixture
def resolver():
    """Return a resolver that asks a nameserver of this test, which knows ZONE."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve():
            while True:
                data, client = server.recvfrom(4096)
                if not data:
                    return
                question = dns.message.from_wire(data)
                answer = dns.message.make_response(question)
                name = question.question[0].name
                records = ZONE.get(name.to_text())
                if records is None:
                    answer.set_rcode(3)
                else:
                    answer.answer.append(dns.rrset.from_text(name, 60, "IN", "SRV", *records))
                server.sendto(answer.to_wire(), client)

        thread = threading.Thread(target=serve)
        thread.start()
        made = dns.resolver.Resolver(configure=False)
        made.nameservers, made.port = ["127.0.0.1"], server.getsockname()[1]
        yield made
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", server.getsockname())
        thread.join()


CASES = [
    ("both.example", Submission("smtp.both.example", 465, is_implicit=True)),
    ("old.example", Submission("a.old.example", 588, is_implicit=False)),
    ("heavy.example", Submission("b.heavy.example", 466, is_implicit=True)),
    ("none.example", Submission("smtp.none.example", 587, is_implicit=False)),
    ("nothing.example", None),
]


@pytest.mark.parametrize(("domain", "expected"), CASES)
def test_finds_the_server_that_the_domain_names(resolver, domain, expected):
    """Implicit TLS first, then the lowest priority, then the highest weight."""
    assert find_submission(domain, resolver=resolver) == expected


def test_dead_nameserver_is_a_network_error(resolver):
    """Nobody answers: try again, says the exit code."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        resolver.port, resolver.lifetime = silent.getsockname()[1], 0.2
        with pytest.raises(NetworkError, match=r"cannot look up a\.example"):
            find_submission("a.example", resolver=resolver, lifetime_s=0.2)
