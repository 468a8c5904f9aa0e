"""Every measurement runs: with tiny numbers, and nothing is said about the figures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parent.parent / "bench" / "run.py"


@pytest.mark.parametrize("question", ["cold", "trust", "large", "bulk", "repair"])
def test_a_measurement_prints_a_table_with_ratios(question, tmp_path):
    """Each question is answered by a table that compares at least two programs."""
    figures = tmp_path / "figures.json"
    command = [sys.executable, RUN, question, "--quick", "--sink", "python", "--json", figures]
    done = subprocess.run(
        [*command, "--python", sys.executable], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "| --- |" in done.stdout
    report = json.loads(figures.read_text())
    assert {"processor", "python", "sink"} <= set(report["machine"])
    (table,) = report["tables"]
    ratios = [name for name in table["rows"][0] if "÷" in name]
    assert ratios
    programs = {row["program"] for row in table["rows"]}
    assert {name.split()[0] for name in programs} >= {"pillarbox", "smtplib"}
    ours = [row for row in table["rows"] if row["program"].startswith("pillarbox")]
    assert all(row[name] > 0 for row in ours for name in ratios)


def test_an_unknown_question_is_refused():
    """A misspelt name is told, with the names that there are."""
    command = [sys.executable, RUN, "cool"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cold, trust, large, bulk, repair" in done.stderr
