"""
One leaf of a body: what is wrong with it, and the filter that its octets go through.

Everything about charset, control characters and transfer encoding is decided in ``decide``: with
full knowledge of a leaf that is whole, else by its start.
"""

from __future__ import annotations

from pillarbox.mail.content_type import ContentType
from pillarbox.mail.wire import MAX_LINE, LineLengths, has_long_line
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.mail.filters import Filter
    from pillarbox.mail.part import Leaf
    from pillarbox.mail.repair import RepairFacts

__all__ = ["decide"]

# C0 controls but TAB, LF and CR, and DEL.
_CONTROLS = bytes([*range(9), 11, 12, *range(14, 32), 127])
_IDENTITY = ("", "7bit", "8bit", "binary")
_NO_CONTROLS = bytes(byte for byte in range(256) if byte not in _CONTROLS)
# Charsets that need ESC or a shift for themselves.
_SHIFTED = ("iso-2022", "hz-gb", "utf-7")


def decide(  # noqa: C901 - the order of what is looked at
    leaf: Leaf,
    octets: bytes,
    facts: RepairFacts,
    note: Callable[[str, str, str], None],
    *,
    is_whole: bool,
    takes_8bit: bool,
    delimiters: tuple[bytes, ...],
) -> Filter | None:
    """
    Return what a leaf's octets, these first, must go through; None: they are right.

    Args:
        leaf: Gets the new values of its fields.
        octets: The leaf, or its start.
        facts: What is known besides.
        note: Notes a change: rule, place and what was done.
        is_whole: Whether that is all of it.
        takes_8bit: Whether the server, and what is around the leaf, may hold 8-bit octets.
        delimiters: Lines that must not come into being.

    """
    if leaf.is_opaque:
        return None
    encoding = leaf.encoding
    if encoding == "base64":
        return _decide_base64(leaf, octets, note, is_whole=is_whole, delimiters=delimiters)
    if encoding == "quoted-printable":
        from pillarbox.mail.transfer import QuotedPrintableLines

        if is_whole and octets.isascii() and not has_long_line(octets):
            return _with_html(leaf, octets, note, is_whole=is_whole)
        return QuotedPrintableLines(_mender(leaf, note))
    if encoding not in _IDENTITY:
        return None
    if not leaf.kind.startswith("text/") or leaf.is_attachment:
        return _decide_octets(leaf, octets, note, is_whole=is_whole, takes_8bit=takes_8bit)
    if is_whole and leaf.place == "body" and leaf.kind == "text/plain":
        left = octets if octets[:4096].translate(None, _CONTROLS).strip() else b""
        if not left and not octets.translate(None, _CONTROLS).strip():
            return _fill(leaf, facts, note)
    if is_whole and _is_right(leaf, octets, takes_8bit=takes_8bit):
        return None
    text = _Text(leaf, octets, note, is_whole=is_whole, takes_8bit=takes_8bit)
    text.find_charset()
    if text.is_binary:
        return _decide_octets(leaf, octets, note, is_whole=is_whole, takes_8bit=takes_8bit)
    text.clean()
    if is_whole and leaf.place == "body" and leaf.kind == "text/plain" and not text.text.strip():
        return _fill(leaf, facts, note)
    return text.encode(delimiters)


def _is_right(leaf: Leaf, octets: bytes, *, takes_8bit: bool) -> bool:
    """Tell whether a plain text needs nothing: most do, and are asked no more."""
    return (
        leaf.kind == "text/plain"
        and leaf.type is not None
        and leaf.encoding != "binary"
        and not leaf.changes
        and (octets.isascii() or (takes_8bit and _is_right_utf8(leaf, octets)))
        and not octets.translate(None, _NO_CONTROLS)
        and not _has_bare_cr(octets)
        and not has_long_line(octets)
    )


def _is_right_utf8(leaf: Leaf, octets: bytes) -> bool:
    if leaf.encoding != "8bit" or _charset_of(leaf) != "utf-8":
        return False
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def _mender(leaf: Leaf, note: Callable[[str, str, str], None]) -> Callable[[], None]:
    what = say("lines are broken anew")
    place = leaf.place
    return lambda: note("MIME-CTE", place, what)


def _has_bare_cr(octets: bytes) -> bool:
    return b"\r" in octets and octets.count(b"\r") != octets.count(b"\r\n")


def _late(
    leaf: Leaf, note: Callable[[str, str, str], None], *, is_whole: bool, takes_8bit: bool
) -> Filter | None:
    if is_whole:
        return None
    from pillarbox.mail.transfer import Watch

    what = say("left as it is: its headers had been sent when it was found")
    place = leaf.place
    is_ascii_wanted = not (leaf.encoding == "8bit" and takes_8bit)
    return Watch(lambda: note("MIME-LATE", place, what), is_ascii_wanted=is_ascii_wanted)


def _decide_base64(
    leaf: Leaf,
    octets: bytes,
    note: Callable[[str, str, str], None],
    *,
    is_whole: bool,
    delimiters: tuple[bytes, ...],
) -> Filter | None:
    from pillarbox.mail.filters import Fixed
    from pillarbox.mail.transfer import Base64Lines, canonical

    if is_whole and leaf.kind.startswith("text/") and not leaf.is_attachment:
        text = _decoded(octets)
        if (
            text
            and text.isascii()
            and not text.translate(None, bytes(range(32, 127)) + b"\t\r\n").strip()
            and not _has_bare_cr(text)
            and not has_long_line(text)
            and not _makes_delimiter(text, delimiters)
            and not _is_shifted(leaf)
        ):
            leaf.set_encoding("7bit")
            if leaf.type is None:
                leaf.set_type(ContentType("text/plain", (("charset", "us-ascii"),)))
            note("MIME-B64-ASCII", leaf.place, say("decoded"))
            return _with_html(leaf, canonical(text), note, is_whole=True) or Fixed(canonical(text))
        if not LineLengths(76).feed(octets):
            return _with_html(leaf, octets, note, is_whole=True)
    # RFC 2045 6.8 has 76; looking for that in 100 MB would cost time, so the start is a sample.
    is_long = LineLengths(76).feed(octets)
    if is_whole and not is_long:
        return None
    return Base64Lines(_mender(leaf, note), 76 if is_long else MAX_LINE)


def _decoded(octets: bytes) -> bytes:
    from binascii import Error, a2b_base64

    try:
        return a2b_base64(octets.translate(None, b"\r\n \t"), strict_mode=True)
    except Error:
        return b""


def _makes_delimiter(text: bytes, delimiters: tuple[bytes, ...]) -> bool:
    lines = b"\n" + text
    return any(b"\n" + delimiter in lines for delimiter in delimiters)


def _is_shifted(leaf: Leaf) -> bool:
    return _charset_of(leaf).startswith(_SHIFTED)


def _charset_of(leaf: Leaf) -> str:
    return ((leaf.type.param("charset") if leaf.type else None) or "").strip().lower()


def _decide_octets(
    leaf: Leaf,
    octets: bytes,
    note: Callable[[str, str, str], None],
    *,
    is_whole: bool,
    takes_8bit: bool,
) -> Filter | None:
    """Keep every octet: what is no text, or is somebody's file."""
    from pillarbox.mail.transfer import Base64

    is_8bit_fine = leaf.encoding == "8bit" and takes_8bit
    is_fine = (
        (octets.isascii() or is_8bit_fine)
        and b"\0" not in octets
        and not _has_bare_cr(octets)
        and not has_long_line(octets)
    )
    if is_fine:
        return _late(leaf, note, is_whole=is_whole, takes_8bit=takes_8bit)
    leaf.set_encoding("base64")
    note("MIME-CTE", leaf.place, say("encoded in {encoding}", encoding="base64"))
    return Base64(is_text=False)


class _Text:
    """
    What is found out about a text, in three steps: charset, control characters, encoding.

    Attributes:
        text: The octets as far as they have come; of a leaf that is not whole, a sample.
        is_binary: Whether it is no text after all.

    """

    __slots__ = (
        "_filters",
        "_is_kept",
        "_is_whole",
        "_leaf",
        "_note",
        "_octets",
        "_takes_8bit",
        "is_binary",
        "text",
    )

    def __init__(
        self,
        leaf: Leaf,
        octets: bytes,
        note: Callable[[str, str, str], None],
        *,
        is_whole: bool,
        takes_8bit: bool,
    ) -> None:
        self._leaf = leaf
        self._octets = self.text = octets
        self._note = note
        self._is_whole = is_whole
        self._takes_8bit = takes_8bit
        self._filters: list[Filter] = []
        self.is_binary = False
        # A signature inside the text covers its characters; some charsets need their escapes.
        self._is_kept = b"-----BEGIN PGP SIGNED MESSAGE-----" in octets or _is_shifted(leaf)

    def find_charset(self) -> None:
        """Name the charset, and convert what is not Unicode and was not named."""
        leaf, octets = self._leaf, self._octets
        if octets.isascii() and b"\0" not in octets:
            if leaf.type is None:
                self._name("us-ascii")
            return
        if self._is_kept:
            return
        charset = _charset_of(leaf)
        found = _find_wrong_charset(charset, octets, is_whole=self._is_whole)
        if found is None:
            self.is_binary = charset in {"", "us-ascii", "ascii"} and not octets.isascii()
        elif found not in {charset, "us-ascii"}:
            self._name(found)
        elif leaf.type is None:
            self._name("us-ascii")

    def _name(self, found: str) -> None:
        leaf = self._leaf
        named = found if found == "us-ascii" else "utf-8"
        leaf.set_type((leaf.type or ContentType("text/plain")).with_param("charset", named))
        if found == named:
            self._note("MIME-CHARSET", leaf.place, say("named {charset}", charset=found))
            return
        from pillarbox.mail.filters import Convert, run

        what = say("converted from {charset} to UTF-8", charset=found)
        self._note("MIME-CHARSET", leaf.place, what)
        self._filters.append(Convert(found))
        self.text = run(self._filters, self._octets)

    def clean(self) -> None:
        """Remove control characters; of other texts than plain ones, what no line may hold."""
        if self._is_kept:
            return
        text = self.text
        is_plain = self._leaf.kind == "text/plain"
        others = text.translate(None, _NO_CONTROLS) if is_plain else b""
        if others or b"\0" in text or _has_bare_cr(text):
            from pillarbox.mail.filters import Clean, run

            place = self._leaf.place
            self._note("BODY-CTRL", place, say("control characters are removed"))
            cleaner = Clean(is_plain=is_plain)
            self._filters.append(cleaner)
            self.text = run([cleaner], text)

    def encode(self, delimiters: tuple[bytes, ...]) -> Filter | None:
        """Return the filter of all; None: nothing is to be done."""
        leaf, text, filters, is_whole = self._leaf, self.text, self._filters, self._is_whole
        is_right_8bit = leaf.encoding == "8bit" and self._takes_8bit
        makes_delimiter = bool(filters) and _makes_delimiter(text, delimiters)
        if (
            makes_delimiter
            or has_long_line(text)
            or not (text.isascii() or is_right_8bit)
            or (filters and not is_whole)  # who knows what comes
        ):
            filters.append(_encoder(leaf, text, self._note, needs_base64=makes_delimiter))
        elif leaf.encoding == "binary":
            leaf.set_encoding("7bit")
            self._note("MIME-CTE", leaf.place, say("encoded in {encoding}", encoding="7bit"))
        if leaf.changes and not _charset_of(leaf) and "content-type" not in leaf.changes:
            new = "us-ascii" if is_whole and text.isascii() else "utf-8"
            leaf.set_type((leaf.type or ContentType("text/plain")).with_param("charset", new))
        if not filters:
            made = _with_html(leaf, self._octets, self._note, is_whole=is_whole)
            return made or _late(leaf, self._note, is_whole=is_whole, takes_8bit=self._takes_8bit)
        from pillarbox.mail.filters import Chain, Fixed, run

        if not is_whole:
            return Chain(filters)
        done = run(filters, self._octets, is_whole=True)
        return _with_html(leaf, done, self._note, is_whole=True) or Fixed(done)


def _encoder(
    leaf: Leaf, text: bytes, note: Callable[[str, str, str], None], *, needs_base64: bool
) -> Filter:
    from pillarbox.mail.transfer import Base64, QuotedPrintable

    many = len(text.translate(None, bytes(range(128)))) * 5 > len(text)
    encoding = "base64" if many or needs_base64 else "quoted-printable"
    leaf.set_encoding(encoding)
    note("MIME-CTE", leaf.place, say("encoded in {encoding}", encoding=encoding))
    return Base64(is_text=True) if encoding == "base64" else QuotedPrintable()


def _find_wrong_charset(charset: str, octets: bytes, *, is_whole: bool) -> str | None:
    """Return the charset the octets are in, unless they are in the one that is named."""
    from codecs import getincrementaldecoder

    if charset not in {"", "us-ascii", "ascii", "unknown-8bit"}:
        try:
            getincrementaldecoder(charset)().decode(octets, is_whole)
        except (LookupError, ValueError):
            pass
        else:
            return charset
    from pillarbox.mail.charset import find_charset

    return find_charset(octets, is_whole=is_whole)


def _fill(leaf: Leaf, facts: RepairFacts, note: Callable[[str, str, str], None]) -> Filter:
    from pillarbox.mail.filters import Fixed
    from pillarbox.mail.originate import format_date

    if leaf.type is None:
        leaf.set_type(ContentType("text/plain", (("charset", "us-ascii"),)))
    if leaf.encoding == "binary":
        leaf.set_encoding("7bit")
    host = "".join(char for char in facts.host if char.isascii() and char.isprintable())
    note("BODY-EMPTY", "body", say("a line with this computer's name and the time is added"))
    return Fixed(f"{host}, {format_date(facts.epoch_s)}\r\n".encode())


def _with_html(
    leaf: Leaf, octets: bytes, note: Callable[[str, str, str], None], *, is_whole: bool
) -> Filter | None:
    """Return what puts a plain text in front of a mail that is HTML alone."""
    if leaf.place != "body" or leaf.kind != "text/html" or not is_whole or leaf.is_attachment:
        return None
    from pillarbox.mail.alternative import make_alternative
    from pillarbox.mail.filters import Fixed

    made = make_alternative(leaf, octets)
    if made is None:
        return None
    note("MIME-HTML-ONLY", leaf.place, say("a plain text is made of the HTML"))
    return Fixed(made)
