"""Who answers: the command line, the environment, a file, a person; in this order."""

from __future__ import annotations

import pytest

from pillarbox.errors import ConfigError, DataError, MissingInputError, UsageError
from pillarbox.setup.questions import ANSWERS, Answers, Questions, read_answer_file
from pillarbox.text import say


class Person:
    """Somebody who says what stands in a list."""

    def __init__(self, *lines):
        self.lines = list(lines)
        self.shown = []

    def ask(self, prompt):
        """Answer a question."""
        self.shown.append(prompt)
        return self.lines.pop(0)

    ask_secret = ask

    def tell(self, text, style=""):
        """Be shown a text."""
        del style
        self.shown.append(text)


def questions(*lines, answers=None, is_person=True, environment=None, stdin=b""):
    """Return questions to a person who says these lines."""
    person = Person(*lines)
    made = Questions(
        answers or Answers({}, {}), person if is_person else None,
        environment=environment or {}, show=person.shown.append, read_stdin=lambda: stdin,
    )  # fmt: skip
    return made, person


@pytest.mark.parametrize(("option", "variable", "file", "found"), [
    ("o", "v", "f", "o"), (None, "v", "f", "v"), (None, None, "f", "f"), (None, None, None, None),
    ("", "v", "f", ""),
])  # fmt: skip
def test_the_nearest_answer_counts(option, variable, file, found):
    """Command line, environment, answer file."""
    environment = {} if variable is None else {"PILLARBOX_SETUP_HOST": variable}
    answers = Answers({"host": option}, environment, {} if file is None else {"host": file})
    assert answers.get("host") == found


@pytest.mark.parametrize(("word", "is_yes"), [
    ("yes", True), ("Y", True), ("1", True), ("on", True), ("true", True), ("是", True),
    ("no", False), ("N", False), ("0", False), ("off", False), ("false", False), ("否", False),
    ("", None), (" ", None),
])  # fmt: skip
def test_yes_and_no_have_many_words(word, is_yes):
    """An empty one says nothing."""
    answers = Answers({}, {"PILLARBOX_SETUP_CONFIRM": word})
    for default in (True, False):
        expected = default if is_yes is None else is_yes
        assert answers.is_yes("confirm", default=default) is expected


def test_what_is_neither_yes_nor_no_is_told():
    """And not taken for one of them."""
    with pytest.raises(UsageError, match="confirm is yes or no, not perhaps"):
        Answers({}, {"PILLARBOX_SETUP_CONFIRM": "perhaps"}).is_yes("confirm", default=True)


def test_a_password_file_of_the_command_line_wins_over_the_environment(tmp_path):
    """Whoever names a file means it; else a password is nearer than a file."""
    path = tmp_path / "password"
    path.write_bytes(b" of the file \r\nsecond line\n")
    variables = {"PILLARBOX_SETUP_PASSWORD": "of the variable"}
    named = Answers({"password_file": str(path)}, variables)
    assert named.secret(bytes).reveal() == " of the file "
    assert Answers({}, variables, {"password_file": str(path)}).secret(bytes).reveal() == (
        "of the variable"
    )
    assert Answers({}, {}, {"password_file": str(path)}).secret(bytes).reveal() == " of the file "
    assert Answers({}, {}).secret(bytes) is None
    assert Answers({"password_file": "-"}, {}).secret(lambda: b"x\n").reveal() == "x"


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\nx\n"])
def test_an_empty_password_is_none(tmp_path, content):
    """Else a login would be tried with it."""
    path = tmp_path / "password"
    path.write_bytes(content)
    with pytest.raises(MissingInputError, match=r"the first line of .* is empty"):
        Answers({"password_file": str(path)}, {}).secret(bytes)
    with pytest.raises(MissingInputError, match="the password is empty"):
        Answers({}, {"PILLARBOX_SETUP_PASSWORD": ""}).secret(bytes)


@pytest.mark.parametrize("path", ["/nonexistent", "/", "a\0b"])
def test_a_password_file_that_cannot_be_read_is_told(path):
    """By its name, and why."""
    with pytest.raises(MissingInputError, match="cannot read"):
        Answers({"password_file": path}, {}).secret(bytes)


def _read_even(text):
    if text.isdecimal() and not int(text) % 2:
        return int(text)
    raise DataError(say("nothing was typed"), advice=say("answer yes or no"))


def test_a_person_is_asked_again_until_it_can_be_read():
    """Three times, with the reason and the advice; then it ends."""
    asked, person = questions("1", "x", " 4 ")
    assert asked.text("port", say("its port"), _read_even) == 4
    assert person.shown.count("nothing was typed") == 2
    asked, person = questions("1", "3", "5", "4")
    with pytest.raises(DataError):
        asked.text("port", say("its port"), _read_even)
    assert person.lines == ["4"]


def test_what_is_given_is_not_asked_for():
    """And if it cannot be read, a person is not bothered either: a script is wrong."""
    asked, person = questions("6", answers=Answers({"port": "4"}, {}))
    assert asked.text("port", say("its port"), _read_even) == 4
    asked, person = questions("6", answers=Answers({"port": "5"}, {}))
    with pytest.raises(DataError):
        asked.text("port", say("its port"), _read_even)
    assert person.shown == []


@pytest.mark.parametrize("name", [name for name in ANSWERS if ANSWERS[name].option])
def test_where_nobody_can_be_asked_the_option_and_the_variable_are_named(name):
    """One line of problem, one of advice."""
    asked, _ = questions(is_person=False)
    with pytest.raises(UsageError) as caught:
        asked.text(name, say("its port"), str)
    assert ANSWERS[name].option in caught.value.advice
    assert f"PILLARBOX_SETUP_{name.upper()}" in caught.value.advice
    assert caught.value.exit_code == 64


@pytest.mark.parametrize(("typed", "default", "is_agreed"), [
    ("", True, True), ("", False, False), ("y", False, True), ("n", True, False),
])  # fmt: skip
def test_enter_takes_what_the_capital_letter_says(typed, default, is_agreed):
    """[Y/n] or [y/N]."""
    asked, person = questions(typed)
    assert asked.is_agreed("confirm", say("its port"), default=default) is is_agreed
    assert person.shown == [f"its port [{'Y/n' if default else 'y/N'}]: "]


def test_nobody_agrees_where_nobody_can_be_asked():
    """A yes is never taken for granted."""
    asked, _ = questions(is_person=False)
    with pytest.raises(UsageError, match="no terminal to ask for confirm"):
        asked.is_agreed("confirm", say("its port"), default=True)


def test_nothing_that_is_shown_can_steer_the_terminal():
    """Attack: a reply of a server has escapes in it. Line ends stay."""
    for is_person in (True, False):
        asked, person = questions(is_person=is_person)
        asked.tell("a\x1b[2J\nb\x9d\u202e")
        assert person.shown == ["a\\x1b[2J\nb\\x9d\\u202e"]


def test_the_language_is_the_persons():
    """Of questions, and of what he is told."""
    asked, person = questions("y", environment={"LC_ALL": "zh_CN.UTF-8"})
    asked.is_agreed("confirm", say("send the password there?"), default=True)
    assert person.shown == ["要把密码发给它吗？（Y/n，直接回车表示是）："]


def test_a_file_of_answers(tmp_path):
    """Words, numbers, yes and no."""
    path = tmp_path / "answers.toml"
    path.write_text('host = "h"\nport = 465\nconfirm = false\ntest_mail = true\n')
    expected = {"host": "h", "port": "465", "confirm": "no", "test_mail": "yes"}
    assert read_answer_file(str(path)) == (expected, "")


def test_a_password_in_a_file_that_all_can_read_is_told(tmp_path):
    """It is used all the same: it is known to them already."""
    path = tmp_path / "answers.toml"
    path.write_text('password = "p"\n')
    path.chmod(0o644)
    assert "every user can read it" in read_answer_file(str(path))[1]
    path.chmod(0o600)
    assert read_answer_file(str(path))[1] == ""


@pytest.mark.parametrize(("text", "word"), [
    ("x", "is no TOML"), ("pass_word = 'hunter2'", "no answer is called"),
    ("password = 1.5", "must be one word"), ("password = ['hunter2']", "must be one word"),
    ("[table]\nx = 1", "no answer is called"), ("password = 'hunter2\n", "is no TOML"),
    ("password = " + "[" * 50_000, "is no TOML"),
    ("password = 0x" + "f" * 50_000, "must be one word"),
])  # fmt: skip
def test_a_faulty_file_of_answers_is_told_without_what_it_says(tmp_path, text, word):
    """The value may be the password."""
    path = tmp_path / "answers.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=word) as caught:
        read_answer_file(str(path))
    assert "hunter2" not in str(caught.value) + caught.value.advice


def test_a_file_of_answers_that_is_no_text_is_told(tmp_path):
    """Neither UTF-8 nor there."""
    path = tmp_path / "answers.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is no TOML"):
        read_answer_file(str(path))
    with pytest.raises(MissingInputError, match="cannot read"):
        read_answer_file(str(tmp_path / "nothing"))
