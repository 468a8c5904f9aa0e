"""
Write manual pages: our markdown in, man(7) out.

Only what our own pages use is understood: headings, paragraphs, lists, tables, indented and fenced
code, and in a line code, emphasis and links. A drawing (mermaid) is left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["escape", "from_markdown", "inline", "tagged"]


def escape(text: str) -> str:
    """Return a text as man(7) shows it: what looks like a command or an escape is none."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = text.replace("'", "\\(aq").replace("`", "\\(ga").replace("^", "\\(ha")
    text = text.replace("~", "\\(ti")
    return f"\\&{text}" if text[:1] == "." else text


def inline(text: str) -> str:
    """Return a line of markdown with its code, emphasis and links."""
    parts = []
    pattern = r"`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[((?:[^\]`]|`[^`]*`)+)\]\([^)]+\)"
    end = 0
    for found in re.finditer(pattern, text):
        parts.append(escape(text[end : found.start()]))
        code, strong, weak, link = found.groups()
        if link is not None:
            parts.append(inline(link))
        elif weak is not None:
            parts.append(f"\\fI{escape(weak)}\\fR")
        else:
            parts.append(f"\\fB{escape(code or strong)}\\fR")
        end = found.end()
    parts.append(escape(text[end:]))
    line = "".join(parts)
    return f"\\&{line}" if line[:1] == "." and not line.startswith("\\") else line


def tagged(tag: str, *paragraphs: str) -> list[str]:
    """Return an entry of a list: what it is about, and what is said of it."""
    lines = [".TP", tag]
    for number, paragraph in enumerate(filter(None, paragraphs)):
        lines += [".IP"] if number else []
        lines.append(paragraph)
    if len(lines) == 2:
        lines.append("\\&")
    return lines


def from_markdown(text: str, *, first_heading: int = 2) -> list[str]:
    """
    Return the lines of a page's markdown.

    Args:
        text: The page, or a part of it; a heading above ``first_heading`` is left out.
        first_heading: The level of heading that is a section of the manual page.

    """
    lines = []
    blocks = re.split(r"\n{2,}", re.sub(r"(?ms)^```.*?^```\n?|^<!--.*?-->", "", text).strip("\n"))
    for block in _joined(blocks):
        lines += _block(block, first_heading)
    return lines


def _joined(blocks: Iterable[str]) -> Iterator[str]:
    """Yield blocks; pieces of code with an empty line between them are one."""
    held = ""
    for block in blocks:
        if block.startswith("    ") and held.startswith("    "):
            held += "\n\n" + block
            continue
        if held:
            yield held
        held = block
    if held:
        yield held


def _block(block: str, first_heading: int) -> list[str]:
    first = block.split("\n", 1)[0]
    level = len(first) - len(first.lstrip("#"))
    if level:
        heading, _, rest = block.partition("\n")
        lines = []
        if level >= first_heading:
            macro = ".SH" if level == first_heading else ".SS"
            title = heading.lstrip("# ")
            lines = [f"{macro} {escape(title.upper() if macro == '.SH' else title)}"]
        return lines + (_block(rest, first_heading) if rest else [])
    if block.startswith("    "):
        code = [escape(line[4:]) or "\\&" for line in block.split("\n")]
        return [".PP", ".RS 4", ".nf", *code, ".fi", ".RE"]
    if block.startswith("|"):
        return _table(block.split("\n"))
    if re.match(r"- |\d+\. ", block):
        return _list(block)
    return [".PP", *(inline(line) for line in block.split("\n"))]


def _list(block: str) -> list[str]:
    lines = []
    for item in re.split(r"\n(?=- |\d+\. )", block):
        mark, _, text = item.partition(" ")
        tag = "\\(bu" if mark == "-" else escape(mark)
        lines.append(f".IP {tag} 4")
        lines += [inline(line.strip()) for line in text.split("\n")]
    return lines


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _table(rows: list[str]) -> list[str]:
    """Return a table as a list: the first cell is what each entry is about."""
    heads, *body = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    lines = []
    for row in body:
        if set("".join(row)) <= set("- |"):
            continue
        said = [
            _capital(cell if number == 1 else f"{head}: {cell}")
            for number, (head, cell) in enumerate(zip(heads, row, strict=True))
            if number and cell and cell != "-"
        ]
        sentences = [text if text.endswith((".", "?", "!")) else f"{text}." for text in said]
        lines += tagged(inline(row[0]), "\n".join(inline(text) for text in sentences))
    return lines
