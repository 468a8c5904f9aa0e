"""What all tests share: no skip where everything is installed, no secret in an artefact."""

import os
from pathlib import Path

import pytest

# Programs that tests start run this checkout, installed or not, and without site too.
os.environ["PYTHONPATH"] = str(Path(__file__).parent.parent / "src")

# .ci/run installs every package that a test may need; a skip there hides a missing install step.
_FORBIDS_SKIPS = bool(os.environ.get("PILLARBOX_FORBID_SKIPS"))


# What takes minutes as a whole is whole in `make proofs`; the plain command takes a slice of it.
_TAKES_ALL = bool(os.environ.get("PILLARBOX_ALL_POINTS"))


def pytest_collection_modifyitems(config, items):
    """Leave out of a ``sliced(n)`` test all cases but each n-th, unless somebody names them."""
    if _TAKES_ALL or config.option.keyword or any("::" in word for word in config.args):
        return
    cases: dict[tuple[str, int], list[str]] = {}
    for item in items:
        if (slicing := item.get_closest_marker("sliced")) is not None:
            cases.setdefault((item.nodeid.partition("[")[0], slicing.args[0]), []).append(
                item.nodeid
            )
    # By their names: the order is another at each run.
    left_out = {
        name
        for (_, count), names in cases.items()
        for number, name in enumerate(sorted(names))
        if number % count
    }
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left_out])
    items[:] = [item for item in items if item.nodeid not in left_out]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Turn a skip into a failure where nothing has a reason to be skipped."""
    outcome = yield
    report = outcome.get_result()
    if _FORBIDS_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and here nothing may be: {report.longrepr}"
