"""The interface for programs: ``pillarbox.send`` and ``pillarbox.Message``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pillarbox
from peer import Peer, Puppet
from pillarbox.errors import DataError, MissingInputError, PillarboxError, UsageError
from written import PNG, config_for, parsed, text_of


@pytest.fixture
def peer():
    """Return a server of somebody else's."""
    with Peer() as server:
        yield server


@pytest.fixture
def config(peer, tmp_path):
    """Return a configuration for it."""
    return config_for(peer.port, tmp_path)


def test_importing_the_package_loads_nothing():
    """Not even its own interface, which is there when it is asked for."""
    code = (
        "import sys; before = set(sys.modules); import pillarbox;"
        "assert set(sys.modules) - before == {'pillarbox'};"
        "pillarbox.send; assert 'pillarbox.api' in sys.modules"
    )
    source = str(Path(pillarbox.__file__).parent.parent)
    subprocess.run([sys.executable, "-S", "-c", code], check=True, env={"PYTHONPATH": source})


def test_a_name_that_is_not_there():
    """It is said as for every module."""
    with pytest.raises(AttributeError, match="no attribute 'sned'"):
        pillarbox.sned  # noqa: B018 (looking it up is the test)
    for name in pillarbox.__all__:
        assert getattr(pillarbox, name) is not None


def test_sends_a_text(peer, config):
    """The shortest call, and what it gives back."""
    result = pillarbox.send("to@example.org", "测试", "正文\n", config=config)
    received = peer.last()
    mail = parsed(received.content)
    assert (mail["Subject"], text_of(mail)) == ("测试", "正文\n")
    assert result.is_delivered
    assert (result.message_id, result.changes, result.exit_code) == (mail["Message-ID"], (), 0)
    (recipient,) = result.recipients
    assert (recipient.address, recipient.action) == ("to@example.org", "delivered")
    assert (recipient.reply, recipient.reason) == ("250 taken", "")
    result.raise_for_failure()


def test_blind_recipients_alone_are_named_to_nobody(peer, config):
    """Attack on privacy: a repair would name colleagues where To is missing on purpose."""
    blind = ["anna@example.org", "bert@example.org"]
    assert pillarbox.send((), "s", "t", bcc=blind, config=config).is_delivered
    received = peer.last()
    assert received.recipients == blind
    assert not any(address.encode() in received.content for address in blind)


def test_sends_all_that_a_message_has(peer, config, tmp_path):
    """Every argument arrives where it belongs."""
    (tmp_path / "a.txt").write_text("x")
    message = pillarbox.Message(
        to=["A <a@example.org>", "b@example.org"],
        subject="s",
        markdown="*hi* ![](cid:p.png)",
        cc="c@example.org",
        bcc=["d@example.org"],
        from_="Ops <ops@example.org>",
        reply_to="r@example.org",
        attachments=[tmp_path / "a.txt", pillarbox.Attachment(content=b"y", name="b.bin")],
        inline=[pillarbox.Attachment(content=PNG, name="p.png")],
        headers={"X-Team": "ops"},
        priority="low",
        is_automatic=True,
    )
    assert message.send(config=config, account="other").is_delivered
    # The server is in this process, with files of its own.
    opened = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    assert str(tmp_path / "a.txt") not in opened
    received = peer.last()
    mail = parsed(received.content)
    assert received.sender == "ops@example.org"
    assert received.recipients == [f"{name}@example.org" for name in "abcd"]
    assert (mail["Cc"], mail["Reply-To"]) == ("c@example.org", "r@example.org")
    assert (mail["X-Team"], mail["Importance"]) == ("ops", "low")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert [part.get_filename() for part in mail.iter_attachments()] == ["a.txt", "b.bin"]
    assert "<em>hi</em>" in mail.get_body(("html",)).get_content()


def test_html_with_a_text_of_ones_own(peer, config):
    """Both are sent."""
    pillarbox.send("to@example.org", "s", "mine", html="<p>x</p>", config=config)
    mail = parsed(peer.last().content)
    assert mail.get_body(("plain",)).get_content() == "mine\n"
    assert mail.get_body(("html",)).get_content() == "<p>x</p>\n"


def test_a_refusal_is_a_result(peer, config):
    """For the one that it concerns; as an exception only where that is asked for."""
    peer.refused["no@example.org"] = "550 5.1.1 no such user"
    result = pillarbox.send(["a@example.org", "no@example.org"], "s", "x", config=config)
    assert [found.action for found in result.recipients] == ["delivered", "bounced"]
    assert not result.is_delivered
    assert result.exit_code != 0
    refused = result.recipients[1]
    assert refused.reply == "550 5.1.1 no such user"
    assert "no such user" in refused.reason
    with pytest.raises(pillarbox.NotDeliveredError, match=r"^not delivered to no@") as caught:
        result.raise_for_failure()
    assert caught.value.result is result
    assert caught.value.exit_code == result.exit_code


def test_a_server_that_is_not_there_is_a_result(tmp_path):
    """Deferred: it is worth trying again."""
    with Peer() as peer:
        port = peer.port
    result = pillarbox.send("to@example.org", "s", "x", config=config_for(port, tmp_path))
    (recipient,) = result.recipients
    assert (recipient.action, recipient.reply) == ("deferred", "")
    assert "refused" in recipient.reason


def test_a_secret_that_the_server_echoes_is_not_in_the_result(tmp_path):
    """Programs print results and log them."""
    replies = {"AUTH": "235 ok", "RCPT": "550 your password is tr0ub4dor"}
    with Puppet(replies) as puppet:
        lines = ["auth plain", "user me", "password tr0ub4dor", "allow_plaintext_auth on"]
        config = config_for(puppet.port, tmp_path, *lines)
        result = pillarbox.send("to@example.org", "s", "x", config=config)
    assert result.recipients[0].reply == "550 your password is ***"
    assert "tr0ub4dor" not in repr(result)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"to": ()}, UsageError),
        ({"to": "a@b.example\nBcc: c@d.example"}, DataError),
        ({"headers": {"X-A": "a\r\nBcc: c@d.example"}}, UsageError),
        ({"headers": {"Bcc": "c@d.example"}}, UsageError),
        ({"attachments": ["/nonexistent/a"]}, MissingInputError),
        ({"html": "x", "markdown": "y"}, UsageError),
        ({"account": "missing"}, PillarboxError),
        ({"config": "/nonexistent/msmtprc"}, PillarboxError),
    ],
)
def test_what_never_came_to_an_attempt_is_an_exception(peer, config, arguments, kind):
    """Nothing is sent, to nobody."""
    with pytest.raises(kind):
        pillarbox.send(**({"to": "to@example.org", "subject": "s", "config": config} | arguments))
    assert peer.received == []
