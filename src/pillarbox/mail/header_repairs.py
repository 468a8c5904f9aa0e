"""
The header section put right, step by step; ``HEADER_REPAIRS`` is the order.

Each step looks at one thing and does nothing when that is in order. Values are made of parsed
parts: what was decoded has no control character in it before it is written again, so nothing
that comes in can become a header of its own (attack: header injection).
"""

from __future__ import annotations

from pillarbox.mail.address import Mailbox, is_local
from pillarbox.mail.address_repairs import (
    encode_names,
    honest_name,
    make_field,
    read_raw,
    repair_from,
    repair_to,
)
from pillarbox.mail.dates import read_date, read_mail_date
from pillarbox.mail.encoded_word import decode_words, encode_unstructured, has_encoded_word
from pillarbox.mail.headers import HeaderField, HeaderSection
from pillarbox.mail.originate import HeaderWishes, add_missing_headers, format_date
from pillarbox.mail.reply import printable
from pillarbox.mail.wire import has_long_line
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.mail.repair import Draft

__all__ = ["HEADER_REPAIRS", "encoded_field"]

# RFC 5322 3.6 and RFC 2045: what may stand once.
_ONCE = frozenset(
    b"from sender reply-to to cc message-id in-reply-to references subject date mime-version"
    b" content-type content-transfer-encoding content-disposition content-id".split()
)
_ADDRESSES = frozenset(b"from sender reply-to to cc bcc".split())
# Octets above 127 in these are nobody's to change: a signature, a trace, somebody's structure.
_LEFT_ALONE = frozenset(
    b"dkim-signature arc-seal arc-message-signature arc-authentication-results received"
    b" authentication-results return-path message-id date references in-reply-to mime-version"
    b" content-transfer-encoding".split()
)
_AHEAD_S = 3 * 3600.0
_OLD_S = 48 * 3600.0

_MAX_SUBJECT = 60


def _find_signatures(draft: Draft) -> None:
    """Note which fields a DKIM-Signature covers (RFC 6376 3.5, h=)."""
    if b"dkim-signature" not in draft.headers.firsts:
        return
    covered: set[bytes] = set()
    for field in draft.headers.fields:
        if field.key == b"dkim-signature":
            tags = field.raw.partition(b":")[2].replace(b"\r\n", b"").split(b";")
            for tag in tags:
                name, _, value = tag.partition(b"=")
                if name.strip() == b"h":
                    covered.update(part.strip().lower() for part in value.split(b":"))
            covered.add(b"from")
    draft.untouchable = frozenset(covered)


def _look_at_origin(draft: Draft) -> None:
    """Find out whether a program wrote it, and whether it had blind recipients."""
    keys = draft.headers.firsts
    draft.had_bcc = b"bcc" in keys or b"resent-bcc" in keys
    draft.is_machine = b"from" not in keys or b"x-cron-env" in keys


def _drop_doubles(draft: Draft) -> None:
    if len(draft.headers.firsts) == len(draft.headers.fields):
        return
    seen: dict[bytes, HeaderField] = {}
    kept: list[HeaderField] = []
    more: dict[bytes, list[HeaderField]] = {}
    for field in draft.headers.fields:
        first = seen.get(field.key)
        is_single = field.key in _ONCE and field.key not in draft.untouchable
        if not is_single or first is None or field.key in _left_to_itself(draft):
            seen.setdefault(field.key, field)
            kept.append(field)
            continue
        if field.key in (b"to", b"cc"):
            more.setdefault(field.key, []).append(field)
        rule = "HDR-FROM-MULTI" if field.key == b"from" else "HDR-DUP"
        what = say("the addresses of all are in the first now")
        draft.change(rule, _name(field), what if field.key in more else say("the first is kept"))
    for key, fields in more.items():
        # Nobody is lost: who stands in the second stands in the first now.
        values = (read_raw(field).strip(", ") for field in (seen[key], *fields))
        merged = ", ".join(value for value in values if value)
        raw = seen[key].name + b": " + merged.encode() + b"\r\n"
        kept[kept.index(seen[key])] = HeaderField(seen[key].name, raw)
    if len(kept) != len(draft.headers.fields):
        draft.headers = HeaderSection(tuple(kept))


def _left_to_itself(draft: Draft) -> set[bytes]:
    """Return the names of the fields that the account wants left alone."""
    wishes = draft.facts.wishes
    rows = (
        (b"from", wishes.set_from != "off"),
        (b"date", wishes.set_date),
        (b"message-id", wishes.set_message_id),
    )
    return {key for key, is_ours in rows if not is_ours}


def _repair_date(draft: Draft) -> None:
    field = draft.first(b"date")
    if field is None or not draft.facts.wishes.set_date or b"date" in draft.untouchable:
        return
    now = draft.facts.epoch_s
    value = read_raw(field)
    found = read_mail_date(value)
    is_formed = found is not None and field.raw.isascii()
    if found is None:
        found = read_date(value)
    is_recent = found is not None and now - _OLD_S <= found <= now + _AHEAD_S
    if is_formed:
        keys = draft.headers.firsts
        if is_recent or b"received" in keys or b"resent-date" in keys:
            return
        rule = "HDR-DATE-SKEW"
    else:
        rule = "HDR-DATE-INVALID"
    date = format_date(found if found is not None and is_recent else now)
    draft.change(rule, "Date", say("{old} became {new}", old=printable(value, 100), new=date))
    draft.put(field, make_field(field.name, date))
    if value and not is_recent and draft.first(b"x-original-date") is None:
        raw = encode_unstructured("X-Original-Date", value)
        draft.add(HeaderField(b"X-Original-Date", raw))


_APART = frozenset(" \t<>,;")  # what parts words and addresses, and cannot be in a Message-ID


def _repair_message_id(draft: Draft) -> None:
    field = draft.first(b"message-id")
    if field is None or not draft.facts.wishes.set_message_id or b"message-id" in draft.untouchable:
        return
    value = field.value
    inner = value[1:-1]
    left, at, right = inner.rpartition("@")
    is_formed = value.isascii() and value[:1] == "<" and value[-1:] == ">" and left and at and right
    if not is_formed or not _APART.isdisjoint(inner):
        rule = "HDR-MID-FORM"
    elif right[:1] == "[" or not is_local(Mailbox("x", right)):
        return
    else:
        rule = "HDR-MID-HOST"
    new = _message_id(draft)
    if rule == "HDR-MID-HOST" and right == new[1:-1].rpartition("@")[2]:
        return  # nobody here has a better name
    draft.change(rule, "Message-ID", say("{old} became {new}", old=printable(value, 100), new=new))
    draft.put(field, make_field(field.name, new))


def _message_id(draft: Draft) -> str:
    """Return the account's Message-ID without what could end its line."""
    return "".join(char for char in draft.facts.message_id if "!" <= char <= "~")


def _repair_subject(draft: Draft) -> None:
    field = draft.first(b"subject")
    if b"subject" in draft.untouchable:
        return
    if field is None or not field.value.strip():
        text = _made_subject(draft)
        rule = "HDR-SUBJ-MISSING" if field is None else "HDR-SUBJ-EMPTY"
        draft.change(rule, "Subject", say("it is now {text}", text=printable(text, 100)))
        made = HeaderField(b"Subject", encode_unstructured("Subject", text))
        if field is None:
            draft.add(made)
        else:
            draft.put(field, made)
        return
    if not field.raw.isascii():
        draft.change("HDR-SUBJ-RAW8", "Subject", say("it is encoded"))
        draft.put(field, HeaderField(field.name, _encoded(field)))
    elif b"=?" in field.raw:
        text = " ".join(decode_words(field.value).split())
        if text and text.isascii() and "=?" not in text and has_encoded_word(field.value):
            raw = encode_unstructured(_name(field), text)
            if b"=?" not in raw:  # else it is a word too long for a line
                draft.change("HDR-SUBJ-ENCASCII", "Subject", say("it is decoded"))
                draft.put(field, HeaderField(field.name, raw))


def _made_subject(draft: Draft) -> str:
    """Return a Subject for a message that has none: this computer's name and the first line."""
    host = draft.facts.host
    content_type = draft.headers.first("Content-Type") or "text/plain"
    coding = draft.headers.first("Content-Transfer-Encoding") or "7bit"
    is_plain = content_type.strip().lower().startswith("text/plain")
    if is_plain and coding.strip().lower() in ("7bit", "8bit", "binary"):
        from pillarbox.mail.charset import find_charset, to_text

        start = draft.body_start[:4096]
        if b"\x1b" in start:
            from pillarbox.mail.terminal import without_terminal_codes

            start = without_terminal_codes(start)
        text = to_text(start, find_charset(start, is_whole=False) or "utf-8")
        for line in text.splitlines():
            words = "".join(c if c.isprintable() else " " for c in line).split()
            if words:
                return f"{host}: {_shortened(' '.join(words))}"
    return f"{host}: message without a subject"


def _shortened(line: str) -> str:
    if len(line) <= _MAX_SUBJECT:
        return line
    cut = line[:_MAX_SUBJECT].rpartition(" ")[0]
    return (cut if len(cut) > _MAX_SUBJECT // 2 else line[:_MAX_SUBJECT]) + " ..."


def _repair_lines(draft: Draft) -> None:
    """Encode what is left of raw octets, and fold what is too long."""
    raw = draft.headers.wire_form()
    if raw.isascii() and not has_long_line(raw):
        return
    fields = []
    for field in draft.headers.fields:
        made = field if field.key in draft.untouchable else encoded_field(field)
        if made is not field:
            draft.change("HDR-LINE", _name(field), say("it is encoded and folded"))
        fields.append(made)
    draft.headers = HeaderSection(tuple(fields))


def encoded_field(field: HeaderField) -> HeaderField:
    """Return a field in ASCII and in lines of at most 998 octets; the same if it is so already."""
    is_right = field.raw.isascii() and not has_long_line(field.raw)
    if is_right or field.key in _LEFT_ALONE:
        return field
    if field.key in _ADDRESSES or field.key.startswith(b"resent-"):
        made = encode_names(field)
    elif field.key in (b"content-type", b"content-disposition"):
        from pillarbox.mail.content_type import encode_parameters

        made = make_field(field.name, encode_parameters(field.value))
    else:
        made = HeaderField(field.name, _encoded(field))
    return made if made.raw.isascii() and made.raw != field.raw else field


def _encoded(field: HeaderField) -> bytes:
    return encode_unstructured(_name(field), read_raw(field))


def _complete(draft: Draft) -> None:
    """Add what is missing, remove what must not leave; in msmtp's words and order."""
    facts, wishes = draft.facts, draft.facts.wishes
    keys = draft.headers.firsts
    is_replaced = draft.adds_to or wishes.set_to != "off" or wishes.set_from == "on"
    if not is_replaced and keys.keys() >= _NEEDED and _BLIND.isdisjoint(keys):
        return
    full_name = wishes.full_name
    if facts.sender is not None:
        full_name = honest_name(" ".join(full_name.split()), facts.sender)
    # A field that is signed for and not there is signed to be absent (RFC 6376 5.4.2).
    set_from = "off" if b"from" in draft.untouchable else wishes.set_from
    set_date = wishes.set_date and b"date" not in draft.untouchable
    set_message_id = wishes.set_message_id and b"message-id" not in draft.untouchable
    rows = (
        (b"from", "HDR-FROM-MISSING", set_from != "off" and facts.sender is not None),
        (b"to", "HDR-TO-MISSING", draft.adds_to),
        (b"date", "HDR-DATE-MISSING", set_date),
        (b"message-id", "HDR-MID-MISSING", set_message_id),
    )
    for key, rule, is_added in rows:
        if key not in keys and is_added:
            draft.change(rule, _NAMES[key], say("it is added"))
    draft.headers = add_missing_headers(
        draft.headers,
        HeaderWishes(
            set_from=set_from,
            set_to="on" if draft.adds_to else wishes.set_to,
            set_date=set_date,
            set_message_id=set_message_id,
            remove_bcc=wishes.remove_bcc,
            full_name=full_name,
        ),
        sender=facts.sender,
        recipients=facts.recipients,
        date=format_date(facts.epoch_s) if b"date" not in keys else "",
        message_id=_message_id(draft) if b"message-id" not in keys else "",
    )


_NEEDED = frozenset((b"from", b"date", b"message-id"))
_BLIND = frozenset((b"bcc", b"resent-bcc"))
_NAMES = {b"from": "From", b"to": "To", b"date": "Date", b"message-id": "Message-ID"}

_PERSONAL = frozenset(b"auto-submitted in-reply-to references user-agent x-mailer".split())


def _mark_machine(draft: Draft) -> None:
    is_personal = not _PERSONAL.isdisjoint(draft.headers.firsts)
    if draft.is_machine and not is_personal and b"auto-submitted" not in draft.untouchable:
        draft.change("HDR-AUTOSUB", "Auto-Submitted", say("it is added"))
        draft.add(make_field(b"Auto-Submitted", "auto-generated"))


def _name(field: HeaderField) -> str:
    return field.name.decode("ascii")


HEADER_REPAIRS: tuple[Callable[[Draft], None], ...] = (
    _find_signatures,
    _look_at_origin,
    _drop_doubles,
    repair_from,
    repair_to,
    _repair_date,
    _repair_message_id,
    _repair_subject,
    _repair_lines,
    _complete,
    _mark_machine,
)
