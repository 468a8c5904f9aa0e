"""
The measurement: every shape as msmtp sends it and as we send it, before both filters.

``python tests/scores/measure.py`` writes ``docs/reference/scores.md`` from it.
"""

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]

from corpus.sending import Senders, msmtp_version
from corpus.shape import Shape
from scores import spamassassin
from scores.points import Score
from scores.rspamd import Rspamd

__all__ = ["Measured", "Row", "measure"]


@dataclass(frozen=True)
class Row:
    """What both filters say of a shape as each program sends it."""

    shape: Shape
    spamassassin_of_msmtp: Score
    spamassassin: Score
    rspamd_of_msmtp: Score
    rspamd: Score

    @property
    def pairs(self):
        """For each filter its name, what it says of msmtp's, and what it says of ours."""
        return (
            ("SpamAssassin", self.spamassassin_of_msmtp, self.spamassassin),
            ("rspamd", self.rspamd_of_msmtp, self.rspamd),
        )


@dataclass(frozen=True)
class Measured:
    """A measurement: the versions of the programs, and a row for each shape."""

    msmtp: str
    spamassassin: str
    rspamd: str
    rows: list[Row]


def measure(shapes, home):
    """
    Return what both filters say of the shapes.

    Args:
        shapes: Of the corpus.
        home: An empty directory.

    """
    rspamd = Rspamd()
    # SpamAssassin takes the longest: it has one part while the next is being sent.
    half = (len(shapes) + 1) // 2
    with Senders(home) as senders, ThreadPoolExecutor(2) as beside:
        parts = []
        judged = []
        for send, some in (
            (senders.by_ours, shapes),
            (senders.by_msmtp, shapes[:half]),
            (senders.by_msmtp, shapes[half:]),
        ):
            parts.append([send(shape) for shape in some])
            judged.append(beside.submit(spamassassin.score_all, parts[-1]))
        try:
            ours, *theirs = [[rspamd.score(mail) for mail in part] for part in parts]
        finally:
            rspamd.stop()
        (version, of_ours), *of_theirs = [part.result() for part in judged]
    columns = (
        [score for _, scores in of_theirs for score in scores],
        of_ours,
        [score for scores in theirs for score in scores],
        ours,
    )
    rows = [Row(*row) for row in zip(shapes, *columns, strict=True)]
    return Measured(msmtp_version(), version, rspamd.version(), rows)


if __name__ == "__main__":
    from corpus.shapes import SHAPES
    from scores.page import PAGE, make_page
    from servers.process import wait_for_all

    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(make_page(measure(SHAPES, Path(folder))), encoding="utf-8")
    wait_for_all()
