"""Debian's msmtp and ours, the same input to both: they differ where the manual says so."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from differential.case import MSMTP, make_certificate, run_both
from differential.cases import CASES
from differential.compare import differences
from differential.rules import explain, identifiers, suggest

_VERSION = "1.8.23"  # whose differences the rules describe: that of Debian 12


def _reason_to_skip():
    if not os.access(MSMTP, os.X_OK):
        return f"{MSMTP} is missing: tests/servers/install.sh installs it, or apt install msmtp"
    told = subprocess.run([MSMTP, "--version"], capture_output=True, text=True, check=True).stdout
    if f"version {_VERSION}\n" not in told:
        return f"the differences are those from msmtp {_VERSION}, and {MSMTP} is another"
    return ""


_REASON = _reason_to_skip()
pytestmark = pytest.mark.skipif(bool(_REASON), reason=_REASON)

_PAGE = Path(__file__).parent.parent.parent / "docs/differences-from-msmtp.md"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Return the certificate of the servers, made on the spot."""
    return make_certificate(tmp_path_factory.mktemp("authority"))


@pytest.mark.sliced(4)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_differs_from_msmtp_only_where_the_manual_says_so(case, certificate, tmp_path):
    """Both do the same with the same input, but for the differences that the case names."""
    theirs, ours = run_both(case, tmp_path, certificate)
    found = differences(theirs, ours)
    unexplained, idle = explain(found, case.shows.split())
    told = f"\nmsmtp: {theirs.result}\npillarbox: {ours.result}"
    text = "\n".join(f"{one}; looks like: {suggest(one)}" for one in unexplained)
    assert not unexplained, text + told
    assert not idle, f"expected, and not to be seen: {sorted(idle)}{told}"


def test_every_difference_in_the_manual_is_shown_by_a_case():
    """No row of the manual is stale, and none is missing from it."""
    shown = {name for case in CASES for name in case.shows.split()}
    documented = re.findall(r"^\| (D-[A-Z0-9-]+) \|", _PAGE.read_text(), re.MULTILINE)
    assert shown == identifiers() == set(documented)
    assert len(documented) == len(set(documented))


def test_no_two_cases_are_the_same():
    """There are as many cases as were promised, and none stands there twice."""
    assert not [name for name, count in Counter(c.name for c in CASES).items() if count > 1]
    inputs = [repr(case).partition(", options=")[2] for case in CASES]
    assert not [text for text, count in Counter(inputs).items() if count > 1]
    assert len(CASES) >= 200
