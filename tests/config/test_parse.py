"""The grammar of msmtprc (msmtp.md 3.2 and 3.3), row by row."""

import subprocess
import sys
import time

import pytest
from fuzz_msmtprc import SEEDS, check
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.config.account import FIELDS
from pillarbox.config.parse import parse
from pillarbox.errors import ConfigError, InputOutputError


def no_eval(command, line):
    """Fail: this text has no eval line."""
    raise AssertionError(command, line)


def read(text, run_eval=no_eval):
    """Parse a text as the file "rc"."""
    return parse(text if isinstance(text, bytes) else text.encode(), "rc", run_eval=run_eval)


def only(text, run_eval=no_eval):
    """Parse a text with one account and return it."""
    (account,) = read(text, run_eval).accounts
    return account


def fault(text, run_eval=no_eval):
    """Parse a wrong text and return the error."""
    with pytest.raises(ConfigError) as caught:
        read(text, run_eval)
    assert caught.value.path == "rc"
    assert caught.value.exit_code == 78
    return caught.value


LINES = [
    ("user x", "x"),
    (" \t user \t x \t ", "x"),
    ("user\tx y", "x y"),
    ("user\t x", "x"),
    ("user x # y", "x # y"),
    ('user "x" # y', '"x" # y'),
    ('user " x "', " x "),
    ('user "a"b"', 'a"b'),
    ('user ""', None),
    ('user "', '"'),
    ('user "x', '"x'),
    ("user 'x'", "'x'"),
    ('user "x\\"', "x\\"),
    ("user x\r", "x"),
    ('user "x"\r', "x"),
    ("user \r", None),
    ("user", None),
    ("user é", "é"),
]


@pytest.mark.parametrize(("line", "user"), LINES)
@pytest.mark.parametrize("ending", ["", "\n", "\n\n# end\n"])
def test_reads_one_line(line, user, ending):
    """Blanks around keyword and argument go, one pair of outer quotes goes, nothing else."""
    assert only(line + ending).user == user


@pytest.mark.parametrize("nothing", ["", "\n\n", "# x", "  \t# user x\n \t \r\n", "\ufeff# x\n"])
def test_ignores_comments_and_empty_lines(nothing):
    """Comments and empty lines make no account, in front of anything or alone."""
    assert read(nothing).accounts == ()
    assert only(nothing + "\nuser x").where("user") == f"rc:{nothing.count(chr(10)) + 2}"


def test_keeps_bytes_that_are_not_utf8():
    """A file name or password in another encoding reaches the system as it was written."""
    account = read(b"logfile /tmp/\xff\npassword p\xe9").accounts[0]
    assert account.logfile.encode("utf-8", "surrogateescape") == b"/tmp/\xff"
    assert account.password.reveal().encode("utf-8", "surrogateescape") == b"p\xe9"


@pytest.mark.parametrize("ending", ["", "\n"])
def test_line_of_499_bytes_is_the_longest(ending):
    """With its newline a line has at most 500 bytes; the error knows which one is longer."""
    assert only("host h\nuser " + "u" * 494 + ending).user == "u" * 494
    error = fault("host h\nuser " + "u" * 495 + ending)
    assert str(error) == "rc: line 2: line longer than 500 characters"
    assert fault("#" + "é" * 250).line == 1


def test_default_account_opens_itself():
    """Settings in front of any account line belong to an account called default."""
    account = only("host h\nport 26")
    assert (account.name, account.origin, account.host, account.port) == ("default", "rc", "h", 26)
    assert account.where("port") == "rc:2"


NAMES = [
    ("account a", "a"),
    ("account \t a b ", "a b"),
    ('account " a b"', " a b"),
    ('account "a" b', '"a" b'),
    ("account ä", "ä"),
    ("account default", "default"),
]


@pytest.mark.parametrize(("line", "name"), NAMES)
def test_reads_account_name(line, name):
    """A name is the whole argument, blanks inside and quotes around it included."""
    assert only(line).name == name


def test_defaults_accumulate_and_hold_for_accounts_below():
    """A second defaults section adds to the first; accounts above are not changed."""
    first, second, third = read(
        "account a\nhost h\n"
        "defaults\nport 1\nuser u\n"
        "account b\nhost h\n"
        "defaults\nport 2\n"
        "account c\nhost h\nport 3\n"
    ).accounts
    assert (first.port, first.user) == (None, None)
    assert (second.port, second.user, second.where("port")) == (1, "u", "rc:4")
    assert (third.port, third.user) == (3, "u")
    assert not second.is_set("port")
    assert third.is_set("port")


def test_inherits_explicit_settings_and_current_defaults():
    """A child takes what its parent was told, but its defaults come from where it stands."""
    parent, child = read(
        "defaults\nport 1111\naccount a\nhost h\nuser u\ndefaults\nport 2222\naccount b : a\nuser v"
    ).accounts
    assert (parent.port, child.port) == (1111, 2222)
    assert (child.host, child.user) == ("h", "v")
    assert child.where("host") == "rc:4"
    assert child.is_set("host")
    assert not child.is_set("port")
    assert parent.user == "u"


@pytest.mark.parametrize(
    "spelling", ["c:a,b", "c : a , b", "c\t:\ta\t,\tb", '"c : a,b"', "c :a, b"]
)
def test_later_parents_win(spelling):
    """Parents are applied in order; the blanks around colon and comma do not matter."""
    child = read(
        f"account a\nhost a\nport 1\naccount b\nhost b\nuser b\naccount {spelling}"
    ).accounts[2]
    assert (child.name, child.host, child.port, child.user) == ("c", "b", 1, "b")


def test_inherits_what_was_inherited():
    """What a parent took over explicitly, its child takes over too."""
    child = read("account a\nhost h\naccount b : a\naccount c : b").accounts[2]
    assert child.host == "h"


def test_unsetting_overrides_default():
    """An empty argument takes a default back."""
    assert read("defaults\nuser u\naccount a\nuser\n").accounts[0].user is None


FAULTS = [
    ("host h\nfoo bar", 2, "unknown command foo", ""),
    ("hots h", 1, "unknown command hots", "did you mean host?"),
    ("Host h", 1, "unknown command Host", "did you mean host?"),
    ("tls-starttls on", 1, "unknown command tls-starttls", "did you mean tls_starttls?"),
    ("\n\nevil x", 3, "unknown command evil", "did you mean eval?"),
    ("host", 1, "command host needs an argument", ""),
    ("port abc", 1, "invalid argument abc for command port", "write a number from 1 to 65535"),
    ("port 0", 1, "invalid argument 0 for command port", "write a number from 1 to 65535"),
    ("tls yes", 1, "invalid argument yes for command tls", "write on or off"),
    (
        "tls ON",
        1,
        "invalid argument ON for command tls",
        "write on or off (upper and lower case matter)",
    ),
    ("allow_from_override", 1, "command allow_from_override needs an argument", ""),
    ("tls_nostarttls on", 1, "command tls_nostarttls does not take an argument", ""),
    ("user \x1b[2J", 1, "invalid argument \\x1b[2J for command user", "it contains a control ch"),
    ("user x\r\r\n", 1, "invalid argument x\\x0d for command user", "it contains a control char"),
    ("user a\rb", 1, "invalid argument a\\x0db for command user", "it contains a control char"),
    ("account", 1, "missing account name", "write account NAME"),
    ('account ""', 1, "missing account name", "write account NAME"),
    ("account : a", 1, "missing account name", "write account NAME"),
    ("account a,b", 1, "an account name must not contain colons or commas", ""),
    ("account a\naccount a", 2, "account a was already defined", "give each account a name of i"),
    ("account a : b", 1, "account b not (yet) defined", "an account takes over settings only fr"),
    ("account a : a", 1, "account a not (yet) defined", "an account takes over settings only fr"),
    ("account a : b:c", 1, "account b:c not (yet) defined", "an account takes over settings onl"),
    ("account a\naccount b : a,", 2, "missing account name", "write account NAME : PARENT"),
    ("account a\naccount b :", 2, "missing account name", "write account NAME : PARENT"),
    ("defaults x", 1, "command defaults does not take an argument", "write defaults alone"),
    ("eval", 1, "command eval needs an argument", "write eval COMMAND"),
    ("host h\nuser a\0b", 2, "a NUL byte", "save the file as plain text in UTF-8"),
]


@pytest.mark.parametrize(("text", "line", "problem", "advice"), FAULTS)
def test_fault_has_line_problem_and_advice(text, line, problem, advice):
    """Each fault is told in msmtp's words with the line, and with what to do."""
    error = fault(text)
    assert str(error) == f"rc: line {line}: {problem}"
    assert error.advice.startswith(advice)
    assert bool(error.advice) == bool(advice)


def test_explains_the_default_account_nobody_wrote():
    """The common mistake, settings above ``account default``, is named."""
    error = fault("host h\naccount a\nhost h\naccount default : a\n")
    assert error.problem == "account default was already defined"
    assert "above the first account line" in error.advice


def test_utf16_file_is_refused_for_what_it_is():
    """A file that an editor saved as UTF-16 is refused at its first line."""
    error = fault("host h\n".encode("utf-16"))
    assert (error.line, error.problem) == (1, "a NUL byte")


def evaluate(outputs):
    """Return an eval function that answers from a dictionary."""
    return lambda command, _line: outputs[command]


EVALUATED = [
    ("user x", "x"),
    ("  user \t x  ", "x"),
    ('user "x y"', "x y"),
    ("", None),
    ("# user x", None),
    ("user " + "u" * 5000, "u" * 5000),
]


@pytest.mark.parametrize(("output", "user"), EVALUATED)
def test_eval_line_is_replaced_by_output(output, user):
    """The output stands in place of the line, whatever its length; an empty one is nothing."""
    account = only("host h\neval the command\n", evaluate({"the command": output}))
    assert account.user == user
    assert account.where("user") == ("rc:2" if user else "default")


def test_eval_may_open_accounts_and_strips_quotes():
    """The output may be any line of the grammar, and the argument of eval is one like others."""
    accounts = read('eval "x"\nhost h', evaluate({"x": "account a"})).accounts
    assert [(account.name, account.host) for account in accounts] == [("a", "h")]


def test_eval_hands_over_command_and_line():
    """The function gets the command and its line; what it raises is not touched."""

    def failing(command, line):
        raise InputOutputError(f"{command} at {line}")

    with pytest.raises(InputOutputError, match=r"^false at 3$"):
        read("\n\neval false", failing)


def test_eval_in_output_of_eval_is_unknown():
    """An eval whose output is an eval is refused: nothing is run twice."""
    error = fault("eval a", evaluate({"a": "eval b"}))
    assert error.problem == "unknown command in the output of eval"


def test_eval_output_with_nul_is_refused():
    """A NUL byte cannot get into a value by way of eval."""
    assert fault("eval a", evaluate({"a": "password a\0b"})).problem.startswith("a NUL byte")


SECRETS = [
    ("password x", True),
    ('password "x"', True),
    ("defaults\npassword x", True),
    ("account a\npassword x\naccount b", True),
    ("password", False),
    ("passwordeval echo x", False),
    ("user password", False),
    ("# password x", False),
]


@pytest.mark.parametrize(("text", "contains"), SECRETS)
def test_knows_whether_file_contains_secret(text, contains):
    """A literal password makes the file a secret one; an empty one or a command does not."""
    assert read(text).contains_secret is contains


def test_password_from_eval_is_not_in_the_file():
    """What eval printed is not in the file, so the file is no secret."""
    parsed = read("eval x", evaluate({"x": "password p"}))
    assert parsed.accounts[0].password.reveal() == "p"
    assert not parsed.contains_secret


CANARY = "Xq7-canary-0815"
LEAKS = [
    f"password {CANARY}\nport 0",
    f"password={CANARY}",
    f"password:{CANARY}",
    f"password{CANARY}",
    f'password"{CANARY}"',
    f"PASSWORD={CANARY} x",
    f"pasword={CANARY}",
    f"password\n{CANARY}",
    f"password x\n{CANARY}",
    f"password {CANARY}\0",
    f"password {CANARY}" + "x" * 500,
    f"password {CANARY}\naccount default",
    f"password {CANARY}\nuser \x01",
    f"passwordeval echo {CANARY}\nprot 25",
    CANARY,
]


@pytest.mark.parametrize("text", LEAKS)
def test_password_leaks_into_no_message(text):
    """Whatever is wrong with a file, the password in it is not repeated."""
    error = fault(text)
    assert CANARY not in f"{error} {error!r} {error.advice} {error.__cause__!r}"


@pytest.mark.parametrize("word", ["abcdefghijklmnop", "hunter"])
def test_password_broken_over_two_lines_is_not_repeated(word):
    """A line behind ``password`` that is no keyword is the rest of it (an app password, say)."""
    error = fault(f"password abc\n{word}")
    assert word not in f"{error} {error.advice}"


@pytest.mark.parametrize("text", ["passwordhunter", "Passwordhunter x", "password_hunter"])
def test_password_glued_to_its_keyword_is_not_repeated(text):
    """A forgotten blank does not put the password into a message."""
    error = fault(text)
    assert str(error) == "rc: line 1: unknown command password..."
    assert error.advice in ("did you mean password?", "")


@pytest.mark.parametrize("word", ["hunter", "abcdefghijklmnop", CANARY])
def test_output_of_eval_is_not_repeated(word):
    """A command that prints the password alone was meant for passwordeval."""
    error = fault("eval pass", evaluate({"pass": word}))
    assert word not in f"{error} {error.advice}"


def test_shown_keyword_is_printable():
    """What is repeated of a line goes through the escaper and is short."""
    error = fault("account a : " + "\u202e" + "b" * 400)
    assert "\u202e" not in str(error)
    assert len(str(error)) < 200


KEYWORDS = {
    "host": st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True),
    "port": st.integers(1, 65535),
    "timeout": st.integers(1, 10**6),
    "user": st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1),
    "passwordeval": st.text(
        st.characters(codec="utf-8", exclude_characters="\0\n\r"), min_size=1, max_size=100
    ),
    "tls": st.booleans(),
    "remove_bcc_headers": st.booleans(),
    "syslog": st.sampled_from(["LOG_USER", "LOG_MAIL", "LOG_LOCAL3"]),
    "set_from_header": st.sampled_from(["auto", "on", "off"]),
}
SETTINGS = st.fixed_dictionaries({}, optional=KEYWORDS)
BLANKS = st.text(" \t", min_size=1, max_size=3)


def format_line(name, value, blanks):
    """Write one setting as a person might."""
    text = {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else str(value)
    if text != text.strip(" \t") or text[0] == '"' or "\r" in text:
        text = f'"{text}"'
    return f"{blanks}{name}{blanks}{text}{blanks}"


@settings(max_examples=60, deadline=None)
@given(SETTINGS, st.lists(SETTINGS, max_size=3), BLANKS, st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_is_read_back(defaults, accounts, blanks, newline):
    """Any settings, written out with any blanks and line ends, come back as they were."""
    lines = ["defaults", *(format_line(*item, blanks) for item in defaults.items())]
    for number, account in enumerate(accounts):
        lines.append(f"account a{number}")
        lines += [format_line(*item, blanks) for item in account.items()]
    if any(len(line.encode()) > 490 for line in lines):
        return
    parsed = read(newline.join(lines))
    assert [account.name for account in parsed.accounts] == [
        f"a{number}" for number in range(len(accounts))
    ]
    for written, account in zip(accounts, parsed.accounts, strict=True):
        expected = defaults | written
        for field in FIELDS:
            value = expected.get(field.name, field.default)
            assert account.get(field) == value, field.name
            assert account.is_set(field.name) == (field.name in written)
            place = account.where(field.name)
            assert place.startswith("rc:") == (field.name in expected)


TUTORIAL = b"""account default
tls on
tls_trust_file /etc/ssl/certs/ca-certificates.crt
tls_starttls off
host smtp.qiye.aliyun.com
port 465
auth on
user no-reply@example.com
password secret
from no-reply@example.com
"""


def test_reads_the_tutorial_file():
    """The file that people copy from tutorials means what they think."""
    account = only(TUTORIAL.decode())
    assert (account.name, account.host, account.port) == ("default", "smtp.qiye.aliyun.com", 465)
    assert (account.tls, account.tls_starttls, account.auth) == (True, False, "on")
    assert account.password.reveal() == "secret"
    assert account.where("password") == "rc:9"


def test_reads_the_tutorial_file_fast():
    """A usual file costs far less than a millisecond (17 microseconds when this was written)."""
    best = 1.0
    for _ in range(20):
        start = time.perf_counter()
        parse(TUTORIAL, "rc", run_eval=no_eval)
        best = min(best, time.perf_counter() - start)
    assert best < 0.001


WHITELIST = {
    "pillarbox",
    "pillarbox.errors",
    "pillarbox.secret",
    "pillarbox.text",
    "pillarbox.value",
    "pillarbox.mail",
    "pillarbox.config",
    *(
        f"pillarbox.config.{name}"
        for name in (
            "account",
            "command",
            "files",
            "finish",
            "load",
            "match",
            "netrc",
            "parse",
            "patterns",
            "secrets",
            "values",
        )
    ),
    # os and what it brings; posix, builtins and the like are loaded by every Python
    "os",
    "os.path",
    "posixpath",
    "genericpath",
    "stat",
    "_stat",
    "_collections_abc",
    "abc",
    "_abc",
    "__future__",
}


def test_room_imports_nothing_slow():
    """All modules that every ``msmtp`` call loads import builtins and ``os`` only."""
    source = __file__.rsplit("/tests/", 1)[0] + "/src"
    code = (
        f"import sys; before = set(sys.modules); sys.path.insert(0, {source!r});"
        "import pillarbox.config.finish, pillarbox.config.load, pillarbox.config.secrets;"
        "print(*(set(sys.modules) - before))"
    )
    run = subprocess.run(
        [sys.executable, "-S", "-E", "-s", "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(run.stdout.split())
    assert "pillarbox.config.load" in loaded
    assert loaded <= WHITELIST


LINES_OF_ANY_KIND = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([line for seed in SEEDS for line in seed.split(b"\n")]),
    ),
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(LINES_OF_ANY_KIND)
def test_takes_any_text(lines):
    """Whatever a file holds, it is read or refused with a line, and no password is repeated."""
    check(b"\n".join(lines))


@pytest.mark.parametrize("seed", SEEDS)
def test_takes_the_seeds_whole_and_cut(seed):
    """The fuzzer's seeds hold its property at whichever byte the file ends."""
    for end in range(0, len(seed) + 1, 3):
        check(seed[:end])
