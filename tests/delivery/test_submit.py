"""One mail, sent now: from an account and a message to a status for each recipient."""

import os

import pytest

from peer import PASSWORD, USER, Peer, Puppet, plain_response
from pillarbox.config.account import Account, parse_setting
from pillarbox.delivery.submit import send_now
from pillarbox.errors import ConfigError, CredentialError, MissingInputError
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import read_message
from pillarbox.mail.status import BOUNCED, DEFERRED, DELIVERED

ME = parse_mailbox("me@example.org")
TO = parse_mailbox("to@example.org")


def account(port, **keywords):
    """Return an account of a server on this machine."""
    result = Account("", "")
    for keyword, text in {"host": "127.0.0.1", "port": str(port), **keywords}.items():
        field, value = parse_setting(keyword, text)
        result.set(field, value, "test")
    return result


def message(mail=b"Subject: t\n\nbody\n", pieces=1 << 16):
    """Return a message that comes in pieces of that many octets."""
    rest = bytearray(mail)

    def read(size):
        piece = bytes(rest[: min(size, pieces)])
        del rest[: len(piece)]
        return piece

    return read_message(read)


def send(whose, what=None, *, sender=ME, to=(TO,), env=None, **wishes):
    """Send a message and return the outcome."""
    envelope = Envelope(sender, tuple(to), **wishes)
    return send_now(whose, envelope, what or message(), environment=env or {"HOME": "/nonexistent"})


@pytest.fixture
def puppet():
    """Return a server that answers well."""
    with Puppet() as server:
        yield server


def test_everybody_has_it():
    """A mail that is taken has a delivered status for each recipient, and exit code 0."""
    to = (TO, parse_mailbox("root"), TO)
    with Puppet() as puppet:  # whose end is awaited: the answer to QUIT is not
        outcome = send(account(puppet.port), to=to)
    assert [status.forward_path for status in outcome.statuses] == list(to)
    assert {status.action for status in outcome.statuses} == {DELIVERED}
    assert (outcome.exit_code, outcome.hints, outcome.warnings) == (0, (None,) * 3, ())
    assert puppet.commands[-1] == "QUIT"


def test_statuses_in_the_order_of_the_envelope(puppet):
    """Each recipient has his own status, whoever else was refused."""
    puppet.replies |= {"RCPT TO:<b@x.org>": "550 no", "RCPT TO:<c@x.org>": "450 later"}
    to = [parse_mailbox(f"{name}@x.org") for name in "abcd"]
    outcome = send(account(puppet.port), to=to)
    actions = [status.action for status in outcome.statuses]
    assert actions == [DELIVERED, BOUNCED, DEFERRED, DELIVERED]
    assert outcome.exit_code == 75


class Fickle(Puppet):
    """A server that takes a recipient the first time only."""

    def _say(self, stream, line):
        self.replies["RCPT"] = "250 ok" if self.commands.count(line) < 2 else "550 no more"
        return super()._say(stream, line)


def test_a_recipient_that_is_named_twice_has_a_status_for_each_time():
    """Duplicates are kept, and so is what became of each."""
    with Fickle() as puppet:
        outcome = send(account(puppet.port), to=(TO, ME, TO))
    assert [status.action for status in outcome.statuses] == [DELIVERED, DELIVERED, BOUNCED]


@pytest.mark.parametrize("pieces", [1, 7, 1000])
def test_message_that_comes_in_pieces(pieces):
    """However the mail comes in, it goes out whole."""
    mail = b"Subject: t\nX-Long: a\n b\n\n.\r\nline\r\n..\nend"
    with Peer() as peer:
        outcome = send(account(peer.port), message(mail, pieces))
        received = peer.last()
    assert outcome.exit_code == 0
    assert received.body == b".\r\nline\r\n..\r\nend\r\n"
    assert "X-Long: a\r\n b\r\n" in received.content.decode()


def test_size_is_counted_for_the_log_only():
    """A log wants the octets with each line end as one, added headers included."""
    with Peer() as peer:
        for keywords, is_counted in (
            ({}, False),
            ({"logfile": "/x"}, True),
            ({"syslog": "on"}, True),
        ):
            mail = b"Subject: t\n\n" + b"a line\r\nand one\n" * 40_000 + b"end"
            outcome = send(account(peer.port, **keywords), message(mail))
            received = peer.last()
            size = len(received.content.replace(b"\r\n", b"\n"))
            assert outcome.size_bytes == (size if is_counted else 0)


# -- Message-ID -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keywords", "sender", "domain"),
    [
        ({}, "me@example.org", "example.org"),
        ({"domain": "localhost"}, "me@example.org", "example.org"),
        ({"domain": "d.example"}, "me@example.org", "d.example"),
        ({"domain": ""}, "me@example.org", "example.org"),
        ({}, "root", "localhost"),
        ({}, None, "localhost"),
        ({}, "me@bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_domain_of_the_message_id(puppet, keywords, sender, domain):
    """It is our own name, else the sender's domain, else the host's; never an address or empty."""
    pytest.importorskip("idna")
    outcome = send(
        account(puppet.port, **keywords), sender=parse_mailbox(sender) if sender else None
    )
    assert outcome.exit_code == 0
    (line,) = [
        line for line in puppet.contents[0].decode().split("\r\n") if line.startswith("Message-ID:")
    ]
    assert line.startswith("Message-ID: <")
    assert line.endswith(f"@{domain}>")


@pytest.mark.parametrize("host", ["::1", "bücher.example", ""])
def test_host_that_cannot_stand_in_a_message_id(tmp_path, host):
    """Behind a socket any host may be configured; what is not ASCII or has colons is left out."""
    with Puppet(path=tmp_path / "s") as puppet:
        whose = account(1, host=host or "x", socket=str(tmp_path / "s"))
        whose.host = host
        assert send(whose, sender=None).exit_code == 0
    assert b"@localhost>\r\n" in puppet.contents[0]


def test_message_ids_differ(puppet):
    """Two mails never share an identifier."""
    for _ in range(5):
        send(account(puppet.port))
    found = {
        content.partition(b"Message-ID: ")[2].partition(b"\r\n")[0] for content in puppet.contents
    }
    assert len(found) == 5


# -- the secret -------------------------------------------------------------------------------


def test_password_is_looked_for_before_connecting(puppet):
    """A helper that is slow or fails holds no session open."""
    with pytest.raises(CredentialError):
        send(account(puppet.port, auth="plain", user=USER))
    with pytest.raises(ConfigError):
        send(account(puppet.port, auth="plain", user=USER, passwordeval="false"))
    assert puppet.connections == 0


@pytest.mark.parametrize(
    ("keywords", "env"),
    [
        ({"password": PASSWORD}, {}),
        ({"passwordeval": f"echo {PASSWORD}"}, {}),
        ({}, {"CREDENTIALS_DIRECTORY": "{folder}"}),
    ],
)
def test_password_sources(tmp_path, puppet, keywords, env):
    """The password comes from the account, its command, or the environment that is handed in."""
    (tmp_path / "pillarbox.password").write_text(PASSWORD + "\n")
    env = {name: value.replace("{folder}", str(tmp_path)) for name, value in env.items()}
    env |= {"HOME": "/nonexistent", "PATH": os.environ["PATH"]}
    outcome = send(account(puppet.port, auth="plain", user=USER, **keywords), env=env)
    assert outcome.exit_code == 0
    assert f"AUTH PLAIN {plain_response()}" in puppet.commands
    assert outcome.secret.reveal() == PASSWORD


@pytest.mark.parametrize("keywords", [{"auth": "off"}, {"auth": "external"}])
def test_no_password_is_looked_for_where_none_is_needed(puppet, keywords):
    """A login without a secret, and no login, run no helper."""
    outcome = send(account(puppet.port, user=USER, passwordeval="false", **keywords))
    assert outcome.secret is None


# -- what stops it ----------------------------------------------------------------------------


def test_trust_is_loaded_before_connecting(puppet):
    """A trust file that is missing is found out before anything is sent."""
    with pytest.raises(MissingInputError):
        send(account(puppet.port, tls="on", tls_trust_file="/nonexistent"))
    assert puppet.connections == 0


@pytest.mark.parametrize(
    ("replies", "stage"),
    [
        ({"": "554 no"}, "greeting"),
        ({"": ""}, "greeting"),
        ({"EHLO": "421 no"}, "EHLO"),
        ({"AUTH": "535 no"}, "AUTH"),
        ({"EHLO": "250 nothing"}, "AUTH"),
    ],
)
def test_site_or_account_trouble_defers_everybody(replies, stage):
    """Before the mail was spoken of, nobody's copy is given up (R8)."""
    with Puppet(replies) as puppet:
        to = (TO, parse_mailbox("b@x.org"))
        outcome = send(account(puppet.port, auth="plain", user=USER, password=PASSWORD), to=to)
    assert [status.action for status in outcome.statuses] == [DEFERRED] * 2
    assert {status.trouble.stage for status in outcome.statuses} == {stage}
    assert not puppet.contents


def test_nobody_answers():
    """A port where nobody listens defers the mail, with 75."""
    outcome = send(account(1))
    assert (outcome.exit_code, outcome.statuses[0].action) == (75, DEFERRED)
    assert outcome.statuses[0].trouble.stage == "connect"


def test_hint_of_each_failed_status(puppet):
    """Hints stand beside their statuses; who has the mail has none."""
    puppet.replies |= {
        "RCPT TO:<b@x.org>": "550 5.1.1 User unknown",
        "RCPT TO:<c@x.org>": "559 odd",
    }
    to = [parse_mailbox(f"{name}@x.org") for name in "abc"]
    outcome = send(account(puppet.port), to=to)
    assert outcome.hints[0] is None
    assert outcome.hints[1].cause == "Recipient does not exist."
    assert outcome.hints[2] is None


@pytest.mark.parametrize(("locale", "words"), [("de_DE.UTF-8", "Recipient"), ("zh_CN", "收件人")])
def test_hint_in_the_language_of_the_environment(puppet, locale, words):
    """The environment that is handed in decides the language, not the process's own."""
    puppet.replies["RCPT"] = "550 5.1.1 User unknown"
    outcome = send(account(puppet.port), env={"HOME": "/nonexistent", "LC_ALL": locale})
    assert outcome.hints[0].cause.startswith(words)


def test_greeting_gives_the_provider_away(puppet):
    """Behind another name, a provider's greeting brings its hints and their meaning."""
    puppet.replies |= {
        "": "220 smtp.aliyun-inc.com MX AliMail Server",
        "MAIL": "440 mail from account",
    }
    assert send(account(puppet.port)).statuses[0].action == DEFERRED
    puppet.replies["MAIL"] += " doesn't conform with authentication"
    outcome = send(account(puppet.port))
    assert (outcome.statuses[0].action, outcome.exit_code) == (BOUNCED, 65)
    assert outcome.hints[0].provider.startswith("Alibaba Mail")


def test_wishes_that_the_server_cannot_fulfil_are_a_warning(puppet):
    """Without DSN the mail goes, and the caller learns that no report will come."""
    outcome = send(account(puppet.port), notify="FAILURE", ret="HDRS")
    assert outcome.exit_code == 0
    assert outcome.warnings == ("the server does not offer DSN: no reports were asked for",)
    puppet.replies["EHLO"] = "250-x\r\n250 DSN"
    outcome = send(account(puppet.port), notify="FAILURE", ret="HDRS")
    assert outcome.warnings == ()
    assert "MAIL FROM:<me@example.org> RET=HDRS" in puppet.commands


def test_sender_without_an_ascii_form(puppet):
    """An address that the server cannot take is bounced before it is spoken of."""
    outcome = send(account(puppet.port), to=(parse_mailbox("用户@x.org"),))
    assert (outcome.exit_code, outcome.statuses[0].action) == (65, BOUNCED)
    assert not any(command.startswith("RCPT") for command in puppet.commands)
