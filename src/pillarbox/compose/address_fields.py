"""
Address fields of a new mail: from what people write to header fields and mailboxes.

``parse_address_list`` is the gate; names are taken beside it and written by ``encoded_word``, which
lets no control character through (attack: header injection through a name).
"""

from __future__ import annotations

from dataclasses import dataclass

from pillarbox.errors import UsageError
from pillarbox.mail.address import parse_address_list
from pillarbox.mail.encoded_word import format_mailbox_field
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pillarbox.mail.address import Mailbox

__all__ = ["Correspondent", "address_field", "parse_correspondents", "parse_one"]

_LINE = 64  # characters of an item that "Reply-To: " has room for in a line


@dataclass(frozen=True, slots=True)
class Correspondent:
    """
    Somebody who is named in a header.

    Attributes:
        name: The display name, any text; empty: none.
        mailbox: The address.

    """

    name: str
    mailbox: Mailbox


def parse_correspondents(texts: Iterable[str]) -> tuple[Correspondent, ...]:
    """
    Read addresses with their names, in order.

    Raises:
        DataError: One of them is not an address.

    """
    return tuple(found for text in texts for found in _parse(text))


def parse_one(text: str) -> Correspondent:
    """
    Read exactly one address with its name.

    Raises:
        DataError: It is not an address.
        UsageError: It is none, or several.

    """
    found = _parse(text)
    if len(found) != 1:
        raise UsageError(say("From must be one address, not {count}", count=len(found)))
    return found[0]


def _parse(text: str) -> list[Correspondent]:
    mailboxes = parse_address_list(text)
    if not any(char in text for char in '<("'):
        return [Correspondent("", mailbox) for mailbox in mailboxes]
    from email.utils import getaddresses

    named = [(name, address) for name, address in getaddresses([text]) if address]
    # Two readings of one text: where they differ there are addresses and no names.
    if [address for _, address in named] != [str(mailbox) for mailbox in mailboxes]:
        return [Correspondent("", mailbox) for mailbox in mailboxes]
    pairs = zip(named, mailboxes, strict=True)
    return [Correspondent(name, mailbox) for (name, _), mailbox in pairs]


def address_field(name: str, people: Iterable[Correspondent]) -> bytes:
    """
    Return a whole address field, one address a line.

    Raises:
        DataError, MissingExtraError: A domain has no ASCII form, or nobody can make it.

    """
    items = [_item(person) for person in people]
    return f"{name}: ".encode() + b",\r\n ".join(items) + b"\r\n"


def _item(person: Correspondent) -> bytes:
    mailbox = person.mailbox
    address = mailbox.wire_form(smtputf8=mailbox.needs_smtputf8).decode()
    text = format_mailbox_field(person.name, address)
    if len(text) > _LINE:
        # RFC 2047 2: a line with an encoded word has at most 76 characters.
        text = text.replace("?= ", "?=\r\n ")
    return text.encode()
