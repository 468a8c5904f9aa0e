"""
What a measurement ends in: a table with its notes, printed as markdown or as JSON.

The rule: a figure is a median of interleaved runs, and stands beside its ratio to another
program's figure of the same runs. Milliseconds of a shared machine say little; their ratios do.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time

__all__ = ["Table", "machine", "median", "ratio", "write_json"]


class Table:
    """
    One table.

    Attributes:
        title: What was measured, and how often.
        columns: From heading to the format of its numbers (``.1f``; empty: as they are).
        rows: Values, as many as columns; None where there is none.
        notes: What a reader must know to trust it, one sentence each.

    """

    def __init__(self, title, columns):
        self.title = title
        self.columns = columns
        self.rows = []
        self.notes = []

    def add(self, *values):
        """Add a row."""
        if len(values) != len(self.columns):
            msg = f"{len(values)} values for {len(self.columns)} columns"
            raise ValueError(msg)
        self.rows.append(values)

    def markdown(self):
        """Return the table as markdown."""
        formats = list(self.columns.values())
        lines = [f"### {self.title}", ""]
        lines += ["| " + " | ".join(self.columns) + " |"]
        lines += ["|" + " --- |" * len(self.columns)]
        for row in self.rows:
            cells = [_cell(value, form) for value, form in zip(row, formats, strict=True)]
            lines.append("| " + " | ".join(cells) + " |")
        if self.notes:
            lines += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines) + "\n"

    def as_json(self):
        """Return the table as what ``json`` can write."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"title": self.title, "rows": rows, "notes": self.notes}


def _cell(value, form):
    if value is None:
        return "-"
    return format(value, form) if isinstance(value, int | float) else str(value)


def median(values):
    """Return the median, or None of nothing."""
    values = list(values)
    return statistics.median(values) if values else None


def ratio(figure, reference):
    """Return how many times the reference a figure is, or None where one is missing."""
    return figure / reference if figure is not None and reference else None


def machine(python, programs):
    """Return what the figures depend on, by name, for people."""
    code = "import platform, ssl; print(platform.python_version(), '+', ssl.OPENSSL_VERSION)"
    facts = {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": f"{_distribution()}, {platform.system()} {platform.release()}",
        "load before": _load(),
        "python": f"{python} {_first_line([python, '-I', '-c', code])}",
    }
    for name, path in programs.items():
        facts[name] = _version_of(path)
    return facts


def _version_of(program):
    """Return the first words in which a program tells its version."""
    line = _first_line([program, "--version"])
    return " ".join(line.split()[:3]) or "unknown"


def _first_line(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]


def _load():
    load = os.getloadavg()[0]
    busy = " (busy: believe counts, and ratios of CPU times)" if load > os.cpu_count() / 2 else ""
    return f"{load:.2f}{busy}"


def _distribution():
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown system")
    except OSError:
        return "unknown system"


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def write_json(facts, tables, stream):
    """Write everything as one JSON object."""
    report = {"machine": facts, "tables": [table.as_json() for table in tables]}
    json.dump(report, stream, indent=1, ensure_ascii=False)
    stream.write("\n")
