"""The domain's DMARC policy, and whether our mail stands up to it."""

import pytest

from domain_zone import (
    AT_ALIYUN,
    AT_MICROSOFT,
    BEHIND_A_RELAY,
    at_microsoft,
    behind_a_relay,
    changed,
    codes_of,
    patient_of,
)
from pillarbox.doctor.domain_dmarc import CODES, check_dmarc
from pillarbox.doctor.finding import FAULT, NOTE, WARNING
from pillarbox.text import localize

FIRST = "v=DMARC1; p=none; rua=mailto:postmaster@example.com"
RIGHT = "v=spf1 include:spf.qiye.aliyun.com -all"


@pytest.mark.parametrize(
    ("made", "rows"),
    [
        pytest.param(patient_of, AT_ALIYUN, id="Aliyun"),
        pytest.param(at_microsoft, AT_MICROSOFT, id="Microsoft 365, reject"),
        pytest.param(behind_a_relay, BEHIND_A_RELAY, id="own relay, quarantine"),
    ],
)
def test_healthy_domain_has_no_finding(made, rows):
    """There is one policy, and what it asks the mail does."""
    assert codes_of(check_dmarc, made(rows)) == []


RECORDS = [
    # the records, code, words of the fix
    pytest.param([], "dmarc.none", f"_dmarc.example.com a TXT record with the value {FIRST}"),
    pytest.param(["v=DMARC1; p=none", "v=DMARC1; p=reject"], "dmarc.several", "keep one"),
    pytest.param(["v=DMARC1; p=no; sp=none"], "dmarc.syntax", "none, quarantine or reject"),
    pytest.param(["v=DMARC1; none"], "dmarc.syntax", "name=value"),
    pytest.param(["v=DMARC1; sp=none"], "dmarc.syntax", "p=none"),
    pytest.param(["v=DMARC1 p=reject"], "dmarc.syntax", "replace it by v=DMARC1; p=reject"),
    pytest.param(["v=dmarc1; p=quarantine"], "dmarc.syntax", "by v=DMARC1; p=quarantine"),
    pytest.param(["v=DMARC, p=none; sp=none"], "dmarc.syntax", "by v=DMARC1; p=none; sp=none"),
    pytest.param(['"v=DMARC1; p=none"'], "dmarc.syntax", "replace it by v=DMARC1; p=none"),
    pytest.param(["p=reject"], "dmarc.syntax", "replace it by v=DMARC1; p=reject"),
    pytest.param(["v=DMARC1 p=x"], "dmarc.syntax", FIRST),
    pytest.param(["dmarc"], "dmarc.syntax", FIRST),
    pytest.param(["v=DMARC1; p=none; adkim=x"], "dmarc.tag", "r, s"),
    pytest.param(["v=DMARC1; p=none; rua=me@example.com"], "dmarc.tag", "mailto:"),
    pytest.param(["v=DMARC1; p=none; pct=200"], "dmarc.tag", "0 to 100"),
]


@pytest.mark.parametrize(("texts", "code", "fix"), RECORDS)
def test_broken_record_has_one_finding_with_its_fix(texts, code, fix):
    """In both languages, with what was seen."""
    (finding,) = check_dmarc(patient_of(changed(AT_ALIYUN, DMARC=tuple(texts))))
    assert (finding.code, finding.severity) == (code, WARNING)
    assert fix in finding.fix
    assert finding.evidence
    for text in (finding.problem, finding.meaning, finding.fix):
        assert localize(text, "zh") != text


def test_syntax_is_marked_at_its_place():
    """The mark stands below the fault."""
    (finding,) = check_dmarc(patient_of(changed(AT_ALIYUN, DMARC=("v=DMARC1; p=nine",))))
    assert finding.evidence == ("v=DMARC1; p=nine", "            ^^^^")


def test_record_at_the_domain_itself_is_to_be_moved():
    """It is looked for below _dmarc only."""
    rows = changed(AT_ALIYUN, DMARC=None, TXT=(RIGHT, "v=DMARC1; p=none"))
    (finding,) = check_dmarc(patient_of(rows))
    assert finding.code == "dmarc.none"
    assert finding.fix == "move the DMARC record from example.com to _dmarc.example.com"


BAD_SPF, NO_KEY = ("v=spf1 ip4:198.51.100.1 -all",), None
ALIGNMENT = [
    # SPF records, key, policy, what is found
    pytest.param(BAD_SPF, NO_KEY, "p=reject", [("dmarc.unaligned", FAULT)], id="reject"),
    pytest.param((), NO_KEY, "p=reject", [("dmarc.unaligned", FAULT)], id="reject, no SPF"),
    pytest.param(
        (RIGHT, "v=spf1 a -all"), NO_KEY, "p=reject", [("dmarc.unaligned", FAULT)], id="two SPF"
    ),
    pytest.param(BAD_SPF, NO_KEY, "p=quarantine", [("dmarc.unaligned", WARNING)], id="quarantine"),
    pytest.param(BAD_SPF, NO_KEY, "p=reject; t=y", [("dmarc.unaligned", WARNING)], id="testing"),
    pytest.param(BAD_SPF, NO_KEY, "p=quarantine; t=y", [], id="testing quarantine"),
    pytest.param(BAD_SPF, NO_KEY, "p=reject; pct=0", [("dmarc.unaligned", WARNING)], id="pct=0"),
    pytest.param(BAD_SPF, NO_KEY, "p=none", [], id="none"),
    pytest.param((RIGHT,), NO_KEY, "p=reject", [], id="SPF is enough"),
    pytest.param(BAD_SPF, "good", "p=reject", [], id="DKIM is enough"),
    pytest.param(
        BAD_SPF, "v=DKIM1; p=", "p=reject", [("dmarc.unaligned", FAULT)], id="a revoked key is none"
    ),
]


@pytest.mark.parametrize(("spf", "key", "policy", "expected"), ALIGNMENT)
def test_mail_passes_by_spf_or_by_dkim(spf, key, policy, expected):
    """What neither proves is refused where the domain asks for it."""
    rows = changed(AT_ALIYUN, TXT=spf, DMARC=(f"v=DMARC1; {policy}",))
    if key != "good":
        rows = changed(rows, DKIM=(key,) if key else None)
    assert codes_of(check_dmarc, patient_of(rows)) == expected


@pytest.mark.parametrize(
    ("spf", "record"),
    [
        (BAD_SPF, "v=spf1 ip4:198.51.100.1 include:spf.qiye.aliyun.com -all"),
        ((), RIGHT),
        (("v=spf1 ip4:1.2.3 -all",), RIGHT),
        (("v=spf1 mx -all", "v=spf1 a -all"), "v=spf1 a mx include:spf.qiye.aliyun.com -all"),
    ],
)
def test_fix_of_unproven_mail_is_the_spf_record(spf, record):
    """One record in the DNS, and the mail is proven."""
    rows = changed(AT_ALIYUN, TXT=spf, DMARC=("v=DMARC1; p=reject",), DKIM=None)
    (finding,) = check_dmarc(patient_of(rows))
    assert finding.fix.endswith(record)
    healed = changed(rows, TXT=(record,))
    assert codes_of(check_dmarc, patient_of(healed)) == []


SUBDOMAIN = [
    # the policy above, what is found for a domain below that has no records
    ("p=reject", [("dmarc.unaligned", FAULT)]),
    ("p=reject; sp=none", []),
    ("p=none; sp=quarantine", [("dmarc.unaligned", WARNING)]),
    ("p=none", []),
]


@pytest.mark.parametrize(("policy", "expected"), SUBDOMAIN)
def test_policy_above_counts_for_a_domain_below(policy, expected):
    """``sp`` is for those below; without a record of their own they are not told of none."""
    rows = changed(AT_ALIYUN, DMARC=(f"v=DMARC1; {policy}",), DKIM=None)
    patient = patient_of(rows, sender="no-reply@alerts.example.com")
    assert codes_of(check_dmarc, patient) == expected


@pytest.mark.parametrize(("adkim", "expected"), [("r", []), ("s", [("dmarc.unaligned", FAULT)])])
def test_key_above_counts_unless_the_policy_is_strict(adkim, expected):
    """adkim=s: the domain that signs must be the sender's own."""
    rows = changed(AT_ALIYUN, DMARC=(f"v=DMARC1; p=reject; adkim={adkim}",))
    patient = patient_of(rows, sender="no-reply@alerts.example.com")
    assert codes_of(check_dmarc, patient) == expected


def test_what_nobody_can_see_is_a_note():
    """A relay that may hand the mail on, and a selector that is not known."""
    rows = changed(BEHIND_A_RELAY)
    found = codes_of(check_dmarc, behind_a_relay(rows, addresses=("192.168.1.1",)))
    assert found == [("dmarc.unproven", NOTE)]
    found = codes_of(check_dmarc, behind_a_relay(rows, addresses=("203.0.113.9",)))
    assert found == [("dmarc.unproven", NOTE)]


def test_service_with_an_envelope_of_its_own_needs_its_key():
    """SendGrid's bounces go to SendGrid, so that SPF proves nothing for the sender's domain."""
    rows = changed(BEHIND_A_RELAY, DMARC=("v=DMARC1; p=reject",))
    patient = patient_of(rows, host="smtp.sendgrid.net", port=587)
    (finding,) = check_dmarc(patient)
    assert (finding.code, finding.severity) == ("dmarc.unaligned", WARNING)
    assert "switch DKIM on" in finding.fix


REPORTS = [
    ("mailto:a@example.com", ()),
    ("mailto:a@in.example.com", ()),
    ("mailto:a@elsewhere.example", ("dmarc.reports",)),
    ("mailto:a@dead.example", ()),
    ("mailto:a@agreed.example,mailto:b@agreed.example!10m", ()),
]


@pytest.mark.parametrize(("rua", "codes"), REPORTS)
def test_reports_go_to_who_has_agreed(rua, codes):
    """RFC 7489 7.1: else anybody could have reports sent to a stranger."""
    rows = changed(AT_ALIYUN, DMARC=(f"v=DMARC1; p=none; rua={rua}",))
    rows["example.com._report._dmarc.agreed.example", "TXT"] = ("v=DMARC1",)
    rows["example.com._report._dmarc.dead.example", "TXT"] = None
    found = codes_of(check_dmarc, patient_of(rows))
    assert found == [(code, NOTE) for code in codes]


def test_reports_may_go_to_the_domain_above():
    """A domain and those below it are one organization."""
    rows = changed(AT_ALIYUN)
    rows["_dmarc.alerts.example.com", "TXT"] = ("v=DMARC1; p=none; rua=mailto:a@example.com",)
    patient = patient_of(rows, sender="no-reply@alerts.example.com")
    assert codes_of(check_dmarc, patient) == []


def test_nameserver_that_fails_is_a_warning():
    """The policy may be there, and receivers do not get it either."""
    rows = changed(AT_ALIYUN)
    rows["_dmarc.example.com", "TXT"] = None
    assert codes_of(check_dmarc, patient_of(rows)) == [("dmarc.failed", WARNING)]


def test_domain_of_a_provider_is_the_providers_business():
    """Nothing is asked."""
    assert list(check_dmarc(patient_of({}, sender="me@gmail.com"))) == []


def test_all_codes_are_yielded_in_these_tests():
    """None stands in the reference that no domain can have."""
    tested = {param.values[1] for param in RECORDS}
    others = {"dmarc.unaligned", "dmarc.unproven", "dmarc.reports", "dmarc.failed"}
    assert tested | others == set(CODES)


def test_hostile_record_cannot_write_to_the_terminal():
    """Attack: escape sequences in a record and in where its reports go."""
    texts = ["v=DMARC1; p=\x1b[2J", "v=DMARC1; \x1b=none", "dmarc \x1b]0;x\x07"]
    for text in texts:
        for finding in check_dmarc(patient_of(changed(AT_ALIYUN, DMARC=(text,)))):
            shown = " ".join((finding.problem, finding.meaning, finding.fix, *finding.evidence))
            assert "\x1b" not in shown
