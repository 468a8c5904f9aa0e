"""A secret is shown by nobody but ``reveal`` (L10)."""

from __future__ import annotations

import copy
import pickle
import traceback

import pytest

from pillarbox.secret import Secret

TEXT = "hunter2-密码"


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        ascii,
        lambda secret: f"{secret}",
        lambda secret: f"{secret!r:>20}",
        lambda secret: f"{secret!s}",
        lambda secret: f"{[secret]} { ({'password': secret}) }",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 (one more way to show it)
        lambda secret: str(ValueError(secret)),
        lambda secret: "".join(traceback.format_exception(ValueError(secret))),
    ],
)
def test_secret_leak_by_formatting_shows_stars(show):
    """No way to make text of a secret gives it away."""
    shown = show(Secret(TEXT))
    assert TEXT not in shown
    assert "Secret(*)" in shown


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_secret_leak_by_pickling_is_refused(protocol):
    """A secret gets into no file by way of an object that holds it."""
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps([Secret(TEXT)], protocol)


def test_secret_leak_by_copying_is_refused():
    """Copies would go by the same door."""
    with pytest.raises(TypeError):
        copy.copy(Secret(TEXT))
    with pytest.raises(TypeError):
        copy.deepcopy({"password": Secret(TEXT)})


def test_has_no_dict_to_dump():
    """``vars`` of an object in a debugger's or reporter's hands fails."""
    with pytest.raises(TypeError):
        vars(Secret(TEXT))


def test_gives_its_text_when_asked():
    """The text comes out as it went in, empty too."""
    assert Secret(TEXT).reveal() == TEXT
    assert Secret("").reveal() == ""


def test_two_secrets_are_never_equal():
    """Nothing in the program compares them, and no timing can be measured."""
    assert Secret(TEXT) != Secret(TEXT)
