"""The tree of exceptions is the one that is drawn, and each has its exit code."""

from __future__ import annotations

import inspect
import os
import re

import pytest

from pillarbox import errors
from pillarbox.errors import (
    ConfigError,
    DeadlineError,
    MissingExtraError,
    NetworkError,
    PillarboxError,
    RemoteProtocolError,
    TlsError,
)

CLASSES = [
    shown
    for _, shown in inspect.getmembers(errors, inspect.isclass)
    if shown.__module__ == errors.__name__
]


def drawn():
    """Return name, exit code and depth of each class in the docstring's picture."""
    rows = re.findall(r"(?m)^    ([│├└─ ]*)(\w+Error) +(\d+)", errors.__doc__)
    return [(name, int(code), len(branch) // 4) for branch, name, code in rows]


def test_picture_shows_every_class_with_its_exit_code_and_parent():
    """The docstring is the map: class, parent and code agree with the code below it."""
    parents = [PillarboxError.__base__]
    for name, exit_code, depth in drawn():
        shown = getattr(errors, name)
        assert shown.exit_code == exit_code, name
        assert shown.__bases__ == (parents[depth],), name
        parents[depth + 1 :] = [shown]
    assert {name for name, _, _ in drawn()} == {shown.__name__ for shown in CLASSES}


def test_everything_is_exported():
    """Each class and each code is in ``__all__``, which is sorted."""
    codes = [name for name in vars(errors) if re.fullmatch("EX_[A-Z]+", name)]
    names = sorted(code for code in codes if code != "EX_NAMES")
    assert set(errors.__all__) == {*codes, *(shown.__name__ for shown in CLASSES)}
    assert {errors.EX_NAMES[getattr(errors, name)] for name in names} == set(names)


@pytest.mark.parametrize("name", sorted(name for name in vars(errors) if name.startswith("EX_")))
def test_exit_codes_are_those_of_the_system(name):
    """The codes are sysexits', as the operating system has them."""
    if name != "EX_NAMES":
        assert getattr(errors, name) == getattr(os, name)


@pytest.mark.parametrize("shown", CLASSES, ids=lambda shown: shown.__name__)
def test_every_class_says_what_it_is(shown):
    """A docstring for each, and each can be caught at the root."""
    assert shown.__doc__
    assert issubclass(shown, PillarboxError)


PLACES = [
    (ConfigError("bad"), "bad"),
    (ConfigError("bad", path="/etc/msmtprc"), "/etc/msmtprc: bad"),
    (ConfigError("bad", path="/etc/msmtprc", line=3), "/etc/msmtprc: line 3: bad"),
    (ConfigError("bad", line=3), "line 3: bad"),
    (NetworkError("cannot connect", peer="host, port 25"), "cannot connect"),
    (MissingExtraError("NTLM", "ntlm"), "NTLM needs an extra: pip install 'pillarbox[ntlm]'"),
]


@pytest.mark.parametrize(("error", "text"), PLACES)
def test_sentence_says_what_and_where(error, text):
    """``str`` is one sentence without a full stop."""
    assert str(error) == text


def test_facts_are_fields():
    """Nobody has to read them out of the text again."""
    assert ConfigError("bad", path="rc", line=3, advice="fix it").advice == "fix it"
    assert DeadlineError("late", peer="host, port 25").peer == "host, port 25"
    assert TlsError("no", peer="host, port 465").peer == "host, port 465"
    assert RemoteProtocolError("no", received=b"x").received == b"x"
    extra = MissingExtraError("NTLM", "ntlm")
    assert (extra.feature, extra.extra, extra.advice) == ("NTLM", "ntlm", "")
