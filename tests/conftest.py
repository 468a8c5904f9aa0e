"""What all tests share: no skip where everything is installed, no secret in an artefact."""

import os
from pathlib import Path

import pytest

# Programs that tests start run this checkout, installed or not, and without site too.
os.environ["PYTHONPATH"] = str(Path(__file__).parent.parent / "src")

# .ci/run installs every package that a test may need; a skip there hides a missing install step.
_FORBIDS_SKIPS = bool(os.environ.get("PILLARBOX_FORBID_SKIPS"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Turn a skip into a failure where nothing has a reason to be skipped."""
    outcome = yield
    report = outcome.get_result()
    if _FORBIDS_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and here nothing may be: {report.longrepr}"
