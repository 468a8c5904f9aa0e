"""The values of the service's settings."""

import grp
import os
import pwd

import pytest

from pillarbox.config import units

GROUP = grp.getgrgid(0).gr_name
USER = pwd.getpwuid(0).pw_name
MEBIBYTE = 1024 * 1024

VALID = [
    (units.parse_count, 1, 1),
    (units.parse_count, 2**53, 2**53),
    (units.count_to(1500), 1, 1),
    (units.count_to(1500), 1500, 1500),
    (units.parse_percent, 0, 0),
    (units.parse_percent, 90, 90),
    (units.parse_size, 1, 1),
    (units.parse_size, "25M", 25 * MEBIBYTE),
    (units.parse_size, "25 m", 25 * MEBIBYTE),
    (units.parse_size, "512K", 512 * 1024),
    (units.parse_size, "2G", 2048 * MEBIBYTE),
    (units.parse_size, "1T", MEBIBYTE * MEBIBYTE),
    (units.parse_size, "100", 100),
    (units.parse_duration, 90, 90),
    (units.parse_duration, "90", 90),
    (units.parse_duration, "90s", 90),
    (units.parse_duration, "15m", 900),
    (units.parse_duration, "4h", 14400),
    (units.parse_duration, " 5 d ", 432000),
    (units.parse_duration, "2w", 1209600),
    (units.parse_duration, "366d", 366 * 86400),
    (units.parse_text, "", ""),
    (units.parse_text, "web01", "web01"),
    (units.parse_path, "/var/spool/pillarbox", "/var/spool/pillarbox"),
    (units.parse_path, "/var/spool/", "/var/spool"),
    (units.parse_path, "/", "/"),
    (units.parse_path, "~/mail", os.path.expanduser("~/mail")),
    (units.parse_optional_path, "", ""),
    (units.parse_optional_path, "/etc/aliases", "/etc/aliases"),
    (units.parse_socket, "/" + "s" * 106, "/" + "s" * 106),
    (units.parse_optional_socket, "", ""),
    (units.parse_optional_socket, "/run/s", "/run/s"),
    (units.parse_switch, True, True),
    (units.parse_switch, False, False),
    (units.parse_addresses, [], ()),
    (
        units.parse_addresses,
        ["127.0.0.1:25", "[::1]:025", "[0:0::1]:65535"],
        ("127.0.0.1:25", "[::1]:25", "[::1]:65535"),
    ),
    (units.SomeOf("a", "b"), ["b", "a"], ("b", "a")),
    (units.SomeOf("a", "b"), ["a"], ("a",)),
    (units.parse_command, [], ()),
    (units.parse_command, ["/bin/logger", "-p", ""], ("/bin/logger", "-p", "")),
    (units.parse_patterns, [], ()),
    (units.parse_patterns, ["*@example.com", "a@b.example", "*"], None),
]

INVALID = [
    *(
        (units.parse_count, given, "at least 1")
        for given in (0, -1, True, 1.5, "1", None, 2**53 + 1)
    ),
    *((units.count_to(9), given, "1 to 9") for given in (0, 10, True, "5")),
    *((units.parse_percent, given, "0 to 90") for given in (-1, 91, False, "5")),
    *(
        (units.parse_size, given, "bytes")
        for given in (
            0,
            "0",
            "-1M",
            "1.5M",
            "M",
            "25MB",
            "25X",
            "٢M",
            True,
            2.0,
            "9" * 16,
            "9" * 13 + "T",
            "9" * 5000,
        )
    ),
    *(
        (units.parse_duration, given, "seconds")
        for given in (0, "0s", "5D", "5 days", "d", "367d", -1, True, 1.5, [5], "1h30m")
    ),
    *((units.parse_text, given, "quotes") for given in (5, True, ["a"], None)),
    (units.parse_text, "a\x1b[2J", "control"),
    *((units.parse_path, given, "absolute") for given in ("", "spool", "./spool")),
    (units.parse_path, "/a\nb", "control"),
    (units.parse_path, 5, "quotes"),
    (units.parse_optional_path, 0, "quotes"),
    (units.parse_socket, "/" + "s" * 107, "107 bytes"),
    (units.parse_optional_socket, "s", "absolute"),
    *((units.parse_switch, given, "true or false") for given in (0, 1, "yes", None)),
    *((units.parse_addresses, given, "brackets") for given in ("127.0.0.1:25", None)),
    *(
        (units.parse_addresses, [given], "with their ports")
        for given in (
            *("", "25", "localhost:25", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "1.2.3:25"),
            *("127.0.0.1:65536", "::1:25", "[::1]", "[127.0.0.1]:25", "127.0.0.1:٢", "[::1:25"),
            *("127.0.0.1:+5", "127.0.0.1: 5", "127.0.0.1:000025"),
        )
    ),
    *(
        (units.SomeOf("a", "b"), given, 'some of "a", "b"')
        for given in ([], ["c"], ["a", "a"], ["a", "c"])
    ),
    *((units.SomeOf("a", "b"), given, "brackets") for given in ("a", {"a": 1}, None)),
    (units.SomeOf("a", "b"), [1], "quotes"),
    (units.parse_command, ["logger"], "absolute path of a program"),
    (units.parse_command, [""], "absolute path of a program"),
    (units.parse_command, "/bin/logger -p crit", "brackets"),
    (units.parse_command, ["/bin/logger", 5], "quotes"),
    *(
        (units.parse_patterns, given, "addresses")
        for given in (["example.com"], ["*@a", "root"], [""])
    ),
    (units.parse_patterns, "*@example.com", "brackets"),
]


@pytest.mark.parametrize(("parse", "given", "value"), VALID)
def test_reads(parse, given, value):
    """Each reader takes what a person would write, and returns it in its unit."""
    got = parse(given)
    assert got == (tuple(given) if value is None else value)
    assert type(got) is type(value) or value is None


@pytest.mark.parametrize(("parse", "given", "word"), INVALID)
def test_refuses(parse, given, word):
    """What is of another kind or range is refused with a reason that says what to write."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse(given)
    assert word in str(caught.value)


@pytest.mark.parametrize("who", [USER, f"@{GROUP}", "0", "12345", "*"])
def test_who_may_be_named(who):
    """A user, a group, a user id (it need not have a name), and everybody else."""
    units.check_who(who)


@pytest.mark.parametrize(
    ("who", "word"),
    [
        ("no-such-user", "user"),
        ("@no-such-group", "group"),
        ("@", "group"),
        ("", "user"),
        ("٢", "user"),
    ],
)
def test_attack_a_misspelt_user_is_not_left_unlimited(who, word):
    """Attack: who is named by nothing may use every sender, so a slip must not pass."""
    with pytest.raises(ValueError, match=f"no such {word}"):
        units.check_who(who)
