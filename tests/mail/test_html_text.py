"""The words of an HTML page."""

from __future__ import annotations

from time import process_time

import pytest

from pillarbox.mail.html_text import text_of_html


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hello <b>big</b> world</p>", "Hello big world"),
        ("<h1>Head</h1><p>one<br>two</p>", "Head\n\none\ntwo"),
        ("<head><title>x</title><style>p{}</style></head><body>seen</body>", "seen"),
        ("<script>alert(1)</script>seen", "seen"),
        ("<ul><li>a<li>b</ul>", "- a\n- b"),
        ('<a href="https://example.com/">here</a>', "here <https://example.com/>"),
        ('<a href="https://example.com/">https://example.com/</a>', "https://example.com/"),
        ('<a href="javascript:x">here</a>', "here"),
        ("&lt;b&gt; &amp; &eacute;", "<b> & é"),
        ("<img alt='a chart'>", "a chart"),
        ("<img src=x>", ""),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a  b"),
        ("a\x1b[1m&#27;b", "a [1mb"),
        ("", ""),
    ],
)
def test_gives_the_words(html, text):
    """Blocks are lines, hidden things are not there, links keep their address."""
    lines = text_of_html(html).split("\n")
    assert [line for line in lines if line] == [line for line in text.split("\n") if line]


HOSTILE = ["<![x[", "<a ", '<a href="', "<!--", "</", "<!-!- <![CDAT\\[", "<?", "<a><"]


@pytest.mark.parametrize("piece", HOSTILE)
def test_attack_tags_without_end(piece):
    """No exception and no minutes of computing (CVE-2025-6069)."""
    start_s = process_time()
    for text in (piece * 20_000, (piece * 9000)[:65_000], piece * 40):
        assert isinstance(text_of_html(text), str)
    assert process_time() - start_s < 5
