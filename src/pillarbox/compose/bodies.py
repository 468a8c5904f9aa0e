"""
The text and the HTML of a mail, each made of the other where only one is given.

Every mail has a plain text. Nothing is fetched for the HTML: no style sheet, no picture, from the
net or a file (attack: a page that reads files of the server that mails it).
"""

from __future__ import annotations

from pillarbox.errors import DataError, MissingExtraError, UsageError
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.compose.letter import Letter

__all__ = ["html_of_markdown", "make_bodies", "text_of_html"]

EXTRA = "compose"

# Sizes and colours that mail programs of all ages show alike.
_PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><style>
body {{ font-family: -apple-system, "Segoe UI", Roboto, "PingFang SC", "Microsoft YaHei", Arial,
 sans-serif; font-size: 15px; line-height: 1.5; color: #222222; }}
h1 {{ font-size: 22px; }} h2 {{ font-size: 18px; }} h3 {{ font-size: 16px; }}
code, pre {{ font-family: Consolas, Menlo, monospace; font-size: 13px;
 background-color: #f4f4f4; }}
pre {{ padding: 10px; white-space: pre-wrap; }}
blockquote {{ margin: 0; padding-left: 12px; border-left: 3px solid #cccccc; color: #555555; }}
table {{ border-collapse: collapse; }}
th, td {{ border: 1px solid #cccccc; padding: 4px 8px; text-align: left; }}
</style></head><body>
{}</body></html>
"""


def make_bodies(letter: Letter) -> tuple[str, str | None]:
    """
    Return the plain text and the HTML, if any.

    Raises:
        UsageError: HTML and Markdown are both given.
        DataError: The HTML cannot be read.
        MissingExtraError: The packages for HTML or Markdown are missing.

    """
    text, html = letter.text, letter.html
    if html is not None and letter.markdown is not None:
        raise UsageError(say("the body is either HTML or Markdown"))
    if letter.markdown is not None:
        text = letter.markdown if text is None else text
        html = html_of_markdown(letter.markdown)
    elif html is not None:
        text = text_of_html(html) if text is None else text
        html = _with_inlined_styles(html, keeps_styles=True)
    return _clean(text or ""), None if html is None else _clean(html)


def html_of_markdown(source: str) -> str:
    """
    Return a page of CommonMark with tables; HTML in the source is shown and not obeyed.

    Raises:
        MissingExtraError: The packages are missing.

    """
    try:
        from markdown_it import MarkdownIt
    except ImportError:
        raise MissingExtraError(say("Markdown"), EXTRA) from None
    body = MarkdownIt("commonmark", {"html": False}).enable(["table"]).render(_clean(source))
    return _with_inlined_styles(_PAGE.format(body), keeps_styles=False)


def text_of_html(html: str) -> str:
    """
    Return the plain text of a page, with where its links lead.

    Raises:
        DataError: It cannot be read.
        MissingExtraError: The package is missing.

    """
    try:
        from inscriptis import get_text
        from inscriptis.model.config import ParserConfig
    except ImportError:
        raise MissingExtraError(say("HTML mail"), EXTRA) from None
    try:
        text = get_text(_clean(html), ParserConfig(display_links=True))
    except Exception as exc:  # of lxml, which documents no classes of its own for it
        raise _unreadable(exc) from exc
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return "\n".join(lines) + "\n" if lines else ""


def _with_inlined_styles(html: str, *, keeps_styles: bool) -> str:
    """Return the page with its style sheet put into its elements: many programs drop the sheet."""
    if "<style" not in html.lower():
        return html
    try:
        from css_inline import CSSInliner, InlineError
    except ImportError:
        raise MissingExtraError(say("HTML mail"), EXTRA) from None
    inliner = CSSInliner(load_remote_stylesheets=False, keep_style_tags=keeps_styles)
    try:
        return inliner.inline(html)
    except (InlineError, ValueError) as exc:
        raise _unreadable(exc) from exc


def _unreadable(exc: Exception) -> DataError:
    return DataError(say("the HTML cannot be read: {reason}", reason=str(exc)))


def _clean(text: str) -> str:
    """Return text in which no octet that was no UTF-8, and no NUL, is left."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text.replace("\0", "")
