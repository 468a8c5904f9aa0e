"""TLS: every way in which a certificate can be wrong, and what a person is told to do about it."""

from __future__ import annotations

import contextlib
import email.utils
import ssl
import time

import pytest

from certificates import CHAINS, Chain, authority, leaf, make, pem
from patients import findings_of, one_finding, patient_of
from pillarbox.config.providers import provider_of_host
from pillarbox.doctor import connect_failed
from pillarbox.doctor.finding import FAULT, NOTE, WARNING
from pillarbox.doctor.tls import CODES, check_tls
from pillarbox.doctor.tls_refused import _fits
from pillarbox.errors import NetworkError
from servers.socks import Socks
from speakers import Speaker, answers, closed_port, hangs_up, says, smtp

LONG_S = 5.0
LOCAL = ("localhost", "IP:127.0.0.1", "IP:::1")

# The keyword of each field of a policy.
KEYWORDS = {
    "trust_file": "tls_trust_file",
    "crl_file": "tls_crl_file",
    "fingerprint": "tls_fingerprint",
    "key_file": "tls_key_file",
    "cert_file": "tls_cert_file",
    "priorities": "tls_priorities",
    "host_override": "tls_host_override",
}


@pytest.fixture(autouse=True)
def _own_ports(monkeypatch):
    """Keep what this machine has on its own mail ports out of the tests."""
    monkeypatch.setattr(connect_failed, "SUBMISSION_PORTS", ())


def lines_of(policy, *, starttls=False, auth="off"):
    """Return the lines of an account with a policy."""
    lines = ["tls on", f"tls_starttls {'on' if starttls else 'off'}", f"auth {auth}"]
    lines += [f"{KEYWORDS[name]} {value}" for name, value in policy.items() if name in KEYWORDS]
    if not policy.get("check_certificate", True):
        lines.append("tls_certcheck off")
    return "\n".join(lines) + "\n"


def patient_at(folder, port, lines, *, records=None, **options):
    """Return a patient whose server is on loopback."""

    def ask(name, kind):
        if records is None:
            msg = "nobody answers"
            raise NetworkError(msg)
        return records.get((name, kind), ())

    options = {"host": "localhost", "patience_s": LONG_S} | options
    patient = patient_of(folder, port=port, lines=lines, make_ask=lambda: ask, **options)
    patient.addresses = ("127.0.0.1",)
    return patient


@contextlib.contextmanager
def served(material, *, starttls=False, talk=None, **options):
    """Serve SMTP with a certificate."""
    if starttls:
        server = Speaker(smtp(context=material.server, **options))
    else:
        server = Speaker(talk or smtp(offers=(b"AUTH PLAIN",), **options), material.server)
    with server:
        yield server.port


def examine(folder, chain, *, starttls=False, changes=None, options=None, **serving):
    """Return what is found at a server with a chain."""
    material = make(chain, folder)
    policy = material.policy | (changes or {})
    with served(material, starttls=starttls, **serving) as port:
        lines = lines_of(policy, starttls=starttls)
        found = findings_of(check_tls, patient_at(folder, port, lines, **(options or {})))
    for finding in found:
        assert finding.code in CODES
        assert finding.fix or finding.severity == NOTE
    return found


def only(found):
    """Return the one finding."""
    (finding,) = found
    return finding


# -- the table of chains -----------------------------------------------------------------------

EXPECTED = {
    "is not for": "tls.name",
    "names no host": "tls.name",
    "expired on": "tls.expired",
    "an issuer whose certificate has expired": "tls.expired",
    "is not valid before": "tls.not-yet",
    "self-signed": "tls.untrusted",
    "not trusted": "tls.untrusted",
    "revoked": "tls.revoked",
    "has no list": "tls.trust-file",
    "fingerprint": "tls.fingerprint",
    "no TLS version": "tls.version",
    "client certificate": "tls.client-certificate",
}
# Where the words alone do not tell.
ODD = {
    "list expired": "tls.trust-file",
    "only for clients": "tls.certificate",
    "client certificate demanded, TLS 1.2": "tls.cipher",  # the alert does not say which
}


def expected_code(problem):
    """Return the code for what ``net.explain`` says."""
    return next((code for words, code in EXPECTED.items() if words in problem), "tls.certificate")


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.title.replace(" ", "-"))
def test_every_chain(tmp_path, chain):
    """What a mail would stumble over is a fault of the same words; what is right is none."""
    override = chain.policy.get("host_override", chain.host)
    finding = only(examine(tmp_path, chain, changes={"host_override": override}))
    if chain.problem:
        assert finding.severity == FAULT
        assert chain.problem in finding.problem
        assert finding.code == ODD.get(chain.title, expected_code(chain.problem))
    elif not chain.policy.get("check_certificate", True):
        assert (finding.code, finding.severity) == ("tls.unchecked", WARNING)
    else:
        assert (finding.code, finding.severity) == ("tls.secured", NOTE)


# -- healthy -----------------------------------------------------------------------------------


@pytest.mark.parametrize("starttls", [False, True])
def test_secured(tmp_path, starttls):
    """The evidence is what an administrator would ask for: version, names, issuer, dates."""
    finding = only(examine(tmp_path, Chain("ours", names=LOCAL), starttls=starttls))
    assert (finding.code, finding.severity) == ("tls.secured", NOTE)
    assert "TLSv1.3" in finding.problem
    names, issuer, dates = finding.evidence
    assert names == "names: localhost"
    assert issuer == "issuer: root"
    assert "(days left: 49)" in dates or "(days left: 50)" in dates


def test_secured_over_ipv6(tmp_path):
    """The name that is checked is the address."""
    material = make(Chain("ours", names=LOCAL), tmp_path)
    with Speaker(smtp(offers=(b"X",)), material.server, host="::1") as server:
        patient = patient_at(tmp_path, server.port, lines_of(material.policy), host="::1")
        assert one_finding(check_tls, patient).code == "tls.secured"


def test_secured_through_a_proxy(tmp_path):
    """TLS is with the server, whatever is in between."""
    proxy = Socks()
    try:
        lines = f"proxy_host 127.0.0.1\nproxy_port {proxy.port}\n"
        material = make(Chain("ours"), tmp_path)
        with served(material) as port:
            lines += lines_of(material.policy)
            patient = patient_at(tmp_path, port, lines, host="good.example")
            assert one_finding(check_tls, patient).code == "tls.secured"
    finally:
        proxy.stop()


def test_what_comes_behind_the_handshake_is_not_looked_at(tmp_path):
    """A greeting that refuses, or none, is the matter of other checks."""
    chain = Chain("ours", names=LOCAL)
    assert only(examine(tmp_path, chain, talk=hangs_up(b"554 no\r\n"))).code == "tls.secured"
    assert only(examine(tmp_path, chain, talk=hangs_up())).code == "tls.secured"


def test_a_session_that_ends_before_starttls_is_not_looked_at(tmp_path):
    """A refusal before TLS is asked for is the matter of other checks."""
    chain = Chain("ours", names=LOCAL)
    assert examine(tmp_path, chain, starttls=True, greeting=b"554 no\r\n") == []


def test_nobody_logs_in(tmp_path):
    """Attack: whoever poses as the server must see neither user nor password."""
    material = make(Chain("ours", names=LOCAL), tmp_path)
    heard = []

    def talk(connection):
        connection.sendall(b"220 here\r\n")
        heard.append(connection.recv(4096))
        connection.sendall(b"250-here\r\n250 AUTH PLAIN LOGIN CRAM-MD5\r\n")
        heard.append(connection.recv(4096))

    with served(material, talk=talk) as port:
        lines = lines_of(material.policy, auth="on")
        assert one_finding(check_tls, patient_at(tmp_path, port, lines)).code == "tls.secured"
    assert heard[0].startswith(b"EHLO ")
    assert heard[1:] == [b"QUIT\r\n"]


# -- names -------------------------------------------------------------------------------------


def test_name_of_an_alias(tmp_path):
    """A name of one's own that is an alias of the provider's: the provider's is to be written."""
    finding = only(
        examine(
            tmp_path,
            Chain("provider's", names=("smtp.hoster.example",)),
            options={"records": {("localhost", "CNAME"): ("smtp.hoster.example",)}},
        )
    )
    assert (finding.code, finding.severity) == ("tls.name", FAULT)
    assert finding.fix.endswith("set: host smtp.hoster.example")
    assert "names: smtp.hoster.example" in finding.evidence


@pytest.mark.parametrize(
    ("names", "host"),
    [
        (("*.qiye.aliyun.com", "*.mxhichina.com"), "smtp.qiye.aliyun.com"),
        (("smtp.gmail.com",), "smtp.gmail.com"),
    ],
)
def test_name_of_a_known_provider(tmp_path, names, host):
    """A certificate of a provider that we know gives the right host away."""
    finding = only(examine(tmp_path, Chain("provider's", names=names)))
    assert finding.fix.endswith(f"set: host {host}")


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("mx.example.com", "mx.example.com", True),
        ("mx.example.com", "my.example.com", False),
        ("*.example.com", "mx.example.com", True),
        ("*.example.com", "a.mx.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.ample.com", "mx.example.com", False),
    ],
)
def test_a_wildcard_stands_for_one_label(pattern, name, fits):
    """RFC 6125 6.4.3: a host that it does not fit would fail again."""
    assert _fits(pattern, name) == fits


def test_name_of_nobody(tmp_path):
    """A server of somebody's own: what the certificate is for is shown, and no host guessed."""
    finding = only(examine(tmp_path, Chain("other", names=("*.other.example",))))
    assert "tls_host_override" in finding.fix
    assert "*.other.example" in finding.problem


def test_name_that_could_be_it(tmp_path):
    """One name of one host: with it as the override the check would pass, if it is the server."""
    finding = only(examine(tmp_path, Chain("other", names=("*.b.example", "mx.other.example"))))
    assert finding.fix.endswith("set: tls_host_override mx.other.example")
    assert "confirms" in finding.fix


@pytest.mark.parametrize("name", ["a b.example", "x.example\npassword y", "localhost", "-.example"])
def test_attack_a_name_that_is_none_is_not_proposed(tmp_path, name):
    """Attack: what stands in a stranger's certificate would be written into a configuration."""
    chain = Chain("evil", names=(name,), policy={"host_override": ""})
    material = make(chain, tmp_path)
    with served(material) as port:
        lines = lines_of({"trust_file": material.policy["trust_file"]})
        finding = one_finding(check_tls, patient_at(tmp_path, port, lines, host="127.0.0.1"))
    assert finding.code == "tls.name"
    assert "password" not in finding.fix
    assert "tls_host_override" not in finding.fix.partition("set: ")[2]


def test_name_with_an_override(tmp_path):
    """Where tls_host_override decides, it is what has to be mended."""
    chain = Chain("other", names=("smtp.gmail.com",), policy={"host_override": "mx.example"})
    finding = only(examine(tmp_path, chain))
    assert finding.code == "tls.name"
    assert "tls_host_override" in finding.fix


# -- who vouches -------------------------------------------------------------------------------


def at_provider(folder, chain):
    """Return the finding at a server that has a known provider's name."""
    material = make(chain, folder)
    with served(material) as port:
        patient = patient_at(folder, port, lines_of(material.policy))
        patient.provider = provider_of_host("smtp.qiye.aliyun.com")
        return one_finding(check_tls, patient)


def test_untrusted(tmp_path):
    """A server of one's own: trust its issuer, or its fingerprint, which is there to compare."""
    finding = only(examine(tmp_path, Chain("own", names=LOCAL, issuer="self")))
    assert (finding.code, finding.severity) == ("tls.untrusted", FAULT)
    assert "tls_trust_file" in finding.fix
    assert "issuer: a server" in finding.evidence


def test_untrusted_by_a_file_of_ones_own(tmp_path, monkeypatch):
    """The machine's own store would do: the line that keeps it out is to go."""
    (tmp_path / "store").write_bytes(pem(authority("stranger")))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "store"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    finding = only(examine(tmp_path, Chain("public", names=LOCAL, issuer="stranger")))
    assert finding.code == "tls.untrusted"
    assert finding.fix.endswith("set: tls_trust_file system")


def test_untrusted_at_a_provider(tmp_path):
    """A public provider has a public authority: somebody opens the TLS, or the store is gone."""
    finding = at_provider(tmp_path, Chain("box", names=LOCAL, issuer="stranger"))
    assert finding.code == "tls.untrusted"
    assert "ca-certificates" in finding.fix
    assert "issuer: stranger" in finding.evidence


def test_fingerprint(tmp_path):
    """The new one is there to be confirmed and written."""
    finding = only(examine(tmp_path, Chain("renewed", names=LOCAL, fingerprint="sha256!")))
    assert (finding.code, finding.severity) == ("tls.fingerprint", FAULT)
    fingerprint = finding.fix.rpartition("tls_fingerprint ")[2]
    assert len(fingerprint) == 95
    assert fingerprint in finding.problem


# -- dates and the clock -----------------------------------------------------------------------


def greeting_at(seconds, form="220 here ESMTP Exim 4.96 {}\r\n"):
    """Return a greeting with a date, as Exim's is."""
    return form.format(email.utils.formatdate(seconds, localtime=False)).encode()


SENDMAIL = "220 here ESMTP Sendmail 8.17.1/8.17.1; {}\r\n"


@pytest.mark.parametrize("starttls", [False, True])
@pytest.mark.parametrize("form", ["220 here ESMTP Exim 4.96 {}\r\n", SENDMAIL])
@pytest.mark.parametrize(("valid", "days"), [((-20, -1), -10), ((1, 20), 5)])
def test_clock(tmp_path, starttls, form, valid, days):
    """The server's greeting has a date at which the certificate is in order: ours is wrong."""
    then = time.time() + days * 86400
    chain = Chain("clock", names=LOCAL, valid=valid)
    found = examine(tmp_path, chain, starttls=starttls, greeting=greeting_at(then, form))
    finding = only(found)
    assert (finding.code, finding.severity) == ("tls.clock", FAULT)
    assert "timedatectl" in finding.fix


def test_the_offset_is_known_afterwards(tmp_path):
    """How far the clock is ahead is kept for those behind."""
    material = make(Chain("clock", names=LOCAL, valid=(-20, -1)), tmp_path)
    with served(material, greeting=greeting_at(time.time() - 10 * 86400)) as port:
        patient = patient_at(tmp_path, port, lines_of(material.policy))
        assert one_finding(check_tls, patient).code == "tls.clock"
    assert patient.clock_offset_s == pytest.approx(10 * 86400, abs=30)


@pytest.mark.parametrize(("valid", "code"), [((-20, -1), "tls.expired"), ((1, 20), "tls.not-yet")])
@pytest.mark.parametrize("days", [None, 0, 400, -400])
def test_dates(tmp_path, valid, code, days):
    """Without a date, with ours, or one that does not help either, it is the certificate."""
    greeting = b"220 here\r\n" if days is None else greeting_at(time.time() + days * 86400)
    chain = Chain("dates", names=LOCAL, valid=valid)
    finding = only(examine(tmp_path, chain, greeting=greeting))
    assert (finding.code, finding.severity) == (code, FAULT)
    assert "clock" in finding.fix + finding.meaning


@pytest.mark.parametrize(
    ("valid", "code"),
    [
        ((-80, 10), "tls.expiring"),
        ((-80, 15), "tls.secured"),
        ((-5, 1), "tls.expiring"),
        ((-2, 4), "tls.secured"),
    ],
)
def test_expiring(tmp_path, valid, code):
    """It is told in time, and not of one that is made for a few days."""
    finding = only(examine(tmp_path, Chain("old", names=LOCAL, valid=valid)))
    assert finding.code == code
    assert finding.severity == (WARNING if code == "tls.expiring" else NOTE)


def test_a_fingerprint_does_not_expire(tmp_path):
    """Where dates do not decide, they are not told of."""
    chain = Chain("old", names=LOCAL, valid=(-80, 3), fingerprint="sha256")
    assert only(examine(tmp_path, chain)).code == "tls.secured"


# -- files and settings ------------------------------------------------------------------------


def unusable(folder, **changes):
    """Return the finding for a policy that cannot be carried out; nobody is connected to."""
    lines = lines_of(changes)
    finding = one_finding(check_tls, patient_at(folder, closed_port(), lines))
    assert finding.severity == FAULT
    assert finding.fix
    return finding


def test_trust_file(tmp_path):
    """Missing, empty or no PEM: each is told with its path."""
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "words").write_bytes(b"no certificate here")
    for name in ("missing", "empty", "words"):
        finding = unusable(tmp_path, trust_file=tmp_path / name)
        assert finding.code == "tls.trust-file"
        assert str(tmp_path / name) in finding.problem


def test_crl_file(tmp_path):
    """The list is of the same kind."""
    (tmp_path / "ca").write_bytes(pem(authority("root")))
    finding = unusable(tmp_path, trust_file=tmp_path / "ca", crl_file=tmp_path / "missing")
    assert finding.code == "tls.trust-file"


def test_client_certificate(tmp_path):
    """A key that is not the certificate's."""
    certificate, _ = leaf(Chain("one", usage=("client",)))
    _, key = leaf(Chain("other", usage=("client",), key="rsa"))
    (tmp_path / "cert").write_bytes(pem(certificate))
    (tmp_path / "key").write_bytes(key)
    finding = unusable(tmp_path, cert_file=tmp_path / "cert", key_file=tmp_path / "key")
    assert finding.code == "tls.client-certificate"


def test_two_things_that_are_wrong(tmp_path):
    """Where leaving one thing out does not help, the trust store is named first."""
    finding = unusable(
        tmp_path, trust_file=tmp_path / "missing", priorities="NONE:+VERS-TLS1.3:+NOTHING"
    )
    assert finding.code in ("tls.trust-file", "tls.priorities")


def test_priorities(tmp_path):
    """A string that nobody can follow."""
    finding = unusable(tmp_path, priorities="NONE:+NONSENSE")
    assert finding.code == "tls.priorities"


def test_a_malformed_fingerprint(tmp_path):
    """It is told before anybody is connected to."""
    patient = patient_at(tmp_path, closed_port(), lines_of({}))
    patient.account.tls_fingerprint = "AB:CD"
    finding = one_finding(check_tls, patient)
    assert finding.code == "tls.fingerprint"


def test_too_narrow_priorities(tmp_path):
    """The server is modern, and the account allows only what is old: its line is the fix."""
    chain = Chain(
        "modern",
        names=LOCAL,
        versions=(ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3),
        policy={"priorities": "NORMAL:-VERS-ALL:+VERS-TLS1.2"},
    )
    finding = only(examine(tmp_path, chain))
    assert (finding.code, finding.severity) == ("tls.version", FAULT)
    assert "take tls_priorities out" in finding.fix
    assert "msmtprc:" in finding.fix


def test_cipher(tmp_path):
    """Nothing in common under TLS 1.2."""
    material = make(
        Chain("old", names=LOCAL, versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)),
        tmp_path,
    )
    material.server.set_ciphers("ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0")
    with served(material) as port:
        finding = one_finding(check_tls, patient_at(tmp_path, port, lines_of(material.policy)))
    assert (finding.code, finding.severity) == ("tls.cipher", FAULT)


# -- unchecked ---------------------------------------------------------------------------------


@pytest.mark.parametrize("issuer", ["root", "stranger"])
def test_unchecked(tmp_path, issuer):
    """Where the check would pass it is turned on; else there is a fingerprint to ask for."""
    chain = Chain("unchecked", names=LOCAL, issuer=issuer, policy={"check_certificate": False})
    finding = only(examine(tmp_path, chain))
    assert (finding.code, finding.severity) == ("tls.unchecked", WARNING)
    assert "tls_certcheck on" in finding.fix
    assert ("tls_fingerprint " in finding.fix) == (issuer == "stranger")


# -- STARTTLS and broken handshakes ------------------------------------------------------------


@pytest.mark.parametrize("is_open", [True, False])
def test_no_starttls(tmp_path, monkeypatch, is_open):
    """It is not offered: another port that is open takes its place, or somebody strips it."""
    material = make(Chain("ours", names=LOCAL), tmp_path)
    with served(material) as other, Speaker(smtp(offers=(b"SIZE",))) as server:
        ports = (other,) if is_open else ()
        monkeypatch.setattr(connect_failed, "SUBMISSION_PORTS", ports)
        lines = lines_of(material.policy, starttls=True)
        finding = one_finding(check_tls, patient_at(tmp_path, server.port, lines))
    assert (finding.code, finding.severity) == ("tls.no-starttls", FAULT)
    assert (f"port {other}" in finding.fix) == is_open


def test_starttls_refused(tmp_path):
    """It is offered, and refused when asked for."""
    material = make(Chain("ours", names=LOCAL), tmp_path)

    def talk(connection):
        for words in (b"220 here\r\n", b"250-here\r\n250 STARTTLS\r\n", b"454 not now\r\n"):
            connection.sendall(words)
            connection.recv(4096)

    with Speaker(talk) as server:
        lines = lines_of(material.policy, starttls=True)
        finding = one_finding(check_tls, patient_at(tmp_path, server.port, lines))
    assert (finding.code, finding.severity) == ("tls.no-starttls", FAULT)
    assert finding.evidence == ("454 not now",)


ABORTED = [
    (answers(b"", mark=b"\x16\x03"), LONG_S),
    (says(b""), 0.3),
    (says(b"220 plain\r\n"), LONG_S),
    (says(b"\x15\x03\x01\x00\x02\x02\x50"), LONG_S),
]


@pytest.mark.parametrize(("talk", "patience_s"), ABORTED)
def test_aborted(tmp_path, talk, patience_s):
    """Hanging up, silence, plain text or an alert in the middle of a handshake."""
    with Speaker(talk) as server:
        patient = patient_at(tmp_path, server.port, lines_of({}), patience_s=patience_s)
        finding = one_finding(check_tls, patient)
    assert (finding.code, finding.severity) == ("tls.aborted", FAULT)
    assert finding.fix


@pytest.mark.parametrize("starttls", [False, True])
def test_an_old_server_that_hangs_up(tmp_path, starttls):
    """It sends no alert: what it speaks is found out by offering it everything."""
    chain = Chain("old", names=LOCAL, versions=(ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1))
    material = make(chain, tmp_path)
    looked = []

    def talk(connection):
        if starttls:
            for words in (b"220 here\r\n", b"250-here\r\n250 STARTTLS\r\n", b"220 go on\r\n"):
                connection.sendall(words)
                if words[:3] != b"220" or b"here" in words:
                    connection.recv(4096)
        looked.append(True)
        if len(looked) == 1:
            connection.recv(4096)
            return
        with material.server.wrap_socket(connection, server_side=True) as secured:
            secured.sendall(b"220 here\r\n")
            secured.recv(4096)

    with Speaker(talk) as server:
        lines = lines_of(material.policy, starttls=starttls)
        finding = one_finding(check_tls, patient_at(tmp_path, server.port, lines))
    assert (finding.code, finding.severity) == ("tls.version", FAULT)
    assert finding.evidence[-1].startswith("TLSv1.1 ")


def test_a_server_that_is_gone_meanwhile(tmp_path):
    """It was there a moment ago."""
    finding = one_finding(check_tls, patient_at(tmp_path, closed_port(), lines_of({})))
    assert finding.code == "tls.aborted"


# -- no TLS ------------------------------------------------------------------------------------

OFF = "tls off\n"


def off(folder, *, auth="on", lines="", host="localhost", offers=(b"AUTH PLAIN LOGIN",)):
    """Return what is found where TLS is off."""
    with Speaker(smtp(offers=offers)) as server:
        patient = patient_at(folder, server.port, f"{OFF}auth {auth}\n{lines}", host=host)
        return findings_of(check_tls, patient), server


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("auth", ["on", "off"])
def test_off_to_this_machine(tmp_path, host, auth):
    """Nobody is on the way; nobody is even asked."""
    found, server = off(tmp_path, host=host, auth=auth)
    assert found == []
    assert server.connections == 0


# An address of this machine that does not look like one, so that it counts as far away.
AFAR = "::ffff:127.0.0.1"

OFF_CASES = [
    ("on", "", (b"AUTH PLAIN LOGIN",), FAULT, "set: tls on"),
    ("on", "", (b"STARTTLS",), FAULT, "set these lines:\ntls on\ntls_starttls on"),
    ("plain", "", (b"AUTH PLAIN CRAM-MD5",), FAULT, "set: tls on"),
    (
        "on",
        "",
        (b"AUTH PLAIN CRAM-MD5", b"STARTTLS"),
        WARNING,
        "set these lines:\ntls on\ntls_starttls on",
    ),
    ("cram-md5", "", (b"AUTH PLAIN CRAM-MD5",), WARNING, "set: tls on"),
    ("on", "allow_plaintext_auth on\n", (b"AUTH PLAIN",), WARNING, "set: tls on"),
]


@pytest.mark.parametrize(("auth", "lines", "offers", "severity", "fix"), OFF_CASES)
def test_off_with_a_login(tmp_path, auth, lines, offers, severity, fix):
    """It is a fault where the password may not be sent, and else a warning; TLS is the fix."""
    found, _ = off(tmp_path, auth=auth, lines=lines, offers=offers, host=AFAR)
    finding = only(found)
    assert (finding.code, finding.severity) == ("tls.off", severity)
    assert finding.fix.endswith(fix)


def test_off_at_a_server_that_does_not_talk(tmp_path):
    """What it would take is not known: whether the login fails is for the login to say."""
    with Speaker(hangs_up(b"421 later\r\n")) as server:
        patient = patient_at(tmp_path, server.port, f"{OFF}auth on\n", host=AFAR)
        finding = one_finding(check_tls, patient)
    assert (finding.code, finding.severity) == ("tls.off", WARNING)


def test_off_with_another_port_open(tmp_path, monkeypatch):
    """Where STARTTLS is not offered, a port that is open goes before a guess."""
    material = make(Chain("ours"), tmp_path)
    with served(material) as other:
        monkeypatch.setattr(connect_failed, "SUBMISSION_PORTS", (other,))
        found, _ = off(tmp_path, host=AFAR)
    assert f"port {other}\ntls on" in only(found).fix


def test_off_without_a_login(tmp_path):
    """A relay in the company needs no password: that others can read is only good to know."""
    found, _ = off(tmp_path, auth="off", host=AFAR)
    assert (only(found).code, only(found).severity) == ("tls.off", NOTE)


def test_off_at_a_socket(tmp_path):
    """A unix socket is nobody's way."""
    patient = patient_of(tmp_path, socket=tmp_path / "s", lines=f"{OFF}auth on\n")
    assert findings_of(check_tls, patient) == []
