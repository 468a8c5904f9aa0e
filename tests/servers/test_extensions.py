"""SMTP extensions with Postfix on the other side: DSN, SMTPUTF8, SIZE, 8BITMIME, and without."""

import re

import pytest

from servers.client import command
from servers.mails import HEADER, behind_trace

MAIL = HEADER + b"Subject: x\n\nHello.\n"


@pytest.fixture
def settings(postfix):
    """Return a function that gives the keywords for a service."""
    return lambda service, **more: (
        {
            "host": "127.0.0.1",
            "port": postfix.ports[service],
        }
        | {key: value for key, value in more.items() if value is not None}
    )


def commands(postfix):
    """Return the commands that Postfix heard, as it heard them."""
    postfix.session()
    return re.findall(r"smtpd\[\d+\]: < \S+\[.*?\]: (.*)$", postfix.log.text(), re.MULTILINE)


@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        (b"Hello.\n", "SIZE={size}"),
        ("Grüße\n".encode(), "SIZE={size} BODY=8BITMIME"),
        (b"Gr\xfc\xdfe\n", "SIZE={size} BODY=8BITMIME"),
    ],
)
def test_says_what_the_mail_is_like(postfix, client, settings, body, parameters):
    """MAIL has the size on the wire and whether 8-bit octets are in the mail, and no more."""
    mail = HEADER + b"\n" + body
    box = postfix.boxes.fresh()

    result = client.send(settings("dialogue"), box, mail=mail)

    assert result.code == 0, result
    size = len(mail) + mail.count(b"\n")
    assert commands(postfix) == [
        "EHLO localhost",
        f"MAIL FROM:<alice@example.test> {parameters.format(size=size)}",
        f"RCPT TO:<{box}>",
        f"BDAT {size} LAST",
        "QUIT",
    ]


@pytest.mark.parametrize(
    ("notify", "returned", "mail_words", "rcpt_words"),
    [
        ("never", None, "", "NOTIFY=NEVER ORCPT=rfc822;{box}"),
        ("failure,delay", "headers", " RET=HDRS", "NOTIFY=FAILURE,DELAY ORCPT=rfc822;{box}"),
        (None, "full", " RET=FULL", None),
        ("success", "full", " RET=FULL", "NOTIFY=SUCCESS ORCPT=rfc822;{box}"),
    ],
)
def test_asks_for_reports(postfix, client, settings, notify, returned, mail_words, rcpt_words):
    """``dsn_notify`` and ``dsn_return`` become what RFC 3461 has for them."""
    box = postfix.boxes.fresh()
    account = settings("dialogue", dsn_notify=notify, dsn_return=returned)

    result = client.send(account, box, mail=MAIL)

    assert result.code == 0, result
    heard = commands(postfix)
    assert re.fullmatch(rf"MAIL FROM:<alice@example\.test> SIZE=\d+{mail_words}", heard[1])
    expected = f"RCPT TO:<{box}>" + (f" {rcpt_words.format(box=box)}" if rcpt_words else "")
    assert heard[2] == expected


def test_report_of_success_comes_back(postfix, client, settings):
    """Postfix does what was asked: the sender gets a report that names the recipient."""
    box, sender = postfix.boxes.fresh(), postfix.boxes.fresh()
    account = settings("open", dsn_notify="success", dsn_return="headers")

    result = client.send(account | {"from": sender}, box, mail=MAIL)

    assert result.code == 0, result
    report = postfix.boxes.mail(sender)
    assert b"Content-Type: multipart/report; report-type=delivery-status" in report
    assert f"Original-Recipient: rfc822;{box}".encode() in report
    assert b"Action: delivered" in report


def test_sendmail_gives_the_envelope_a_name(postfix, client, settings):
    """``sendmail -V`` is the identifier (ENVID) that comes back in the report."""
    box, sender = postfix.boxes.fresh(), postfix.boxes.fresh()
    path = client.write_configuration(settings("open") | {"from": sender}, name=".msmtprc")
    assert path.exists()
    options = ("-N", "success", "-R", "hdrs", "-V", "ticket=1+1")

    result = client.run(*options, box, mail=MAIL, program=command("sendmail"))

    assert result.code == 0, result
    assert b"Original-Envelope-Id: ticket=1+1" in postfix.boxes.mail(sender)


def test_sends_without_reports_where_there_are_none(postfix, client, settings):
    """A server without DSN gets the mail all the same; a warning says what is left out."""
    box = postfix.boxes.fresh()
    account = settings("no-dsn", dsn_notify="failure")

    result = client.send(account, box, mail=MAIL)

    assert result.code == 0, result
    assert "DSN" in result.errors
    assert behind_trace(postfix.boxes.mail(box)) == MAIL


@pytest.mark.parametrize("service", ["open", "no-chunking", "no-pipelining"])
def test_sends_to_an_address_that_is_not_ascii(postfix, client, settings, service):
    """A local-part with an umlaut goes out as it is, with SMTPUTF8."""
    mail = "Subject: 测试\n\nGrüße\n".encode()

    result = client.send(settings(service), "büro@example.test", mail=HEADER + mail)

    assert result.code == 0, result
    postfix.log.wait_for(r"to=<büro@example\.test>, .*status=sent")


def test_names_a_domain_that_is_not_ascii_in_ascii(postfix, client, settings):
    """An internationalised domain needs no extension: it has an ASCII form."""
    pytest.importorskip("idna", reason="idna, of the extra 'idn', makes the ASCII form")

    result = client.send(settings("dialogue"), "bob@bücher.example.test", mail=MAIL)

    assert result.code == 0, result
    heard = commands(postfix)
    assert heard[2] == "RCPT TO:<bob@xn--bcher-kva.example.test>"
    assert "SMTPUTF8" not in heard[1]
    postfix.log.wait_for("status=sent")


def test_refuses_an_address_that_the_server_cannot_read(postfix, client, settings):
    """Without SMTPUTF8 the address is refused for good, and the others get the mail."""
    box = postfix.boxes.fresh()

    result = client.send(settings("bare"), "büro@example.test", box, mail=MAIL)

    assert result.code == 65, result
    assert "SMTPUTF8" in result.errors
    assert behind_trace(postfix.boxes.mail(box)) == MAIL


@pytest.mark.parametrize(
    "service", ["open", "no-chunking", "no-pipelining", "neither", "bare", "no-dsn"]
)
def test_needs_no_extension(postfix, client, settings, service):
    """Ten recipients in one transaction, whatever the server offers, in one connection."""
    boxes = [postfix.boxes.fresh() for _ in range(10)]

    result = client.send(settings(service), *boxes, mail=MAIL)

    assert result.code == 0, result
    counts = postfix.session()
    assert (counts["mail"], counts["rcpt"]) == (1, 10)
    assert counts.get("bdat", 0) + counts.get("data", 0) == 1
    assert postfix.connections() == 1
    for box in boxes:
        assert behind_trace(postfix.boxes.mail(box)) == MAIL


def test_null_reverse_path(postfix, client, settings):
    """A report must never be answered: it goes out with an empty sender."""
    box = postfix.boxes.fresh()

    result = client.send(settings("open"), "-f", "<>", box, mail=MAIL)

    assert result.code == 0, result
    assert postfix.boxes.mail(box).startswith(b"Return-Path: <>\n")
