"""The reference page of the findings: every code, how bad it is, and what it says."""

import sys
from pathlib import Path

import pytest

from pillarbox.doctor.checks import CHECKS
from pillarbox.doctor.finding import FAULT, NOTE, WARNING

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "docs"))
import findings


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
