"""The patterns %U %H %C %M %F."""

import os
import pwd
import socket

import pytest

from pillarbox.config.patterns import DOMAIN_LETTERS, SENDER_LETTERS, Surroundings
from pillarbox.errors import ConfigError

ENV = {"USER": "me", "HOSTNAME": "box", "HOME": "/home/me"}


@pytest.fixture
def mailname(tmp_path):
    """Return the path of a mail name file."""
    path = tmp_path / "mailname"
    path.write_text("mail.example.com\nsecond line\n")
    return str(path)


@pytest.fixture
def around(mailname):
    """Return surroundings in which everything is known."""
    return Surroundings(ENV, 1000, "from@header", mailname_file=mailname)


ROWS = [
    ("%U@%H", SENDER_LETTERS, "me@box"),
    ("%U@%M", SENDER_LETTERS, "me@mail.example.com"),
    ("%F", SENDER_LETTERS, "from@header"),
    ("x%Fy", SENDER_LETTERS, "xfrom@headery"),
    ("%U%U", SENDER_LETTERS, "meme"),
    ("%H.%M", DOMAIN_LETTERS, "box.mail.example.com"),
    ("%U.%F.%H", DOMAIN_LETTERS, "%U.%F.box"),
    ("100%", SENDER_LETTERS, "100%"),
    ("%%U", SENDER_LETTERS, "%me"),
    ("%u%X%", SENDER_LETTERS, "%u%X%"),
    ("plain", SENDER_LETTERS, "plain"),
    ("", DOMAIN_LETTERS, ""),
]


@pytest.mark.parametrize(("text", "letters", "expected"), ROWS)
def test_fills_in_patterns(around, text, letters, expected):
    """Known letters are filled in wherever they stand; anything else is left as it is."""
    assert around.expand(text, letters) == expected


def test_canonical_name_is_the_resolvers():
    """%C is what the resolver calls the machine."""
    name = Surroundings({"HOSTNAME": "localhost"}, 0).expand("%C", DOMAIN_LETTERS)
    assert name == socket.getaddrinfo("localhost", None, flags=socket.AI_CANONNAME)[0][3]


@pytest.mark.parametrize("host", ["a..b", "x" * 300, "nosuchhost.invalid"])
def test_canonical_name_falls_back_to_host_name(host):
    """A name that cannot be resolved stays as it is."""
    assert Surroundings({"HOSTNAME": host}, 0).expand("%C", DOMAIN_LETTERS) == host


def test_without_from_header_the_pattern_is_unset():
    """%F of a mail without From gives no sender at all, and never a literal %F."""
    around = Surroundings(ENV, 1000)
    assert around.expand("%F", SENDER_LETTERS) is None
    assert around.expand("bounce-%F", SENDER_LETTERS) is None


def test_values_are_not_patterns_themselves():
    """What is filled in is not looked at again."""
    around = Surroundings({"USER": "%H%M", "HOSTNAME": "%U"}, 1000)
    assert around.expand("%U@%H", SENDER_LETTERS) == "%H%M@%U"


def test_smtp_injection_by_environment_is_defused():
    """Control characters of a value become question marks."""
    around = Surroundings({"USER": "me>\r\nDATA\x7f", "HOSTNAME": "a\tb"}, 1000)
    assert around.expand("%U@%H", SENDER_LETTERS) == "me>??DATA?@a?b"


USERS = [
    ({"USER": "a", "LOGNAME": "b"}, "a"),
    ({"USER": "", "LOGNAME": "b"}, "b"),
]


@pytest.mark.parametrize(("env", "expected"), USERS)
def test_user_name_prefers_environment(env, expected):
    """$USER, then $LOGNAME."""
    assert Surroundings(env, 0).user_name() == expected


def test_user_name_without_environment():
    """Without the variables the terminal or the password database is asked."""
    try:
        expected = os.getlogin()
    except OSError:
        expected = pwd.getpwuid(0).pw_name
    assert Surroundings({}, 0).user_name() == expected


def test_nameless_user():
    """A user id without a name, as in a container, has no home and is called unknown."""
    around = Surroundings({}, 2**31 - 77)
    assert around.home_directory() == ""
    try:
        os.getlogin()
    except OSError:
        assert around.user_name() == "unknown"


def test_home_directory_without_environment():
    """Without HOME the password database knows; an empty HOME is none."""
    assert Surroundings({}, 0).home_directory() == pwd.getpwuid(0).pw_dir
    assert Surroundings({"HOME": ""}, 0).home_directory() == pwd.getpwuid(0).pw_dir
    assert Surroundings(ENV, 0).home_directory() == "/home/me"


def test_host_name_without_environment():
    """Without HOSTNAME the kernel is asked."""
    assert Surroundings({}, 0).host_name() == os.uname().nodename


MAILNAMES = [b"a.example\r\n", b" a.example \n", b"a.example", b"a.example\n\nb"]


@pytest.mark.parametrize("content", MAILNAMES)
def test_mail_name_is_the_first_line(tmp_path, content):
    """Line ends and blanks around the name do not belong to it."""
    path = tmp_path / "mailname"
    path.write_bytes(content)
    assert Surroundings({}, 0, mailname_file=str(path)).mail_name() == "a.example"


@pytest.mark.parametrize("content", [None, b"", b"\nfoo\n", b"  \n"])
def test_missing_mail_name_is_an_error(tmp_path, content):
    """A mail name file that is missing or empty is told by its name, with what to do."""
    path = tmp_path / "mailname"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        Surroundings({}, 0, mailname_file=str(path)).expand("%M", DOMAIN_LETTERS)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(path) in caught.value.advice
