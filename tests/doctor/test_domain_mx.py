"""The domain's MX: whether the sender can be answered."""

import pytest

from domain_zone import (
    ALIYUN,
    AT_ALIYUN,
    AT_MICROSOFT,
    BEHIND_A_RELAY,
    at_microsoft,
    behind_a_relay,
    changed,
    codes_of,
    patient_of,
)
from pillarbox.doctor.checks import CHECKS
from pillarbox.doctor.domain_mx import CODES, check_mx
from pillarbox.doctor.examination import examine
from pillarbox.doctor.finding import FAULT, NOTE, WARNING
from pillarbox.text import localize

SERVER = {("mail.example.com", "A"): ("198.51.100.7",)}

HEALTHY = [
    pytest.param(patient_of, AT_ALIYUN, id="Aliyun"),
    pytest.param(at_microsoft, AT_MICROSOFT, id="Microsoft 365"),
    pytest.param(behind_a_relay, BEHIND_A_RELAY, id="own relay"),
]


@pytest.mark.parametrize(("made", "rows"), HEALTHY)
def test_healthy_domain_has_no_finding(made, rows):
    """The MX is where the mailbox is, and has addresses."""
    assert codes_of(check_mx, made(rows)) == []


BROKEN = [
    # who, what is there, code, severity, words of the fix
    pytest.param(
        patient_of, changed(AT_ALIYUN, MX=None), "mx.none", WARNING, "qiye.aliyun.com", id="none"
    ),
    pytest.param(patient_of, {}, "mx.domain", FAULT, "renew it", id="no such domain"),
    pytest.param(behind_a_relay, {}, "mx.domain", FAULT, "renew it", id="no such domain, relay"),
    pytest.param(
        patient_of,
        changed(AT_ALIYUN, MX=((0, ""),)),
        "mx.null",
        WARNING,
        "qiye.aliyun.com",
        id="null",
    ),
    pytest.param(
        patient_of,
        {**changed(AT_ALIYUN, MX=((5, "mail.example.com"),)), **SERVER},
        "mx.elsewhere",
        WARNING,
        "remove every other",
        id="own server",
    ),
    pytest.param(
        at_microsoft,
        {**changed(AT_MICROSOFT, MX=((5, "mx1.qiye.aliyun.com"),)), **ALIYUN},
        "mx.elsewhere",
        WARNING,
        "mail.protection.outlook.com",
        id="another provider",
    ),
    pytest.param(
        patient_of,
        {**changed(AT_ALIYUN, MX=((5, "mx1.qiye.aliyun.com"), (9, "mail.example.com"))), **SERVER},
        "mx.mixed",
        WARNING,
        "remove the MX record mail.example.com",
        id="one elsewhere",
    ),
    pytest.param(
        behind_a_relay,
        {
            **changed(BEHIND_A_RELAY, MX=((5, "mx.example.com"),)),
            ("mx.example.com", "CNAME"): ("relay.example.com",),
        },
        "mx.cname",
        WARNING,
        "let the MX record name relay.example.com",
        id="alias",
    ),
    pytest.param(
        patient_of,
        changed(AT_ALIYUN, MX=((5, "mx9.qiye.aliyun.com"),)),
        "mx.dead",
        WARNING,
        "correct the name mx9.qiye.aliyun.com",
        id="misspelt",
    ),
    pytest.param(
        behind_a_relay,
        changed(BEHIND_A_RELAY, MX=((5, "198.51.100.25"),)),
        "mx.dead",
        WARNING,
        "give 198.51.100.25 a name",
        id="an address for a name",
    ),
    pytest.param(
        patient_of, {("example.com", "MX"): None}, "mx.failed", WARNING, "DNSSEC", id="failing"
    ),
    pytest.param(
        behind_a_relay, changed(BEHIND_A_RELAY, MX=None), "mx.none", WARNING, "set an MX", id="none"
    ),
]


@pytest.mark.parametrize(("made", "rows", "code", "severity", "fix"), BROKEN)
def test_broken_domain_has_one_finding_with_its_fix(made, rows, code, severity, fix):
    """In both languages, with what was seen."""
    (finding,) = check_mx(made(rows))
    assert (finding.code, finding.severity) == (code, severity)
    assert fix in finding.fix
    assert finding.evidence
    assert finding.code in CODES
    for text in (finding.problem, finding.meaning, finding.fix):
        assert localize(text, "zh") != text


@pytest.mark.parametrize(
    ("rows", "because"), [({}, "mx"), (changed(AT_ALIYUN, MX=None), "")], ids=["none", "no MX"]
)
def test_of_a_domain_that_is_not_there_nothing_else_is_said(rows, because):
    """It has no SPF, no DKIM and no DMARC record either, which is no news."""
    checks = [
        check for check in CHECKS if check.run.__module__.startswith("pillarbox.doctor.domain")
    ]
    results = examine(patient_of(rows), checks).results
    assert [result.check.name for result in results] == ["mx", "spf", "dkim", "dmarc", "transport"]
    assert {result.because for result in results[1:]} == {because}


def test_alias_of_the_providers_host_is_not_elsewhere():
    """Mail does arrive there."""
    rows = {
        **changed(AT_ALIYUN, MX=((5, "mx.example.com"),)),
        ("mx.example.com", "CNAME"): ("mx1.qiye.aliyun.com",),
    }
    assert codes_of(check_mx, patient_of(rows)) == [("mx.cname", WARNING)]
    rows["mx.example.com", "CNAME"] = ("mail.example.com",)
    found = codes_of(check_mx, patient_of({**rows, **SERVER}))
    assert found == [("mx.cname", WARNING), ("mx.elsewhere", WARNING)]


def test_how_the_provider_names_its_hosts_is_its_business():
    """An alias of the provider's own is not the domain's to mend."""
    rows = {**AT_ALIYUN, ("mx1.qiye.aliyun.com", "CNAME"): ("mx2.qiye.aliyun.com",)}
    assert codes_of(check_mx, patient_of(rows)) == []


def test_nameserver_of_an_mx_that_fails_is_named():
    """It is not the domain's own; what is asked behind it would not be answered either."""
    rows = {**BEHIND_A_RELAY, ("relay.example.net", "A"): None}
    rows["example.com", "MX"] = ((5, "relay.example.net"), (9, "b.example.net"))
    patient = behind_a_relay(rows)
    (finding,) = check_mx(patient)
    assert (finding.code, finding.severity) == ("mx.failed", WARNING)
    assert "relay.example.net" in finding.problem
    assert ("b.example.net", "A") not in patient.ask.asked


def test_host_whose_nameserver_fails_may_be_elsewhere_all_the_same():
    """Its name tells; an address for a name is nowhere."""
    rows = changed(AT_ALIYUN, MX=((5, "mx.example.net"), (9, "mx1.qiye.aliyun.com")))
    rows["mx.example.net", "A"] = None
    found = codes_of(check_mx, patient_of(rows))
    assert found == [("mx.failed", WARNING), ("mx.mixed", WARNING)]
    rows = changed(AT_ALIYUN, MX=((5, "198.51.100.25"),))
    assert codes_of(check_mx, patient_of(rows)) == [("mx.dead", WARNING)]


def test_misspelt_host_of_the_provider_is_not_elsewhere():
    """Nothing arrives at a host that is not there."""
    (finding,) = check_mx(patient_of(changed(AT_ALIYUN, MX=((5, "mx1.qiye.aliyum.com"),))))
    assert finding.code == "mx.dead"
    assert "end in qiye.aliyun.com" in finding.fix


def test_domain_without_mx_but_with_a_host_receives_there():
    """RFC 5321 5.1: no fault of one who sends by a service that has no mailboxes."""
    rows = {**changed(BEHIND_A_RELAY, MX=None), ("example.com", "A"): ("198.51.100.1",)}
    assert codes_of(check_mx, behind_a_relay(rows)) == [("mx.none", NOTE)]


def test_service_that_only_sends_needs_no_mx():
    """Its customers receive wherever they like, at the host itself too."""
    rows = {**changed(BEHIND_A_RELAY, MX=None), ("example.com", "A"): ("198.51.100.1",)}
    patient = patient_of(rows, host="smtp.sendgrid.net", port=587)
    assert codes_of(check_mx, patient) == [("mx.none", NOTE)]


def test_mx_may_have_an_ipv6_address_only():
    """It has an address."""
    rows = {**BEHIND_A_RELAY, ("relay.example.com", "AAAA"): ("2001:db8::25",)}
    del rows["relay.example.com", "A"]
    assert codes_of(check_mx, behind_a_relay(rows)) == []


def test_filter_in_front_of_the_mailboxes_is_no_fault():
    """An MX at a service that filters hands on to the provider."""
    rows = {
        **changed(AT_MICROSOFT, MX=((5, "mx0.example.pphosted.com"),)),
        ("mx0.example.pphosted.com", "A"): ("198.51.100.2",),
    }
    assert codes_of(check_mx, at_microsoft(rows)) == [("mx.elsewhere", NOTE)]


def test_region_of_a_provider_is_the_provider():
    """Zoho's European MX ends otherwise than the one in the presets."""
    rows = {
        **changed(AT_ALIYUN, MX=((10, "mx.zoho.eu"),)),
        ("mx.zoho.eu", "A"): ("198.51.100.3",),
    }
    assert codes_of(check_mx, patient_of(rows, host="smtp.zoho.com")) == []


PRIVATE = [
    ("root@localhost", "smtp.qiye.aliyun.com", WARNING),
    ("root", "smtp.qiye.aliyun.com", WARNING),
    ("root@web01.lan", "relay.example.com", WARNING),
    ("root@web01.invalid", "smtp.qiye.aliyun.com", WARNING),
    ("root@[192.0.2.1]", "smtp.qiye.aliyun.com", WARNING),
    ("root@web01.local", "127.0.0.1", NOTE),
    ("root@web01.local", "", NOTE),
]


@pytest.mark.parametrize(("sender", "host", "severity"), PRIVATE)
def test_domain_that_nobody_else_knows_is_told_once(sender, host, severity):
    """It is not asked for; a program on this machine may rewrite the sender."""
    patient = patient_of({}, sender=sender, host=host)
    (finding,) = check_mx(patient)
    assert (finding.code, finding.severity) == ("mx.private", severity)
    assert "'from'" in finding.fix


@pytest.mark.parametrize("sender", ["me@qq.com", "me@gmail.com", "me@OUTLOOK.com"])
def test_domain_of_a_provider_is_the_providers_business(sender):
    """What QQ publishes for its addresses no user of it can change: nobody is asked."""
    patient = patient_of({}, sender=sender, host="smtp.qq.com")
    assert list(check_mx(patient)) == []


def test_all_codes_are_yielded_in_these_tests():
    """None stands in the reference that no domain can have."""
    tested = {param.values[2] for param in BROKEN} | {"mx.private"}
    assert tested == set(CODES)


def test_mx_of_any_octets_cannot_write_to_the_terminal():
    """Attack: an MX label with an escape sequence stands nowhere as it is."""
    rows = changed(AT_ALIYUN, MX=((5, "\x1b[2j.example"),))
    for finding in check_mx(patient_of(rows)):
        shown = " ".join((finding.problem, finding.meaning, finding.fix, *finding.evidence))
        assert "\x1b" not in shown


def test_hostile_domain_with_many_mx_is_asked_about_few():
    """Attack: a hundred MX are not three hundred questions."""
    rows = changed(AT_ALIYUN, MX=tuple((n, f"h{n}.example") for n in range(100)))
    patient = patient_of(rows, host="relay.example.com")
    list(check_mx(patient))
    assert len(patient.ask.asked) < 40
