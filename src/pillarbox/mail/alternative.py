"""
Plain text beside HTML (RFC 2046 5.1.4): made where there is none, filled up where it says nothing.

Nothing that was there is lost: what is made is put in front of the HTML, or behind the text.
"""

from __future__ import annotations

from pillarbox.mail.content_type import ContentType, parse_content_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.mail.part import Leaf

__all__ = ["make_alternative", "make_fuller_text"]

# A text that has fewer of the HTML's words than one in so many says something else.
_ONE_IN = 5
# A page of fewer words than this is no measure.
_MIN_WORDS = 4


def make_alternative(leaf: Leaf, octets: bytes) -> bytes | None:
    """
    Return the body of a multipart/alternative, and change the leaf's fields to it.

    Args:
        leaf: The only leaf, with its changes so far.
        octets: Its content as it would be sent, in its transfer encoding.

    Returns:
        None when the HTML has no words.

    """
    from hashlib import sha256

    from pillarbox.mail.html_text import text_of_html
    from pillarbox.mail.transfer import canonical

    text = text_of_html(_text_of(leaf, octets) or "")
    if not text:
        return None
    kind = leaf.changes.get("content-type") or str(leaf.type)
    encoding = leaf.changes.get("content-transfer-encoding") or leaf.encoding
    coding, charset, plain = _coded(text + "\n")
    salt = 0
    boundary = ""
    while not boundary or boundary.encode() in octets or boundary.encode() in plain:
        digest = sha256(b"%d" % salt + octets.replace(b"\r\n", b"\n")).hexdigest()
        boundary, salt = f"=_{digest[:32]}", salt + 1
    leaf.set_type(ContentType("multipart/alternative", (("boundary", boundary),)))
    leaf.set_encoding("" if octets.isascii() else "8bit")
    html_head = f"Content-Type: {kind}\n"
    if encoding:
        html_head += f"Content-Transfer-Encoding: {encoding}\n"
    mark = f"--{boundary}"
    head = (
        f"{mark}\nContent-Type: text/plain; charset={charset}\n"
        f"Content-Transfer-Encoding: {coding}\n\n"
    )
    return (
        canonical(head.encode())
        + plain
        + canonical(f"\n{mark}\n{html_head}\n".encode("utf-8", "surrogateescape"))
        + octets
        + canonical(f"\n{mark}--\n".encode())
    )


def make_fuller_text(leaf: Leaf, octets: bytes, page: Leaf, page_octets: bytes) -> bytes | None:
    """
    Return a plain text with the HTML's text behind it, and change the leaf's fields to it.

    Args:
        leaf: The plain text of an alternative.
        octets: Its content as it came.
        page: The HTML beside it.
        page_octets: Its content as it came.

    Returns:
        None when the text says what the HTML says, or one of them cannot be read.

    """
    from pillarbox.mail.html_text import text_of_html

    html, own = _text_of(page, page_octets), _text_of(leaf, octets)
    if html is None or own is None or "-----BEGIN PGP" in own:
        return None
    made = text_of_html(html)
    words = _words(made)
    if len(words) < _MIN_WORDS or len(words & _words(own)) * _ONE_IN >= len(words):
        return None
    joined = f"{own.rstrip()}\n\n{made}\n" if own.strip() else f"{made}\n"
    coding, charset, coded = _coded(joined.replace("\r\n", "\n").replace("\r", "\n"))
    leaf.set_type((leaf.type or ContentType("text/plain")).with_param("charset", charset))
    leaf.set_encoding(coding)
    return coded


def _words(text: str) -> set[str]:
    """Return the words; of scripts without blanks, the characters."""
    found = set()
    for word in text.lower().split():
        if word.isascii():
            found.add(word.strip(".,:;!?()<>\"'-"))
        else:
            found.update(word)
    found.discard("")
    return found


def _text_of(leaf: Leaf, octets: bytes) -> str | None:
    from binascii import Error, a2b_base64, a2b_qp

    from pillarbox.mail.charset import find_charset, to_text

    kind = parse_content_type(leaf.changes.get("content-type") or str(leaf.type))
    encoding = leaf.changes.get("content-transfer-encoding") or leaf.encoding
    content = octets
    try:
        if encoding in {"base64", "quoted-printable"}:
            content = a2b_base64(octets) if encoding == "base64" else a2b_qp(octets)
    except Error:
        return None
    charset = kind.param("charset") if kind else None
    if not charset or charset.lower() in {"us-ascii", "ascii"}:
        charset = find_charset(content)
    return to_text(content, charset) if charset else None


def _coded(text: str) -> tuple[str, str, bytes]:
    """Return a text's transfer encoding, its charset, and its octets in them."""
    from pillarbox.mail.transfer import Base64, QuotedPrintable, canonical
    from pillarbox.mail.wire import MAX_LINE

    octets = text.encode("utf-8", "replace")
    charset = "us-ascii" if octets.isascii() else "utf-8"
    controls = bytes([*range(9), 11, *range(13, 32), 127])
    octets = octets.translate(None, controls)
    if (
        octets.isascii()
        and max(map(len, octets.split(b"\n"))) <= MAX_LINE
        and b"\n--" not in b"\n" + octets
    ):
        return "7bit", charset, canonical(octets)
    is_many = len(octets.translate(None, bytes(range(128)))) * 5 > len(octets)
    # In base64 no line can be a delimiter.
    is_base64 = is_many or b"\n--" in b"\n" + octets
    encoder = Base64(is_text=True) if is_base64 else QuotedPrintable()
    coding = "base64" if is_base64 else "quoted-printable"
    return coding, charset, encoder.feed(octets) + encoder.finish()
