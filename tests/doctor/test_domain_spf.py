"""The domain's SPF record: whether receivers take mail that leaves from the provider."""

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
from pillarbox.doctor.domain_spf import CODES, check_spf
from pillarbox.doctor.finding import NOTE, WARNING
from pillarbox.text import localize

RIGHT = "v=spf1 include:spf.qiye.aliyun.com -all"
WITH_MAIL = "v=spf1 include:spf.qiye.aliyun.com a:mail.example.com -all"

HEALTHY = [
    pytest.param(patient_of, AT_ALIYUN, id="Aliyun"),
    pytest.param(at_microsoft, AT_MICROSOFT, id="Microsoft 365"),
    pytest.param(behind_a_relay, BEHIND_A_RELAY, id="own relay"),
]


def at_aliyun(*texts, **more):
    """Return the table of a domain at Aliyun with these TXT records."""
    return {**changed(AT_ALIYUN, TXT=texts), **more.get("rows", {})}


@pytest.mark.parametrize(("made", "rows"), HEALTHY)
def test_healthy_domain_has_no_finding(made, rows):
    """The provider is permitted, everybody else is not."""
    assert codes_of(check_spf, made(rows)) == []


MAIL = {("mail.example.com", "A"): ("198.51.100.7",)}

BROKEN = [
    # the TXT records, code, severity, words of the fix
    pytest.param(["other=1"], "spf.none", WARNING, RIGHT, id="none"),
    pytest.param(
        [RIGHT, "v=spf1 a:mail.example.com -all"], "spf.several", WARNING, WITH_MAIL, id="several"
    ),
    pytest.param(
        ["v=spf1 mx -all", "v=spf1 a -all"],
        "spf.several",
        WARNING,
        "v=spf1 a mx include:spf.qiye.aliyun.com -all",
        id="several without the provider",
    ),
    pytest.param(
        [RIGHT, "v=spf1 ip4:1.2.3 -all"], "spf.several", WARNING, "keep one", id="several, one bad"
    ),
    pytest.param(
        ["v=spf1 include:spf.qiye.aliyun.com ip4:198.51.100.1/33 -all"],
        "spf.syntax",
        WARNING,
        "at the mark",
        id="syntax",
    ),
    pytest.param(
        ["v=spf1mx -all"],
        "spf.syntax",
        WARNING,
        "v=spf1 mx include:spf.qiye.aliyun.com -all",
        id="no space",
    ),
    pytest.param(['"v=spf1 -all"'], "spf.syntax", WARNING, RIGHT, id="quotation marks"),
    pytest.param(
        ["v=spf1 include:spf.qiye.aliyun.com " + "exists:%{i}.x.example " * 10 + "-all"],
        "spf.lookups",
        WARNING,
        "pillarbox spf explain example.com",
        id="lookups",
    ),
    pytest.param(
        ["v=spf1 include:spf.qiye.aliyun.com a:x.example a:y.example a:z.example -all"],
        "spf.void",
        WARNING,
        "a:x.example a:y.example a:z.example",
        id="void",
    ),
    pytest.param(
        ["v=spf1 include:spf.qiye.aliyun.co -all"],
        "spf.include",
        WARNING,
        "replace include:spf.qiye.aliyun.co by include:spf.qiye.aliyun.com",
        id="misspelt include",
    ),
    pytest.param(
        ["v=spf1 include:spf.old.example include:spf.qiye.aliyun.com -all"],
        "spf.include",
        WARNING,
        "correct include:spf.old.example in the record of example.com",
        id="include of one who is gone",
    ),
    pytest.param(
        ["v=spf1 include:spf.qiye.aliyun.cominclude:x.example -all"],
        "spf.include",
        WARNING,
        "put a space into",
        id="two strings without a space",
    ),
    pytest.param(
        ["v=spf1 ip4:198.51.100.1 -all"],
        "spf.provider-missing",
        WARNING,
        "v=spf1 ip4:198.51.100.1 include:spf.qiye.aliyun.com -all",
        id="provider missing",
    ),
    pytest.param(["v=spf1 -all"], "spf.provider-missing", WARNING, RIGHT, id="nobody may send"),
    pytest.param(["v=spf1 +all"], "spf.plus-all", WARNING, RIGHT, id="plus all"),
    pytest.param(["v=spf1 ip4:0.0.0.0/0 -all"], "spf.plus-all", WARNING, RIGHT, id="all addresses"),
    pytest.param(
        ["v=spf1 include:spf.qiye.aliyun.com -all a:mail.example.com"],
        "spf.unread",
        WARNING,
        WITH_MAIL,
        id="behind all",
    ),
    pytest.param(
        ["v=spf1 include:spf.qiye.aliyun.com include=x.example -all"],
        "spf.colon",
        WARNING,
        "v=spf1 include:spf.qiye.aliyun.com include:x.example -all",
        id="equals for a colon",
    ),
    pytest.param(
        ["v=spf1 -all include:spf.qiye.aliyun.com"],
        "spf.unread",
        WARNING,
        RIGHT,
        id="the provider behind all",
    ),
    pytest.param(
        ["v=spf1 include=spf.qiye.aliyun.com -all"],
        "spf.colon",
        WARNING,
        RIGHT,
        id="the provider without its colon",
    ),
    pytest.param(
        ["v=spf1 include:spf.qiye.aliyun.com"], "spf.neutral", WARNING, RIGHT, id="no all"
    ),
    pytest.param(
        ["v=spf1 include:spf.qiye.aliyun.com ?all"], "spf.neutral", WARNING, RIGHT, id="?all"
    ),
    pytest.param(["v=spf1 include:spf.qiye.aliyun.com ptr -all"], "spf.ptr", NOTE, RIGHT, id="ptr"),
    pytest.param([WITH_MAIL], "spf.needless", NOTE, "", id="needless"),
    pytest.param(
        ["v=spf1 include:spf.qiye.aliyun.com ip4:198.51.100.7 -all"],
        "spf.needless",
        NOTE,
        "",
        id="needless address",
    ),
    pytest.param(
        ["v=spf1 include:spf.qiye.aliyun.com " + "ip4:115.124.30.0/25 " * 22 + "-all"],
        "spf.too-long",
        NOTE,
        "",
        id="too long",
    ),
]


@pytest.mark.parametrize(("texts", "code", "severity", "fix"), BROKEN)
def test_broken_record_has_one_finding_with_its_fix(texts, code, severity, fix):
    """In both languages, with the record that was seen, or with where it was looked for."""
    (finding,) = check_spf(patient_of(at_aliyun(*texts, rows=MAIL)))
    assert (finding.code, finding.severity) == (code, severity)
    assert fix in finding.fix
    assert finding.evidence
    for text in filter(None, (finding.problem, finding.meaning, finding.fix)):
        assert localize(text, "zh") != text


HEALED = [
    pytest.param(*param.values[:2], id=param.id)
    for param in BROKEN
    if param.values[3].startswith("v=spf1 ") and param.values[1] != "spf.syntax"
]


@pytest.mark.parametrize(("texts", "code"), HEALED)
def test_fix_is_a_record_that_heals(texts, code):
    """What is to be published does not have the same finding again."""
    (finding,) = check_spf(patient_of(at_aliyun(*texts, rows=MAIL)))
    record = finding.fix[finding.fix.index("v=spf1") :]
    healed = {
        **at_aliyun(record, rows=MAIL),
        ("x.example", "TXT"): ("v=spf1 -all",),
        ("example.com", "A"): ("198.51.100.1",),
    }
    assert code not in [found for found, _ in codes_of(check_spf, patient_of(healed))]


def test_syntax_is_marked_at_its_place():
    """The mark stands below the fault, however far behind it is."""
    text = "v=spf1 " + "ip4:198.51.100.1 " * 20 + "ip4:198.51.100.300 -all"
    (finding,) = check_spf(patient_of(at_aliyun(text)))
    shown, mark = finding.evidence
    assert shown[mark.index("^") :].startswith("198.51.100.300")
    assert mark.count("^") == len("198.51.100.300")


def test_lookups_are_told_by_term():
    """What an include needs is counted for it, with all that is in it."""
    rows = at_aliyun(
        "v=spf1 mx include:deep.example ip4:198.51.100.1 " + "exists:%{i}.x " * 8 + "-all",
        rows={
            ("deep.example", "TXT"): ("v=spf1 include:spf.qiye.aliyun.com a:h.example -all",),
            ("h.example", "A"): ("198.51.100.2",),
        },
    )
    (finding,) = check_spf(patient_of(rows))
    assert "12 DNS lookups" in finding.problem
    assert finding.evidence[:3] == ("mx: 1", "include:deep.example: 3", "exists:%{i}.x: 1")
    assert len(finding.evidence) == 10


def test_tutorials_two_records_become_the_one():
    """The provider's record and the server's: one is to be published, exactly this."""
    rows = at_aliyun(RIGHT, "v=spf1 a:mail.example.com -all", rows=MAIL)
    (finding,) = check_spf(patient_of(rows))
    assert finding.fix.endswith(": v=spf1 include:spf.qiye.aliyun.com a:mail.example.com -all")


@pytest.mark.parametrize(
    "text",
    [
        "v=spf1 include:ours.example -all",
        "v=spf1 redirect=ours.example",
        "v=spf1 ip4:115.124.30.0/24 ip4:47.90.199.0/24 ~all",
    ],
)
def test_provider_that_is_permitted_by_another_way_is_not_missing(text):
    """By an include of an include, a redirect, or its addresses."""
    rows = at_aliyun(text, rows={("ours.example", "TXT"): (RIGHT,)})
    assert codes_of(check_spf, patient_of(rows)) == []


def test_provider_that_moving_does_not_help_is_missing_too():
    """It stands behind ``all``, and would not be permitted before it either."""
    rows = at_aliyun("v=spf1 -all a:mail.example.com ?include:spf.qiye.aliyun.com", rows=MAIL)
    found = list(check_spf(patient_of(rows)))
    assert [one.code for one in found] == ["spf.provider-missing", "spf.unread"]
    for one in found:
        assert "a:mail.example.com include:spf.qiye.aliyun.com -all" in one.fix


def test_provider_of_which_only_a_part_is_permitted_is_missing():
    """Its addresses were copied, and have changed since."""
    (finding,) = check_spf(patient_of(at_aliyun("v=spf1 ip4:115.124.30.0/24 -all")))
    assert finding.code == "spf.provider-missing"
    assert "47.90.199.1: fail" in finding.evidence


def test_provider_whose_own_record_cannot_be_had_is_looked_for_by_name():
    """Where its nameservers fail, its name in the record must do."""
    rows = at_aliyun("v=spf1 ip4:198.51.100.1 -all", rows={("spf.qiye.aliyun.com", "TXT"): None})
    assert codes_of(check_spf, patient_of(rows)) == [("spf.provider-missing", WARNING)]
    rows = at_aliyun("v=spf1 redirect=spf.qiye.aliyun.com", rows=rows_without_answer())
    assert codes_of(check_spf, patient_of(rows)) == [("spf.failed", WARNING)]


def rows_without_answer():
    """Return the row of a provider whose nameservers fail."""
    return {("spf.qiye.aliyun.com", "TXT"): None}


@pytest.mark.parametrize(
    "rows", [{("example.com", "TXT"): None}, at_aliyun(RIGHT, rows=rows_without_answer())]
)
def test_nameserver_that_fails_is_a_warning(rows):
    """The domain's, or one that its record leads to."""
    (finding,) = check_spf(patient_of(rows))
    assert (finding.code, finding.severity) == ("spf.failed", WARNING)


def test_what_cannot_be_looked_up_is_not_held_against_the_record():
    """A term that asks for the sender's address, where the nameserver fails for that."""
    text = "v=spf1 exists:%{i}.x.example -all"
    rows = at_aliyun(text, rows={("115.124.30.1.x.example", "A"): None})
    assert codes_of(check_spf, patient_of(rows)) == []
    rows = at_aliyun(text, rows={("203.0.113.9.x.example", "A"): None})
    assert codes_of(check_spf, behind_a_relay(rows, addresses=("203.0.113.9",))) == []


def test_service_with_an_envelope_of_its_own_does_not_need_the_record():
    """SES puts its own sender into the envelope: without it in the record nothing is lost."""
    rows = {
        **changed(BEHIND_A_RELAY),
        ("amazonses.com", "TXT"): ("v=spf1 ip4:199.255.192.0/22 -all",),
    }
    patient = patient_of(rows, host="email-smtp.us-east-1.amazonaws.com", port=587)
    assert codes_of(check_spf, patient) == [("spf.provider-missing", NOTE)]


def test_relay_that_nobody_knows_is_a_note():
    """Whether it delivers by itself cannot be seen from here."""
    (finding,) = check_spf(behind_a_relay(BEHIND_A_RELAY, addresses=("203.0.113.9",)))
    assert (finding.code, finding.severity) == ("spf.relay", NOTE)
    assert "v=spf1 mx ip4:203.0.113.9 -all" in finding.fix
    assert finding.evidence == ("203.0.113.9: fail -all",)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "192.168.1.1", "fe80::1%eth0", "10.0.0.1"])
def test_relay_on_the_inside_is_not_asked_about(address):
    """Nothing leaves into the world from such an address."""
    assert codes_of(check_spf, behind_a_relay(BEHIND_A_RELAY, addresses=(address,))) == []


def test_loopback_is_not_protons_bridge_on_any_port():
    """A relay on this machine is nobody's that we know; the bridge has ports of its own."""
    patient = patient_of(BEHIND_A_RELAY, host="127.0.0.1", port=25)
    assert codes_of(check_spf, patient) == []
    patient = patient_of(BEHIND_A_RELAY, host="127.0.0.1", port=1025)
    assert codes_of(check_spf, patient) == [("spf.provider-missing", WARNING)]


def test_own_domain_at_gmails_host_is_at_workspace():
    """The host is that of Gmail too, which has addresses of its own only."""
    rows = {**AT_ALIYUN, ("_spf.google.com", "TXT"): ("v=spf1 ip4:35.190.247.0/24 -all",)}
    (finding,) = check_spf(patient_of(rows, host="smtp.gmail.com"))
    assert "Workspace" in finding.problem


def test_provider_without_a_published_include_is_the_consoles_to_say():
    """Nothing is made up."""
    rows = at_aliyun("other=1")
    (finding,) = check_spf(patient_of(rows, host="smtp.qiye.163.com"))
    assert finding.code == "spf.none"
    assert "console" in finding.fix
    (finding,) = check_spf(behind_a_relay(rows))
    assert "--add ip4:" in finding.fix


@pytest.mark.parametrize("sender", ["me@qq.com", "root@localhost", "root"])
def test_domain_that_is_not_the_senders_is_not_examined(sender):
    """A provider's own, or nobody's: ``mx`` has told."""
    patient = patient_of({}, sender=sender)
    assert list(check_spf(patient)) == []


def test_domain_is_asked_for_in_ascii():
    """An internationalized domain is looked up by its A-labels."""
    rows = {("xn--strae-oqa.example", "TXT"): (RIGHT,), **AT_ALIYUN}
    assert codes_of(check_spf, patient_of(rows, sender="a@stra\u00dfe.example")) == []


def test_hostile_record_cannot_write_to_the_terminal():
    """Attack: escape sequences in the record, in an include and behind it."""
    texts = ["v=spf1 \x1b[2J -all", "v=spf1 a:\x1b]0;x\x07 -all"]
    for text in texts:
        for finding in check_spf(patient_of(at_aliyun(text))):
            shown = " ".join((finding.problem, finding.meaning, finding.fix, *finding.evidence))
            assert "\x1b" not in shown


def test_all_codes_are_yielded_in_these_tests():
    """None stands in the reference that no record can have."""
    tested = {param.values[1] for param in BROKEN} | {"spf.relay", "spf.failed"}
    assert tested == set(CODES)
