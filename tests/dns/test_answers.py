"""Questions to a nameserver on loopback, which answers well, badly, or not at all."""

import socket
import sys
import threading
import time
from types import SimpleNamespace

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from pillarbox.dns import answers
from pillarbox.dns.answers import (
    LookupFailedError,
    Nameservers,
    Service,
    TlsaRecord,
    is_askable,
    nameservers_of,
)
from pillarbox.errors import EX_TEMPFAIL, MissingExtraError, NetworkError, UsageError
from pillarbox.text import localize

ROWS = {
    "TXT": ['"v=spf1 " "-all"', '"\\255\\000"'],
    "MX": ["5 MX.example.com.", "7 a\\.b.example.com."],
    "A": ["192.0.2.1"],
    "AAAA": ["2001:DB8:0::1"],
    "PTR": ["Host.example.com."],
    "CNAME": ["other.example.com."],
    "NS": ["ns.example.com."],
    "SRV": ["10 5 465 SMTP.example.com.", "0 0 0 ."],
    "TLSA": ["3 1 1 " + "00ff" * 16],
}


def good(question):
    """Answer from ROWS."""
    answer = dns.message.make_response(question)
    asked = question.question[0]
    rows = ROWS.get(dns.rdatatype.to_text(asked.rdtype), [])
    answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", asked.rdtype, *rows))
    return answer.to_wire()


def coded(code):
    """Return an answerer with a response code and nothing else."""

    def answer(question):
        made = dns.message.make_response(question)
        made.set_rcode(code)
        return made.to_wire()

    return answer


def truncated(question):
    """Say that the answer is to be fetched by TCP, where nobody listens."""
    answer = dns.message.make_response(question)
    answer.flags |= dns.flags.TC
    return answer.to_wire()


def with_count(question):
    """Promise a record that is not there."""
    wire = bytearray(dns.message.make_response(question).to_wire())
    wire[7] = 1
    return bytes(wire)


def with_circle(question):
    """Answer with a name that is compressed to itself."""
    wire = bytearray(dns.message.make_response(question).to_wire())
    wire[7] = 1
    at = len(wire)
    return bytes(wire) + bytes([0xC0 | at >> 8, at & 0xFF]) + b"\0\x10\0\1\0\0\0\x3c\0\1\0"


@pytest.fixture
def nameserver():
    """Serve what the test puts in ``answer`` (None: nothing); count the questions."""

    class Server:
        answer = staticmethod(good)
        count = 0

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        Server.place = server.getsockname()

        def serve():
            while True:
                data, client = server.recvfrom(4096)
                if not data:
                    return
                Server.count += 1
                made = Server.answer and Server.answer(dns.message.from_wire(data))
                if made is not None:
                    server.sendto(made, client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Server
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", Server.place)
        thread.join()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("TXT", {b"v=spf1 -all", b"\xff\0"}),
        ("MX", {(5, "mx.example.com"), (7, "a.b.example.com")}),
        ("A", {"192.0.2.1"}),
        ("AAAA", {"2001:db8::1"}),
        ("PTR", {"host.example.com"}),
        ("CNAME", {"other.example.com"}),
        ("NS", {"ns.example.com"}),
        ("SRV", {Service(10, 5, 465, "smtp.example.com"), Service(0, 0, 0, "")}),
        ("TLSA", {TlsaRecord(3, 1, 1, b"\x00\xff" * 16)}),
    ],
)
def test_answers_are_plain_values(nameserver, kind, expected):
    """Strings are joined, names are lower case without the last dot."""
    assert set(Nameservers(nameserver.place)("Example.com.", kind)) == expected


def test_same_question_is_asked_once(nameserver):
    """However it is written; an answer without records is remembered too."""
    ask = Nameservers(nameserver.place)
    assert ask("Example.com.", "A") == ask("example.com", "A")
    assert nameserver.count == 1
    nameserver.answer = coded(dns.rcode.NXDOMAIN)
    assert ask("no.example.com", "A") == ask("no.example.com", "A") == ()
    assert nameserver.count == 2


@pytest.mark.parametrize("answer", [coded(dns.rcode.NXDOMAIN), coded(dns.rcode.NOERROR)])
def test_no_such_record_is_an_empty_answer(nameserver, answer):
    """Neither a missing name nor a missing type is a failure."""
    nameserver.answer = answer
    assert Nameservers(nameserver.place)("example.com", "TXT") == ()


FAILURES = [
    pytest.param(coded(dns.rcode.SERVFAIL), id="SERVFAIL"),
    pytest.param(coded(dns.rcode.REFUSED), id="REFUSED"),
    pytest.param(coded(dns.rcode.NOTIMP), id="NOTIMP"),
    pytest.param(coded(dns.rcode.FORMERR), id="FORMERR"),
    pytest.param(truncated, id="truncated"),
    pytest.param(with_count, id="fewer records than promised"),
    pytest.param(with_circle, id="name that leads to itself"),
    pytest.param(lambda _: b"\0", id="one octet"),
    pytest.param(lambda question: question.to_wire()[:11], id="half a header"),
    pytest.param(lambda question: question.to_wire(), id="the question itself"),
    pytest.param(lambda _: b"\xff" * 600, id="nothing of DNS"),
    pytest.param(None, id="silence"),
]


@pytest.mark.parametrize("answer", FAILURES)
def test_failure_says_what_was_asked_and_of_whom(nameserver, answer):
    """Attack: whatever comes over the wire, there is one error, in time, which may be repeated."""
    nameserver.answer = answer
    begun_s = time.monotonic()
    with pytest.raises(LookupFailedError) as caught:
        Nameservers(nameserver.place, total_s=0.3)("example.com", "TXT")
    assert time.monotonic() - begun_s < 4, "as long as one question may take when asked alone"
    assert caught.value.exit_code == EX_TEMPFAIL
    assert "cannot look up TXT of example.com: " in caught.value.problem
    assert f"127.0.0.1:{nameserver.place[1]}" in caught.value.advice


def test_failure_is_said_in_chinese_to_its_last_word(nameserver):
    """The reason too, where it is ours."""
    nameserver.answer = coded(dns.rcode.SERVFAIL)
    with pytest.raises(LookupFailedError) as caught:
        Nameservers(nameserver.place)("example.com", "TXT")
    assert "server" not in localize(caught.value.problem, "zh")


def test_answer_of_another_question_is_not_taken(nameserver):
    """Attack: an answer with a wrong identifier is waited past, not believed."""

    def forged(question):
        question.id ^= 1
        return good(question)

    nameserver.answer = forged
    with pytest.raises(LookupFailedError):
        Nameservers(nameserver.place, total_s=0.3)("example.com", "TXT")


def test_all_questions_together_have_an_end(nameserver):
    """Behind the time nobody is asked any more; what is known stays known."""
    ask = Nameservers(nameserver.place)
    known = ask("example.com", "A")
    ask._left_s = 0.0
    with pytest.raises(LookupFailedError, match="took too long"):
        ask("other.example.com", "A")
    assert ask("example.com", "A") == known
    assert nameserver.count == 1


def test_time_between_questions_is_not_counted(nameserver, monkeypatch):
    """Who has waited a minute for something else may still ask."""
    ask = Nameservers(nameserver.place)
    ask("example.com", "A")
    later_s = time.monotonic() + 3600
    monkeypatch.setattr(answers, "time", SimpleNamespace(monotonic=lambda: later_s))
    assert ask("other.example.com", "A") == ("192.0.2.1",)


def test_time_of_a_question_is_counted(nameserver):
    """Two that nobody answers take no longer than what is given to both."""
    nameserver.answer = None
    ask = Nameservers(nameserver.place, total_s=0.2)
    for name in ("a.example", "b.example"):
        with pytest.raises(LookupFailedError):
            ask(name, "A")
    assert ask._left_s <= 0


@pytest.mark.parametrize(
    ("name", "is_it"),
    [("a", True), ("x" * 63 + ".com", True), ("x" * 64 + ".com", False), ("a..b", False),
     ("", False), (".a", False), ("\u00fc.com", False), (".".join(["x" * 62] * 4), True),
     (".".join(["x" * 63] * 4), False)],
)  # fmt: skip
def test_name_that_fits_in_no_question_is_not_asked(nameserver, name, is_it):
    """It has no records, and no packet leaves."""
    assert is_askable(name) is is_it
    Nameservers(nameserver.place)(name, "A")
    assert nameserver.count == is_it


def test_label_with_a_backslash_is_asked_as_it_is(nameserver):
    """In a question it means itself, and what stands behind it is no code of an octet."""
    asked = []
    nameserver.answer = lambda question: asked.append(question.question[0].name) or good(question)
    Nameservers(nameserver.place)(r"a\046b.example", "A")
    assert [name.labels for name in asked] == [(rb"a\046b", b"example", b"")]


def test_missing_package_is_told_with_its_extra(monkeypatch):
    """Whoever is to be asked."""
    monkeypatch.setitem(sys.modules, "dns.resolver", None)
    for server in (None, ("127.0.0.1", 53)):
        with pytest.raises(MissingExtraError):
            Nameservers(server)


def test_nameserver_that_is_silent_costs_its_time_once(nameserver, monkeypatch, tmp_path):
    """The next question goes to who answered; whatever the answer was."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
        dead.bind(("127.0.0.2", nameserver.place[1]))
        conf = tmp_path / "resolv.conf"
        conf.write_text("nameserver 127.0.0.2\nnameserver 127.0.0.1\n", encoding="ascii")
        monkeypatch.setattr(answers, "_CONFIGURATION", str(conf))
        ask = Nameservers()
        ask._resolver.port = nameserver.place[1]
        ask._resolver.timeout = 0.1
        nameserver.answer = coded(dns.rcode.NXDOMAIN)
        for name in ("a.example", "b.example", "c.example"):
            assert ask(name, "A") == ()
        dead.settimeout(0)
        assert dead.recv(512)
        with pytest.raises(BlockingIOError):
            dead.recv(512)
    assert ask._resolver.nameservers == ["127.0.0.1", "127.0.0.2"]


@pytest.mark.parametrize(
    "octets",
    [
        b"nameserver 999.0.0.1\nnameserver 127.0.0.1\n",
        b"# \xff\xfe\nsearch a..b\nnameserver 127.0.0.1 ; ours\n",
        b"nameserver\nnameserver here\nnameserver 127.0.0.1\noptions ndots:x timeout:\n",
        b"domain " + b"x" * 300 + b"\nnameserver 127.0.0.1\n",
    ],
)
def test_lines_that_mean_nothing_are_passed_over(monkeypatch, tmp_path, octets):
    """As by the C library: the rest of the file counts."""
    conf = tmp_path / "resolv.conf"
    conf.write_bytes(octets)
    monkeypatch.setattr(answers, "_CONFIGURATION", str(conf))
    assert Nameservers()._resolver.nameservers == ["127.0.0.1"]


@pytest.mark.parametrize("octets", [b"", b"nameserver here\n", None])
def test_machine_without_a_nameserver_has_nobody_to_ask(monkeypatch, tmp_path, octets):
    """Nor one whose file is not there."""
    conf = tmp_path / "resolv.conf"
    if octets is not None:
        conf.write_bytes(octets)
    monkeypatch.setattr(answers, "_CONFIGURATION", str(conf))
    with pytest.raises(NetworkError, match="names no nameserver"):
        Nameservers()


def test_environment_names_whom_to_ask(nameserver):
    """Nobody else is asked then, whatever stands in /etc/resolv.conf."""
    place = "{}:{}".format(*nameserver.place)
    assert nameservers_of({"PILLARBOX_DNS": place})("example.com", "A") == ("192.0.2.1",)
    assert nameserver.count == 1


@pytest.mark.parametrize("named", ["::1:53", "[::1]:53"])
def test_environment_may_name_an_ipv6_address(named):
    """With brackets and without."""
    assert nameservers_of({"PILLARBOX_DNS": named})._server == "::1:53"


@pytest.mark.parametrize(
    "named", ["here:53", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:0", "127.0.0.1:65536",
              "127.0.0.1:-5", ":53", "[::1]"]
)  # fmt: skip
def test_environment_that_names_no_address_and_port_is_wrong_use(named):
    """Nobody is asked in its place, which might answer otherwise."""
    with pytest.raises(UsageError, match="PILLARBOX_DNS"):
        nameservers_of({"PILLARBOX_DNS": named})
