"""
Measure what pillarbox costs, beside the programs that it is compared with.

    python3 bench/run.py [--quick] [--json FILE] [NAME ...]

Each NAME is a question, and the file of that name its measurement; without one, all are asked.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from importlib import import_module

from lab import Lab
from table import machine, write_json

QUESTIONS = (
    "cold",
    "trust",
    "large",
    "bulk",
    "repair",
    "handoff",
    "handoff8",
    "wait",
    "drain",
    "growth",
)

_DISTRIBUTION_PYTHON = "/usr/bin/python3"


def main(arguments=None):
    """Ask the questions; print the answers."""
    options = _parse(arguments)
    programs = {name: found for name in ("msmtp", "curl") if (found := shutil.which(name))}
    facts = machine(options.python, programs)
    for name, fact in facts.items():
        print(f"- {name}: {fact}")
    print(flush=True)
    tables = []
    with Lab(options.python, options.sink, asks_peers=options.peers) as lab:
        facts["sink"] = lab.sink_kind
        for name in options.names or QUESTIONS:
            table = import_module(name).measure(lab, runs=options.runs, is_quick=options.quick)
            tables.append(table)
            print(table.markdown(), flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            write_json(facts, tables, file)


def _parse(arguments):
    parser = argparse.ArgumentParser(description="Measure what pillarbox costs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(QUESTIONS)}")
    parser.add_argument("--quick", action="store_true", help="tiny numbers: does it run at all?")
    parser.add_argument("--runs", type=int, default=0, help="how often each row is measured")
    parser.add_argument(
        "--peers",
        action="store_true",
        help="handoff, handoff8: hand mail to the mail system of this machine as well",
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    parser.add_argument("--python", default=_python(), help="the interpreter that is measured")
    parser.add_argument("--sink", choices=("auto", "c", "python"), default="auto")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(QUESTIONS):
        parser.error(f"no question {min(unknown)!r}: there are {', '.join(QUESTIONS)}")
    return options


def _python():
    """Return the distribution's interpreter if it is new enough, else the one that runs this."""
    check = "import ssl, sys; sys.exit(sys.version_info < (3, 11))"
    try:
        subprocess.run([_DISTRIBUTION_PYTHON, "-I", "-c", check], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return sys.executable
    return _DISTRIBUTION_PYTHON


if __name__ == "__main__":
    main()
