"""Reading .netrc."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.config.netrc import all_passwords, find_password

ROWS = [
    ("machine h login u password p", "p"),
    ("machine h\n\tlogin u\r\n\tpassword p\r\n", "p"),
    ("machine h password p login u", "p"),
    ("machine h user u password p", "p"),
    ("machine h login u account a password p", "p"),
    (
        "machine h login v password n\nmachine h login u password p\nmachine h login u password q",
        "p",
    ),
    ("machine h login u machine h login u password p", "p"),
    ('machine h login u password "a b"', "a b"),
    ("machine h login u password 'a \"b'", 'a "b'),
    ('machine h login u password a"b c"d', "ab cd"),
    ('machine h login u password "a\\b"', "a\\b"),
    ("machine h login u password a\\b", "a\\b"),
    ('machine h login u password "open end', "open end"),
    ("machine h login u password p#q", "p#q"),
    ("machine h login u password #p", "#p"),
    ("machine h login u # password n\npassword p", "p"),
    ("# machine h login u password n\nmachine h login u password p", "p"),
    ("machine h login u password a\u00a0b", "a\u00a0b"),
    ("macdef m\nmachine h login u password n\n\nmachine h login u password p", "p"),
    ("macdef m\ncd /\nmachine h login u password n\n\nmachine h login u password p", "p"),
    ("machine g macdef m\ncd /tmp\n \nmachine h login u password p", "p"),
    ("machine macdef login macdef password n machine h login u password p", "p"),
    ("nonsense machine h foo login u bar password p baz", "p"),
    ("machine h login machine password n machine h login u password p", "p"),
    ("default login u password n", None),
    ("machine h login u default password n", None),
    ("machine h password n", None),
    ("machine h login u", None),
    ("machine h login u password", None),
    ('machine h login u password ""', None),
    ("machine H login u password n", None),
    ("machine h. login u password n", None),
    ("machine h login U password n", None),
    ("MACHINE h login u password n", None),
    ("macdef m\nmachine h login u password n", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "expected"), ROWS)
def test_finds_password(text, expected):
    """The first entry of machine and login that has a password; never ``default``."""
    assert find_password(text.encode(), "h", "u") == expected


def test_keeps_bytes_that_are_not_utf8():
    """A password in another encoding survives."""
    password = find_password(b"machine h login u password p\xe9", "h", "u")
    assert password.encode("utf-8", "surrogateescape") == b"p\xe9"


WORDS = st.sampled_from(
    [
        "machine",
        "default",
        "login",
        "password",
        "macdef",
        "h",
        "u",
        "p",
        "#",
        '"',
        "'",
        "\n",
        "\n\n",
    ]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(WORDS, max_size=30), st.binary(max_size=60))
def test_takes_any_text(words, tail):
    """Whatever the file holds, the answer is a text of it or None."""
    text = " ".join(words).encode() + tail
    password = find_password(text, "h", "u")
    assert password is None or (password and "\n" not in password)


SAFE = st.text(st.characters(codec="utf-8", exclude_characters="\n\"'"), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(SAFE, SAFE, SAFE)
def test_what_is_quoted_is_read_back(host, user, password):
    """Any host, login and password without quotes of that kind come back from a quoted entry."""
    text = f'machine "{host}" login "{user}" password "{password}"'
    assert find_password(text.encode(), host, user) == password


def test_every_password_is_known_to_whoever_has_to_hide_it():
    """Of every host, of the default, quoted or not; a macro holds none."""
    content = (
        b"machine a login u password one\n"
        b'machine b login v account x password "two words"\n'
        b"machine c login w\n"
        b"macdef m\nput password not-one\n\n"
        b"default login anonymous password three\n"
        b"machine d password"
    )
    assert list(all_passwords(content)) == ["one", "two words", "three"]
