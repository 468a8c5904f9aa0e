"""
Every decision about a failure: for ever or for a while, and whom it concerns.

The engines say what happened; what follows from it is decided here and nowhere else. ``RULES`` is
read from above, and the first row that fits decides twice: what it means for the account (a kind,
of which ``schedule`` knows the delays and ``breaker`` the rest), and what becomes of the mail.

- A login or a TLS failure never bounces a mail: it concerns the account, and the mail waits.
- A reply's class (4yz, 5yz) decides for the rest, unless the provider is known to mean
  something else by that text: Aliyun's 440 never heals, its 504 does tomorrow.
- A recipient's refusal is that recipient's only.

Sending at once asks ``apply_hint`` and ``exit_code_of`` only, for its caller is there to decide.
The queue asks ``judge`` about each mail, and ``account_event`` about a connection that ended.
"""

from __future__ import annotations

from pillarbox.errors import (
    EX_DATAERR,
    EX_NOPERM,
    EX_NOUSER,
    EX_OK,
    EX_PROTOCOL,
    EX_TEMPFAIL,
    DataError,
    NetworkError,
    RemoteProtocolError,
    SpoolError,
    TlsError,
)
from pillarbox.mail.status import BOUNCED, DEFERRED, Trouble, bounced, deferred
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pillarbox.config.hints import Hint
    from pillarbox.errors import PillarboxError
    from pillarbox.mail.reply import Reply
    from pillarbox.mail.status import RecipientStatus

__all__ = [
    "BROKEN",
    "KINDS",
    "RULES",
    "WAITS",
    "Judgement",
    "account_event",
    "apply_hint",
    "error_event",
    "exit_code_of",
    "give_up",
    "is_login_made",
    "judge",
]

# What may be wrong with an account, from the lightest to the gravest.
KINDS = (
    "busy",  # it takes no mail just now; a few of that in a row, and it is left in peace
    "site",  # it cannot be reached, or has no time
    "dropped",  # it hung up on a login
    "throttled",  # it wants fewer logins
    "daily",  # it took as much as it takes, for a while
    "tomorrow",  # ... until tomorrow
    "protocol",  # it does not speak SMTP
    "tls",  # no secured connection can be made
    "blocked",  # it lets nobody from here in
    "sender",  # it refuses whoever sends
    "settings",  # what is configured cannot be used, or a password cannot be found
    "login",  # it refuses the login
    "locked",  # it refuses every login for hours
    "internal",  # nothing of this: our own disk
)

# Those that do not pass: a person must mend something, and is told.
BROKEN = frozenset(
    ("protocol", "tls", "blocked", "sender", "settings", "login", "locked", "internal")
)

# What a mail waits for, the longest last: nothing; its account; a growing time of its own; five
# minutes because it may be there already (RFC 1047); half an hour because it was refused once.
WAITS = ("", "account", "mail", "doubt", "refused")

# The table of docs/queue.md; plain words, which cost nothing to load. Its columns:
# - what happened;
# - at which stage (in the words of ``Trouble.stage``, or a group of ``_GROUPS``); empty: any;
# - the reply's code: ``any``, ``4yz``, ``5yz`` or a number; empty: none, or whatever it says;
# - what else must be true, see ``_facts_of``; several with a comma;
# - what it means for the account, of ``KINDS``; empty: nothing;
# - what the mail waits for, of ``WAITS``, or ``known``: the reply's class and what is known of the
#   provider decide between ``mail`` and giving the recipient up; ``class``: the class alone does.
RULES = (
    # The server may have the mail.
    ("nonsense, mail in doubt", "", "", "doubt, nonsense", "protocol", "doubt"),
    ("lost after the content", "", "", "doubt", "site", "doubt"),
    # Nothing of it is the server's.
    ("cannot be sent from here", "", "", "own, for now", "", "mail"),
    ("cannot be sent", "", "", "own", "", "known"),
    # The server is out of its senses.
    ("nonsense", "mail", "", "nonsense", "protocol", "mail"),
    ("nonsense before a mail", "", "", "nonsense", "protocol", "account"),
    # An end that was to be expected: the connection did its work.
    ("closed behind a mail", "MAIL RSET", "", "used, lost", "", "account"),
    ("closed while idle", "idle", "", "", "", "account"),
    # The login.
    ("locked", "AUTH", "any", "hint hold", "locked", "account"),
    ("login tomorrow", "AUTH", "any", "own hint next-day", "tomorrow", "account"),
    ("login later", "AUTH", "any", "own hint later", "throttled", "account"),
    ("login later, once", "AUTH", "any", "own hint later-once", "throttled", "account"),
    ("login never", "AUTH", "any", "own hint no", "login", "account"),
    ("closed at login", "AUTH", "421", "", "dropped", "account"),
    ("login deferred", "AUTH", "4yz", "", "throttled", "account"),
    ("login refused", "AUTH", "5yz", "", "login", "account"),
    ("lost at login", "AUTH", "", "lost", "dropped", "account"),
    ("no way to log in", "AUTH", "", "", "login", "account"),
    # The way there.
    ("closed at STARTTLS", "STARTTLS", "421", "", "site", "account"),
    ("lost at STARTTLS", "STARTTLS", "", "lost", "site", "account"),
    ("no STARTTLS", "STARTTLS", "", "", "tls", "account"),
    ("lost in the handshake", "tls", "", "lost", "site", "account"),
    ("no secured connection", "tls", "", "", "tls", "account"),
    ("greeting tomorrow", "hello", "any", "own hint next-day", "tomorrow", "account"),
    ("greeting later", "hello", "5yz", "own hint later", "throttled", "account"),
    ("greeting deferred", "hello", "4yz", "", "site", "account"),
    ("greeting refused", "hello", "5yz", "", "blocked", "account"),
    # A mail is under way, and the answer is about the account.
    ("login missed", "mail", "any", "login code", "login", "account"),
    ("closed", "mail", "421", "", "site", "mail"),
    ("lost", "mail", "", "lost", "site", "mail"),
    ("locked at a mail", "mail", "any", "own hint hold", "locked", "account"),
    ("limit of the day", "mail", "any", "own hint next-day", "tomorrow", "account"),
    ("limit", "mail", "4yz", "daily words, waits", "daily", "account"),
    # The sender.
    ("too large", "MAIL", "552", "", "", "known"),
    ("sender refused, as all are", "MAIL", "any", "bounces, sender broken", "sender", "account"),
    ("sender refused again", "MAIL", "any", "bounces, again", "sender", "known"),
    ("sender refused", "MAIL", "any", "bounces", "sender", "refused"),
    ("sender deferred", "MAIL", "any", "", "busy", "mail"),
    # The mail and its recipients.
    ("refused for once, again", "mail", "5yz", "own hint later-once, again", "", "class"),
    ("refused for once", "mail", "5yz", "own hint later-once", "", "refused"),
    ("recipient", "RCPT", "any", "", "", "known"),
    ("content", "content", "any", "", "", "known"),
    # Everything else: there is no connection.
    ("no connection", "", "", "", "site", "account"),
)

_GROUPS = {
    "mail": "MAIL RCPT DATA BDAT content",
    "content": "DATA BDAT content",
    "hello": "greeting EHLO",
}

# Stages in which a refusal is about the mail or a recipient, so that it may be for ever.
_MAIL_STAGES = frozenset(("MAIL", "RCPT", "DATA", "BDAT", "content"))

# RFC 4954 6: login or encryption required, mechanism too weak, credentials invalid. Whatever
# command they answer, they speak of the account: another login lets the same mail through.
_LOGIN_CODES = frozenset((530, 534, 535, 538))

_CLOSING = 421

# Words of a refusal for now that speak of the account's day: the next mail would fare the same.
_DAILY_WORDS = ("daily", "per day", "sending limit", "sending quota", "send limit")

# Exceptions that were raised instead of connecting; every other one is of the settings.
_ERROR_KINDS: tuple[tuple[type[PillarboxError], str], ...] = (
    (SpoolError, "internal"),
    (RemoteProtocolError, "protocol"),
    (TlsError, "tls"),
    (NetworkError, "site"),
    (DataError, ""),
)


class Judgement(Value):
    """
    What follows from one attempt at one mail.

    Attributes:
        statuses: One for each that was judged, in the same order; final ones are final.
        events: What it means for the account, of ``KINDS``, each once; empty: nothing.
        wait: What the recipients that are left wait for, of ``WAITS``; empty: none is left.
        is_counted: Whether it was an attempt of the mail, and not of its account only.
        is_in_doubt: Somebody may have the mail already.
        is_refused: It was refused and gets one more try: the time of the first is to be remembered.
        trouble: What explains best why somebody waits, or else failed; None: everybody has it.
        rules: The names of the rows that decided, each once.

    """

    __slots__ = (
        "events",
        "is_counted",
        "is_in_doubt",
        "is_refused",
        "rules",
        "statuses",
        "trouble",
        "wait",
    )

    def __init__(
        self,
        statuses: tuple[RecipientStatus, ...],
        *,
        events: tuple[str, ...] = (),
        wait: str = "",
        is_counted: bool = True,
        trouble: Trouble | None = None,
        rules: tuple[str, ...] = (),
    ) -> None:
        self.statuses = statuses
        self.events = events
        self.wait = wait
        self.is_counted = is_counted
        self.is_in_doubt = any(status.is_in_doubt for status in statuses)
        self.is_refused = wait == "refused"
        self.trouble = trouble
        self.rules = rules

    @property
    def event(self) -> str:
        """The gravest of the events; empty: the account is well."""
        return max(self.events, key=KINDS.index, default="")


def judge(
    statuses: Sequence[RecipientStatus],
    hints: Sequence[Hint | None],
    *,
    refused_before_s: float | None = None,
    has_delivered: bool = False,
    kind: str = "",
) -> Judgement:
    """
    Decide what follows from an attempt at a mail.

    Args:
        statuses: Of its recipients, as the attempt had them.
        hints: What ``config.hints`` knows of each, in the same order.
        refused_before_s: Seconds since a judgement of this mail said ``is_refused`` first; None:
            none did.
        has_delivered: The connection got another mail through before.
        kind: What is wrong with the account already (``Breaker.kind``).

    """
    if all(status.trouble is None for status in statuses):
        return Judgement(tuple(statuses))
    known = _known(refused_before_s, kind, has_delivered=has_delivered)
    judged: list[RecipientStatus] = []
    rows: dict[tuple[str, ...], None] = {}
    wait = ""
    waiting: Trouble | None = None
    for status, hint in zip(statuses, hints, strict=True):
        if status.trouble is None:
            judged.append(status)
            continue
        meant = apply_hint(status, hint)
        row = _rule_for(status.trouble, known | _facts_of(status, meant, hint))
        rows[row] = None
        result = _apply(row[-1], status, meant)
        judged.append(result)
        own = row[-1] if row[-1] in WAITS else "mail"
        if result.action == DEFERRED and WAITS.index(own) > WAITS.index(wait):
            wait, waiting = own, result.trouble
    failed = (status.trouble for status in judged if status.trouble is not None)
    return Judgement(
        tuple(judged),
        events=tuple(dict.fromkeys(row[-2] for row in rows if row[-2])),
        wait=wait,
        is_counted=wait != "account" or any(status.trouble is None for status in judged),
        trouble=waiting or next(failed, None),
        rules=tuple(row[0] for row in rows),
    )


def give_up(statuses: Sequence[RecipientStatus]) -> Judgement:
    """Return what follows for a mail whose time is over (``schedule.is_expired``): it fails."""
    judged = [bounced(status.forward_path, status.trouble) for status in statuses if status.trouble]
    return Judgement(
        tuple(judged),
        is_counted=False,
        trouble=judged[0].trouble if judged else None,
        rules=("expired",),
    )


def account_event(
    trouble: Trouble, hint: Hint | None = None, *, has_delivered: bool = False
) -> str:
    """
    Return what the trouble of a connection means for its account, of ``KINDS``; empty: nothing.

    Args:
        trouble: Why the session was refused or ended.
        hint: What ``config.hints`` knows of it.
        has_delivered: The connection got a mail through before: then its end between two mails is
            no failure.

    """
    facts = _known(None, "", has_delivered=has_delivered) | _facts_of_trouble(trouble, hint)
    return _rule_for(trouble, facts)[-2]


def error_event(error: PillarboxError) -> str:
    """Return what an exception means that was raised instead of connecting, of ``KINDS``."""
    for known, kind in _ERROR_KINDS:
        if isinstance(error, known):
            return kind
    return "settings"


def is_login_made(trouble: Trouble) -> bool:
    """Tell whether a connection that ended so may have shown its login to the server."""
    return trouble.stage == "AUTH"


def apply_hint(status: RecipientStatus, hint: Hint | None) -> RecipientStatus:
    """
    Return the status in the light of what the server's reply is known to mean.

    Args:
        status: A status of an attempt.
        hint: What ``config.hints`` knows of its reply; None: nothing. Only a provider's own
            hint overrules the class of a reply; a generic one explains it.

    """
    trouble = status.trouble
    if trouble is None or trouble.reply is None or trouble.stage not in _MAIL_STAGES:
        return status
    if trouble.reply.code in _LOGIN_CODES:
        return deferred(status.forward_path, _changed(trouble, EX_NOPERM, scope="account"))
    if hint is None or not hint.provider:
        return status
    if hint.retry == "no" and status.action == DEFERRED:
        code = EX_NOUSER if trouble.scope == "recipient" else EX_DATAERR
        return bounced(status.forward_path, _changed(trouble, code))
    if hint.retry != "no" and status.action == BOUNCED:
        return deferred(status.forward_path, _changed(trouble, EX_TEMPFAIL))
    return status


def exit_code_of(statuses: Iterable[RecipientStatus]) -> int:
    """
    Return the one exit code for several recipients.

    Zero when all are delivered. Else "try again" wins over "never", because a caller that tries
    again loses nothing: first 75, then the code of the first that is deferred for another reason
    (a login, a certificate), and the first of all when none is.
    """
    codes: list[int] = []
    waiting: list[int] = []
    for status in statuses:
        if status.trouble is not None:
            codes.append(status.trouble.exit_code)
            if status.action == DEFERRED:
                waiting.append(status.trouble.exit_code)
    if EX_TEMPFAIL in codes:
        return EX_TEMPFAIL
    return next(iter(waiting or codes), EX_OK)


def _changed(trouble: Trouble, exit_code: int, *, scope: str = "") -> Trouble:
    return Trouble(
        scope=scope or trouble.scope,
        stage=trouble.stage,
        problem=trouble.problem,
        exit_code=exit_code,
        reply=trouble.reply,
        advice=trouble.advice,
    )


def _known(refused_before_s: float | None, kind: str, *, has_delivered: bool) -> set[str]:
    """
    Return what is true beside a failure, in words.

    ``used``: the connection got a mail through. ``again``: the mail was refused half an hour ago.
    ``sender broken``: senders are refused whoever they are.
    """
    from pillarbox.delivery.schedule import REFUSED_S

    known = set()
    if has_delivered:
        known.add("used")
    if refused_before_s is not None and refused_before_s >= REFUSED_S:
        known.add("again")
    if kind == "sender":
        known.add("sender broken")
    return known


def _facts_of(status: RecipientStatus, meant: RecipientStatus, hint: Hint | None) -> set[str]:
    """
    Return what is true of a failure, in words.

    ``doubt``: the mail may have arrived. ``bounces``, ``waits``: what its class, or its hint, says.
    """
    assert status.trouble is not None
    facts = _facts_of_trouble(status.trouble, hint)
    facts.add("bounces" if meant.action == BOUNCED else "waits")
    if status.is_in_doubt:
        facts.add("doubt")
    return facts


def _facts_of_trouble(trouble: Trouble, hint: Hint | None) -> set[str]:
    """
    Return what is true of a trouble, in words.

    ``nonsense``: the protocol was broken. ``lost``: the connection failed, or was closed with 421.
    ``own``: nothing of it is the server's; ``for now``: and the mail itself is in order.
    ``login code``, ``daily words``: the reply has one. ``hint X``, ``own hint X``: the retry class
    of its hint, and of one of the provider's own.
    """
    facts = set()
    if hint is not None:
        facts.add(f"hint {hint.retry}")
        if hint.provider:
            facts.add(f"own hint {hint.retry}")
    if trouble.reply is not None:
        return facts | _facts_of_reply(trouble.reply)
    if trouble.exit_code == EX_PROTOCOL:
        facts.add("nonsense")
    elif trouble.scope in ("message", "recipient"):
        facts.add("own")
        if trouble.exit_code not in (EX_DATAERR, EX_NOUSER):
            facts.add("for now")
    elif trouble.exit_code == EX_TEMPFAIL:
        facts.add("lost")
    return facts


def _facts_of_reply(reply: Reply) -> set[str]:
    facts = set()
    if reply.code == _CLOSING:
        facts.add("lost")
    if reply.code in _LOGIN_CODES:
        facts.add("login code")
    text = b" ".join(reply.lines).decode("utf-8", "replace").lower()
    if any(word in text for word in _DAILY_WORDS):
        facts.add("daily words")
    return facts


def _rule_for(trouble: Trouble, facts: set[str]) -> tuple[str, ...]:
    """Return the first row that fits."""
    for row in RULES:
        _, stages, codes, words, _, _ = row
        if stages and trouble.stage not in _GROUPS.get(stages, stages).split():
            continue
        if codes and not _has_code(trouble.reply, codes):
            continue
        if not words or facts.issuperset(words.split(", ")):
            return row
    return RULES[-1]


def _has_code(reply: Reply | None, codes: str) -> bool:
    if reply is None:
        return False
    code = str(reply.code)
    return codes in ("any", code, code[0] + "yz")


def _apply(wait: str, status: RecipientStatus, meant: RecipientStatus) -> RecipientStatus:
    """Return a status as the last column of its row has it."""
    if wait == "class":
        return status
    if wait in WAITS and meant.action == BOUNCED:
        trouble = meant.trouble
        assert trouble is not None
        return deferred(status.forward_path, _changed(trouble, EX_TEMPFAIL))
    return meant
