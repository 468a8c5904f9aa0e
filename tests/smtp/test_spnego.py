"""NTLM against pyspnego's own server, GSSAPI's last steps, and the missing extra."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pillarbox.errors import CredentialError, MissingExtraError, RemoteProtocolError
from pillarbox.secret import Secret
from pillarbox.smtp.auth import Credentials, Mechanism, choose_mechanism
from pillarbox.smtp.spnego import Gssapi, Ntlm, make_gssapi, make_ntlm

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import spnego as spnego_types

PASSWORD = "hunter2-hunter2"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> spnego_types.ContextProxy:
    """Return the server's side of NTLM, which knows one user."""
    spnego = pytest.importorskip("spnego", reason="the extra ntlm is not installed")
    users = tmp_path / "users"
    users.write_text(f"EXAMPLE:tim:{PASSWORD}\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    context: spnego_types.ContextProxy = spnego.server(
        protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm
    )
    return context


def credentials(
    password: str | None = PASSWORD, *, user: str = "tim", domain: str = "EXAMPLE"
) -> Credentials:
    """Return who logs in."""
    secret = None if password is None else Secret(password)
    return Credentials(user, secret, "mail.example.org", 587, domain)


# -- NTLM --------------------------------------------------------------------------------------


def test_ntlm_logs_in_to_an_independent_server(server: spnego_types.ContextProxy) -> None:
    """Negotiate goes with AUTH, the challenge is answered, and the server knows who it is."""
    client = make_ntlm(credentials())
    challenge = server.step(client.initial_response())
    assert challenge is not None
    server.step(client.step(challenge))
    client.finish()
    assert server.complete
    assert server.client_principal == "EXAMPLE\\tim"
    with pytest.raises(RemoteProtocolError):
        client.step(challenge)


def test_ntlm_wrong_password_does_not_pass(server: spnego_types.ContextProxy) -> None:
    """The server refuses; that there is a check is what makes the test above mean anything."""
    from spnego.exceptions import SpnegoError

    client = make_ntlm(credentials("hunter3"))
    challenge = server.step(client.initial_response())
    assert challenge is not None
    with pytest.raises(SpnegoError, match="denied"):
        server.step(client.step(challenge))


@pytest.mark.parametrize(
    "challenge",
    [b"", b"ntlm supported", b"NTLMSSP\0", b"NTLMSSP\0\x02\0\0\0", b"NTLMSSP\0" + b"\xff" * 60],
)
def test_ntlm_malformed_challenge_is_refused(
    server: spnego_types.ContextProxy, challenge: bytes
) -> None:
    """What pyspnego raises on a stranger's bytes becomes an error of the protocol."""
    assert server is not None
    client = make_ntlm(credentials())
    client.initial_response()
    with pytest.raises(RemoteProtocolError, match="login with NTLM: the server ") as caught:
        client.step(challenge)
    assert PASSWORD not in repr(caught.value) + repr(caught.value.__cause__)


def test_ntlm_is_chosen_only_by_name(server: spnego_types.ContextProxy) -> None:
    """Through the same door as every other mechanism."""
    assert server is not None
    chosen = choose_mechanism(
        offered=frozenset({"NTLM", "LOGIN"}),
        wanted="ntlm",
        credentials=credentials(),
        is_secured=False,
        channel_bindings={},
        may_send_secret_in_clear=False,
        nonce=lambda: "0" * 24,
    )
    assert isinstance(chosen, Ntlm)


# -- GSSAPI ------------------------------------------------------------------------------------


def gssapi(
    server: spnego_types.ContextProxy, user: bytes = b"tim@example.org"
) -> tuple[Gssapi, spnego_types.ContextProxy]:
    """
    Return a login and its server's context, both established.

    Kerberos needs a realm; pyspnego's NTLM contexts wrap and unwrap through the same interface,
    and what is ours (RFC 4752 section 3.1) is the same for both.
    """
    import spnego

    context = spnego.client(
        "EXAMPLE\\tim", PASSWORD, protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm
    )
    client = Gssapi(context, user)
    challenge = server.step(client.initial_response())
    assert challenge is not None
    server.step(client.step(challenge))
    return client, server


@pytest.mark.parametrize("user", [b"tim@example.org", b""])
def test_gssapi_agrees_on_no_security_layer(server: spnego_types.ContextProxy, user: bytes) -> None:
    """Of the layers offered, none is taken, and the authorization identity goes along."""
    client, server = gssapi(server, user)
    with pytest.raises(RemoteProtocolError, match="without proving"):
        client.finish()
    answer = client.step(server.wrap(b"\x07\x00\xff\xff").data)
    assert server.unwrap(answer).data == b"\x01\x00\x00\x00" + user
    client.finish()
    with pytest.raises(RemoteProtocolError):
        client.step(b"")


@pytest.mark.parametrize(
    "layers", [b"", b"\x01", b"\x01\0\0", b"\x01\0\0\0\0", b"\x06\0\xff\xff", b"\0\0\0\0"]
)
def test_gssapi_malformed_or_forced_layer_is_refused(
    server: spnego_types.ContextProxy, layers: bytes
) -> None:
    """Four octets that allow no layer, or nothing."""
    client, server = gssapi(server)
    with pytest.raises(RemoteProtocolError, match="security layer"):
        client.step(server.wrap(layers).data)
    with pytest.raises(RemoteProtocolError):
        client.finish()


@pytest.mark.parametrize("token", [b"", b"\x01\0\0\0", b"\0" * 16 + b"\x01\0\0\0"])
def test_gssapi_forged_layer_is_refused(server: spnego_types.ContextProxy, token: bytes) -> None:
    """A token that the context did not protect comes from somebody else."""
    client, _ = gssapi(server)
    with pytest.raises(RemoteProtocolError, match="forged"):
        client.step(token)


def test_gssapi_malformed_token_is_refused(server: spnego_types.ContextProxy) -> None:
    """So is one that comes while the context is still being established."""
    import spnego

    assert server is not None
    client = Gssapi(
        spnego.client("tim", PASSWORD, protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm),
        b"",
    )
    client.initial_response()
    with pytest.raises(RemoteProtocolError, match="malformed token"):
        client.step(b"garbage")


class _Ticketless:
    """A context whose library finds no ticket."""

    complete = False

    def step(self, _: bytes | None = None) -> bytes | None:
        raise RuntimeError("No Kerberos credentials available")


def test_gssapi_without_a_ticket_says_what_to_do() -> None:
    """The ticket is looked for when the first token is made, on some libraries only then."""
    with pytest.raises(CredentialError, match="no ticket") as caught:
        Gssapi(_Ticketless(), b"").initial_response()  # type: ignore[arg-type]
    assert "kinit" in caught.value.advice


def test_gssapi_without_library_or_ticket_is_said_in_words() -> None:
    """Nobody has a ticket for this host: the library is missing, or else the ticket is."""
    pytest.importorskip("spnego", reason="the extra ntlm is not installed")
    with pytest.raises((MissingExtraError, CredentialError), match=r"(?i)kerberos"):
        make_gssapi(credentials(None)).initial_response()


@pytest.mark.parametrize(("user", "sent"), [("tim@example.org", b"tim@example.org"), ("", b"")])
def test_gssapi_asks_for_the_smtp_service_of_the_host(
    server: spnego_types.ContextProxy, monkeypatch: pytest.MonkeyPatch, user: str, sent: bytes
) -> None:
    """The ticket is for smtp/HOST, without a password; the user is whom we want to be."""
    import spnego

    asked = {}
    made = spnego.client("EXAMPLE\\tim", PASSWORD, protocol="ntlm")

    def client(**arguments: object) -> spnego_types.ContextProxy:
        asked.update(arguments)
        return made

    monkeypatch.setattr(spnego, "client", client)
    login = make_gssapi(credentials(user=user))
    assert asked["protocol"] == "kerberos"
    assert (asked["service"], asked["hostname"]) == ("smtp", "mail.example.org")
    assert not {"username", "password"} & set(asked)
    server.step(login.step(server.step(login.initial_response()) or b""))
    answer = login.step(server.wrap(b"\x01\0\0\0").data)
    assert server.unwrap(answer).data[4:] == sent


def test_gssapi_library_that_fails_at_once_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some libraries look for the ticket before the first token is asked for."""
    spnego = pytest.importorskip("spnego", reason="the extra ntlm is not installed")

    def client(**_: object) -> None:
        raise RuntimeError("No Kerberos credentials available")

    monkeypatch.setattr(spnego, "client", client)
    with pytest.raises(CredentialError, match=r"smtp/mail.example.org: No Kerberos") as caught:
        make_gssapi(credentials(None))
    assert "kinit" in caught.value.advice


# -- what is missing ---------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "extra"), [(make_ntlm, "ntlm"), (make_gssapi, "kerberos")])
def test_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[Credentials], Mechanism], extra: str
) -> None:
    """One line that says what to install."""
    monkeypatch.setitem(sys.modules, "spnego", None)
    with pytest.raises(MissingExtraError, match=rf"login needs an extra.*pillarbox\[{extra}\]"):
        make(credentials())


def test_ntlm_needs_sendable_credentials() -> None:
    """Checked before the library is loaded."""
    for bad in (credentials(None), credentials(""), credentials("x\n"), credentials(user="")):
        with pytest.raises(CredentialError):
            make_ntlm(bad)


def test_both_are_mechanisms() -> None:
    """They go through the session like the others."""
    assert issubclass(Ntlm, Mechanism)
    assert issubclass(Gssapi, Mechanism)
