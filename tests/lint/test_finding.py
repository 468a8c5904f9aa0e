"""A finding: what is shown of it, and what a script reads."""

from pillarbox.lint.finding import Finding, quoted
from pillarbox.mail.rules import RULE_BY_ID
from pillarbox.text import say


def test_evidence_is_safe_to_show_whoever_made_it():
    """A repair's words may hold what the mail held (attack: terminal escape sequences)."""
    evidence = say("{name} is encrypted", name="a\x1b[2J\udcff")
    finding = Finding(RULE_BY_ID["HDR-DUP"], "", 0, evidence, is_repaired=True)
    assert finding.shown_evidence() == "a\\x1b[2J\\udcff is encrypted"
    assert finding.shown_evidence("zh") == "a\\x1b[2J\\udcff 已加密"
    assert finding.as_dict("zh")["evidence"] == finding.shown_evidence("zh")


def test_unknown_line_is_null():
    """A script need not know that 0 is no line."""
    finding = Finding(RULE_BY_ID["HDR-DUP"], "To", 0, "", is_repaired=False)
    assert finding.as_dict()["line"] is None
    finding = Finding(RULE_BY_ID["HDR-DUP"], "To", 7, "", is_repaired=False)
    assert finding.as_dict()["line"] == 7


def test_quotation_is_one_short_printable_line():
    """Neither a line end nor a mile of text reaches the page."""
    assert quoted("a\r\nb") == "a\\x0d\\x0ab"
    assert len(quoted("x" * 5000)) < 80
