"""Which login method is used, the short ones message for message, and where the secret never is."""

from __future__ import annotations

import hmac
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.errors import (
    CredentialError,
    MissingExtraError,
    PillarboxError,
    RemoteProtocolError,
)
from pillarbox.secret import Secret
from pillarbox.smtp.auth import (
    MECHANISMS,
    PREFERENCE,
    Credentials,
    Mechanism,
    NoMechanism,
    choose_mechanism,
    strength,
)

NONCE = "fyko+d2lbbFgONRv9qkxdawL"
UNIQUE = {"tls-unique": b"unique"}
EXPORTER = {"tls-exporter": b"exporter"}
TLS, CLEAR, ALLOWED = "TLS", "in clear", "in clear, and the configuration allows it"
SECRET = "tanstaaftanstaaf"

OURS = frozenset(MECHANISMS) - {"NTLM", "GSSAPI"}  # those two need the extra: test_spnego.py


def choose(
    offered: str,
    wanted: str = "",
    *,
    user: str = "tim@example.org",
    secret: str | None = SECRET,
    link: str = TLS,
    bindings: dict[str, bytes] | None = None,
) -> Mechanism | NoMechanism:
    """Return the choice among the offered mechanisms, written as in EHLO."""
    held = None if secret is None else Secret(secret)
    return choose_mechanism(
        offered=frozenset(offered.split()),
        wanted=wanted,
        credentials=Credentials(user, held, "server.example.com", 587),
        is_secured=link == TLS,
        channel_bindings=bindings or {},
        may_send_secret_in_clear=link == ALLOWED,
        nonce=lambda: NONCE,
    )


def login(name: str, *, user: str = "tim@example.org", secret: str = SECRET) -> Mechanism:
    """Return a login of the named mechanism that is ready to begin."""
    mechanism = choose(name, name, user=user, secret=secret, bindings=UNIQUE)
    assert isinstance(mechanism, Mechanism)
    return mechanism


# -- the choice --------------------------------------------------------------------------------

EVERYTHING = (
    "GSSAPI NTLM XOAUTH2 OAUTHBEARER EXTERNAL DIGEST-MD5 CRAM-MD5 LOGIN PLAIN SCRAM-SHA-1 "
    "SCRAM-SHA-256 SCRAM-SHA-512 SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS XALIOAUTH ANONYMOUS"
)

CHOSEN = [
    # offered, wanted, link, bindings, expected
    (EVERYTHING, "", TLS, UNIQUE, "SCRAM-SHA-256-PLUS"),
    (EVERYTHING, "", TLS, EXPORTER, "SCRAM-SHA-256-PLUS"),
    (EVERYTHING, "", CLEAR, UNIQUE, "SCRAM-SHA-256-PLUS"),
    (EVERYTHING, "", TLS, {}, "SCRAM-SHA-256"),
    (EVERYTHING, "", CLEAR, {}, "SCRAM-SHA-256"),
    (EVERYTHING, "", TLS, {"tls-server-end-point": b"c"}, "SCRAM-SHA-256"),
    (EVERYTHING, "", TLS, {"tls-unique": b""}, "SCRAM-SHA-256"),
    ("PLAIN LOGIN SCRAM-SHA-1-PLUS SCRAM-SHA-256", "", TLS, UNIQUE, "SCRAM-SHA-1-PLUS"),
    ("PLAIN LOGIN SCRAM-SHA-1-PLUS SCRAM-SHA-256", "", TLS, {}, "SCRAM-SHA-256"),
    ("PLAIN LOGIN SCRAM-SHA-1-PLUS", "", TLS, {}, "PLAIN"),
    ("PLAIN SCRAM-SHA-1", "", TLS, {}, "SCRAM-SHA-1"),
    ("PLAIN SCRAM-SHA-1", "", CLEAR, {}, "SCRAM-SHA-1"),
    ("PLAIN LOGIN XOAUTH2 XALIOAUTH", "", TLS, UNIQUE, "PLAIN"),  # Aliyun
    ("LOGIN XOAUTH2", "", TLS, EXPORTER, "LOGIN"),  # Microsoft 365
    ("CRAM-MD5 LOGIN PLAIN", "", TLS, {}, "PLAIN"),
    ("CRAM-MD5 DIGEST-MD5 NTLM LOGIN", "", TLS, {}, "LOGIN"),
    (EVERYTHING, "plain", TLS, UNIQUE, "PLAIN"),
    (EVERYTHING, "LOGIN", TLS, UNIQUE, "LOGIN"),
    (EVERYTHING, "Scram-Sha-1", TLS, UNIQUE, "SCRAM-SHA-1"),
    (EVERYTHING, "scram-sha-256", TLS, UNIQUE, "SCRAM-SHA-256"),
    (EVERYTHING, "scram-sha-1-plus", TLS, UNIQUE, "SCRAM-SHA-1-PLUS"),
    (EVERYTHING, "cram-md5", TLS, {}, "CRAM-MD5"),
    (EVERYTHING, "cram-md5", CLEAR, {}, "CRAM-MD5"),
    (EVERYTHING, "digest-md5", CLEAR, {}, "DIGEST-MD5"),
    (EVERYTHING, "scram-sha-256", CLEAR, {}, "SCRAM-SHA-256"),
    (EVERYTHING, "external", TLS, {}, "EXTERNAL"),
    (EVERYTHING, "external", CLEAR, {}, "EXTERNAL"),
    (EVERYTHING, "oauthbearer", TLS, {}, "OAUTHBEARER"),
    (EVERYTHING, "xoauth2", TLS, {}, "XOAUTH2"),
    (EVERYTHING, "plain", ALLOWED, {}, "PLAIN"),
    (EVERYTHING, "login", ALLOWED, {}, "LOGIN"),
    (EVERYTHING, "xoauth2", ALLOWED, {}, "XOAUTH2"),
    (EVERYTHING, "oauthbearer", ALLOWED, {}, "OAUTHBEARER"),
]

NOT_CHOSEN = [
    # offered, wanted, link, bindings, what the problem says
    ("", "", TLS, {}, "the server offers no login"),
    ("", "plain", TLS, {}, "the server offers no login"),
    ("", "", ALLOWED, {}, "the server offers no login"),
    # an attacker on the way takes the good ones out of the offer
    ("PLAIN", "", CLEAR, {}, "PLAIN would show the password"),
    ("PLAIN LOGIN", "", CLEAR, {}, "PLAIN and LOGIN would show the password"),
    ("PLAIN LOGIN", "", ALLOWED, {}, "PLAIN and LOGIN would show the password"),
    ("PLAIN SCRAM-SHA-1-PLUS", "", CLEAR, {}, "PLAIN would show"),
    ("CRAM-MD5", "", TLS, {}, "no login method that is chosen unasked, but CRAM-MD5"),
    ("CRAM-MD5", "", CLEAR, {}, "no login method that is chosen unasked"),
    ("CRAM-MD5 LOGIN", "", CLEAR, {}, "LOGIN would show"),
    ("DIGEST-MD5 NTLM", "", TLS, {}, "chosen unasked, but DIGEST-MD5, NTLM"),
    ("XOAUTH2 OAUTHBEARER GSSAPI EXTERNAL", "", TLS, {}, "chosen unasked"),
    ("SCRAM-SHA-512 ANONYMOUS XALIOAUTH", "", TLS, {}, "chosen unasked"),
    ("SCRAM-SHA-256-PLUS", "", TLS, {}, "SCRAM-SHA-256-PLUS has to be bound to the TLS connection"),
    # a mechanism is named
    (EVERYTHING, "kerberos", TLS, {}, "the login method KERBEROS is unknown"),
    (EVERYTHING, "xalioauth", TLS, {}, "the login method XALIOAUTH is unknown"),
    (EVERYTHING, "\x1b[2J", TLS, {}, "the login method \\x1b[2J is unknown"),
    (
        "PLAIN",
        "scram-sha-256",
        TLS,
        {},
        "not offer the login method SCRAM-SHA-256, but PLAIN",
    ),
    ("SCRAM-SHA-256-PLUS", "scram-sha-256", TLS, UNIQUE, "does not offer"),
    ("CRAM-MD5", "plain", ALLOWED, {}, "does not offer the login method PLAIN"),
    (EVERYTHING, "scram-sha-256-plus", TLS, {}, "has to be bound to the TLS connection"),
    (EVERYTHING, "scram-sha-1-plus", ALLOWED, {}, "has to be bound to the TLS connection"),
    (EVERYTHING, "plain", CLEAR, {}, "PLAIN would show the password"),
    (EVERYTHING, "login", CLEAR, {}, "LOGIN would show the password"),
    (EVERYTHING, "xoauth2", CLEAR, {}, "XOAUTH2 would show"),
    (EVERYTHING, "oauthbearer", CLEAR, {}, "OAUTHBEARER would show"),
]


@pytest.mark.parametrize(("offered", "wanted", "link", "bindings", "name"), CHOSEN)
def test_chooses(
    offered: str, wanted: str, link: str, bindings: dict[str, bytes], name: str
) -> None:
    """The best that is safe, or the one that the configuration names."""
    chosen = choose(offered, wanted, link=link, bindings=bindings)
    assert isinstance(chosen, Mechanism), chosen
    assert chosen.name == name


@pytest.mark.parametrize(("offered", "wanted", "link", "bindings", "problem"), NOT_CHOSEN)
def test_chooses_nothing_and_says_why(
    offered: str, wanted: str, link: str, bindings: dict[str, bytes], problem: str
) -> None:
    """Nothing is sent; the problem names the offer."""
    chosen = choose(offered, wanted, link=link, bindings=bindings)
    assert isinstance(chosen, NoMechanism), chosen
    assert problem in chosen.problem
    assert not chosen.problem.endswith(".")


@pytest.mark.parametrize(
    ("offered", "wanted", "link", "advice"),
    [
        ("", "", TLS, "check host and port: a login is usually taken on port 465 or 587"),
        ("", "", CLEAR, "many servers offer a login only over TLS: set 'tls on'"),
        ("NTLM CRAM-MD5", "", TLS, "if you mean it, name it: 'auth cram-md5'"),
        ("XOAUTH2", "", CLEAR, "if you mean it, name it: 'auth xoauth2'"),
        ("SCRAM-SHA-256-PLUS ANONYMOUS", "", TLS, "use scram-sha-256"),
        ("LOGIN PLAIN", "", ALLOWED, "if you mean it, name it: 'auth plain'"),
        ("PLAIN", "", CLEAR, "set 'tls on', leave 'tls_certcheck' on"),
        ("PLAIN", "login", TLS, "name one of these, or set 'auth on'"),
        ("SCRAM-SHA-1-PLUS", "scram-sha-1-plus", TLS, "use scram-sha-1"),
        ("PLAIN", "foo", TLS, "known are: scram-sha-256-plus, scram-sha-1-plus, scram-sha-256"),
    ],
)
def test_advice(offered: str, wanted: str, link: str, advice: str) -> None:
    """What to do next, in words of the configuration."""
    chosen = choose(offered, wanted, link=link)
    assert isinstance(chosen, NoMechanism)
    assert chosen.advice.startswith(advice)
    assert bool(chosen.advice) == bool(advice)


@pytest.mark.parametrize("name", sorted(OURS))
def test_lack_of_user_or_secret_is_said_before_anything_is_sent(name: str) -> None:
    """Each mechanism gets what it needs, or is not begun; what it does not need is not asked."""
    row = MECHANISMS[name]
    without_user = choose(name, name, user="", bindings=UNIQUE)
    without_secret = choose(name, name, secret=None, bindings=UNIQUE)
    assert isinstance(without_user, NoMechanism) == row.needs_user == (name != "EXTERNAL")
    assert isinstance(without_secret, NoMechanism) == row.needs_secret == (name != "EXTERNAL")
    if isinstance(without_user, NoMechanism) and isinstance(without_secret, NoMechanism):
        assert "needs a user name" in without_user.problem
        assert "needs a password or token" in without_secret.problem


def test_strangers_names_are_shown_safely() -> None:
    """The offer is a stranger's text: no control character, no endless line."""
    chosen = choose("X\x1b[2J " + " ".join(f"X-{n}" for n in range(500)))
    assert isinstance(chosen, NoMechanism)
    assert chosen.problem.isprintable()
    assert len(chosen.problem) < 400


@pytest.mark.parametrize(("wanted", "extra"), [("ntlm", "ntlm"), ("gssapi", "kerberos")])
def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, wanted: str, extra: str) -> None:
    """One line that says what to install."""
    monkeypatch.setitem(sys.modules, "spnego", None)
    with pytest.raises(MissingExtraError, match=rf"login needs an extra.*pillarbox\[{extra}\]"):
        choose("NTLM GSSAPI", wanted)


# -- the tables --------------------------------------------------------------------------------


def test_nothing_weak_is_preferred() -> None:
    """What an attacker would like us to fall back to is never chosen by itself."""
    assert set(PREFERENCE) == {
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-1-PLUS",
        "SCRAM-SHA-256",
        "SCRAM-SHA-1",
        "PLAIN",
        "LOGIN",
    }
    assert set(PREFERENCE) <= set(MECHANISMS)


def test_strength_falls_along_the_preference() -> None:
    """Lower than before is a downgrade; PLAIN and LOGIN give the same thing away."""
    strengths = [strength(name) for name in PREFERENCE]
    assert strengths == sorted(strengths, reverse=True)
    assert len(set(strengths)) == len(strengths) - 1
    assert strength("plain") == strength("LOGIN") > 0
    assert {strength(name) for name in set(MECHANISMS) - set(PREFERENCE)} == {0}
    assert strength("XALIOAUTH") == 0


def test_each_mechanism_is_under_its_own_name() -> None:
    """A row makes what it says."""
    for name in OURS:
        assert login(name).name == name


def test_what_sends_the_secret_is_marked() -> None:
    """The mark is what keeps a password off an open link: it is checked, not trusted."""
    for name in OURS:
        mechanism = login(name)
        sent = mechanism.initial_response() or b""
        for challenge in (b"", b"<1@x>", b""):
            try:
                sent += mechanism.step(challenge)
            except RemoteProtocolError:
                break
        assert (SECRET.encode() in sent) == MECHANISMS[name].sends_secret, name


# -- PLAIN, LOGIN, CRAM-MD5, EXTERNAL ----------------------------------------------------------


def test_plain_example_of_the_rfc() -> None:
    """RFC 4616 section 4; the success that follows ends it."""
    plain = login("PLAIN", user="tim")
    assert plain.initial_response() == b"\0tim\0tanstaaftanstaaf"
    plain.finish()
    with pytest.raises(RemoteProtocolError, match=r"login with PLAIN: .* one answer more"):
        plain.step(b"")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (b"Username:", b"Password:"),
        (b"username:", b"password:"),  # Aliyun, NetEase
        (b"User Name\0", b"Password\0"),  # the draft
        (b"", b""),
        (b"Password:", b"Username:"),
        (b"\xff\xfe", b"tanstaaftanstaaf"),
    ],
)
def test_login_does_not_read_the_prompts(first: bytes, second: bytes) -> None:
    """User name first, password second, whatever the server calls them."""
    mechanism = login("LOGIN")
    assert mechanism.ignores_challenge
    assert mechanism.initial_response() is None
    assert mechanism.step(first) == b"tim@example.org"
    assert mechanism.step(second) == b"tanstaaftanstaaf"
    mechanism.finish()
    with pytest.raises(RemoteProtocolError):
        mechanism.step(b"Password:")


@pytest.mark.parametrize("name", ["PLAIN", "LOGIN"])
def test_text_is_sent_as_it_is(name: str) -> None:
    """UTF-8, not prepared; bytes of another encoding in the configuration stay what they were."""
    password = "e\u0301\u00a0密".encode() + b"\xe9"  # the last byte is Latin-1
    mechanism = login(name, user="我@例.cn", secret=password.decode(errors="surrogateescape"))
    sent = mechanism.initial_response() or mechanism.step(b"") + b"|" + mechanism.step(b"")
    assert sent.strip(b"\0").split(b"\0" if name == "PLAIN" else b"|") == [
        "我@例.cn".encode(),
        password,
    ]


def test_cram_md5_example_of_the_rfc() -> None:
    """RFC 2195 section 2."""
    cram = login("CRAM-MD5", user="tim")
    assert cram.initial_response() is None
    answer = cram.step(b"<1896.697170952@postoffice.reston.mci.net>")
    assert answer == b"tim b913a602c7eda7a495b4e6e7334d3890"
    with pytest.raises(RemoteProtocolError):
        cram.step(b"<1896.697170952@postoffice.reston.mci.net>")


@settings(max_examples=60, deadline=None)
@given(
    secret=st.text(
        st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Z")), min_size=1, max_size=99
    ),
    challenge=st.binary(min_size=1),
)
def test_cram_md5_answers_as_the_standard_library(secret: str, challenge: bytes) -> None:
    """Passwords shorter and longer than a block; the server computes with ``hmac``."""
    answer = login("CRAM-MD5", user="a user", secret=secret).step(challenge)
    user, _, digest = answer.rpartition(b" ")
    assert user == b"a user"
    assert digest.decode() == hmac.new(secret.encode(), challenge, "md5").hexdigest()


def test_cram_md5_refuses_an_empty_challenge() -> None:
    """The digest of nothing could be collected once and used for ever."""
    with pytest.raises(RemoteProtocolError, match="empty challenge"):
        login("CRAM-MD5").step(b"")


def test_external() -> None:
    """The user name is the authorization identity; none is ``=`` on the wire."""
    assert login("EXTERNAL").initial_response() == b"tim@example.org"
    assert login("EXTERNAL", user="").initial_response() == b""
    with pytest.raises(RemoteProtocolError):
        login("EXTERNAL").step(b"")


# -- OAUTHBEARER, XOAUTH2 ----------------------------------------------------------------------

TOKEN = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
REASON = b'{"status":"invalid_token","scope":"mail"}'


def test_oauthbearer_example_of_the_rfc() -> None:
    """RFC 7628 section 4.1, with the SMTP port of its section 4.3."""
    assert login("OAUTHBEARER", user="user@example.com", secret=TOKEN).initial_response() == (
        b"n,a=user@example.com,\x01host=server.example.com\x01port=587\x01"
        b"auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
    )


def test_oauthbearer_escapes_the_user() -> None:
    """A comma would end the GS2 header."""
    sent = login("OAUTHBEARER", user="a=b,c").initial_response()
    assert sent is not None
    assert sent.startswith(b"n,a=a=3Db=2Cc,\x01host=")


def test_xoauth2_initial_response() -> None:
    """As Google and Microsoft print it."""
    assert login("XOAUTH2", user="someuser@example.com", secret=TOKEN).initial_response() == (
        b"user=someuser@example.com\x01auth=Bearer " + TOKEN.encode() + b"\x01\x01"
    )


@pytest.mark.parametrize(("name", "acknowledgement"), [("OAUTHBEARER", b"\x01"), ("XOAUTH2", b"")])
def test_oauth_reason_is_kept_and_acknowledged_once(name: str, acknowledgement: bytes) -> None:
    """The server's JSON is for the report; its reply comes after our acknowledgement."""
    mechanism = login(name, secret=TOKEN)
    assert mechanism.error_text == ""
    assert mechanism.step(REASON) == acknowledgement
    assert mechanism.error_text == REASON.decode()
    with pytest.raises(RemoteProtocolError):
        mechanism.step(REASON)


@pytest.mark.parametrize("name", ["OAUTHBEARER", "XOAUTH2"])
@pytest.mark.parametrize(
    "challenge", [b"", b"\xff\x00\x1b[2J", b"{" * 9000, b"Bearer " + TOKEN.encode()]
)
def test_oauth_reason_is_shown_safely(name: str, challenge: bytes) -> None:
    """Controls are escaped, length is bounded, and a token that comes back is masked."""
    mechanism = login(name, secret=TOKEN)
    mechanism.step(challenge)
    assert mechanism.error_text
    assert mechanism.error_text.isprintable()
    assert len(mechanism.error_text) < 600
    assert TOKEN not in mechanism.error_text


@pytest.mark.parametrize("name", ["OAUTHBEARER", "XOAUTH2"])
@pytest.mark.parametrize(
    ("user", "token", "problem"),
    [
        ("tim\x01auth=Bearer x", TOKEN, "control character"),
        ("tim\x7f", TOKEN, "control character"),
        ("tim\n", TOKEN, "the user name has a line break"),
        ("tim", TOKEN + "\x01", "the token has characters that no token has"),
        ("tim", TOKEN + " x", "the token has characters that no token has"),
        ("tim", TOKEN + "é", "the token has characters that no token has"),
        ("tim", TOKEN + "\n", "the token has a line break"),
        ("tim", "", "the token is empty"),
    ],
)
def test_oauth_field_injection_is_refused(name: str, user: str, token: str, problem: str) -> None:
    """The fields end in a control character: none may come in with a value."""
    with pytest.raises(CredentialError, match=problem) as caught:
        login(name, user=user, secret=token)
    assert TOKEN not in repr(caught.value)


# -- credentials that no server takes ----------------------------------------------------------


@pytest.mark.parametrize("name", sorted(OURS - {"EXTERNAL"}))
@pytest.mark.parametrize(
    "secret", ["", "hunter2\0", "hunter2\n", "hunter2\r\n", "hunter2\nhunter3", "hunter2\ud800"]
)
def test_unsendable_secret_is_refused_before_anything_is_sent(name: str, secret: str) -> None:
    """An error that names the field, with no trace of the value in it or behind it."""
    with pytest.raises(CredentialError) as caught:
        login(name, secret=secret)
    assert "password" in str(caught.value) or "token" in str(caught.value)
    assert_free_of("hunter", caught.value)


@pytest.mark.parametrize("name", sorted(OURS))
@pytest.mark.parametrize("user", ["a\0b", "a\nb", "a\rb", "a\ud800b"])
def test_unsendable_user_is_refused_before_anything_is_sent(name: str, user: str) -> None:
    """NUL would end the field of PLAIN, a line break is a broken configuration."""
    with pytest.raises(CredentialError, match="user name"):
        login(name, user=user)


# -- the secret is nowhere else ----------------------------------------------------------------


def assert_free_of(secret: str, error: BaseException) -> None:
    """Check an exception, its facts, and everything that it was raised from."""
    seen: BaseException | None = error
    while seen is not None:
        shown = [repr(seen), str(seen), repr(seen.args), repr(vars(seen))]
        assert not any(secret in text for text in shown)
        if isinstance(seen, UnicodeError):
            assert secret not in repr(getattr(seen, "object", ""))
        seen = seen.__cause__ or seen.__context__


# The tilde keeps them apart from our own words: "password" is one that hypothesis tries.
_SECRETS = st.text("abcdefghijklmnopqrstuvwxyz0123456789=+/-", min_size=7).map("~{}".format)


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(sorted(OURS)),
    secret=_SECRETS,
    challenges=st.lists(st.binary(max_size=80), max_size=4),
    echo=st.sampled_from([b"", b"v=%s", b"e=%s", b"{%s}", b'realm="%s"', b"r=%s,s=%s,i=4096"]),
)
def test_secret_never_appears(name: str, secret: str, challenges: list[bytes], echo: bytes) -> None:
    """Not in a repr, a field, a reason or an exception, even when the server sends it back."""
    mechanism = login(name, secret=secret)
    challenges.append(echo.replace(b"%s", secret.encode()))
    mechanism.initial_response()
    for challenge in challenges:
        try:
            mechanism.step(challenge)
        except PillarboxError as error:
            assert_free_of(secret, error)
        assert secret not in repr(mechanism) + str(mechanism) + mechanism.error_text
        assert not any(secret in repr(field) for field in vars(mechanism).values())
    try:
        mechanism.finish()
    except PillarboxError as error:
        assert_free_of(secret, error)


def test_credentials_do_not_show_the_secret() -> None:
    """The value goes through logs and debuggers."""
    shown = repr(Credentials("tim", Secret("hunter2"), "mail.example.org", 465))
    assert "tim" in shown
    assert "hunter2" not in shown


# -- what a plain login costs ------------------------------------------------------------------


def test_plain_and_login_load_nothing_that_they_do_not_need() -> None:
    """No hash, no Unicode table, no other mechanism: they are on the way of every mail."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from pillarbox.secret import Secret\n"
        "from pillarbox.smtp.auth import Credentials, choose_mechanism\n"
        "for name in ('PLAIN', 'LOGIN'):\n"
        "    it = choose_mechanism(offered=frozenset({name}), wanted='', is_secured=True,\n"
        "        credentials=Credentials('me', Secret('pw'), 'h', 1), channel_bindings={},\n"
        "        may_send_secret_in_clear=False, nonce=lambda: '')\n"
        "    it.initial_response() or (it.step(b''), it.step(b''))\n"
        "    it.finish()\n"
        "loaded = {name for name in set(sys.modules) - before\n"
        "          if not name.startswith('pillarbox')}\n"
        "assert loaded <= {'__future__'}, loaded\n"
        "ours = {'scram', 'digest_md5', 'oauth', 'spnego', 'saslprep'}\n"
        "assert not {'pillarbox.smtp.' + name for name in ours} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-S", "-c", code], check=True, timeout=30)
