"""The host's addresses: what the resolver says of a name, and what a person is told of it."""

from __future__ import annotations

import socket

import pytest

from patients import findings_of, one_finding, patient_of
from pillarbox.doctor.finding import FAULT, NOTE, WARNING
from pillarbox.doctor.names import CODES, check_names
from pillarbox.errors import NetworkError

LINES = "auth off\ntls off\n"
PUBLIC = ("47.246.99.1",)


def resolver_of(*addresses, error=None):
    """Return a resolver that knows one answer, or one failure."""

    def resolve(_name, port, **_options):
        if error is not None:
            raise error
        return [
            (
                socket.AF_INET6 if ":" in text else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (text, port),
            )
            for text in addresses
        ]

    return resolve


def failing(code):
    """Return a resolver that fails as the system's does."""
    return resolver_of(error=socket.gaierror(code, "as the system says"))


def nobody(*_arguments, **_options):
    """Be a resolver that must not be asked."""
    pytest.fail("the resolver was asked")


def patient_at(folder, host, lines=LINES, *, records=None, **options):
    """Return a patient with a host, in a DNS of these records."""

    def ask(name, kind):
        if records is None:
            msg = "nobody answers"
            raise NetworkError(msg)
        return records.get((name, kind), ())

    return patient_of(folder, host=host, lines=lines, make_ask=lambda: ask, **options)


def find(patient, resolver):
    """Return the one finding."""
    finding = one_finding(lambda who: check_names(who, resolver), patient)
    assert finding.code in CODES
    assert finding.fix or finding.severity == NOTE
    return finding


def finds_nothing(patient, resolver):
    """Tell whether nothing is found."""
    return findings_of(lambda who: check_names(who, resolver), patient) == []


# -- healthy -----------------------------------------------------------------------------------


@pytest.mark.parametrize("addresses", [PUBLIC, ("47.246.99.1", "2401:b180::1")])
def test_addresses_are_kept_for_those_behind(tmp_path, addresses):
    """All addresses are there, in the resolver's order."""
    patient = patient_at(tmp_path, "smtp.qiye.aliyun.com")
    assert finds_nothing(patient, resolver_of(*addresses))
    assert patient.addresses == addresses


@pytest.mark.parametrize(("host", "address"), [("192.0.2.7", "192.0.2.7"), ("[::1]", "::1")])
def test_an_address_is_not_looked_up(tmp_path, host, address):
    """There is nothing to find out."""
    patient = patient_at(tmp_path, host)
    assert finds_nothing(patient, nobody)
    assert patient.addresses == (address,)


def test_a_socket_has_no_name(tmp_path):
    """Where there is a socket nobody is asked."""
    patient = patient_at(tmp_path, "smtp.example", socket=tmp_path / "s")
    assert finds_nothing(patient, nobody)
    assert patient.addresses == ()


def test_a_proxy_looks_the_host_up(tmp_path):
    """Attack: the host's name must not reach the local resolver; the proxy's does."""
    asked = []

    def resolve(name, port, **options):
        asked.append(name)
        return resolver_of("192.0.2.9")(name, port, **options)

    lines = f"{LINES}proxy_host proxy.example\nproxy_port 1080\n"
    patient = patient_at(tmp_path, "secret.example", lines)
    assert finds_nothing(patient, resolve)
    assert asked == [b"proxy.example"]
    assert patient.addresses == ("192.0.2.9",)


@pytest.mark.parametrize("address", ["10.0.0.5", "192.168.1.2", "127.0.0.1", "fd00::1"])
def test_a_relay_of_ones_own_may_be_anywhere(tmp_path, address, monkeypatch):
    """A private address is strange only for a public provider."""
    monkeypatch.setattr("pillarbox.doctor.names._has_way", lambda _: True)
    assert finds_nothing(patient_at(tmp_path, "relay.company.example"), resolver_of(address))


def test_one_public_address_is_enough(tmp_path):
    """A private one beside it is somebody's oddity."""
    patient = patient_at(tmp_path, "smtp.qiye.aliyun.com")
    assert finds_nothing(patient, resolver_of("10.1.1.1", *PUBLIC))


# -- no address --------------------------------------------------------------------------------

UNKNOWN = [
    ("smtp.qiye.aliyun.cmo", "host smtp.qiye.aliyun.com"),
    ("smpt.gmail.com", "host smtp.gmail.com"),
    ("smtp.exmial.qq.com", "host smtp.exmail.qq.com"),
    ("https://smtp.163.com/", "host smtp.163.com"),
    ("smtp.163.com:465", "host smtp.163.com\nport 465"),
    ("mail.nobody.example", "check the spelling of host"),
]


@pytest.mark.parametrize(("host", "fix"), UNKNOWN)
def test_unknown(tmp_path, host, fix):
    """A name that does not exist is mostly nearly one that does."""
    finding = find(patient_at(tmp_path, host), failing(socket.EAI_NONAME))
    assert (finding.code, finding.severity) == ("names.unknown", FAULT)
    assert fix in finding.fix
    assert finding.evidence == ("as the system says", f"{tmp_path / 'msmtprc'}:2")


HOME = [
    ("me@gmail.com", {}, "mail.gmail.com", "host smtp.gmail.com"),
    (
        "me@company.example",
        {("company.example", "MX"): ((10, "mx1.qiye.aliyun.com"),)},
        "smtp.aliyun-qiye.com",
        "host smtp.qiye.aliyun.com",
    ),
    ("me@company.example", {("company.example", "MX"): ((10, "mx.own.example"),)},
     "smtp.aliyun-qiye.com", "host smtp.aliyun.com"),
    ("me@company.example", None, "smtp.aliyun-qiye.com", "host smtp.aliyun.com"),
    ("me@gmail.com", {}, "relay.company.example", "check the spelling"),
]  # fmt: skip


@pytest.mark.parametrize(("sender", "records", "host", "fix"), HOME)
def test_unknown_where_the_sender_is_at_home(tmp_path, sender, records, host, fix):
    """Who guesses a host guesses it for the provider that has the mailbox."""
    patient = patient_at(tmp_path, host, sender=sender, records=records)
    finding = find(patient, failing(socket.EAI_NONAME))
    assert fix in finding.fix


def test_an_unknown_proxy_is_no_providers(tmp_path):
    """Nobody's host is proposed for a proxy."""
    lines = f"{LINES}proxy_host smpt.gmail.com\nproxy_port 1080\n"
    finding = find(patient_at(tmp_path, "smtp.gmail.com", lines), failing(socket.EAI_NONAME))
    assert finding.code == "names.unknown"
    assert finding.fix == "check the spelling of proxy_host in the configuration"


def test_none(tmp_path):
    """A domain is no mail server: it may have no address at all."""
    finding = find(patient_at(tmp_path, "company.example"), failing(socket.EAI_NODATA))
    assert (finding.code, finding.severity) == ("names.none", FAULT)


@pytest.mark.parametrize("code", [socket.EAI_AGAIN, socket.EAI_FAIL])
def test_temporary(tmp_path, code):
    """A resolver that fails says nothing about the name."""
    finding = find(patient_at(tmp_path, "smtp.gmail.com"), failing(code))
    assert (finding.code, finding.severity) == ("names.temporary", FAULT)
    assert "resolv.conf" in finding.fix


def test_a_resolver_that_does_not_answer(tmp_path):
    """It has the patience, and no more."""
    left, right = socket.socketpair()

    def resolve(*_arguments, **_options):
        left.recv(1)
        return []

    with left, right:
        finding = find(patient_at(tmp_path, "smtp.gmail.com", patience_s=0.2), resolve)
        right.shutdown(socket.SHUT_RDWR)
    assert finding.code == "names.temporary"
    assert finding.evidence == ("the resolver did not answer in time",)


@pytest.mark.parametrize(
    ("host", "fix"),
    [
        (".smtp.gmail.com", "host smtp.gmail.com"),
        ("smtp. gmail.com", "host smtp.gmail.com"),
        (". .", "spelling"),
    ],
)
def test_spelling(tmp_path, host, fix):
    """What can be no name is not asked for, and said as it should be."""
    patient = patient_at(tmp_path, "x")
    patient.account.host = host
    finding = find(patient, nobody)
    assert (finding.code, finding.severity) == ("names.spelling", FAULT)
    assert fix in finding.fix


def test_full_width_letters(tmp_path, monkeypatch):
    """A Chinese keyboard writes them; without the extra they are no host, and easily mended."""
    import sys

    monkeypatch.setitem(sys.modules, "idna", None)
    patient = patient_at(tmp_path, "x")
    patient.account.host = "smtp.163。com"
    finding = find(patient, nobody)
    assert finding.code == "names.spelling"
    assert "host smtp.163.com" in finding.fix


# -- odd addresses -----------------------------------------------------------------------------


@pytest.mark.parametrize("addresses", [("0.0.0.0",), ("::", "0.0.0.0")])  # noqa: S104 (no binding)
def test_sinkhole(tmp_path, addresses):
    """A filter says no by an address that is none."""
    finding = find(patient_at(tmp_path, "smtp.gmail.com"), resolver_of(*addresses))
    assert (finding.code, finding.severity) == ("names.sinkhole", FAULT)


def test_a_sinkhole_beside_an_address_is_left_out(tmp_path):
    """What is no address is not for those behind."""
    patient = patient_at(tmp_path, "smtp.gmail.com")
    assert finds_nothing(patient, resolver_of("::", *PUBLIC))
    assert patient.addresses == PUBLIC


def test_ipv6_only(tmp_path, monkeypatch):
    """Only IPv6 addresses, and no route: the kernel says so without a packet."""

    class _NoRoute(socket.socket):
        def connect(self, _address):
            raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "socket", _NoRoute)
    finding = find(patient_at(tmp_path, "relay.company.example"), resolver_of("2001:db8::1"))
    assert (finding.code, finding.severity) == ("names.ipv6-only", FAULT)
    assert finding.evidence == ("2001:db8::1",)


def test_ipv6_only_with_a_way(tmp_path):
    """IPv6 alone is no fault where it works."""
    assert finds_nothing(patient_at(tmp_path, "relay.company.example"), resolver_of("::1"))


STRANGE = [
    (("198.18.0.7",), WARNING, "proxy"),
    (("10.0.0.1",), WARNING, "login page"),
    (("192.168.0.1", "100.64.3.2"), WARNING, "login page"),
    (("127.0.0.1",), NOTE, "by intention"),
    (("::1", "127.0.0.2"), NOTE, "by intention"),
]


@pytest.mark.parametrize(("addresses", "severity", "meaning"), STRANGE)
def test_strange(tmp_path, addresses, severity, meaning):
    """A provider's name that leads into a private network is not the provider's."""
    finding = find(patient_at(tmp_path, "smtp.qiye.aliyun.com"), resolver_of(*addresses))
    assert (finding.code, finding.severity) == ("names.strange", severity)
    assert meaning in finding.meaning
    assert finding.evidence == addresses


# -- /etc/hosts --------------------------------------------------------------------------------

HOSTS = """\
127.0.0.1 localhost
# 47.246.99.9 mail.company.example
47.246.99.8\tother MAIL.company.example  # since 2019
nonsense mail.company.example
"""
NAME = "mail.company.example"
PROVIDER = "smtp.qiye.aliyun.com"
DNS = {(NAME, "A"): ("47.246.99.1",), (NAME, "AAAA"): ("2401:b180::1",)}


def with_hosts(folder, text=HOSTS, records=None, host=NAME):
    """Return a patient whose machine has a hosts file."""
    (folder / "etc").mkdir()
    (folder / "etc/hosts").write_text(text)
    return patient_at(folder, host, root=str(folder), records=records)


@pytest.mark.parametrize(("host", "severity"), [(NAME, NOTE), (PROVIDER, WARNING)])
def test_hosts(tmp_path, host, severity):
    """A line that the DNS does not agree with is shown; a provider's addresses change."""
    text = HOSTS.replace(NAME, host).replace("MAIL.company.example", host.upper())
    records = {(host, kind): answers for (_, kind), answers in DNS.items()}
    patient = with_hosts(tmp_path, text, records, host)
    finding = find(patient, resolver_of("47.246.99.8"))
    assert (finding.code, finding.severity) == ("names.hosts", severity)
    assert finding.evidence == (
        f"{tmp_path}/etc/hosts: 47.246.99.8",
        "DNS: 47.246.99.1, 2401:b180::1",
    )


@pytest.mark.parametrize(
    ("text", "records"),
    [
        (HOSTS, None),
        (HOSTS, {}),
        (HOSTS.replace("99.8", "99.1"), DNS),
        ("127.0.0.1 localhost\n", DNS),
        ("2401:B180:0::1 mail.company.example\n", DNS),
    ],
)
def test_a_hosts_file_without_fault(tmp_path, text, records):
    """Where the DNS says the same, or nothing, the file is nobody's fault."""
    assert finds_nothing(with_hosts(tmp_path, text, records), resolver_of("47.246.99.8"))
