"""DIGEST-MD5: the RFC's examples, its odd rules of encoding, and servers that lie."""

from __future__ import annotations

import functools
import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.errors import CredentialError, RemoteProtocolError
from pillarbox.secret import Secret
from pillarbox.smtp.digest_md5 import DigestMd5
from pillarbox.smtp.mechanism import Credentials

_md5 = functools.partial(hashlib.new, "md5")

PASSWORD = "secret"
CHALLENGE = (
    b'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",'
    b"algorithm=md5-sess,charset=utf-8"
)


def digest(
    user: str = "chris",
    password: str = PASSWORD,
    *,
    host: str = "elwood.innosoft.com",
    service: str = "imap",
    cnonce: str = "OA6MHXh6VqTrRk",
) -> DigestMd5:
    """Return a login that is ready to begin; by default that of the RFC's example."""
    return DigestMd5(Credentials(user, Secret(password), host, 587), cnonce, service)


@pytest.mark.parametrize(
    ("service", "realm", "nonce", "cnonce", "response", "rspauth"),
    [
        (  # RFC 2831 section 4
            "imap",
            "elwood.innosoft.com",
            "OA6MG9tEQGm2hh",
            "OA6MHXh6VqTrRk",
            "d388dad90d4bbd760a152321f2143af7",
            "ea40f60335c427b5527b84dbabcdfffd",
        ),
        (
            "acap",
            "elwood.innosoft.com",
            "OA9BSXrbuRhWay",
            "OA9BSuZWMSpW8m",
            "6084c6db3fede7352c551284490fd0fc",
            "2f0b3d7c3c2e486600ef710726aa2eae",
        ),
    ],
)
def test_example_of_the_rfc(
    service: str, realm: str, nonce: str, cnonce: str, response: str, rspauth: str
) -> None:
    """The exchanges printed in the RFC."""
    client = digest(service=service, cnonce=cnonce)
    assert client.initial_response() is None
    challenge = f'realm="{realm}",nonce="{nonce}",qop="auth",algorithm=md5-sess,charset=utf-8'
    assert (
        client.step(challenge.encode())
        == (
            f'charset=utf-8,username="chris",realm="{realm}",nonce="{nonce}",nc=00000001,'
            f'cnonce="{cnonce}",digest-uri="{service}/elwood.innosoft.com",'
            f"response={response},qop=auth"
        ).encode()
    )
    assert client.step(b"rspauth=" + rspauth.encode()) == b""
    client.finish()
    with pytest.raises(RemoteProtocolError):
        client.step(b"")


def test_service_is_smtp() -> None:
    """Unless the RFC's examples are to be shown."""
    client = DigestMd5(Credentials("u", Secret("p"), "mail.example.org", 587), "0" * 20)
    assert b'digest-uri="smtp/mail.example.org"' in client.step(CHALLENGE)


# -- encodings and realms ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charset", "user", "password", "sent", "hashed"),
    [
        # in UTF-8 on the wire, but hashed as ISO 8859-1 when it fits (section 2.1.2.1)
        (b",charset=utf-8", "jörg", "pässword", "jörg".encode(), b"j\xf6rg:r:p\xe4ssword"),
        (b",charset=utf-8", "王", "pässword", "王".encode(), "王:r:".encode() + b"p\xe4ssword"),
        (b",charset=utf-8", "jörg", "密码", "jörg".encode(), b"j\xf6rg:r:" + "密码".encode()),
        (b"", "jörg", "pässword", b"j\xf6rg", b"j\xf6rg:r:p\xe4ssword"),
        # the realm is hashed as it came
        (b",charset=utf-8", "u", "p", b"u", "u:réalm:p".encode()),
        (b"", 'q"u\\o', "p", b'q\\"u\\\\o', b'q"u\\o:r:p'),
    ],
)
def test_encodings(charset: bytes, user: str, password: str, sent: bytes, hashed: bytes) -> None:
    """The server computes from what it knows, in the encoding that the RFC has it use."""
    client = digest(user, password)
    realm = hashed.split(b":")[1]
    answer = client.step(b'realm="' + realm + b'",nonce="n",algorithm=md5-sess' + charset)
    assert b'username="' + sent + b'",' in answer
    a1 = _md5(_md5(hashed).digest() + b":n:OA6MHXh6VqTrRk").hexdigest()
    a2 = _md5(b"AUTHENTICATE:imap/elwood.innosoft.com").hexdigest()
    expected = _md5(f"{a1}:n:00000001:OA6MHXh6VqTrRk:auth:{a2}".encode()).hexdigest()
    assert f"response={expected},".encode() in answer


@pytest.mark.parametrize(("user", "password"), [("王", "p"), ("u", "密码")])
def test_text_that_an_old_server_cannot_take_is_refused(user: str, password: str) -> None:
    """Without charset=utf-8 there is only ISO 8859-1; the error shows no value."""
    with pytest.raises(CredentialError, match="cannot take") as caught:
        digest(user, password).step(b'nonce="n",algorithm=md5-sess')
    assert "密码" not in repr(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("realms", "user", "expected"),
    [
        (b"", "chris", None),
        (b'realm="a",', "chris", b'"a"'),
        (b'realm="a",realm="b",', "chris", b'"a"'),
        (b'realm="a",realm="b",', "chris@b", b'"b"'),
        (b'realm="a",realm="b",', "chris@c", b'"a"'),
        (b'realm="a \\"quoted\\" \\\\one",', "chris", b'"a \\"quoted\\" \\\\one"'),
        (b'realm="",', "chris", b'""'),
        ('realm="域",'.encode(), "chris", '"域"'.encode()),
    ],
)
def test_one_realm_is_chosen(realms: bytes, user: str, expected: bytes | None) -> None:
    """The user name's own domain, else the first; none is left out."""
    answer = digest(user).step(realms + b'nonce="n",algorithm=md5-sess,charset=utf-8')
    found = re.search(rb',realm=("(?:[^"\\]|\\.)*"),', answer)
    assert (found and found[1]) == expected


@pytest.mark.parametrize(
    "challenge",
    [
        b'nonce="n",algorithm=md5-sess',
        b'nonce=n,algorithm="md5-sess"',
        b'NONCE="n",Algorithm=md5-sess,QOP="auth-int, AUTH",charset=UTF-8',
        b'nonce="n", algorithm=md5-sess , qop=auth ,unknown=1, x="a,b"',
        b'nonce="n",algorithm=md5-sess,maxbuf=65536,stale=false,cipher="rc4,3des"',
        b' nonce = "n",\r\n algorithm=md5-sess,',
        b', ,nonce="n",,algorithm=md5-sess, ',
    ],
)
def test_challenges_of_real_servers_are_read(challenge: bytes) -> None:
    """Cases, spaces, folds and unknown directives are as the RFC allows."""
    assert b'nonce="n",nc=00000001' in digest().step(challenge)


# -- servers that lie --------------------------------------------------------------------------

BAD_CHALLENGES = [
    b"",
    b",",
    b"nonce",
    b"nonce=",
    b'nonce="n"',
    b'nonce="",algorithm=md5-sess',
    b"algorithm=md5-sess",
    b'nonce="n",algorithm=md5',
    b'nonce="n",algorithm=MD5-SESS-2',
    b'nonce="n",nonce="m",algorithm=md5-sess',
    b'nonce="n",algorithm=md5-sess,algorithm=md5-sess',
    b'nonce="n",algorithm=md5-sess,qop="auth-int"',
    b'nonce="n",algorithm=md5-sess,qop="auth-conf,auth-int"',
    b'nonce="n",algorithm=md5-sess,qop=""',
    b'nonce="n",algorithm=md5-sess,qop="auth",qop="auth-int"',
    b'nonce="n",algorithm=md5-sess,charset=gbk',
    b'nonce="n",algorithm=md5-sess,charset=utf-8,charset=utf-8',
    b'nonce="n,algorithm=md5-sess',
    b'nonce="n\\",algorithm=md5-sess',
    b'nonce="n" algorithm=md5-sess',
    b'nonce="n";algorithm=md5-sess',
    b'nonce="n"x,algorithm=md5-sess',
    b'nonce="n\0",algorithm=md5-sess',
    b'nonce="n",,algorithm=md5-sess,(x)=1',
    b'"nonce"="n",algorithm=md5-sess',
    b'\xff\xfe="n",algorithm=md5-sess',
    b'nonce="n",algorithm=md5-sess' + b",x=y" * 900,
    b'nonce="' + b"n" * 4000 + b'",algorithm=md5-sess',
    b"rspauth=ea40f60335c427b5527b84dbabcdfffd",
]

BAD_ANSWERS = [
    b"",
    b"rspauth",
    b"rspauth=",
    b"rspauth=d388dad90d4bbd760a152321f2143af7",  # our own response, reflected
    b"rspauth=ea40f60335c427b5527b84dbabcdfffe",
    b"rspauth=EA40F60335C427B5527B84DBABCDFFFD",
    b"rspauth=ea40f60335c427b5527b84dbabcdfff",
    b"rspauth=ea40f60335c427b5527b84dbabcdfffd0",
    b"rspauth=ea40f60335c427b5527b84dbabcdfffd,rspauth=ea40f60335c427b5527b84dbabcdfffd",
    b"xspauth=ea40f60335c427b5527b84dbabcdfffd",
    b"ea40f60335c427b5527b84dbabcdfffd",
    CHALLENGE,
]


@pytest.mark.parametrize("challenge", BAD_CHALLENGES)
def test_malformed_or_weakened_challenge_ends_the_login(challenge: bytes) -> None:
    """No response leaves for it, and nothing that follows is heard."""
    client = digest()
    with pytest.raises(RemoteProtocolError, match="login with DIGEST-MD5: the server "):
        client.step(challenge)
    with pytest.raises(RemoteProtocolError):
        client.step(CHALLENGE)
    with pytest.raises(RemoteProtocolError):
        client.finish()


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_forged_answer_ends_the_login(answer: bytes) -> None:
    """Without the right rspauth there is no login, whatever reply follows."""
    client = digest()
    client.step(CHALLENGE)
    with pytest.raises(RemoteProtocolError):
        client.step(answer)
    with pytest.raises(RemoteProtocolError):
        client.step(b"rspauth=ea40f60335c427b5527b84dbabcdfffd")
    with pytest.raises(RemoteProtocolError, match="without proving"):
        client.finish()


def test_success_without_the_answer_is_not_believed() -> None:
    """A server that leaves its rspauth out does not know the password."""
    client = digest()
    client.step(CHALLENGE)
    with pytest.raises(RemoteProtocolError, match="without proving"):
        client.finish()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text('ab=",\\ \t', max_size=60).map(str.encode))
def test_any_challenge_is_answered_or_refused(tail: bytes) -> None:
    """The reader neither crashes nor hangs, and what it quotes cannot end a field early."""
    challenge = b'realm="r",nonce="n",algorithm=md5-sess,charset=utf-8,' + tail
    try:
        answer = digest().step(challenge)
    except RemoteProtocolError:
        return
    assert answer.count(b"response=") == 1
    assert len(answer) < len(challenge) * 2 + 300


def test_system_without_md5_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A FIPS policy makes hashlib refuse MD5; that is no traceback."""

    def refuse(_: bytes) -> None:
        raise ValueError("[digital envelope routines] unsupported")

    monkeypatch.setattr(hashlib, "md5", refuse)
    with pytest.raises(CredentialError, match="cryptography policy"):
        digest().step(CHALLENGE)
