r"""
What is header and what is body, where a shell or a program did not make that clear.

The scanner takes a text without headers for a body, so nothing is lost; here the rest is put
right: an option that echo printed, lines of text that look like headers, ``\n`` that echo did
not expand. It happens before anybody reads a recipient from the header.
"""

from __future__ import annotations

from pillarbox.mail.headers import HeaderSection, read_header_section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.mail.message import Message
    from pillarbox.mail.repair import Change

__all__ = ["rescue"]

# Names that a mail's header section has (RFC 5322, 2045, 3834, 2369, and what programs add).
_KNOWN = frozenset(
    b"from to cc bcc subject date message-id reply-to sender in-reply-to references comments"
    b" keywords received return-path auto-submitted precedence priority importance"
    b" sensitivity organization user-agent"
    b" mail-followup-to mail-reply-to errors-to delivered-to disposition-notification-to"
    b" return-receipt-to dkim-signature authentication-results feedback-id"
    b" autocrypt face thread-topic thread-index apparently-to newsgroups".split()
)

_KNOWN_PREFIXES = (b"x-", b"list-", b"resent-", b"content-", b"mime-", b"arc-")

# Who gets a mail and whom it is from: text inside a Subject must not decide that.
_ADDRESSES = frozenset(b"from to cc bcc sender reply-to return-path apparently-to".split())

# What echo is asked for and prints when it does not know it: dash and POSIX know no option.
_OPTIONS = (b"-e ", b"-n ", b"-ne ", b"-en ", b"-E ")

# Octets in which a path ends: Windows stops at 260 characters, and a search must not be quadratic.
_MAX_PATH = 1040

_RECIPIENTS = frozenset((b"to", b"cc", b"bcc", b"resent-to", b"resent-cc", b"resent-bcc"))

_BLANK = b" \t\r\n"


def rescue(message: Message, changes: list[Change]) -> Message:
    """
    Return the message with its header section where it belongs; the same one if it is there.

    Args:
        message: As it came. Only the start of its body is read, which may block.
        changes: Gets what is done; what is in it already is not noted again.

    Raises:
        DataError: As ``read_header_section``.

    """
    fields = message.headers.fields
    if not fields:
        return _without_headers(message, changes)
    names = message.headers.firsts
    if _KNOWN.isdisjoint(names) and not any(map(_is_known, names)):
        return _pseudo_headers(message, changes)
    for field in fields:
        if field.key == b"subject" and b"\\n" in field.raw:
            return _expanded(message, field.raw, changes)
    return message


def _is_known(key: bytes) -> bool:
    return key in _KNOWN or key.startswith(_KNOWN_PREFIXES)


def _begins_with_header(text: bytes) -> bool:
    name, colon, _ = text[:1000].partition(b"\n")[0].partition(b":")
    return bool(colon) and _is_known(name.rstrip(b" \t").lower())


def _without_headers(message: Message, changes: list[Change]) -> Message:
    """Find the header section behind what hides it; else note that there is none."""
    from pillarbox.text import say

    start, rest = message.look_ahead()
    if not start.strip(_BLANK):
        return message
    text = _without_blank_lines(start)
    if text.startswith(b">From "):
        text = text.partition(b"\n")[2]
    option = b""
    while text.startswith(_OPTIONS):
        word, _, text = text.partition(b" ")
        option = option or word
    if _begins_with_header(text):
        if option:
            what = say("{option} of echo is removed", option=option.decode())
            _note(changes, "HDR-DASH-E", what)
            return rescue(_read_again(message, text, rest), changes)
        if not _names_recipients(text):
            _note(changes, "HDR-BROKEN", say("what stood in front of the headers is removed"))
            return rescue(_read_again(message, text, rest), changes)
    if not any(change.rule == "HDR-PSEUDO" for change in changes):
        _note(changes, "HDR-BROKEN", say("the whole text is the body"))
    return message


def _names_recipients(text: bytes) -> bool:
    """
    Tell whether a header section names recipients.

    Behind a blank line may stand anybody's text: it must not choose who gets the mail (attack:
    a text that begins with ``Bcc:``, behind an empty line, through ``sendmail -t``).
    """
    pending = [text]
    headers, _ = read_header_section(lambda _: pending.pop() if pending else b"")
    return any(field.key in _RECIPIENTS for field in headers.fields)


def _without_blank_lines(text: bytes) -> bytes:
    """Return the text from its first line on that is not blank; an indent of that line stays."""
    indent = len(text) - len(text.lstrip(_BLANK))
    return text[text.rfind(b"\n", 0, indent) + 1 :]


def _read_again(message: Message, text: bytes, rest: Callable[[int], bytes] | None) -> Message:
    pending = [text]

    def read(size: int) -> bytes:
        if pending[0]:
            chunk, pending[0] = pending[0][:size], pending[0][size:]
            return chunk
        return rest(size) if rest is not None else b""

    headers, start = read_header_section(read)
    return message.replaced(headers, start + pending[0], rest, keeps_size=True)


def _pseudo_headers(message: Message, changes: list[Change]) -> Message:
    """Return a message in which what only looked like headers is the start of the body."""
    from pillarbox.text import say

    start, rest = message.look_ahead()
    names = b", ".join(dict.fromkeys(field.name for field in message.headers.fields))
    shown = names.decode()[:100]
    _note(changes, "HDR-PSEUDO", say("{names} became part of the body", names=shown))
    lines = message.headers.wire_form()
    # The scanner does not tell an empty line that it took from a line that it stopped at, so one
    # may be put between that nobody typed: better than two paragraphs that become one.
    text = lines + b"\r\n" + start if start else lines
    return message.replaced(HeaderSection(), text, rest, keeps_size=True)


def _expanded(message: Message, raw: bytes, changes: list[Change]) -> Message:
    """Return a message whose Subject ends where the line was meant to, if that is sure."""
    start, rest = message.look_ahead()
    subject = raw.partition(b":")[2].strip()
    head, _, tail = subject.partition(b"\\n")
    if rest is not None or start.strip(_BLANK) or not head.strip():
        return message
    is_meant = tail.startswith((b"\\n", b"\\r\\n")) or _begins_with_header(
        tail.replace(b"\\n", b"\n")
    )
    if not is_meant:
        return message  # a path, perhaps: C:\new
    from pillarbox.text import say

    others = tuple(field for field in message.headers.fields if field.raw is not raw)
    pending = HeaderSection(others).wire_form() + b"Subject: " + _unescaped(subject) + b"\n"
    expanded = _read_again(message, pending, None)
    if others and _address_count(expanded) > _address_count(message):
        # Attack: a form's Subject with a literal \nBcc:. Only one echo of it all may say so.
        return message
    _note(changes, "HDR-BACKSLASH-N", say("\\n became line ends"))
    return expanded


def _address_count(message: Message) -> int:
    keys = [field.key for field in message.headers.fields]
    return sum(key in _ADDRESSES or key.startswith(b"resent-") for key in keys)


def _unescaped(text: bytes) -> bytes:
    r"""Return a text with its escapes expanded, but not those of a path such as ``C:\new``."""
    pieces: list[bytes] = []
    start = 0
    while drive := _drive_in(text, start):
        limit = min(drive + _MAX_PATH, len(text))
        ends = [text.find(mark, drive, limit) for mark in (b" ", b"\\n\\n")]
        end = min((end for end in ends if end >= 0), default=limit)
        pieces += (_expand(text[start:drive]), text[drive:end])
        start = end
    return b"".join((*pieces, _expand(text[start:])))


def _expand(text: bytes) -> bytes:
    for escape, char in ((b"\\r\\n", b"\n"), (b"\\n", b"\n"), (b"\\t", b"\t")):
        text = text.replace(escape, char)
    return text


def _drive_in(text: bytes, start: int) -> int:
    """Return where the colon of a drive letter stands: one letter, colon, backslash; 0: nowhere."""
    drive = text.find(b":\\", start)
    while drive > 0:
        before, letter = text[max(drive - 3, 0) : drive - 1], text[drive - 1 : drive]
        is_alone = before in (b"\\n", b"\\t") or not before[-1:].isalnum()
        if letter.isalpha() and is_alone and text[drive + 2 : drive + 3].isalnum():
            return drive
        drive = text.find(b":\\", drive + 1)
    return 0


def _note(changes: list[Change], rule: str, what: str) -> None:
    from pillarbox.mail.repair import Change

    if not any(change.rule == rule for change in changes):
        changes.append(Change(rule, "", what))
