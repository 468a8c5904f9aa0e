"""MTA-STS, TLS-RPT and DANE: notes only."""

import pytest

from domain_zone import AT_ALIYUN, BEHIND_A_RELAY, behind_a_relay, changed, patient_of
from pillarbox.dns.answers import TlsaRecord
from pillarbox.doctor.domain_transport import CODES, check_transport
from pillarbox.doctor.finding import NOTE
from pillarbox.text import localize

NOTHING = {
    key: values for key, values in AT_ALIYUN.items() if not key[0].startswith(("_mta", "_smtp"))
}
STS, RPT = ("_mta-sts.example.com", "TXT"), ("_smtp._tls.example.com", "TXT")
TLSA = ("_465._tcp.smtp.qiye.aliyun.com", "TLSA")

CASES = [
    # what is there, code, words of the problem
    pytest.param({}, ["transport.none"], "MTA-STS, TLS-RPT, DANE: not used", id="nothing"),
    pytest.param(
        {STS: ("v=STSv1; id=1",)}, ["transport.mta-sts", "transport.none"], "has a record", id="STS"
    ),
    pytest.param(
        {STS: ("v=STSv1; id=",)}, ["transport.mta-sts", "transport.none"], "'id=' is", id="STS bad"
    ),
    pytest.param(
        {STS: ("v=STSv1; id=1", "v=STSv1; id=2")},
        ["transport.mta-sts", "transport.none"],
        "more than one record",
        id="STS twice",
    ),
    pytest.param(
        {RPT: ("v=TLSRPTv1; rua",)},
        ["transport.tls-rpt", "transport.none"],
        "no tag with a value",
        id="RPT bad",
    ),
    pytest.param(
        {TLSA: (TlsaRecord(3, 1, 1, b"x"),)},
        ["transport.dane", "transport.none"],
        "TLSA records (DANE) for port 465",
        id="DANE",
    ),
]


@pytest.mark.parametrize(("rows", "codes", "words"), CASES)
def test_says_what_is_there_and_that_nothing_is_needed(rows, codes, words):
    """None of them is a fault or a warning."""
    found = list(check_transport(patient_of({**NOTHING, **rows})))
    assert [one.code for one in found] == codes
    assert {one.severity for one in found} == {NOTE}
    assert words in found[0].problem
    for one in found:
        assert localize(one.problem, "zh") != one.problem


@pytest.mark.parametrize("host", ["198.51.100.25", ""])
def test_host_without_a_name_has_no_dane(host):
    """An address or a socket is not asked about."""
    patient = behind_a_relay(BEHIND_A_RELAY, host=host)
    assert "transport.none" not in [one.code for one in check_transport(patient)]
    assert not any(kind == "TLSA" for _, kind in patient.ask.asked)


def test_nameserver_that_fails_is_a_note():
    """Nothing hangs on it."""
    rows = changed(AT_ALIYUN)
    rows[STS] = None
    found = [(one.code, one.severity) for one in check_transport(patient_of(rows))]
    assert found == [("transport.failed", NOTE)]


def test_domain_of_a_provider_is_the_providers_business():
    """Nothing is asked."""
    assert list(check_transport(patient_of({}, sender="me@qq.com"))) == []


def test_all_codes_are_yielded_in_these_tests():
    """None stands in the reference that no domain can have."""
    tested = {code for param in CASES for code in param.values[1]}
    assert tested | {"transport.failed"} == set(CODES)
