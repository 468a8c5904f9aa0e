"""
Check that the accounts that stand in for others are there, and that no two wait for each other.

``fallback`` names another account of the same files. Only the queue uses it, so only who runs
one checks it, when he loads the files: a daemon says so at once and not on the day it matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.errors import ConfigError
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pillarbox.config.account import Account

__all__ = ["check_fallbacks"]


def check_fallbacks(accounts: Iterable[Account]) -> None:
    """
    Follow every ``fallback`` to its end.

    Args:
        accounts: All accounts among which one can be chosen.

    Raises:
        ConfigError: One names an account that is not there, or leads back to itself; with the
            file and the line.

    """
    by_name = {account.name: account for account in accounts}
    for account in by_name.values():
        passed = [account.name]
        here = account
        while here.fallback:
            if here.fallback not in by_name:
                _fail_missing(here, by_name)
            passed.append(here.fallback)
            if passed.count(here.fallback) > 1:
                _fail_cycle(here, passed)
            here = by_name[here.fallback]


def _fail_missing(account: Account, by_name: dict[str, Account]) -> None:
    from difflib import get_close_matches

    close = get_close_matches(account.fallback or "", by_name, 1)
    raise _fault(
        account,
        say("fallback: there is no account {name}", name=account.fallback),
        say("did you mean {keyword}?", keyword=close[0])
        if close
        else say("the accounts are: {names}", names=", ".join(by_name)),
    )


def _fail_cycle(account: Account, passed: list[str]) -> None:
    raise _fault(
        account,
        say("fallback leads in a circle: {names}", names=" > ".join(passed)),
        say("remove fallback from one of them"),
    )


def _fault(account: Account, problem: str, advice: str) -> ConfigError:
    path, line = account.place("fallback")
    return ConfigError(problem, path=path, line=line, advice=advice)
