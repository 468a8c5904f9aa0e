"""Whatever goes into a command, exactly one line comes out, or a DataError."""

from __future__ import annotations

from base64 import b64decode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.errors import DataError
from pillarbox.mail.address import Mailbox, parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.smtp import commands
from pillarbox.smtp.capabilities import Capabilities

EVERYTHING = Capabilities(
    dict.fromkeys(["SIZE", "8BITMIME", "SMTPUTF8", "DSN", "PIPELINING", "CHUNKING"], "")
)
NOTHING = Capabilities({})
ME, YOU = parse_mailbox("me@example.org"), parse_mailbox("you@example.org")
UTF8, IDN = parse_mailbox("mé@bücher.example"), parse_mailbox("me@bücher.example")


def mail(envelope, offered=NOTHING, size_bytes=None, *, is_8bit=False):
    """Return MAIL as text without its line end."""
    line = commands.mail(envelope, offered, size_bytes=size_bytes, is_8bit=is_8bit)
    assert line.endswith(b"\r\n")
    return line[:-2].decode()


def only(*keywords):
    """Return the offer of these keywords."""
    return Capabilities(dict.fromkeys(keywords, ""))


ENVELOPE = Envelope(ME, (YOU,))
WISHES = Envelope(ME, (YOU,), ret="HDRS", envid="a+b=c d", notify="SUCCESS,FAILURE")

MAILS = [
    # arguments, line
    ((ENVELOPE,), "MAIL FROM:<me@example.org>"),
    ((Envelope(None, (YOU,)),), "MAIL FROM:<>"),
    ((ENVELOPE, EVERYTHING), "MAIL FROM:<me@example.org>"),
    ((ENVELOPE, EVERYTHING, 123), "MAIL FROM:<me@example.org> SIZE=123"),
    ((ENVELOPE, EVERYTHING, 0), "MAIL FROM:<me@example.org> SIZE=0"),
    ((ENVELOPE, NOTHING, 123), "MAIL FROM:<me@example.org>"),
    ((WISHES,), "MAIL FROM:<me@example.org>"),
    ((WISHES, only("DSN")), "MAIL FROM:<me@example.org> RET=HDRS ENVID=a+2Bb+3Dc+20d"),
    ((Envelope(UTF8, (YOU,)), only("SMTPUTF8")), "MAIL FROM:<mé@bücher.example> SMTPUTF8"),
    ((Envelope(ME, (UTF8,)), only("SMTPUTF8")), "MAIL FROM:<me@example.org> SMTPUTF8"),
    ((Envelope(IDN, (YOU,)), only("SMTPUTF8")), "MAIL FROM:<me@xn--bcher-kva.example>"),
    ((Envelope(IDN, (YOU,)), NOTHING), "MAIL FROM:<me@xn--bcher-kva.example>"),
    ((Envelope(IDN, (UTF8,)), only("SMTPUTF8")), "MAIL FROM:<me@bücher.example> SMTPUTF8"),
]


@pytest.mark.parametrize(("arguments", "line"), MAILS)
def test_mail_has_the_parameters_that_are_offered_and_needed(arguments, line):
    """SIZE, SMTPUTF8, RET and ENVID stand only where the server offers them."""
    assert mail(*arguments) == line


def test_mail_declares_8bit_content_where_it_can():
    """BODY=8BITMIME is for content with octets above 127, and for servers that know it."""
    assert mail(ENVELOPE, only("8BITMIME"), is_8bit=True).endswith(" BODY=8BITMIME")
    assert mail(ENVELOPE, only("8BITMIME"), is_8bit=False) == "MAIL FROM:<me@example.org>"
    assert mail(ENVELOPE, NOTHING, is_8bit=True) == "MAIL FROM:<me@example.org>"
    full = mail(Envelope(UTF8, (YOU,), ret="FULL", envid="x"), EVERYTHING, 9, is_8bit=True)
    assert full == ("MAIL FROM:<mé@bücher.example> SIZE=9 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=x")


RCPTS = [
    # recipient, envelope, offered, line
    (YOU, ENVELOPE, EVERYTHING, "RCPT TO:<you@example.org>"),
    (YOU, WISHES, NOTHING, "RCPT TO:<you@example.org>"),
    (
        YOU,
        WISHES,
        EVERYTHING,
        "RCPT TO:<you@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;you@example.org",
    ),
    (
        parse_mailbox("a+b=c@example.org"),
        WISHES,
        EVERYTHING,
        "RCPT TO:<a+b=c@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a+2Bb+3Dc@example.org",
    ),
    (
        IDN,
        Envelope(ME, (IDN,), notify="NEVER"),
        EVERYTHING,
        "RCPT TO:<me@xn--bcher-kva.example> NOTIFY=NEVER ORCPT=rfc822;me@xn--bcher-kva.example",
    ),
    (
        UTF8,
        Envelope(ME, (UTF8,), notify="NEVER"),
        EVERYTHING,
        "RCPT TO:<mé@bücher.example> NOTIFY=NEVER",
    ),
    (IDN, Envelope(ME, (UTF8, IDN)), EVERYTHING, "RCPT TO:<me@bücher.example>"),
    (parse_mailbox("root"), ENVELOPE, NOTHING, "RCPT TO:<root>"),
    (parse_mailbox('"a >b"@c.d'), ENVELOPE, NOTHING, 'RCPT TO:<"a >b"@c.d>'),
]


@pytest.mark.parametrize(("path", "envelope", "offered", "line"), RCPTS)
def test_rcpt_has_the_parameters_that_are_offered_and_wished(path, envelope, offered, line):
    """NOTIFY and ORCPT stand only where the server offers DSN, addresses as they can be said."""
    assert commands.rcpt(path, envelope, offered).decode() == line + "\r\n"


def test_hello_says_our_name():
    """One word behind the verb."""
    assert commands.hello("EHLO", "localhost") == b"EHLO localhost\r\n"
    assert commands.hello("LHLO", "[192.0.2.1]") == b"LHLO [192.0.2.1]\r\n"


@pytest.mark.parametrize("name", ["", "a b", "a\r\nMAIL", "a\0", "bücher.example", "\udcff"])
def test_hello_refuses_what_is_no_name(name):
    """CRLF injection by the EHLO name (N10), and names that are no word."""
    with pytest.raises(DataError):
        commands.hello("EHLO", name)


def test_bdat_says_how_much_comes():
    """The size is that of the chunk, and the last one says so (RFC 3030 2)."""
    assert commands.bdat(0, is_last=True) == b"BDAT 0 LAST\r\n"
    assert commands.bdat(262144, is_last=False) == b"BDAT 262144\r\n"


def test_auth_encodes_its_response():
    """None is no initial response, empty is ``=`` (RFC 4954 4)."""
    assert commands.auth("LOGIN", None) == b"AUTH LOGIN\r\n"
    assert commands.auth("EXTERNAL", b"") == b"AUTH EXTERNAL =\r\n"
    assert commands.auth("PLAIN", b"\0tim\0secret") == b"AUTH PLAIN AHRpbQBzZWNyZXQ=\r\n"
    assert commands.auth_response(b"") == b"\r\n"
    assert commands.auth_response(b"tim") == b"dGlt\r\n"


def test_long_response_is_one_line():
    """No line break gets into long base64; 12,288 octets are the limit (RFC 4954 4)."""
    line = commands.auth_response(b"t" * 9216)
    assert line.count(b"\n") == 1
    assert b64decode(line) == b"t" * 9216
    with pytest.raises(DataError, match="too long"):
        commands.auth_response(b"t" * 9217)
    with pytest.raises(DataError, match="too long"):
        commands.auth("XOAUTH2", b"t" * 6200)


def test_etrn_names_its_argument():
    """A host, or ``@`` and a domain (RFC 1985)."""
    assert commands.etrn("@example.org") == b"ETRN @example.org\r\n"


XTEXT = [
    ("abc", b"abc"),
    ("a+b=c", b"a+2Bb+3Dc"),
    (" \t\r\n\0\x7f", b"+20+09+0D+0A+00+7F"),
    ('"<>"', b'"<>"'),
    ("", b""),
]


@pytest.mark.parametrize(("text", "encoded"), XTEXT)
def test_xtext_escapes_what_is_not_visible(text, encoded):
    """RFC 3461 4: plus, equals sign, space and controls in hex."""
    assert commands.xtext(text) == encoded


# -- injection (N10) ---------------------------------------------------------------------------

EVIL = [f"{prefix}{char}RCPT TO:<evil@e>" for prefix in ("", "x") for char in "\r\n\0\x0b\x1b\x7f"]


@pytest.mark.parametrize("evil", [*EVIL, "x\r\nQUIT", "x\r\n"])
def test_crlf_injection_gets_into_no_command(evil):
    """Even past the gate of addresses, no argument ends its line and begins another."""
    envelopes = [
        Envelope(Mailbox(evil, "e"), (YOU,)),
        Envelope(Mailbox("x", evil), (YOU,)),
        Envelope(ME, (YOU,), ret=evil),
    ]
    for envelope in envelopes:
        with pytest.raises(DataError):
            mail(envelope, EVERYTHING)
    for path in (Mailbox(evil, "e"), Mailbox("x", evil), Mailbox(evil, "")):
        with pytest.raises(DataError):
            commands.rcpt(path, ENVELOPE, EVERYTHING)
    with pytest.raises(DataError):
        commands.rcpt(YOU, Envelope(ME, (YOU,), notify=evil), EVERYTHING)
    with pytest.raises(DataError):
        commands.etrn(evil)
    with pytest.raises(DataError):
        commands.auth(evil, None)
    # ENVID is encoded and so takes anything that is ASCII.
    assert "\r" not in mail(Envelope(ME, (YOU,), envid=evil), EVERYTHING)


def test_parameter_injection_by_a_wish_is_refused():
    """A wish for reports brings no parameter of its own along."""
    with pytest.raises(DataError, match="one word"):
        mail(Envelope(ME, (YOU,), ret="FULL SMTPUTF8"), EVERYTHING)
    with pytest.raises(DataError, match="one word"):
        commands.rcpt(YOU, Envelope(ME, (YOU,), notify="NEVER ORCPT=rfc822;x"), EVERYTHING)


def test_octets_above_127_need_smtputf8():
    """An address without an ASCII form is not said to a server that does not offer SMTPUTF8."""
    envelope = Envelope(UTF8, (UTF8,), notify="NEVER")
    for offered in (NOTHING, only("DSN", "8BITMIME")):
        with pytest.raises(DataError, match="SMTPUTF8"):
            mail(envelope, offered)
        with pytest.raises(DataError, match="SMTPUTF8"):
            commands.rcpt(UTF8, envelope, offered)
    with pytest.raises(DataError, match="ASCII"):
        mail(Envelope(ME, (YOU,), envid="é"), EVERYTHING)


TEXT = st.text(max_size=12) | st.text(st.sampled_from('ab@."<> \r\n\0\x7f\té'), max_size=12)
WISH = TEXT | st.just("\udcff")


@given(TEXT, TEXT, WISH, WISH, WISH, st.sampled_from([EVERYTHING, NOTHING]))
@settings(max_examples=200)
def test_encoder_makes_exactly_one_line(local_part, domain, ret, envid, notify, offered):
    """One CRLF, at the end, no control character; or a DataError and nothing (N10)."""
    path = Mailbox(local_part, domain)
    envelope = Envelope(path, (path,), ret=ret, envid=envid, notify=notify)
    makers = [
        lambda: commands.mail(envelope, offered, size_bytes=1, is_8bit=True),
        lambda: commands.rcpt(path, envelope, offered),
        lambda: commands.hello("EHLO", domain),
        lambda: commands.etrn(domain),
        lambda: commands.auth(domain, local_part.encode("utf-8", "surrogatepass")),
        lambda: commands.auth_response(local_part.encode("utf-8", "surrogatepass")),
    ]
    for make in makers:
        try:
            line = make()
        except DataError:
            continue
        assert line.endswith(b"\r\n")
        assert not any(octet < 0x20 or octet == 0x7F for octet in line[:-2])
        assert line.isascii() or "SMTPUTF8" in offered
