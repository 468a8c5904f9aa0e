"""What all mechanisms are made from: credentials as bytes, the link, and texts without secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.errors import CredentialError, LocalProtocolError, RemoteProtocolError
from pillarbox.secret import Secret
from pillarbox.smtp.mechanism import (
    Credentials,
    Link,
    Mechanism,
    encode_credential,
    error_text,
    format_saslname,
    reveal,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tim", b"tim"),
        (" sp ace\t", b" sp ace\t"),
        ("密码", "密码".encode()),
        ("caf\udce9", b"caf\xe9"),
    ],
)
def test_credential_as_bytes(text: str, expected: bytes) -> None:
    """UTF-8, and bytes of another encoding as they were in the configuration."""
    assert encode_credential(text, "password") == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the token is empty"),
        ("hunter2\0", "the token has a line break or a NUL in it"),
        ("hunter2\n", "the token has a line break or a NUL in it"),
        ("hunter2\r", "the token has a line break or a NUL in it"),
        ("hunter2\ud800", "the token has characters that cannot be sent"),
    ],
)
def test_credential_that_cannot_be_sent(text: str, problem: str) -> None:
    """The error names the field; neither it nor anything behind it has the value."""
    with pytest.raises(CredentialError) as caught:
        encode_credential(text, "token")
    assert str(caught.value) == problem
    assert "hunter2" not in repr(caught.value) + caught.value.advice
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_secret_that_is_not_there() -> None:
    """None is no secret; the text of one is given only on asking for it by name."""
    assert reveal(Secret("pw"), "password") == "pw"
    with pytest.raises(CredentialError, match="needs a password and there is none"):
        reveal(None, "password")


@pytest.mark.parametrize(
    ("bindings", "expected"),
    [
        ({}, None),
        ({"tls-server-end-point": b"c"}, None),
        ({"tls-unique": b""}, None),
        ({"tls-unique": b"u"}, ("tls-unique", b"u")),
        ({"tls-unique": b"u", "tls-exporter": b"e"}, ("tls-exporter", b"e")),
        ({"tls-unique": b"u", "tls-exporter": b""}, ("tls-unique", b"u")),
    ],
)
def test_best_binding(bindings: dict[str, bytes], expected: tuple[str, bytes] | None) -> None:
    """tls-exporter before tls-unique, and no other; an empty one is none."""
    assert Link(frozenset(), bindings, str).best_binding() == expected


@pytest.mark.parametrize(
    "nonce", ["", "elevenchars", "a,comma,in,it", "nön-ascii-nonce", "a\\nd\\b\\s"]
)
def test_bad_source_of_nonces_is_a_bug_of_the_caller(nonce: str) -> None:
    """Too short to be random, or with a character that a message would break at."""
    with pytest.raises(LocalProtocolError):
        Link(frozenset(), {}, lambda: nonce).fresh_nonce()


def test_nonce_is_passed_on() -> None:
    """What the source gives is what is sent."""
    assert Link(frozenset(), {}, lambda: "!#$%&()*+-./:<=>").fresh_nonce() == "!#$%&()*+-./:<=>"


@given(st.text("=,2CD3x"))
def test_saslname_can_be_read_back(name: str) -> None:
    """No comma is left, and the two escapes undone in their order give the name."""
    escaped = format_saslname(name)
    assert "," not in escaped
    assert escaped.replace("=2C", ",").replace("=3D", "=") == name


def test_reason_is_shown_safely_and_without_the_secret() -> None:
    """One line, bounded, with the secret masked before anything is cut off."""
    secret = Secret("hunter2")
    assert error_text(b'{"token":"hunter2"}', secret) == '{"token":"*"}'
    assert error_text(b"a\r\n\x1b[2J\xff", None) == "a\\x0d\\x0a\\x1b[2J\\xff"
    assert error_text(b"x" * 505 + b"hunter2", secret) == "x" * 505 + "*"
    assert error_text(b"anything", Secret("")) == "anything"


def test_mechanism_without_anything_takes_no_challenge() -> None:
    """The base class is a mechanism that sends nothing, proves nothing and expects nothing."""
    mechanism = Mechanism()
    assert mechanism.initial_response() is None
    mechanism.finish()
    with pytest.raises(RemoteProtocolError, match="one answer more"):
        mechanism.step(b"")


def test_credentials_compare_by_what_they_are() -> None:
    """Secrets are never equal, so neither are two logins that were read apart."""
    secret = Secret("pw")
    assert Credentials("u", secret, "h", 25) == Credentials("u", secret, "h", 25, "")
    assert Credentials("u", secret, "h", 25) != Credentials("u", Secret("pw"), "h", 25)
    assert Credentials("u", None, "h", 25, "D").ntlm_domain == "D"
