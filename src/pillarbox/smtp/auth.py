"""
Every login method, which of them is used, and the ones that fit in a few lines.

One class a mechanism, one row in ``MECHANISMS``, and a place in ``PREFERENCE`` if it may be
chosen without being named. The rule to keep: what sends the password, or something as good, is
never chosen over a link that is not secured, and what an attacker would like us to fall back to
(CRAM-MD5, DIGEST-MD5, NTLM) is never chosen at all: the configuration has to name it.

The other mechanisms are in ``scram``, ``oauth``, ``digest_md5`` and ``spnego``, loaded on use.
"""

from __future__ import annotations

from pillarbox.mail.reply import printable
from pillarbox.smtp.mechanism import (
    PASSWORD,
    USER,
    Credentials,
    Link,
    Mechanism,
    encode_credential,
    reveal,
)
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "MECHANISMS",
    "PREFERENCE",
    "Credentials",
    "Mechanism",
    "MechanismRow",
    "NoMechanism",
    "choose_mechanism",
    "strength",
]


class Plain(Mechanism):
    """User name and password in one message (RFC 4616)."""

    name = "PLAIN"

    def __init__(self, credentials: Credentials) -> None:
        encode_credential(credentials.user, USER)
        encode_credential(reveal(credentials.secret, PASSWORD), PASSWORD)
        self._credentials = credentials

    def initial_response(self) -> bytes:
        """Return the message; the authorization identity is left to the server."""
        user = encode_credential(self._credentials.user, USER)
        password = reveal(self._credentials.secret, PASSWORD)
        return b"\0" + user + b"\0" + encode_credential(password, PASSWORD)


class Login(Mechanism):
    """
    User name, then password (draft-murchison-sasl-login).

    The prompts are not read: the draft has ``User Name``, most servers ``Username:``, Aliyun
    and NetEase ``username:``, and clients that compared them failed there.
    """

    name = "LOGIN"
    ignores_challenge = True

    def __init__(self, credentials: Credentials) -> None:
        encode_credential(credentials.user, USER)
        encode_credential(reveal(credentials.secret, PASSWORD), PASSWORD)
        self._credentials = credentials
        self._asked = 0

    def step(self, challenge: bytes) -> bytes:
        """Answer the first prompt with the user name and the second with the password."""
        self._asked += 1
        if self._asked == 1:
            return encode_credential(self._credentials.user, USER)
        if self._asked == 2:
            return encode_credential(reveal(self._credentials.secret, PASSWORD), PASSWORD)
        return super().step(challenge)


class CramMd5(Mechanism):
    """A keyed digest of the server's challenge (RFC 2195). Nothing proves the server to us."""

    name = "CRAM-MD5"

    def __init__(self, credentials: Credentials) -> None:
        encode_credential(credentials.user, USER)
        encode_credential(reveal(credentials.secret, PASSWORD), PASSWORD)
        self._credentials = credentials
        self._is_answered = False

    def step(self, challenge: bytes) -> bytes:
        """Answer the challenge."""
        if self._is_answered:
            return super().step(challenge)
        if not challenge:
            raise self._broken(did=say("sent an empty challenge"))
        self._is_answered = True
        password = encode_credential(reveal(self._credentials.secret, PASSWORD), PASSWORD)
        user = encode_credential(self._credentials.user, USER)
        return user + b" " + _hmac_md5(password, challenge).hex().encode()


def _hmac_md5(key: bytes, message: bytes) -> bytes:
    """Return HMAC-MD5 (RFC 2104); written out because ``md5`` knows when there is no MD5."""
    from pillarbox.smtp.digest_md5 import md5

    block = (md5(key) if len(key) > 64 else key).ljust(64, b"\0")  # 64: MD5's block
    inner = md5(bytes(byte ^ 0x36 for byte in block) + message)
    return md5(bytes(byte ^ 0x5C for byte in block) + inner)


class External(Mechanism):
    """
    Who we are is known already, by a client certificate or a socket's peer (RFC 4422 app. A).

    The user name, if there is one, is the authorization identity.
    """

    name = "EXTERNAL"

    def __init__(self, credentials: Credentials) -> None:
        self._user = encode_credential(credentials.user, USER) if credentials.user else b""

    def initial_response(self) -> bytes:
        """Return the authorization identity; empty is the one that the server knows."""
        return self._user


class MechanismRow(Value):
    """
    One mechanism in the table.

    Attributes:
        name: The IANA name, upper case.
        make: Makes one login from the credentials and the link.
        needs_user: It cannot do without a user name.
        needs_secret: It cannot do without a password or token.
        sends_secret: It sends the secret itself, so whoever listens has it.
        needs_binding: It needs a channel binding.

    """

    __slots__ = ("make", "name", "needs_binding", "needs_secret", "needs_user", "sends_secret")

    def __init__(
        self,
        name: str,
        make: Callable[[Credentials, Link], Mechanism],
        *,
        needs_user: bool = True,
        needs_secret: bool = True,
        sends_secret: bool = False,
    ) -> None:
        self.name = name
        self.make = make
        self.needs_user = needs_user
        self.needs_secret = needs_secret
        self.sends_secret = sends_secret
        self.needs_binding = name.endswith("-PLUS")


def _scram(name: str) -> Callable[[Credentials, Link], Mechanism]:
    def make(credentials: Credentials, link: Link) -> Mechanism:
        from pillarbox.smtp.scram import Scram

        return Scram(name, credentials, link)

    return make


def _oauthbearer(credentials: Credentials, _: Link) -> Mechanism:
    from pillarbox.smtp.oauth import OAuthBearer

    return OAuthBearer(credentials)


def _xoauth2(credentials: Credentials, _: Link) -> Mechanism:
    from pillarbox.smtp.oauth import XOAuth2

    return XOAuth2(credentials)


def _digest_md5(credentials: Credentials, link: Link) -> Mechanism:
    from pillarbox.smtp.digest_md5 import DigestMd5

    return DigestMd5(credentials, link.fresh_nonce())


def _ntlm(credentials: Credentials, _: Link) -> Mechanism:
    from pillarbox.smtp.spnego import make_ntlm

    return make_ntlm(credentials)


def _gssapi(credentials: Credentials, _: Link) -> Mechanism:
    from pillarbox.smtp.spnego import make_gssapi

    return make_gssapi(credentials)


MECHANISMS = {
    row.name: row
    for row in (
        MechanismRow("SCRAM-SHA-256-PLUS", _scram("SCRAM-SHA-256-PLUS")),
        MechanismRow("SCRAM-SHA-1-PLUS", _scram("SCRAM-SHA-1-PLUS")),
        MechanismRow("SCRAM-SHA-256", _scram("SCRAM-SHA-256")),
        MechanismRow("SCRAM-SHA-1", _scram("SCRAM-SHA-1")),
        MechanismRow("PLAIN", lambda who, _: Plain(who), sends_secret=True),
        MechanismRow("LOGIN", lambda who, _: Login(who), sends_secret=True),
        MechanismRow("CRAM-MD5", lambda who, _: CramMd5(who)),
        MechanismRow("DIGEST-MD5", _digest_md5),
        MechanismRow(
            "EXTERNAL", lambda who, _: External(who), needs_user=False, needs_secret=False
        ),
        MechanismRow("OAUTHBEARER", _oauthbearer, sends_secret=True),
        MechanismRow("XOAUTH2", _xoauth2, sends_secret=True),
        MechanismRow("NTLM", _ntlm),
        MechanismRow("GSSAPI", _gssapi, needs_user=False, needs_secret=False),
    )
}

# Best first; only these are ever chosen without being named. msmtp's order, less what is weak.
PREFERENCE = (
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "PLAIN",
    "LOGIN",
)

# PLAIN and LOGIN give the same thing away: going from one to the other is no downgrade.
_STRENGTH = {
    "SCRAM-SHA-256-PLUS": 5,
    "SCRAM-SHA-1-PLUS": 4,
    "SCRAM-SHA-256": 3,
    "SCRAM-SHA-1": 2,
    "PLAIN": 1,
    "LOGIN": 1,
}


def strength(name: str) -> int:
    """
    Return a number to compare what was chosen last time with what would be chosen now.

    Lower than before is a downgrade. 0 is what is only used when named, which is no measure:
    what the configuration names always wins.
    """
    return _STRENGTH.get(name.upper(), 0)


class NoMechanism(Value):
    """
    Why no login is possible.

    Attributes:
        problem: In one sentence without a full stop.
        advice: What to do next, or empty.

    """

    __slots__ = ("advice", "problem")

    def __init__(self, problem: str, advice: str = "") -> None:
        self.problem = problem
        self.advice = advice


def choose_mechanism(
    *,
    offered: frozenset[str],
    wanted: str,
    credentials: Credentials,
    is_secured: bool,
    channel_bindings: Mapping[str, bytes],
    may_send_secret_in_clear: bool,
    nonce: Callable[[], str],
) -> Mechanism | NoMechanism:
    """
    Return a login that is ready to begin, or why there is none.

    Args:
        offered: The mechanisms that EHLO names, upper case.
        wanted: The mechanism that the configuration names, in any case; empty to choose.
        credentials: Who logs in.
        is_secured: The link is verified TLS, or a local one that the configuration allows.
        channel_bindings: The data of each channel binding of this TLS connection, by type.
        may_send_secret_in_clear: The configuration allows, in so many words, that a mechanism
            which it names sends the secret over a link that is not secured.
        nonce: Returns a fresh random text (see ``Link``).

    Raises:
        CredentialError: User name or password cannot be put into the mechanism's form.
        MissingExtraError: The mechanism needs libraries that are not installed.

    """
    link = Link(offered, channel_bindings, nonce)
    if not offered:
        row: MechanismRow | NoMechanism = _nothing_offered(is_secured=is_secured)
    elif wanted:
        row = _find_named(wanted.upper(), link, may_show=is_secured or may_send_secret_in_clear)
    else:
        row = _find_best(link, is_secured=is_secured, may_name=may_send_secret_in_clear)
    if isinstance(row, NoMechanism):
        return row
    return _find_missing(row, credentials) or row.make(credentials, link)


def _nothing_offered(*, is_secured: bool) -> NoMechanism:
    if is_secured:
        advice = say("check host and port: a login is usually taken on port 465 or 587")
    else:
        advice = say("many servers offer a login only over TLS: set 'tls on'")
    return NoMechanism(say("the server offers no login"), advice)


def _find_named(name: str, link: Link, *, may_show: bool) -> MechanismRow | NoMechanism:
    """Return the row of the mechanism that the configuration names."""
    row = MECHANISMS.get(name)
    if row is None:
        problem = say("the login method {name} is unknown", name=printable(name))
        advice = say("known are: {names}", names=", ".join(MECHANISMS).lower())
        return NoMechanism(problem, advice)
    if name not in link.offered:
        problem = say(
            "the server does not offer the login method {name}, but {names}",
            name=name,
            names=_listed(link),
        )
        advice = say("name one of these, or set 'auth on' to have one chosen")
        return NoMechanism(problem, advice)
    if row.needs_binding and not link.best_binding():
        return _cannot_bind(name)
    if row.sends_secret and not may_show:
        return _would_show(name)
    return row


def _find_best(link: Link, *, is_secured: bool, may_name: bool) -> MechanismRow | NoMechanism:
    """Return the row of the best mechanism that may be chosen without being named."""
    rows = [MECHANISMS[name] for name in PREFERENCE if name in link.offered]
    usable = [row for row in rows if not row.needs_binding or link.best_binding()]
    safe = [row for row in usable if is_secured or not row.sends_secret]
    if safe:
        return safe[0]
    if usable:
        names = usable[0].name
        for row in usable[1:]:
            names = say("{names} and {name}", names=names, name=row.name)
        refusal = _would_show(names)
        # With the permission given, only the name is wanting; see the rule at the top.
        return NoMechanism(refusal.problem, _naming_advice(link)) if may_name else refusal
    if rows:
        return _cannot_bind(rows[0].name)
    problem = say(
        "the server offers no login method that is chosen unasked, but {names}",
        names=_listed(link),
    )
    return NoMechanism(problem, _naming_advice(link))


def _cannot_bind(name: str) -> NoMechanism:
    problem = say(
        "{name} has to be bound to the TLS connection, and this one cannot be bound", name=name
    )
    advice = say(
        "use {name}, if the server offers it, or tls_priorities with TLS 1.2 only",
        name=name.removesuffix("-PLUS").lower(),
    )
    return NoMechanism(problem, advice)


def _would_show(names: str) -> NoMechanism:
    problem = say("{names} would show the password or token to anyone on the way", names=names)
    advice = say(
        "set 'tls on', leave 'tls_certcheck' on, and use a port of the provider's with TLS"
    )
    return NoMechanism(problem, advice)


def _naming_advice(link: Link) -> str:
    known = [name.lower() for name in MECHANISMS if name in link.offered]
    usable = [name for name in known if not name.endswith("-plus")]
    return say("if you mean it, name it: 'auth {name}'", name=usable[0]) if usable else ""


def _find_missing(row: MechanismRow, credentials: Credentials) -> NoMechanism | None:
    """Return what the credentials lack for a mechanism."""
    if row.needs_user and not credentials.user:
        problem = say("the login with {name} needs a user name", name=row.name)
        return NoMechanism(problem, say("set 'user'"))
    if row.needs_secret and credentials.secret is None:
        problem = say("the login with {name} needs a password or token", name=row.name)
        return NoMechanism(problem, say("set 'password' or 'passwordeval'"))
    return None


def _listed(link: Link) -> str:
    """Return the server's offer as text; the names are a stranger's."""
    return printable(", ".join(sorted(link.offered)), 200)
