"""Time servers: which may be asked, and what of their answers is believed."""

from __future__ import annotations

import time

import pytest

from pillarbox.doctor.sntp import (
    Opinion,
    TimeServer,
    _time_in,
    ask_time,
    configured_servers,
    offset_of,
)
from time_servers import packet_for, time_server

LONG_S = 5.0
SHORT_S = 0.3


# -- asking ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead_s", [0, 3600, -86400 * 400, 86400 * 365 * 5])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_offset(ahead_s, host):
    """How far our clock is ahead is what the server's is behind."""
    with time_server(lambda question: [packet_for(question, ahead_s)], host) as server:
        (opinion,) = ask_time([server], LONG_S)
    assert opinion.server == server
    assert opinion.offset_s == pytest.approx(-ahead_s, abs=1)


def test_the_question_is_of_a_client():
    """Version 4, mode 3, 48 octets, and nothing in it but what the answer is known by."""
    heard = []

    def answer(question):
        heard.append(question)
        return [packet_for(question)]

    with time_server(answer) as server:
        ask_time([server], LONG_S)
        ask_time([server], LONG_S)
    assert [question[:40] for question in heard] == [b"\x23" + bytes(39)] * 2
    assert heard[0][40:] != heard[1][40:]
    assert len(heard[0]) == 48


BAD = [
    {"cookie": b"guessed!"},
    {"mode": 3},
    {"mode": 5},
    {"leap": 3},
    {"stratum": 0},  # a kiss of death (RFC 5905 7.4)
    {"stratum": 16},
    {"transmitted": 0},
]


@pytest.mark.parametrize("changes", BAD, ids=str)
def test_attack_an_answer_that_is_none(changes):
    """Attack: a forged or unsynchronized answer is passed over; the next one may be right."""
    with time_server(
        lambda question: [
            packet_for(question, 86400, **changes),
            packet_for(question, 86400)[:47],
            packet_for(question, 3600),
        ]
    ) as server:
        (opinion,) = ask_time([server], LONG_S)
    assert opinion.offset_s == pytest.approx(-3600, abs=1)


def test_silence():
    """Nobody answers: it ends with the patience, however many were asked."""
    with time_server(lambda _: []) as one, time_server(lambda _: []) as other:
        start = time.monotonic()
        assert ask_time([one, other], SHORT_S) == ()
        assert time.monotonic() - start < SHORT_S + 1


def test_nobody_listens():
    """A port that is closed, and a name that is none."""
    with time_server(lambda _: []) as server:
        closed = TimeServer("127.0.0.1", server.port, "")
    assert ask_time([closed, TimeServer("no name", 123, "")], LONG_S) == ()


def test_four_are_asked():
    """A pool of forty is not."""
    asked = []

    def answer(question):
        asked.append(question)
        return [packet_for(question)]

    with time_server(answer) as server:
        assert len(ask_time([server] * 9, LONG_S)) == 4
    assert len(asked) == 4


def test_after_2036():
    """NTP begins anew in 2036: the era is the one that is near our own clock."""
    with time_server(lambda question: [packet_for(question, 86400 * 365 * 20)]) as server:
        (opinion,) = ask_time([server], LONG_S)
    assert opinion.offset_s == pytest.approx(-86400 * 365 * 20, abs=1)


def test_after_2036_with_a_clock_that_begins_in_1970():
    """A board without a battery is in another era altogether."""
    in_2040 = 2_208_988_800.0
    packet = packet_for(b"x" * 48, in_2040 - time.time())
    assert _time_in(packet, b"x" * 8, 0.0) == pytest.approx(in_2040, abs=1)


@pytest.mark.parametrize(
    ("offsets", "expected"), [([], None), ([5.0], 5.0), ([1.0, 2.0, 9e9], 2.0), ([1.0, 3.0], 2.0)]
)
def test_the_middle_opinion(offsets, expected):
    """One liar of three changes nothing."""
    server = TimeServer("h", 123, "")
    assert offset_of([Opinion(server, offset) for offset in offsets]) == expected


# -- who may be asked --------------------------------------------------------------------------

FILES = [
    ({}, []),
    ({"etc/systemd/timesyncd.conf": "[Time]\n#NTP=\n#FallbackNTP=ntp.ubuntu.com\n"}, []),
    (
        {"etc/systemd/timesyncd.conf": "[Time]\nNTP=a.example b.example\n"},
        ["a.example", "b.example"],
    ),
    (
        {"etc/systemd/timesyncd.conf": "[Time]\nFallbackNTP=f.example\nNTP=a.example\n"},
        ["a.example"],
    ),
    ({"etc/systemd/timesyncd.conf": "[Time]\nFallbackNTP=f.example\n"}, ["f.example"]),
    (
        {
            "etc/systemd/timesyncd.conf": "[Time]\nNTP=a.example\n",
            "etc/systemd/timesyncd.conf.d/50-cloud.conf": "[Time]\nNTP=\nNTP=b.example\n",
            "etc/systemd/timesyncd.conf.d/readme.txt": "NTP=c.example\n",
        },
        ["b.example"],
    ),
    ({"usr/lib/systemd/timesyncd.conf.d/x.conf": "[Time]\nNTP = a.example\n"}, ["a.example"]),
    (
        {
            "etc/chrony/chrony.conf": "! old\nserver a.example iburst port 1123\n"
            "pool b.example iburst maxsources 4\npeer c.example\nserver\ndriftfile /x\n"
        },
        ["a.example:1123", "b.example", "c.example"],
    ),
    ({"etc/chrony.conf": "SERVER a.example port x\nserver b.example port 70000\n"},
     ["a.example", "b.example"]),
    ({"etc/chrony/sources.d/lab.sources": "server 127.0.0.1 port 10123\n"}, ["127.0.0.1:10123"]),
    ({"etc/chrony/conf.d/lab.conf": "server a.example\n"}, ["a.example"]),
    (
        {
            "etc/ntp.conf": "server -4 a.example\nserver 127.127.1.0\n"
            "# server c.example\nserver -6\n"
        },
        ["a.example"],
    ),
    ({"etc/ntpsec/ntp.conf": "pool a.example iburst\n"}, ["a.example"]),
    (
        {"etc/chrony/chrony.conf": "server a.example\n", "etc/ntp.conf": "server a.example\n"},
        ["a.example"],
    ),
    ({"etc/chrony/chrony.conf": b"server \xff.example\nserver a.example\n"},
     ["\ufffd.example", "a.example"]),
]  # fmt: skip


@pytest.mark.parametrize(("files", "expected"), FILES)
def test_configured_servers(tmp_path, files, expected):
    """Those that somebody wrote down, and nobody else."""
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert [str(server) for server in configured_servers(str(tmp_path))] == expected


def test_a_name_from_a_file_knows_its_file(tmp_path):
    """So that a person finds it."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/ntp.conf").write_text("server a.example\n")
    (server,) = configured_servers(str(tmp_path))
    assert server.path == f"{tmp_path}/etc/ntp.conf"


def test_a_file_that_cannot_be_read(tmp_path):
    """A directory in its place is no configuration."""
    (tmp_path / "etc/ntp.conf").mkdir(parents=True)
    assert configured_servers(str(tmp_path)) == ()
