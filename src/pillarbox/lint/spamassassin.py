"""
Ask the SpamAssassin of this computer.

A running ``spamd`` answers at once, by its own settings (``spamc``); else ``spamassassin -L -t``
is started, which takes a second or two; nothing is left behind in anybody's home directory.
"""

from __future__ import annotations

import re
import subprocess
from shutil import which
from tempfile import TemporaryDirectory

from pillarbox.lint.score import FilterError, Hit, Score
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ask_spamassassin", "read_report"]

_PATIENCE_S = 120  # a slow computer takes 20 s for the first start
_TOTAL = re.compile(
    r"^Content analysis details:\s+\((-?[\d.]+) points, (-?[\d.]+) required\)", re.MULTILINE
)
_HIT = re.compile(r"^\*?\s*(-?\d+(?:\.\d+)?)\s+([A-Z][A-Z0-9_]+)\s+(\S.*)$")
_MORE = re.compile(r"^\s{20,}(\S.*)$")  # a description goes on below itself
_RULER = re.compile(r"^\s*-{3,4} -{10,} -{10,}$")


def ask_spamassassin(octets: bytes, env: Mapping[str, str]) -> Score:
    """
    Return what SpamAssassin says of a message that ``arrived``. Blocks up to two minutes.

    Raises:
        FilterError: It is not installed, or gave no report.

    """
    path = env.get("PATH")
    client, program = which("spamc", path=path), which("spamassassin", path=path)
    if client:
        score = read_report(_run([client, "-R", "-x"], octets, env))
        if score is not None:
            return score
    if not program:
        raise FilterError(
            say("spamassassin is not installed on this computer"),
            advice=say("install the package spamassassin, or leave out the option"),
        )
    with TemporaryDirectory(prefix="pillarbox-") as home:
        # It keeps what it learns, and preferences of its own making, in the home directory.
        command = [program, "-x", "-L", "-t"]
        score = read_report(_run(command, octets, {**env, "HOME": home}))
    if score is None:
        raise FilterError(say("{program} gave no report", program="spamassassin"))
    return score


def _run(command: list[str], octets: bytes, env: Mapping[str, str]) -> str:
    """Return what a program prints; its words are in English for ``read_report``."""
    try:
        done = subprocess.run(
            command,
            input=octets,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**env, "LC_ALL": "C"},
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


def read_report(report: str) -> Score | None:
    """Return what the last report in a text says; None: there is none."""
    totals = list(_TOTAL.finditer(report))
    if not totals:
        return None
    hits: list[Hit] = []
    has_begun = False
    for line in report[totals[-1].end() :].splitlines():
        if _RULER.match(line):
            has_begun = True
        elif has_begun and (found := _HIT.match(line)):
            hits.append(Hit(found[2], float(found[1]), printable(found[3].strip())))
        elif has_begun and hits and (more := _MORE.match(line)):
            last = hits.pop()
            description = f"{last.description} {printable(more[1].strip())}"
            hits.append(Hit(last.name, last.points, description))
    return Score("spamassassin", float(totals[-1][1]), float(totals[-1][2]), tuple(hits))
