"""
Feed the reader of dates with what programs and people write.

The property: what is called a mail's date has a moment, and the one that Python's ``email`` reads
too; a moment that is written as a mail's date reads back; and a zone by name never has a meaning.

Allowed refusals: none; what cannot be read is None.
"""

from __future__ import annotations

from email.utils import mktime_tz, parsedate_tz

from pillarbox.mail.dates import read_date, read_mail_date
from pillarbox.mail.originate import format_date

SEEDS = [
    b"Tue, 24 Nov 2026 11:00:00 +0000",
    b"24 Nov 26 11:00 GMT",
    b"Tue, 24 Nov 2026 19:00:00 +0800 (CST)",
    b"Tue, 24 Nov 2026 19:00:00 CST",
    b"Tue Nov 24 19:00:00 CST 2026",
    b"2026-11-24T11:00:00Z",
    b"2026-11-24 11:00:00.123 +01:00",
    "2026年 11月 24日 星期二 19:00:00 CST".encode(),
    b"Tuesday, 24-Nov-26 11:00:00 UTC",
    b"29 Feb 2023 24:60:61 -9999",
    b"31 Dec 1969 23:59:59 +0000",
    b"(a (b) c) 1 Jan 0000 00:00:00 +0000 (",
]


def check(data: bytes) -> None:
    """Hold the property for the value of a Date."""
    value = data.decode("utf-8", "surrogateescape")
    moment = read_date(value)
    if read_mail_date(value) is not None:
        assert moment is not None
        if value.isascii() and "(" not in value:
            parsed = parsedate_tz(value)
            # A year of three digits counts from 1900 (RFC 5322 4.3), which the library ignores.
            is_known = parsed is not None and f"{parsed[0]:04}" in value.split()
            assert not is_known or mktime_tz(parsed) == moment, (parsed, moment)
    if moment is None:
        return
    assert moment == int(moment) or "." in value
    if 0 <= moment < 4_000_000_000:
        written = format_date(moment)
        assert read_mail_date(written) is not None
        assert read_date(written) == int(moment)
    for name in ("CST", "EST", "MEZ", "X") if "(" not in value else ():
        assert read_date(f"{value.rpartition(' ')[0]} {name}") is None, value


if __name__ == "__main__":
    from harness import run

    run(check, SEEDS)
