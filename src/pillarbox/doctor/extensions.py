"""What the server offers, and what of it this sender cannot do without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.doctor.account_lines import write_sender
from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.mail.reply import printable
from pillarbox.text import bilingual, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.config.providers import Provider
    from pillarbox.doctor.patient import Patient
    from pillarbox.smtp.capabilities import Capabilities

__all__ = ["CODES", "check_extensions"]

CODES = (
    "extensions.offered",
    "extensions.none",
    "extensions.size",
    "extensions.limit",
    "extensions.smtputf8",
    "extensions.starttls",
)

# Those that change how a mail goes; the others are named only in the evidence.
_NAMED = ("8BITMIME", "SMTPUTF8", "PIPELINING", "CHUNKING", "DSN")
# A page of text with a picture is larger; who takes less does not take mail.
_SMALL_BYTES = 1 << 20
_SHOWN = 300  # characters of a server's list


def check_extensions(patient: Patient) -> Iterator[Finding]:
    """Look at the answer to EHLO that is in force: the last, under TLS."""
    account, connection = patient.account, patient.connection
    assert account is not None  # it needs ``config``
    if connection is None or connection.client is None:
        return
    offered = connection.client.capabilities
    host = account.host or account.socket or ""
    sender = patient.sender
    if sender is not None and sender.needs_smtputf8 and "SMTPUTF8" not in offered:
        yield Finding(
            "extensions.smtputf8",
            FAULT,
            say("{host} takes no sender like {sender}", host=host, sender=str(sender)),
            meaning=say("letters outside ASCII before the @ need SMTPUTF8, which is not offered"),
            fix=say("choose an address in ASCII: {line}", line=write_sender(account, "ADDRESS")),
            evidence=_keywords(offered),
        )
    if not offered.keywords:
        yield Finding(
            "extensions.none",
            NOTE,
            say("{host} offers no extension at all", host=host),
            meaning=say("mail is re-encoded to 7 bit, and each command waits for its answer"),
        )
        return
    yield _offered(offered, host)
    yield from _size(offered, host, patient.provider)
    if connection.stream is not None and connection.stream.is_secured and "STARTTLS" in offered:
        yield Finding(
            "extensions.starttls",
            NOTE,
            say("{host} offers STARTTLS inside of TLS", host=host),
            meaning=say("that is an error of the server's (RFC 3207 4.2) and does no harm"),
        )


def _keywords(offered: Capabilities) -> tuple[str, ...]:
    lines = [
        # Some name each mechanism twice, for old clients (``AUTH=``).
        " ".join((name, *dict.fromkeys(words.split())))
        for name, words in offered.keywords.items()
    ]
    return (printable(", ".join(lines), _SHOWN),)


def _offered(offered: Capabilities, host: str) -> Finding:
    there = [name for name in _NAMED if name in offered]
    missing = [name for name in _NAMED if name not in offered]
    if offered.max_size_bytes is not None:
        there.insert(0, f"SIZE {offered.max_size_bytes}")
    return Finding(
        "extensions.offered",
        NOTE,
        say(
            "{host} offers {names}; it does not offer {others}",
            host=host,
            names=", ".join(there) or "-",
            others=", ".join(missing) or "-",
        ),
        evidence=_keywords(offered),
    )


def _size(offered: Capabilities, host: str, provider: Provider | None) -> Iterator[Finding]:
    limit = offered.max_size_bytes
    if limit is None:
        return
    if limit < _SMALL_BYTES:
        yield Finding(
            "extensions.size",
            WARNING,
            say("{host} takes no mail of more than {limit} octets", host=host, limit=limit),
            meaning=say("a log or a picture is larger, and is refused"),
            fix=say(
                "ask who runs {host} for a higher limit (Postfix: message_size_limit)", host=host
            ),
            evidence=(f"SIZE {limit}",),
        )
        return
    published = provider.limits.get("message_bytes", 0) if provider is not None else 0
    if provider is not None and limit < published:
        yield Finding(
            "extensions.limit",
            NOTE,
            say(
                "{host} takes mail of {limit} octets, and {provider} is known for {published}",
                host=host,
                limit=limit,
                provider=bilingual(provider.name("en"), provider.name("zh")),
                published=published,
            ),
            meaning=say("this account's limit is lower than usual"),
            evidence=(f"SIZE {limit}",),
        )
