"""The plain text of an HTML page: its words in reading order, for those who do not show HTML."""

from __future__ import annotations

__all__ = ["text_of_html"]

_BLOCKS = frozenset(
    (
        "address",
        "article",
        "blockquote",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    )
)
_MAX_HTML = 1 << 16  # characters
_MAX_OPEN = 50
_HIDDEN = frozenset(("head", "script", "style", "title", "template"))


def text_of_html(html: str) -> str:  # noqa: C901 - a parser is one list of tags
    """Return the words of a page, a line for each block, links behind their words; or nothing."""
    from html.parser import HTMLParser

    # Attack: html.parser takes quadratic time over tags that do not end (CVE-2025-6069).
    if len(html) > _MAX_HTML or html.count("<") > html.count(">") + _MAX_OPEN:
        return ""
    if html.count("<!--") > html.count("-->") + _MAX_OPEN:
        return ""
    lines = [""]
    hidden: list[str] = []
    links: list[tuple[str, int]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag in _HIDDEN:
                hidden.append(tag)
            elif tag == "body":
                hidden.clear()
            elif tag in _BLOCKS:
                lines.append("- " if tag == "li" else "")
            elif tag in {"td", "th"} and lines[-1]:
                lines[-1] += "  "
            elif tag == "img":
                lines[-1] += dict(attrs).get("alt") or ""
            elif tag == "a":
                links.append((dict(attrs).get("href") or "", len(lines[-1])))

        def handle_endtag(self, tag: str) -> None:
            if hidden and tag == hidden[-1]:
                hidden.pop()
            elif tag in _BLOCKS:
                lines.append("")
            elif tag == "a" and links:
                href, start = links.pop()
                if href.startswith(("http:", "https:")) and href not in lines[-1][start:]:
                    lines[-1] += f" <{href}>"

        def handle_data(self, data: str) -> None:
            if not hidden:
                words = " ".join(data.split())
                if data[:1].isspace() and lines[-1][-1:] not in {"", " "}:
                    lines[-1] += " "
                lines[-1] += words + (" " if words and data[-1:].isspace() else "")

    reader = Reader(convert_charrefs=True)
    try:
        reader.feed(html)
        reader.close()
    except (AssertionError, ValueError):
        return ""  # the parser of Python 3.11 asserts that there is no <![x[
    kept: list[str] = []
    for line in lines:
        shown = "".join(char if char.isprintable() else " " for char in line).rstrip()
        if shown.strip(" -") or (kept and kept[-1]):
            kept.append(shown if shown.strip(" -") else "")
    return "\n".join(kept).strip("\n")
