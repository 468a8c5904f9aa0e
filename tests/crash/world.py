"""
The real way of a mail, for a harness that ends it anywhere: acceptance, spool, deliverer, server.

``carry`` accepts the mails and sends what can be sent. What the server has is seen in what it was
given (``arrived``), and what is promised in the lines that ``carry`` says: ``begin TOKEN ID`` and
``ack TOKEN ID``.
"""

from __future__ import annotations

import socket
from collections import Counter

from pillarbox.delivery.acceptance import Accounts, Submission, make_head
from pillarbox.delivery.deliverer import Deliverer
from pillarbox.delivery.events import Events
from pillarbox.delivery.notices import Notices
from pillarbox.delivery.traffic import Limits, Traffic
from pillarbox.errors import SpoolError
from pillarbox.mail.address import parse_mailbox
from pillarbox.spool.base import FAILED, HOLD, QUEUE, Entry, Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pillarbox.spool.base import Spool

    Standing = dict[str, tuple[str, bytes]]

__all__ = [
    "MAILS",
    "NOTICE",
    "REPLIES",
    "accounts_for",
    "arrived",
    "broken_promises",
    "carry",
    "settings_for",
    "standing",
    "wait_until_idle",
]

# What the server says to some: the one address is refused for ever.
REPLIES = {"RCPT TO:<no@": "550 5.1.1 no such user"}

# Each mail by its token: whom it goes to. The last one is refused for one of two recipients, and
# makes a notice.
MAILS = {
    "token-one": ("you@example.net",),
    "token-two": ("you@example.net", "she@example.net"),
    "token-three": ("you@example.net", "no@example.net"),
}
NOTICE = "token-notice"  # how the notice about the last one is called here

_END = b"the end\r\n"
_DELIVERER_NAME = "host.example.org"


def settings_for(port: int) -> str:
    """Return a configuration with one account, on the server at that port."""
    return (
        f"account default\nhost 127.0.0.1\nport {port}\ntls off\nauth off\n"
        "from me@example.org\nbounce_to admin@example.org\ntimeout 20\n"
    )


def accounts_for(path: str) -> Accounts:
    """Return the accounts of a configuration."""
    accounts = Accounts({}, system_file=path)
    accounts.load()
    return accounts


def carry(
    spool: Spool, accounts: Accounts, say: Callable[[str], None], *, accepts: bool = True
) -> list[str]:
    """
    Start as the daemon does, accept every mail, and send what there is.

    Args:
        spool: Not open yet.
        accounts: Where it goes.
        say: Gets the promises.
        accepts: Accept mails; else only send what is there.

    Returns:
        What the deliverer logged.

    """
    lines: list[str] = []
    spool.open()
    deliverer = Deliverer(
        Traffic(
            spool,
            accounts,
            Events(lines.append, environment={}),
            Notices(_DELIVERER_NAME),
            limits=Limits(idle_s=0.0),
            chance=lambda: 0.0,
        )
    )
    deliverer.load()
    for token, recipients in MAILS.items() if accepts else ():
        entry = _accept(spool, accounts, token, recipients, say)
        if entry is not None:
            deliverer.accepted(entry)
    deliverer.retry(spool.names())  # a time that has not come is a matter for other tests
    deliverer.flush_once()
    deliverer.flush_once()  # what the first made: a notice
    spool.close()
    return lines


def _accept(
    spool: Spool,
    accounts: Accounts,
    token: str,
    recipients: Iterable[str],
    say: Callable[[str], None],
) -> Entry | None:
    submission = Submission(
        tuple(map(parse_mailbox, recipients)), sender=parse_mailbox("me@example.org")
    )
    head = make_head(submission, accounts, hostname=_DELIVERER_NAME, epoch_s=1.8e9)
    content = f"Subject: alert\nX-Token: {token}\n\n".encode() + b"line\n" * 40 + b"the end\n"
    say(f"begin {token} {head.id}")
    draft = None
    try:
        draft = spool.begin(head)
        draft.write(content)
        draft.commit()
    except SpoolError:
        if draft is not None:
            draft.discard()
        return None
    say(f"ack {token} {head.id}")
    return Entry(head, Progress(b"P" * len(head.envelope.forward_paths)), len(content))


def arrived(contents: Iterable[bytes]) -> Counter[str]:
    """Return how often each mail came in whole."""
    found: Counter[str] = Counter()
    for content in contents:
        head = content.partition(b"\r\n\r\n")[0]
        if b"multipart/report" in head:
            found[NOTICE] += content.rstrip().endswith(b"--")
        for token in MAILS:
            if b"X-Token: " + token.encode() + b"\r\n" in head + b"\r\n":
                found[token] += content.endswith(_END)
    return found


def standing(spool: Spool) -> Standing:
    """Return where each mail is and the statuses of its recipients, by queue ID."""
    spool.open()
    found = {
        entry.head.id: (state, entry.progress.statuses)
        for state in (QUEUE, HOLD, FAILED)
        for entry in spool.scan(state)
    }
    spool.close()
    return found


def wait_until_idle(port: int) -> None:
    """Return when a ``Puppet`` is done with all that it was told before: it serves one by one."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(b"QUIT\r\n")
        while connection.recv(4096):
            pass


def broken_promises(
    acked: Mapping[str, str],
    has: Mapping[str, int],
    again: Mapping[str, int],
    before: Standing,
    after: Standing,
) -> Iterator[str]:
    """
    Yield what is wrong behind a restart.

    Args:
        acked: The queue IDs of the mails that were accepted, by token.
        has: How often the server had each before.
        again: How often it got each behind the restart.
        before: What was in the spool in between, see ``standing``.
        after: What is in it at last.

    """
    for token, name in acked.items():
        state, statuses = before.get(name, ("", b""))
        if not has[token] and not again[token]:
            yield f"{token} was accepted, and did not arrive"
        if again[token] and (state == FAILED or b"P" not in statuses):
            yield f"{token} was sent again, and stood as {state!r} {statuses}"
        if again[token] > 1:
            yield f"{token} was sent again {again[token]} times"
    if "token-three" in acked and not has[NOTICE] and not again[NOTICE]:
        yield "nobody was told of the recipient who was refused"
    for state, statuses in after.values():
        if state != FAILED or statuses != b"DF":
            yield f"at last a mail is {state} {statuses}"
