"""What Postfix refuses: whom it concerns, what is said about it, and the exit code."""

import pytest

from servers.mails import HEADER, behind_trace

MAIL = HEADER + b"Subject: x\n\nHello.\n"
# With pipelining and without, with BDAT and with DATA: the rules are the same.
SERVICES = ["open", "no-chunking", "no-pipelining", "neither", "bare"]


@pytest.fixture
def settings(postfix):
    """Return a function that gives the keywords for a service."""
    return lambda service: {"host": "127.0.0.1", "port": postfix.ports[service]}


# A recipient, the exit code, and what the server says.
REFUSED = [
    ("nobody@example.test", 67, "server message: 550"),
    ("somebody@elsewhere.invalid", 67, "server message: 550"),
    ("later@example.test", 75, "server message: 450"),
]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(("refused", "code", "words"), REFUSED)
def test_one_refused_recipient_does_not_fail_the_others(
    postfix, client, settings, service, refused, code, words
):
    """The others get the mail; exit code and text tell of the one who did not."""
    boxes = [postfix.boxes.fresh(), postfix.boxes.fresh()]

    result = client.send(settings(service), boxes[0], refused, boxes[1], mail=MAIL)

    assert result.code == code, result
    assert f"recipient address {refused} not accepted by the server" in result.errors
    assert words in result.errors
    assert "could not send mail to all recipients" in result.errors
    for box in boxes:
        assert behind_trace(postfix.boxes.mail(box)) == MAIL
        assert box not in result.errors


@pytest.mark.parametrize("place", [0, 2])
def test_it_does_not_matter_where_the_refused_recipient_stands(postfix, client, settings, place):
    """Replies are matched to their recipients at both ends of the list, too."""
    boxes = [postfix.boxes.fresh(), postfix.boxes.fresh()]
    recipients = [*boxes[:place], "nobody@example.test", *boxes[place:]]

    result = client.send(settings("open"), *recipients, mail=MAIL)

    assert result.code == 67, result
    assert "recipient address nobody@example.test not accepted" in result.errors
    for box in boxes:
        assert behind_trace(postfix.boxes.mail(box)) == MAIL


def test_trying_again_wins_over_giving_up(client, settings):
    """One for ever and one for now is exit code 75, and both are named."""
    refused = ["nobody@example.test", "later@example.test"]

    result = client.send(settings("open"), *refused, mail=MAIL)

    assert result.code == 75, result
    for address in refused:
        assert f"recipient address {address} not accepted" in result.errors


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("count", [1, 3])
def test_nothing_is_sent_when_all_recipients_are_refused(postfix, client, settings, service, count):
    """Each is named once, and the server takes no mail."""
    names = [f"nobody{number}@example.test" for number in range(count)]

    result = client.send(settings(service), *names, mail=MAIL)

    assert result.code == 67, result
    for name in names:
        assert result.errors.count(f"recipient address {name} not accepted") == 1
    assert postfix.session()["rcpt"] == count
    assert ": client=" not in postfix.log.text()


@pytest.mark.parametrize(
    ("service", "code"), [("submissions", 67), ("submission", 67), ("strict", 65)]
)
def test_sender_of_another_is_refused(
    postfix, client, certificates, settings, login_settings, service, code
):
    """A sender that is not the login's is refused for good, whenever the server says so."""
    tls = {"tls": "on", "tls_starttls": "on" if service == "submission" else "off"}
    account = settings(service) | login_settings | tls | {"tls_trust_file": certificates.authority}
    refused = {"from": "mallory@example.test"}

    result = client.send(account | refused, postfix.boxes.fresh(), mail=MAIL)

    assert result.code == code, result
    assert "server message: 553 5.7.1" in result.errors
    assert "not owned by user alice@example.test" in result.errors
    if service == "strict":
        assert "envelope from address mallory@example.test not accepted" in result.errors


@pytest.mark.parametrize("service", SERVICES)
def test_refused_content_is_refused_for_good(postfix, client, settings, service):
    """A mail refused when it was sent whole is exit code 65, and nobody gets it."""
    box = postfix.boxes.fresh()

    result = client.send(settings(service), box, mail=b"X-Refuse: yes\n" + MAIL)

    assert result.code == 65, result
    assert "the server did not accept the mail" in result.errors
    assert "refused by the test" in result.errors
    assert f"to=<{box}>, relay" not in postfix.log.text()


def test_client_that_is_not_welcome_is_told_so(postfix, client, settings):
    """A server that refuses us in its greeting is not spoken to any further."""
    result = client.send(settings("unwelcome"), postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 69, result
    assert "server message: 554" in result.errors
    assert "ehlo" not in postfix.session()


@pytest.mark.parametrize(
    ("service", "size", "words"),
    [
        ("small", 3000, "octets, the server takes 2000"),
        ("small", 3_000_000, "octets, the server takes 2000"),
        ("small-silent", 3000, "server message: 552 5.3.4"),
        ("small-silent", 3_000_000, "server message: 552 5.3.4"),
        ("small-data", 3000, "server message: 552 5.3.4"),
        ("small-data", 3_000_000, "server message: 552 5.3.4"),
    ],
)
@pytest.mark.parametrize("is_file", [False, True], ids=["pipe", "file"])
def test_too_large_a_mail_is_refused_for_good(
    postfix, client, settings, tmp_path, service, size, words, is_file
):
    """Where SIZE is offered and the size is known nothing is sent; else the server decides."""
    mail = HEADER + b"\n" + b"0123456789abcde\n" * (size // 16)
    source = tmp_path / "mail"
    source.write_bytes(mail)
    is_known = is_file or size < 1 << 18
    if service == "small" and not is_known:
        words = "server message: 552 5.3.4"

    result = client.send(settings(service), postfix.boxes.fresh(), mail=source if is_file else mail)

    assert result.code == 65, result
    assert words in result.errors
    assert ("mail" in postfix.session()) == (service != "small" or not is_known)
