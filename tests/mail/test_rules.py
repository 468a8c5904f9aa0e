"""The table of what is repaired: a row for everything that is done, and nothing without it."""

import re
from pathlib import Path

import pytest

from pillarbox.mail.rules import ERROR, HINT, RULE_BY_ID, RULES, WARNING

SOURCE = Path(__file__).parents[2] / "src" / "pillarbox"
_ID = re.compile(r'"((?:HDR|MIME|BODY|ENV)-[A-Z0-9-]+|SIGNED)"')


def test_every_change_has_its_row_and_every_row_its_change():
    """What the code notes and what the table explains are the same names."""
    noted = set()
    for room in ("mail", "delivery"):
        for path in (SOURCE / room).glob("*.py"):
            if path.name != "rules.py":
                noted.update(_ID.findall(path.read_text()))
    assert noted == set(RULE_BY_ID)


def test_identifiers_are_unique():
    """Logs and scripts hold them."""
    assert len(RULE_BY_ID) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_can_be_shown(rule):
    """It says what, why, what is done and who says so, in half sentences; costs are points."""
    assert rule.severity in (ERROR, WARNING, HINT)
    for text in (rule.what, rule.why, rule.fix):
        assert text
        assert not text.endswith(".")
        assert text[0].islower() or text.split()[0] in ("Gmail", "To", "Auto-Submitted")
    assert rule.source
    for points in (rule.spamassassin, rule.rspamd):
        assert points is None or 0 <= points < 20
    assert rule.is_repaired == (rule.id not in ("SIGNED", "MIME-LATE"))
