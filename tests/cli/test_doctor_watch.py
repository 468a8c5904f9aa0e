"""``pillarbox doctor --watch``: what changes is told, and no account is locked."""

import json
import re
import signal
import subprocess
from functools import partial

import pytest

from pillarbox.cli import doctor
from pillarbox.cli.doctor_watch import Changes, watch
from pillarbox.doctor.examination import Check, Examination, Result
from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.doctor.login_guard import BY_WATCH, LoginGuard
from pillarbox.intake.provider import EmbeddedProvider, ProviderOptions
from pillarbox.secret import Secret
from programs import start_program

PASSWORD = "Kanarienvogel-18"
USER = "me@qq.com"
CHECK = Check("login", "the login", None)


@pytest.fixture(autouse=True)
def _english(monkeypatch):
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("PILLARBOX_LANG", "")


class Scene:
    """A provider, an account, and what happens between two looks."""

    def __init__(self, folder):
        self.events = []
        self.path = folder / "rc"
        self.provider = EmbeddedProvider(
            ProviderOptions(user=USER, password=Secret(PASSWORD), max_wrong_logins=10_000),
            watch=self.events.append,
        )

    def write(self, password):
        """Write the account anew."""
        self.path.write_text(
            f"account default\nhost localhost\nport {self.provider.port}\ntls on\n"
            f"tls_starttls off\ntls_trust_file {self.provider.ca_file}\nauth on\nuser {USER}\n"
            f"password {password}\nfrom {USER}\n"
        )
        self.path.chmod(0o600)

    @property
    def logins(self):
        """Whether each login that the provider has seen was taken."""
        return [event["accepted"] for event in self.events if event["event"] == "login"]

    def watch(self, *between, form="", lang="en"):
        """Look once, and once again behind each thing that happens."""
        rest = list(between)

        def wait(_seconds):
            if not rest:
                raise KeyboardInterrupt
            rest.pop(0)()

        wishes = doctor.make_parser().parse_args(["-C", str(self.path)])
        look = partial(doctor._look, wishes, LoginGuard(BY_WATCH, {}))
        with pytest.raises(KeyboardInterrupt):
            watch(look, 300, lang, form=form, wait=wait)


@pytest.fixture
def scene(tmp_path):
    """Return one, with a healthy account."""
    scene = Scene(tmp_path)
    with scene.provider:
        scene.write(PASSWORD)
        yield scene


def nothing():
    """Let time go by."""


def test_a_wrong_password_is_tried_once_however_long_it_watches(scene, capsys):
    """Attack on availability: at the fifth wrong login the provider would lock the account."""
    scene.write("wrong-canary")
    scene.watch(*[nothing] * 12, partial(scene.write, "wrong-canary"), nothing)
    assert scene.logins == [False]
    said = capsys.readouterr().out
    assert said.count("[login.refused]") == 1
    assert "no login is tried again before the password or the account changes" in said
    assert "login.unasked" not in said


def test_the_right_password_is_tried_and_told(scene, capsys):
    """As soon as it stands in the file."""
    scene.write("wrong-canary")
    scene.watch(nothing, partial(scene.write, PASSWORD), nothing)
    assert scene.logins == [False, True, True]
    said = capsys.readouterr().out
    (better,) = [line for line in said.splitlines() if "better: " in line]
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\S+ better: the login", better)


def test_only_what_changes_is_told(scene, capsys):
    """A page at the beginning, nothing while nothing happens, a line with its fix behind that."""
    scene.watch(nothing, nothing, partial(scene.write, "wrong-canary"), nothing)
    said = capsys.readouterr().out
    _, _, rest = said.partition("Ctrl-C ends it\n")
    lines = rest.splitlines()
    assert " worse: the login: " in lines[0]
    assert lines[0].endswith("[login.refused]")
    assert lines[1].startswith("   do this: ")
    assert lines[2] == "no login is tried again before the password or the account changes"
    assert len(lines) == 3


def test_it_speaks_chinese(scene, capsys):
    """In every line."""
    scene.watch(partial(scene.write, "wrong-canary"), lang="zh")
    said = capsys.readouterr().out
    assert "每 300 秒再检查一次" in said
    assert "变坏：登录：" in said
    assert "在密码或账户设置改变之前不再尝试登录" in said


@pytest.mark.parametrize(("form", "count"), [("summary", 2), ("json", 2)])
def test_programs_get_a_line_when_something_changes(form, count, scene, capsys):
    """One at the beginning, and one for each change."""
    scene.watch(nothing, partial(scene.write, "wrong-canary"), nothing, form=form)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == count
    if form == "json":
        codes = [json.loads(line)["codes"] for line in lines]
        assert "login.refused" not in codes[0]
        assert "login.refused" in codes[1]
    else:
        assert lines[1].startswith("PILLARBOX CRITICAL - account default: ")


def test_ctrl_c_ends_it(scene):
    """While it waits for the next time; the exit code is that of a shell."""
    arguments = ("doctor", "-C", str(scene.path), "--summary", "--watch")
    process = start_program("pillarbox", *arguments, stdout=subprocess.PIPE)
    assert process.stdout.readline().startswith(b"PILLARBOX ")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, b"", b"")


def seen(*findings, because=""):
    """Return an examination with one check."""
    return Examination((Result(CHECK, tuple(findings), because),))


BAD, WORSE = Finding("login.x", WARNING, "x"), Finding("login.y", FAULT, "y")
OTHER = Finding("login.z", FAULT, "z")
KNOWN = Finding("login.n", NOTE, "n")


@pytest.mark.parametrize(
    ("looks", "kinds"),
    [
        ([seen()], [[]]),
        ([seen(KNOWN), seen()], [[], []]),
        ([seen(BAD), seen(BAD)], [["worse"], []]),
        (
            [seen(BAD), seen(WORSE), seen(BAD), seen()],
            [["worse"], ["worse"], ["better"], ["better"]],
        ),
        ([seen(WORSE), seen(OTHER)], [["worse"], ["other"]]),
        ([seen(WORSE), seen(because="tls"), seen(WORSE)], [["worse"], [], []]),
        ([seen(WORSE), seen(because="tls"), seen()], [["worse"], [], ["better"]]),
        ([seen(), seen(because="tls"), seen(WORSE)], [[], [], ["worse"]]),
    ],
    ids=str,
)
def test_changes(looks, kinds):
    """A check that was not made keeps what was last known of it."""
    changes = Changes()
    assert [[kind for kind, _ in changes.take(look)] for look in looks] == kinds
