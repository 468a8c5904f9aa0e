"""The table of proofs is complete, and leads to tests that exist."""

import ast
from pathlib import Path

import pytest

from pillarbox.cli import msmtp
from pillarbox.config.account import FIELDS
from proofs import KEYWORDS, OPTIONS

ROOT = Path(__file__).parent.parent


def test_every_keyword_is_shown_by_a_test():
    """No keyword without a proof, no proof without a keyword."""
    assert {field.name for field in FIELDS} == set(KEYWORDS)


def test_every_option_is_shown_by_a_test():
    """The same for the options that set no keyword."""
    own = {option.key for option in msmtp.OPTIONS}
    from_keywords = {row.name for row in (*msmtp.FIELDS, *msmtp.ALIASES)}
    assert own - from_keywords == set(OPTIONS)


@pytest.mark.parametrize("proof", sorted({*KEYWORDS.values(), *OPTIONS.values()}))
def test_the_test_is_there(proof):
    """A test that was renamed or removed leaves its row here behind."""
    path, _, name = proof.partition("::")
    functions = {
        node.name
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert name in functions
