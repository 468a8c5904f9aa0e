"""What a provider's answer means: which hint is found, and for which words it is not."""

import time

import pytest

from pillarbox.config import hints
from pillarbox.config.hints import Hint, demands_login_as_sender, find_hint, limits_of

ALIYUN = "smtp.qiye.aliyun.com"

FOUND = [
    # the text, the host, words of the provider's name, words of the cause
    ("526 Authentication failure[0]", ALIYUN, "Alibaba Mail", "Wrong user name or password"),
    ("526 Authentication failure [0]", "SMTP.QIYE.ALIYUN.COM", "Alibaba Mail", "Wrong user name"),
    ("526 Authentication failure[0]", f"{ALIYUN}.", "Alibaba Mail", "Wrong user name"),
    ("526 AUTHENTICATION FAILURE[0]", ALIYUN, "Alibaba Mail", "Wrong user name"),
    ("526 Authentication failure[0]", "smtp.mxhichina.com", "Alibaba Mail", "Wrong user name"),
    ("526 Authentication failure[0]", "mail.example.org", "", "Login refused"),
    ("440 mail from account doesn't conform with authentication", ALIYUN, "Alibaba", "MAIL FROM"),
    ("535 5.7.8 Username and Password", "smtp.gmail.com", "Gmail", ""),
    ("535 5.7.8 no", "mail.example.org", "", "Login refused"),
    ("454 Throttling failure: x", "email-smtp.eu-west-3.amazonaws.com", "Amazon SES", "Rate"),
    ("450 4.7.1 Greylisted, try again later", "mail.example.org", "", "Greylisting"),
    ("450 4.7.1 Greylisted / 450 try again", "mail.example.org", "", "Greylisting"),
    ("451 please try again later", "mail.example.org", "", "Greylisting"),
    ("421 4.7.0 Try again later", "mail.example.org", "", "Server busy"),
    ("cannot connect to h, port 25: Connection refused", "mail.example.org", "", "Port blocked"),
    ("cannot locate host h: Try again", "mail.example.org", "", "DNS does not work"),
    ("530 5.7.0 Must issue a STARTTLS command first", "mail.example.org", "", "TLS or login"),
]

NOT_FOUND = [
    ("250 OK", "mail.example.org"),
    ("550 something that nobody knows", "mail.example.org"),
    ("", "mail.example.org"),
    # A number that is not the code of the reply.
    ("450 4.2.0 come back in 526 seconds", ALIYUN),
    ("450 queue 535", "mail.example.org"),
    ("the mail has 535 octets, the server takes 526", "mail.example.org"),
    ("cannot bind port 421: no", "mail.example.org"),
    ("450 563", "smtpdm.aliyun.com"),
    # A host that only looks like the provider's.
    ("454 Throttling failure", "email-smtp..amazonaws.com"),
    ("454 Throttling failure", "email-smtp.a.b.amazonaws.com"),
    ("454 Throttling failure", "email-smtp.amazonaws.com"),
    ("454 Throttling failure", "email-smtp.x.amazonaws.com.example.org"),
    ("440 mail from account doesn't", "smtp.qiye.aliyun.com.example.org"),
    # What is true of a connection and not of a reply.
    ("550 the connection timed out at our side", "mail.example.org"),
]


@pytest.mark.parametrize(("text", "host", "provider", "cause"), FOUND)
def test_hint_is_found(text, host, provider, cause):
    """The provider's own meaning comes first, the generic one last."""
    hint = find_hint(text, host=host)
    assert hint is not None
    assert hint.provider.startswith(provider)
    assert bool(hint.provider) is bool(provider)
    assert cause in hint.cause
    assert hint.fix


@pytest.mark.parametrize(("text", "host"), NOT_FOUND)
def test_no_hint_is_better_than_a_wrong_one(text, host):
    """A number or a word in passing is not what the hint is about."""
    assert find_hint(text, host=host) is None


@pytest.mark.parametrize(
    "greeting",
    [
        "220 smtp.aliyun-inc.com MX AliMail Server",
        "220 SMTP.ALIYUN-INC.COM ready",
        "220 x alimail y",
    ],
)
def test_provider_is_known_by_its_greeting(greeting):
    """Behind a name of one's own the greeting gives the provider away."""
    text = "526 Authentication failure[0]"
    hint = find_hint(text, host="smtp.example.org", greeting=greeting)
    assert hint.provider.startswith("Alibaba Mail")
    hint = find_hint(text, host="smtp.example.org", greeting="220 smtp.example.org")
    assert hint.provider == ""


STAGES = [
    # A hint about a login says nothing about a recipient, and so on.
    (
        "450 Requested mail action not taken: mailbox unavailable",
        "smtp.mail.yahoo.com",
        "AUTH",
        True,
    ),
    (
        "450 Requested mail action not taken: mailbox unavailable",
        "smtp.mail.yahoo.com",
        "RCPT",
        False,
    ),
    ("526 Authentication failure[0]", ALIYUN, "AUTH", True),
    ("526 Authentication failure[0]", ALIYUN, "RCPT", False),
    # Senders are refused at RCPT too, recipients behind the content.
    ("553 Mail from must equal authorized user", "smtp.163.com", "MAIL", True),
    ("553 Mail from must equal authorized user", "smtp.163.com", "RCPT", True),
    ("553 Mail from must equal authorized user", "smtp.163.com", "DATA", True),
    ("553 Mail from must equal authorized user", "smtp.163.com", "AUTH", False),
    ("550 5.1.1 User unknown", "mail.example.org", "content", True),
    ("550 5.1.1 User unknown", "mail.example.org", "BDAT", True),
    ("550 5.1.1 User unknown", "mail.example.org", "EHLO", False),
    # Some are true anywhere.
    ("421 busy", "mail.example.org", "greeting", True),
    ("421 busy", "mail.example.org", "RCPT", True),
    ("530 Must issue a STARTTLS command first", "mail.example.org", "AUTH", True),
    ("530 Must issue a STARTTLS command first", "mail.example.org", "MAIL", True),
    ("554 5.7.1 blocked using zen.spamhaus.org", "mail.example.org", "greeting", True),
    ("554 5.7.1 blocked using zen.spamhaus.org", "mail.example.org", "RCPT", True),
    # A connection that failed.
    ("cannot connect to h: Connection refused", "mail.example.org", "connect", True),
    ("certificate verify failed: x", "mail.example.org", "tls", True),
    ("421 closing, connection timed out", "mail.example.org", "connect", True),
]


@pytest.mark.parametrize(("text", "host", "stage", "is_found"), STAGES)
def test_stage(text, host, stage, is_found):
    """A hint counts where it was seen; without a stage every hint may count."""
    assert (find_hint(text, host=host, stage=stage) is not None) is is_found
    assert find_hint(text, host=host) is not None


def test_reply_is_not_taken_for_a_lost_connection():
    """``try again later`` in a reply is greylisting and not a broken resolver."""
    hint = find_hint("450 4.7.1 try again later", host="mail.example.org", stage="RCPT")
    assert "DNS" not in hint.cause


@pytest.mark.parametrize("language", ["en", "zh"])
def test_language(language):
    """Provider, cause and fix are in the language that was asked for."""
    hint = find_hint("526 Authentication failure[0]", host=ALIYUN, language=language)
    assert all(text.isascii() is (language == "en") for text in (hint.cause, hint.fix))
    assert hint.provider
    assert hint.retry == "no"


@pytest.mark.parametrize(
    "text",
    [
        "5" * 100_000,
        "550 " * 30_000,
        "450 MAIL FROM " * 8_000,
        "553 RCPT TO " * 8_000,
        "blocked " * 12_000,
        "550 5.7.1 " + "x " * 50_000 + "RFC",
        "526 Authentication failure" + " " * 100_000,
        "\n" * 100_000,
    ],
)
def test_hostile_text_does_not_keep_us_busy(text):
    """Attack: a reply made to be slow to match (regular expressions that go back)."""
    start = time.process_time()
    for host in ("mail.example.org", ALIYUN, "smtp.163.com", "smtp.gmail.com", "smtp.qq.com"):
        find_hint(text, host=host, greeting=text)
    assert time.process_time() - start < 2


def test_many_texts_cost_one_look_at_the_files(monkeypatch):
    """A thousand refused recipients do not read every preset a thousand times."""
    hints._presets.cache_clear()
    find_hint("550 no", host="a.example.org")
    monkeypatch.setattr("os.listdir", None)
    for number in range(1000):
        find_hint(f"550 no {number}", host="a.example.org")


def test_hint_is_a_value():
    """Two hints of the same content are equal, so that one is told once."""
    assert Hint("p", "no", "c", "f") == Hint("p", "no", "c", "f")
    assert len({Hint("p", "no", "c", "f"), Hint("p", "no", "c", "f")}) == 1


DEMANDS = [
    # host, greeting, whether only the login may be the sender
    ("smtp.qq.com", "", True),
    ("SMTP.163.com.", "", True),
    (ALIYUN, "", True),
    ("relay.example.org", "220 smtp.aliyun-inc.com AliMail", True),
    ("smtp.gmail.com", "", False),
    ("mail.example.org", "220 mail.example.org ESMTP", False),
    ("xsmtp.qq.com", "", False),
    ("smtp.qq.com.example.org", "", False),
    ("", "", False),
]


@pytest.mark.parametrize(("host", "greeting", "expected"), DEMANDS)
def test_which_provider_takes_the_login_only(host, greeting, expected):
    """A known provider is known by its host or its greeting; no other demands anything."""
    assert demands_login_as_sender(host, greeting) is expected


@pytest.mark.parametrize("host", ["smtp.gmail.com", "SMTP.Gmail.com."])
def test_limits_of_a_provider(host):
    """What a provider publishes, in numbers; notes and flags are none."""
    limits = limits_of(host)
    assert limits["message_bytes"] == 35_882_577
    assert limits["recipients_per_message"] == 100
    assert all(type(value) is int and value > 0 for value in limits.values())


@pytest.mark.parametrize("host", ["mail.example.org", "smtp.163.com", ""])
def test_no_limits_are_made_up(host):
    """Who publishes none, or is unknown, has none."""
    assert limits_of(host) == {}
