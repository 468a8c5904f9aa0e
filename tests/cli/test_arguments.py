"""The command lines for people."""

import os

import pytest

from pillarbox.cli.arguments import choose_language
from pillarbox.cli.main import spoken
from pillarbox.text import say
from programs import call_program

SPEAKING = [["explain"], ["providers"], ["config"], ["config", "show"], ["spf", "check"], ["dns"]]


@pytest.mark.parametrize("command", ["try", "lint", "send"])
@pytest.mark.parametrize("language", ["C.UTF-8", "zh_CN.UTF-8"])
def test_a_wrong_option_is_told_with_where_to_look(command, language):
    """One sentence, one advice, exit code 64, and no usage page in between."""
    result = call_program("pillarbox", [command, "--nonsense"], b"", {"LC_ALL": language})
    assert (result.exit_code, result.out) == (64, "")
    problem, advice = result.err.splitlines()
    assert "--nonsense" in problem
    assert f"'pillarbox {command} --help'" in advice


@pytest.mark.parametrize("command", SPEAKING, ids=" ".join)
def test_a_person_chooses_the_language(command):
    """--lang goes before the locale, for the help too, before and behind an action."""
    for option in (["--lang", "zh"], ["--lang=zh"]):
        for words in ([*command, *option], [command[0], *option, *command[1:]]):
            result = call_program("pillarbox", [*words, "--help"], b"", {"LC_ALL": "C"})
            assert (result.exit_code, result.err) == (0, "")
            assert "说中文还是英文" in result.out.replace("\n", "").replace(" ", "")
    result = call_program(
        "pillarbox", [*command, "--lang", "en", "--help"], b"", {"LC_ALL": "zh_CN.UTF-8"}
    )
    assert "speak English or Chinese" in result.out


@pytest.mark.parametrize("command", SPEAKING, ids=" ".join)
def test_a_language_that_nobody_speaks_is_refused(command):
    """It is wrong usage, not silently English."""
    result = call_program("pillarbox", [*command, "--lang", "fr"], b"", {"LC_ALL": "C"})
    assert (result.exit_code, result.out) == (64, "")
    assert "'fr'" in result.err


@pytest.mark.parametrize(
    ("words", "language"),
    [
        (["--lang", "zh"], "zh"),
        (["x", "--lang=zh", "y"], "zh"),
        (["--lang", "zh", "--lang", "en"], "en"),
        (["--", "--lang", "zh"], "en"),
        (["--lang"], "en"),
        (["--lang", "xx"], "en"),
        (["zh"], "en"),
        (["--language", "zh"], "en"),
        ([], "en"),
    ],
    ids=" ".join,
)
def test_the_last_language_named_counts(words, language, monkeypatch):
    """As argparse would have it; what is no language, or no option, changes nothing."""
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PILLARBOX_LANG", "")
    choose_language(words)
    assert os.environ["PILLARBOX_LANG"] in ("", language)
    assert (spoken(say("the domain")) == "the domain") == (language == "en")
