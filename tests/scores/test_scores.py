"""Filters like every mail of the corpus at least as well from us as from msmtp."""

import os

import pytest

from corpus.shapes import SHAPES
from scores.measure import Measured, Row, measure
from scores.page import PAGE, make_page, read_page
from scores.points import Score

# A filter's sum of weights that are rounded on the way.
_TOLERANCE = 0.01

# Each shape is judged four times, which takes a while.
_JUDGED = SHAPES if os.environ.get("PILLARBOX_ALL_POINTS") else SHAPES[::4]


def _worse(measured):
    """Return a line for each score of ours that is above msmtp's."""
    return [
        f"{row.shape.name}: {name} says {ours} of ours and {theirs} of msmtp's"
        for row in measured.rows
        for name, theirs, ours in row.pairs
        if ours.points > theirs.points + _TOLERANCE
    ]


@pytest.mark.sliced(1)  # itself takes a part of the shapes
@pytest.mark.usefixtures("filters")
def test_no_shape_scores_worse_than_from_msmtp(tmp_path):
    """SpamAssassin and rspamd give no mail of ours more points than msmtp's of the same input."""
    measured = measure(_JUDGED, tmp_path)
    assert [row.shape for row in measured.rows] == list(_JUDGED)
    worse = _worse(measured)
    assert not worse, "\n".join(worse)
    # And the filters do see the difference: this cannot pass because nothing was judged.
    gains = [theirs.points - ours.points for row in measured.rows for _, theirs, ours in row.pairs]
    assert sum(gains) > len(_JUDGED)
    assert read_page(make_page(measured)).keys() == {shape.name for shape in _JUDGED}


@pytest.mark.usefixtures("filters")
def test_the_mail_of_the_tutorials_has_no_point(tmp_path):
    """A Subject and two characters, as every tutorial has them, are no spam in any filter."""
    tutorial = next(shape for shape in SHAPES if shape.name == "tutorial")
    (row,) = measure([tutorial], tmp_path).rows
    assert row.spamassassin.points == 0.0, row.spamassassin
    assert row.rspamd.points <= 0.0, row.rspamd
    assert row.spamassassin_of_msmtp.points > 1.0
    assert row.rspamd_of_msmtp.points > 4.0


def test_the_page_of_scores_names_every_shape_and_is_as_good_as_it_says():
    """The page has a row for each shape of the corpus, none of them worse than msmtp's."""
    found = read_page(PAGE.read_text(encoding="utf-8"))
    assert list(found) == [shape.name for shape in SHAPES], "run: python tests/scores/measure.py"
    for name, (spamassassin_of_msmtp, spamassassin, rspamd_of_msmtp, rspamd) in found.items():
        assert spamassassin <= spamassassin_of_msmtp + _TOLERANCE, name
        assert rspamd <= rspamd_of_msmtp + _TOLERANCE, name
    assert found["tutorial"][1] == 0.0
    assert found["tutorial"][3] <= 0.0


def test_a_score_tells_what_it_is_for():
    """A failure names the rules that gave the points."""
    assert str(Score(2.9, (("MISSING_DATE", 2.739), ("TINY", 0.001)))) == "2.9 (MISSING_DATE 2.739)"


def test_a_shape_that_scores_worse_is_told():
    """A point more in one of the filters is found, named, and on the page."""
    shape = SHAPES[0]
    good, bad = Score(1.0, (("OLD", 1.0),)), Score(1.02, (("NEW", 1.02),))
    rows = [Row(shape, good, bad, good, good), Row(shape, bad, good, good, Score(1.009))]
    measured = Measured("1", "2", "3", rows)
    assert _worse(measured) == [
        f"{shape.name}: SpamAssassin says 1.0 (NEW 1.02) of ours and 1.0 (OLD 1) of msmtp's"
    ]
    page = make_page(Measured("1", "2", "3", rows[:1]))
    assert read_page(page) == {shape.name: (1.0, 1.02, 1.0, 1.0)}
    assert "| SpamAssassin: NEW 1.0; rspamd: OLD 1.0 |" in page
