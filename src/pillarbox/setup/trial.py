"""
The real login, before anything is written: what the server says to this account and this sender.

1. ``try_login`` - connect, TLS, login; then a rehearsal: would it take mail from this sender, to
   this recipient? Nothing is sent.
2. ``Trial.lines`` - what came of it, for a person: the provider's explanation before the rest.

The rule to keep: one call is one login. Who calls it again has got another password before it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pillarbox.config.hints import find_hint
from pillarbox.delivery.report import mask, trouble_lines
from pillarbox.delivery.submit import connect_for
from pillarbox.errors import EX_OK, EX_TEMPFAIL, EX_UNAVAILABLE
from pillarbox.mail.reply import Reply
from pillarbox.text import localize, say
from pillarbox.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pillarbox.config.account import Account
    from pillarbox.delivery.attempt import Connection
    from pillarbox.mail.address import Mailbox
    from pillarbox.mail.status import Trouble

__all__ = ["Trial", "try_login"]

# Seconds that one step may take: a person waits, and behind a firewall that swallows everything
# there may be other ports to try. Many servers answer a wrong password late, on purpose.
_PATIENCE_S = 30
_CLOSING = 421  # it says nothing of the login
# A password that is refused so is not the matter, and another one would only lengthen it.
_LOCKED = re.compile(r"failure\s*\[1\]|too (?:many|much)\b|\block(?:ed)?\b", re.IGNORECASE)
_AGAIN = frozenset(("", "no"))  # what a hint says of trying again where another password may help
# Before a server has said anything of the login: another port may do better.
_WAY = frozenset(("connect", "tls", "greeting", "EHLO", "STARTTLS"))


class Trial(Value):
    """
    What came of a login.

    Attributes:
        exit_code: 0 when the account may send as the sender; else as for sending.
        lines: What a person is told, in his language and safe to show.
        is_login_refused: Another password may help.
        is_way_barred: It never came to the login; another server or port may do.
        recipient_refusal: What the server said to the recipient, safe to show; empty: it takes
            him.

    """

    __slots__ = ("exit_code", "is_login_refused", "is_way_barred", "lines", "recipient_refusal")

    def __init__(
        self,
        exit_code: int,
        lines: tuple[str, ...] = (),
        *,
        is_login_refused: bool = False,
        is_way_barred: bool = False,
        recipient_refusal: str = "",
    ) -> None:
        self.exit_code = exit_code
        self.lines = lines
        self.is_login_refused = is_login_refused
        self.is_way_barred = is_way_barred
        self.recipient_refusal = recipient_refusal


def try_login(
    account: Account,
    sender: Mailbox,
    recipient: Mailbox,
    *,
    environment: Mapping[str, str],
    language: str,
) -> Trial:
    """
    Log in, and rehearse a mail. Blocks.

    Args:
        account: A finished account, with its password.
        sender: Who is to be allowed to send.
        recipient: Whom the test mail goes to.
        environment: As for sending.
        language: Of the lines.

    Raises:
        PillarboxError: The account itself is faulty: a trust file that is not there, say.

    """
    connection = connect_for(_patient(account), environment=environment, is_attended=False)
    try:
        trouble = connection.open()
        if trouble is None:
            rehearsal = connection.rehearse(sender, recipient)
            trouble = connection.trouble
    finally:
        connection.close()
    if trouble is not None:
        return _failed(trouble, connection, language)
    if rehearsal.mail is not None and rehearsal.is_mail_refused:
        return _refused_sender(rehearsal.mail, sender, connection, language)
    refusal = ""
    if rehearsal.rcpt is not None and not rehearsal.is_taken:
        refusal = " / ".join(_shown(rehearsal.rcpt, connection))
    return Trial(EX_OK, recipient_refusal=refusal)


def _patient(account: Account) -> Account:
    """Return an account that waits no longer than a person does, unless it says how long."""
    if account.timeout_s is None:
        account = account.copy()
        account.timeout_s = _PATIENCE_S
    return account


def _failed(trouble: Trouble, connection: Connection, language: str) -> Trial:
    reply = trouble.reply
    text = str(reply) if reply is not None else trouble.problem
    hint, retry = _explained(text, trouble.stage, connection, language)
    said = tuple(trouble_lines(trouble, connection.route.secret, language))
    is_refusal = trouble.stage == "AUTH" and reply is not None and reply.code != _CLOSING
    return Trial(
        trouble.exit_code,
        (*hint, *said),
        is_login_refused=is_refusal and retry in _AGAIN and not _LOCKED.search(text),
        is_way_barred=trouble.stage in _WAY and reply is None,
    )


def _refused_sender(reply: Reply, sender: Mailbox, connection: Connection, language: str) -> Trial:
    problem = say("the login is right, but the server takes no mail from {address}", address=sender)
    hint, retry = _explained(str(reply), "MAIL", connection, language)
    # Aliyun's 440 never heals, whatever its code says.
    is_passing = reply.is_transient and retry != "no"
    said = (
        localize(say("server message: {line}", line=line), language)
        for line in _shown(reply, connection)
    )
    code = EX_TEMPFAIL if is_passing else EX_UNAVAILABLE
    return Trial(code, (localize(problem, language), *hint, *said))


def _shown(reply: Reply, connection: Connection) -> list[str]:
    secret = connection.route.secret
    return Reply(reply.code, tuple(mask(line, secret) for line in reply.lines)).text_lines()


def _explained(
    text: str, stage: str, connection: Connection, language: str
) -> tuple[tuple[str, ...], str]:
    """Return what a text means and what to do, as lines, and the hint's word on trying again."""
    client = connection.client
    greeting = str(client.greeting) if client is not None and client.greeting else ""
    host = connection.route.endpoint.host
    hint = find_hint(text, host=host, greeting=greeting, stage=stage, language=language)
    if hint is None:
        return (), ""
    cause: str = hint.cause
    if hint.provider:
        cause = say("{provider}: {cause}", provider=hint.provider, cause=cause)
    fix = say("what to do: {fix}", fix=hint.fix)
    return (localize(cause, language), localize(fix, language)), hint.retry
