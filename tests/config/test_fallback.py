"""Accounts that stand in for others."""

import pytest

from pillarbox.config.account import FIELD_BY_NAME, Account
from pillarbox.config.fallback import check_fallbacks
from pillarbox.errors import ConfigError


def accounts(**fallbacks):
    """Return an account for each name, with its fallback on the line of its place."""
    made = []
    for line, (name, fallback) in enumerate(fallbacks.items(), 1):
        account = Account(name, "rc")
        if fallback is not None:
            account.set(FIELD_BY_NAME["fallback"], fallback, "rc", line)
        made.append(account)
    return made


@pytest.mark.parametrize(
    "chains",
    [
        {},
        {"default": None},
        {"default": "second", "second": None},
        {"default": "second", "second": "third", "third": None},
        {"default": "third", "second": "third", "third": None},
    ],
)
def test_fallback_names_an_account_of_the_same_files(chains):
    """A chain that ends is in order, and two accounts may share its end."""
    check_fallbacks(accounts(**chains))


@pytest.mark.parametrize(
    ("chains", "line", "words", "advice"),
    [
        ({"default": "secnod", "second": None}, 1, "no account secnod", "did you mean second?"),
        ({"a": "b", "b": "qqqq"}, 2, "no account qqqq", "the accounts are: a, b"),
        ({"a": "a"}, 1, "circle: a > a", "remove fallback"),
        ({"a": "b", "b": "c", "c": "a"}, 3, "circle: a > b > c > a", "remove fallback"),
        ({"x": "a", "a": "b", "b": "a"}, 3, "circle: x > a > b > a", "remove fallback"),
    ],
)
def test_a_chain_without_an_end_is_refused(chains, line, words, advice):
    """What is not there, or leads back, is told with file and line when the files are loaded."""
    with pytest.raises(ConfigError) as caught:
        check_fallbacks(accounts(**chains))
    assert (caught.value.path, caught.value.line) == ("rc", line)
    assert words in caught.value.problem
    assert advice in caught.value.advice
