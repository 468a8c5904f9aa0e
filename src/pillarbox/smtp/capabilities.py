"""What a server offers: the EHLO reply as a value (RFC 5321 4.1.1.1)."""

from __future__ import annotations

from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.mail.reply import Reply

__all__ = ["NO_CAPABILITIES", "Capabilities", "parse_capabilities"]


class Capabilities(Value):
    """
    The service extensions that a server offers.

    Attributes:
        keywords: Each EHLO keyword in upper case with its parameters, as sent.
        mechanisms: The SASL mechanisms, in upper case.
        max_size_bytes: The largest content it takes (RFC 1870); None: it did not say, or says
            that there is no fixed limit.

    """

    __slots__ = ("has_chunking", "has_pipelining", "keywords", "max_size_bytes", "mechanisms")

    def __init__(self, keywords: dict[str, str]) -> None:
        self.keywords = keywords
        self.mechanisms = frozenset(keywords.get("AUTH", "").upper().split())
        size = keywords.get("SIZE", "").strip()
        is_number = size.isascii() and size.isdigit() and len(size) <= 20
        self.max_size_bytes = (int(size) or None) if is_number else None
        self.has_pipelining = "PIPELINING" in keywords
        self.has_chunking = "CHUNKING" in keywords

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords


NO_CAPABILITIES = Capabilities({})


def parse_capabilities(reply: Reply) -> Capabilities:
    """
    Read an EHLO or LHLO reply; a line that is no keyword is passed over.

    ``AUTH=PLAIN LOGIN``, the form of servers before RFC 2554, counts as AUTH.
    """
    keywords: dict[str, str] = {}
    for line in reply.lines[1:]:
        text = line.decode("ascii", "replace").strip()
        keyword, _, parameters = text.partition(" ")
        keyword = keyword.upper()
        if keyword.startswith("AUTH="):
            parameters = f"{text[5:]} {keywords.get('AUTH', '')}"
            keyword = "AUTH"
        elif keyword == "AUTH" and "AUTH" in keywords:
            parameters = f"{parameters} {keywords['AUTH']}"
        if keyword and keyword.isascii() and keyword.replace("-", "").isalnum():
            keywords[keyword] = parameters.strip()
    return Capabilities(keywords)
