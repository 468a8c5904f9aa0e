"""
Mailboxes: the only form in which an address travels through pillarbox.

``parse_mailbox`` is the one gate: what it lets through can stand in an SMTP command, a header
and a log line, so nothing behind it checks again. ``parse_address_list`` reads what people and
header fields write (names, comments, groups, obsolete forms) and hands each address to the gate.
"""

from __future__ import annotations

from pillarbox.errors import DataError
from pillarbox.mail.reply import printable
from pillarbox.value import Value

__all__ = ["Mailbox", "parse_address_list", "parse_mailbox"]

# RFC 5321 4.5.3.1.1 and 4.5.3.1.3: 64 octets of local-part, 256 of path with its brackets.
_MAX_LOCAL_PART = 64
_MAX_MAILBOX = 254

_ATOM = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~")
_LABEL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_LITERAL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.:")


class Mailbox(Value):
    """
    One mailbox: a local-part, and a domain unless it is local to this host.

    Attributes:
        local_part: As it stands in an SMTP command: quoted where it has to be.
        domain: The domain or ``[address literal]``; empty for a local name such as ``root``.

    No control character, space outside a quoted local-part, ``<`` or ``>`` can be in one.

    """

    __slots__ = ("domain", "local_part")

    def __init__(self, local_part: str, domain: str) -> None:
        self.local_part = local_part
        self.domain = domain

    def __str__(self) -> str:
        return f"{self.local_part}@{self.domain}" if self.domain else self.local_part

    @property
    def domain_ascii(self) -> str:
        """
        The domain as A-labels (IDNA2008).

        Raises:
            MissingExtraError: The domain is not ASCII and the package ``idna`` is missing.
            DataError: The domain is not a valid internationalized one.

        """
        return self.domain if self.domain.isascii() else _to_a_labels(self.domain)

    @property
    def needs_smtputf8(self) -> bool:
        """Whether no ASCII form of it exists (RFC 6531): only the local-part decides."""
        return not self.local_part.isascii()

    def wire_form(self, *, smtputf8: bool) -> bytes:
        """Return the octets for a command, the domain as A-labels unless ``smtputf8``."""
        if smtputf8 or self.domain.isascii():
            return str(self).encode()
        return f"{self.local_part}@{self.domain_ascii}".encode()


def _to_a_labels(domain: str) -> str:
    try:
        import idna
    except ImportError:
        from pillarbox.errors import MissingExtraError

        raise MissingExtraError(f"the domain {domain}", "idn") from None
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError as exc:
        msg = f"{domain} is not a valid domain: {exc}"
        raise DataError(msg) from exc


def parse_mailbox(text: str) -> Mailbox:
    """
    Read one bare mailbox, ``local-part[@domain]`` (RFC 5321 4.1.2, with RFC 6531).

    A missing domain is a local name. Source routes, brackets and display names are not read
    here (``parse_address_list`` does).

    Raises:
        DataError: It is not a mailbox; the text says which part is wrong.

    """
    local_part, at, domain = text.rpartition("@")
    if not at:
        local_part, domain = text, ""
    problem = _local_part_fault(local_part) or (_domain_fault(domain) if at else "")
    if not problem and len(text.encode("utf-8", "surrogatepass")) > _MAX_MAILBOX:
        problem = f"it is longer than {_MAX_MAILBOX} octets"
    if problem:
        msg = f"invalid address {printable(text, 100)}: {problem}"
        raise DataError(msg)
    return Mailbox(local_part, domain)


def _local_part_fault(local_part: str) -> str:
    if not local_part:
        return "nothing stands before the @"
    if len(local_part.encode("utf-8", "surrogatepass")) > _MAX_LOCAL_PART:
        return f"the part before the @ is longer than {_MAX_LOCAL_PART} octets"
    if local_part[0] == '"':
        return _quoted_string_fault(local_part)
    for char in local_part:
        # Dots at the ends or doubled are not RFC 5321's dot-string, yet such mailboxes exist
        # (some Japanese carriers gave them out) and cannot harm a command.
        if char not in _ATOM and char != "." and (char.isascii() or not _is_text(char)):
            return f"the character {printable(char)!r} needs quotes" if char.isprintable() else (
                f"the character {printable(char)} is not allowed"
            )
    return ""


def _quoted_string_fault(local_part: str) -> str:
    if len(local_part) < 2 or local_part[-1] != '"':
        return "a quotation mark is not closed"
    is_escaped = False
    for char in local_part[1:-1]:
        if not (" " <= char <= "~" or (not char.isascii() and _is_text(char))):
            return f"the character {printable(char)} is not allowed"
        if is_escaped:
            is_escaped = False
        elif char == "\\":
            is_escaped = True
        elif char == '"':
            return "a quotation mark stands inside a quoted part"
    return "a backslash ends the quoted part" if is_escaped else ""


def _domain_fault(domain: str) -> str:
    if not domain:
        return "nothing stands behind the @"
    if domain[0] == "[":
        inner = domain[1:-1]
        is_literal = domain[-1] == "]" and inner and _LITERAL.issuperset(inner)
        return "" if is_literal else "the address literal is malformed"
    for label in domain.split("."):
        if not label:
            return "the domain has an empty label"
        for char in label:
            if char not in _LABEL and (char.isascii() or not _is_text(char)):
                return f"the character {printable(char)} is not allowed in a domain"
    return ""


def _is_text(char: str) -> bool:
    # Surrogates stand for undecodable bytes of the command line; they are not printable.
    return char.isprintable() and not char.isspace()


def parse_address_list(text: str) -> list[Mailbox]:
    """
    Read the addresses of a header field or command-line argument, in order.

    Understands names, quoted strings, nested comments, groups, source routes, empty items and
    several words without brackets (the last word is the address, as sendmail and msmtp have
    it). Folding must be undone by the caller; any other control character ends in an error.
    An empty text, or an empty group, gives an empty list.

    Raises:
        DataError: An item holds no valid mailbox; nothing of the text is used then.

    """
    found = []
    for item in _items(text):
        if item:
            found.append(parse_mailbox(item))
    return found


def _items(text: str) -> list[str]:
    """
    Split a list into bare addresses (RFC 5322 3.4, 4.4), empty items included.

    One pass: ``word`` gathers the word at hand, ``angle`` what stands between < and >.
    """
    items: list[str] = []
    word = ""  # the last word outside brackets
    angle: str | None = None  # the content of the last <...>, which wins over words
    is_open = False  # inside <...>
    is_new = True  # the next text begins a new word
    position, end = 0, len(text)
    while position < end:
        char = text[position]
        if char == "(":
            position = _skip_comment(text, position)
            is_new = True
            continue
        if char == '"':
            piece, position = _take_quoted(text, position)
        elif char == "[":
            # An address literal: the colons of [IPv6:::1] end no group.
            end_of_literal = text.find("]", position) + 1 or end
            piece, position = text[position:end_of_literal], end_of_literal
        else:
            piece, position = char, position + 1
        if is_open:
            if piece == ">":
                is_open = False
            elif piece not in (" ", "\t"):
                angle = (angle or "") + piece
        elif piece == "<":
            is_open, angle = True, ""
        elif piece in (",", ";"):
            items.append(_bare(word, angle))
            word, angle, is_new = "", None, True
        elif piece == ":":
            # What stood before was the name of a group.
            word, angle, is_new = "", None, True
        elif piece in (" ", "\t"):
            is_new = True
        else:
            # A space around "@" or "." belongs to the address (obsolete form, 4.4).
            joins = piece in ("@", ".") or word.endswith(("@", "."))
            word = word + piece if joins or not is_new else piece
            is_new = False
    if is_open:
        msg = f"invalid address {printable(text, 100)}: a < is not closed"
        raise DataError(msg)
    items.append(_bare(word, angle))
    return items


def _bare(word: str, angle: str | None) -> str:
    if angle is None:
        return word
    if angle.startswith("@") and ":" in angle:  # a source route, to be ignored (5321 app. C)
        return angle.rpartition(":")[2]
    return angle


def _skip_comment(text: str, position: int) -> int:
    depth = 0
    end = len(text)
    while position < end:
        char = text[position]
        position += 1
        if char == "\\":
            position += 1
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                return position
    return end


def _take_quoted(text: str, position: int) -> tuple[str, int]:
    start = position
    position += 1
    end = len(text)
    while position < end:
        char = text[position]
        position += 1
        if char == "\\":
            position += 1
        elif char == '"':
            return text[start:position], position
    msg = f"invalid address {printable(text, 100)}: a quotation mark is not closed"
    raise DataError(msg)
