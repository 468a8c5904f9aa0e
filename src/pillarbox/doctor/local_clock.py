"""
The clock: with a wrong one every certificate looks expired, or not valid yet.

A time server that this machine's own configuration names decides, when one answers; else the files
do, which were not written in the future. The rule to keep: one file with an odd date proves
nothing, for archives and copies bring dates along.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pillarbox
from pillarbox.doctor.certificate import day
from pillarbox.doctor.finding import FAULT, WARNING, Finding
from pillarbox.doctor.sntp import ask_time, configured_servers, offset_of
from pillarbox.mail.reply import printable
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.doctor.patient import Patient
    from pillarbox.doctor.sntp import Opinion

__all__ = ["CODES", "SET_CLOCK", "check_clock"]

CODES: tuple[str, ...] = ("clock.wrong", "clock.skewed", "clock.behind")

# Seconds: Kerberos gives five minutes, and no certificate is as exact; under half a minute there is
# nothing to see.
_WRONG_S = 300
_SKEWED_S = 30
# A file may be so much newer than now: time zones that were mixed up, a clock set back an hour.
_SLACK_S = 3 * 3600
_SNTP_S = 2.0

_DPKG = "/var/lib/dpkg/status"
_LOGS = "/var/log"


def check_clock(patient: Patient) -> Iterator[Finding]:
    """Compare the clock with the machine's time servers, or with its newest files."""
    servers = () if patient.is_offline else configured_servers(patient.root)
    opinions = ask_time(servers, min(_SNTP_S, patient.patience_s))
    offset_s = offset_of(opinions)
    if offset_s is None:
        yield from _by_files(patient)
        return
    patient.clock_offset_s = offset_s
    if abs(offset_s) < _SKEWED_S:
        return
    is_wrong = abs(offset_s) > _WRONG_S
    yield Finding(
        "clock.wrong" if is_wrong else "clock.skewed",
        FAULT if is_wrong else WARNING,
        _how_far(offset_s),
        meaning=say("certificates look expired or not valid yet, and mails carry a wrong date")
        if is_wrong
        else say("logins by time (tokens, Kerberos) begin to fail, and dates of mails are wrong"),
        fix=SET_CLOCK,
        evidence=(
            say("this machine: {time}", time=day(time.time())),
            *map(_said, opinions),
        ),
    )


SET_CLOCK = say(
    "set the clock: timedatectl set-ntp true (with chrony: chronyc makestep); then look at: "
    "timedatectl"
)


def _how_far(offset_s: float) -> str:
    span = _span(abs(offset_s))
    if offset_s > 0:
        return say("this machine's clock is {span} ahead", span=span)
    return say("this machine's clock is {span} behind", span=span)


def _span(seconds: float) -> str:
    """Return a span in the largest unit of which it has two."""
    if seconds >= 2 * 86400:
        return say("{count} days", count=round(seconds / 86400))
    if seconds >= 2 * 3600:
        return say("{count} hours", count=round(seconds / 3600))
    if seconds >= 2 * 60:
        return say("{count} minutes", count=round(seconds / 60))
    return say("{count} seconds", count=round(seconds))


def _said(opinion: Opinion) -> str:
    server, offset = printable(str(opinion.server)), f"{abs(opinion.offset_s):.1f}"
    path = opinion.server.path
    if opinion.offset_s < 0:
        return say(
            "{server} ({path}): our clock is {offset} s behind",
            server=server,
            path=path,
            offset=offset,
        )
    return say(
        "{server} ({path}): our clock is {offset} s ahead", server=server, path=path, offset=offset
    )


# -- files ------------------------------------------------------------------------------------


def _by_files(patient: Patient) -> Iterator[Finding]:
    """Yield that the clock is behind, where the machine's own files are newer than now."""
    now = time.time()
    newest = [
        found
        for found in (
            _newest(os.path.dirname(pillarbox.__file__)),
            _newest(patient.at(_DPKG)),
            _newest(patient.at(_LOGS)),
        )
        if found is not None and found[0] > now + _SLACK_S
    ]
    if not newest:
        return
    is_sure = len(newest) > 1
    when_s, path = max(newest)
    yield Finding(
        "clock.behind",
        FAULT if is_sure else WARNING,
        say(
            "this machine's clock says {now}, but {path} was written on {when}",
            now=day(now),
            path=path,
            when=day(when_s),
        ),
        meaning=say("the clock is behind: certificates look as if they were not valid yet"),
        fix=SET_CLOCK,
        evidence=[f"{path}: {day(when_s)}" for when_s, path in sorted(newest, reverse=True)],
    )


def _newest(place: str) -> tuple[float, str] | None:
    """Return when a file, or the newest of what is directly in a directory, was written."""
    found = []
    for path in (place, *_inside(place)):
        try:
            found.append((os.stat(path, follow_symlinks=False).st_mtime, path))
        except OSError:
            continue
    return max(found, default=None)


def _inside(path: str) -> list[str]:
    try:
        return [entry.path for entry in os.scandir(path)]
    except OSError:
        return []
