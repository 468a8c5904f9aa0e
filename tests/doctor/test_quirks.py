"""The quirks: what is known of the provider, held against the account, without a question."""

from __future__ import annotations

import pytest

from patients import findings_of, patient_of
from pillarbox.config.providers import load_providers, provider_of_host
from pillarbox.doctor.finding import FAULT, NOTE, WARNING
from pillarbox.doctor.quirks import CODES, check_quirks
from pillarbox.text import localize

TLS = "auth on\ntls on\ntls_starttls off\n"
STARTTLS = "auth on\ntls on\ntls_starttls on\n"
ALIYUN = "smtp.qiye.aliyun.com"
LOGIN = "auth login\ntls on\ntls_starttls off\n"


def examine(folder, host, port, lines=TLS, **options):
    """Return what is found, by code."""
    found = findings_of(
        check_quirks, patient_of(folder, host=host, port=port, lines=lines, **options)
    )
    codes = [finding.code for finding in found]
    assert set(codes) <= set(CODES)
    assert len(set(codes)) == len(codes)
    return {finding.code: finding for finding in found}


@pytest.mark.parametrize("provider", load_providers(), ids=lambda provider: provider.id)
def test_the_preferred_way_to_each_provider_is_well(tmp_path, provider):
    """Nothing but notes; which password is wanted is always among them."""
    way = provider.preferred
    lines = STARTTLS if way.tls == "starttls" else TLS
    token = (
        "XOAUTH2" in provider.auth and "PLAIN" not in provider.auth and "LOGIN" not in provider.auth
    )
    lines = lines.replace("auth on", "auth xoauth2") if token else lines
    patient = patient_of(tmp_path, host=way.host, port=way.port, lines=lines)
    patient.provider = provider
    found = {finding.code: finding for finding in findings_of(check_quirks, patient)}
    assert {finding.severity for finding in found.values()} == {NOTE}
    assert not set(found) & {"quirks.host", "quirks.port", "quirks.unencrypted", "quirks.auth"}
    for language in ("en", "zh"):
        secret = localize(found["quirks.secret"].problem, language)
        assert provider.name(language) in secret
        assert secret.endswith(provider.secret_label(language))
    assert ("quirks.limits" in found) == bool(provider.limits)


@pytest.mark.parametrize(("host", "port", "lines"), [
    ("mail.example.com", 465, TLS),
    ("127.0.0.1", 25, "auth plain\ntls off\n"),
])  # fmt: skip
def test_nothing_is_known_of_a_relay_of_one_s_own(tmp_path, host, port, lines):
    """Nor of a program that listens where Proton's Bridge would."""
    assert examine(tmp_path, host, port, lines) == {}
    patient = patient_of(tmp_path, host=host, port=port, lines=lines)
    patient.provider = provider_of_host(host)
    assert findings_of(check_quirks, patient) == []


def test_no_password_is_spoken_of_where_none_is_wanted(tmp_path):
    """``auth off`` at a provider is for the check of the login."""
    found = examine(tmp_path, ALIYUN, 465, "auth off\ntls on\ntls_starttls off\n")
    assert found == {}


# -- the way there -----------------------------------------------------------------------------


@pytest.mark.parametrize("port", [25, 80])
def test_mail_in_the_clear_is_a_warning(tmp_path, port):
    """Aliyun's pages name both ports; the preferred way is the fix."""
    lines = "auth plain\ntls off\nallow_plaintext_auth on\n"
    found = examine(tmp_path, ALIYUN, port, lines)
    assert not {"quirks.port", "quirks.host"} & set(found)  # the fix names both
    finding = found["quirks.unencrypted"]
    assert finding.severity == WARNING
    assert finding.fix.endswith(
        f"set these lines:\nhost {ALIYUN}\nport 465\ntls on\ntls_starttls off"
    )


def test_an_older_name_is_a_note(tmp_path):
    """The remark of the preset is the evidence."""
    finding = examine(tmp_path, "smtp.mxhichina.com", 465)["quirks.host"]
    assert finding.severity == NOTE
    assert f"host {ALIYUN}\nport 465\n" in finding.fix
    assert finding.evidence[0].startswith("Older name")


@pytest.mark.parametrize(("host", "port", "lines", "words"), [
    ("smtp.qq.com", 587, STARTTLS, "port 465"),
    ("smtp.office365.com", 25, STARTTLS, "port 587"),
    ("smtp.qq.com", 2525, STARTTLS, "port 465"),
])  # fmt: skip
def test_another_port_is_a_note(tmp_path, host, port, lines, words):
    """It may work; if it does not, there is a better one."""
    finding = examine(tmp_path, host, port, lines)["quirks.port"]
    assert finding.severity == NOTE
    assert words in finding.fix
    assert ("block" in finding.meaning) is True


def test_a_region_s_host_is_its_own(tmp_path):
    """The preferred one is of another region: its port counts, and not its name."""
    host = "email-smtp.eu-west-1.amazonaws.com"
    found = examine(tmp_path, host, 587, STARTTLS)
    assert "quirks.host" not in found
    found = examine(tmp_path, host, 2465)
    assert "quirks.host" not in found


def test_a_pattern_is_no_host(tmp_path):
    """Somebody took the preset's word for a name."""
    patient = patient_of(tmp_path, host="email-smtp.{region}.amazonaws.com", port=465, lines=TLS)
    (finding,) = findings_of(check_quirks, patient)
    assert (finding.code, finding.severity) == ("quirks.region", FAULT)
    assert "email-smtp.us-east-1.amazonaws.com" in finding.fix


def test_what_nobody_confirms_is_said_to_be_so(tmp_path):
    """Of Tencent's relay host and port are general knowledge."""
    finding = examine(tmp_path, "smtp.qcloudmail.com", 587, STARTTLS)["quirks.port"]
    assert "general knowledge" in finding.meaning
    found = examine(tmp_path, "smtp.qq.com", 587, STARTTLS)
    assert "general knowledge" not in found["quirks.port"].meaning
    assert "general knowledge" not in found["quirks.secret"].meaning  # some of it is: S/G
    found = examine(tmp_path, "smtp.gmail.com", 465)
    assert "general knowledge" in found["quirks.secret"].meaning


# -- the login ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("host", "port", "lines", "severity", "words"), [
    ("smtp-mail.outlook.com", 587, STARTTLS, WARNING, "auth xoauth2"),
    ("smtp.office365.com", 587, STARTTLS.replace("auth on", "auth plain"), WARNING, "auth on"),
    (ALIYUN, 465, TLS.replace("auth on", "auth cram-md5"), WARNING, "auth on"),
    (ALIYUN, 465, LOGIN, NOTE, "auth on"),
    ("smtp.163.com", 465, LOGIN, NOTE, "auth on"),
    ("smtpdm.aliyun.com", 465, LOGIN, NOTE, "auth on"),
])  # fmt: skip
def test_a_mechanism_that_does_not_fit(tmp_path, host, port, lines, severity, words):
    """A token where a password is, one that is not offered, one that breaks other programs."""
    finding = examine(tmp_path, host, port, lines)["quirks.auth"]
    assert finding.severity == severity
    assert words in finding.fix


@pytest.mark.parametrize(("host", "lines"), [
    ("smtp.qq.com", LOGIN),
    (ALIYUN, TLS.replace("auth on", "auth plain")),
    (ALIYUN, TLS.replace("auth on", "auth xoauth2")),
])  # fmt: skip
def test_a_mechanism_that_fits(tmp_path, host, lines):
    """Named, or chosen, and offered there."""
    assert "quirks.auth" not in examine(tmp_path, host, 465, lines)


# -- the sender --------------------------------------------------------------------------------


@pytest.mark.parametrize(("host", "user", "sender", "words"), [
    (ALIYUN, "me@example.com", "you@example.com", "write from me@example.com"),
    ("smtp.mail.me.com", "me@icloud.com", "me@example.com", "write from me@icloud.com"),
    ("smtp.sendgrid.net", "apikey", "me@example.com", "whether me@example.com is verified"),
])  # fmt: skip
def test_a_sender_that_the_provider_looks_at(tmp_path, host, user, sender, words):
    """A note, for whether it is taken is found out by asking."""
    finding = examine(tmp_path, host, 465, user=user, sender=sender)["quirks.sender"]
    assert finding.severity == NOTE
    assert words in finding.fix


@pytest.mark.parametrize(("host", "sender"), [
    (ALIYUN, "Me@Example.com"),
    ("smtp.fastmail.com", "you@example.com"),
])  # fmt: skip
def test_a_sender_that_is_fine(tmp_path, host, sender):
    """The login itself in other letters, or where aliases are taken."""
    found = examine(tmp_path, host, 465, user="me@example.com", sender=sender)
    assert "quirks.sender" not in found


# -- the limits --------------------------------------------------------------------------------


def test_limits_are_named_and_may_be_kept(tmp_path):
    """Gmail's, with the keyword that keeps below them, unless it is there."""
    finding = examine(tmp_path, "smtp.gmail.com", 465)["quirks.limits"]
    assert "500 mails a day, 100 recipients a mail, 35882577 octets a mail" in finding.problem
    assert "max_per_day 500" in finding.fix
    assert "每天" in localize(finding.problem, "zh")
    finding = examine(tmp_path, "smtp.gmail.com", 465, f"{TLS}max_per_day 400\n")["quirks.limits"]
    assert finding.fix == ""
