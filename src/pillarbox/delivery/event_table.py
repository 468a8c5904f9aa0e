"""
Everything that the queue tells its log: one row an event, with the fields that it may have.

The reference page is made of this table, and a test reads every call in the code and holds it
against the table: an event that nobody has described cannot be logged. The rule to keep: a name
is one thing that happened, and means the same for ever, as scripts look for it.
"""

from __future__ import annotations

from pillarbox.value import Value

__all__ = ["EVENTS", "FIELDS", "EventKind"]


class EventKind(Value):
    """
    One kind of event.

    Attributes:
        meaning: What happened, for a person who reads the log.
        fields: What it may say, in this order.
        is_history: It is kept in the history, where ``pillarbox trace`` reads it.

    """

    __slots__ = ("fields", "is_history", "meaning")

    def __init__(self, meaning: str, fields: str = "", *, is_history: bool = False) -> None:
        self.meaning = meaning
        self.fields = tuple(fields.split())
        self.is_history = is_history


_ATTEMPT = (
    "id account host from to attempts age_s next_s possible_duplicate provider_id message_id "
    "reply reason"
)
_PERSON = "id by account from to"
_ACCOUNT = "account kind waiting next_s reason advice by"

EVENTS = {
    # -- one mail, from its caller to the provider --
    "accepted": EventKind(
        "A mail was taken: it is durable, and its caller was told so.",
        "id uid gid pid program door account from to recipients message_id size mail_priority",
        is_history=True,
    ),
    "refused": EventKind("A mail was not taken; its caller was told why.", "uid problem"),
    "over": EventKind("A user is over one of his limits; said once an hour.", "uid reason"),
    "repaired": EventKind(
        "What goes out was put right by these rules of `repair`.", "id rules", is_history=True
    ),
    "rerouted": EventKind(
        "Mail goes through another account than its own, which is broken: one mail (`id`, `via`) "
        "at its attempt, or all that waited (`count`).",
        "id account via count",
        is_history=True,
    ),
    "delivered": EventKind(
        "The provider took the mail for these recipients.", _ATTEMPT, is_history=True
    ),
    "deferred": EventKind(
        "An attempt failed for these recipients, and there will be another.",
        _ATTEMPT,
        is_history=True,
    ),
    "bounced": EventKind("These recipients are given up.", _ATTEMPT, is_history=True),
    "expired": EventKind("A mail is given up because of its age.", "id age_s", is_history=True),
    "filed": EventKind(
        "What is left of a mail was put among the failed ones.", "id state", is_history=True
    ),
    "notice": EventKind(
        "A notice of a failure, a delay or a broken account was put into the queue, as `id`; "
        "`about` is the mail that it tells of.",
        "id about to account",
        is_history=True,
    ),
    "no_notice": EventKind(
        "Nobody is told by mail of what became of a mail, for this reason.",
        "id reason",
        is_history=True,
    ),
    "corrupt": EventKind(
        "A file of the spool is damaged; it was put aside, for people to look at.",
        "id file spool reason",
        is_history=True,
    ),
    # -- what people do --
    "held": EventKind("A person put a mail on hold.", _PERSON, is_history=True),
    "released": EventKind("A person let a held mail go on.", _PERSON, is_history=True),
    "retried": EventKind("A person had a mail tried again.", _PERSON, is_history=True),
    "deleted": EventKind("A person deleted a mail.", _PERSON, is_history=True),
    "edited": EventKind(
        "A person changed a mail: it goes on as `new_id`.", "id new_id by", is_history=True
    ),
    # -- accounts --
    "account_failed": EventKind(
        "A connection of an account failed; it waits, as before.", _ACCOUNT, is_history=True
    ),
    "account_paused": EventKind(
        "An account was found broken or was paused by a person: its mail waits, and is not "
        "bounced for it.",
        _ACCOUNT,
        is_history=True,
    ),
    "account_recovered": EventKind(
        "An account that had failed works again.", "account", is_history=True
    ),
    "account_resumed": EventKind(
        "An account is tried at once: a person said so, or its configuration has changed.",
        "account by",
        is_history=True,
    ),
    "account_missing": EventKind(
        "Mail waits for an account that is not in the configuration any more.",
        "account waiting reason",
    ),
    "accounts": EventKind("Something is odd about the accounts' files.", "problem"),
    # -- the queue and its service --
    "started": EventKind("The service takes mail, delivers it, or both.", "roles spool waiting"),
    "stopped": EventKind("The service has ended in good order."),
    "reloaded": EventKind("Settings and accounts were read anew.", "accounts"),
    "reload_refused": EventKind(
        "Settings or accounts are wrong; those from before go on.", "problem reason advice"
    ),
    "needs_restart": EventKind("These settings count after a restart only.", "settings"),
    "flush": EventKind("Everything is tried now.", "why"),
    "suspended": EventKind(
        "Nothing is sent, because what became of a mail cannot be written down.", "id reason"
    ),
    "resumed": EventKind("It can be written down again: the queue goes on."),
    "spool_failed": EventKind("The spool did not do what it should.", "id reason"),
    "spool": EventKind("Something is odd about the spool, or it cannot be read.", "problem"),
    "notice_failed": EventKind("A notice could not be made.", "account reason"),
    "alarm_failed": EventKind("The command of `[alerts]` failed.", "problem"),
    "log_failed": EventKind(
        "A log could not be written to: an account's own, or a target of `[log]`.",
        "id target reason",
    ),
    "deliverer_missing": EventKind(
        "The process that delivers cannot be told of a new mail; it will find it.", "problem"
    ),
    "no_listening": EventKind(
        "The listener cannot use an address that this computer does not have.", "address problem"
    ),
    "no_network_watch": EventKind("The kernel does not tell of networks.", "problem"),
    "unknown_sockets": EventKind("Systemd passed sockets that are for nobody.", "count"),
    "ill": EventKind("Something that has to work does not.", "problem"),
    "socket": EventKind("A socket failed.", "problem"),
    "fault": EventKind("A fault of ours; the queue goes on.", "kind place"),
    "internal_error": EventKind("A fault of ours in a session; the service goes on.", "kind place"),
}

# What a field says, wherever it stands.
FIELDS = {
    "about": "queue ID of the mail that a notice tells of",
    "account": "name of the account in msmtprc",
    "accounts": "how many accounts there are",
    "address": "address and port",
    "advice": "what to do about it",
    "age_s": "seconds since the mail was accepted",
    "attempts": "how often the mail was tried, this time included",
    "by": "user id of the person",
    "count": "how many",
    "door": "how the mail came in: `socket`, `listener`, `own` or `notice`",
    "file": "name of the file",
    "from": "envelope sender; `<>`: none",
    "gid": "group id of the caller",
    "host": "the relay host",
    "id": "queue ID of the mail",
    "kind": "what kind of failure: see [failures](failures.md), or the exception",
    "mail_priority": "the priority of RFC 6710, if it is not 0",
    "message_id": "the mail's Message-ID",
    "new_id": "queue ID that it has now",
    "next_s": "seconds until the next try",
    "pid": "process id of the caller",
    "place": "module and line",
    "possible_duplicate": "`yes`: an earlier try may have arrived as well",
    "problem": "what is wrong",
    "program": "name of the caller's program, if the kernel still knew",
    "provider_id": "the queue ID that the provider gave it",
    "reason": "why",
    "recipients": "how many recipients the mail has",
    "reply": "what the server said",
    "roles": "what this process does",
    "rules": "names of the rules of repair",
    "settings": "names of settings",
    "size": "octets of the content",
    "spool": "its directory",
    "state": "where in the spool the mail is",
    "target": "which log",
    "to": "recipients, with commas",
    "uid": "user id of the caller",
    "via": "the account that it goes through now",
    "waiting": "how many mails wait",
    "why": "what caused it",
}
