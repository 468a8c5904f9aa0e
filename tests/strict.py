"""
A strict reader of a message as it leaves, which knows nothing of how it was made.

``faults`` says what a server, a filter or a mail program could hold against it. It shares no code
with the source: every grammar is written again here, from the RFC.

1. ``_lines`` - line ends, lengths, octets (RFC 5322 2.1, 2.3).
2. ``_fields`` - the header section: names, folding, what may stand once (RFC 5322 2.2, 3.6).
3. ``_check_from`` and its neighbours - what is in the fields that everybody reads.
4. ``strict_mime.body_faults`` - the body and its parts.
"""

from __future__ import annotations

import itertools
import re
import time
from calendar import timegm
from typing import NamedTuple

from strict_mime import body_faults

__all__ = ["Fault", "faults", "ids", "parse_date", "parse_mailboxes"]


class Fault(NamedTuple):
    """
    Something that is not as it should be.

    Attributes:
        id: Which demand is not met.
        place: A field's name, ``body`` or a part's number.
        what: What was found there.

    """

    id: str
    place: str
    what: str


_ONCE = frozenset(
    b"from sender reply-to to cc bcc message-id in-reply-to references subject date mime-version"
    b" content-type content-transfer-encoding content-disposition content-id".split()
)
_ADDRESS_FIELDS = (b"from", b"sender", b"reply-to", b"to", b"cc")
# RFC 2047 5: never there, whatever it looks like.
_STRUCTURED = frozenset(
    b"date message-id in-reply-to references received return-path mime-version content-type"
    b" content-transfer-encoding content-id dkim-signature auto-submitted".split()
)
_UNSTRUCTURED = frozenset(b"subject comments content-description".split())

_ATEXT = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+"
_TOKEN_FORM = re.compile(
    rf'(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<atom>{_ATEXT})|(?P<literal>\[[^\[\]\\]*\])'
    r"|(?P<special>[<>@,;:.])|(?P<blank>[ \t]+)"
)
_ENCODED_WORD = re.compile(r"=\?([!-<>@-~]+)\?([BbQq])\?([!->@-~]*)\?=")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_U_LABEL = re.compile(r"[^\W_](?:[\w-]*[^\W_])?")
_LOCAL_ENDS = frozenset({"local", "localhost", "localdomain"})
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
_DATE = re.compile(
    rf"(?:({'|'.join(_DAYS)}), )?(\d\d?) ({'|'.join(_MONTHS)}) (\d{{4}})"
    r" (\d\d):(\d\d)(?::(\d\d))? ([+-])(\d\d)([0-5]\d)(?: \([^()\\]*\))?"
)
_DOT_ATOM = r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*"
_MESSAGE_ID = re.compile(rf"<{_DOT_ATOM}@({_DOT_ATOM}|\[[!-Z^-~]*\])>", re.ASCII)
# RFC 2047 2 says 76; Python's email package goes by RFC 5322's 78, and nobody minds.
_MAX_WORD_LINE = 78
_MAX_AHEAD_S = 3 * 3600
_MAX_OLD_S = 48 * 3600


def faults(
    octets: bytes,
    *,
    now_s: float | None = None,
    allows_8bit: bool = False,
    allows_utf8_headers: bool = False,
) -> list[Fault]:
    """
    Return everything that is wrong with a message in wire form.

    Args:
        octets: Header section, empty line and body, without dot-stuffing.
        now_s: Seconds since the epoch; None: look at the clock.
        allows_8bit: Whether the server takes an 8-bit body (RFC 6152).
        allows_utf8_headers: Whether SMTPUTF8 will be asked for (RFC 6531).

    """
    found: list[Fault] = []
    _lines(octets, found)
    if octets.startswith(b"\r\n"):
        head, body = b"", octets[2:]
    else:
        head, end, body = octets.partition(b"\r\n\r\n")
        head += b"\r\n"
        if not end:
            found.append(Fault("head-end", "", "no empty line behind the header section"))
    fields = _fields(head, found, allows_utf8_headers=allows_utf8_headers)
    now_s = time.time() if now_s is None else now_s
    _check_presence(fields, found)
    for key, value in fields:
        _check_field(key, value, found)
        if key == b"date":
            _check_date(value, found, now_s, is_forwarded=_is_forwarded(fields))
    for id_, place, what in body_faults(fields, body, allows_8bit=allows_8bit):
        found.append(Fault(id_, place, what))
    return found


def ids(found: list[Fault]) -> set[str]:
    """Return which demands are not met."""
    return {fault.id for fault in found}


def _lines(octets: bytes, found: list[Fault]) -> None:
    rest = octets.replace(b"\r\n", b"")
    for octet, id_ in ((b"\r", "bare-cr"), (b"\n", "bare-lf"), (b"\0", "nul")):
        if octet in rest:
            found.append(Fault(id_, "", repr(rest[:40])))
    longest = max(map(len, octets.split(b"\r\n")))
    if longest > 998:
        found.append(Fault("line-length", "", f"{longest} octets"))
    if not octets.endswith(b"\r\n"):
        found.append(Fault("last-line", "", "the last line has no end"))


def _fields(
    head: bytes, found: list[Fault], *, allows_utf8_headers: bool
) -> list[tuple[bytes, str]]:
    """Return lower-case names with unfolded values."""
    fields: list[tuple[bytes, bytes]] = []
    for line in head.split(b"\r\n")[:-1]:
        name, colon, value = line.partition(b":")
        if line[:1] in (b" ", b"\t") and fields:
            if not line.strip():
                found.append(Fault("blank-fold", fields[-1][0].decode(), "a fold of blanks only"))
            if b"=?" in line and len(line) > _MAX_WORD_LINE:
                found.append(Fault("word-line", fields[-1][0].decode(), repr(line)))
            fields[-1] = (fields[-1][0], fields[-1][1] + line)
        elif colon and re.fullmatch(rb"[!-9;-~]+", name):
            if b"=?" in line and len(line) > _MAX_WORD_LINE:
                found.append(Fault("word-line", name.decode(), repr(line)))
            fields.append((name.lower(), value))
        else:
            found.append(Fault("field-name", "", repr(line[:60])))
    result = []
    for key, value in fields:
        if re.search(rb"[\0-\x08\x0a-\x1f\x7f]", value):
            found.append(Fault("control", key.decode(), repr(value)))
        try:
            text = value.decode("utf-8" if allows_utf8_headers else "ascii")
        except UnicodeDecodeError:
            found.append(Fault("head-8bit", key.decode(), repr(value)))
            text = value.decode("utf-8", "replace")
        result.append((key, text.strip(" \t")))
    return result


def _is_forwarded(fields: list[tuple[bytes, str]]) -> bool:
    return any(key in (b"received", b"resent-date") for key, _ in fields)


def _check_presence(fields: list[tuple[bytes, str]], found: list[Fault]) -> None:
    keys = [key for key, _ in fields]
    found += [
        Fault("twice", key.decode(), f"{keys.count(key)} times")
        for key in sorted(_ONCE)
        if keys.count(key) > 1
    ]
    found += [
        Fault("missing", key.decode(), "is not there")
        for key in (b"from", b"date", b"message-id", b"subject")
        if key not in keys
    ]
    if b"to" not in keys and b"cc" not in keys:
        found.append(Fault("missing", "to", "neither To nor Cc"))
    if b"bcc" in keys or b"resent-bcc" in keys:
        found.append(Fault("bcc", "bcc", "tells blind copies"))
    if any(key.startswith(b"content-") for key in keys) and b"mime-version" not in keys:
        found.append(Fault("missing", "mime-version", "there are MIME fields"))


def _check_field(key: bytes, value: str, found: list[Fault]) -> None:
    place = key.decode()
    if key in _ADDRESS_FIELDS:
        _check_addresses(key, value, found)
    elif key in _STRUCTURED:
        if key != b"content-type" and _ENCODED_WORD.search(value):
            found.append(Fault("word-place", place, value))
    else:
        _check_words(place, value, found, is_sure=key in _UNSTRUCTURED)
    if key == b"subject" and not value:
        found.append(Fault("empty", place, "says nothing"))
    elif key == b"message-id":
        _check_message_id(value, found)
    elif key == b"mime-version" and re.sub(r"\([^()]*\)", "", value).replace(" ", "") != "1.0":
        found.append(Fault("mime-version", place, value))


def _check_words(place: str, value: str, found: list[Fault], *, is_sure: bool) -> None:
    """Check each encoded word of an unstructured value."""
    for token in re.split(r"[ \t]+", value):
        if "=?" in token and (is_sure or token.startswith("=?")):
            _check_word(place, token, found)


def _check_word(place: str, token: str, found: list[Fault]) -> None:
    word = _ENCODED_WORD.fullmatch(token)
    if not word:
        # Text that only looks like the start of one is no fault; a word glued to text is.
        if _ENCODED_WORD.search(token):
            found.append(Fault("word-glued", place, token))
        elif re.match(r"=\?[\w-]+\?[BbQq]\?", token):
            found.append(Fault("word-form", place, token))
        return
    if len(token) > 75:
        found.append(Fault("word-length", place, token))
    charset, coding, data = word.groups()
    try:
        text = _decoded(data, coding.lower()).decode(charset.partition("*")[0])
    except (LookupError, ValueError):
        found.append(Fault("word-undecodable", place, token))
        return
    if re.search(r"[\0-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]", text):
        found.append(Fault("word-control", place, token))
    if "\ufffd" in text:
        found.append(Fault("word-rubbish", place, token))


def _decoded(data: str, coding: str) -> bytes:
    if coding == "b":
        from binascii import a2b_base64

        return a2b_base64(data, strict_mode=True)
    if re.search(r"=(?![0-9A-F]{2})", data):
        raise ValueError(data)
    octets = data.replace("_", " ").encode("ascii")
    return re.sub(rb"=([0-9A-F]{2})", lambda found: bytes.fromhex(found[1].decode()), octets)


def parse_mailboxes(value: str) -> list[tuple[list[str], str]] | None:
    """
    Return the words of the name, and the address, of each mailbox; None: not RFC 5322 3.4.

    Members of groups count; an empty group gives nothing.
    """
    tokens = _tokens(value)
    if tokens is None:
        return None
    result: list[tuple[list[str], str]] = []
    item: list[str] = []
    is_in_group = False
    for text in [*(text for _, text in tokens), ","]:
        if text not in (",", ":", ";") or ("<" in item and ">" not in item):
            item.append(text)
            continue
        if text != "," and (is_in_group == (text == ":") or (text == ":" and not item)):
            return None  # a group in a group, an end without a group, a group without a name
        if text != ":" and item:
            mailbox = _mailbox(item)
            if mailbox is None:
                return None
            result.append(mailbox)
        item = []
        is_in_group = text == ":" or (is_in_group and text == ",")
    return None if is_in_group or item else result


def _mailbox(item: list[str]) -> tuple[list[str], str] | None:
    """Return the words of the name and the address of one mailbox; None: it is none."""
    if "<" not in item:
        return ([], "".join(item)) if ">" not in item and _is_one_word(item) else None
    start = item.index("<")
    words, inside = item[:start], item[start + 1 : -1]
    if item[-1] != ">" or {"<", ">", ",", ":", ";"} & {*inside} or {"@", ">"} & {*words}:
        return None
    return (words, "".join(inside)) if _is_one_word(inside) else None


def _is_one_word(item: list[str]) -> bool:
    """Tell whether words stand only between dots and an at-sign."""
    return all((left in "@.") != (right in "@.") for left, right in itertools.pairwise(item))


def _tokens(value: str) -> list[tuple[str, str]] | None:
    """Split a structured value; comments and blanks go. None: something else is in it."""
    tokens = []
    position = 0
    while position < len(value):
        if value[position] == "(":
            position = _end_of_comment(value, position)
            continue
        token = _TOKEN_FORM.match(value, position)
        if not token:
            return None
        if token.lastgroup != "blank":
            tokens.append((str(token.lastgroup), token.group()))
        position = token.end()
    return tokens if position == len(value) else None


def _end_of_comment(value: str, position: int) -> int:
    """Return where a comment ends; behind the end of the value when it does not."""
    depth = 0
    while position < len(value):
        char = value[position]
        position += 2 if char == "\\" else 1
        depth += {"(": 1, ")": -1}.get(char, 0)
        if not depth:
            return position
    return len(value) + 1


def _check_addresses(key: bytes, value: str, found: list[Fault]) -> None:
    place = key.decode()
    mailboxes = parse_mailboxes(value)
    if mailboxes is None:
        found.append(Fault("address-form", place, value))
        return
    if key == b"from" and len(mailboxes) != 1:
        found.append(Fault("from-count", place, value))
    if key != b"from" and not mailboxes and ":" not in value:
        found.append(Fault("empty", place, value))
    for words, address in mailboxes:
        if _ENCODED_WORD.search(address):
            found.append(Fault("word-place", place, address))
        elif not _is_routable(address):
            found.append(Fault("address-local", place, address))
        for word in words:
            _check_phrase_word(place, word, found)
        if key == b"from" and "@" in _shown("".join(words)):
            found.append(Fault("name-address", place, value))


def _check_phrase_word(place: str, word: str, found: list[Fault]) -> None:
    if not word.startswith('"'):
        _check_words(place, word, found, is_sure=True)
    elif _ENCODED_WORD.search(word):
        found.append(Fault("word-quoted", place, word))


def _shown(words: str) -> str:
    def decode(word: re.Match[str]) -> str:
        try:
            return _decoded(word[3], word[2].lower()).decode(word[1])
        except (LookupError, ValueError):
            return ""

    return _ENCODED_WORD.sub(decode, words)


def _is_routable(address: str) -> bool:
    local_part, at, domain = address.rpartition("@")
    if not at or not local_part or len(local_part.encode()) > 64:
        return False
    if local_part.startswith('"') != local_part.endswith('"'):
        return False
    if not local_part.startswith('"') and "" in local_part.split("."):
        return False
    if domain.startswith("["):
        return domain.endswith("]")
    labels = domain.split(".")
    form = _LABEL if domain.isascii() else _U_LABEL
    has_form = all(form.fullmatch(label) for label in labels)
    return has_form and len(labels) > 1 and labels[-1].lower() not in _LOCAL_ENDS


def parse_date(value: str) -> int | None:
    """Return the moment, seconds since the epoch; None: not RFC 5322 3.3 with a numeric zone."""
    parts = _DATE.fullmatch(re.sub(r"[ \t]+", " ", value))
    if not parts:
        return None
    day_name, day, month, year, hour, minute, second, sign, zone_h, zone_m = parts.groups()
    number = _MONTHS.index(month) + 1
    clock = (int(hour), int(minute), int(second or 0))
    moment = timegm((int(year), number, int(day), *clock, 0, 0, 0))
    back = time.gmtime(moment)
    if (back.tm_mday, back.tm_hour, back.tm_min) != (int(day), int(hour), int(minute)):
        return None  # there is no such day or time
    if day_name and _DAYS[back.tm_wday] != day_name:
        return None
    offset = int(zone_h) * 3600 + int(zone_m) * 60
    return moment - (offset if sign == "+" else -offset)


def _check_date(value: str, found: list[Fault], now_s: float, *, is_forwarded: bool) -> None:
    moment = parse_date(value)
    if moment is None:
        found.append(Fault("date-form", "date", value))
    elif not is_forwarded and not now_s - _MAX_OLD_S <= moment <= now_s + _MAX_AHEAD_S:
        found.append(Fault("date-skew", "date", value))


def _check_message_id(value: str, found: list[Fault]) -> None:
    form = _MESSAGE_ID.fullmatch(value)
    if not form:
        found.append(Fault("message-id-form", "message-id", value))
    elif not form[1].startswith("[") and not _is_routable(f"x@{form[1]}"):
        found.append(Fault("message-id-host", "message-id", value))
