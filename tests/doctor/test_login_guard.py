"""A doctor who looks again and again does not lock the account."""

import json
import threading
from contextlib import suppress

import pytest

from patients import patient_of
from pillarbox.doctor import refused_logins
from pillarbox.doctor.examination import Check, examine
from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.doctor.login_guard import BY_PERSON, BY_PROGRAM, BY_WATCH, LoginGuard
from pillarbox.doctor.refused_logins import (
    Refusals,
    Turn,
    load_refusals,
    save_refusals,
    state_path,
)
from pillarbox.text import localize, say

HOUR_S = 3600.0
CODES = ("login.refused", "login.quiet", "login.closed", "login.garbled", "login.unasked")


class Clinic:
    """Examinations of one account, at whose server a login comes to what it is told to."""

    def __init__(self, folder, same_max=BY_WATCH, env=None):
        self.folder = folder
        self.now_s = 1_790_000_000.0
        self.same_max = same_max
        self.env = env or {}
        self.guard = self.start()
        self.logins = 0
        self.password = "first"
        self.user = "user@example.org"
        self.answer = "login.refused"
        self.is_tried = True
        self.has_network = True
        self.service = ()
        self.is_killed = False

    def start(self):
        """Return a guard as each new process has one."""
        self.guard = LoginGuard(self.same_max, self.env, epoch_s=lambda: self.now_s)
        return self.guard

    def look(self, **settings):
        """Make one examination; return the codes of the login."""
        return [finding.code for finding in self.findings(**settings)]

    def findings(self, **settings):
        """Make one examination; return what it says of the login, now and at the end."""
        patient = patient_of(self.folder, user=self.user, password=self.password, **settings)
        needs = ("secret", "tls")
        checks = [
            Check("secret", "s", lambda _: ()),
            Check("service", "v", lambda _: self.service, codes=["service.paused"]),
            Check("tls", "t", self._tls, codes=["tls.x"]),
            Check("login", "l", self._login, needs=needs, codes=CODES),
            Check("sender", "x", lambda _: (), needs=("login",)),
        ]
        told = {}

        def tell(result):
            self.guard.hear(result, patient)
            told[result.check.name] = self.guard.known(result)

        try:
            found = self.guard.as_known(examine(patient, checks, tell)).results
        finally:
            self.guard.end()
        assert told["login"] == found[3]
        return found[3].findings

    def _tls(self, _patient):
        if not self.has_network:
            yield Finding("tls.x", FAULT, "none")

    def _login(self, patient):
        if not patient.may_log_in:
            yield Finding("login.unasked", NOTE, "not tried", is_end=True)
            return
        self.logins += 1
        if self.is_killed:
            raise KeyboardInterrupt
        if self.is_tried:
            patient.dialogue = ("<-- 220 x", "--> AUTH PLAIN ***")
        if self.answer:
            problem = say("{host} refuses the connection", host="host")
            yield Finding(self.answer, FAULT, problem, evidence=("535 no",))


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    """Make marks quickly: how long one takes is no matter of these tests."""
    monkeypatch.setattr(refused_logins, "_ROUNDS", 1)


@pytest.fixture
def clinic(tmp_path):
    """Return one that watches, and forgets at the end."""
    return Clinic(tmp_path)


@pytest.fixture
def home(tmp_path):
    """Return an environment with a home."""
    (tmp_path / "home").mkdir()
    return {"HOME": str(tmp_path / "home")}


def test_a_refused_login_is_not_tried_again(clinic):
    """Attack on availability: a watch with a wrong password would lock the account for a day."""
    for _ in range(280):
        assert clinic.look() == ["login.refused"]
        clinic.now_s += 300
    assert clinic.logins == 1


def test_after_a_day_it_is_tried_once_more(clinic):
    """Somebody may have mended it in the provider's console."""
    clinic.look()
    clinic.now_s += 24 * HOUR_S
    clinic.answer = ""
    assert clinic.look() == []
    assert clinic.logins == 2


@pytest.mark.parametrize("changed", ["password", "user"])
def test_another_login_is_tried(clinic, changed):
    """As soon as the password, or a setting of the account, is another one."""
    clinic.look()
    setattr(clinic, changed, "second@example.org")
    clinic.answer = ""
    assert clinic.look() == []
    assert clinic.logins == 2


def test_a_file_that_is_written_anew_is_no_other_login(clinic):
    """What counts is what would be tried, not when somebody touched it."""
    clinic.look()
    clinic.look()  # ``patient_of`` has written the file again
    assert clinic.logins == 1


def test_seven_refusals_a_day_are_enough(clinic):
    """Whatever changes: a token that is new each time would lock the account as well."""
    for number in range(30):
        clinic.password = f"password {number}"
        assert clinic.look() == ["login.refused"]
        clinic.now_s += 300
    assert clinic.logins == 7
    clinic.now_s += 24 * HOUR_S
    clinic.password = "another"
    clinic.look()
    assert clinic.logins == 8


@pytest.mark.parametrize("answer", ["login.quiet", "login.closed", "login.garbled"])
def test_a_login_without_a_clear_answer_is_tried_again_much_later(clinic, answer):
    """The provider may have counted it."""
    clinic.answer = answer
    for _ in range(24):
        clinic.look()
        clinic.now_s += HOUR_S
    assert clinic.logins == 6


def test_a_login_that_was_not_tried_does_not_count(clinic):
    """A server that closed the connection before it knows of no wrong password."""
    clinic.answer, clinic.is_tried = "login.closed", False
    for _ in range(20):
        clinic.look()
    assert clinic.logins == 20


def test_a_login_that_works_is_tried_each_time(clinic):
    """That is what the watch is for; what was refused before is forgotten."""
    clinic.look()
    clinic.password, clinic.answer = "second", ""
    for _ in range(5):
        assert clinic.look() == []
    clinic.password, clinic.answer = "first", "login.refused"
    clinic.look()
    assert clinic.logins == 7


def test_a_network_that_fails_meanwhile_does_not_make_it_forget(clinic):
    """When it is back, the same login is as wrong as before."""
    clinic.look()
    clinic.has_network = False
    assert clinic.look() == []  # not made
    clinic.has_network = True
    assert clinic.look() == ["login.refused"]
    assert clinic.logins == 1


def test_where_no_login_is_wanted_none_is_remembered(clinic):
    """What --no-login comes to is said as it is."""
    assert clinic.look(may_log_in=False) == ["login.unasked"]
    assert clinic.logins == 0
    assert clinic.look() == clinic.look() == ["login.refused"]
    assert clinic.look(may_log_in=False) == ["login.unasked"]
    assert clinic.logins == 1


# -- from one process to the next ------------------------------------------------------------------


def test_monitoring_does_not_lock_the_account(tmp_path, home):
    """Attack on availability: a wrong password, and a monitoring system every five minutes."""
    clinic = Clinic(tmp_path, BY_PROGRAM, home)
    for _ in range(280):
        clinic.start()
        assert clinic.look() == ["login.refused"]
        clinic.now_s += 300
    assert clinic.logins == 3


def test_between_the_tries_of_a_program_are_hours(tmp_path, home):
    """A provider that is ill says that the password is wrong; it is well again the same day."""
    clinic = Clinic(tmp_path, BY_PROGRAM, home)
    tried = []
    for hour in range(26):
        before = clinic.logins
        clinic.start()
        clinic.look()
        if clinic.logins > before:
            tried.append(hour)
        clinic.now_s += HOUR_S
    assert tried == [0, 1, 7, 24]


def test_where_nothing_can_be_remembered_a_program_does_not_log_in(tmp_path):
    """Attack on availability: monitoring without a home, which would forget each refusal."""
    (tmp_path / "file").write_text("")
    for env in ({}, {"HOME": "/nonexistent"}, {"XDG_STATE_HOME": str(tmp_path / "file")}):
        clinic = Clinic(tmp_path, BY_PROGRAM, env)
        (finding,) = clinic.findings()
        assert (finding.code, finding.severity, finding.is_end) == ("login.unasked", WARNING, True)
        assert "HOME" in finding.fix
        assert clinic.logins == 0
        clinic.same_max = BY_PERSON
        clinic.start()
        assert clinic.look() == ["login.refused"]


def test_a_folder_that_is_full_is_one_that_remembers_nothing(tmp_path, home):
    """The folder is there, and the file cannot be written."""
    path = tmp_path / "home/.local/state/pillarbox/refused-logins"
    path.mkdir(parents=True)  # nothing can take its place
    clinic = Clinic(tmp_path, BY_PROGRAM, home)
    assert clinic.look() == ["login.unasked"]
    assert clinic.logins == 0
    assert [each.name for each in path.parent.iterdir()] == ["refused-logins"]


def test_a_doctor_who_is_killed_remembers_that_he_tried(tmp_path, home):
    """Attack on availability: a late answer to a wrong password, and monitoring that kills."""
    clinic = Clinic(tmp_path, BY_PROGRAM, home)
    clinic.is_killed = True
    for _ in range(288):
        clinic.start()
        with suppress(KeyboardInterrupt):
            clinic.look()
        clinic.now_s += 300
    assert clinic.logins <= 7
    clinic.start()
    (finding,) = clinic.findings()
    assert (finding.code, finding.severity) == ("login.quiet", FAULT)
    assert "60 seconds" in finding.fix


def test_who_is_killed_before_the_login_has_not_tried(tmp_path, home):
    """A network that is down for a day must not look like a wrong password behind it."""
    clinic = Clinic(tmp_path, BY_PROGRAM, home)
    clinic.has_network = False
    for _ in range(9):
        clinic.start()
        clinic.look()
    clinic.has_network, clinic.answer = True, ""
    clinic.start()
    assert clinic.look() == []
    assert clinic.logins == 1


def test_two_at_once_take_turns(home, monkeypatch):
    """Attack on availability: cron and monitoring at the same minute do not forget each other."""
    path = state_path(home)
    ours, theirs = Turn(path), Turn(path)
    assert ours.take()
    polled, taken = threading.Event(), []
    monkeypatch.setattr(refused_logins.time, "sleep", lambda _: polled.set())
    waiting = threading.Thread(target=lambda: taken.append(theirs.take()), daemon=True)
    waiting.start()
    assert polled.wait(20)
    assert taken == []
    ours.end()
    waiting.join(20)
    assert taken == [True]
    theirs.end()


def test_one_who_is_stopped_does_not_stop_everybody(tmp_path, home, monkeypatch):
    """Ctrl-Z at the wrong moment."""
    monkeypatch.setattr(refused_logins, "_TURN_S", 0.0)
    stopped = Turn(state_path(home))
    assert stopped.take()
    clinic = Clinic(tmp_path, BY_PROGRAM, home)
    assert clinic.look() == ["login.refused"]
    stopped.end()


def test_where_the_service_has_given_up_a_program_tries_once(tmp_path, home):
    """The service has refused logins of its own behind it: eight a day are too many for two."""
    clinic = Clinic(tmp_path, BY_PROGRAM, home)
    clinic.service = (Finding("service.paused", WARNING, "paused"),)
    for _ in range(24):
        clinic.start()
        assert clinic.look() == ["login.refused"]
        clinic.now_s += HOUR_S * 0.9
    assert clinic.logins == 1


def test_an_account_without_a_login_needs_no_memory(tmp_path):
    """A relay that knows its clients by address is asked each time."""
    clinic = Clinic(tmp_path, BY_PROGRAM, {})
    clinic.answer, clinic.is_tried = "", False
    assert clinic.look(lines="auth off\ntls off\n") == []
    assert clinic.logins == 1


def test_a_person_may_try_as_often_as_he_likes(tmp_path, home):
    """He has changed something in the provider's console, and wants to know."""
    clinic = Clinic(tmp_path, BY_PERSON, home)
    for _ in range(10):
        clinic.start()
        clinic.look()
    assert clinic.logins == 10


def test_what_was_said_is_said_again(tmp_path, home):
    """In both languages, with when it was tried."""
    clinic = Clinic(tmp_path, BY_WATCH, home)
    (first,) = clinic.findings()
    clinic.start()
    (second,) = clinic.findings()
    assert clinic.logins == 1
    assert (second.code, second.severity) == (first.code, first.severity)
    for language in ("en", "zh"):
        assert localize(second.problem, language) == localize(first.problem, language)
    assert second.evidence[0] == "535 no"
    assert "tried last at 2026-09-2" in second.evidence[1]


def test_the_memory_is_the_owners_and_holds_no_secret(tmp_path, home):
    """Nor anything that tells who has the file which password it was."""
    clinic = Clinic(tmp_path, BY_PROGRAM, home)
    clinic.password = "hunter2hunter2"
    clinic.look()
    path = tmp_path / "home/.local/state/pillarbox/refused-logins"
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert "hunter2" not in text
    (row,) = json.loads(text)["accounts"].values()
    ((_, mark),) = row["times"]
    assert len(mark) == 8  # 32 bits: of countless passwords
    assert len(row["salt"]) == 32


def test_what_works_again_is_forgotten(tmp_path, home):
    """The file is gone."""
    clinic = Clinic(tmp_path, BY_PROGRAM, home)
    clinic.look()
    clinic.answer = ""
    clinic.now_s += HOUR_S
    clinic.start()
    assert clinic.look() == []
    assert list((tmp_path / "home/.local/state/pillarbox").iterdir()) == []


def test_another_account_has_its_own_memory(tmp_path, home):
    """A provider counts by user."""
    clinic = Clinic(tmp_path, BY_WATCH, home)
    clinic.look()
    clinic.user = "other@example.org"
    clinic.look()
    assert clinic.logins == 2
    assert len(load_refusals(state_path(home))) == 2


def test_a_clock_that_was_wrong_does_not_stop_logins(tmp_path, home):
    """A refusal in the future was dated by it."""
    clinic = Clinic(tmp_path, BY_WATCH, home)
    clinic.now_s += 1e9
    clinic.look()
    clinic.now_s -= 1e9
    clinic.look()
    assert clinic.logins == 2


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"\xff", b'{"accounts": 3}', b'{"accounts": {"a": 1}}',
        b'{"accounts": {"a": {"salt": "zz", "times": []}}}',
        b'{"accounts": {"a": {"salt": "00", "times": [1]}}}',
        b'{"accounts": {"a": {"salt": "00", "times": [], "code": "x", "problem": [1]}}}',
    ],
)  # fmt: skip
def test_a_memory_that_is_not_ours_is_as_good_as_none(content, tmp_path, home):
    """Nothing fails; it is replaced."""
    path = tmp_path / "home/.local/state/pillarbox/refused-logins"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert load_refusals(str(path)) == {}
    clinic = Clinic(tmp_path, BY_WATCH, home)
    clinic.look()
    clinic.start()
    clinic.look()
    assert clinic.logins == 1


@pytest.mark.parametrize(
    ("env", "path"),
    [
        ({}, ""),
        ({"HOME": "/nonexistent"}, ""),
        ({"HOME": "/"}, "//.local/state/pillarbox/refused-logins"),
        ({"XDG_STATE_HOME": "relative"}, ""),
        ({"XDG_STATE_HOME": "/s", "HOME": "/"}, "/s/pillarbox/refused-logins"),
    ],
)
def test_where_the_memory_is(env, path):
    """Where a user keeps such things; a service without a home has none."""
    assert state_path(env) == path


def test_a_memory_that_cannot_be_kept_fails_nothing(tmp_path):
    """A read-only home, or a file in the way of the folder."""
    (tmp_path / "file").write_text("")
    refusals = Refusals()
    refusals.times.append((1.0, "m"))
    assert not save_refusals(str(tmp_path / "file/refused-logins"), {"a": refusals})
    assert (tmp_path / "file").read_text() == ""
