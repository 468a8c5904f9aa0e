"""Every measurement runs: with tiny numbers, and nothing is said about the figures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parent.parent / "bench" / "run.py"


def measure(question, figures):
    """Ask a question with tiny numbers; return its one table."""
    command = [sys.executable, RUN, question, "--quick", "--sink", "python", "--json", figures]
    done = subprocess.run(
        [*command, "--python", sys.executable], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "| --- |" in done.stdout
    report = json.loads(figures.read_text())
    assert {"processor", "python", "sink"} <= set(report["machine"])
    (table,) = report["tables"]
    return table


def assert_has_ratios(table):
    """Each row of ours stands beside something."""
    ratios = [name for name in table["rows"][0] if "÷" in name]
    assert ratios
    ours = [row for row in table["rows"] if row["program"].startswith("pillarbox")]
    assert ours
    assert all(row[name] > 0 for row in ours for name in ratios)


@pytest.mark.parametrize("question", ["cold", "trust", "large", "bulk", "repair"])
def test_a_measurement_prints_a_table_with_ratios(question, tmp_path):
    """Each question is answered by a table that compares at least two programs."""
    table = measure(question, tmp_path / "figures.json")
    assert_has_ratios(table)
    programs = {row["program"] for row in table["rows"]}
    assert {name.split()[0] for name in programs} >= {"pillarbox", "smtplib"}


@pytest.mark.parametrize(
    ("question", "others"),
    [
        ("handoff", {"pillarbox -I -S", "pillarbox", "pillarbox -t", "python -I -S, pass"}),
        ("handoff8", {"pillarbox -I -S", "pillarbox", "python -I -S, pass"}),
        ("wait", {"pillarbox --wait", "pillarbox direct"}),
        ("drain", {"pillarbox"}),
        ("growth", {"pillarbox"}),
    ],
)
def test_a_measurement_of_the_service_loses_no_mail(question, others, tmp_path):
    """Those of the queue end with an error unless every mail arrived, or waits."""
    table = measure(question, tmp_path / "figures.json")
    assert_has_ratios(table)
    assert {row["program"] for row in table["rows"]} >= others


def test_an_unknown_question_is_refused():
    """A misspelt name is told, with the names that there are."""
    command = [sys.executable, RUN, "cool"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cold, trust, large, bulk, repair, handoff, handoff8, wait" in done.stderr
