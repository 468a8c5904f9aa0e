"""Which Date is one, and which moment it names."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.mail.dates import read_date, read_mail_date
from pillarbox.mail.originate import format_date

TEN = 1_795_514_400  # Tue, 24 Nov 2026 10:00:00 +0000

MAIL_DATES = [
    ("Tue, 24 Nov 2026 10:00:00 +0000", TEN),
    ("Tue, 24 Nov 2026 18:00:00 +0800", TEN),
    ("Tue, 24 Nov 2026 06:30:00 -0330", TEN),
    ("Tue, 24 Nov 2026 10:00:59 -0000", TEN + 59),
    ("24 Nov 2026 10:00 +0000", TEN),
    ("tue, 24 nov 2026 10:00:00 gmt", TEN),
    ("Tue,24 Nov 2026 10:00:00 UT", TEN),
    ("Tue, 24 Nov 26 10:00:00 Z", TEN),
    ("Tue, 24 Nov 126 10:00:00 +0000", TEN),
    ("Tue, 24 Nov 2026 18:00:00 +0800 (CST)", TEN),
    ("(a (b) c) Tue, 24 Nov (\\)) 2026 10:00:00 +0000", TEN),
    ("  Tue ,  24 Nov 2026  10:00:00   +0000 ", TEN),
    ("Thu, 01 Jan 1970 00:00:00 +0000", 0),
    ("Thu, 29 Feb 2024 00:00:00 +0000", 1_709_164_800),
    ("Tue, 29 Feb 2000 00:00:00 +0000", 951_782_400),
    ("Sat, 31 Dec 2016 23:59:60 +0000", 1_483_228_800),
    ("1 Jan 49 00:00 +0000", 2_493_072_000),
    ("1 Jan 50 00:00 +0000", -631_152_000),
]


@pytest.mark.parametrize(("value", "epoch_s"), MAIL_DATES)
def test_reads_the_form_of_mail(value, epoch_s):
    """RFC 5322 3.3, and the old forms of 4.3 that have one meaning."""
    assert read_mail_date(value) is not None
    assert read_date(value) == epoch_s


ISO_DATES = [
    ("2026-11-24 10:00:00Z", TEN),
    ("2026-11-24T10:00Z", TEN),
    ("2026-11-24t10:00:00z", TEN),
    ("2026-11-24T18:00:00+08:00", TEN),
    ("2026-11-24 18:00:00 +0800", TEN),
    ("2026-11-24T06:30:00.123456-03:30", TEN),
]


@pytest.mark.parametrize(("value", "epoch_s"), ISO_DATES)
def test_reads_a_moment_that_is_no_date_of_mail(value, epoch_s):
    """ISO 8601 with a zone says a moment, though not in the form of mail."""
    assert read_mail_date(value) is None
    assert read_date(value) == epoch_s


NOTHING = [
    "",
    "x",
    "now",
    "1795514400",
    # A zone by name, or none.
    "Tue, 24 Nov 2026 10:00:00 CST",
    "Tue, 24 Nov 2026 10:00:00 MEZ",
    "Tue, 24 Nov 2026 10:00:00",
    "Tue Nov 24 10:00:00 CST 2026",
    "Tue Nov 24 10:00:00 2026",
    "2026-11-24 10:00:00",
    "2026-11-24",
    "2026-11-24 11:00:00.123 MEZ",
    "2026-11-24 11:00:00.1x+0000",
    "Tue, 24 Nov 2026 10:00:00 +8",
    "Tue, 24 Nov 2026 10:00:00 +0860",
    "Tue, 24 Nov 2026 10:00:00 +2500",
    "Tue, 24 Nov 2026 10:00:00 0800",
    # Other languages.
    "Di, 24 Nov 2026 10:00:00 +0100",
    "Tue, 24 Dez 2026 10:00:00 +0100",
    "2026年11月24日",
    "Tue, ２４ Nov 2026 10:00:00 +0000",
    # No such day or time.
    "Tue, 31 Nov 2026 10:00:00 +0000",
    "Sun, 29 Feb 2026 10:00:00 +0000",
    "Thu, 29 Feb 1900 10:00:00 +0000",
    "Tue, 0 Nov 2026 10:00:00 +0000",
    "Tue, 24 Nov 2026 24:00:00 +0000",
    "Tue, 24 Nov 2026 10:60:00 +0000",
    "Tue, 24 Nov 2026 10:00:61 +0000",
    "Tue, 24 Nov 1899 10:00:00 +0000",
    "Tue, 24 Nov 2026 10 +0000",
    "2026-13-24T10:00:00Z",
    "Tue, 24 Nov 2026 -1:00:00 +0000",
    "Tue, 24 Nov " + "9" * 5000 + " 10:00:00 +0000",
]


@pytest.mark.parametrize("value", NOTHING, ids=lambda value: value[:40])
def test_guesses_nothing(value):
    """What may mean several moments, or none, means none."""
    assert read_date(value) is None
    assert read_mail_date(value) is None


MOMENTS = st.integers(-2_208_988_800 + 86_400, 253_402_300_799 - 86_400)


@given(MOMENTS)
@settings(max_examples=150)
def test_agrees_with_the_standard_library(epoch_s):
    """Any moment from 1900 to 9999 is read as Python reads it."""
    moment = datetime.fromtimestamp(epoch_s, UTC)
    assert read_date(moment.strftime("%d %b ") + f"{moment.year:04} {moment:%T} +0000") == epoch_s
    assert read_date(f"{moment.isoformat()}") == epoch_s


@given(st.integers(0, 4_000_000_000))
@settings(max_examples=50)
def test_reads_what_we_write(epoch_s):
    """The Date that is added is one, of that second."""
    date = format_date(epoch_s)
    assert read_mail_date(date) is not None
    assert read_date(date) == epoch_s == parsedate_to_datetime(date).timestamp()


@given(st.text(st.sampled_from("0123456789:-+TZ., ()\\NovTueGMT\udcff²"), max_size=40))
@settings(max_examples=200)
def test_any_text_is_read_or_is_none(text):
    """No text raises."""
    assert read_mail_date(text) in (None, read_date(text))
