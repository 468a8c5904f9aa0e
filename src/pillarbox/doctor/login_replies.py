"""
What a server's refusal of a login is about: one code for each kind, and what to do then.

The words of servers are sorted by ``_WORDS``, from above; to add one, add a row, and a sample of
it to a provider's preset. What it means and what to do is the provider's own explanation where
there is one; else what is said here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pillarbox.doctor.account_lines import write_line
from pillarbox.doctor.finding import FAULT, Finding
from pillarbox.doctor.replies import evidence_of, explain_reply
from pillarbox.text import bilingual, say

if TYPE_CHECKING:
    from pillarbox.config.account import Account
    from pillarbox.config.hints import Hint
    from pillarbox.config.providers import Provider
    from pillarbox.delivery.attempt import Connection
    from pillarbox.mail.reply import Reply

__all__ = ["kind_of", "password_place", "refused_login", "wrong_password_fix"]

# What kind of refusal the words of a reply tell of.
_WORDS = (
    ("login.locked", r"failure\s*\[1\]|too (many|much)\b|\block(ed)?\b"),
    (
        "login.switched-off",
        (
            r"\b(is|are) disabled|not supported for client|flag first|\bno permission|not enabled"
            r"|SOURCE_NOT_ALLOWED|access rights|web browser|unauthorized ip|suspended|5\.7\.139"
        ),
    ),
    ("login.plaintext", r"^53[08]\b.*(tls|encrypt)|NON_SSL|encryption (is )?required"),
    ("login.mechanism", r"^504\b|unrecogni[sz]ed auth|unsupported (auth|mechanism)"),
)
_KINDS = tuple((code, re.compile(words, re.IGNORECASE)) for code, words in _WORDS)

_LATER = ("later", "later-once", "next-day")


def kind_of(reply: Reply, explanation: Hint | None) -> str:
    """Return the code of the finding that a refusal of a login is."""
    if explanation is not None and explanation.retry == "hold":
        return "login.locked"
    text = str(reply)
    for code, words in _KINDS:
        if words.search(text):
            return code
    if explanation is not None and explanation.provider:
        return "login.later" if explanation.retry in _LATER else "login.refused"
    return "login.later" if reply.is_transient else "login.refused"


def refused_login(
    reply: Reply, connection: Connection, account: Account, provider: Provider | None
) -> Finding:
    """Return the finding that a refusal of a login is."""
    explanation = explain_reply(reply, "AUTH", connection)
    code = kind_of(reply, explanation)
    host, user = account.host or account.socket or "", account.user or ""
    if code == "login.refused":
        problem = say("{host} does not take this password for {user}", host=host, user=user)
        meaning = _wanted(provider)
        fix: str = wrong_password_fix(account, provider)
    elif code == "login.locked":
        problem = say("{host} has locked the login of {user} for a while", host=host, user=user)
        meaning = say("too many logins failed; each further try makes it longer")
        fix = say("stop every program that still has an old password, and wait for an hour")
    elif code == "login.switched-off":
        problem = say("{host} does not let {user} log in from a program", host=host, user=user)
        meaning = say("the password may be right: logging in this way is switched off")
        fix = say("allow SMTP and third-party clients for {user} in its console", user=user)
    elif code == "login.plaintext":
        problem = say("{host} takes no login without TLS", host=host)
        meaning = say("nobody but the server may hear the password")
        fix = say("write tls on, and a port of the provider's with TLS (465: tls_starttls off)")
    elif code == "login.mechanism":
        client = connection.client
        name = client.mechanism.name if client is not None and client.mechanism else account.auth
        problem = say("{host} does not take the login method {name}", host=host, name=name)
        meaning = ""
        fix = write_line(account, "auth", "on")
    else:
        problem = say("{host} takes no login just now", host=host)
        meaning = say("the server says that this will pass")
        fix = say("wait for a quarter of an hour, and ask again")
    # What is so at any server knows less than what is said here.
    if explanation is not None and explanation.provider:
        meaning, fix = explanation.cause, explanation.fix
    evidence = evidence_of(reply, connection.route.secret)
    return Finding(code, FAULT, problem, meaning=meaning, fix=fix, evidence=evidence)


def _wanted(provider: Provider | None) -> str:
    if provider is None:
        return say("user or password is wrong, or the account may not send")
    return say(
        "{provider} wants as the password: {label}",
        provider=bilingual(provider.name("en"), provider.name("zh")),
        label=bilingual(provider.secret_label("en"), provider.secret_label("zh")),
    )


def wrong_password_fix(account: Account, provider: Provider | None) -> str:
    """Return what to do about a password that is not taken."""
    place = password_place(account)
    if provider is None:
        return say(
            "check user ({user_place}), and put the right password into {place}",
            user_place=account.where("user"),
            place=place,
        )
    label = bilingual(provider.secret_label("en"), provider.secret_label("zh"))
    if not provider.secret_url:
        return say("put the right password into {place}: {label}", place=place, label=label)
    return say(
        "put the right password into {place}: {label}; see {url}",
        place=place,
        label=label,
        url=provider.secret_url,
    )


def password_place(account: Account) -> str:
    """Return where the password comes from, for a person."""
    if account.password is not None:
        return say("the line password ({place})", place=account.where("password"))
    if account.passwordeval is not None:
        return say(
            "what passwordeval reads ({place})",
            place=account.where("passwordeval"),
        )
    return say("the credential, keyring or netrc that holds it")
