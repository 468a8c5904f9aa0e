"""The order of things: what is tried where a server cannot be reached, and what is proved."""

from __future__ import annotations

import json
import socket

import pytest

from peer import Puppet
from pillarbox.config.providers import find_providers
from pillarbox.errors import UsageError
from pillarbox.intake.provider import EmbeddedProvider, ProviderOptions
from pillarbox.setup import way as way_module
from pillarbox.setup.candidate import Candidate, Discovery
from pillarbox.setup.interview import interview
from pillarbox.setup.order import Order
from pillarbox.setup.questions import Answers, Questions
from pillarbox.setup.report import Report
from setup_world import ME, SECRET, make_world, tree


@pytest.fixture
def world(tmp_path):
    """Return a new home and a provider with one account."""
    with make_world(tmp_path) as made:
        yield made


@pytest.fixture
def closed_port():
    """Return a port on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]


def set_up(world, monkeypatch, *candidates, **answers):
    """Set a user's account up with what was found; return code, report and talk."""
    discovery = Discovery(candidates)
    monkeypatch.setattr(way_module, "discover", lambda *_, **__: discovery)
    environment = {"HOME": str(world.home)}
    given = {"address": ME, "password": SECRET, "trust_file": world.provider.ca_file} | answers
    shown = []
    questions = Questions(
        Answers({}, {}, given), None, environment=environment, show=shown.append, read_stdin=bytes
    )
    report = Report()
    order = Order(is_system=False, environment=environment)
    return interview(order, questions, report), report, "\n".join(shown)


def candidate(port, **facts):
    """Return a way to this computer."""
    return Candidate("127.0.0.1", port, "implicit", **({"username": ME} | facts))


def test_a_blocked_port_leads_to_the_next_server(world, monkeypatch, closed_port):
    """It is said, and what is written is the way that worked."""
    code, report, shown = set_up(
        world, monkeypatch, candidate(closed_port), candidate(world.provider.port)
    )
    assert code == 0
    assert f"port {world.provider.port}\n" in world.rc.read_text()
    assert report.as_json()["port"] == world.provider.port
    assert "Connection refused" in shown
    assert len(world.logins) == 2  # the proof, and the mail


def test_a_server_that_refuses_is_not_left_for_another(world, monkeypatch, closed_port):
    """A wrong password is wrong at the other port, too, and one more towards the lock."""
    code, _, _ = set_up(
        world, monkeypatch, candidate(world.provider.port), candidate(closed_port), password="no"
    )
    assert code == 77
    assert len(world.logins) == 1
    assert tree(world.home) == {}


def test_a_server_without_tls_gets_no_password(world, monkeypatch):
    """Attack: somebody in between strips STARTTLS."""
    with Puppet() as puppet:
        code, _, _ = set_up(
            world, monkeypatch, Candidate("127.0.0.1", puppet.port, "starttls", username=ME)
        )
    assert code == 69
    assert not any(line.startswith("AUTH") for line in puppet.commands)
    assert tree(world.home) == {}


def test_the_password_is_missed_before_anything_is_looked_up(world, monkeypatch):
    """A script that forgot it hears so at once."""

    def fail(*_, **__):
        pytest.fail("something was looked up")

    monkeypatch.setattr(way_module, "discover", fail)
    environment = {"HOME": str(world.home)}
    questions = Questions(
        Answers({"address": ME}, {}), None, environment=environment, show=print, read_stdin=bytes
    )
    with pytest.raises(UsageError, match="no terminal to ask for the password"):
        interview(Order(is_system=False, environment=environment), questions, Report())


def test_an_account_of_another_login_name(world, monkeypatch):
    """The login name may be another one than the sender."""
    code, report, _ = set_up(
        world, monkeypatch, candidate(world.provider.port, username=""), user_name=ME
    )
    assert (code, report.as_json()["user"]) == (0, ME)


def test_the_strongest_login_is_not_remembered_of_a_trial(world, monkeypatch):
    """Nothing but the account is written to the home by a setup."""
    set_up(world, monkeypatch, candidate(world.provider.port), test_mail="no")
    assert list(tree(world.home)) == [".msmtprc"]


def test_a_secret_that_is_the_login_name_is_shown_nowhere(world, monkeypatch):
    """Attack: Postmark's token is read in the difference, or in the log of a script."""
    (postmark,) = find_providers("postmark")
    secret = "token-of-postmark"
    options = ProviderOptions(user=secret, password=secret, checks_sender=False)
    with EmbeddedProvider(options) as provider:
        world.provider = provider
        way = Candidate("127.0.0.1", provider.port, "implicit", provider=postmark)
        code, report, shown = set_up(world, monkeypatch, way, password=secret)
    assert code == 0
    assert f"user {secret}\npassword {secret}\n" in world.rc.read_text()
    assert "+user ****" in shown
    assert secret not in shown + json.dumps(report.as_json())
