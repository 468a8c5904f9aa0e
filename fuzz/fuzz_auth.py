"""
Feed every login mechanism with challenges that nobody would send.

The property: each step gives an answer whose length is bounded, or one of the refusals below;
and what a person may come to see (an exception with all that it was raised from, a repr, the
server's reason) never holds the secret. ``finish`` passes for SCRAM and DIGEST-MD5 only after
the server has proved itself, which no fuzzer can.

Allowed refusals:
    RemoteProtocolError: the challenge is malformed, forged or one too many.
    CredentialError: DIGEST-MD5 asks for ISO 8859-1, and the password has none.
"""

from __future__ import annotations

from pillarbox.errors import CredentialError, RemoteProtocolError
from pillarbox.secret import Secret
from pillarbox.smtp.auth import MECHANISMS, Credentials, Mechanism, choose_mechanism

_NONCE = "fyko+d2lbbFgONRv9qkxdawL"
_SECRETS = ("hunter2-hunter2", "hunter2-密码")
_USES_EXTRA = frozenset({"NTLM", "GSSAPI"})
_TOKENS = frozenset({"OAUTHBEARER", "XOAUTH2"})  # they take ASCII only
_PROVES_SERVER = ("SCRAM", "DIGEST")

# Challenges stand on lines of their own; a mechanism gets them one after the other.
SEEDS = [
    b"Username:\nPassword:\n",
    b"<1896.697170952@postoffice.reston.mci.net>",
    b"r=fyko+d2lbbFgONRv9qkxdawL3rf,s=QSXCR+Q6sek8bf92,i=4096\nv=rmF9pqV8S7suAoZWja4dJRkFsKQ=\n",
    b"r=fyko+d2lbbFgONRv9qkxdawL3rfc,s=QSXCR+Q6sek8bf92,i=4096,x=y\ne=other-error,x=y",
    b'realm="a",realm="b",nonce="n",qop="auth",algorithm=md5-sess,charset=utf-8\nrspauth=ea40f6',
    b'nonce="n\\"\\\\",qop="auth, auth-int",algorithm=md5-sess',
    b'{"status":"400","schemes":"Bearer","token":"hunter2-hunter2"}\n',
]


def check(data: bytes) -> None:
    """Hold the property for every mechanism of our own, with two passwords."""
    challenges = data.split(b"\n")[:4]
    for name in sorted(set(MECHANISMS) - _USES_EXTRA):
        for secret in _SECRETS:
            if secret.isascii() or name not in _TOKENS:
                _converse(_begin(name, secret), challenges, secret)


def _begin(name: str, secret: str) -> Mechanism:
    mechanism = choose_mechanism(
        offered=frozenset({name}),
        wanted=name,
        credentials=Credentials("tim@example.org", Secret(secret), "mail.example.org", 587),
        is_secured=True,
        channel_bindings={"tls-unique": b"binding"},
        may_send_secret_in_clear=False,
        nonce=lambda: _NONCE,
    )
    assert isinstance(mechanism, Mechanism)
    mechanism.initial_response()
    return mechanism


def _converse(mechanism: Mechanism, challenges: list[bytes], secret: str) -> None:
    try:
        for challenge in challenges:
            answer = mechanism.step(challenge)
            assert len(answer) <= 2 * len(challenge) + 1024, mechanism.name
        mechanism.finish()
    except (RemoteProtocolError, CredentialError) as refusal:
        _assert_hidden(secret, refusal)
    else:
        assert not mechanism.name.startswith(_PROVES_SERVER), mechanism.name
    shown = repr(mechanism) + mechanism.error_text
    assert secret not in shown
    assert mechanism.error_text.isprintable()


def _assert_hidden(secret: str, error: BaseException | None) -> None:
    while error is not None:
        assert secret not in f"{error} {error!r} {vars(error)}", type(error)
        error = error.__cause__ or error.__context__


if __name__ == "__main__":
    from harness import run

    run(check, SEEDS)
