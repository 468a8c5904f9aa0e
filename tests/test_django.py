"""Django's mail through an account of ours, with the real Django."""

import subprocess
import sys

import django
import pytest
from django.conf import settings
from django.core import mail
from django.test.utils import override_settings

from peer import Peer
from pillarbox.compose.result import NotDeliveredError
from pillarbox.errors import PillarboxError
from written import config_for, parsed

if not settings.configured:
    settings.configure(USE_I18N=False)
    django.setup()

# Django 6.1 has MAILERS in the place of these, and warns of them until it is 2028.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*(EMAIL_BACKEND|MAILERS|mailers|get_connection|fail_silently|does not support)"
)


@pytest.fixture
def peer():
    """Return a server of somebody else's."""
    with Peer() as server:
        yield server


@pytest.fixture(autouse=True)
def _settings(peer, tmp_path):
    """Have Django use it."""
    config = config_for(peer.port, tmp_path)
    backend = "pillarbox.django.EmailBackend"
    with override_settings(EMAIL_BACKEND=backend, PILLARBOX_CONFIG=config):
        yield


def test_sends_what_django_writes(peer):
    """The envelope is that of the message, and nobody sees blind recipients."""
    message = mail.EmailMultiAlternatives(
        "测试", "正文", "App <app@example.org>", ["王 <a@example.org>"], bcc=["blind@example.org"]
    )
    message.attach_alternative("<p>正文</p>", "text/html")
    message.attach("a.txt", "x", "text/plain")
    assert message.send() == 1
    received = peer.last()
    assert (received.sender, received.recipients) == (
        "app@example.org",
        ["a@example.org", "blind@example.org"],
    )
    assert b"blind@example.org" not in received.content
    arrived = parsed(received.content)
    assert (arrived["Subject"], arrived["From"]) == ("测试", "App <app@example.org>")
    assert arrived["To"].addresses[0].display_name == "王"
    assert arrived.get_body(("plain",)).get_content().rstrip() == "正文"
    assert [part.get_filename() for part in arrived.iter_attachments()] == ["a.txt"]


def test_blind_recipients_alone_are_named_to_nobody(peer):
    """Django writes no To then, and none is made."""
    blind = ["anna@example.org", "bert@example.org"]
    assert mail.EmailMessage("s", "t", "app@example.org", bcc=blind).send() == 1
    received = peer.last()
    assert received.recipients == blind
    assert not any(address.encode() in received.content for address in blind)


def test_sends_several_and_counts_them(peer):
    """One that fails does not keep the others from being sent; the failure is told."""
    peer.refused["no@example.org"] = "550 no"
    messages = [
        mail.EmailMessage("s", "x", "app@example.org", [to])
        for to in ("a@example.org", "no@example.org", "b@example.org")
    ]
    with mail.get_connection() as connection, pytest.raises(NotDeliveredError, match="no@"):
        connection.send_messages(messages)
    assert [found.recipients for found in peer.received] == [["a@example.org"], ["b@example.org"]]
    assert mail.get_connection(fail_silently=True).send_messages(messages) == 2


def test_nobody_is_no_failure(peer):
    """As with Django's own backend."""
    connection = mail.get_connection()
    assert connection.send_messages([mail.EmailMessage("s", "x", "app@example.org", [])]) == 0
    assert connection.send_messages([]) == 0
    assert peer.received == []


@pytest.mark.parametrize("is_silent", [True, False])
def test_fails_silently_only_on_demand(is_silent):
    """A configuration that is not there."""
    connection = mail.get_connection(config="/nonexistent/msmtprc", fail_silently=is_silent)
    messages = [mail.EmailMessage("s", "x", "app@example.org", ["a@example.org"])]
    if is_silent:
        assert connection.send_messages(messages) == 0
    else:
        with pytest.raises(PillarboxError, match="/nonexistent/msmtprc"):
            connection.send_messages(messages)


def test_the_account_is_that_of_the_settings(peer):
    """Or that of the connection."""
    message = mail.EmailMessage("s", "x", "", ["a@example.org"])
    with override_settings(PILLARBOX_ACCOUNT="missing"):
        with pytest.raises(PillarboxError, match="missing"):
            mail.get_connection().send_messages([message])
        assert mail.get_connection(account="main").send_messages([message]) == 1
    assert len(peer.received) == 1


@pytest.mark.parametrize("where", ["subject", "to", "from_email"])
def test_header_injection_through_django(peer, where):
    """Django refuses it; were it not to, nothing more would be in the header."""
    fields = {"subject": "s", "to": ["a@example.org"], "from_email": "app@example.org"}
    evil = "x@example.org\r\nBcc: evil@example.com"
    message = mail.EmailMessage(**(fields | {where: [evil] if where == "to" else evil}))
    with pytest.raises((ValueError, PillarboxError)):  # BadHeaderError is a ValueError
        message.send()
    assert peer.received == []


def test_the_package_does_not_need_django():
    """Only who asks for the backend does."""
    code = "import sys; import pillarbox; pillarbox.send; assert 'django' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


if django.VERSION >= (6, 1):  # where there are MAILERS

    def test_is_a_mailer_of_newer_django(peer, tmp_path):
        """MAILERS names the backend, and its options are ours."""
        options = {"config": config_for(peer.port, tmp_path)}
        backend = {"BACKEND": "pillarbox.django.EmailBackend", "OPTIONS": options}
        with override_settings(MAILERS={"default": backend}):
            assert mail.EmailMessage("s", "t", "a@example.org", ["b@example.org"]).send() == 1
        assert peer.last().recipients == ["b@example.org"]
