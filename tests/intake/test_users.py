"""What the gate asks of this host: its users, and whose rules are whose."""

from __future__ import annotations

import dataclasses
import grp
import os
import pwd
from types import SimpleNamespace

import pytest

from pillarbox.config.places import find_places
from pillarbox.config.service import parse_service
from pillarbox.intake import users
from pillarbox.intake.users import Host
from pillarbox.spool.memory import Memory

JOE, ANN, GHOST = 1000, 1001, 4711


class Clock:
    """A clock that a test turns."""

    now_s = 50.0

    def elapsed_s(self):
        """Return what a test says."""
        return self.now_s


@pytest.fixture
def asked(monkeypatch):
    """Have two users and two groups in the world; return the ids that were asked for."""
    ids = []
    names = {JOE: "Joe", ANN: "ann"}
    groups = {10: "wheel", 20: "mail"}

    def getpwuid(uid):
        ids.append(uid)
        if uid not in names:
            raise KeyError(uid)
        return SimpleNamespace(pw_name=names[uid], pw_gid=10)

    def getgrgid(gid):
        if gid not in groups:
            raise KeyError(gid)
        return SimpleNamespace(gr_name=groups[gid])

    monkeypatch.setattr(pwd, "getpwuid", getpwuid)
    monkeypatch.setattr(grp, "getgrgid", getgrgid)
    found = {"Joe": [10, 20, 99], "ann": []}
    monkeypatch.setattr(os, "getgrouplist", lambda name, _: found[name])
    return ids


def host(senders=None):
    """Return a host with rules about senders."""
    service = parse_service({}, find_places({"HOME": "/"}, is_user=True))
    # Not by the reader of settings, which knows only users that there are.
    rules = {name: tuple(patterns) for name, patterns in (senders or {}).items()}
    service = dataclasses.replace(service, senders=rules)
    spool = Memory()
    spool.open()
    return Host(
        service,
        spool,
        Clock(),
        "Host.Example.org",
        share_of=lambda uid: (uid, 2 * uid),
        count=lambda: 7,
    )


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("senders", "uid", "expected"),
    [
        ({"Joe": ["a@x.example"]}, JOE, ("a@x.example",)),
        ({"Joe": ["a@x.example"]}, ANN, None),
        ({"1000": ["a@x.example"]}, JOE, ("a@x.example",)),
        ({"4711": ["a@x.example"]}, GHOST, ("a@x.example",)),
        (
            {"@mail": ["m@x.example"], "@wheel": ["w@x.example"]},
            JOE,
            ("w@x.example", "m@x.example"),
        ),
        ({"@mail": ["m@x.example"], "*": ["o@x.example"]}, ANN, ("o@x.example",)),
        ({"*": ["o@x.example"]}, GHOST, ("o@x.example",)),
    ],
)
def test_rules_are_found_by_name_number_and_group(senders, uid, expected):
    """Attack L6: a user without a name is one too, and is not let past by that."""
    assert host(senders).patterns(uid) == expected


@pytest.mark.usefixtures("asked")
def test_a_user_is_known_by_his_local_names():
    """In lower case, with and without the name of this computer."""
    assert host().names(JOE) == {"joe", "joe@host.example.org", "joe@localhost"}
    assert host().names(GHOST) == frozenset()


def test_a_login_has_an_id_of_its_own_and_the_rules_of_its_name(asked):
    """It is never a user's id, is the same at each start, and nobody is looked up for it."""
    subject = host({"app": ["a@x.example"], "*": ["o@x.example"]})
    ids = {subject.id_of(name) for name in ("app", "other", "at 192.0.2.1")}
    assert len(ids) == 3
    assert max(ids) < -1
    assert host().id_of("app") == subject.id_of("app")
    assert subject.patterns(subject.id_of("app")) == ("a@x.example",)
    assert subject.patterns(subject.id_of("other")) == ("o@x.example",)
    assert subject.names(subject.id_of("App")) == {"app", "app@host.example.org", "app@localhost"}
    assert asked == []


def test_the_user_database_is_believed_for_some_minutes(asked):
    """It may be a server somewhere else."""
    subject = host({"Joe": ["a@x.example"]})
    for _ in range(3):
        subject.patterns(JOE)
        subject.names(JOE)
    assert asked == [JOE]
    subject._clock.now_s += 301.0
    subject.patterns(JOE)
    assert asked == [JOE, JOE]


def test_what_is_remembered_has_an_end(asked, monkeypatch):
    """Attack: with user namespaces one user has thousands of ids."""
    monkeypatch.setattr(users, "_MAX_USERS", 10)
    subject = host()
    for uid in range(2000, 2100):
        subject.names(uid)
    assert len(subject._known) <= 10
    assert len(asked) == 100


def test_the_rest_is_passed_on():
    """Shares, count, room and time are somebody else's knowledge."""
    subject = host()
    assert subject.owner_share(3) == (3, 6)
    assert subject.queue_count() == 7
    assert subject.elapsed_s() == 50.0
    assert subject.room() == subject._spool.room()
    assert not subject.has_patterns()
    assert host({"*": []}).has_patterns()


def test_the_real_database_knows_root():
    """Nobody has to be there but root."""
    subject = host({"root": ["r@x.example"]})
    assert subject.patterns(0) == ("r@x.example",)
