"""The extensions: what the server offers, and what of it this sender cannot do without."""

from __future__ import annotations

import ssl

import pytest
import trustme

from patients import findings_of, patient_of
from peer import Puppet
from pillarbox.doctor.extensions import CODES, check_extensions
from pillarbox.doctor.finding import FAULT, NOTE, WARNING
from pillarbox.doctor.login import check_login
from pillarbox.intake.provider import EmbeddedProvider, ProviderOptions

AUTH = "AUTH PLAIN"


@pytest.fixture(name="examine")
def _examine(tmp_path):
    """Return a function that gives what is found, by code, where a server offers some words."""

    def examine(*words, **options):
        lines = "\r\n".join(f"250-{word}" for word in words[:-1])
        last = f"250 {words[-1]}" if words else "250 x"
        reply = f"250-puppet\r\n{lines}\r\n{last}" if lines else f"250-puppet\r\n{last}"
        with Puppet({"EHLO": reply}, path=tmp_path / "server") as puppet:
            patient = patient_of(tmp_path, socket=tmp_path / "server", **options)
            try:
                assert findings_of(check_login, patient) == []
                count = len(puppet.commands)
                found = findings_of(check_extensions, patient)
                assert len(puppet.commands) == count  # all was said before
            finally:
                patient.close()
        (tmp_path / "server").unlink()
        assert {finding.code for finding in found} <= set(CODES)
        return {finding.code: finding for finding in found}

    return examine


def test_says_in_one_line_what_is_offered_and_what_is_not(examine):
    """A note; the list of the server's is the evidence."""
    found = examine("SIZE 73400320", "8BITMIME", "PIPELINING", "X-OWN a b", AUTH)
    assert list(found) == ["extensions.offered"]
    finding = found["extensions.offered"]
    assert finding.severity == NOTE
    assert finding.problem == (
        "127.0.0.1 offers SIZE 73400320, 8BITMIME, PIPELINING; it does not offer SMTPUTF8,"
        " CHUNKING, DSN"
    )
    assert finding.evidence == ("SIZE 73400320, 8BITMIME, PIPELINING, X-OWN a b, AUTH PLAIN",)


def test_says_that_everything_is_there(examine):
    """A dash stands where a list is empty."""
    words = ("8BITMIME", "SMTPUTF8", "PIPELINING", "CHUNKING", "DSN")
    assert examine(*words, AUTH)["extensions.offered"].problem.endswith("it does not offer -")
    assert "offers -;" in examine(AUTH)["extensions.offered"].problem


@pytest.mark.parametrize(
    ("size", "severity"), [("1048575", WARNING), ("1048576", None), ("0", None), ("", None)]
)
def test_a_small_limit_is_a_warning(examine, size, severity):
    """A mail of a megabyte should go; 0 and nothing are no limit (RFC 1870)."""
    found = examine(f"SIZE {size}".strip(), AUTH)
    if severity is None:
        assert list(found) == ["extensions.offered"]
        return
    finding = found["extensions.size"]
    assert finding.severity == severity
    assert size in finding.problem
    assert finding.fix


def test_a_limit_below_the_provider_s_is_a_note(examine):
    """QQ is known for 73400320 octets."""
    host = "smtp.qq.com"
    assert examine("SIZE 73400320", AUTH, host=host).keys() == {"extensions.offered"}
    finding = examine("SIZE 20000000", AUTH, host=host)["extensions.limit"]
    assert finding.severity == NOTE
    assert "20000000" in finding.problem
    assert "73400320" in finding.problem


def test_a_sender_outside_ascii_needs_smtputf8(examine):
    """Without it no mail goes; a domain outside ASCII has a form that needs nothing."""
    sender = "张三@example.org"
    finding = examine(AUTH, sender=sender)["extensions.smtputf8"]
    assert finding.severity == FAULT
    assert sender in finding.problem
    assert "msmtprc:5" in finding.fix
    assert "extensions.smtputf8" not in examine("SMTPUTF8", AUTH, sender=sender)
    assert "extensions.smtputf8" not in examine(AUTH, sender="me@例子.org")


def test_a_server_without_any_extension_is_a_note(tmp_path):
    """EHLO was refused, HELO taken."""
    replies = {"EHLO": "502 what", "HELO": "250 oh"}
    with Puppet(replies) as puppet:
        patient = patient_of(tmp_path, port=puppet.port, lines="auth off\n", password=None)
        assert findings_of(check_login, patient) == []
        (finding,) = findings_of(check_extensions, patient)
        patient.close()
    assert (finding.code, finding.severity) == ("extensions.none", NOTE)


class SecuredPuppet(Puppet):
    """A puppet behind TLS."""

    def __init__(self, replies, folder):
        super().__init__(replies)
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self._listener = context.wrap_socket(self._listener, server_side=True)


@pytest.mark.parametrize(
    ("offer", "codes"),
    [
        ("AUTH PLAIN", ["extensions.offered"]),
        ("STARTTLS\r\n250 AUTH PLAIN", ["extensions.offered", "extensions.starttls"]),
    ],
)
def test_starttls_inside_of_tls_is_a_note(tmp_path, offer, codes):
    """It does no harm, for nobody takes it up."""
    offer = f"250-{offer}" if "\r" in offer else f"250 {offer}"
    with SecuredPuppet({"EHLO": f"250-x\r\n{offer}"}, tmp_path) as puppet:
        lines = f"auth on\ntls on\ntls_starttls off\ntls_trust_file {puppet.ca_file}\n"
        patient = patient_of(tmp_path, port=puppet.port, lines=lines)
        try:
            assert findings_of(check_login, patient) == []
            found = findings_of(check_extensions, patient)
        finally:
            patient.close()
    assert [finding.code for finding in found] == codes
    assert {finding.severity for finding in found} == {NOTE}


def test_starttls_without_tls_is_no_note(examine):
    """Whether it should have been taken up is for the check of TLS."""
    assert list(examine("STARTTLS", AUTH)) == ["extensions.offered"]


def test_a_healthy_provider_gives_notes_only(tmp_path):
    """The embedded one, which offers what Aliyun does."""
    options = ProviderOptions(password="correct horse")
    with EmbeddedProvider(options, ca_file=str(tmp_path / "ca.pem")) as provider:
        lines = f"auth on\ntls on\ntls_starttls off\ntls_trust_file {provider.ca_file}\n"
        patient = patient_of(tmp_path, port=provider.port, user=options.user, lines=lines)
        assert findings_of(check_login, patient) == []
        (finding,) = findings_of(check_extensions, patient)
        patient.close()
    assert finding.severity == NOTE
    assert "8BITMIME, PIPELINING, DSN" in finding.problem


def test_nothing_is_found_without_a_connection(tmp_path):
    """Where no login was made."""
    assert findings_of(check_extensions, patient_of(tmp_path, port=9)) == []


def test_attack_keywords_are_safe_to_show(examine):
    """A server's list may be long, and hold anything."""
    found = examine("X-\x1b[2J", f"XLONG {'a' * 500}", AUTH)
    (evidence,) = found["extensions.offered"].evidence
    assert "\x1b" not in evidence
    assert len(evidence) <= 303
