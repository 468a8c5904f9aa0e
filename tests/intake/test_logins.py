"""Those who may log in: the file, its owner and mode, and how a password is compared."""

from __future__ import annotations

import os

import pytest

from pillarbox.errors import ConfigError
from pillarbox.intake import logins as module
from pillarbox.intake.logins import Users, hash_password, is_login_name, read_users
from pillarbox.secret import Secret
from programs import run_program

SALT = bytes(range(16))
LINE = hash_password("app", "correct horse", salt=SALT)


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a file of this text."""
    path = tmp_path / "users"

    def read_text(text, mode=0o600):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return read_users(str(path))

    return read_text


def test_a_line_is_what_rfc_7914_makes():
    """Anybody's scrypt gives the same; no password is in it."""
    name, kind, cost, block, parallel, salt, hashed = LINE.split(":")
    assert (name, kind, cost, block, parallel) == ("app", "scrypt", "16384", "8", "1")
    assert salt == "AAECAwQFBgcICQoLDA0ODw=="
    assert len(hashed) == 44
    assert hash_password("app", "x") != hash_password("app", "x")


@pytest.mark.parametrize(
    ("name", "password", "is_right"),
    [
        ("app", "correct horse", True),
        ("app", "correct horse ", False),
        ("app", "Correct horse", False),
        ("app", "", False),
        ("App", "correct horse", False),
        ("nobody", "correct horse", False),
        ("", "", False),
        ("app", "correct\udcff horse", False),
    ],
)
def test_only_the_right_password_is_right(read, name, password, is_right):
    """And it is right again, from memory, while a wrong one is not remembered."""
    users = read(f"# programs\n\n{LINE}\n")
    assert len(users) == 1
    for _ in range(2):
        assert users.check(name, Secret(password)) is is_right
        assert users.is_known(name, Secret(password)) is is_right


def test_a_wrong_name_costs_as_much_as_a_wrong_password(read, monkeypatch):
    """Attack: who has an account here is nobody's to find out by a clock."""
    users = read(LINE)
    costs = []
    real = module._scrypt
    monkeypatch.setattr(module, "_scrypt", lambda *a: costs.append(a[2:]) or real(*a))
    users.check("app", Secret("wrong"))
    users.check("nobody", Secret("wrong"))
    assert costs == [(16384, 8, 1)] * 2


def test_what_is_remembered_has_an_end(monkeypatch):
    """And is of no use to anybody who reads it: a key of this process is in it."""
    monkeypatch.setattr(module, "_scrypt", lambda *_: b"x")
    users = Users({f"u{number}": (2, 1, 1, SALT, b"x") for number in range(300)})
    for number in range(300):
        assert users.check(f"u{number}", Secret("p"))
    assert len(users._known) <= module._KNOWN_MAX
    other = Users({"u1": (2, 1, 1, SALT, b"x")})
    other.check("u1", Secret("p"))
    assert not set(other._known) & set(users._known)


@pytest.mark.parametrize(
    "line",
    [
        "app",
        "app:secret",
        "app:scrypt:16384:8:1:AAECAwQFBgcICQoLDA0ODw==",
        LINE + ":more",
        LINE.replace("scrypt", "plain"),
        LINE.replace("16384", "16383"),
        LINE.replace("16384", "1"),
        LINE.replace("16384", str(1 << 30)),  # attack: a gigabyte a guess
        LINE.replace(":8:", ":800:"),
        LINE.replace(":1:", ":0:"),
        LINE.replace("AAEC", "!!!!"),
        LINE[:-8],
        LINE.replace("app", "a b"),
        LINE.replace("app", ""),
        LINE.replace("app", "a\x1b[31m"),
        LINE.replace("app", "x" * 65),
        f"{LINE}\n{LINE}",
    ],
)
def test_a_line_that_is_wrong_is_named(read, line):
    """With its number, and without what is in it."""
    with pytest.raises(ConfigError, match="no user, or one who was there already") as caught:
        read(f"# first\n{line}\n")
    assert caught.value.line == 2 + line.count("\n")
    assert "AAEC" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o620, 0o666])
def test_a_file_that_is_open_to_others_is_refused(read, mode):
    """Attack P4: who can read the hashes can guess at his leisure."""
    with pytest.raises(ConfigError, match="open to others"):
        read(LINE, mode)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_a_file_for_the_service_and_its_group_is_fine(read, mode):
    """As a package would install it."""
    assert len(read(LINE, mode)) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(read, tmp_path):
    """Attack P4."""
    read(LINE)
    os.chown(tmp_path / "users", 4711, 4711)
    with pytest.raises(ConfigError, match="open to others"):
        read_users(str(tmp_path / "users"))


def test_a_file_that_is_no_file_does_not_hold_us(tmp_path):
    """A FIFO, a directory, a mebibyte, nothing."""
    os.mkfifo(tmp_path / "fifo", 0o600)
    assert len(read_users(str(tmp_path / "fifo"))) == 0
    with pytest.raises(ConfigError, match="cannot be read"):
        read_users(str(tmp_path))
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_users(str(tmp_path / "missing"))
    (tmp_path / "large").write_bytes(b"#" * ((1 << 20) + 1))
    (tmp_path / "large").chmod(0o600)
    with pytest.raises(ConfigError, match="larger than a mebibyte"):
        read_users(str(tmp_path / "large"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("app", True), ("a.b_c@d+e-9", True), ("", False), ("a:b", False), ("ä", False)],
)
def test_names_are_harmless_everywhere(name, expected):
    """They stand in Received fields and log lines as they are."""
    assert is_login_name(name) is expected


def test_the_line_is_made_by_a_command(read):
    """``pillarbox serve --hash-password`` reads the password from standard input."""
    done = run_program("pillarbox", ["serve", "--hash-password", "app"], b"hunter2\n")
    assert (done.exit_code, done.err) == (0, "")
    assert read(done.out).check("app", Secret("hunter2"))


@pytest.mark.parametrize(
    ("name", "stdin", "exit_code"), [("a:b", b"x\n", 64), ("", b"x\n", 64), ("app", b"\n", 69)]
)
def test_the_command_refuses_what_cannot_be(name, stdin, exit_code):
    """A name that is none, and no password."""
    done = run_program("pillarbox", ["serve", "--hash-password", name], stdin)
    assert done.exit_code == exit_code
    assert done.out == ""
