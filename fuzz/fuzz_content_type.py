"""
Feed the reader of Content-Type with what programs write there.

The property: what was read and is written reads back the same, in printable text on one line; a
parameter that is set is read back and is alone of its name; and the text that is made of a page
of HTML has no control character and comes in time.

Allowed refusals: none; what cannot be read is None.
"""

from __future__ import annotations

import re

from pillarbox.mail.content_type import parse_content_type
from pillarbox.mail.html_text import text_of_html

SEEDS = [
    b"text/plain; charset=utf-8",
    b'Text/HTML; charset="gb2312" (comment; x=y); format=flowed',
    b'multipart/mixed; boundary="=_a\\"b; c=d"; boundary=x',
    b"application/x; name*0*=utf-8''%e6%b5%8b; name*1=\"a;b\"",
    b'text/plain; charset="utf-8\r\nBcc: x"',
    "text/plain; name=测试.txt;;; =x; y=".encode(),
    b"text",
    b'a/b; x="(\\',
    b"<html><head><title>t</title></head><body><p>a &amp; b<br>c<a href='http://x/'>d</a></p>",
    b'<!-- <!- <![CDATA[ <p <p </p <<a href="',
]


def check(data: bytes) -> None:
    """Hold the property for a value, and for the same octets as a page."""
    text = data.decode("utf-8", "replace")
    found = parse_content_type(text)
    if found is not None:
        written = str(found)
        assert written.isprintable(), written
        again = parse_content_type(written)
        assert again is not None
        assert str(again) == written
        assert again.kind == found.kind == found.kind.lower()
        assert [name for name, _ in again.params] == [name for name, _ in found.params]
        changed = parse_content_type(str(found.with_param("charset", 'a "b\\; c=d')))
        assert changed is not None
        assert changed.param("charset") == 'a "b\\; c=d'
        assert sum(name.lower().startswith("charset") for name, _ in changed.params) <= 1 + sum(
            bool(re.match(r"charset[^*]", name.lower())) for name, _ in found.params
        )
    page = text_of_html(text)
    assert not re.search(r"[\0\r\x1b]", page)


if __name__ == "__main__":
    from harness import run

    run(check, SEEDS)
