"""``pillarbox providers``: the table, and one of them whole."""

import json

import pytest

from pillarbox.cli.page import width_of
from pillarbox.cli.providers import (
    from_rule_text,
    main,
    provider_row,
    retry_text,
    username_text,
)
from pillarbox.config.providers import load_generic_replies, load_providers
from pillarbox.errors import MissingInputError

LANGUAGES = ("C", "zh_CN.UTF-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_table_has_every_provider_with_its_host(language, capsys, monkeypatch):
    """A line each, in columns that stand below each other in any language."""
    monkeypatch.setenv("LC_ALL", language)
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    starts = set()
    for provider in load_providers():
        (line,) = [line for line in lines if line.split(" ", 1)[0] == provider.id]
        host = f"{provider.preferred.host}:{provider.preferred.port}"
        assert host in line
        starts.add(width_of(line[: line.index(host)]))
    assert len(starts) == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("provider", load_providers(), ids=lambda provider: provider.id)
def test_one_is_told_whole(provider, language, capsys, monkeypatch):
    """Endpoints, steps, password, DNS, and what its servers say."""
    monkeypatch.setenv("LC_ALL", language)
    assert main([provider.id]) == 0
    said = "".join(capsys.readouterr().out.split())
    short = "zh" if language.startswith("zh") else "en"
    facts = [
        provider.name(short),
        *provider.steps(short),
        provider.secret_label(short),
        provider.spf_include,
        *provider.dkim_selectors,
        *provider.notes,
        *provider.docs,
        *(f"{endpoint.host}:{endpoint.port}" for endpoint in provider.endpoints),
        *(reply.sample for reply in provider.replies),
        *(reply.fix(short) for reply in provider.replies),
    ]
    for fact in facts:
        assert "".join(fact.split()) in said


def test_lines_fit_a_terminal(capsys, monkeypatch):
    """A page has 80 columns, whatever is known."""
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    main(["aliyun"])
    lines = capsys.readouterr().out.splitlines()
    assert all(width_of(line) <= 80 for line in lines if "http" not in line)


def test_json_is_the_values(capsys):
    """One, or all."""
    assert main(["aliyun", "--json"]) == 0
    one = json.loads(capsys.readouterr().out)
    assert one["id"] == "aliyun-qiye"
    assert one["endpoints"][0]["port"] == 465
    assert one["steps"]["zh"]
    assert main(["--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == [provider.id for provider in load_providers()]
    assert rows[0].keys() == provider_row(load_providers()[0]).keys()


def test_every_rule_of_the_presets_has_its_words():
    """A preset with a rule of its own would fail only when somebody looks at it."""
    for provider in load_providers():
        assert from_rule_text(provider)
        assert username_text(provider)
        assert all(retry_text(reply.retry) for reply in provider.replies)
    assert all(retry_text(reply.retry) for reply in load_generic_replies())
    by_id = {provider.id: provider for provider in load_providers()}
    assert username_text(by_id["sendgrid"]) == "always apikey"
    assert username_text(by_id["mailgun"]) == "such as postmaster@<sending-domain>"


@pytest.mark.parametrize(
    ("name", "problem", "advice"),
    [
        ("nobody knows it", "no provider is known as 'nobody knows it'", "lists them"),
        ("网易", "may be one of several", "netease-126, netease-163"),
        ("\x1b[31m", "no provider is known as '\\x1b[31m'", "lists them"),
    ],
)
def test_a_name_that_is_nobodys_or_several(name, problem, advice):
    """It is said what may be written."""
    with pytest.raises(MissingInputError) as caught:
        main([name])
    assert problem in caught.value.problem
    assert advice in caught.value.advice
    assert caught.value.exit_code == 66
