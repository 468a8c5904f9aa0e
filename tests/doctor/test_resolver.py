"""The resolver: asked once, blamed only where the account's host needs it."""

import socket
import threading

import pytest

from machine_tree import ACCOUNT, tree
from pillarbox.doctor import resolver
from pillarbox.doctor.finding import FAULT, WARNING
from pillarbox.doctor.local_config import check_config
from pillarbox.doctor.resolver import CODES, ask_all, check_resolver, needs_names


@pytest.fixture(name="machine")
def _machine():
    with tree() as made:
        yield made


class Nameserver:
    """
    A nameserver on a loopback address, which knows nothing and says so.

    Attributes:
        address: Where.
        port: UDP.
        questions: What it was asked.

    """

    def __init__(self, address="127.0.0.1", port=0, *, replies=None):
        self._replies = replies or (lambda question: [question[:2] + b"\x81\x80" + question[4:]])
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, port))
        self.address, self.port = self._socket.getsockname()
        self.questions = []
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
            stop.sendto(b"", (self.address, self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self):
        while True:
            question, asker = self._socket.recvfrom(512)
            if not question:
                return
            self.questions.append(question)
            for reply in self._replies(question):
                self._socket.sendto(reply, asker)


def silent(_question):
    """Say nothing."""
    return []


def find(machine, text=ACCOUNT, **options):
    """Return what is found of the resolver, behind the configuration."""
    machine.configure(text)
    return machine.find(machine.patient(patience_s=0.2, **options), check_config, check_resolver)


@pytest.fixture(name="closed_port")
def _closed_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as kept:
        kept.bind(("127.0.0.1", 0))
        return kept.getsockname()[1]


def test_nameserver_that_answers_is_healthy(machine, monkeypatch):
    """It is asked one question of 17 octets, whatever the answer."""
    with Nameserver() as server:
        monkeypatch.setattr(resolver, "_PORT", server.port)
        machine.write("/etc/resolv.conf", "# by hand\nsearch example.com\nnameserver 127.0.0.1 \n")
        assert find(machine) == []
    (question,) = server.questions
    assert len(question) == 17
    assert question[2:] == bytes.fromhex("0100 0001 0000 0000 0000 00 0002 0001")


def test_answers_are_told_from_what_others_send(machine, monkeypatch):
    """Attack: a datagram with another number, or a question, is no answer."""

    def mislead(question):
        other = bytes((question[0] ^ 1, question[1]))
        return [b"", b"x", other + b"\x81\x80" + question[4:], question]

    with Nameserver(replies=mislead) as server:
        monkeypatch.setattr(resolver, "_PORT", server.port)
        machine.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
        (finding,) = find(machine)
    assert finding.code == "resolver.silent"


def test_question_is_asked_again_when_it_was_lost():
    """One datagram of a thousand is lost on a good day."""
    asked = []

    def forgetful(question):
        asked.append(question)
        return [question[:2] + b"\x81\x80" + question[4:]] if len(asked) > 1 else []

    with Nameserver(replies=forgetful) as server:
        assert ask_all([server.address], 5.0, port=server.port) == [(server.address, "")]
    assert len(asked) == 2
    assert asked[0] == asked[1]


def test_silent_nameserver_is_the_fault_where_a_name_is_needed(machine, monkeypatch):
    """The evidence says how it was silent."""
    with Nameserver(replies=silent) as server:
        monkeypatch.setattr(resolver, "_PORT", server.port)
        machine.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
        (finding,) = find(machine)
    assert (finding.code, finding.severity) == ("resolver.silent", FAULT)
    assert "the nameserver 127.0.0.1 does not answer" in finding.problem
    assert finding.evidence == ("127.0.0.1: no answer within 0.2 seconds",)
    assert "UDP port 53 to 127.0.0.1" in finding.fix


def test_nameserver_that_is_not_there_is_told_at_once(machine, monkeypatch, closed_port):
    """The kernel knows: nobody waits."""
    monkeypatch.setattr(resolver, "_PORT", closed_port)
    machine.write("/etc/resolv.conf", "nameserver 127.0.0.1\nnameserver 127.0.0.2\n")
    (finding,) = find(machine)
    assert finding.code == "resolver.silent"
    assert finding.problem == "no nameserver answers"
    assert finding.evidence == (
        "127.0.0.1: Connection refused",
        "127.0.0.2: Connection refused",
    )


def test_stub_of_systemd_is_restarted(machine, monkeypatch, closed_port):
    """127.0.0.53 is nobody's else."""
    monkeypatch.setattr(resolver, "_PORT", closed_port)
    machine.write("/etc/resolv.conf", "nameserver 127.0.0.53\n")
    (finding,) = find(machine)
    assert finding.fix == "sudo systemctl restart systemd-resolved"


def test_first_of_several_that_is_silent_makes_every_lookup_slow(machine, monkeypatch):
    """Mail goes, five seconds late each time."""
    with Nameserver("127.0.0.3") as server:
        monkeypatch.setattr(resolver, "_PORT", server.port)
        machine.write("/etc/resolv.conf", "nameserver 127.0.0.2\nnameserver 127.0.0.3\n")
        (finding,) = find(machine)
    assert (finding.code, finding.severity) == ("resolver.slow", WARNING)
    assert "127.0.0.2" in finding.problem
    assert "remove nameserver 127.0.0.2" in finding.fix
    assert "put 127.0.0.3 first" in finding.fix


@pytest.mark.parametrize("is_found", [True, False])
def test_host_that_is_found_all_the_same_acquits_the_nameserver(
    machine, monkeypatch, closed_port, is_found
):
    """It does not answer for the root, or there is a way past it: mail goes."""
    asked = []

    def library(host, *_, **__):
        asked.append(host)
        if not is_found:
            raise socket.gaierror(socket.EAI_AGAIN, "later")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(resolver, "_PORT", closed_port)
    machine.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    machine.configure(ACCOUNT)
    found = machine.find(
        machine.patient(patience_s=2.0),
        check_config,
        lambda patient: check_resolver(patient, library),
    )
    assert [finding.code for finding in found] == ([] if is_found else ["resolver.silent"])
    assert asked == [b"smtp.example.com"]


def test_line_that_is_no_address_costs_no_time(machine, monkeypatch):
    """The C library passes over it: the first that it asks is the first address."""
    with Nameserver("127.0.0.3") as server:
        monkeypatch.setattr(resolver, "_PORT", server.port)
        machine.write("/etc/resolv.conf", "nameserver 999.0.0.1\nnameserver 127.0.0.3\n")
        assert find(machine) == []


def test_later_one_that_is_silent_is_nothing(machine, monkeypatch):
    """It is asked by nobody while the first answers."""
    with Nameserver("127.0.0.3") as server:
        monkeypatch.setattr(resolver, "_PORT", server.port)
        machine.write("/etc/resolv.conf", "nameserver 127.0.0.3\nnameserver 127.0.0.2\n")
        assert find(machine) == []


def test_only_three_are_asked_as_by_the_c_library(machine, monkeypatch):
    """A fourth helps nobody."""
    with Nameserver("127.0.0.5") as server:
        monkeypatch.setattr(resolver, "_PORT", server.port)
        lines = "".join(f"nameserver 127.0.0.{number}\n" for number in (2, 3, 4, 5))
        machine.write("/etc/resolv.conf", lines)
        (finding,) = find(machine)
    assert finding.code == "resolver.silent"
    assert server.questions == []


STRANGE = ["nonsense", "fe80::1%nowhere0", "::ffff:256.1.1.1", "\x1b[2J", "a" * 300]


@pytest.mark.parametrize("address", STRANGE)
def test_address_that_is_none_is_told_and_not_trusted(machine, address):
    """Attack: what stands in a file goes to a terminal."""
    machine.write("/etc/resolv.conf", f"nameserver {address}\n")
    (finding,) = find(machine)
    assert finding.code == "resolver.silent"
    texts = (finding.problem, finding.meaning, finding.fix, *finding.evidence)
    assert all(text.isprintable() for text in texts)


MISSING = [
    # content of resolv.conf, its link, words of the evidence, of the fix
    (None, "", "/etc/resolv.conf is not there", "nameserver ADDRESS"),
    ("", "", "names no nameserver", "nameserver ADDRESS"),
    ("# nameserver 127.0.0.1\nnameserver\n", "", "names no nameserver", "nameserver ADDRESS"),
    (
        None,
        "../run/systemd/resolve/stub-resolv.conf",
        "is a link to ../run/systemd/resolve/stub-resolv.conf",
        "systemctl restart systemd-resolved",
    ),
    (None, "../run/resolvconf/resolv.conf", "is a link to", "nameserver ADDRESS"),
]


@pytest.mark.parametrize(("content", "link", "seen", "fix"), MISSING)
def test_machine_without_a_nameserver_is_told(
    machine, monkeypatch, closed_port, content, link, seen, fix
):
    """The C library asks this computer then, where nobody is."""
    monkeypatch.setattr(resolver, "_PORT", closed_port)
    if content is not None:
        machine.write("/etc/resolv.conf", content)
    if link:
        machine.link("/etc/resolv.conf", link)
    (finding,) = find(machine)
    assert (finding.code, finding.severity) == ("resolver.none", FAULT)
    assert seen in finding.evidence[0]
    assert fix in finding.fix
    assert finding.evidence[1] == "127.0.0.1: Connection refused"


def test_nameserver_on_this_computer_needs_no_file(machine, monkeypatch):
    """So says resolv.conf(5)."""
    with Nameserver() as server:
        monkeypatch.setattr(resolver, "_PORT", server.port)
        assert find(machine) == []


@pytest.mark.parametrize(
    ("line", "is_told"),
    [
        ("hosts: files", True),
        ("hosts: files myhostname mdns4_minimal [NOTFOUND=return]", True),
        ("hosts: files [!UNAVAIL=return] sss", False),
        ("hosts:files dns # usual", False),
        ("hosts: files # dns", True),
        ("hosts:", False),
        ("passwd: files", False),
    ],
)
def test_machine_that_is_told_to_ask_nobody(machine, monkeypatch, line, is_told):
    """One word in a file, and no name is found."""
    machine.write("/etc/nsswitch.conf", f"{line}\n")
    with Nameserver() as server:
        monkeypatch.setattr(resolver, "_PORT", server.port)
        found = find(machine)
    assert [(finding.code, finding.severity) for finding in found] == (
        [("resolver.nsswitch", FAULT)] if is_told else []
    )
    for finding in found:
        assert "hosts: files dns" in finding.fix


def test_nothing_is_asked_where_it_would_say_nothing(machine, monkeypatch, closed_port):
    """By TCP only, or by systemd-resolved's own door: ``names`` will see."""
    monkeypatch.setattr(resolver, "_PORT", closed_port)
    machine.write("/etc/resolv.conf", "options edns0 use-vc\nnameserver 127.0.0.1\n")
    assert find(machine) == []
    machine.at("/etc/resolv.conf").unlink()
    machine.write("/etc/nsswitch.conf", "hosts: files resolve [!UNAVAIL=return] dns\n")
    machine.write("/run/systemd/resolve/io.systemd.Resolve", "")
    assert find(machine) == []


# -- who needs one ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "is_needed"),
    [
        ("smtp.example.com", True),
        ("SMTP.Example.Com.", True),
        ("relay", False),
        ("mail.example.net.", False),
        ("192.0.2.1", False),
        ("2001:db8::1", False),
        ("[2001:db8::1]", False),
        ("fe80::1%eth0", False),
        ("localhost", False),
        ("app.localhost", False),
        ("localhost.example.com", True),
        ("", False),
    ],
)
def test_host_that_needs_no_nameserver(machine, host, is_needed):
    """An address, this computer, or a name of ``/etc/hosts``."""
    machine.write("/etc/hosts", "192.0.2.7 relay Mail.example.net # smtp.example.com\n")
    assert needs_names(machine.patient(), host) == is_needed


@pytest.mark.parametrize(
    ("lines", "is_told"),
    [
        ("host 127.0.0.1\n", False),
        ("socket /run/lmtp.sock\ntls_host_override smtp.example.com\n", False),
        ("host smtp.example.com\nproxy_host 127.0.0.1\nproxy_port 9050\n", False),
        ("host 127.0.0.1\nproxy_host proxy.example.com\nproxy_port 9050\n", True),
    ],
)
def test_only_the_name_that_is_looked_up_here_counts(
    machine, monkeypatch, closed_port, lines, is_told
):
    """A proxy looks the host up itself."""
    monkeypatch.setattr(resolver, "_PORT", closed_port)
    text = f"account default\n{lines}port 465\nfrom me@example.com\nauth off\n"
    found = find(machine, text + "tls on\ntls_starttls off\n")
    assert [finding.code for finding in found] == (["resolver.none"] if is_told else [])


def test_without_an_account_nobody_is_asked(machine):
    """Which host it would be is not known."""
    assert machine.find(machine.patient(), check_resolver) == []


def test_codes_are_all_found_here():
    """Each code has a test above."""
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    assert [code for code in CODES if f'"{code}"' not in text] == []
