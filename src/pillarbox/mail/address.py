"""
Mailboxes: the only form in which an address travels through pillarbox.

``parse_mailbox`` is the one gate: what it lets through can stand in an SMTP command, a header
and a log line, so nothing behind it checks again. ``parse_address_list`` reads what people and
header fields write (names, comments, groups, obsolete forms) and hands each address to the gate.
"""

from __future__ import annotations

from pillarbox.errors import DataError
from pillarbox.mail.reply import printable
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Mailbox", "is_local", "parse_address_list", "parse_mailbox"]

# RFC 5321 4.5.3.1.1 and 4.5.3.1.3: 64 octets of local-part, 256 of path with its brackets.
_MAX_LOCAL_PART = 64
_MAX_MAILBOX = 254

# Domains that no stranger can send to (RFC 2606, RFC 6762, RFC 8375; .internal: ICANN, 2024).
_LOCAL_TAILS = (".localdomain", ".local", ".lan", ".internal", ".localhost", ".home.arpa")

_ALPHANUMERIC = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_ATOM = frozenset(_ALPHANUMERIC + "!#$%&'*+-/=?^_`{|}~")
_LABEL = frozenset(_ALPHANUMERIC + "-_")
_DOT_ATOM = _ATOM | {"."}
# Of these a text is one bare address, or none.
_BARE = _DOT_ATOM | {"@"}
_LITERAL = frozenset(_ALPHANUMERIC + "-.:")
# What ends a run of plain characters in a list; "@" and "." do not.
_SPECIAL = frozenset('()<>[],;:" \t')


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


def is_local(mailbox: Mailbox, host: str = "") -> bool:
    """
    Tell whether an address means something on this computer only.

    That is one without a domain, without a dot in it, or with a domain that every network may
    have. An address literal is none: it can be sent to.

    Args:
        mailbox: The address.
        host: The name of this computer; empty: no domain is taken for it.

    """
    domain = mailbox.domain.lower().rstrip(".")
    if domain[:1] == "[":
        return False
    is_host = bool(host) and domain == host.lower()
    return is_host or "." not in domain or domain.endswith(_LOCAL_TAILS)


def _to_a_labels(domain: str) -> str:
    try:
        import idna
    except ImportError:
        from pillarbox.errors import MissingExtraError

        raise MissingExtraError(say("the domain {domain}", domain=domain), "idn") from None
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError as exc:
        msg = say("{domain} is not a valid domain: {reason}", domain=domain, reason=str(exc))
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
        problem = say("it is longer than {limit} octets", limit=_MAX_MAILBOX)
    if problem:
        raise _fault(text, problem)
    return Mailbox(local_part, domain)


def _local_part_fault(local_part: str) -> str:
    if not local_part:
        return say("nothing stands before the @")
    if len(local_part.encode("utf-8", "surrogatepass")) > _MAX_LOCAL_PART:
        return say("the part before the @ is longer than {limit} octets", limit=_MAX_LOCAL_PART)
    if _DOT_ATOM.issuperset(local_part):
        # Dots at the ends or doubled are not RFC 5321's dot-string, yet such mailboxes exist
        # (some Japanese carriers gave them out) and cannot harm a command.
        return ""
    if local_part[0] == '"':
        return _quoted_string_fault(local_part)
    for char in local_part:
        if char not in _DOT_ATOM and (char.isascii() or not _is_text(char)):
            if char.isprintable():
                return say("the character {char} needs quotes", char=repr(char))
            return _forbidden(char)
    return ""


def _quoted_string_fault(local_part: str) -> str:
    if len(local_part) < 2 or local_part[-1] != '"':
        return say("a quotation mark is not closed")
    is_escaped = False
    for char in local_part[1:-1]:
        if not (" " <= char <= "~" or (not char.isascii() and _is_text(char))):
            return _forbidden(char)
        if is_escaped:
            is_escaped = False
        elif char == "\\":
            is_escaped = True
        elif char == '"':
            return say("a quotation mark stands inside a quoted part")
    return say("a backslash ends the quoted part") if is_escaped else ""


def _forbidden(char: str) -> str:
    return say("the character {char} is not allowed", char=printable(char))


def _domain_fault(domain: str) -> str:
    if not domain:
        return say("nothing stands behind the @")
    if domain[0] == "[":
        inner = domain[1:-1]
        is_literal = domain[-1] == "]" and inner and _LITERAL.issuperset(inner)
        return "" if is_literal else say("the address literal is malformed")
    for label in domain.split("."):
        if not label:
            return say("the domain has an empty label")
        for char in () if _LABEL.issuperset(label) else label:
            if char not in _LABEL and (char.isascii() or not _is_text(char)):
                return say("the character {char} is not allowed in a domain", char=printable(char))
    return ""


def _is_text(char: str) -> bool:
    # Surrogates stand for undecodable bytes of the command line; they are not printable.
    return char.isprintable() and not char.isspace()


def parse_address_list(text: str) -> list[Mailbox]:
    """
    Read the addresses of a header field or command-line argument, in order.

    Understands names, quoted strings, nested comments, groups, source routes, empty items and
    several words without brackets (the last word is the address, as sendmail and msmtp have
    it). Folding must be undone by the caller; any other control character is an error, and so
    is an address that would be passed over, such as one with no comma behind it. An empty text,
    or an empty group, gives an empty list.

    Raises:
        DataError: An item holds no valid mailbox; nothing of the text is used then.

    """
    if _BARE.issuperset(text):
        return [parse_mailbox(text)] if text else []
    if not text.isprintable() and any(map(_is_control, text)):
        raise _fault(text, say("a control character stands in it"))
    return [parse_mailbox(address) for item in _items(text) if (address := _address_of(item))]


def _is_control(char: str) -> bool:
    return (char < " " and char != "\t") or char == "\x7f"


def _items(text: str) -> Iterator[list[str]]:
    """Yield the pieces of each item of a list (RFC 5322 3.4), the names of groups left out."""
    item: list[str] = []
    is_open = False  # inside <...>, where a source route has commas and a colon
    for piece in _pieces(text):
        if piece in ("<", ">"):
            is_open = piece == "<"
        if is_open or piece not in (",", ";", ":"):
            item.append(piece)
            continue
        if piece != ":":
            yield item
        elif any(map(_is_addressed, _words(item))):
            raise _fault(text, say("an address stands where the name of a group should"))
        item = []
    if is_open:
        raise _fault(text, say("a < is not closed"))
    yield item


def _address_of(item: list[str]) -> str:
    """Return the address among the pieces of one item; empty: there is none."""
    if "<" not in item:
        words = _words(item)
        address, others = (words[-1], words[:-1]) if words else ("", [])
    else:
        start = item.index("<")
        end = item.index(">", start)
        # Words that nothing joins are told apart by a blank, at which the gate takes offence.
        address = " ".join(_words(_without_route(item[start + 1 : end])))
        others = _words(item[end + 1 :])
    if any(map(_is_addressed, others)):
        raise _fault("".join(item), say("a comma is missing between two addresses"))
    return address


def _without_route(pieces: list[str]) -> list[str]:
    """Drop a source route, which is read and ignored (RFC 5321 appendix C)."""
    if ":" in pieces and "".join(pieces).lstrip().startswith("@"):
        return pieces[len(pieces) - pieces[::-1].index(":") :]
    return pieces


def _words(pieces: list[str]) -> list[str]:
    """Join pieces into words: a blank beside ``@`` or ``.`` parts nothing (RFC 5322 4.4)."""
    words: list[list[str]] = []
    is_apart = True
    for piece in pieces:
        if piece == " ":
            is_apart = True
            continue
        joins = words and (piece[0] in "@." or words[-1][-1][-1] in "@.")
        if joins or not is_apart:
            words[-1].append(piece)
        else:
            words.append([piece])
        is_apart = False
    return ["".join(word) for word in words]


def _is_addressed(word: str) -> bool:
    """Whether a word looks like an address, so that it must not be passed over."""
    return "@" in word[1:] and not (word[0] == word[-1] == '"')


def _pieces(text: str) -> Iterator[str]:
    """
    Yield special characters, quoted strings, address literals, and runs of all the rest.

    White space and comments are each one blank.
    """
    position, end = 0, len(text)
    while position < end:
        start = position
        char = text[start]
        position += 1
        if char == "(":
            position = _end_of_comment(text, start)
            char = " "
        elif char == "\t":
            char = " "
        elif char == '"':
            position = _end_of_quoted(text, start)
        elif char == "[":
            # The colons of [IPv6:::1] end no group.
            position = text.find("]", start) + 1 or end
        elif char not in _SPECIAL:
            while position < end and text[position] not in _SPECIAL:
                position += 1
        yield char if char == " " else text[start:position]


def _end_of_comment(text: str, position: int) -> int:
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
    raise _fault(text, say("a comment is not closed"))


def _end_of_quoted(text: str, position: int) -> int:
    position += 1
    end = len(text)
    while position < end:
        char = text[position]
        position += 1
        if char == "\\":
            position += 1
        elif char == '"':
            return position
    raise _fault(text, say("a quotation mark is not closed"))


def _fault(text: str, problem: str) -> DataError:
    shown = printable(text, 100)
    return DataError(say("invalid address {address}: {problem}", address=shown, problem=problem))
