"""From an address to a way: what is asked of the person, and what is never done without him."""

from __future__ import annotations

import pytest

from pillarbox.config.providers import find_providers
from pillarbox.errors import CredentialError, DataError, UsageError
from pillarbox.setup import way as way_module
from pillarbox.setup.candidate import Candidate, Discovery, Tried
from pillarbox.setup.order import Order
from pillarbox.setup.questions import Answers, Questions
from pillarbox.setup.report import Report
from pillarbox.setup.way import find_way, read_address
from pillarbox.text import say

ME = "me@example.com"


class Script:
    """A person who says what stands in a list, and remembers what he was shown."""

    def __init__(self, *lines):
        self.lines = list(lines)
        self.shown = []

    def ask(self, prompt):
        """Answer a question."""
        self.shown.append(prompt)
        return self.lines.pop(0)

    def ask_secret(self, prompt):
        """Answer a question for a secret."""
        return self.ask(prompt)

    def tell(self, text, style=""):
        """Be shown a text."""
        del style
        self.shown.append(text)


def candidate(host="smtp.example.com", port=465, **facts):
    """Return a way that was found."""
    tls = "implicit" if port == 465 else "starttls"
    return Candidate(host, port, tls, **({"username": ME, "source": "srv"} | facts))


@pytest.fixture
def find(monkeypatch):
    """Return a function that finds a way among candidates, and what was wished of the search."""

    def call(discoveries, *lines, person=True, **answers):
        found = list(discoveries)
        wishes = []

        def discover(mailbox, _seams, wish=None, *, show=None):
            wishes.append((str(mailbox), wish))
            discovery = found.pop(0)
            for tried in discovery.tried if show else ():
                show(tried)
            return discovery

        monkeypatch.setattr(way_module, "discover", discover)
        script = call.script = Script(*lines)
        questions = Questions(
            Answers({"address": ME} | answers, {}), script if person else None,
            environment={}, show=script.shown.append, read_stdin=bytes,
        )  # fmt: skip
        order = Order(is_system=False, environment={})
        report = Report()
        result = find_way(order, questions, report)
        assert report.way is result
        assert script.lines == []
        return result, script, wishes

    return call


def test_a_trusted_server_is_taken_without_a_question(find):
    """With the others that are known behind it, for when it cannot be reached."""
    both = (candidate(), candidate(port=587))
    found, script, wishes = find([Discovery(both)])
    assert (found.host, found.port, found.is_implicit, found.user) == (
        "smtp.example.com", 465, True, ME
    )  # fmt: skip
    other = found.next()
    assert (other.port, other.tls, other.is_implicit, other.next()) == (
        587,
        "starttls",
        False,
        None,
    )
    assert wishes[0][0] == ME
    assert not any("?" in line for line in script.shown)


def test_a_server_of_another_domain_gets_no_password_without_a_yes(find):
    """Attack: a forged SRV record names the server of somebody who collects passwords."""
    evil = Discovery((candidate("smtp.evil.example", is_trusted=False),))
    with pytest.raises(UsageError, match="no server was found"):
        find([evil], "")
    with pytest.raises(UsageError, match=r"which does not belong to example\.com"):
        find([evil], person=False)
    found, script, _ = find([evil], "y")
    assert found.host == "smtp.evil.example"
    assert any("which does not belong to example.com" in line for line in script.shown)


def test_a_stranger_is_no_fallback(find):
    """Attack: whoever blocks the real port gets the password at the other server."""
    evil = candidate("smtp.evil.example", is_trusted=False)
    found, _, _ = find([Discovery((candidate(), evil))])
    assert found.next() is None


def test_a_port_that_was_wished_has_no_fallback(find):
    """Whoever says 465 means 465."""
    found, _, wishes = find([Discovery((candidate(), candidate(port=587)))], port="465")
    assert found.next() is None
    assert wishes[0][1].port == 465


def test_the_region_is_asked_for_once(find):
    """It stands in all hosts of the provider; Enter takes the usual one."""
    (ses,) = find_providers("aws-ses") or find_providers("ses")
    host = "email-smtp.{region}.amazonaws.com"
    both = Discovery(
        tuple(candidate(host, port, provider=ses, username="AKIA") for port in (465, 587))
    )
    found, script, _ = find([both], "eu-west-1")
    assert found.host == "email-smtp.eu-west-1.amazonaws.com"
    assert found.next().host == found.host
    usual, script, _ = find([both], "")
    assert usual.host == "email-smtp.us-east-1.amazonaws.com"
    assert any("[us-east-1]" in line for line in script.shown)
    with pytest.raises(UsageError, match="no terminal to ask for region"):
        find([both], person=False)
    assert find([both], person=False, region="EU-west-1")[0].host == found.host
    with pytest.raises(UsageError, match="is no region"):
        find([both], "a.b", "evil.example/", "x y")


def test_a_user_name_that_only_the_person_knows_is_asked_for(find):
    """An API key, say."""
    found, _, _ = find([Discovery((candidate(username=""),))], "", "AKIA123")
    assert found.user == "AKIA123"
    with pytest.raises(UsageError, match=r"no terminal to ask for user_name"):
        find([Discovery((candidate(username=""),))], person=False)


@pytest.mark.parametrize(("typed", "host", "provider"), [
    ("smtp.example.net", "smtp.example.net", None),
    ("smtp.example.com", "smtp.example.com", None),  # which is nearly the host of another
    ("aliyun", "", "aliyun-qiye"),
    ("smtp.qiye.aliyun.com", "", "aliyun-qiye"),
    ("qq.com", "", "qq"),
])  # fmt: skip
def test_of_an_unknown_domain_the_provider_or_server_is_asked(find, typed, host, provider):
    """A host's name is a host, unless it is a provider's."""
    nothing = Discovery((), None, (Tried("mx", "example.com", say("nothing was typed")),))
    found, script, wishes = find([nothing, Discovery((candidate(),))], "", typed)
    assert found.host == "smtp.example.com"
    wish = wishes[1][1]
    assert (wish.host, wish.provider.id if wish.provider else None) == (host, provider)
    assert any("example.com: nothing was typed" in line for line in script.shown)


def test_what_was_tried_is_told_where_nobody_can_be_asked(find):
    """So that the log of a script says why nothing was found."""
    nothing = Discovery((), None, (Tried("mx", "example.com", say("nothing was typed")),))
    with pytest.raises(UsageError, match=r"no server was found for me@example\.com") as caught:
        find([nothing], person=False)
    assert caught.value.advice == "name it: --provider NAME, or --host HOST"
    assert find.script.shown == ["  example.com: nothing was typed"]


def test_a_search_that_finds_nothing_twice_ends(find):
    """There is no third question."""
    with pytest.raises(UsageError, match="no server was found"):
        find([Discovery(()), Discovery(())], "smtp.example.net")


def test_what_others_wrote_is_shown_as_it_is_safe(find):
    """Attack: the DNS rewrites the terminal of who sets his server up."""
    evil = Discovery((candidate(),), None, (Tried("srv", "a\x1b]0;x\x07", "b\x1b[2J\r"),))
    _, script, _ = find([evil])
    assert not any("\x1b" in line or "\r" in line for line in script.shown)


@pytest.mark.parametrize("text", ["", "root", "a@b@c", "a b@example.com", "a@example.com\nx"])
def test_what_is_no_address_is_refused(text):
    """With a domain, and one only."""
    with pytest.raises(DataError):
        read_address(text)


def test_blanks_around_an_address_are_nothing():
    """As a paste brings them."""
    assert str(read_address(f"  {ME} \n")) == ME


def test_several_providers_of_a_name_are_named(find):
    """Tencent has two."""
    with pytest.raises(UsageError, match="tencent may be one of: "):
        find([], provider="tencent")


def test_a_provider_that_takes_tokens_alone_gets_no_password(find):
    """It would be refused each time; what can be done instead is said."""
    (outlook,) = find_providers("outlook.com")
    with pytest.raises(CredentialError, match="takes no password from a program") as caught:
        find([Discovery((candidate(provider=outlook),))])
    assert "auth xoauth2" in caught.value.advice


def test_a_login_name_that_is_the_secret_is_not_asked_for(find):
    """Postmark's token is both, and what is typed as a name is seen."""
    (postmark,) = find_providers("postmark")
    found, script, _ = find([Discovery((candidate(username="", provider=postmark),))])
    assert (found.user, found.is_user_secret) == ("", True)
    assert not any("user" in line for line in script.shown[:3])
