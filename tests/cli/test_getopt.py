"""GNU getopt_long's way with a command line, by table and beside the library's own getopt."""

import getopt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.cli.getopt import NONE, OPTIONAL, REQUIRED, Option, parse_options
from pillarbox.errors import UsageError

OPTIONS = (
    Option("alpha", long="alpha", short="a"),
    Option("beta", long="beta", short="b", argument=REQUIRED),
    Option("bet", long="bet"),
    Option("color", long="color", short="c", argument=OPTIONAL),
    Option("column", long="column"),
    Option("from", short="f", argument=REQUIRED),
    Option("read", long="read-recipients", short="t"),
)

GOOD = [
    ([], [], []),
    (["x"], [], ["x"]),
    ([""], [], [""]),
    (["-"], [], ["-"]),
    (["-a"], [("alpha", None)], []),
    # Clusters, and where they end.
    (["-at"], [("alpha", None), ("read", None)], []),
    (["-ataa"], [("alpha", None), ("read", None), ("alpha", None), ("alpha", None)], []),
    (["-abt"], [("alpha", None), ("beta", "t")], []),
    (["-ab", "t"], [("alpha", None), ("beta", "t")], []),
    (["-act"], [("alpha", None), ("color", "t")], []),
    (["-ac", "t"], [("alpha", None), ("color", None)], ["t"]),
    # Arguments, glued or not; whatever they look like.
    (["-bx"], [("beta", "x")], []),
    (["-b", "x"], [("beta", "x")], []),
    (["-b", ""], [("beta", "")], []),
    (["-b="], [("beta", "=")], []),
    (["-b", "-a"], [("beta", "-a")], []),
    (["-b", "--"], [("beta", "--")], []),
    (["-b", "--alpha", "-a"], [("beta", "--alpha"), ("alpha", None)], []),
    (["-f-a"], [("from", "-a")], []),
    (["--beta=x"], [("beta", "x")], []),
    (["--beta="], [("beta", "")], []),
    (["--beta==x"], [("beta", "=x")], []),
    (["--beta", "x"], [("beta", "x")], []),
    (["--beta", "--alpha"], [("beta", "--alpha")], []),
    (["--beta", "--", "-a"], [("beta", "--"), ("alpha", None)], []),
    # Optional arguments are glued only.
    (["-c"], [("color", None)], []),
    (["-cx"], [("color", "x")], []),
    (["-c", "x"], [("color", None)], ["x"]),
    (["--color"], [("color", None)], []),
    (["--color=x"], [("color", "x")], []),
    (["--color="], [("color", "")], []),
    (["--color", "x"], [("color", None)], ["x"]),
    # Names cut short, as long as they are unique; a whole name always is.
    (["--a"], [("alpha", None)], []),
    (["--read-rec"], [("read", None)], []),
    (["--colo=x"], [("color", "x")], []),
    (["--colu"], [("column", None)], []),
    (["--bet"], [("bet", None)], []),
    (["--beta", "1"], [("beta", "1")], []),
    # Operands anywhere, and the end of the options.
    (["x", "-a", "y"], [("alpha", None)], ["x", "y"]),
    (["x", "-", "-a"], [("alpha", None)], ["x", "-"]),
    (["--", "-a", "--beta"], [], ["-a", "--beta"]),
    (["x", "-a", "--", "-a", "--", "y"], [("alpha", None)], ["x", "-a", "--", "y"]),
    (["--"], [], []),
    (["-a", "-b", "x", "y", "-cz"], [("alpha", None), ("beta", "x"), ("color", "z")], ["y"]),
]

BAD = [
    (["-x"], "invalid option -- 'x'"),
    (["-ax"], "invalid option -- 'x'"),
    (["-a-"], "invalid option -- '-'"),
    (["-t--alpha"], "invalid option -- '-'"),
    (["-b"], "option requires an argument -- 'b'"),
    (["-ab"], "option requires an argument -- 'b'"),
    (["--beta"], "option '--beta' requires an argument"),
    (["--alpha=x"], "option '--alpha' doesn't allow an argument"),
    (["--al="], "option '--alpha' doesn't allow an argument"),
    (["--gamma"], "unrecognized option '--gamma'"),
    (["--gamma=x"], "unrecognized option '--gamma'"),
    (["--alphas"], "unrecognized option '--alphas'"),
    (["--ALPHA"], "unrecognized option '--ALPHA'"),
    (["---"], "unrecognized option '---'"),
    (["--be"], "option '--be' is ambiguous; possibilities: '--beta' '--bet'"),
    (["--col"], "option '--col' is ambiguous; possibilities: '--color' '--column'"),
    (["--=x"], "option '--' is ambiguous"),
    (["x", "-a", "-x"], "invalid option -- 'x'"),
]


@pytest.mark.parametrize(("words", "found", "operands"), GOOD)
def test_takes_a_command_line_apart(words, found, operands):
    """Options come in their order and operands in theirs."""
    assert parse_options(words, OPTIONS) == (found, operands)


@pytest.mark.parametrize(("words", "problem"), BAD)
def test_says_what_is_wrong(words, problem):
    """A command line that GNU getopt refuses is refused in its words, with exit code 64."""
    with pytest.raises(UsageError) as caught:
        parse_options(words, OPTIONS)
    assert str(caught.value).startswith(problem)
    assert caught.value.exit_code == 64


@pytest.mark.parametrize(
    ("words", "found", "operands"),
    [
        (["x", "-a"], [], ["x", "-a"]),
        (["-a", "x", "-a", "--", "-b"], [("alpha", None)], ["x", "-a", "--", "-b"]),
        (["-b", "x", "-a", "y"], [("beta", "x"), ("alpha", None)], ["y"]),
        (["-", "-a"], [], ["-", "-a"]),
        (["--", "x"], [], ["x"]),
        (["x", "-x"], [], ["x", "-x"]),
    ],
)
def test_posix_stops_at_the_first_operand(words, found, operands):
    """With POSIXLY_CORRECT everything behind the first operand is one too."""
    assert parse_options(words, OPTIONS, is_posix=True) == (found, operands)


def test_the_command_line_is_not_changed():
    """The caller's list is his own."""
    words = ["-b", "x", "y"]
    parse_options(words, OPTIONS)
    assert words == ["-b", "x", "y"]


# The library's getopt has no optional arguments before Python 3.14; in the rest both must agree.
_COMMON = tuple(option for option in OPTIONS if option.argument != OPTIONAL)
_SHORT = "".join(o.short + ":" * (o.argument == REQUIRED) for o in _COMMON if o.short)
_LONG = [o.long + "=" * (o.argument == REQUIRED) for o in _COMMON if o.long]
_KEYS = {f"-{o.short}": o.key for o in _COMMON if o.short}
_KEYS |= {f"--{o.long}": o.key for o in _COMMON if o.long}
_NO_ARGUMENT = {o.key for o in _COMMON if o.argument == NONE}

_words = st.lists(
    st.one_of(
        st.sampled_from(["--", "-", "", "-a", "-b", "--bet", "--beta", "--be", "--read", "x"]),
        st.text("abftx-=", max_size=5),
        st.text("abftx-=", max_size=4).map("-{}".format),
        st.sampled_from(["alpha", "beta", "column", "read-recipients"])
        .flatmap(lambda name: st.integers(1, len(name)).map(lambda n: name[:n]))
        .flatmap(lambda name: st.sampled_from([f"--{name}", f"--{name}=x", f"--{name}="])),
    ),
    max_size=6,
)


@settings(max_examples=200, deadline=None)
@given(_words, st.booleans())
def test_agrees_with_the_library(words, is_posix):
    """Python's own gnu_getopt takes the same command lines apart in the same way."""
    try:
        parse = getopt.getopt if is_posix else getopt.gnu_getopt
        found, operands = parse(words, _SHORT, _LONG)
    except getopt.GetoptError:
        with pytest.raises(UsageError):
            parse_options(words, _COMMON, is_posix=is_posix)
        return
    expected = [
        (_KEYS[name], None if _KEYS[name] in _NO_ARGUMENT else value) for name, value in found
    ]
    assert parse_options(words, _COMMON, is_posix=is_posix) == (expected, operands)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=8), max_size=6))
def test_any_words_give_an_answer(words):
    """Whatever the words are, they are taken apart or refused, and nothing of them is lost."""
    try:
        found, operands = parse_options(words, OPTIONS)
    except UsageError:
        return
    rest = "".join(words)
    for _, value in found:
        assert value is None or value in rest
    for operand in operands:
        assert operand in words
