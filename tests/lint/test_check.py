"""All rules over one mail: what is repaired, what is only told, and what goes out."""

import random

import pytest

from pillarbox.lint import lint
from pillarbox.lint.finding import SEVERITIES, summary
from pillarbox.lint.rules import CHECKS
from pillarbox.mail.rules import RULE_BY_ID


def ids(linted):
    """Return the rules of what was found."""
    return [finding.rule.id for finding in linted.findings]


def test_good_mail_has_no_finding(facts, good):
    """It would go out as it is."""
    linted = lint(good, facts())
    assert ids(linted) == []
    assert linted.repaired == good


@pytest.mark.parametrize(("old", "new", "rule"), [
    (b"From: Web01 <no-reply@example.com>\r\n", b"", "HDR-FROM-MISSING"),
    (b"Web01 <no-reply@example.com>", b"root@localhost", "HDR-FROM-NODOMAIN"),
    (b"Subject: web01: the backup is done", "Subject: 中文主题".encode(), "HDR-SUBJ-RAW8"),
    (b"Subject: web01: the backup is done\r\n", b"", "HDR-SUBJ-MISSING"),
    (b"Date: Tue, 24 Nov 2026 03:00:00 +0000\r\n", b"", "HDR-DATE-MISSING"),
    (b"Message-ID: <1.2@example.com>\r\n", b"", "HDR-MID-MISSING"),
    (b"<1.2@example.com>", b"1.2@example.com", "HDR-MID-FORM"),
    (b"Subject: web01", b"Subject: the first\r\nSubject: web01", "HDR-DUP"),
    (b"MIME-Version: 1.0\r\n", b"", "MIME-VERSION"),
    (b"From: Web01", b"-e From: Web01", "HDR-DASH-E"),
    (b"The backup of last night took 12 minutes.\r\n", b"", "BODY-EMPTY"),
    (b"took", b"\033[1mtook\033[0m", "BODY-CTRL"),
])  # fmt: skip
def test_repaired_fault_is_found_once_and_is_gone_behind(facts, good, old, new, rule):
    """What repair puts right is told as such, and is no finding of the mail as it goes out."""
    assert old in good
    linted = lint(good.replace(old, new, 1), facts())
    found = [finding for finding in linted.findings if finding.rule.id == rule]
    assert len(found) == 1
    assert found[0].is_repaired
    assert found[0].evidence
    assert ids(lint(linted.repaired, facts())) == []


def test_fault_that_is_not_repaired_stays(facts, good):
    """It is told with its place, and is found again behind the repair."""
    linted = lint(good.replace(b"web01: the backup is done", b"test"), facts())
    (finding,) = linted.findings
    assert (finding.rule.id, finding.place, finding.line, finding.is_repaired) == (
        "HDR-SUBJ-TEST", "Subject", 3, False,
    )  # fmt: skip
    assert ids(lint(linted.repaired, facts())) == ["HDR-SUBJ-TEST"]


def test_strangers_are_not_named_and_that_is_told(facts, good):
    """A hidden recipient is a finding that repair leaves."""
    linted = lint(good, facts(to=["admin@example.net", "other@example.org"]))
    assert [(f.rule.id, f.is_repaired) for f in linted.findings] == [("HDR-TO-FORGED", False)]


def test_recipient_whom_repair_names_is_not_hidden(facts, good):
    """What To becomes is what counts: one finding, which is repaired."""
    linted = lint(good.replace(b"admin@example.net", b"root"), facts(to=["admin@example.net"]))
    assert [(f.rule.id, f.is_repaired) for f in linted.findings] == [("HDR-TO-NODOMAIN", True)]


def test_blind_recipient_is_found_although_his_header_goes(facts, good):
    """Bcc is removed from the mail, and he still gets it."""
    linted = lint(good.replace(b"Date:", b"Bcc: boss@example.com\r\nDate:"), facts())
    assert [(f.rule.id, f.evidence) for f in linted.findings] == [
        ("HDR-TO-FORGED", "boss@example.com")
    ]


def test_local_sender_is_found_where_no_account_is_known(facts, good):
    """Repair has no address to put there, so it is left to the person."""
    mail = good.replace(b"Web01 <no-reply@example.com>", b"root@localhost")
    found = {f.rule.id: f.is_repaired for f in lint(mail, facts(sender=None)).findings}
    assert found["HDR-FROM-NODOMAIN"] is False


def test_control_in_a_header_is_gone_behind(facts, good):
    """NUL and CR are an error, and do not go out (attack: header injection)."""
    linted = lint(good.replace(b"web01:", b"web01\rBcc: a@example.org\0"), facts())
    assert ids(linted) == ["HDR-INJECT"]
    assert linted.findings[0].is_repaired
    assert b"\0" not in linted.repaired
    assert b"\r" not in linted.repaired.replace(b"\r\n", b"")
    assert ids(lint(linted.repaired, facts())) == []


def test_the_worst_comes_first(facts, good):
    """Errors stand before warnings, and hints at the end."""
    mail = good.replace(b"web01: the backup is done", b"test\0").replace(b"To: admin", b"Sent: x")
    order = [SEVERITIES.index(finding.rule.severity) for finding in lint(mail, facts()).findings]
    assert len(set(order)) == 3
    assert order == sorted(order)


def test_summary_counts(facts, good):
    """It has a number for each severity, for all of them and for the repaired ones."""
    mail = good.replace(b"web01: the backup is done", b"test\0")
    found = summary(lint(mail, facts()).findings)
    assert found == {"error": 1, "warning": 0, "hint": 1, "total": 2, "repaired": 1}
    assert summary([]) == {"error": 0, "warning": 0, "hint": 0, "total": 0, "repaired": 0}


def test_size_counts_what_goes_over_the_wire(facts, good):
    """A limit is compared with the repaired mail, whatever its encoding adds."""
    limit = len(good)
    assert ids(lint(good, facts(max_size_bytes=limit))) == []
    assert ids(lint(good, facts(max_size_bytes=limit - 1))) == ["BODY-SIZE"]
    bare_line_ends = good.replace(b"\r\n", b"\n")
    assert ids(lint(bare_line_ends, facts(max_size_bytes=limit - 1))) == ["BODY-SIZE"]


def test_rules_have_one_name_each():
    """No two rows share an id, but for those that are rows of the repairs too."""
    names = [check.rule.id for check in CHECKS]
    assert len(set(names)) == len(names)
    for check in CHECKS:
        if check.rule.id in RULE_BY_ID:
            assert check.rule is RULE_BY_ID[check.rule.id]
        assert check.rule.severity in SEVERITIES
        assert check.rule.source


def test_flood_of_one_fault_is_told_twenty_times(facts, good):
    """A thousand lines with NUL do not drown the rest (attack: flooding the reader)."""
    mail = b"".join(b"X-%d: \0\r\n" % number for number in range(1000)) + good
    assert ids(lint(mail, facts())) == ["HDR-INJECT"] * 20


def test_any_mutation_is_linted(facts, good):
    """Two hundred broken copies of one mail end in findings, or in one clear refusal."""
    chance = random.Random(5)
    for _ in range(200):
        octets = bytearray(good)
        for _ in range(chance.randrange(1, 10)):
            at = chance.randrange(len(octets))
            octets[at : at + chance.randrange(5)] = chance.choice(
                (b"\0", b"\n", b"\r", b"\n\n", b"=?utf-8?b?", b"\xff", b'"', b",", b"", b"<", b":")
            )
        linted = lint(bytes(octets), facts())
        assert all(finding.shown_evidence().isprintable() for finding in linted.findings)
