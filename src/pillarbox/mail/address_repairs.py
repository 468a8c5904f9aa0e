"""
From and To put right: an address that a stranger can answer, and a name that he can trust.

An address is local when it means something on this computer only: no domain, no dot in it, or
one of the names that every computer has. Such a From becomes the account's; what it said stays
to be read as the name.
"""

from __future__ import annotations

from pillarbox.errors import DataError
from pillarbox.mail.address import is_local, parse_address_list
from pillarbox.mail.encoded_word import (
    decode_words,
    encode_unstructured,
    format_mailbox_field,
    format_phrase,
    has_encoded_word,
)
from pillarbox.mail.headers import HeaderField, HeaderSection
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.mail.address import Mailbox
    from pillarbox.mail.repair import Draft

__all__ = ["encode_names", "honest_name", "make_field", "read_raw", "repair_from", "repair_to"]

_MAX_LINE = 78  # RFC 5322 2.1.1


def read_raw(field: HeaderField) -> str:
    """Return the value of a field, unfolded, raw octets in the charset that they are in."""
    octets = field.raw.partition(b":")[2].replace(b"\r\n", b"").strip(b" \t")
    if octets.isascii():
        return octets.decode("ascii")
    from pillarbox.mail.charset import find_charset, to_text

    text = to_text(octets, find_charset(octets) or "utf-8")
    return "".join(char if char.isprintable() else " " for char in text)


def make_field(name: bytes, value: str) -> HeaderField:
    """Return a field of a value of printable ASCII; blanks become folds where a line is full."""
    lines = [name.decode("ascii") + ":"]
    for word in value.split(" "):
        is_full = len(lines[-1]) + 1 + len(word) > _MAX_LINE
        if is_full and lines[-1].strip() and len(lines[-1]) > len(name) + 1:
            lines.append("")
        lines[-1] += f" {word}"
    return HeaderField(name, ("\r\n".join(lines) + "\r\n").encode("utf-8", "replace"))


# -- From ------------------------------------------------------------------------------------------


def repair_from(draft: Draft) -> None:
    """Put From right: one address that is the account's or can be answered; its name encoded."""
    field = draft.first(b"from")
    if field is None or draft.facts.wishes.set_from == "off" or b"from" in draft.untouchable:
        return
    value, found = _originators(draft, field)
    if not found:
        _take_account(draft, field, value, [], "HDR-FROM-NODOMAIN")
        return
    if len(found) > 1 and draft.first(b"sender") is not None:
        return  # RFC 5322 3.6.2: several authors, and the one who sent it
    mailbox = found[0]
    address = str(mailbox)
    name = _name_of(value, mailbox) if len(found) == 1 and value != address else ""
    sender = draft.facts.sender
    if is_local(mailbox, draft.facts.host):
        draft.is_machine = True
        _take_account(draft, field, name, [mailbox], "HDR-FROM-NODOMAIN")
    elif (
        sender is not None
        and address.lower() != str(sender).lower()
        and draft.facts.demands_sender()
    ):
        _take_account(draft, field, name, found, "HDR-FROM-ACCOUNT")
    else:
        if len(found) > 1:
            draft.change("HDR-FROM-MULTI", "From", say("the first address is kept"))
        _mend(draft, field, name, mailbox)


def _originators(draft: Draft, field: HeaderField) -> tuple[str, list[Mailbox]]:
    """Return the value of From and its addresses, unpacked if they are inside encoded words."""
    value = field.value if field.raw.isascii() else read_raw(field)
    found = _read(value)
    if has_encoded_word(value) and not any(mailbox.domain for mailbox in found):
        # Header("name <a@b>", "utf-8"): everything went into one word, the address with it.
        unpacked = decode_words(value)
        inside = _read(unpacked)
        if any(mailbox.domain for mailbox in inside):
            draft.change("HDR-FROM-ENCODED", "From", say("only the name is encoded now"))
            return unpacked, inside
    return value, found


def _mend(draft: Draft, field: HeaderField, name: str, mailbox: Mailbox) -> None:
    """Write From anew if its name is in raw octets or dishonest, or something was changed."""
    honest = honest_name(name, mailbox)
    if honest != name:
        what = say("the name is dropped")
        if honest:
            what = say("the name is now {name}", name=printable(honest, 100))
        draft.change("HDR-FROM-NAMEADDR", "From", what)
    if not field.raw.isascii() and not mailbox.needs_smtputf8:
        draft.change("HDR-FROM-RAW8", "From", say("the name is encoded"))
    if draft.changes and any(change.place == "From" for change in draft.changes):
        draft.put(field, make_field(field.name, format_mailbox_field(honest, _wire(mailbox))))


def _read(value: str) -> list[Mailbox]:
    try:
        return parse_address_list(value)
    except DataError:
        return []


def _wire(mailbox: Mailbox) -> str:
    return mailbox.wire_form(smtputf8=mailbox.needs_smtputf8).decode()


def _name_of(value: str, mailbox: Mailbox) -> str:
    """Return the display name in front of the brackets, or in the comment behind the address."""
    head, bracket, _ = value.rpartition("<")
    if not bracket:
        _, paren, comment = value.partition("(")
        head = comment.rpartition(")")[0] if paren else ""
    name = decode_words(head).strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    name = " ".join(name.split())
    return "" if name == str(mailbox) and not bracket else name


def honest_name(name: str, mailbox: Mailbox) -> str:
    """Return a display name in which there is no address."""
    if "@" not in name:
        return name
    if name.strip("'\"<> ").lower() == str(mailbox).lower():
        return ""
    return name.replace("@", " at ")


def _take_account(
    draft: Draft, field: HeaderField, name: str, old: list[Mailbox], rule: str
) -> None:
    """Put the account's address into From, and keep what stood there for a reader."""
    facts = draft.facts
    if facts.sender is None or is_local(facts.sender):
        return
    if old:
        shown = str(old[0]) if old[0].domain else f"{old[0]}@{facts.host}"
    else:
        shown, name = name, ""
    if not name and old and rule == "HDR-FROM-NODOMAIN":
        name = shown
    full_name = " ".join(facts.wishes.full_name.split())
    name = honest_name(name, facts.sender) or honest_name(full_name, facts.sender)
    if name == str(facts.sender):
        name = ""
    what = say("{old} became {new}", old=printable(shown, 200), new=str(facts.sender))
    draft.change(rule, "From", what)
    draft.put(field, make_field(field.name, format_mailbox_field(name, _wire(facts.sender))))
    if rule == "HDR-FROM-ACCOUNT":
        if draft.first(b"reply-to") is None and b"reply-to" not in draft.untouchable:
            answered = [mailbox for mailbox in old if not is_local(mailbox, facts.host)]
            draft.add(make_field(b"Reply-To", ", ".join(map(_wire, answered))))
    elif draft.first(b"x-original-from") is None and shown:
        raw = encode_unstructured("X-Original-From", shown)
        draft.add(HeaderField(b"X-Original-From", raw))


# -- To and Cc -------------------------------------------------------------------------------------


def repair_to(draft: Draft) -> None:
    """Name the recipient where To names nobody, or somebody whom only this computer knows."""
    facts = draft.facts
    fields = [field for field in draft.headers.fields if field.key in (b"to", b"cc")]
    if facts.wishes.set_to != "off" or not facts.recipients or b"to" in draft.untouchable:
        return
    named = [mailbox for field in fields for mailbox in _read(read_raw(field))]
    if named and not is_local(named[0], facts.host):
        return
    if any(map(is_local, facts.recipients)):
        return
    if any(field.key in draft.untouchable for field in fields):
        return
    if not fields:
        if _may_be_named(draft):
            draft.adds_to = True
        return
    if not named:
        is_group = all(";" in field.value or not field.value for field in fields)
        # What cannot be read names nobody, either; a group of nobody is somebody's wish.
        if len(facts.recipients) == 1 or (not is_group and _may_be_named(draft)):
            draft.change("HDR-TO-UNDISCLOSED", "To", say("the recipient is named"))
            _name_recipients(draft, fields)
    elif all(is_local(mailbox, facts.host) for mailbox in named) and _may_be_named(draft):
        what = say(
            "{old} became {new}", old=printable(str(named[0]), 100), new=str(facts.recipients[0])
        )
        draft.change("HDR-TO-NODOMAIN", "To", what)
        _name_recipients(draft, fields)


def _may_be_named(draft: Draft) -> bool:
    """
    Tell whether all recipients may see each other.

    Nobody must learn of another through a repair: one who is alone may be named, and colleagues
    of the sender to whom a program writes. Where a person wrote, or a mail program for him, a
    missing To is a wish: all were blind recipients.
    """
    facts = draft.facts
    if len(facts.recipients) == 1:
        return True
    if draft.had_bcc or not draft.is_machine or facts.sender is None:
        return False
    domains = {mailbox.domain.lower() for mailbox in facts.recipients}
    return domains == {facts.sender.domain.lower()}


def _name_recipients(draft: Draft, fields: list[HeaderField]) -> None:
    value = ", ".join(_wire(mailbox) for mailbox in draft.facts.recipients)
    draft.put(fields[0], make_field(b"To", value))
    rest = fields[1:]
    draft.headers = HeaderSection(
        tuple(field for field in draft.headers.fields if all(field is not old for old in rest))
    )


def encode_names(field: HeaderField) -> HeaderField:
    """Return a field of addresses in ASCII, as far as the addresses have such a form."""
    value = read_raw(field)
    items = _split(value)
    if any(_encoded(item) is None for item in items) and value.count("<") == 1:
        items = [value]  # a comma in a name that lacks its quotes
    made = [_encoded(item) or format_phrase(item) for item in items]
    return make_field(field.name, ", ".join(made))


def _encoded(item: str) -> str | None:
    """Return one address with its name encoded; None: it cannot be read."""
    _, bracket, tail = item.rpartition("<")
    found = _read(bracket + tail)
    if len(found) != 1 or not (found[0].domain or item.isascii()):
        return None
    name = honest_name(_name_of(item, found[0]), found[0])
    return format_mailbox_field(name, _wire(found[0]))


def _split(value: str) -> list[str]:
    """Split a list at its commas, those in quotes, comments and brackets excepted."""
    items, start, depth, is_quoted, is_escaped = [], 0, 0, False, False
    for place, char in enumerate(value):
        if is_escaped:
            is_escaped = False
        elif char == "\\":
            is_escaped = True
        elif char == '"':
            is_quoted = not is_quoted
        elif not is_quoted and char in "(<":
            depth += 1
        elif not is_quoted and char in ")>" and depth:
            depth -= 1
        elif char == "," and not is_quoted and not depth:
            items.append(value[start:place])
            start = place + 1
    items.append(value[start:])
    return [item.strip() for item in items if item.strip()]
