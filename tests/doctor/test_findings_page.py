"""The reference page of the findings: every code, how bad it is, and what it says."""

import re
import sys
from pathlib import Path

import pytest

from pillarbox.doctor.checks import CHECKS
from pillarbox.doctor.finding import FAULT, NOTE, WARNING

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "docs"))
import findings

TESTS = Path(__file__).parent.parent


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_every_code_is_described(check):
    """With a severity and with words; where the code does not say them, ``WORDS`` does."""
    rows = findings.finding_rows(check.name)
    assert [row[0] for row in rows] == [f"`{code}`" for code in check.codes]
    for code, severities, words in rows:
        assert set(severities.split(" or ")) <= {FAULT, WARNING, NOTE}, code
        assert words, code


def test_no_words_are_left_of_codes_that_are_gone():
    """A code that was renamed takes its words along."""
    assert findings.WORDS.keys() <= {code for check in CHECKS for code in check.codes}


def test_every_code_is_expected_by_a_test():
    """Who adds a code shows a machine on which it is found."""
    texts = [path.read_text() for path in TESTS.rglob("*.py") if path != Path(__file__)]
    expected = {word for text in texts for word in re.findall(r"\"([a-z]+\.[a-z0-9-]+)[\" ]", text)}
    codes = {code for check in CHECKS for code in check.codes}
    assert len(codes) > 150
    assert codes <= expected, sorted(codes - expected)
