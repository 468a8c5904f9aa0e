"""The clock: a time server of the machine's own decides, else its files do."""

from __future__ import annotations

import os
import time

import pytest

from patients import findings_of
from pillarbox.config.load import Wishes
from pillarbox.doctor.finding import FAULT, WARNING
from pillarbox.doctor.local_clock import CODES, check_clock
from pillarbox.doctor.patient import Patient
from time_servers import packet_for, time_server

DAY_S = 86400


def machine(folder, *servers, files=()):
    """Return a patient whose machine has these time servers, and files that much newer than now."""
    for name, ahead_s in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        os.utime(path, (time.time() + ahead_s,) * 2)
    (folder / "etc").mkdir(exist_ok=True)
    lines = [f"server {server.host} port {server.port}\n" for server in servers]
    (folder / "etc/chrony.conf").write_text("".join(lines))
    return Patient(Wishes({}, env={}), root=str(folder), patience_s=0.5)


def find(patient):
    """Return the one finding."""
    (finding,) = findings_of(check_clock, patient)
    assert finding.code in CODES
    assert finding.fix
    return finding


def server_ahead(seconds):
    """Serve a time that is ahead of ours."""
    return time_server(lambda question: [packet_for(question, seconds)])


# -- time servers ------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead_s", [0, 20, -20])
def test_a_clock_that_is_right(tmp_path, ahead_s):
    """Half a minute is nothing; what was measured is kept."""
    with server_ahead(ahead_s) as server:
        patient = machine(tmp_path, server)
        assert findings_of(check_clock, patient) == []
    assert patient.clock_offset_s == pytest.approx(-ahead_s, abs=1)


@pytest.mark.parametrize(
    ("ahead_s", "words"),
    [
        (3 * DAY_S, "3 days behind"),
        (-4 * 3600, "4 hours ahead"),
        (-600, "10 minutes ahead"),
        (400 * DAY_S, "400 days behind"),
    ],
)
def test_wrong(tmp_path, ahead_s, words):
    """More than five minutes: how far and in which direction, and who says so."""
    with server_ahead(ahead_s) as server:
        patient = machine(tmp_path, server)
        finding = find(patient)
        assert f"127.0.0.1:{server.port} ({tmp_path}/etc/chrony.conf)" in finding.evidence[1]
    assert (finding.code, finding.severity) == ("clock.wrong", FAULT)
    assert words in finding.problem
    direction = words.split()[-1]
    assert finding.evidence[1].endswith(f" s {direction}")
    assert "-" not in finding.evidence[1].rpartition("our clock")[2]
    assert patient.clock_offset_s == pytest.approx(-ahead_s, abs=1)


@pytest.mark.parametrize(
    ("ahead_s", "words"), [(60, "60 seconds behind"), (-200, "3 minutes ahead")]
)
def test_skewed(tmp_path, ahead_s, words):
    """Some minutes break no certificate."""
    with server_ahead(ahead_s) as server:
        finding = find(machine(tmp_path, server))
    assert (finding.code, finding.severity) == ("clock.skewed", WARNING)
    assert words in finding.problem


def test_one_liar_of_three(tmp_path):
    """The middle opinion counts."""
    with server_ahead(0) as one, server_ahead(0) as two, server_ahead(DAY_S) as liar:
        assert findings_of(check_clock, machine(tmp_path, one, liar, two)) == []


def test_a_server_goes_before_files(tmp_path):
    """A file from the future proves nothing against a time server."""
    files = [("var/lib/dpkg/status", DAY_S), ("var/log/syslog", DAY_S)]
    with server_ahead(0) as server:
        assert findings_of(check_clock, machine(tmp_path, server, files=files)) == []


def test_offline_nobody_is_asked(tmp_path):
    """Where nothing may be asked of the network, a time server is no exception."""
    asked = []

    def answer(question):
        asked.append(question)
        return [packet_for(question, DAY_S)]

    with time_server(answer) as server:
        patient = machine(tmp_path, server)
        patient.is_offline = True
        assert findings_of(check_clock, patient) == []
    assert asked == []
    assert patient.clock_offset_s is None


# -- files -------------------------------------------------------------------------------------

STATUS, LOG = "var/lib/dpkg/status", "var/log/syslog"


def test_behind(tmp_path):
    """Two that know nothing of each other are newer than now: the clock is behind."""
    finding = find(machine(tmp_path, files=[(STATUS, 30 * DAY_S), (LOG, 31 * DAY_S)]))
    assert (finding.code, finding.severity) == ("clock.behind", FAULT)
    assert f"{tmp_path}/{LOG} was written on" in finding.problem
    assert [line.partition(": ")[0] for line in finding.evidence] == [
        f"{tmp_path}/{LOG}",
        f"{tmp_path}/{STATUS}",
    ]


@pytest.mark.parametrize("name", [STATUS, LOG])
def test_one_file_is_a_doubt(tmp_path, name):
    """It may have been copied with its date."""
    finding = find(machine(tmp_path, files=[(name, DAY_S)]))
    assert (finding.code, finding.severity) == ("clock.behind", WARNING)


def test_behind_with_a_server_that_is_silent(tmp_path):
    """Where the time server does not answer, the files are what there is."""
    with time_server(lambda _: []) as server:
        files = [(STATUS, DAY_S), (LOG, DAY_S)]
        assert find(machine(tmp_path, server, files=files)).code == "clock.behind"


@pytest.mark.parametrize("files", [(), [(STATUS, -DAY_S), (LOG, 0)], [(STATUS, 7200), (LOG, 7200)]])
def test_files_that_are_no_evidence(tmp_path, files):
    """Older, as new as now, or an hour off by a time zone."""
    assert findings_of(check_clock, machine(tmp_path, files=files)) == []


def test_the_programs_own_files_count(tmp_path, monkeypatch):
    """They were not written in the future either: with the package list there are two."""
    patient = machine(tmp_path, files=[(STATUS, 0)])
    monkeypatch.setattr(time, "time", lambda: 981_173_106.0)  # 2001-02-03
    finding = find(patient)
    assert (finding.code, finding.severity) == ("clock.behind", FAULT)
    assert len(finding.evidence) == 2
    assert "says 2001-02-03 04:05 UTC" in finding.problem
