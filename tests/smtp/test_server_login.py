"""The server's half of the engine: AUTH and STARTTLS."""

from __future__ import annotations

import base64

import pytest

from pillarbox.errors import LocalProtocolError
from pillarbox.smtp.server import Server
from pillarbox.smtp.server_session import (
    AuthAttempt,
    CommandReceived,
    TlsRequested,
)
from server_talk import Talk, options, plain, ready


def test_login_by_plain_at_once_and_by_plain_asked_for():
    """Both forms of RFC 4954 give the same attempt."""
    for lines in ([f"AUTH PLAIN {plain()}"], ["AUTH PLAIN", plain()], ["auth plain", plain()]):
        talk = ready()
        for line in lines:
            said = talk.feed(line.encode() + b"\r\n")
        assert said == b"235 2.7.0 Authentication successful\r\n"
        attempt = next(event for event in talk.events if isinstance(event, AuthAttempt))
        assert (attempt.authcid, attempt.secret.reveal()) == ("u", "p")
        assert talk.server.login == "u"


def test_login_asks_with_the_prompts_of_the_options():
    """Aliyun's prompt is in lower case; clients that read it must be tested with it."""
    talk = ready(options(login_prompts=("username:", "password:")))
    assert talk.feed(b"AUTH LOGIN\r\n") == b"334 dXNlcm5hbWU6\r\n"
    assert talk.feed(b"dQ==\r\n") == b"334 cGFzc3dvcmQ6\r\n"
    assert talk.feed(base64.b64encode("密码".encode()) + b"\r\n").startswith(b"235")
    attempt = next(event for event in talk.events if isinstance(event, AuthAttempt))
    assert (attempt.mechanism, attempt.authcid) == ("LOGIN", "u")
    assert attempt.secret.reveal() == "密码"


def test_login_with_the_name_in_the_first_line():
    """AUTH LOGIN may bring the user name along, and the password may be no UTF-8."""
    talk = ready()
    assert talk.feed(b"AUTH LOGIN dQ==\r\n") == b"334 UGFzc3dvcmQ6\r\n"
    assert talk.feed(b"/w==\r\n").startswith(b"235")
    attempt = next(event for event in talk.events if isinstance(event, AuthAttempt))
    assert attempt.secret.reveal() == "\udcff"


BAD_LOGINS = [
    ([b"AUTH"], b"501 5.5.4 Syntax: AUTH"),
    ([b"AUTH PLAIN a b"], b"501 5.5.4 Syntax: AUTH"),
    ([b"AUTH CRAM-MD5"], b"504 5.5.4"),
    ([b"AUTH XOAUTH2"], b"504 5.5.4"),
    ([b"AUTH PLAIN !!!!"], b"501 5.5.2 This is not base64"),
    ([b"AUTH PLAIN ="], b"501 5.5.2 This response"),
    ([b"AUTH PLAIN dQ=="], b"501 5.5.2 This response"),
    ([b"AUTH PLAIN", b"*"], b"501 5.7.0 Authentication cancelled"),
    ([b"AUTH PLAIN", b"x"], b"501 5.5.2 This is not base64"),
    ([b"AUTH LOGIN", b"*"], b"501 5.7.0 Authentication cancelled"),
    ([b"AUTH LOGIN", b"dQ==", b"%"], b"501 5.5.2 This is not base64"),
    ([b"AUTH PLAIN", b"A" * 8192], b"500 5.5.2 Line too long"),
    ([b"AUTH PLAIN " + b"A" * 8192], b"500 5.5.2 Line too long"),
]


@pytest.mark.parametrize(("lines", "reply"), BAD_LOGINS)
def test_login_that_is_not_even_tried(lines, reply):
    """A broken exchange is refused, and the session goes on without a login."""
    talk = ready()
    for line in lines:
        said = talk.feed(line + b"\r\n")
    assert said.startswith(reply)
    assert talk.feed(b"NOOP\r\n") == b"250 2.0.0 Ok\r\n"
    assert talk.server.login == ""
    assert not any(isinstance(event, AuthAttempt) for event in talk.events)


def test_login_may_be_as_long_as_a_token():
    """8 KB with the CRLF fit, not an octet more."""
    response = base64.b64encode(b"\0u\0" + b"p" * 6128)
    assert len(response) == 8176
    line = b"AUTH PLAIN " + response
    assert ready().feed(line + b"\r\n").startswith(b"235")


def test_password_guessing_ends_the_session():
    """Attack: guessing. The third wrong password is the last."""
    talk = ready(refusals={AuthAttempt: (535, "wrong")})
    login = f"AUTH PLAIN {plain()}\r\n".encode()
    assert talk.feed(login) == talk.feed(login) == b"535 5.0.0 wrong\r\n"
    assert talk.feed(login) == b"535 5.0.0 wrong\r\n421 4.7.0 Too many failed logins\r\n"
    assert talk.server.has_ended


def test_password_in_clear_is_not_taken():
    """Without TLS, AUTH is neither offered nor carried out, and no attempt is made of it."""
    talk = Talk(options(is_secured=False))
    assert b"AUTH" not in talk.feed(b"EHLO x\r\n")
    assert talk.feed(f"AUTH PLAIN {plain()}\r\n".encode()).startswith(b"538 5.7.11")
    assert not any(isinstance(event, AuthAttempt) for event in talk.events)


def test_mail_without_a_login_where_one_is_required():
    """MAIL is refused with 530 until somebody has logged in, and only then taken."""
    talk = ready(options(requires_auth=True))
    assert talk.feed(b"MAIL FROM:<a@b>\r\n").startswith(b"530 5.7.0")
    assert talk.feed(b"VRFY x\r\n").startswith(b"530 5.7.0")
    assert talk.feed(f"AUTH PLAIN {plain()}\r\n".encode()).startswith(b"235")
    assert talk.feed(b"MAIL FROM:<a@b>\r\n").startswith(b"250")
    assert talk.feed(b"RSET\r\n").startswith(b"250")
    assert talk.feed(f"AUTH PLAIN {plain()}\r\n".encode()).startswith(b"503 5.5.1 You are")


def test_no_secret_in_what_is_shown():
    """The command lines reported to the handler hold no response, in whatever place it came."""
    canary = "hunter2-hunter2"
    hidden = base64.b64encode(canary.encode())
    talk = ready(options(shows_commands=True, max_failed_logins=9), {AuthAttempt: (535, "no")})
    talk.feed(f"AUTH PLAIN {plain(canary)}\r\n".encode())
    for line in (b"AUTH LOGIN dQ==", hidden, b"AUTH PLAIN", hidden, hidden):
        talk.feed(line + b"\r\n")
    shown = [event.text for event in talk.events if isinstance(event, CommandReceived)]
    assert shown[:3] == ["EHLO client.example", "AUTH PLAIN *", "AUTH LOGIN *"]
    assert len(shown) == 7
    for secret in (canary, hidden.decode(), plain(canary)):
        assert secret not in repr(talk.events)


def test_tls_forgets_what_was_said_before():
    """After the handshake EHLO is due again, the login of before is void, STARTTLS is gone."""
    talk = Talk(options(is_secured=False, may_login_in_clear=True))
    assert b"STARTTLS" in talk.feed(b"EHLO x\r\n")
    talk.feed(f"AUTH PLAIN {plain()}\r\n".encode())
    assert talk.feed(b"STARTTLS\r\n") == b"220 2.0.0 Ready to start TLS\r\n"
    assert (talk.server.hello_name, talk.server.login) == ("", "")
    assert talk.feed(b"MAIL FROM:<a@b>\r\n").startswith(b"503 5.5.1 Say hello")
    assert b"STARTTLS" not in talk.feed(b"EHLO x\r\n")


def test_mail_without_tls_where_it_is_required():
    """Only what leads to TLS is carried out in clear."""
    talk = Talk(options(is_secured=False, requires_tls=True))
    talk.feed(b"EHLO x\r\n")
    for line in (b"MAIL FROM:<a@b>", b"VRFY x", b"ETRN x", b"AUTH PLAIN", b"BDAT 0 LAST"):
        assert talk.feed(line + b"\r\n") == b"530 5.7.0 STARTTLS must come first\r\n"
    assert talk.feed(b"NOOP\r\n").startswith(b"250")
    talk.feed(b"STARTTLS\r\n")
    talk.feed(b"EHLO x\r\n")
    assert talk.feed(b"MAIL FROM:<a@b>\r\n").startswith(b"250")


def test_tls_that_cannot_be_had():
    """A refused STARTTLS leaves the session as it was."""
    talk = Talk(options(is_secured=False), {TlsRequested: (0, "")})
    talk.feed(b"EHLO x\r\n")
    assert talk.feed(b"STARTTLS\r\n") == b"454 4.7.0 TLS is not available now\r\n"
    assert talk.feed(b"MAIL FROM:<a@b>\r\n").startswith(b"250")


@pytest.mark.parametrize("tail", [b"E", b"EHLO x\r\n", b"\x16\x03\x01", b"\r\n"])
def test_plaintext_injected_behind_starttls(tail):
    """Attack CVE-2011-0411: what follows STARTTLS in clear ends the session, unread."""
    talk = Talk(options(is_secured=False))
    talk.feed(b"EHLO x\r\n")
    assert talk.feed(b"STARTTLS\r\n" + tail).startswith(b"554 5.5.0")
    assert talk.server.has_ended
    assert not any(isinstance(event, TlsRequested) for event in talk.events)


def test_plaintext_injected_while_the_handler_decides_about_tls():
    """The same attack in a segment of its own, and again after the 220."""
    for is_accepted in (False, True):
        server = Server(options(is_secured=False))
        server.accept()
        server.receive_data(b"EHLO x\r\n")
        server.receive_data(b"STARTTLS\r\n")
        if is_accepted:
            server.accept()
        server.receive_data(b"EHLO evil\r\n")
        assert server.has_ended
        with pytest.raises(LocalProtocolError):
            server.tls_started()
