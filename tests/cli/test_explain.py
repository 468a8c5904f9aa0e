"""``pillarbox explain``: there is always an answer, and the provider's comes first."""

import json

import pytest

from pillarbox.cli import explain as command
from pillarbox.cli.explain import EX_NUMBERS_ONLY, main, numbers_of
from pillarbox.config.replies import explain
from pillarbox.errors import MissingInputError, UsageError


@pytest.fixture(autouse=True)
def _english(monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")


def test_the_tutorials_failure(capsys):
    """The sentence of the issue: alone, without a provider, without a configuration."""
    assert main(["526 Authentication failure[0]"]) == 0
    said = capsys.readouterr().out
    provider, generic = said.index("Alibaba Mail"), said.index("With many servers")
    assert provider < generic < said.index("By its numbers")
    assert "client security password" in " ".join(said.split())
    assert "do not try again" in said
    assert "about the connection" not in said  # by its second digit, which is wrong here


def test_chinese(capsys, monkeypatch):
    """A person who reads Chinese gets Chinese."""
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert main(["--provider", "阿里邮箱", "526 Authentication failure[1]"]) == 0
    said = capsys.readouterr().out
    assert "锁定约 1 小时" in said.replace("\n", "").replace("               ", "")
    assert "不要重试" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("550 5.1.10 strange words", "takes no mail (null MX)"),
        ("599 x", "word for word"),
        ("gibberish", "word for word"),
        ("451 4.9.9 strange words", "let the queue try again"),
        ("250 fine", "this is no failure"),
        ("550 5.7.139 strange words", "about security and rules"),
        ("556 strange words", "the domain of the recipient takes no mail"),
        ("571 strange words", "Nobody knows this text"),
        ("\udcff\x1b[31m", "\\x1b"),
    ],
)
def test_an_unknown_text_is_never_left_without_an_answer(text, said, capsys):
    """Its numbers are explained, and what to do is said."""
    assert main([text]) == EX_NUMBERS_ONLY
    out = capsys.readouterr().out
    assert said in " ".join(out.split())
    assert "\x1b" not in out
    assert "to do" in out


def test_the_stage_decides(capsys):
    """What is true of a login is not said of a recipient."""
    assert main(["--stage", "AUTH", "526 Authentication failure[0]"]) == 0
    assert "Alibaba" in capsys.readouterr().out
    assert main(["--stage", "rcpt", "526 Authentication failure[0]"]) == EX_NUMBERS_ONLY
    assert "Alibaba" not in capsys.readouterr().out


def test_who_means_the_same_is_named_once(capsys):
    """Three sisters with one meaning are one answer; too many meanings are named only."""
    assert main(["535 Error: authentication failed"]) == 0
    said = capsys.readouterr().out
    assert said.count("NetEase 163.com") <= 1


def test_a_host_names_the_provider(capsys):
    """What stands in the configuration can be pasted."""
    assert main(["--provider", "smtp.qiye.aliyun.com", "--json", "440 mail from account"]) == 1
    assert (
        main(["--provider", "smtp.qiye.aliyun.com", "--json", "526 Authentication failure[0]"]) == 0
    )
    out = capsys.readouterr().out
    row = json.loads(out[out.rindex('{\n  "text"') :])
    assert row["answers"][0]["providers"] == ["aliyun-qiye"]
    assert row["answers"][0]["retry"] == "no"
    assert row["numbers"][0]["number"] == "5yz"
    assert row["advice"] == ""


@pytest.mark.parametrize(
    ("text", "code", "enhanced"),
    [
        ("535 5.7.8 x", 535, "5.7.8"),
        ("535-5.7.8 x", 535, "5.7.8"),
        ("535", 535, ""),
        ("smtpmsg='550 5.1.1 x'", 550, "5.1.1"),
        ("in 535 seconds", 535, ""),
        ("x535 y", 0, ""),
        ("192.168.5.535 y", 0, ""),
        ("599 x", 0, ""),
        ("5.1.1.1 x", 0, ""),
        ("", 0, ""),
    ],
)
def test_numbers(text, code, enhanced):
    """A reply's code is three digits of SMTP, and no part of an address."""
    numbers = numbers_of(text)
    assert (numbers.code, numbers.enhanced) == (code, enhanced)


def test_every_stage_is_one_of_the_hints():
    """What --stage takes is what a failure of ours has."""
    for stage in command._STAGES.values():
        explain("421 x", None, stage)


def test_wrong_use():
    """No text, or nobody's name, is said so."""
    with pytest.raises(UsageError):
        main(["  "])
    with pytest.raises(UsageError):
        main([])
    with pytest.raises(MissingInputError, match="no provider is known as 'nobody here'"):
        main(["--provider", "nobody here", "x"])
