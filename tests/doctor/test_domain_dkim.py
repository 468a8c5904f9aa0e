"""The domain's DKIM key: whether receivers can check what the provider signs."""

import pytest

from domain_zone import (
    AT_ALIYUN,
    AT_MICROSOFT,
    BEHIND_A_RELAY,
    MICROSOFT,
    at_microsoft,
    behind_a_relay,
    changed,
    codes_of,
    patient_of,
    rsa_record,
)
from pillarbox.doctor.domain_dkim import CODES, check_dkim
from pillarbox.doctor.finding import NOTE, WARNING
from pillarbox.text import localize

PLACE = "default._domainkey.example.com"
ED25519 = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


@pytest.mark.parametrize(
    ("made", "rows"),
    [
        pytest.param(patient_of, AT_ALIYUN, id="Aliyun"),
        pytest.param(at_microsoft, AT_MICROSOFT, id="Microsoft 365"),
        pytest.param(patient_of, changed(AT_ALIYUN, DKIM=(ED25519,)), id="Ed25519"),
    ],
)
def test_healthy_domain_has_no_finding(made, rows):
    """The key is there, also by an alias, and long enough."""
    assert codes_of(check_dkim, made(rows)) == []


BROKEN = [
    # the records at the selector, code, severity, words of the fix
    pytest.param([], "dkim.missing", WARNING, f"at {PLACE}", id="missing"),
    pytest.param(["v=spf1 -all"], "dkim.missing", WARNING, f"at {PLACE}", id="a wildcard's"),
    pytest.param(
        [rsa_record(), rsa_record(1024)], "dkim.several", WARNING, "keep the one", id="several"
    ),
    pytest.param(
        [rsa_record()[:-30]], "dkim.broken", WARNING, f"copy the record {PLACE}", id="half a key"
    ),
    pytest.param(
        ["v=DKIM2; p=AAAA"], "dkim.broken", WARNING, "copy the record", id="another version"
    ),
    pytest.param(["v=DKIM1; p="], "dkim.revoked", WARNING, "new DKIM key", id="revoked"),
    pytest.param(
        [rsa_record(tags="v=DKIM1; k=rsa; t=y; ")], "dkim.test", WARNING, "'t=y;'", id="a test"
    ),
    pytest.param([rsa_record(768)], "dkim.weak", WARNING, "2048 bits", id="768 bits"),
    pytest.param([rsa_record(1024)], "dkim.short", NOTE, "a longer key", id="1024 bits"),
]


@pytest.mark.parametrize(("texts", "code", "severity", "fix"), BROKEN)
def test_broken_key_has_one_finding_with_its_fix(texts, code, severity, fix):
    """In both languages, with what was seen."""
    (finding,) = check_dkim(patient_of(changed(AT_ALIYUN, DKIM=tuple(texts))))
    assert (finding.code, finding.severity) == (code, severity)
    assert fix in finding.fix
    assert finding.evidence
    for text in (finding.problem, finding.meaning, finding.fix):
        assert localize(text, "zh") != text


def test_alias_without_a_key_behind_it_is_the_providers_switch():
    """The records of Microsoft 365 are published, and signing was not switched on."""
    rows = {**AT_MICROSOFT}
    for key in MICROSOFT:
        if "_domainkey" in key[0]:
            del rows[key]
    found = list(check_dkim(at_microsoft(rows)))
    assert [(one.code, one.severity) for one in found] == [("dkim.dangling", WARNING)] * 2
    assert "switch DKIM on for example.com" in found[0].fix


def test_one_good_key_is_enough_where_keys_are_rotated():
    """The other selector was emptied, which is how a key is retired."""
    rows = {**AT_MICROSOFT, ("selector2._domainkey.example.com", "TXT"): ("v=DKIM1; p=",)}
    del rows["selector2._domainkey.example.com", "CNAME"]
    assert codes_of(check_dkim, at_microsoft(rows)) == []


def test_key_of_the_domain_above_signs_for_one_below():
    """alerts.example.com is signed for by example.com (RFC 7489 3.1.1)."""
    patient = patient_of(AT_ALIYUN, sender="no-reply@alerts.example.com")
    assert codes_of(check_dkim, patient) == []


@pytest.mark.parametrize(
    "host", ["relay.example.com", "smtp.exmail.qq.com", "smtpdm.aliyun.com", ""]
)
def test_selector_that_nobody_knows_is_a_note(host):
    """A relay of one's own, a provider whose console only knows it, a placeholder."""
    (finding,) = check_dkim(patient_of(BEHIND_A_RELAY, host=host))
    assert (finding.code, finding.severity) == ("dkim.unknown", NOTE)


def test_nameserver_that_fails_is_a_warning():
    """The key may be there, and receivers do not get it either."""
    rows = changed(AT_ALIYUN)
    rows[PLACE, "TXT"] = None
    assert codes_of(check_dkim, patient_of(rows)) == [("dkim.failed", WARNING)]


def test_domain_of_a_provider_is_the_providers_business():
    """Nothing is asked."""
    assert list(check_dkim(patient_of({}, sender="me@qq.com"))) == []
    assert list(check_dkim(behind_a_relay({}, sender="root@localhost"))) == []


def test_all_codes_are_yielded_in_these_tests():
    """None stands in the reference that no domain can have."""
    tested = {param.values[1] for param in BROKEN}
    assert tested | {"dkim.dangling", "dkim.unknown", "dkim.failed"} == set(CODES)
